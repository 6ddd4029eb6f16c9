"""A simulated site that COUNTS EFFECTS and keeps the truth: gateways, their lists, where they are logged in.

Time is simulated: waiting for a condition moves the clock by one sampling interval at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.model.drill import Check
from orchestrator.model.event import CheckRecord, CheckResult, LogStamp, Outcome, RouteSample, Sample
from orchestrator.model.plan import Fault, Plan, Step, Verb
from orchestrator.model.topology import Topology
from orchestrator.planner.network import Network
from orchestrator.ports import Expectations, Observations, Snapshot, TargetResult

STEP_S = 0.5


@dataclass
class SimClock:
    at: float = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


@dataclass
class SimGateway:
    fronts: tuple[str, ...]
    digest: str
    front: str | None = None
    running: bool = True
    stuck: bool = False  # never logs in by itself again
    dead: bool = False  # never comes back whatever is done
    sequence: int = 0


@dataclass
class SimWorld:
    """World and Measurement of a simulated site. `effects` are (verb, target), in order."""

    topology: Topology
    clock: SimClock
    effects: list[tuple[str, str]] = field(default_factory=list)
    fault: Fault | None = None
    moved: dict[tuple[str, str], str] = field(default_factory=dict)
    gateways: dict[str, SimGateway] = field(default_factory=dict)
    abnormal: dict[str, str] = field(default_factory=dict)  # phase → gateway whose login check is abnormal
    unreachable: dict[str, str] = field(default_factory=dict)
    broken_restore: set[str] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)
    routes: list[RouteSample] = field(default_factory=list)
    unchecked: set[str] = field(default_factory=set)  # phases whose checks give no record
    works_by_itself: set[str] = field(default_factory=set)  # the host leaves it alone
    asked: dict[str, Expectations] = field(default_factory=dict)  # phase → what was to be seen
    heard: dict[str, Sample] | None = None  # the sampler is dead: the newest samples for ever
    before_act: Callable[[Step], None] = lambda _: None
    closed: int = 0
    stopped: int = 0

    def __post_init__(self) -> None:
        for gateway in self.topology.gateways:
            self.gateways[gateway.id] = SimGateway(gateway.servers, f"digest of {gateway.servers}")
        self._fail_over()

    # -- the truth ------------------------------------------------------------------------------------

    def _network(self) -> Network:
        fault = self.fault
        return Network(
            self.topology,
            frozenset(fault.centres if fault else ()),
            frozenset(fault.lines if fault else ()),
            self.moved,
        )

    def _fail_over(self, force: Sequence[str] = ()) -> None:
        """Every running gateway keeps its front while it is reachable, else takes the first of its list that is."""
        network = self._network()
        for name, state in self.gateways.items():
            gateway = self.topology.gateway[name]
            if state.dead or not state.running:
                state.front = None
                continue
            current = self.topology.front[state.front] if state.front else None
            if name not in force and current and network.line_of(gateway, current):
                continue
            if state.stuck and name not in force:
                state.front = None
                continue
            live = (front for front in state.fronts if network.line_of(gateway, self.topology.front[front]))
            state.front = next(live, None)

    def _tick(self) -> None:
        self.clock.at += STEP_S
        self._fail_over()
        for name, state in self.gateways.items():
            state.sequence += state.front is not None
            if self.heard is not None:
                continue
            self.samples.append(self._sample(name, state))
        self.routes += self.latest_routes().values()

    def _sample(self, name: str, state: SimGateway) -> Sample:
        front = self.topology.front[state.front] if state.front else None
        return Sample(
            gateway=name,
            host=self.topology.gateway[name].host,
            at=self.clock.at,
            mono=self.clock.at,
            running=state.running,
            endpoints=tuple(self.topology.front[item].endpoint for item in state.fronts),
            config_sha256=state.digest,
            session=front.endpoint if front else None,
            logged_in=front is not None,
            sequence=state.sequence,
        )

    # -- Measurement ----------------------------------------------------------------------------------

    def latest(self) -> Mapping[str, Sample]:
        return self.heard or {name: self._sample(name, state) for name, state in self.gateways.items()}

    def go_deaf(self) -> None:
        """From now on there is no new sample."""
        self.heard = dict(self.latest())

    def latest_routes(self) -> Mapping[str, RouteSample]:
        network = self._network()
        return {
            router.id: RouteSample(
                router=router.id,
                at=self.clock.at,
                mono=self.clock.at,
                lines={centre: network.line_to(router.id, centre) for centre in router.paths},
            )
            for router in self.topology.routers
        }

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        end = self.clock.at + timeout_s
        while not condition():
            if self.clock.at >= end:
                return False
            self._tick()
        return True

    def observations(self) -> Observations:
        return Observations(self.samples, self.routes, list[LogStamp]())

    def stop(self) -> None:
        self.stopped += 1

    # -- World ----------------------------------------------------------------------------------------

    def arm(self, plan: Plan, deadline_s: float) -> list[TargetResult]:
        del deadline_s
        return [
            TargetResult(
                change.gateway,
                Outcome.FAILED if change.gateway in self.unreachable else Outcome.SUCCEEDED,
                "unreachable",
            )
            for change in plan.affected
        ]

    def disarm(self) -> list[TargetResult]:
        return []

    def measure(self, folder: Path) -> "SimWorld":
        del folder
        for _ in range(4):
            self._tick()
        return self

    def snapshot(self, deadline_s: float) -> Snapshot:
        del deadline_s
        self._tick()
        gateways = {name: sample.model_dump(include=_COMPARED) for name, sample in self.latest().items()}
        routers = {name: dict(sample.lines) for name, sample in self.latest_routes().items()}
        return Snapshot(gateways, routers, clock_offset_s={host.id: 0.0 for host in self.topology.hosts})

    def check(
        self, phase: str, checks: Sequence[Check], expected: Expectations, deadline_s: float
    ) -> list[CheckRecord]:
        del deadline_s
        self.asked[phase] = expected
        if phase in self.unchecked:
            return []
        found = []
        for item in expected.gateways:
            state = self.gateways[item.gateway]
            good = state.front in item.sessions and self.abnormal.get(phase) != item.gateway
            result = (
                item.result
                if item.result is not CheckResult.NORMAL
                else CheckResult.NORMAL
                if good
                else CheckResult.ABNORMAL
            )
            found += [
                CheckRecord(
                    phase=phase,
                    check=check.value,
                    target=item.gateway,
                    host=self.topology.gateway[item.gateway].host,
                    result=result,
                    expected="logged in",
                    found=str(state.front),
                    duration_s=0.0,
                )
                for check in checks
            ]
        return found

    def inject(self, fault: Fault) -> None:
        self.effects.append(("inject", "fault"))
        self.fault = fault
        self._fail_over()

    def lift(self, fault: Fault) -> None:
        del fault
        self.effects.append(("lift", "fault"))
        self.fault = None

    def act(self, step: Step, attempt: int, before: Snapshot) -> list[TargetResult]:
        del attempt
        self.before_act(step)
        self.clock.at += STEP_S
        return [self._one(step, target.name, target.arguments, before) for target in step.targets]

    def _one(self, step: Step, name: str, arguments: Mapping[str, Any], before: Snapshot) -> TargetResult:
        self.effects.append((step.verb.value, name))
        if step.verb is Verb.PATH:
            self.moved[arguments["router"], arguments["centre"]] = arguments["line"]
            return TargetResult(name, Outcome.SUCCEEDED)
        state = self.gateways[name]
        if step.verb is Verb.REPOINT and name in self.works_by_itself:
            return TargetResult(name, Outcome.SKIPPED, "left alone")
        if step.verb is Verb.RESTORE and name in self.broken_restore:
            return TargetResult(name, Outcome.FAILED, "disk full")
        stamps = {"stop": [self.clock.at, self.clock.at]}
        if step.verb in (Verb.REPOINT, Verb.RESTORE):
            state.fronts = tuple(arguments["fronts"])
            state.digest = f"digest of {state.fronts}"
        self._fail_over(force=[name])
        outcome = Outcome.FAILED if state.front is None else Outcome.SUCCEEDED
        del before
        return TargetResult(
            name, outcome, "" if state.front else "did not come up", {"changed": True, "stamps": stamps}
        )

    def close(self) -> None:
        self.closed += 1


_COMPARED = {"running", "endpoints", "config_sha256", "session", "logged_in"}
