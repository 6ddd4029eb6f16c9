"""`drillctl abort`: ask a run, from outside, to stop and go back."""

import getpass
import json
import secrets
import sys
from pathlib import Path
from time import sleep
from typing import Annotated

import typer
from rich.console import Console

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.live import PlainLines
from orchestrator.cli.needs import as_data, needed, on_site, said, show_needs, standing_of
from orchestrator.cli.options import DEFAULT_SITE, Json, RunId, Site
from orchestrator.errors import Refused
from orchestrator.history import plan_now
from orchestrator.journal import CLOSED, RunState, SqliteJournal
from orchestrator.model.drill import Mode
from orchestrator.wiring.places import Places

_FOLLOW_S = 600.0  # our choice: longer than any drill needs to go back
_LOOK_EVERY_S = 0.2  # our choice


def abort(
    run: RunId,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the report.")
    ] = "not stated",
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Only ask; without it a terminal shows what the run does then.")
    ] = False,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Ask a run to stop, go back and prove it; an incident stops and holds. Its locks stay until it is closed."""
    places = Places()
    journal = places.journal(places.site_name(site))
    try:
        state = journal.state(run)
        if state.status == CLOSED:
            raise Refused("RUN_CLOSED", f"run {run} is closed: there is nothing left to abort")
        seen = len(journal.events(run))
        data = {"by": getpass.getuser(), "reason": reason}
        journal.post(run, "abort", data, f"abort-{run}-{secrets.token_hex(8)}")
        if as_json:
            typer.echo(json.dumps(as_data(standing_of(journal, run)), ensure_ascii=False))
            return
        console = Console(soft_wrap=True, highlight=False)
        is_incident = plan_now(state.plan, journal.events(run)).mode is Mode.INCIDENT
        if _answer(console, state, site, is_incident=is_incident) and not no_wait and sys.stdout.isatty():
            _follow(console, journal, state, site, seen)
    finally:
        journal.close()


def _answer(console: Console, state: RunState, site: Path, *, is_incident: bool) -> bool:
    """Say what becomes of it; whether an orchestrator is at work, which heeds it at once."""
    run = state.run
    if not state.is_attended(SystemClock().now()):
        console.print(f"noted; no orchestrator is at work on it: `drillctl resume {run}{on_site(site)}` carries it out")
        return False
    does = "stops and holds" if is_incident else "goes back"
    if state.plan.fails_back:
        does = "ends before anything has moved; after that it goes on, for it is the way back itself, and does so"
    console.print(f"asked: process {state.process['pid']} of {state.owner} {does} now")
    return True


def _follow(console: Console, journal: SqliteJournal, state: RunState, site: Path, seen: int) -> None:
    """The run's events after the first `seen`, as they come, until nobody is at work on it any more."""
    lines = PlainLines(console, state.plan, Places().timezone(site))
    clock = SystemClock()
    end = clock.monotonic() + _FOLLOW_S
    while clock.monotonic() < end:
        events = journal.events(state.run)
        for event in events[seen:]:
            lines.event(event)
        seen = len(events)
        standing = standing_of(journal, state.run)
        if standing.word != "running":
            show_needs(console, [said(standing), *needed(standing, site)])
            return
        sleep(_LOOK_EVERY_S)
    console.print(
        f"still under way after {_FOLLOW_S / 60:.0f} min; `drillctl status {state.run}{on_site(site)}` shows it"
    )
