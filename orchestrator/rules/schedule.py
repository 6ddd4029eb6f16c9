"""When the drills of a schedule are due, what was held, and what was missed. Pure.

Each rule cuts time into periods of its own, counted from the day on which the policy came into force; each value of
its parameter is drilled once in each period. So an entry is known by its rule, its value and its period, whatever day
it is planned on: a window that is announced later moves the day, not the entry. Nothing is ever fired late.
"""

import calendar as months
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from orchestrator.model.base import Title
from orchestrator.model.calendar import SiteCalendar, Trading, Window
from orchestrator.model.drill import Mode
from orchestrator.model.hours import Weekday
from orchestrator.model.local_time import local, moment
from orchestrator.model.schedule import Schedule, ScheduleRule
from orchestrator.rules.windows import Closed, Open, passage

# Clauses that are served by drills held again and again. SSCC-2.3 and SSCC-3.1 say so (定期开展演练); for the remote DR
# centre and the satellite backup it is our choice: what is never drilled is not known to work.
REGULAR = ("SSCC-2.3", "SSCC-3.1", "SSCC-3.2c", "SSCC-A.1")
_WEEK = tuple(Weekday)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Subject:
    """One value of one rule. `scenario`: its key on the ledger; `fault`: what fails, in words."""

    rule: ScheduleRule
    parameters: tuple[tuple[str, str], ...]
    scenario: str
    fault: Title
    number: int = 0  # of so many `of` values of the rule, which are spread over a period
    of: int = 1

    @property
    def name(self) -> str:
        """The rule, with the value where there are several."""
        value = dict(self.parameters).get(self.rule.for_each or "")
        return f"{self.rule.id}/{value}" if value else self.rule.id


@dataclass(frozen=True)
class Held:
    """A run that is on the ledger and counts: a drill on the real site, or a rehearsal. `at`: its start, local."""

    run: str
    scenario: str
    mode: Mode
    at: datetime
    outcome: str


class EntryState(StrEnum):
    """How far an entry's day is settled."""

    IN_WINDOW = "in_window"  # an announced or confirmed window is open on it
    PLANNED = "planned"  # no trading day; a drill still needs a window
    PROVISIONAL = "provisional"  # 待定: nobody knows yet whether it is a trading day
    NO_DAY = "no_day"  # every day of the period is a trading day, blocked or taken


@dataclass(frozen=True)
class Entry:
    """One drill to be held. `first` and `last`: its period; `begins` and `ends`: as planned; all in the site's zone."""

    subject: Subject
    first: date
    last: date
    begins: datetime
    state: EntryState
    window: Window | None = None

    @property
    def id(self) -> str:
        """The same, whenever and from whichever day the schedule is asked for."""
        return f"{self.subject.name}/{self.first}"

    @property
    def ends(self) -> datetime:
        return self.begins + timedelta(hours=self.subject.rule.expected_h)

    @property
    def prepare_on(self) -> date:
        """When preparation begins."""
        return self.begins.date() - timedelta(days=self.subject.rule.lead_days)

    @property
    def missed_at(self) -> datetime:
        """From here on it is missed, unless a run was held."""
        return self.begins + timedelta(hours=self.subject.rule.grace_h)


def entries(
    schedule: Schedule, subjects: Sequence[Subject], calendar: SiteCalendar, zone: str, first: date, last: date
) -> list[Entry]:
    """Every entry planned from `first` to `last`, by its time.

    All since the policy began are placed, so that what is asked for changes no day: the earlier has the choice.
    """
    longest = max((subject.rule.every_months for subject in subjects), default=0)
    wanted = sorted(
        (
            (_target(subject, *period), index, subject, period)
            for index, subject in enumerate(subjects)
            for period in _periods(schedule.starts, subject.rule.every_months, _later(last, longest))
        ),
        key=lambda item: item[:2],
    )
    taken: set[tuple[Mode, date]] = set()
    found = []
    for target, _, subject, period in wanted:
        entry = _placed(_Place(calendar, zone, subject, period, target, frozenset(taken)))
        if entry.state is not EntryState.NO_DAY:
            taken.add((subject.rule.mode, entry.begins.date()))
        found.append(entry)
    return sorted(
        (entry for entry in found if first <= entry.begins.date() <= last), key=lambda item: (item.begins, item.id)
    )


def _later(day: date, by_months: int) -> date:
    """The same day so many months later, or the last one of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + by_months, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def _periods(starts: date, every: int, until: date) -> Iterator[tuple[date, date]]:
    number = 0
    while _later(starts, number * every) <= until:
        yield _later(starts, number * every), _later(starts, (number + 1) * every) - _DAY
        number += 1


def _target(subject: Subject, first: date, last: date) -> date:
    """Values of one rule are spread evenly over its period."""
    return first + (last - first) * (2 * subject.number + 1) / (2 * subject.of)


@dataclass(frozen=True)
class _Place:
    """What an entry's day is chosen from."""

    calendar: SiteCalendar
    zone: str
    subject: Subject
    period: tuple[date, date]
    target: date
    taken: frozenset[tuple[Mode, date]]

    def is_free(self, day: date) -> bool:
        first, last = self.period
        return (
            first <= day <= last
            and (self.subject.rule.mode, day) not in self.taken
            and self.calendar.trading(day) is not Trading.TRADING
            and self.calendar.blocked_on(day) is None
        )

    def distance(self, day: date) -> tuple[int, date]:
        """From the target; of two days as near as each other the earlier one."""
        return abs((day - self.target).days), day


def _placed(place: _Place) -> Entry:
    """In an announced window where one will do, else on the nearest day of the preferred weekday, else on any."""
    rule = place.subject.rule
    open_at = _in_windows(place) if rule.mode is Mode.DRILL else []
    if open_at:
        begins, window = open_at[0]
        return Entry(place.subject, *place.period, begins, EntryState.IN_WINDOW, window)
    first, last = place.period
    days = [first + number * _DAY for number in range((last - first).days + 1)]
    preferred = _WEEK.index(rule.weekday)
    free = [(day.weekday() != preferred, place.distance(day), day) for day in days if place.is_free(day)]
    day = min(free)[-1] if free else place.target
    unknown = place.calendar.trading(day) is Trading.UNKNOWN
    state = EntryState.PROVISIONAL if unknown else EntryState.PLANNED
    begins = datetime.combine(day, rule.begins)
    return Entry(place.subject, *place.period, begins, state if free else EntryState.NO_DAY)


def _in_windows(place: _Place) -> list[tuple[datetime, Window]]:
    """Where the drill passes the gate: windows for this very drill first, then those nearest to the target."""
    found = []
    for window in place.calendar.windows:
        preferred = datetime.combine(window.begins.date(), place.subject.rule.begins)
        for begins in (preferred, window.begins):
            if place.is_free(begins.date()) and isinstance(_gate(place, begins, window), Open):
                found.append((not window.drills, place.distance(begins.date()), begins, window))
                break
    return [(begins, window) for _, _, begins, window in sorted(found, key=lambda item: item[:3])]


def _gate(place: _Place, begins: datetime, window: Window) -> Open | Closed:
    rule = place.subject.rule
    return passage(
        place.calendar,
        zone=place.zone,
        drill=rule.drill,
        classes=(),
        at=moment(begins, place.zone),
        expected_s=rule.expected_h * 3600,
        window=window.id,
    )


def why_not_fire(entry: Entry, zone: str, at: float) -> Closed | None:
    """Why an entry's run is not to be begun at this moment, by name; None: it may be.

    Whether a drill really passes is asked of the gate when it begins, with the classes that its plan touches.
    """
    now = local(at, zone)
    named = f"entry {entry.id}"
    match entry.state:
        case EntryState.PROVISIONAL:
            unknown = f"found {entry.begins:%Y-%m-%d}, of which the calendar does not know yet whether there is trading"
            return Closed(
                "SCHEDULE_PROVISIONAL", f"{named}: expected a day that is known to be no trading day, {unknown}"
            )
        case EntryState.NO_DAY:
            return Closed(
                "SCHEDULE_NO_DAY", f"{named}: expected a free day from {entry.first} to {entry.last}, found none"
            )
        case EntryState.PLANNED | EntryState.IN_WINDOW:
            if now < entry.begins:
                return Closed(
                    "SCHEDULE_NOT_DUE", f"{named}: expected {entry.begins:%Y-%m-%d %H:%M}, found {now:%Y-%m-%d %H:%M}"
                )
            if now >= entry.missed_at:
                return Closed(
                    "SCHEDULE_MISSED",
                    f"{named}: expected a start before {entry.missed_at:%Y-%m-%d %H:%M}, found {now:%Y-%m-%d %H:%M}; "
                    "a missed entry is never fired late, begin the drill by hand in a window",
                )
    if entry.state is EntryState.PLANNED and entry.subject.rule.mode is Mode.DRILL:
        return Closed("OUTSIDE_WINDOW", f"{named}: expected an announced or confirmed window, found none on its day")
    return None


class Standing(StrEnum):
    """What became of an entry."""

    UPCOMING = "upcoming"
    HELD = "held"
    LATE = "held_late"  # after it was missed, within its period
    MISSED = "missed"


def standing(entry: Entry, held: Sequence[Held], now: datetime) -> tuple[Standing, Held | None]:
    """What became of an entry, and the run that served it. `now` is local."""
    runs = [item for item in of(entry.subject, held) if entry.first <= item.at.date() <= entry.last]
    in_time = [item for item in runs if item.at < entry.missed_at]
    if in_time:
        return Standing.HELD, in_time[0]
    if now < entry.missed_at:
        return Standing.UPCOMING, None
    return (Standing.LATE, runs[0]) if runs else (Standing.MISSED, None)


def of(subject: Subject, held: Sequence[Held]) -> list[Held]:
    """The runs of one subject, oldest first. A rehearsal serves rules of rehearsals only."""
    found = [item for item in held if (item.scenario, item.mode) == (subject.scenario, subject.rule.mode)]
    return sorted(found, key=lambda item: item.at)


@dataclass(frozen=True)
class Age:
    """How long ago a subject was held last. `due`: the day until which it has to be held again."""

    subject: Subject
    last: Held | None
    days: int | None
    due: date
    overdue: bool


def age(schedule: Schedule, subject: Subject, held: Sequence[Held], today: date) -> Age:
    """Never held: due one interval after the policy came into force."""
    runs = [item for item in of(subject, held) if item.at.date() <= today]
    last = runs[-1] if runs else None
    since = last.at.date() if last else schedule.starts
    due = _later(since, subject.rule.every_months)
    return Age(subject, last, (today - since).days if last else None, due, today > due)


@dataclass(frozen=True)
class Coverage:
    """Whether one clause is drilled as often as the site's own policy says. `lacking`: subjects without an entry."""

    clause: str
    rules: tuple[str, ...]
    entries: tuple[Entry, ...]
    lacking: tuple[str, ...]

    @property
    def is_served(self) -> bool:
        return bool(self.entries) and not self.lacking


def coverage(subjects: Sequence[Subject], planned: Sequence[Entry]) -> list[Coverage]:
    """Each clause that has to be drilled regularly, with the entries that serve it. Rehearsals serve none."""
    drills = [subject for subject in subjects if subject.rule.mode is Mode.DRILL]
    usable = [entry for entry in planned if entry.state is not EntryState.NO_DAY]
    return [_coverage(clause, [item for item in drills if clause in item.rule.clauses], usable) for clause in REGULAR]


def _coverage(clause: str, subjects: Sequence[Subject], planned: Sequence[Entry]) -> Coverage:
    names = {subject.name for subject in subjects}
    serving = tuple(entry for entry in planned if entry.subject.name in names)
    there = {entry.subject.name for entry in serving}
    rules = dict.fromkeys(subject.rule.id for subject in subjects)
    # what is due less than once a year need not stand in every year
    yearly = [subject.name for subject in subjects if subject.rule.every_months <= 12]  # noqa: PLR2004 - months of a year
    return Coverage(clause, tuple(rules), serving, tuple(name for name in yearly if name not in there))


def horizon(first: date) -> date:
    """The last day of the twelve months that begin on `first`."""
    return _later(first, 12) - _DAY
