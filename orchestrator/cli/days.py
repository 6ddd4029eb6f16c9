"""Puts the trading days on record that a run's D+N is counted by: what is published later changes no verdict."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.markup import escape

from orchestrator.engine.log import Assignment
from orchestrator.errors import DrillctlError
from orchestrator.history import epoch_s, permit_of
from orchestrator.journal import SqliteJournal
from orchestrator.loader.calendar import load_calendar
from orchestrator.model.calendar import SiteCalendar, Trading
from orchestrator.model.disaster import KnownDays
from orchestrator.model.drill import Metric
from orchestrator.model.event import EventKind

_SPAN = timedelta(days=60)  # our choice: D+30 by trading days, with the longest holidays in between


def note_days(journal: SqliteJournal, job: Assignment, home: Path, said: Callable[[str], None]) -> None:
    """Once in a run, before its first step. Without a calendar that can be read, trading days are not judged."""
    plan, events = job.plan, journal.events(job.run)
    counted = plan.milestones or any(item.metric is Metric.DR_DEADLINE for item in plan.objectives)
    if not counted or any(event.kind in (EventKind.DAYS, EventKind.INTENT) for event in events):
        return
    try:
        calendar = load_calendar(home)
    except DrillctlError as error:
        said(f"[bold red]D+N by trading days is not judged[/]: {escape(str(error))}")
        return
    permit = permit_of(events)
    moments = [epoch_s(events[0])]
    if permit and permit.disaster:
        moments += [at for at in (permit.disaster.occurred_at, permit.disaster.declared_at) if at is not None]
    first = datetime.fromtimestamp(min(moments), ZoneInfo(job.topology.site.timezone))
    known = known_from(calendar, first)
    if known is not None:
        journal.append(job.run, job.epoch, EventKind.DAYS, known.model_dump(mode="json"))


def known_from(calendar: SiteCalendar, first: datetime) -> KnownDays | None:
    """The days from one on, as far as each is known. None: nothing is known of the first one."""
    days = [first.date() + timedelta(days=number) for number in range(_SPAN.days)]
    unknown = next((n for n, day in enumerate(days) if calendar.trading(day) is Trading.UNKNOWN), len(days))
    known = days[:unknown]
    if not known:
        return None
    trading = tuple(day for day in known if calendar.trading(day) is Trading.TRADING)
    return KnownDays(first=known[0], last=known[-1], trading=trading)
