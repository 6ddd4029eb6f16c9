"""`drillctl second-room`: the copy of the site in the second room, and going on with a run there."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.second_room import Claim, Standing, copy_site, standings
from orchestrator.adapters.second_room import take_over as take_over_run
from orchestrator.cli.needs import lasting, on_site
from orchestrator.cli.options import DEFAULT_SITE, Json, RunId, Site
from orchestrator.engine.progress import Progress
from orchestrator.errors import DefinitionError, Refused
from orchestrator.journal import Room, SqliteJournal
from orchestrator.loader.people import load_people
from orchestrator.wiring.places import Places

second_room = typer.Typer(
    help="The copy of state and runs in the second room, and going on with a run there.", no_args_is_help=True
)


@second_room.command()
def prepare(site: Site = DEFAULT_SITE, as_json: Json = False) -> None:
    """Make the folder of DRILLCTL_SECOND_ROOM ready, once, while it is mounted. No other is ever written to."""
    _, room = _room(site)
    made = room.prepare()
    if as_json:
        typer.echo(json.dumps({"folder": str(room.home), "made": made}, ensure_ascii=False))
        return
    typer.echo(f"{room.home} is ready" if made else f"{room.home} was ready already")


@second_room.command()
def status(site: Site = DEFAULT_SITE, as_json: Json = False) -> None:
    """Show each run of the copy with its last event, and how far it is behind the journal here. Exit 1 where it is."""
    places, room = _room(site)
    journal = _journal(places, site)
    try:
        found = standings(room, journal)
    finally:
        journal.close()
    if as_json:
        typer.echo(json.dumps({"folder": str(room.home), "runs": [asdict(item) for item in found]}, ensure_ascii=False))
    else:
        _show(found, room, places, site)
    raise typer.Exit(1 if any(item.behind or item.problem for item in found) else 0)


def _show(found: list[Standing], room: Room, places: Places, site: Path) -> None:
    console, zone, now = Console(soft_wrap=True, highlight=False), ZoneInfo(places.timezone(site)), SystemClock().now()
    if not found:
        console.print(f"{room.home}: no runs yet")
    for item in found:
        console.print(f"{item.run}  {_said(item, zone, now)}", markup=False)


def _said(item: Standing, zone: ZoneInfo, now: float) -> str:
    if item.problem:
        return item.problem
    if not item.events:
        return f"not in the copy: {item.behind} events behind"
    at = datetime.fromisoformat(item.last_at).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    parts = [f"{item.events} events, the last {item.last} at {at}"]
    if not item.closed:
        parts.append(f"not closed, last sign of life {lasting(max(0.0, now - item.last_sign_at))} ago")
    if item.behind and item.behind > 0:
        parts.append(f"{item.behind} events behind the journal here")
    elif item.behind:
        parts.append(f"{-item.behind} events more than the journal here")
    if item.torn:
        parts.append(f"its last line is torn ({item.torn} bytes, left out)")
    if item.taken_over:
        parts.append(f"taken over by {item.taken_over['by']} on {item.taken_over['machine']}")
    return "; ".join(parts)


@second_room.command()
def copy(
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare also what is there already, byte by byte; takes longer.")
    ] = False,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Copy reports, ledger and state into the second room. Finishes what was interrupted; deletes nothing there.

    Keys stay here. Exit 1 where sealed evidence differs there.
    """
    places, room = _room(site)
    name = places.site_name(site)
    done = copy_site(room, places.reports, places.state(name).absolute(), verify=verify)
    if as_json:
        typer.echo(json.dumps(asdict(done), ensure_ascii=False))
    else:
        typer.echo(f"{done.copied} files copied ({done.bytes} bytes), {done.there} there already")
        for path in done.differs:
            typer.echo(
                f"differs, left as it is there: {path}; `drillctl evidence verify` says which of the two is whole"
            )
    raise typer.Exit(1 if done.differs else 0)


@second_room.command("take-over")
def take_over(
    run: RunId,
    by: Annotated[str, typer.Option("--by", metavar="ID", help="Who answers for it: of people.yml.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; stands in the report.")],
    first_room_is_gone: Annotated[
        bool,
        typer.Option("--first-room-is-gone", help="You state that the first controller is no more, whatever it seems."),
    ] = False,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Build a run's state here from its copy; on the second controller, when the first is gone. Touches no host.

    Refused while the first gives signs of life. `drillctl resume` then goes on.
    """
    places, room = _room(site)
    _must_be_named(places.site_folder(site), by, reason)
    claim = Claim(by, reason.strip(), SystemClock().now(), first_room_is_gone)
    journal = _journal(places, site)
    try:
        copied = take_over_run(room, run, journal, places.reports, claim)
    finally:
        journal.close()
    last = copied.events[-1]
    if as_json:
        found = {
            "run": run,
            "events": last.seq,
            "last_at": last.at,
            "torn": copied.torn,
            "folder": str(places.reports / run),
        }
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    if copied.torn:
        typer.echo(f"the last line was torn: {copied.torn} bytes left out")
    typer.echo(f"run {run}: {last.seq} events taken over, the last {last.kind} at {last.at}")
    typer.echo("what came after that is not known here: each step that changes something is looked at before it begins")
    progress = Progress.of(copied.opening.plan, copied.events)
    if progress.may_promote() and not progress.promoted:
        typer.echo(f"if {run} was promoted, promote it again before resume")
    typer.echo(f"  drillctl resume {run}{on_site(site)}")


def _must_be_named(folder: Path, by: str, reason: str) -> None:
    known = [person.id for person in load_people(folder).people]
    if by not in known:
        raise DefinitionError(f"--by {by}: expected a person of people.yml ({', '.join(known) or 'it names none'})")
    if not reason.strip():
        raise DefinitionError("--reason: expected why, found nothing")


def _room(site: Path) -> tuple[Places, Room]:
    places = Places()
    room = places.second_room(places.site_name(site))
    if room is None:
        raise Refused(
            "SECOND_ROOM",
            "expected DRILLCTL_SECOND_ROOM to name the folder that is mounted from the second room, found nothing; set "
            "it on both controllers",
        )
    return places, room


def _journal(places: Places, site: Path) -> SqliteJournal:
    return places.journal(places.site_name(site))
