"""The Protocols between the engine and what it drives. No implementation here.

`World` is everything outside the orchestrator: hosts, routers, and (on a twin) the fault injector.
The tests' simulated world implements it too and counts effects.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from orchestrator.model.approval import Permit
from orchestrator.model.drill import Check
from orchestrator.model.event import CheckRecord, CheckResult, Event, EventKind, LogStamp, Outcome, RouteSample, Sample
from orchestrator.model.plan import Fault, Plan, Step

# Our choice: a fault whose run is silent for so long lifts itself. A person has time to start another orchestrator,
# and a fault that everybody forgot is gone in minutes.
FAULT_LEASE_S = 90.0


@dataclass(frozen=True)
class TargetResult:
    """What a step came to on one target. `data` is what the target returned (digests, stamps, lists)."""

    target: str
    outcome: Outcome
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


Hops = Mapping[str, Mapping[str, str | None] | None]  # centre → {via, dev}; None: no route


@dataclass(frozen=True)
class Snapshot:
    """State of everything the plan may touch, as comparable data.

    gateways: per gateway id {running, endpoints, config_sha256, owner, mode, session, logged_in}
    routers: per router id {centre: line or None}
    residue: per host what must not be left behind (qdisc, nft, files of ours), as sorted lines
    clock_offset_s: per host, its wall clock minus the controller's
    unreachable: names that could not be looked at, with the reason
    configurations: per gateway id, its vendor's file as a redacted text
    hops: per gateway id and router id {centre: {via, dev}}, its next hop towards that centre; None: no route; a centre
        that is left out was not heard about
    """

    gateways: Mapping[str, Mapping[str, Any]]
    routers: Mapping[str, Mapping[str, str | None]]
    residue: Mapping[str, Sequence[str]] = field(default_factory=dict)
    clock_offset_s: Mapping[str, float] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)
    configurations: Mapping[str, str] = field(default_factory=dict)
    hops: Mapping[str, Hops] = field(default_factory=dict)


@dataclass(frozen=True)
class GatewayExpectation:
    """What must be seen of one gateway in one phase."""

    gateway: str
    fronts: Sequence[str]  # ordered list in force, as front ids
    sessions: Sequence[str]  # fronts that its session may be with
    line: str | None
    config_sha256: str | None
    running: bool = True  # False: a cold standby, which must not run
    certificate: str | None = None  # the one that it has to be logged in with, where the plan changes it
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
    """A sampler that runs from baseline to closing, and goes on while there is no orchestrator."""

    def latest(self) -> Mapping[str, Sample]:
        """The newest sample of each gateway."""
        ...

    def latest_routes(self) -> Mapping[str, RouteSample]:
        """The newest sample of each router."""
        ...

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Evaluate the condition at each new sample, and several times a second where there is none; False when
        the time is over.
        """
        ...

    def observations(self) -> Observations: ...

    def stop(self) -> None:
        """End the sampler. Without it, it goes on for the next orchestrator of the run."""
        ...

    def detach(self) -> None:
        """Stop reading and leave the sampler at work."""
        ...


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Call:
    """One attempt of one step. Its name names its guard: at most one start per call, ever (design §4).

    `stop` is asked several times a second while the call lasts: True ends what was started, with all its
    descendants; what it raises leaves it at work and goes up to the caller.
    """

    step: str
    attempt: int
    stop: Callable[[], bool] = _never

    @property
    def name(self) -> str:
        return f"{self.step}-{self.attempt}"


class Fate(StrEnum):
    """What became of a call whose orchestrator is gone."""

    NEVER = "never"  # it was not begun, and now never will be
    RUNNING = "running"  # its guard is at work: asking for the same call again joins it
    FINISHED = "finished"  # its result is on disk: asking for the same call again reads it
    LOST = "lost"  # begun, and nobody can say how it ended


class World(Protocol):
    """What the engine may do. Every call has a deadline and returns one result per target, never raises
    for a target's failure. A call that was begun before is joined, never begun twice.
    """

    def fate(self, call: Call) -> Fate:
        """What became of a call of an earlier orchestrator. NEVER closes the door: a late starter is refused.
        LOST has ended whatever of it was left on this machine.
        """
        ...

    def arm(self, call: Call, plan: Plan, deadline_s: float) -> list[TargetResult]:
        """Check every host that may be changed and put this orchestrator's token there: from then on an older
        one's scripts change nothing.
        """
        ...

    def disarm(self, call: Call, plan: Plan) -> list[TargetResult]:
        """Take off the hosts what `arm` put there."""
        ...

    def act(self, call: Call, step: Step, before: Snapshot, written: Mapping[str, str]) -> list[TargetResult]:
        """Carry out a changing step on all its targets at once. `before` is the snapshot of the baseline and
        `written` the digest of each file as this run left it: a file that is not as expected is not touched.
        """
        ...

    def look(self, call: Call, step: Step, attempt: int, before: Snapshot) -> list[TargetResult]:
        """Read-only: what became of that attempt of the step. SUCCEEDED: its change is in force; FAILED: it is not
        (and nothing of it is still at work); INDETERMINATE: cannot be told, with the reason.
        """
        ...

    def snapshot(self, call: Call, deadline_s: float) -> Snapshot: ...

    def check(
        self, call: Call, phase: str, checks: Sequence[Check], expected: "Expectations", deadline_s: float
    ) -> list[CheckRecord]: ...

    def measure(self, folder: Path) -> Measurement:
        """Start the sampler, or join the one that an earlier orchestrator of this run has left at work."""
        ...

    def inject(self, fault: Fault) -> None:
        """Make the fault, with a dead-man on its target, armed before it, that lifts it if the run falls silent."""
        ...

    def fault_is_on(self, fault: Fault) -> bool:
        """Look; where it is on, renew its lease from now on. An older orchestrator can no longer inject."""
        ...

    def beat(self) -> None:
        """The run is alive: without it a fault is no longer renewed, also where this process only hangs."""
        ...

    def lift(self, fault: Fault) -> None:
        """StepUnknown: lifted, but it may have lifted itself before."""
        ...

    def close(self) -> None:
        """Close every connection that belongs to this orchestrator. Nothing on the hosts is changed."""
        ...


@dataclass(frozen=True)
class Message:
    """What somebody told a run from outside: topic `abort` or `decide`, with who and why, or a `call` that was made."""

    key: str
    topic: str
    data: Mapping[str, Any]


class Journal(Protocol):
    """Append-only, hash-chained events of runs (design §4)."""

    def open_run(
        self,
        run: str,
        plan: Plan,
        folder: Path,
        owner: str,
        resources: Sequence[str],
        place: Mapping[str, Any],
        permit: Permit | None = None,
    ) -> int:
        """Create the run, take its locks, and return its epoch. `place` is where it happens (a twin, the site).
        `permit`: why it may; a rehearsal needs none.
        """
        ...

    def renew(self, run: str, epoch: int) -> None:
        """Say that this orchestrator is alive. Superseded where another has taken the run over."""
        ...

    def waiting(self, run: str) -> list[Message]:
        """Messages that nobody has taken yet, oldest first."""
        ...

    def take(self, run: str, epoch: int, message: Message) -> Event:
        """Take a message and write its event in one transaction."""
        ...

    def append(
        self,
        run: str,
        epoch: int,
        kind: EventKind,
        data: Mapping[str, Any],
        step: str | None = None,
        attempt: int | None = None,
    ) -> Event:
        """Commit one event. CLOSED releases the run's locks in the same transaction, nothing else does."""
        ...

    def events(self, run: str) -> list[Event]: ...


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...

    def monotonic(self) -> float: ...


class Listener(Protocol):
    """Is told every event as it is committed (live view, plain lines, JSON)."""

    def event(self, event: Event) -> None: ...

    def measuring(self, measurement: Measurement) -> None: ...

    def said(self, text: str) -> None:
        """Something for the person at the terminal that is no event of the run."""
        ...


class Stamper(Protocol):
    """A time-stamping authority (RFC 3161)."""

    def stamp(self, query: bytes) -> bytes:
        """The reply (DER) to a request (DER). Refused NO_STAMP: no answer, or not one that grants it."""
        ...
