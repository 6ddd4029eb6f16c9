"""`drillctl schedule ics`: the coming year for people's calendars (iCalendar, RFC 5545)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from icalendar import Alarm, Calendar, Event

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.schedule.following import to_do
from orchestrator.cli.schedule.reading import Book, From, book, state_of, year
from orchestrator.errors import DefinitionError
from orchestrator.evidence.disk import replace
from orchestrator.rules.schedule import Entry, EntryState


def ics(
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where to write; default: stdout.")] = None,
    first: From = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Write the entries of twelve months as a calendar; an entry keeps its UID, so that a later export moves it."""
    if as_json and to is None:
        raise DefinitionError("schedule ics --json: expected --to FILE beside it, found none: stdout is the calendar")
    known = book(site)
    planned = [entry for entry in known.planned(*year(known, first)) if entry.state is not EntryState.NO_DAY]
    text = _calendar(known, planned)
    if to is None:
        typer.echo(text.decode(), nl=False)
        return
    try:
        replace(to, text)
    except OSError as error:
        raise DefinitionError(f"--to {to}: expected a file that can be written, found: {error.strerror}") from error
    typer.echo(f'{{"entries": {len(planned)}}}' if as_json else f"wrote {to}: {len(planned)} entries")


def _calendar(known: Book, planned: list[Entry]) -> bytes:
    found = Calendar()
    found.add("prodid", "-//drillctl//schedule//EN")
    found.add("version", "2.0")
    found.add("x-wr-calname", f"drillctl {known.name}")
    for entry in planned:
        found.add_component(_event(known, entry))
    return bytes(found.to_ical())


def _event(known: Book, entry: Entry) -> Event:
    """Times in UTC, which every program reads alike. What is provisional is tentative."""
    rule, zone = entry.subject.rule, ZoneInfo(known.zone)
    provisional = entry.state is EntryState.PROVISIONAL
    event = Event()
    event.add("uid", f"{entry.id.replace('/', '-')}@{known.name}.drillctl")
    event.add("dtstamp", datetime.fromtimestamp(int(SystemClock().now()), UTC))
    event.add("dtstart", entry.begins.replace(tzinfo=zone).astimezone(UTC))
    event.add("dtend", entry.ends.replace(tzinfo=zone).astimezone(UTC))
    fault = entry.subject.fault
    event.add("summary", f"{'待定 ' if provisional else ''}{rule.title.zh}（{fault.zh}） {rule.title.en} ({fault.en})")
    event.add("description", "\n".join([f"{rule.mode.value}, {state_of(entry)}", *to_do(known, entry), rule.policy]))
    event.add("categories", list(rule.clauses))
    event.add("status", "CONFIRMED" if entry.state is EntryState.IN_WINDOW else "TENTATIVE")
    event.add_component(_alarm(entry))
    return event


def _alarm(entry: Entry) -> Alarm:
    """When preparation begins."""
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", f"prepare {entry.subject.name}")
    alarm.add("trigger", -timedelta(days=entry.subject.rule.lead_days))
    return alarm
