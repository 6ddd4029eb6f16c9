"""Which fault a live picture looks like, and what the switchover for it would do. Pure.

Every fault that a drill knows is laid upon the healthy network, and what would then be seen is compared with what is
seen: the front of each gateway, and the line that each router uses. Nothing is proved by that; a person decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from orchestrator.errors import DrillctlError
from orchestrator.model.drill import Drill, FaultManner, Mode
from orchestrator.model.plan import Action, Fault, Plan
from orchestrator.model.topology import Gateway, Topology
from orchestrator.planner.build import Request, make_plan
from orchestrator.planner.network import Network, under
from orchestrator.planner.subjects import settings


@dataclass(frozen=True)
class Picture:
    """What is seen now. `fronts`: gateway → the front that it is logged in to or receives from, None: none. `lines`:
    router → centre → line in use. What could not be looked at is left out; `silent`: hosts that do not answer.
    """

    fronts: Mapping[str, str | None]
    lines: Mapping[str, Mapping[str, str | None]]
    silent: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it would be. `what`: a gateway, `router → centre`, or a host."""

    what: str
    expected: str | None
    found: str | None


@dataclass(frozen=True)
class Proposal:
    """A fault that the picture may be of. `plan` is its switchover; None: `refused` says why there is none."""

    drill: Drill
    parameters: Mapping[str, str]
    differences: tuple[Difference, ...]
    plan: Plan | None
    refused: str = ""

    @property
    def fits(self) -> bool:
        """Whether it explains everything that is seen."""
        return not self.differences

    @property
    def is_suspension(self) -> bool:
        """Whether the operator may have suspended the access (SSCC-5.2): to be asked before anything is moved."""
        return bool(self.plan and self.plan.fault.suspended_by)

    def moves(self) -> list[str]:
        """Gateways that the switchover may touch."""
        changes = self.plan.gateways if self.plan else ()
        return [item.gateway for item in changes if item.action in (Action.REPOINT, Action.TAKE_OVER)]


def differences(topology: Topology, picture: Picture, fault: Fault | None = None) -> tuple[Difference, ...]:
    """What is not as it would be under a fault; without one: as on a normal day."""
    return tuple(_differences(topology, picture, fault))


def proposals(topology: Topology, drills: Sequence[Drill], picture: Picture, today: date) -> list[Proposal]:
    """Every fault that explains more of the picture than a normal day does, best first."""
    normal = len(differences(topology, picture))
    found = [item for drill in drills for item in _of_drill(topology, drill, picture, today)]
    better = [item for item in found if len(item.differences) < normal]
    return sorted(
        better, key=lambda item: (len(item.differences), not item.is_suspension, _size(item), item.drill.drill)
    )


def _size(item: Proposal) -> int:
    """Of two that explain the same the smaller fault is nearer."""
    fault = item.plan.fault if item.plan else None
    return len((*fault.centres, *fault.lines, *fault.hosts, *fault.fronts, *fault.certificates)) if fault else 1_000_000


def _of_drill(topology: Topology, drill: Drill, picture: Picture, today: date) -> Iterator[Proposal]:
    for parameters in settings(topology, drill):
        try:
            plan = make_plan(topology, "", drill, Request(Mode.INCIDENT, today, parameters))
        except DrillctlError:
            continue  # it touches no gateway, or cannot be helped by this drill
        yield Proposal(drill, parameters, differences(topology, picture, plan.fault), plan)


def _differences(topology: Topology, picture: Picture, fault: Fault | None) -> Iterator[Difference]:
    gone = frozenset(fault.hosts) if fault else frozenset[str]()
    network = under(topology, fault or Fault(manner=FaultManner.DARK), ())
    for host in sorted(picture.silent ^ gone):
        here, there = ("silent", "answers") if host in gone else ("answers", "silent")
        yield Difference(host, here, there)
    for gateway in topology.gateways:
        if gateway.id in picture.fronts and gateway.host not in gone and gateway.enabled:
            expected = _front(topology, network, gateway)
            if expected != picture.fronts[gateway.id]:
                yield Difference(gateway.id, expected, picture.fronts[gateway.id])
    for router, lines in picture.lines.items():
        for centre, found in lines.items():
            expected = network.line_to(router, centre)
            stays = (
                expected is None and found in network.dead_lines
            )  # a static route does not know that its line is dead
            if centre not in network.dead_centres and expected != found and not stays:
                yield Difference(f"{router} → {centre}", expected, found)


def _front(topology: Topology, network: Network, gateway: Gateway) -> str | None:
    """The first of its own list that it reaches."""
    return next((name for name in gateway.servers if network.line_of(gateway, topology.front[name])), None)
