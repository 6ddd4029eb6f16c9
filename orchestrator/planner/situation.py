"""What becomes of each gateway of a unit when things fail: by itself, after a switch, at its pair, or not at all. Pure.

The planner's own judgement in the order of an incident: first what the gateways' lists and the network do unasked,
then what static routes, the disaster-recovery centre and standbys can do. Nothing is switched that works.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from orchestrator.errors import Refused
from orchestrator.model.drill import FaultManner, Response
from orchestrator.model.plan import Action, Fault, GatewayChange, PathChange, Placement
from orchestrator.model.topology import CentreRole, Gateway, GatewayClass, Topology
from orchestrator.planner.failures import Failure, FailureKind, Lost
from orchestrator.planner.network import Network, under
from orchestrator.planner.placement import moved, path_changes, start_of
from orchestrator.planner.question import Question
from orchestrator.planner.standby import certificate_left, runs, stood_in, taken_over, why_none
from orchestrator.planner.units import Unit


class Fate(StrEnum):
    """What becomes of a gateway's business, from the best to the worst."""

    UNTOUCHED = "untouched"
    ITSELF = "itself"  # the network takes another line, or its own list goes on
    PAIR = "pair"  # it is out; its hot standby is logged in and goes on, without a standby of its own now
    SWITCH = "switch"  # down until somebody has switched
    NO_BUSINESS = "no-such-business"  # the centre that takes over does not offer its service
    LOST = "lost"


_RANK = {fate: rank for rank, fate in enumerate(Fate)}


def worst(fates: Sequence[Fate]) -> Fate:
    """The worst of several; of none: untouched."""
    return max(fates, key=_RANK.__getitem__, default=Fate.UNTOUCHED)


@dataclass(frozen=True)
class Verdict:
    """`changes` are entries as in a plan, the last that of the gateway that goes on. `certificate`: the one that it has
    to be given. `why`: where it is lost.
    """

    fate: Fate
    changes: tuple[GatewayChange, ...] = ()
    certificate: str | None = None
    why: str = ""


@dataclass(frozen=True)
class _Remembering(Network):
    """Thousands of gateways ask for the same few ways."""

    known: dict[tuple[str, str], str | None] = field(default_factory=dict, compare=False)

    def line_to(self, router: str, centre: str, _seen: frozenset[str] = frozenset()) -> str | None:
        if _seen:
            return super().line_to(router, centre, _seen)
        key = (router, centre)
        if key not in self.known:
            self.known[key] = super().line_to(router, centre)
        return self.known[key]


@dataclass(frozen=True, eq=False)
class Situation:
    """The network while something is lost: `as_is`, and `told` once every static route that can be is moved."""

    lost: Lost
    today: date
    healthy: Network
    as_is: Network
    told: Network
    paths: tuple[PathChange, ...]
    move_to: str | None
    classes: tuple[GatewayClass, ...]
    down: tuple[str, ...] = ()

    def question(
        self, topology: Topology, failed: Sequence[Failure], response: Response, move_to: str | None
    ) -> Question:
        """What the planner is asked about a unit; `failed`: hosts, gateways and certificates."""
        by_kind = {kind: tuple(item.name for item in failed if item.kind is kind) for kind in FailureKind}
        return Question(
            topology,
            self.lost.fault.model_copy(update={"hosts": (*self.lost.hosts, *by_kind[FailureKind.HOST])}),
            response,
            self.down,
            move_to,
            self.classes,
            self.today,
            self.lost.routers,
            by_kind[FailureKind.GATEWAY],
            by_kind[FailureKind.CERTIFICATE],
        )


def healthy(topology: Topology, down: tuple[str, ...] = ()) -> Network:
    """The network on a normal day. `down`: lines that are out of service already."""
    return _remembering(under(topology, Fault(manner=FaultManner.DARK), down))


def situation(topology: Topology, normal: Network, lost: Lost, today: date, down: tuple[str, ...] = ()) -> Situation:
    """What is lost, laid upon the network. `topology`: at least one gateway for each room and list that there is."""
    move_to = _taking_over(topology, lost)
    as_is = _remembering(under(topology, lost.fault, down, lost.routers))
    asked = Question(topology, lost.fault, Response.REPOINT, down, move_to, (), today, lost.routers)
    paths = path_changes(asked) if lost != Lost() else ()
    told = _remembering(replace(as_is, moved={(item.router, item.centre): item.line_after for item in paths}, known={}))
    offered = _offered(topology, move_to)
    return Situation(lost, today, normal, as_is, told if paths else as_is, paths, move_to, offered, down)


def _remembering(network: Network) -> _Remembering:
    return _Remembering(
        network.topology,
        network.dead_centres,
        network.dead_lines,
        network.moved,
        network.dead_routers,
        network.dead_fronts,
    )


def _taking_over(topology: Topology, lost: Lost) -> str | None:
    """The disaster-recovery centre, once every production centre of its operator is lost (SSCC-A.1)."""
    for centre in topology.centres:
        if centre.role is CentreRole.DISASTER_RECOVERY and centre.id not in lost.centres:
            others = [
                item.id
                for item in topology.centres
                if item.operator == centre.operator and item.role is CentreRole.PRODUCTION
            ]
            if others and set(others) <= set(lost.centres):
                return centre.id
    return None


def _offered(topology: Topology, centre: str | None) -> tuple[GatewayClass, ...]:
    return tuple(dict.fromkeys(front.service for front in topology.fronts if front.centre == centre))


def judge(now: Situation, unit: Unit, failed: Sequence[Failure]) -> dict[str, Verdict]:
    """The verdict on each gateway of a unit that works on a normal day."""
    starts = {item.id: start_of(unit.topology, item, now.healthy) for item in unit.members if item.enabled}
    working = {name: start for name, start in starts.items() if start is not None}
    observed = now.question(unit.topology, failed, Response.OBSERVE, None)
    known = unit.topology.gateway
    own = {name: _own(now, observed, known[name], start) for name, start in working.items()}
    switching = replace(observed, response=Response.REPOINT)
    cold = {
        name: verdict
        if verdict.fate is not Fate.LOST
        else _by_cold(now, switching, known[name], working[name], verdict)
        for name, verdict in own.items()
    }
    return {
        name: verdict if verdict.fate is not Fate.LOST else _by_hot(switching, known[name], working[name], cold)
        for name, verdict in cold.items()
    }


def _own(now: Situation, question: Question, gateway: Gateway, start: Placement) -> Verdict:
    """What becomes of the gateway where it stands."""
    if not runs(question, gateway):
        return Verdict(Fate.LOST, why=_out(question, gateway))
    certificate = certificate_left(question, gateway)
    able = gateway.model_copy(update={"certificate": certificate})
    verdict = _placed(now, question, able, start)
    if certificate == gateway.certificate or verdict.fate in (Fate.LOST, Fate.NO_BUSINESS):
        return verdict
    return replace(verdict, fate=Fate.SWITCH, certificate=certificate)


def _placed(now: Situation, question: Question, gateway: Gateway, start: Placement) -> Verdict:
    change = moved(question, gateway, start, now.as_is)
    if not isinstance(change, str):
        return Verdict(Fate.UNTOUCHED if change.action is Action.NONE else Fate.ITSELF, (change,))
    told = moved(question, gateway, start, now.told)
    if not isinstance(told, str):
        return Verdict(Fate.SWITCH, (told,))
    # Under observe the sentence would advise to move the static routes, which is done already.
    why = told.partition("; observe leaves")[0]
    return _taken_elsewhere(now, question, gateway, start) or Verdict(Fate.LOST, why=why)


def _taken_elsewhere(now: Situation, question: Question, gateway: Gateway, start: Placement) -> Verdict | None:
    """At the disaster-recovery centre of the operator whose centres are all that it lists."""
    topology = question.topology
    operators = {topology.centre[topology.front[name].centre].operator for name in gateway.servers}
    if now.move_to is None or operators != {topology.centre[now.move_to].operator}:
        return None
    asked = replace(question, response=Response.REPOINT, move_to=now.move_to)
    try:
        change = moved(asked, gateway, start, now.told)
    except Refused as refusal:
        return Verdict(Fate.LOST, why=str(refusal))
    if isinstance(change, str):
        return Verdict(Fate.LOST, why=change)
    return Verdict(Fate.NO_BUSINESS if change.action is Action.NO_BUSINESS else Fate.SWITCH, (change,))


def _out(question: Question, gateway: Gateway) -> str:
    name = f"gateway {gateway.id} ({gateway.number})"
    if gateway.host in question.fault.hosts:
        return f"{name}: its host {gateway.host} fails"
    if gateway.id in question.gateways:
        return f"{name} itself fails"
    return f"{name}: certificate {gateway.certificate} cannot be used, and it has no other valid and tested one here"


def _by_cold(now: Situation, question: Question, gateway: Gateway, start: Placement, own: Verdict) -> Verdict:
    """Its cold standby goes on with its number, maybe with another certificate than its configuration names; where
    there is none, or it may not, what keeps it out.
    """
    try:
        taken = taken_over(question, gateway, start, now.told)
    except Refused as refusal:
        return replace(own, why=f"{own.why}; {refusal}")
    if not taken:
        return own
    standby = question.topology.gateway[taken[1].gateway]
    certificate = certificate_left(question, standby)
    return Verdict(Fate.SWITCH, taken, certificate if certificate != standby.certificate else None)


def _by_hot(question: Question, gateway: Gateway, start: Placement, known: Mapping[str, Verdict]) -> Verdict:
    """Its hot standby goes on with a number of its own, by itself, or once that number goes on after a switch."""
    hot = question.topology.gateway.get(gateway.pair or "")
    if hot is not None and hot.id in known and hot.number != gateway.number and known[hot.id].fate in _GOES_ON:
        return Verdict(worst([Fate.PAIR, known[hot.id].fate]), (stood_in(gateway, start, hot),))
    return Verdict(Fate.LOST, why="; ".join((known[gateway.id].why, *_nobody(question, gateway))))


_GOES_ON = (Fate.UNTOUCHED, Fate.ITSELF, Fate.SWITCH)


def _nobody(question: Question, gateway: Gateway) -> Iterator[str]:
    said = why_none(question, gateway)
    yield said.partition(f" on {gateway.host}")[2].lstrip(": ").strip() or said
