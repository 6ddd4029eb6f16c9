"""The Protocols between the engine and what it drives. No implementation here.

`World` is everything outside the orchestrator: hosts, routers, and (on a twin) the fault injector.
The tests' simulated world implements it too and counts effects.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.model.drill import Check
from orchestrator.model.event import CheckRecord, CheckResult, Event, EventKind, LogStamp, Outcome, RouteSample, Sample
from orchestrator.model.plan import Fault, Plan, Step


@dataclass(frozen=True)
class TargetResult:
    """What a step came to on one target. `data` is what the target returned (digests, stamps, lists)."""

    target: str
    outcome: Outcome
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """State of everything the plan may touch, as comparable data.

    gateways: per gateway id {running, endpoints, config_sha256, owner, mode, session, logged_in}
    routers: per router id {centre: line or None}
    residue: per host what must not be left behind (qdisc, nft, files of ours), as sorted lines
    clock_offset_s: per host, its wall clock minus the controller's
    unreachable: names that could not be looked at, with the reason
    """

    gateways: Mapping[str, Mapping[str, Any]]
    routers: Mapping[str, Mapping[str, str | None]]
    residue: Mapping[str, Sequence[str]] = field(default_factory=dict)
    clock_offset_s: Mapping[str, float] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class GatewayExpectation:
    """What must be seen of one gateway in one phase."""

    gateway: str
    fronts: Sequence[str]  # ordered list in force, as front ids
    sessions: Sequence[str]  # fronts that its session may be with
    line: str | None
    config_sha256: str | None
    result: CheckResult = CheckResult.NORMAL  # no_such_business: it is not expected to be logged in


@dataclass(frozen=True)
class Expectations:
    """What must be seen in one phase: per gateway, and per router the line towards each centre."""

    gateways: Sequence[GatewayExpectation]
    routers: Mapping[str, Mapping[str, str | None]]


@dataclass(frozen=True)
class Observations:
    """Everything the sampler has seen so far."""

    samples: Sequence[Sample]
    routes: Sequence[RouteSample]
    stamps: Sequence[LogStamp]


class Measurement(Protocol):
    """A sampler that runs from baseline to closing."""

    def latest(self) -> Mapping[str, Sample]:
        """The newest sample of each gateway."""
        ...

    def latest_routes(self) -> Mapping[str, RouteSample]:
        """The newest sample of each router."""
        ...

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Evaluate the condition at each new sample; False when the time is over."""
        ...

    def observations(self) -> Observations: ...

    def stop(self) -> None: ...


class World(Protocol):
    """What the engine may do. Every call has a deadline and returns one result per target, never raises
    for a target's failure.
    """

    def arm(self, plan: Plan, deadline_s: float) -> list[TargetResult]: ...

    def disarm(self) -> list[TargetResult]:
        """Take off the hosts what `arm` put there."""
        ...

    def act(self, step: Step, attempt: int, before: "Snapshot") -> list[TargetResult]:
        """Carry out a repoint, restore, restart or path step on all its targets at once. `before` is the
        snapshot of the baseline: a file that is not as expected is not touched.
        """
        ...

    def snapshot(self, deadline_s: float) -> Snapshot: ...

    def check(
        self, phase: str, checks: Sequence[Check], expected: "Expectations", deadline_s: float
    ) -> list[CheckRecord]: ...

    def measure(self, folder: Path) -> Measurement: ...

    def inject(self, fault: Fault) -> None:
        """Make the fault, with a dead-man on its target that lifts it if the run falls silent."""
        ...

    def lift(self, fault: Fault) -> None:
        """StepUnknown: lifted, but it may have lifted itself before."""
        ...

    def close(self) -> None:
        """Close every connection that belongs to the run."""
        ...


class Journal(Protocol):
    """Append-only, hash-chained events of runs (design §4)."""

    def open_run(self, run: str, plan: Plan, folder: Path, owner: str, resources: Sequence[str]) -> int:
        """Create the run, take its locks, and return its epoch."""
        ...

    def append(
        self,
        run: str,
        epoch: int,
        kind: EventKind,
        data: Mapping[str, Any],
        step: str | None = None,
        attempt: int | None = None,
    ) -> Event: ...

    def events(self, run: str) -> list[Event]: ...

    def release_locks(self, run: str, epoch: int) -> None: ...


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float: ...


class Listener(Protocol):
    """Is told every event as it is committed (live view, plain lines, JSON)."""

    def event(self, event: Event) -> None: ...

    def measuring(self, measurement: Measurement) -> None: ...
