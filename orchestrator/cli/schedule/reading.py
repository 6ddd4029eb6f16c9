"""What the verbs of the schedule share: the schedule with all that it is judged by, and how an entry is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.evidence.keeping import reading
from orchestrator.errors import DefinitionError
from orchestrator.evidence.scheduled import held
from orchestrator.loader.calendar import load_calendar
from orchestrator.loader.drill import load_drills
from orchestrator.loader.schedule import load_schedule
from orchestrator.loader.site import LoadedSite
from orchestrator.model.calendar import SiteCalendar
from orchestrator.model.drill import Mode
from orchestrator.model.evidence import LedgerLine
from orchestrator.model.local_time import local, moment
from orchestrator.model.schedule import Schedule
from orchestrator.planner.subjects import NoSubject, subjects
from orchestrator.rules.schedule import Entry, EntryState, Held, Subject, entries, horizon
from orchestrator.wiring.places import Places

From = Annotated[
    str | None, typer.Option("--from", metavar="DATE", help="The first day, as 2026-12-01; default: today.")
]
STATE = {
    EntryState.IN_WINDOW: "in window {} ({})",
    EntryState.PLANNED: "planned, no window yet",
    EntryState.PROVISIONAL: "待定 (provisional)",
    EntryState.NO_DAY: "no free day in its period",
}


@dataclass(frozen=True)
class Book:
    """A site's schedule, and what it is judged by. `now` is local."""

    places: Places
    site: LoadedSite
    schedule: Schedule
    calendar: SiteCalendar
    subjects: Sequence[Subject]
    refused: Sequence[NoSubject]
    now: datetime

    @property
    def name(self) -> str:
        return self.site.topology.site.name

    @property
    def zone(self) -> str:
        return self.site.topology.site.timezone

    @cached_property
    def lines(self) -> list[LedgerLine]:
        return reading(self.places).lines()

    @cached_property
    def held(self) -> list[Held]:
        return held(self.lines, self.name, self.zone)

    def planned(self, first: date, last: date) -> list[Entry]:
        return entries(self.schedule, self.subjects, self.calendar, self.zone, first, last)


def book(name: Path) -> Book:
    """Everything, read and checked. DefinitionError: one of the files is wrong, or there is no schedule."""
    places = Places()
    site = places.site(name)
    drills = load_drills(places.drills)
    schedule = load_schedule(site.folder, drills)
    now = local(SystemClock().now(), site.topology.site.timezone)
    found, refused = subjects(schedule, {item.drill: item for item in drills}, site.topology, now.date())
    return Book(places, site, schedule, load_calendar(site.folder), found, refused, now)


def year(known: Book, text: str | None) -> tuple[date, date]:
    """The twelve months from `--from`, or from today."""
    first = known.now.date() if text is None else day_of("--from", text)
    return first, horizon(first)


def day_of(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise DefinitionError(f"{option} {text}: expected a day as 2026-12-01, found {text!r}") from error


def state_of(entry: Entry) -> str:
    """How far its day is settled, in words."""
    window = entry.window
    return STATE[entry.state].format(window.id, window.number) if window else _unsettled(entry)


def _unsettled(entry: Entry) -> str:
    is_rehearsal = entry.subject.rule.mode is Mode.REHEARSAL
    return "planned, on the twin" if is_rehearsal and entry.state is EntryState.PLANNED else STATE[entry.state]


def fault_of(entry: Entry) -> str:
    """What fails, in both languages; a name that is the same in both stands once."""
    fault = entry.subject.fault
    return fault.en if fault.en == fault.zh else f"{fault.en} {fault.zh}"


def begin(entry: Entry) -> str:
    """The command that begins it, as an operator types it."""
    return "drillctl run PLAN" if entry.subject.rule.mode is Mode.DRILL else f"drillctl rehearse {request(entry)}"


def request(entry: Entry) -> str:
    """The drill with its parameters, as `plan` and `rehearse` take them."""
    settings = "".join(f" --set {name}={value}" for name, value in entry.subject.parameters)
    return f"{entry.subject.rule.drill}{settings}"


def as_data(known: Book, entry: Entry) -> dict[str, Any]:
    """One entry as plain data. Moments are seconds since the epoch beside the local times."""
    rule = entry.subject.rule
    return {
        "id": entry.id,
        "rule": rule.id,
        "drill": rule.drill,
        "title": rule.title.model_dump(),
        "fault": entry.subject.fault.model_dump(),
        "parameters": dict(entry.subject.parameters),
        "mode": rule.mode.value,
        "clauses": list(rule.clauses),
        "policy": rule.policy,
        "state": entry.state.value,
        "window": entry.window.model_dump(mode="json") if entry.window else None,
        "begins": entry.begins.isoformat(),
        "ends": entry.ends.isoformat(),
        "begins_at": moment(entry.begins, known.zone),
        "prepare_on": str(entry.prepare_on),
        "period": [str(entry.first), str(entry.last)],
    }
