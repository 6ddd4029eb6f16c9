"""The windows' gate: whether a drill may inject and switch now, and until when it must be on its way back. Pure.

No window is open by default. It is asked before a fault is injected and before gateways are switched; restoration and
incidents never ask it (design §5.7).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from orchestrator.model.calendar import SiteCalendar, Trading, Window
from orchestrator.model.local_time import local, moment
from orchestrator.model.topology import GatewayClass

_MEND = "; the announced windows stand in calendar.yml"
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Closed:
    """The gate is closed. `code`: TRADING_HOURS | OUTSIDE_WINDOW | BLOCKED_DATE | CALENDAR_UNKNOWN; `reason`: one
    line for whoever is refused.
    """

    code: str
    reason: str


@dataclass(frozen=True)
class Open:
    """The gate is open. `latest_return_at`: restoration begins then at the latest (最晚回退时点), seconds since the
    epoch. It is never later than the next session hours or the next day of which nobody knows.
    """

    window: Window
    latest_return_at: float


@dataclass(frozen=True)
class _Question:
    """A run from `begins` to its expected end, local to the zone."""

    calendar: SiteCalendar
    zone: str
    drill: str
    classes: frozenset[GatewayClass]
    at: float
    expected_s: float

    @property
    def begins(self) -> datetime:
        return local(self.at, self.zone)

    @property
    def ends(self) -> datetime:
        return local(self.at + self.expected_s, self.zone)

    @property
    def days(self) -> Iterator[date]:
        """Every day that the run touches: one that ends at midnight does not touch the next day."""
        last = max(self.begins, self.ends - _INSTANT)
        return _days(self.begins.date(), last.date())

    def meets(self, begins: datetime, ends: datetime) -> bool:
        """Whether the run is under way at some moment from `begins` up to, but not including, `ends`."""
        return begins <= self.begins < ends or self.begins <= begins < self.ends


def passage(
    calendar: SiteCalendar,
    *,
    zone: str,
    drill: str,
    classes: Collection[GatewayClass],
    at: float,
    expected_s: float,
    window: str | None = None,
) -> Open | Closed:
    """Whether a drill that begins `at` (seconds since the epoch) and is expected to last so long may pass.

    `classes`: those of every gateway that the run touches; none means any. `window`: only this one will do, as an
    approval is given for one. Of several that are open the one with the latest return counts.
    """
    question = _Question(calendar, zone, drill, frozenset(classes), at, expected_s)
    return (
        _unknown(question)
        or _trading_hours(question)
        or _blocked(question)
        or _outside(question, window)
        or _open(question, window)
    )


def _days(first: date, last: date) -> Iterator[date]:
    return (first + number * _DAY for number in range((last - first).days + 1))


def _unknown(question: _Question) -> Closed | None:
    for day in question.days:
        if question.calendar.trading(day) is Trading.UNKNOWN:
            known = question.calendar.trading_days
            return Closed(
                "CALENDAR_UNKNOWN",
                f"expected to know whether {day:%Y-%m-%d %a} is a trading day, found the trading days of "
                f"{known.first_day} to {known.horizon} only; add the day under `days` of calendar.yml with its "
                "source, or bring the catalogue up to date",
            )
    return None


def _trading_hours(question: _Question) -> Closed | None:
    for title, begins, ends in _session_hours(question, question.begins.date(), question.ends.date()):
        if question.meets(begins, ends):
            return Closed(
                "TRADING_HOURS",
                f"expected a run from {_said(question.begins)} to {_said(question.ends)} outside session hours, found "
                f"{title} from {_said(begins)} to {ends:%H:%M} of a trading day; begin after it, or end before",
            )
    return None


def _session_hours(question: _Question, first: date, last: date) -> Iterator[tuple[str, datetime, datetime]]:
    """(title, begin, end) of all session hours that concern the run's classes, in the order of their beginning."""
    concerned = sorted(
        (item for item in question.calendar.sessions if item.concern(question.classes)), key=lambda item: item.begins
    )
    for day in _days(first, last):
        if question.calendar.trading(day) is Trading.TRADING:
            for hours in concerned:
                yield hours.title.en, *hours.on(day)


def _blocked(question: _Question) -> Closed | None:
    for day in question.days:
        found = question.calendar.blocked_on(day)
        if found:
            return Closed(
                "BLOCKED_DATE",
                f"expected a day without a block, found {day:%Y-%m-%d %a} blocked from {found.first} to {found.last} "
                f"({found.id}: {found.reason.en}); choose another day",
            )
    return None


def _outside(question: _Question, wanted: str | None) -> Closed | None:
    """Why no window lets the run pass: of several the reason that is nearest to passing. None: one does."""
    candidates = _candidates(question, wanted)
    if not candidates:
        known = ", ".join(question.calendar.window) or "none"
        expected = f"window {wanted} in calendar.yml" if wanted else "an announced or confirmed window in calendar.yml"
        return Closed("OUTSIDE_WINDOW", f"expected {expected}, found {known}; {_add(question)}")
    reasons = [_why_not(question, item) for item in candidates]
    refused = [reason for reason in reasons if reason is not None]
    return Closed("OUTSIDE_WINDOW", min(refused)[-1]) if len(refused) == len(reasons) else None


def _candidates(question: _Question, wanted: str | None) -> Sequence[Window]:
    return [item for item in question.calendar.windows if wanted in (None, item.id)]


def _add(question: _Question) -> str:
    return f"a drill passes in a window only: add the one announced or confirmed for {question.drill}"


def _why_not(question: _Question, window: Window) -> tuple[int, float, str] | None:
    """(how far from passing, how long from it, the reason) of one window; None: it is open."""
    named = f"window {window.id} ({window.number})"
    opens, closes = moment(window.begins, question.zone), moment(window.ends, question.zone)
    returns, ends = moment(window.latest_return, question.zone), question.at + question.expected_s
    serves = window.serves(question.drill)
    if question.at < opens:
        text = f"expected {named} to be open, found that it opens at {_said(window.begins)}, and it is "
        return 2 + (not serves), opens - question.at, f"{text}{_said(question.begins)}; wait for it{_MEND}"
    if question.at >= closes:
        text = f"expected {named} to be open, found that it closed at {_said(window.ends)}, and it is "
        return 4 + (not serves), question.at - closes, f"{text}{_said(question.begins)}; wait for the next{_MEND}"
    if not serves:
        text = f"expected a window for {question.drill}, found {named} for {', '.join(window.drills)} only"
        return 1, 0, f"{text}; {_add(question)}"
    if ends > closes:
        return 0, ends - closes, _too_long(question, window.ends, f"when {named} closes")
    if ends > returns:
        return 0, ends - returns, _too_long(question, window.latest_return, f"the latest return of {named}")
    return None


def _too_long(question: _Question, limit: datetime, what: str) -> str:
    found = f"an expected end of {_said(question.ends)}"
    return f"expected a run that ends by {_said(limit)}, {what}, found {found}; begin earlier{_MEND}"


def _open(question: _Question, wanted: str | None) -> Open:
    passing = [item for item in _candidates(question, wanted) if _why_not(question, item) is None]
    window = max(passing, key=lambda item: item.latest_return)
    latest = min(window.latest_return, _next_hindrance(question, window.latest_return))
    return Open(window, moment(latest, question.zone))


def _next_hindrance(question: _Question, until: datetime) -> datetime:
    """When the next session hours begin, or the next day of which nobody knows, if that is before `until`."""
    first = question.ends.date()
    unknown = (day for day in _days(first, until.date()) if question.calendar.trading(day) is Trading.UNKNOWN)
    moments = [datetime.combine(day, datetime.min.time()) for day in unknown]
    hours = _session_hours(question, first, until.date())
    moments += [begins for _, begins, _ in hours if begins >= question.ends]
    return min(moments, default=until)


def _said(at: datetime) -> str:
    return f"{at:%Y-%m-%d %a %H:%M}"
