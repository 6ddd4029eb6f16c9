"""The D+N clock: what D is, which days are known, and when N days are over. Pure.

No source defines D or the day basis (SSCC-A.1 says "within D+3"). So both are settings of the site, the deadlines by
both bases are told, and the earlier one counts. What lies beyond the days that are known is unknown, never guessed.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from orchestrator.model.base import Frozen, Id, Title
from orchestrator.model.local_time import local, moment

DAY_S: Final = 86400
_DAY: Final = timedelta(days=1)


class DDefinition(StrEnum):
    """What D is: when the disaster occurred, or when it was declared."""

    OCCURRED = "occurred"
    DECLARED = "declared"


class DayBasis(StrEnum):
    """Which days are counted."""

    CALENDAR = "calendar"
    TRADING = "trading"


class DisasterSettings(Frozen):
    """How the firm reads D+N. Our choice of defaults: the strictest reading."""

    d_definition: Annotated[DDefinition, Field(description="The moment from which days are counted")] = (
        DDefinition.OCCURRED
    )
    day_basis: Annotated[DayBasis, Field(description="The firm's own reading; the earlier deadline counts")] = (
        DayBasis.CALENDAR
    )


class Disaster(Frozen):
    """When it was, as the operator says at the start of a run: seconds since the epoch. None: not said."""

    occurred_at: float | None = None
    declared_at: float | None = None

    def by(self, definition: DDefinition) -> float | None:
        return self.occurred_at if definition is DDefinition.OCCURRED else self.declared_at


class KnownDays(Frozen):
    """The trading days of a span of days of which every one is known."""

    first: date
    last: date
    trading: tuple[date, ...]

    def nth_after(self, day: date, number: int) -> date | None:
        """The N-th trading day after a day; None: the span does not tell."""
        if number < 1 or not self.first <= day + _DAY <= self.last:
            return None
        later = [item for item in self.trading if item > day]
        return later[number - 1] if len(later) >= number else None


class Milestone(Frozen):
    """Something that has to be reached by D+N, and who answers for it. `steps`: it is met once all of them are done."""

    id: Id
    title: Title
    owner: Annotated[str, Field(description="A role, or a person of people.yml")]
    people: Annotated[tuple[Id, ...], Field(description="Who that is, first to be called first")] = ()
    steps: tuple[str, ...]
    due_d: Annotated[int, Field(ge=1)]


class Deadline(Frozen):
    """When N days after D are over, by each basis. None: the days that are known do not tell."""

    days: int
    calendar: float
    trading: float | None

    @property
    def counts(self) -> float:
        """The earlier one."""
        return min(item for item in (self.calendar, self.trading) if item is not None)

    def by(self, basis: DayBasis) -> float | None:
        return self.calendar if basis is DayBasis.CALENDAR else self.trading


def deadline(d: float, days: int, zone: str, known: KnownDays | None) -> Deadline:
    """By calendar days: the same moment N days later; by trading days: the same time of day on the N-th trading day
    after the day of D. Both by the clocks of the site's zone.
    """
    begun = local(d, zone)
    day = known.nth_after(begun.date(), days) if known else None
    traded = None if day is None else moment(datetime.combine(day, begun.time()), zone)
    return Deadline(days=days, calendar=moment(begun + days * _DAY, zone), trading=traded)
