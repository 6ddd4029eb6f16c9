"""What a fault means for each gateway: untouched, rerouted, its own list, a new list, or no such business. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from orchestrator.errors import Refused
from orchestrator.model.base import Title
from orchestrator.model.drill import Response
from orchestrator.model.plan import Action, Fault, GatewayChange, PathChange, Placement
from orchestrator.model.topology import CertificateKind, Front, Gateway, Routing, Topology
from orchestrator.planner.certificates import other_certificate, stands_in, with_certificate
from orchestrator.planner.entry import entry_of
from orchestrator.planner.market_ways import backed_up
from orchestrator.planner.network import Network, PathKey, under
from orchestrator.planner.question import Question
from orchestrator.planner.satellite import left_over, with_host_routes
from orchestrator.planner.standby import carried_on, runs, why_none


def path_changes(question: Question) -> tuple[PathChange, ...]:
    """Static CE routers whose line is dead and who have another: they must be told (SSCC-3.1).

    Under `observe` nothing is told, so nothing changes. Repeats until nothing more changes, since one
    router's way may lead over another's.
    """
    if question.response is Response.OBSERVE:
        return ()
    healthy = under(question.topology, Fault(manner=question.fault.manner), question.out_of_service)
    network = under(question.topology, question.fault, question.out_of_service, question.routers)
    found = dict[PathKey, PathChange]()
    while True:
        change = next(_movable(question, network, healthy, found), None)
        if change is None:
            return tuple(found.values())
        found[change.router, change.centre] = change
        network = replace(network, moved={key: item.line_after for key, item in found.items()})


def _movable(
    question: Question, network: Network, healthy: Network, found: dict[PathKey, PathChange]
) -> Iterator[PathChange]:
    topology = question.topology
    for router in topology.routers:
        if router.routing is not Routing.STATIC:
            continue
        for centre in _centres_listed(question, router.id):
            before = healthy.line_to(router.id, centre)
            if before is None or (router.id, centre) in found or network.line_to(router.id, centre) is not None:
                continue
            for line in network.candidates(router.id, centre):
                yield PathChange(
                    router=router.id,
                    centre=centre,
                    line_before=before,
                    line_after=line,
                    reason=Title(
                        zh=f"{topology.line[before].title.zh}不可用，静态路由改走{topology.line[line].title.zh}",
                        en=f"line {before} is dead; the static route moves to {line}",
                    ),
                )
                break


def _centres_listed(question: Question, router: str) -> list[str]:
    """Centres that gateways behind a router need, in a stable order."""
    topology = question.topology
    needed = {
        topology.front[front].centre
        for gateway in topology.gateways
        if topology.host[gateway.host].router == router and not gateway.receives_only
        for front in gateway.servers
    } | ({question.move_to} if question.move_to else set())
    return [centre for centre in topology.router[router].paths if centre in needed]


@dataclass(frozen=True)
class _Missing:
    """What keeps a plan from being made, by name, with the sentence that says it of one gateway."""

    code: str
    sentence: str


def gateway_changes(question: Question, paths: tuple[PathChange, ...]) -> tuple[GatewayChange, ...]:
    """One entry per enabled gateway, and one per cold standby that takes over. Refused names every gateway that
    would be left without a path, or without a standby.
    """
    topology = question.topology
    before = under(topology, Fault(manner=question.fault.manner), question.out_of_service)
    network = under(topology, question.fault, question.out_of_service, question.routers)
    during = with_host_routes(network, paths)
    judged = [_judge(question, gateway, before, during) for gateway in topology.gateways if gateway.enabled]
    missing = [item for item in judged if isinstance(item, _Missing)]
    for code in dict.fromkeys(item.code for item in missing):
        raise Refused(code, "; ".join(item.sentence for item in missing if item.code == code))
    return tuple(change for item in judged if not isinstance(item, _Missing) for change in item)


def _judge(
    question: Question, gateway: Gateway, before: Network, during: Network
) -> tuple[GatewayChange, ...] | _Missing:
    """The entries of one gateway, or what is missing for it."""
    start = start_of(question.topology, gateway, before)
    if start is None:
        return _Missing("NO_PATH", _never_there(gateway))
    if gateway.certificate in question.certificates and gateway.host not in question.fault.hosts:
        return _without_certificate(question, gateway, start, during)
    if not runs(question, gateway):
        return carried_on(question, gateway, start, during) or _Missing("NO_STANDBY", why_none(question, gateway))
    change = moved(question, gateway, start, during)
    return _Missing("NO_PATH", change) if isinstance(change, str) else (change,)


def _without_certificate(
    question: Question, gateway: Gateway, start: Placement, during: Network
) -> tuple[GatewayChange, ...] | _Missing:
    """With another certificate of its own (SSE-5.3), else its standby goes on."""
    other = other_certificate(question, gateway)
    if isinstance(other, tuple):
        carried = carried_on(question, gateway, start, during)
        return stands_in(question, carried) if carried else _Missing(*other)
    able = gateway.model_copy(update={"certificate": other.id})
    change = moved(question, able, start, during)
    if isinstance(change, str):
        return _Missing("NO_PATH", change)
    return (with_certificate(question, change, gateway.certificate, other),)


def start_of(topology: Topology, gateway: Gateway, before: Network) -> Placement | None:
    """Where it is before the fault: the first front of its list that it reaches."""
    listed = (topology.front[name] for name in gateway.servers)
    home = next((front for front in listed if before.line_of(gateway, front)), None)
    if home is None:
        return None
    line = before.line_of(gateway, home)
    return Placement(front=home.id, centre=home.centre, line=line, certificate=gateway.certificate)


def _never_there(gateway: Gateway) -> str:
    names = ", ".join(gateway.servers)
    return f"gateway {gateway.id} ({gateway.number}) has no path even before the fault: {names} cannot be reached"


def moved(question: Question, gateway: Gateway, start: Placement, during: Network) -> GatewayChange | str:
    """The change of one gateway, or the sentence that says what path is missing."""
    topology = question.topology
    listed = [topology.front[name] for name in gateway.servers]
    home = topology.front[start.front]
    if during.line_of(gateway, home) == start.line:
        return entry_of(gateway, start, start, Action.NONE, gateway.servers, _untouched(topology, home))
    if question.move_to and gateway.gateway_class not in question.classes:
        return entry_of(
            gateway,
            start,
            None,
            Action.NO_BUSINESS,
            gateway.servers,
            _no_business(topology, question.move_to),
        )
    wanted = _wanted(question, gateway, listed)
    live = [front for front in wanted if during.line_of(gateway, front)]
    if not live:
        found = backed_up(question, gateway, start, during) or left_over(question, gateway, start, during)
        return found or _no_path(topology, gateway, wanted, question)
    end = Placement(
        front=live[0].id, centre=live[0].centre, line=during.line_of(gateway, live[0]), certificate=gateway.certificate
    )
    if live[0].id == home.id:
        return entry_of(gateway, start, end, Action.REROUTED, gateway.servers, _rerouted(topology, start, end))
    if gateway.receives_only or question.response is Response.OBSERVE:
        return entry_of(gateway, start, end, Action.OWN_LIST, gateway.servers, _own_list(topology, start, end))
    refusal = _certificate_refusal(topology, gateway, question.today)
    if refusal:
        raise Refused(*refusal)
    return entry_of(
        gateway, start, end, Action.REPOINT, tuple(front.id for front in live), _repoint(topology, start, end)
    )


def _wanted(question: Question, gateway: Gateway, listed: list[Front]) -> list[Front]:
    """Where a gateway may go: its own list, or (Beijing) the DR centre's fronts of its service and protocol."""
    if question.move_to is None:
        return listed
    if question.response is Response.OBSERVE:
        return [front for front in listed if front.centre == question.move_to]
    return [
        front
        for front in question.topology.fronts
        if front.centre == question.move_to
        and (front.service, front.protocol) == (gateway.gateway_class, gateway.protocol)
    ]


def _no_path(topology: Topology, gateway: Gateway, wanted: list[Front], question: Question) -> str:
    router = topology.host[gateway.host].router
    if not wanted:
        kind = f"{gateway.gateway_class} ({gateway.protocol}) front at {question.move_to}"
        return f"gateway {gateway.id} ({gateway.number}): no {kind} in its list or the catalogue"
    ways = {
        front.centre: f"no live route over {lines}"
        if (lines := ", ".join(topology.router[router].paths.get(front.centre, ())))
        else "no line leads there"
        for front in wanted
        if front.centre not in question.fault.centres
    }
    detail = "; ".join(f"{centre} from {router}: {found}" for centre, found in ways.items())
    stays = topology.router[router].routing is Routing.STATIC and question.response is Response.OBSERVE
    hint = f"; observe leaves the static routes of {router} as they are, --response repoint moves them" if stays else ""
    why = detail or "every centre in its list is lost"
    return f"gateway {gateway.id} ({gateway.number}) has no path left ({why}){hint}"


def _certificate_refusal(topology: Topology, gateway: Gateway, today: date) -> tuple[str, str] | None:
    """SSE-4.5, SSE-5.2: a move restarts the gateway, so its certificate is valid; an EKey start may spend a PIN try."""
    used = next((item for item in topology.certificates if item.id == gateway.certificate), None)
    if used is None:
        return None
    if not used.valid_from <= today <= used.valid_to:
        return (
            "CERTIFICATE_NOT_VALID",
            (
                f"gateway {gateway.id}: certificate {used.id} is valid {used.valid_from} to "
                f"{used.valid_to}, not on {today}; choose another of its certificates first"
            ),
        )
    if used.kind is CertificateKind.EKEY:
        return (
            "EKEY_START_LIMIT",
            (
                f"gateway {gateway.id}: moving it and back starts it twice, and each start of EKey "
                f"{used.id} may spend a PIN attempt (one start per run, SSE-5.2); use --response "
                "observe, or its file certificate"
            ),
        )
    return None


def _line(topology: Topology, line: str | None, language: str) -> str:
    return getattr(topology.line[line].title, language) if line else "-"


def _untouched(topology: Topology, front: Front) -> Title:
    centre = topology.centre[front.centre].title
    return Title(zh=f"当前连接{centre.zh}，不受影响", en=f"connected to {centre.en}, not affected")


def _no_business(topology: Topology, centre: str) -> Title:
    title = topology.centre[centre].title
    return Title(zh=f"{title.zh}不提供该类业务", en=f"{title.en} does not offer this service")


def _rerouted(topology: Topology, before: Placement, after: Placement) -> Title:
    return Title(
        zh=f"{_line(topology, before.line, 'zh')}中断，网络层改走{_line(topology, after.line, 'zh')}，列表不变",
        en=f"{_line(topology, before.line, 'en')} is lost; the network takes "
        f"{_line(topology, after.line, 'en')}, the list stays",
    )


def _own_list(topology: Topology, before: Placement, after: Placement) -> Title:
    old, new = topology.centre[before.centre].title, topology.centre[after.centre].title
    return Title(
        zh=f"{old.zh}不可达，按自身列表顺序转至{new.zh}",
        en=f"{old.en} cannot be reached; its own list goes on to {new.en}",
    )


def _repoint(topology: Topology, before: Placement, after: Placement) -> Title:
    old, new = topology.centre[before.centre].title, topology.centre[after.centre].title
    return Title(
        zh=f"{old.zh}不可达，列表改指向{new.zh}", en=f"{old.en} cannot be reached; the list is repointed to {new.en}"
    )
