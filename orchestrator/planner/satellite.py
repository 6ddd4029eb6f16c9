"""The way that is left when every terrestrial line is lost: trading goes on over the two-way satellite. Pure.

SSCC-3.2c: the two-way satellite backs up trading and nothing else, and it is narrow. So only the trading fronts'
addresses are sent there, each by a static host route of its own; the routes to the centres' networks stay as they are,
and files of settlement or market data never come near it. Only a drill that asks for it (`terrestrial_of`) does so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from orchestrator.errors import DefinitionError, Refused
from orchestrator.model.base import Title
from orchestrator.model.drill import Drill, Response
from orchestrator.model.plan import Action, Fault, GatewayChange, PathChange, Placement
from orchestrator.model.topology import CentreRole, Gateway, GatewayClass, LineKind, Router, Topology
from orchestrator.planner.entry import entry_of
from orchestrator.planner.network import Network, under
from orchestrator.planner.question import Question
from orchestrator.planner.standby import pair_goes_on

CARRIED = GatewayClass.TRADING


def terrestrial_lines(topology: Topology, drill: Drill, operator: str) -> tuple[str, ...]:
    """Every terrestrial line that carries a production centre of the operator."""
    centres = _production(topology, operator)
    if not centres:
        known = ", ".join(sorted({item.operator for item in topology.centres if item.role is CentreRole.PRODUCTION}))
        raise DefinitionError(
            f"drill {drill.drill}: fault.terrestrial_of: expected an operator of production centres of this site "
            f"({known}), found {operator!r}"
        )
    return tuple(
        line.id for line in topology.lines if line.kind is LineKind.TERRESTRIAL and centres & set(line.carries)
    )


def _production(topology: Topology, operator: str) -> set[str]:
    return {item.id for item in topology.centres if item.operator == operator and item.role is CentreRole.PRODUCTION}


def host_routes(question: Question) -> tuple[PathChange, ...]:
    """One host route for each address of a trading front that gateways behind a router list, over its last resort.

    Refused where no router has one: then trading has no way at all.
    """
    if not question.last_resort:
        return ()
    if question.response is Response.OBSERVE:
        raise Refused(
            "NO_PATH",
            "expected --response repoint or assist where every terrestrial line is lost, found observe: nobody would "
            "put the host routes over the two-way satellite",
        )
    _there_is_one(question)
    healthy = under(question.topology, Fault(manner=question.fault.manner), question.out_of_service)
    network = under(question.topology, question.fault, question.out_of_service, question.routers)
    return tuple(
        change for router in question.topology.routers for change in _routes_of(question, router, healthy, network)
    )


def _there_is_one(question: Question) -> None:
    topology, operator = question.topology, question.last_resort
    named = {
        line
        for router in topology.routers
        for centre in _production(topology, str(operator))
        for line in router.last_resort.get(centre, ())
    }
    dead = {*question.fault.lines, *question.out_of_service}
    if not named - dead:
        found = ", ".join(f"{name}, which is down" for name in sorted(named)) or "none"
        raise Refused(
            "NO_SATELLITE",
            f"expected a two-way satellite line towards {operator} as last_resort of a router, found {found}: trading "
            "has no way once every terrestrial line is lost",
        )


def _routes_of(question: Question, router: Router, healthy: Network, network: Network) -> Iterator[PathChange]:
    """Only where the network itself leads nowhere any more."""
    topology = question.topology
    for centre, lines in router.last_resort.items():
        line = next((name for name in lines if name not in network.dead_lines), None)
        before = healthy.line_to(router.id, centre)
        is_lost = centre in network.dead_centres or router.id in network.dead_routers
        if line is None or before is None or is_lost or network.line_to(router.id, centre) is not None:
            continue
        for address in addresses(topology, router.id, centre):
            yield PathChange(
                router=router.id,
                centre=centre,
                line_before=before,
                line_after=line,
                address=address,
                reason=_host_route(topology, address, line),
            )


def addresses(topology: Topology, router: str, centre: str) -> list[str]:
    """Of the trading fronts at a centre that gateways behind a router list, cold standbys too; each once."""
    listed = dict.fromkeys(
        topology.front[name]
        for gateway in topology.gateways
        if topology.host[gateway.host].router == router and gateway.gateway_class is CARRIED
        for name in gateway.servers
    )
    return list(dict.fromkeys(str(front.address) for front in listed if front.centre == centre))


def with_host_routes(network: Network, paths: tuple[PathChange, ...]) -> Network:
    """The network once paths are moved: a centre's network by `moved`, single addresses by their host routes."""
    moved: Mapping[tuple[str, str], str] = {
        (item.router, item.centre): item.line_after for item in paths if item.address is None
    }
    hosts = {(item.router, item.address): item.line_after for item in paths if item.address is not None}
    return replace(network, moved=moved, host_routes=hosts)


def left_over(question: Question, gateway: Gateway, start: Placement, during: Network) -> GatewayChange | str | None:
    """What becomes of a gateway that the satellite does not serve; str: what is missing; None: not asked for."""
    if not question.last_resort:
        return None
    if gateway.gateway_class is CARRIED or gateway.receives_only:
        change = pair_goes_on(question, gateway, start, during)
        if change is not None:
            return change
    if gateway.gateway_class is CARRIED:
        router = question.topology.host[gateway.host].router
        return (
            f"gateway {gateway.id} ({gateway.number}) has no path left (no two-way satellite as last_resort of "
            f"{router}) and no pair that has one"
        )
    return entry_of(gateway, start, None, Action.NO_BUSINESS, gateway.servers, _not_carried(gateway))


def notes(topology: Topology, paths: tuple[PathChange, ...]) -> Iterator[Title]:
    """What the reader of the plan must know of the satellite."""
    for name in dict.fromkeys(item.line_after for item in paths if item.address is not None):
        line = topology.line[name]
        yield Title(
            zh=f"{line.title.zh}带宽 {line.bandwidth_mbps:g} Mbps，仅承载股转/北交所交易，结算文件与行情不走该线路",
            en=f"{name} has {line.bandwidth_mbps:g} Mbps: NEEQ/BSE trading only; no settlement files, no market data",
        )


def _host_route(topology: Topology, address: str, line: str) -> Title:
    return Title(
        zh=f"地面线路全部中断，仅 {address} 一个地址以主机路由改走{topology.line[line].title.zh}",
        en=f"every terrestrial line is lost; a host route sends {address} alone over {line}",
    )


def _not_carried(gateway: Gateway) -> Title:
    if gateway.receives_only:
        return Title(
            zh="地面线路全部中断，该网关列表中无卫星组播源",
            en="every terrestrial line is lost, and its list has no satellite source",
        )
    return Title(
        zh="地面线路全部中断，双向卫星只备份交易，不承载该类业务",
        en="every terrestrial line is lost; the two-way satellite backs up trading only and does not carry this",
    )
