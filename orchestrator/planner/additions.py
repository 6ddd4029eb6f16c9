"""Single additions to a site that may help when gateways are lost, cheapest first, and the site with each. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from ipaddress import IPv4Network
from itertools import islice
from typing import Any

from orchestrator.model.base import Title
from orchestrator.model.topology import (
    Carrier,
    CentreRole,
    Certificate,
    CertificateKind,
    Gateway,
    Line,
    LineKind,
    Role,
    Router,
    Topology,
)
from orchestrator.planner.failures import Failure, lost
from orchestrator.planner.whatif import WhatIf


class CureKind(StrEnum):
    """What is added, from the cheapest to the dearest."""

    ROUTE = "route"
    SERVER = "server"
    CERTIFICATE = "certificate"
    STANDBY = "standby"
    LINE = "line"


@dataclass(frozen=True)
class Addition:
    kind: CureKind
    text: Title
    changed: Callable[[], Topology]


def additions(what_if: WhatIf, failed: Sequence[Failure], names: Sequence[str]) -> Iterator[Addition]:
    """Everything that may help, cheapest first. `names`: the gateways that are lost. What is added to one gateway is
    tried for one unit of each form: for those like it it would be the same.
    """
    topology, gone = _concerned(what_if, names), lost(what_if.topology, failed)
    gateways = [topology.gateway[name] for name in names]
    few = [gateway for gateway in gateways if gateway.id in _each_form(what_if, names)]
    routers = [topology.router[name] for name in dict.fromkeys(topology.host[item.host].router for item in gateways)]
    alive = [item for item in routers if item.id not in gone.routers]
    used = {topology.front[name].centre for item in gateways for name in item.servers}
    centres = [item.id for item in topology.centres if item.id in used and item.id not in gone.centres]
    yield from _routes(topology, alive, centres, set(gone.lines))
    yield from _servers(topology, few, set(gone.centres))
    yield from _certificates(topology, few, what_if.today, failed)
    yield from _standbys(topology, few, failed, set(gone.routers))
    yield from _lines(topology, alive, centres)


def _concerned(what_if: WhatIf, names: Sequence[str]) -> Topology:
    """The site with the units of these gateways only: an addition comes last in its list, and harms no other."""
    members = {item.id for unit in what_if.units_with(names) for item in unit.members}
    gateways = tuple(item for item in what_if.topology.gateways if item.id in members)
    held = {name for item in gateways for name in item.certificates}
    certificates = tuple(item for item in what_if.topology.certificates if item.id in held)
    return _with(what_if.topology, gateways=gateways, certificates=certificates)


def _each_form(what_if: WhatIf, names: Sequence[str]) -> set[str]:
    """The gateways of the first unit of each form."""
    first = {unit.form: unit for unit in reversed(what_if.units_with(names))}
    return {item.id for unit in first.values() for item in unit.members}


def _with(topology: Topology, **fields: Any) -> Topology:
    """The topology with some of its parts; whether they fit together is looked at apart (`problems`)."""
    return Topology.model_construct(**{name: getattr(topology, name) for name in type(topology).model_fields} | fields)


def _instead[T: (Router, Gateway)](items: Sequence[T], name: str, **fields: object) -> tuple[T, ...]:
    return tuple(item.model_copy(update=fields) if item.id == name else item for item in items)


def _routes(
    topology: Topology, routers: Sequence[Router], centres: Sequence[str], dead: set[str]
) -> Iterator[Addition]:
    """A line that is there already, as a further way of a router that can use it."""
    for router in routers:
        for centre in centres:
            for line in topology.lines:
                there = line.router == router.id or topology.link_between(line.router, router.id)
                usable = there and line.kind is LineKind.TERRESTRIAL and line.id not in dead and centre in line.carries
                if usable and line.id not in router.paths.get(centre, ()):
                    yield _route(topology, router, centre, line)


def _route(topology: Topology, router: Router, centre: str, line: Line) -> Addition:
    to, by, way = topology.centre[centre].title, router.title, line.title
    return Addition(
        CureKind.ROUTE,
        Title(
            zh=f"在{by.zh}（{router.id}）上增加经{way.zh}（{line.id}）到{to.zh}的路由",
            en=f"one route: on {router.id} ({by.en}) towards {to.en} over {line.id} ({way.en})",
        ),
        lambda: _with(topology, routers=_instead(topology.routers, router.id, paths=_longer(router, centre, line.id))),
    )


def _longer(router: Router, centre: str, line: str) -> dict[str, tuple[str, ...]]:
    return {**router.paths, centre: (*router.paths.get(centre, ()), line)}


def _servers(topology: Topology, gateways: Sequence[Gateway], dead: set[str]) -> Iterator[Addition]:
    """A front of its own service at a production centre that is still there."""
    for gateway in gateways:
        for front in topology.fronts:
            centre = topology.centre[front.centre]
            fits = (front.service, front.protocol) == (gateway.gateway_class, gateway.protocol)
            open_ = centre.id not in dead and centre.role is CentreRole.PRODUCTION
            if fits and open_ and front.id not in gateway.servers:
                yield _server(topology, gateway, front.id, centre.title)


def _server(topology: Topology, gateway: Gateway, front: str, centre: Title) -> Addition:
    servers = (*gateway.servers, front)
    return Addition(
        CureKind.SERVER,
        Title(
            zh=f"在网关 {gateway.id} 的通信服务器列表中增加{centre.zh}的 {front}",
            en=f"one entry in the server list of {gateway.id}: {front} at {centre.en}",
        ),
        lambda: _with(topology, gateways=_instead(topology.gateways, gateway.id, servers=servers)),
    )


def _certificates(
    topology: Topology, gateways: Sequence[Gateway], today: date, failed: Sequence[Failure]
) -> Iterator[Addition]:
    gone = {item.name for item in failed}
    for gateway in gateways:
        if gateway.certificate in gone:
            yield _certificate(topology, gateway, today)


def _certificate(topology: Topology, gateway: Gateway, today: date) -> Addition:
    added = Certificate(
        id=_free(f"{gateway.id[:40]}-more", {item.id for item in topology.certificates}),
        kind=CertificateKind.FILE,
        gateway_number=gateway.number,
        valid_from=today,
        valid_to=today + timedelta(days=365),
        tested_on=today,
    )
    return Addition(
        CureKind.CERTIFICATE,
        Title(
            zh=f"为网关 {gateway.id}（{gateway.number}）增加一张测试通过的文件证书",
            en=f"one certificate: a tested file certificate for {gateway.id} ({gateway.number})",
        ),
        lambda: _with(
            topology,
            certificates=(*topology.certificates, added),
            gateways=_instead(topology.gateways, gateway.id, certificates=(*gateway.certificates, added.id)),
        ),
    )


def _standbys(
    topology: Topology, gateways: Sequence[Gateway], failed: Sequence[Failure], dead: set[str]
) -> Iterator[Addition]:
    """A cold standby on one host of each router that still stands. What shares a failed certificate is no help."""
    gone = {item.name for item in failed}
    hosts = {host.router: host.id for host in reversed(topology.hosts) if host.id not in gone}
    for gateway in gateways:
        if gateway.certificate in gone:
            continue
        shared = [item.id for item in topology.certificates if item.id in gateway.certificates and item.host is None]
        for router, host in hosts.items():
            if router not in dead and host != gateway.host and (shared or gateway.certificate is None):
                yield _standby(topology, gateway, host, tuple(shared))


def _standby(topology: Topology, gateway: Gateway, host: str, certificates: tuple[str, ...]) -> Addition:
    added = gateway.model_copy(
        update={
            "id": _free(f"{gateway.id[:40]}-cold", set(topology.gateway)),
            "host": host,
            "role": Role.STANDBY,
            "pair": None,
            "enabled": False,
            "standby_for": gateway.id,
            "certificates": certificates,
            "certificate": certificates[0] if certificates else None,
        }
    )
    return Addition(
        CureKind.STANDBY,
        Title(
            zh=f"在主机 {host} 上为网关 {gateway.id}（{gateway.number}）部署一台冷备",
            en=f"one cold standby of {gateway.id} ({gateway.number}) on host {host}",
        ),
        lambda: _with(topology, gateways=(*topology.gateways, added)),
    )


def _lines(topology: Topology, routers: Sequence[Router], centres: Sequence[str]) -> Iterator[Addition]:
    """Of a carrier that has terrestrial lines here; of another one last."""
    known = {line.carrier for line in topology.lines if line.kind is LineKind.TERRESTRIAL}
    carriers = [item for item in topology.carriers if item.id in known]
    other = Carrier(id=_free("another", set(topology.carrier)), title=Title(zh="另一家运营商", en="another carrier"))
    for carrier in (*carriers, other):
        for router in routers:
            for centre in centres:
                yield _line(topology, router, centre, carrier)


def _line(topology: Topology, router: Router, centre: str, carrier: Carrier) -> Addition:
    title = topology.centre[centre].title
    text = Title(
        zh=f"增加一条{carrier.title.zh}专线：{router.title.zh}（{router.id}）至{title.zh}",
        en=f"one line of {carrier.title.en} from {router.id} to {title.en}",
    )
    return Addition(CureKind.LINE, text, lambda: _with_line(topology, router, centre, carrier, text))


def _with_line(topology: Topology, router: Router, centre: str, carrier: Carrier, text: Title) -> Topology:
    network = _free_network(topology)
    added = Line(
        id=_free(f"new-{carrier.id}-{centre}"[:40], set(topology.line)),
        title=text,
        carrier=carrier.id,
        router=router.id,
        into=centre,
        carries=(centre,),
        network=network,
        local_address=network[1],
        remote_address=network[2],
        bandwidth_mbps=10,
        value_added_network=True,
        multicast=True,
    )
    carriers = topology.carriers if carrier.id in topology.carrier else (*topology.carriers, carrier)
    routers = _instead(topology.routers, router.id, paths=_longer(router, centre, added.id))
    return _with(topology, lines=(*topology.lines, added), carriers=carriers, routers=routers)


_ADDRESSES = IPv4Network("100.127.0.0/16")  # our choice: shared address space (RFC 6598), for the proof only


def _free_network(topology: Topology) -> IPv4Network:
    taken = [line.network for line in topology.lines]
    free = (net for net in _ADDRESSES.subnets(new_prefix=30) if not any(net.overlaps(other) for other in taken))
    return next(islice(free, 1))


def _free(name: str, taken: set[str] | Mapping[str, object]) -> str:
    return next(
        text for number in range(len(taken) + 2) if (text := name if number == 0 else f"{name}-{number}") not in taken
    )
