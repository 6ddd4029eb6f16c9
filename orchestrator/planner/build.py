"""The plan itself: the drill's question resolved, every gateway judged, the steps in order. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from orchestrator.errors import DefinitionError, Refused
from orchestrator.model.announcement import Announced
from orchestrator.model.base import Title
from orchestrator.model.drill import (
    HOST_MANNERS,
    CertificateCause,
    Drill,
    FaultManner,
    MarketDataLoss,
    Mode,
    Parameter,
    ParameterType,
    Response,
)
from orchestrator.model.plan import Action, Fault, GatewayChange, Plan, digest_of
from orchestrator.model.topology import LineKind, Topology
from orchestrator.planner import certificates
from orchestrator.planner.announced import announced_fault, refuse_announced
from orchestrator.planner.announced import notes as announced_notes
from orchestrator.planner.handover import fence_waves
from orchestrator.planner.hands import notes_of_hands, refuse_fences, with_hands
from orchestrator.planner.market_ways import market_data_lost
from orchestrator.planner.network import lines_lost
from orchestrator.planner.people import with_people
from orchestrator.planner.placement import gateway_changes, path_changes
from orchestrator.planner.question import Question
from orchestrator.planner.satellite import host_routes, terrestrial_lines
from orchestrator.planner.satellite import notes as satellite_notes
from orchestrator.planner.standby import can_fence, routers_of
from orchestrator.planner.steps import SWITCHED, all_steps, observation_s
from orchestrator.planner.suspended import refuse_moves, suspended_changes, suspension
from orchestrator.planner.waves import in_waves


@dataclass(frozen=True)
class Request:
    """What the operator asked for. `today` is the only thing a plan takes from the calendar."""

    mode: Mode
    today: date
    settings: dict[str, str]
    response: Response | None = None
    out_of_service: tuple[str, ...] = ()
    announced: Announced | None = None


def make_plan(topology: Topology, inventory_digest: str, drill: Drill, request: Request) -> Plan:
    """A plan that is safe at every step, or Refused (naming gateways and missing paths)."""
    parameters = _parameters(topology, drill, request.settings)
    for line in request.out_of_service:
        if line not in topology.line:
            raise DefinitionError(f"--down: expected a line ({', '.join(sorted(topology.line))}), found {line!r}")
    response = request.response or drill.responses[request.mode]
    fault = certificates.resolved(topology, drill, parameters, _fault(topology, drill, parameters))
    fault = announced_fault(topology, fault, request.announced)
    refuse_moves(fault, response)
    refuse_announced(drill, request.mode, response, request.announced)
    question = Question(
        topology,
        fault,
        response,
        request.out_of_service,
        drill.move_to,
        drill.classes,
        request.today,
        certificates=fault.certificates,
        last_resort=drill.fault.terrestrial_of,
    )
    paths = (*path_changes(question), *host_routes(question))
    changes = suspended_changes(question) if fault.suspended_by else gateway_changes(question, paths)
    if all(change.action is Action.NONE for change in changes):
        raise Refused("NOTHING_AFFECTED", f"no gateway uses what fails here ({_say(fault)}); choose another with --set")
    if response is Response.ASSIST:
        _assist_is_possible(topology, changes)
    undriven = _undriven(topology, changes)
    if undriven and request.mode is not Mode.INCIDENT:
        raise Refused("FENCE_NOT_POSSIBLE", f"{undriven}; a host that nobody can reach could not be kept out")
    refuse_fences(topology, request.mode, changes)
    certificates.refuse_second_start(topology, request.mode, changes)
    changes = numbered(topology, changes)
    planned = tuple(all_steps(topology, drill, request.mode, response, changes, paths))
    changes, steps = with_hands(topology, request.mode, changes, planned)
    attended = certificates.attended(topology, drill, request.mode, changes, fault)
    peopled = with_people(topology.people, attended, request.mode, steps)
    return Plan(
        drill=drill.drill,
        title=drill.title,
        site=topology.site.name,
        mode=request.mode,
        response=response,
        parameters=parameters,
        clauses=drill.clauses,
        fault=fault,
        inventory_digest=inventory_digest,
        drill_digest=digest_of(drill.canonical()),
        gateways=changes,
        paths=paths,
        out_of_service=request.out_of_service,
        objectives=drill.objectives,
        checks=drill.checks,
        stop=drill.stop,
        milestones=peopled.milestones,
        steps=peopled.steps,
        announced=request.announced,
        notes=(
            *_notes(topology, fault, drill),
            *announced_notes(request.announced),
            *certificates.notes(topology, fault),
            *satellite_notes(topology, paths),
            *_by_hand(undriven),
            *notes_of_hands(topology, request.mode, changes),
            *peopled.notes,
        ),
    )


def numbered(topology: Topology, changes: tuple[GatewayChange, ...]) -> tuple[GatewayChange, ...]:
    """Each with its wave; a standby has that of the gateway it stands in for."""
    repointed = in_waves(topology, (change for change in changes if change.action in SWITCHED))
    waves = [*enumerate(repointed, 1), *enumerate(fence_waves(topology, changes), 1)]
    wave_of = {change.gateway: index for index, wave in waves for change in wave}
    return tuple(
        change.model_copy(update={"wave": wave_of.get(change.stands_in_for or change.gateway)}) for change in changes
    )


def _parameters(topology: Topology, drill: Drill, settings: dict[str, str]) -> dict[str, str]:
    unknown = sorted(set(settings) - set(drill.parameters))
    if unknown:
        known = ", ".join(sorted(drill.parameters)) or "none"
        raise DefinitionError(
            f"--set {unknown[0]}: expected a parameter of {drill.drill} ({known}), found {unknown[0]!r}"
        )
    values = {name: settings.get(name, parameter.default) for name, parameter in drill.parameters.items()}
    for name, parameter in drill.parameters.items():
        allowed = _allowed(topology, drill, parameter)
        if values[name] not in allowed:
            raise DefinitionError(
                f"--set {name}={values[name]}: expected a {parameter.type} of this site "
                f"({', '.join(allowed)}), found {values[name]!r}"
            )
    return values


def _allowed(topology: Topology, drill: Drill, parameter: Parameter) -> list[str]:
    match parameter.type:
        case ParameterType.MANNER:
            return [manner.value for manner in (HOST_MANNERS if drill.fault.hosts else FaultManner)]
        case ParameterType.CAUSE:
            return [cause.value for cause in CertificateCause]
        case ParameterType.MARKET_DATA:
            return [loss.value for loss in MarketDataLoss]
        case _:
            return parts_of(topology, parameter)


def parts_of(topology: Topology, parameter: Parameter) -> list[str]:
    """Everything on this site that a parameter may name. A certificate is one that is in use."""
    centres = (
        item
        for item in topology.centres
        if parameter.operator in (None, item.operator) and parameter.role in (None, item.role)
    )
    used = dict.fromkeys(item.certificate for item in topology.gateways if item.enabled and item.certificate)
    found: dict[ParameterType, list[str]] = {
        ParameterType.CENTRE: [item.id for item in centres],
        ParameterType.CARRIER: [item.id for item in topology.carriers],
        ParameterType.LINE: [item.id for item in topology.lines],
        ParameterType.HOST: [item.id for item in topology.hosts],
        ParameterType.CERTIFICATE: list(used),
    }
    return found.get(parameter.type, [])


def _fault(topology: Topology, drill: Drill, parameters: dict[str, str]) -> Fault:
    def resolved(references: tuple[str, ...], known: dict[str, object], what: str) -> tuple[str, ...]:
        names = tuple(parameters[name[1:]] if name.startswith("$") else name for name in references)
        for name in names:
            if name not in known:
                raise DefinitionError(
                    f"drill {drill.drill}: fault.{what}: expected one of {', '.join(sorted(known))}, found {name!r}"
                )
        return names

    if drill.fault.suspended_by:
        return suspension(topology, drill, drill.fault.suspended_by)
    centres = resolved(drill.fault.centres, dict(topology.centre), "centres")
    if drill.fault.market_data:
        loss = drill.fault.market_data
        named = loss if isinstance(loss, MarketDataLoss) else MarketDataLoss(parameters[loss[1:]])
        return market_data_lost(topology, drill, centres, named)
    carriers = resolved(drill.fault.carriers, dict(topology.carrier), "carriers")
    lines = resolved(drill.fault.lines, dict(topology.line), "lines")
    if drill.fault.terrestrial_of:
        lines = (*lines, *terrestrial_lines(topology, drill, drill.fault.terrestrial_of))
    return Fault(
        manner=_manner(drill, parameters),
        centres=centres,
        carriers=carriers,
        lines=lines_lost(topology, centres, carriers, lines),
        hosts=resolved(drill.fault.hosts, dict(topology.host), "hosts"),
    )


def _manner(drill: Drill, parameters: dict[str, str]) -> FaultManner:
    manner = drill.fault.manner
    if isinstance(manner, FaultManner):
        return manner
    if drill.parameters[manner[1:]].type is not ParameterType.MANNER:
        raise DefinitionError(
            f"drill {drill.drill}: fault.manner: expected a parameter of type manner, "
            f"found {manner} of type {drill.parameters[manner[1:]].type}"
        )
    return FaultManner(parameters[manner[1:]])


def _say(fault: Fault) -> str:
    named = (*fault.centres, *fault.carriers, *fault.lines, *fault.hosts, *fault.fronts, *fault.certificates)
    return ", ".join(named) or "nothing"


def _assist_is_possible(topology: Topology, changes: tuple[GatewayChange, ...]) -> None:
    """Design §3: assist waits for the gateways' own failover; how long must be known, not guessed."""
    for change in changes:
        if change.action is Action.REPOINT and observation_s(topology, change) is None:
            raise Refused(
                "ASSIST_TIME_UNKNOWN",
                f"gateway {change.gateway}: expected session_timeout_s of its fronts and "
                "connect_timeout_s of its profile, "
                "found one of them unknown; ask the exchange, or use --response observe or repoint",
            )


def _by_hand(undriven: str) -> Iterator[Title]:
    """In an incident the host itself may be reached, or two people may declare it to be off."""
    if undriven:
        yield Title(
            zh="部分接入路由器无法由本系统停用阻断，若故障主机无法登录，需由两人声明主机已断电",
            en=f"{undriven}; where the host cannot be reached either, two people have to declare that it is off",
        )


def _undriven(topology: Topology, changes: tuple[GatewayChange, ...]) -> str:
    """Routers on which a fence would be needed and cannot be put."""
    hosts = {change.host for change in changes if change.action is Action.TAKEN_OVER}
    routers = sorted({router for host in hosts for router in routers_of(topology, host)})
    found = [f"{name} (driver {topology.router[name].driver})" for name in routers if not can_fence(topology, name)]
    return f"expected routers with driver linux for a network fence, found {', '.join(found)}" if found else ""


def _notes(topology: Topology, fault: Fault, drill: Drill) -> Iterator[Title]:
    """What the reader of the plan must know beside the steps."""
    for carrier in fault.carriers:
        name = topology.carrier[carrier].title
        for centre in topology.centres:
            into = {
                line.id for line in topology.lines if centre.id in line.carries and line.kind is LineKind.TERRESTRIAL
            }
            if into and into <= set(fault.lines):
                yield Title(
                    zh=f"{name.zh}中断即失去全部通往{centre.title.zh}的地面线路",
                    en=f"losing {carrier} is losing every terrestrial line to {centre.id}",
                )
    for line in topology.lines:
        if drill.move_to and drill.move_to in line.carries and line.survives_loss_of is None:
            into_title, target = topology.centre[line.into].title, topology.centre[drill.move_to].title
            yield Title(
                zh=f"{into_title.zh}不可用时{line.title.zh}能否到达{target.zh}：无法判定，本预案不依赖该线路",
                en=f"whether {line.id} still reaches {drill.move_to} without {line.into}: not judged, not relied on",
            )
