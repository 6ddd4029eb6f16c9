"""When a drill may be held: trading days, session hours, announced windows and blocked dates of a site.

Days are three-valued. What nobody has published is unknown, and unknown is never taken for "no trading". Whether a
run may pass is said by `orchestrator/rules/windows.py`.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from orchestrator.errors import Problem
from orchestrator.model.base import Frozen, Id, Title
from orchestrator.model.consistency import InventoryProblems
from orchestrator.model.local_time import LocalMoment, LocalTime
from orchestrator.model.topology import GatewayClass

_SATURDAY = 5


class Trading(StrEnum):
    """Whether the exchanges trade on a day."""

    TRADING = "trading"
    NOT_TRADING = "not_trading"
    UNKNOWN = "unknown"


class OfficeDays(Frozen):
    """The days of one year on which offices work and the exchanges are closed: make-up workdays (调休), mostly."""

    year: Annotated[int, Field(ge=1990, le=2100)]
    days: tuple[date, ...]
    source: str

    @field_validator("days")
    @classmethod
    def _of_the_year(cls, days: tuple[date, ...], info: ValidationInfo) -> tuple[date, ...]:
        year = info.data.get("year")
        for day in days:
            if year and day.year != year:
                raise ValueError(f"expected days of {year}, found {day}")
        return days


class TradingDays(Frozen):
    """The catalogue `trading-days.yml`: every weekday of its span is a trading day, but for those it lists."""

    first_day: date
    horizon: Annotated[date, Field(description="The last day that is published; what comes after is unknown")]
    closed_weekdays: tuple[date, ...]
    office_days: tuple[OfficeDays, ...] = ()
    source: str

    @field_validator("horizon")
    @classmethod
    def _after_the_first_day(cls, horizon: date, info: ValidationInfo) -> date:
        first = info.data.get("first_day")
        if first and horizon < first:
            raise ValueError(f"expected a day from first_day {first} on, found {horizon}")
        return horizon

    @cached_property
    def _closed(self) -> frozenset[date]:
        return frozenset(self.closed_weekdays)

    @cached_property
    def _office(self) -> dict[int, frozenset[date]]:
        return {item.year: frozenset(item.days) for item in self.office_days}

    def knows(self, day: date) -> bool:
        return self.first_day <= day <= self.horizon

    def trading(self, day: date) -> Trading:
        """A make-up workday is a weekend day like any other here: the exchanges are closed."""
        if not self.knows(day):
            return Trading.UNKNOWN
        closed = day.weekday() >= _SATURDAY or day in self._closed
        return Trading.NOT_TRADING if closed else Trading.TRADING

    def working_day(self, day: date) -> bool | None:
        """Whether offices work on a day; None: not known, as for closed days of a year without a list of its own."""
        trading = self.trading(day)
        if trading is not Trading.NOT_TRADING:
            return True if trading is Trading.TRADING else None
        return day in self._office[day.year] if day.year in self._office else None


class DayOverride(Frozen):
    """What the site knows better of one day: a typhoon closes the market, a notice fixes next year's holidays."""

    day: date
    state: Annotated[Literal["open", "closed"], Field(description="Whether the exchanges trade on it")]
    working: Annotated[bool | None, Field(description="Whether offices work; default: as the catalogue says")] = None
    source: Annotated[str, Field(min_length=1, description="The notice")]


class SessionHours(Frozen):
    """Hours of every trading day in which no drill of these classes may be under way."""

    id: Id
    title: Title
    classes: Annotated[tuple[GatewayClass, ...], Field(description="Empty: every class")] = ()
    begins: LocalTime
    ends: LocalTime
    source: Annotated[str, Field(min_length=1)]

    @field_validator("ends")
    @classmethod
    def _after_they_begin(cls, ends: LocalTime, info: ValidationInfo) -> LocalTime:
        begins = info.data.get("begins")
        if begins and ends <= begins:
            raise ValueError(f"expected a time after begins {begins:%H:%M}, found {ends:%H:%M}")
        return ends

    def concern(self, classes: Iterable[GatewayClass]) -> bool:
        """Whether one of the classes is meant; no class at all means any."""
        wanted = frozenset(classes)
        return not self.classes or not wanted or bool(wanted & frozenset(self.classes))

    def on(self, day: date) -> tuple[datetime, datetime]:
        """When they begin and end on a day, local."""
        return datetime.combine(day, self.begins), datetime.combine(day, self.ends)


class WindowKind(StrEnum):
    """Why a window is open."""

    FULL_MARKET_TEST = "full-market-test"  # 全网测试
    RECOVERY_DRILL = "recovery-drill"  # 灾备演练
    CONFIRMED = "confirmed"  # asked for by the firm and confirmed by SSCC


class Window(Frozen):
    """A time in which a drill may be held, local to the site's zone. It is half open: at `ends` it is over."""

    id: Id
    title: Title
    kind: WindowKind
    number: Annotated[str, Field(min_length=1, description="Of the announcement, or of the confirmation")]
    source: Annotated[str, Field(min_length=1, description="Who announced or confirmed it, where and when")]
    begins: LocalMoment
    ends: LocalMoment
    latest_return: Annotated[LocalMoment, Field(description="最晚回退时点: restoration begins then at the latest")]
    drills: Annotated[tuple[Id, ...], Field(description="Drills it is for; empty: any")] = ()

    @field_validator("ends")
    @classmethod
    def _after_it_begins(cls, ends: datetime, info: ValidationInfo) -> datetime:
        begins = info.data.get("begins")
        if begins and ends <= begins:
            raise ValueError(f"expected a time after begins {begins:%Y-%m-%d %H:%M}, found {ends:%Y-%m-%d %H:%M}")
        return ends

    @field_validator("latest_return")
    @classmethod
    def _inside(cls, latest: datetime, info: ValidationInfo) -> datetime:
        begins, ends = info.data.get("begins"), info.data.get("ends")
        if begins and ends and not begins < latest <= ends:
            raise ValueError(
                f"expected a time in the window, {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M}, found "
                f"{latest:%Y-%m-%d %H:%M}"
            )
        return latest

    def serves(self, drill: str) -> bool:
        """Whether it is for this drill."""
        return not self.drills or drill in self.drills


class BlockedDate(Frozen):
    """Days on which the site holds no drill, whatever is announced: a go-live, a year-end close. Both ends count."""

    id: Id
    first: date
    last: date
    reason: Title

    @field_validator("last")
    @classmethod
    def _not_before_the_first(cls, last: date, info: ValidationInfo) -> date:
        first = info.data.get("first")
        if first and last < first:
            raise ValueError(f"expected a day from first {first} on, found {last}")
        return last

    def holds(self, day: date) -> bool:
        return self.first <= day <= self.last


class SiteCalendar(Frozen):
    """`calendar.yml` of a site with the catalogues of trading days and session hours."""

    trading_days: TradingDays
    sessions: tuple[SessionHours, ...] = ()
    days: tuple[DayOverride, ...] = ()
    windows: tuple[Window, ...] = ()
    blocked: tuple[BlockedDate, ...] = ()

    @model_validator(mode="after")
    def _each_thing_once(self) -> Self:
        found = [
            *_repeated("sessions", "id", [item.id for item in self.sessions]),
            *_repeated("days", "day", [str(item.day) for item in self.days]),
            *_repeated("windows", "id", [item.id for item in self.windows]),
            *_repeated("blocked", "id", [item.id for item in self.blocked]),
        ]
        if found:
            raise InventoryProblems(found)
        return self

    @cached_property
    def _overrides(self) -> dict[date, DayOverride]:
        return {item.day: item for item in self.days}

    @cached_property
    def window(self) -> dict[str, Window]:
        """Window by its id."""
        return {item.id: item for item in self.windows}

    def trading(self, day: date) -> Trading:
        """Whether the exchanges trade on a day; the site's own word counts before the catalogue."""
        known = self._overrides.get(day)
        if known:
            return Trading.TRADING if known.state == "open" else Trading.NOT_TRADING
        return self.trading_days.trading(day)

    def working_day(self, day: date) -> bool | None:
        """Whether offices work on a day: those of contacts that answer on working days only (SSCC-5.5). None: not
        known.
        """
        known = self._overrides.get(day)
        return known.working if known and known.working is not None else self.trading_days.working_day(day)

    def blocked_on(self, day: date) -> BlockedDate | None:
        """Why nothing is drilled on a day; None: nothing stands against it."""
        return next((item for item in self.blocked if item.holds(day)), None)


def _repeated(field: str, key: str, names: list[str]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem((field, index, key), f"expected each {key} once, found {name} again")
