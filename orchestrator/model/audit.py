"""What an audit rule says of one thing that it looked at, and what of an audit stands in a run's record."""

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orchestrator.model.base import Frozen, Id, Title, is_empty


class Severity(StrEnum):
    """How grave it is when the rule is violated. `advice`: the source says 建议, or nothing binding."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"


class Result(StrEnum):
    """`not_judged`: the inventory does not say enough. Never taken for satisfied."""

    SATISFIED = "satisfied"
    VIOLATED = "violated"
    NOT_JUDGED = "not_judged"
    NOT_APPLICABLE = "not_applicable"


class Waived(Frozen):
    """Why a violation does not count for now: who bears it, and until when."""

    reason: str
    by: str
    until: date


class Finding(Frozen):
    """One look of one rule at one thing of the inventory."""

    rule: Id
    clause: str
    severity: Severity
    result: Result
    where: Annotated[str, Field(description="Field of the inventory, e.g. `gateways.nq-trade-1.servers`")] = ""
    text: Title
    mend: Annotated[Title | None, Field(description="What to do; for not_judged, what to add to the inventory")] = None
    waived: Annotated[Waived | None, Field(description="A violation that the firm bears for now")] = None
    first_seen: Annotated[date | None, Field(description="Day on which an audit first found it violated")] = None
    read_at: Annotated[
        str | None, Field(exclude_if=is_empty, description="When the hosts said so, in the site's time: live rules")
    ] = None

    @property
    def is_open(self) -> bool:
        """Violated, and nobody bears it."""
        return self.result is Result.VIOLATED and self.waived is None

    @property
    def is_error(self) -> bool:
        """Makes the audit fail (exit code 1)."""
        return self.is_open and self.severity is Severity.ERROR


class AuditRecord(Frozen):
    """The audit on the day of a run, before its first act. `counts`: state → findings; `waived` is a state of its own.

    `findings`: those that are violated or not judged, waived ones too.
    """

    day: date
    counts: dict[str, int]
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, day: date, found: Sequence[Finding]) -> "AuditRecord":
        """What is told of all that was judged."""
        states = ["waived" if item.waived else item.result.value for item in found]
        shown = (Result.VIOLATED, Result.NOT_JUDGED)
        return cls(
            day=day,
            counts={state: states.count(state) for state in dict.fromkeys(states)},
            findings=tuple(item for item in found if item.result in shown),
        )
