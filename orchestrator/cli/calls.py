"""`drillctl calls`: whom to call now, and which calls were made while a run lasted."""

import getpass
import json
import secrets
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.call_list import Asked, as_data, show_list
from orchestrator.cli.needs import on_site, said, standing_of
from orchestrator.cli.options import DEFAULT_SITE, Json, RunId, Site
from orchestrator.cli.sentences import call_in_words
from orchestrator.errors import DefinitionError, DrillctlError, Refused
from orchestrator.history import call_of
from orchestrator.history import calls as calls_of
from orchestrator.journal import CLOSED, RunState, SqliteJournal
from orchestrator.loader.calendar import load_calendar
from orchestrator.loader.people import load_people, zone_of
from orchestrator.model.base import Title
from orchestrator.model.people import People
from orchestrator.rules.calls import call_list
from orchestrator.wiring.places import Places, copy_of

calls = typer.Typer(help="Whom to call now; note calls of a run.", invoke_without_command=True)

_Whom = Annotated[str, typer.Argument(metavar="CONTACT", help="An id of people.yml; `drillctl calls` shows them.")]
_Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="What was said; it stands in the report.")]


@calls.callback()
def show(
    context: typer.Context,
    run: Annotated[str | None, typer.Option("--run", metavar="RUN", help="A run, with its calls so far.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="As 2026-11-21T03:00, in the site's time; default: now.")
    ] = None,
    purpose: Annotated[
        str, typer.Option("--purpose", metavar="TEXT", help="Contacts for this only, e.g. certificate or carrier.")
    ] = "",
    working_day: Annotated[
        bool | None,
        typer.Option("--working-day/--no-working-day", help="What the day is, where the calendar does not know."),
    ] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Whom to call now: the firm's own people by role, then the contacts that answer at this hour, then the others."""
    if context.invoked_subcommand:
        return
    places = Places()
    folder = places.site_folder(site)
    asked = Asked(_moment(at, ZoneInfo(zone_of(folder))), working_day, _known(folder))
    log = None if run is None else _log(places, site, run)
    people = load_people(folder)
    found = call_list(people, asked.at, asked.working, purpose)
    if purpose and not found.contacts:
        known = ", ".join(sorted({item.kind.value for item in people.contacts})) or "none"
        raise DefinitionError(
            f"--purpose: expected a kind ({known}) or words of a purpose in people.yml, found {purpose!r}"
        )
    if as_json:
        typer.echo(json.dumps(as_data(asked, found) | (log or {}), ensure_ascii=False))
        return
    show_list(Console(highlight=False), asked, found, log)


def _known(folder: Path) -> Callable[[date], bool | None]:
    """The site's calendar; who has to call somebody is not kept from it by a calendar that is wrong."""
    try:
        return load_calendar(folder).working_day
    except DrillctlError:
        return lambda _day: None


def _moment(text: str | None, zone: ZoneInfo) -> datetime:
    """A time without an offset is the site's."""
    if text is None:
        return datetime.fromtimestamp(SystemClock().now(), zone)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise DefinitionError(f"--at: expected a time as 2026-11-21T03:00, found {text!r}") from error
    return at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)


def _log(places: Places, site: Path, run: str) -> dict[str, Any]:
    """How the run stands and which calls were noted, those that it has not taken yet among them."""
    journal = places.journal(places.site_name(site))
    try:
        standing = standing_of(journal, run)
        noted = [*calls_of(journal.events(run)), *standing.calls]
    finally:
        journal.close()
    return {"run": run, "state": said(standing), "calls": [item.model_dump(mode="json") for item in noted]}


@calls.command()
def placed(
    run: RunId,
    contact: _Whom,
    note: _Note = "",
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who calls; without it, the user.")] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Note that somebody was called."""
    _record(run, contact, {"did": "placed", "by": _named("--by", by) or getpass.getuser()}, note, site, as_json=as_json)


@calls.command()
def answered(
    run: RunId,
    contact: _Whom,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who was on the phone.")],
    note: _Note = "",
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Note that a call was answered, by whom, and what they said."""
    told = {"did": "answered", "by": getpass.getuser(), "answered_by": _named("--by", by)}
    _record(run, contact, told, note, site, as_json=as_json)


def _named(option: str, text: str | None) -> str | None:
    if text is not None and not text.strip():
        raise DefinitionError(f"{option}: expected a name, found nothing")
    return text and text.strip()


def _record(run: str, contact: str, told: dict[str, Any], note: str, site: Path, *, as_json: bool) -> None:
    places = Places()
    journal = places.journal(places.site_name(site))
    try:
        state = journal.state(run)
        _need_open(state)
        name = _name_of(contact, state, places.site_folder(site))
        data = {**told, "contact": contact, "name": name.model_dump(), "note": note.strip(), "at": SystemClock().now()}
        key = f"call-{run}-{secrets.token_hex(8)}"
        journal.post(run, "call", data, key)
        _need_heard(journal, run, key)
        _answer(journal.state(run), data, site, as_json=as_json)
    finally:
        journal.close()


def _need_open(state: RunState) -> None:
    if state.status == CLOSED:
        raise Refused("RUN_CLOSED", f"run {state.run} is closed and its record is complete: no call can be added to it")


def _need_heard(journal: SqliteJournal, run: str, key: str) -> None:
    """It may have been closed at this very moment, without having heard of the call."""
    if any(item.key == key for item in journal.waiting(run)):
        _need_open(journal.state(run))


def _name_of(contact: str, state: RunState, folder: Path) -> Title:
    """By people.yml as it is now, or as it was when the run began: numbers are mended while a run lasts."""
    names: dict[str, Title] = {}
    for people in (_people_then(state), _people_now(folder)):
        names |= {item.id: item.name for item in people.people}
        names |= {item.id: item.organisation for item in people.contacts}
    if contact not in names:
        raise DefinitionError(
            f"CONTACT: expected an id of people.yml ({', '.join(names) or 'none'}), found {contact!r}"
        )
    return names[contact]


def _people_then(state: RunState) -> People:
    try:
        return copy_of(state).topology.people
    except DrillctlError:
        return People()


def _people_now(folder: Path) -> People:
    try:
        return load_people(folder)
    except DrillctlError:
        return People()


def _answer(state: RunState, data: dict[str, Any], site: Path, *, as_json: bool) -> None:
    """Say whether it is on record at once, or when."""
    attended = state.is_attended(SystemClock().now())
    if as_json:
        call = call_of(data).model_dump(mode="json")
        typer.echo(json.dumps({"run": state.run, "call": call, "attended": attended}, ensure_ascii=False))
        return
    later = f"; no orchestrator is at work on it: `drillctl resume {state.run}{on_site(site)}` puts it on record"
    typer.echo(f"noted: {call_in_words(call_of(data))}{'' if attended else later}")
