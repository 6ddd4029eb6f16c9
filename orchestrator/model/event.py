"""What the journal holds: events of a run, and the samples and observations taken at the gateways."""

from enum import StrEnum
from typing import Any

from orchestrator.model.base import Frozen


class EventKind(StrEnum):
    """Kinds of journal events. INTENT is committed before an effect, DONE after it."""

    OPENED = "opened"
    STATE = "state"
    INTENT = "intent"
    DONE = "done"
    RESUMED = "resumed"  # another orchestrator has taken the run over, with the last sign of life before
    INTERRUPTED = "interrupted"  # an intent was found open
    SETTLED = "settled"  # what became of it: by its guard, a look, its own policy or a person
    MESSAGE = "message"  # an abort or a decision that somebody asked for, a call that was made, what was confirmed
    WAITING = "waiting"  # a person has to decide, with who and what
    UNDO_INTENT = "undo_intent"
    UNDO_DONE = "undo_done"
    SNAPSHOT = "snapshot"
    CHECKS = "checks"
    FAULT_ON = "fault_on"
    FAULT_OFF = "fault_off"
    MEASURED = "measured"
    NOTE = "note"
    DAYS = "days"  # the trading days as they were known when the run was opened, for D+N
    ALARM = "alarm"  # D+1 or D+2 has passed, with the milestones that are open
    OUTAGE = "outage"  # minutes of outage in trading hours: near the limit, past it, or counted at the end
    VERDICT = "verdict"
    CLOSED = "closed"


class Outcome(StrEnum):
    """Outcome of a step (design §3)."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    WOULD_CHANGE = "would_change"
    INDETERMINATE = "indeterminate"
    IGNORED = "ignored"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"


class Event(Frozen):
    """One line of the journal. `at` is UTC, ISO 8601 with microseconds; `digest` chains over `previous`."""

    run: str
    seq: int
    at: str
    kind: EventKind
    step: str | None = None
    attempt: int | None = None
    data: dict[str, Any] = {}
    previous: str
    digest: str


class Sample(Frozen):
    """What the sampler saw of one gateway at one moment, on the gateway's own host.

    `at` is seconds since the epoch by the host's clock, `mono` by its monotonic clock.
    `session` is the `address:port` of the established session's far end.
    `endpoints` is the ordered list in force; None: could not look.
    """

    gateway: str
    host: str
    at: float
    mono: float
    running: bool | None = None
    endpoints: tuple[str, ...] | None = None
    config_sha256: str | None = None
    session: str | None = None
    connecting: str | None = None
    logged_in: bool | None = None
    sequence: int | None = None


class RouteSample(Frozen):
    """Which line a CE router uses towards each centre at one moment (None: no route)."""

    router: str
    at: float
    mono: float
    lines: dict[str, str | None]


class LogStamp(Frozen):
    """One stamp from a gateway's own log, e.g. `lost` or `logged_in`."""

    gateway: str
    at: float
    event: str


class CheckResult(StrEnum):
    """Four values as the exchanges' feedback forms have them; `unknown` is a check that could not look."""

    NORMAL = "normal"
    ABNORMAL = "abnormal"
    NOT_TESTED = "not_tested"
    NO_SUCH_BUSINESS = "no_such_business"


class CheckRecord(Frozen):
    """One check of one target in one phase. `could_not_look` makes the verdict unknown, never passed."""

    phase: str
    check: str
    target: str
    host: str
    result: CheckResult
    could_not_look: bool = False
    expected: str
    found: str
    duration_s: float
