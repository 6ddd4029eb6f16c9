"""Which colour a value has: good, bad, warn (look at it), unknown, or muted.

Colour never stands alone: the word is always beside it.
"""

from typing import Final, Literal

from orchestrator.model.event import CheckResult, Outcome
from orchestrator.model.verdict import Integrity, ObjectiveState, Restoration, RunOutcome

Tone = Literal["good", "bad", "warn", "unknown", "muted"]

RUN_OUTCOME: Final[dict[RunOutcome, Tone]] = {
    RunOutcome.PASSED: "good",
    RunOutcome.FAILED: "bad",
    RunOutcome.INCONCLUSIVE: "unknown",
    RunOutcome.ABORTED: "warn",
    RunOutcome.NOT_STARTED: "muted",
}
RESTORATION: Final[dict[Restoration, Tone]] = {
    Restoration.PROVED: "good",
    Restoration.NOT_PROVED: "bad",
    Restoration.PENDING: "warn",
    Restoration.NOT_APPLICABLE: "muted",
}
OBJECTIVE: Final[dict[ObjectiveState, Tone]] = {
    ObjectiveState.MET: "good",
    ObjectiveState.MISSED: "bad",
    ObjectiveState.NOT_MEASURED: "unknown",
}
INTEGRITY: Final[dict[Integrity, Tone]] = {
    Integrity.SEALED: "good",
    Integrity.UNSEALED: "warn",
    Integrity.BROKEN: "bad",
}
CHECK: Final[dict[CheckResult, Tone]] = {
    CheckResult.NORMAL: "good",
    CheckResult.ABNORMAL: "bad",
    CheckResult.NOT_TESTED: "unknown",
    CheckResult.NO_SUCH_BUSINESS: "muted",
}
CLAUSE: Final[dict[str, Tone]] = {"passed": "good", "failed": "bad", "unknown": "unknown", "not_covered": "muted"}
STEP: Final[dict[Outcome, Tone]] = {
    Outcome.SUCCEEDED: "good",
    Outcome.FAILED: "bad",
    Outcome.TIMED_OUT: "bad",
    Outcome.SKIPPED: "muted",
    Outcome.WOULD_CHANGE: "muted",
    Outcome.INDETERMINATE: "unknown",
    Outcome.IGNORED: "warn",
    Outcome.UNDONE: "warn",
    Outcome.UNDO_FAILED: "bad",
}
