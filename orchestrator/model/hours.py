"""When somebody answers: periods of days and hours, in the site's own time zone."""

from datetime import date, time
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.model.base import Frozen


class Days(StrEnum):
    """A working day is a fact of the calendar: public holidays are none, make-up workdays (调休) are."""

    EVERY_DAY = "every-day"
    WORKING_DAYS = "working-days"


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


_WEEK = tuple(Weekday)
_NAMES = tuple(day.value for day in Weekday)
_KINDS = tuple(kind.value for kind in Days)


def _known_days(value: Any) -> Any:
    """One line that names what there is, in place of one for each kind that it might have been."""
    is_week = isinstance(value, list | tuple) and bool(value) and all(item in _NAMES for item in value)
    if is_week or (isinstance(value, str) and value in _KINDS):
        return value
    raise ValueError(f"expected every-day, working-days or a list of weekdays as [monday, friday], found {value!r}")


def _clock(value: Any) -> Any:
    if isinstance(value, int):
        raise ValueError(  # noqa: TRY004 - a TypeError would be our own bug
            f'expected a time in quotes, as "17:00", found {value} (YAML reads 17:00 as a number)'
        )
    return value


ClockTime = Annotated[
    str,
    BeforeValidator(_clock),
    Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", description='As "08:30"'),
]


class Period(Frozen):
    """Some hours of some days. What goes over midnight is two periods."""

    days: Annotated[
        Days | tuple[Weekday, ...],
        BeforeValidator(_known_days),
        Field(description="every-day, working-days, or a list of weekdays"),
    ]
    begins: Annotated[ClockTime, Field(alias="from")]
    ends: Annotated[ClockTime, Field(alias="to")]

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.begins >= self.ends:
            raise ValueError(
                f"expected a time later than {self.begins}, found {self.ends}; what goes over midnight is two periods"
            )
        return self

    def includes(self, day: date, working: bool | None) -> bool | None:
        """Whether it is of that day. `working`: whether that is a working day; None, here and there: not known."""
        if self.days is Days.EVERY_DAY:
            return True
        return working if self.days is Days.WORKING_DAYS else _WEEK[day.weekday()] in self.days

    def holds(self, at: time) -> bool:
        """Whether it is on at that time of a day that it includes."""
        return self.begins <= f"{at:%H:%M}" < self.ends
