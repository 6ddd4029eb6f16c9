"""`drillctl promote`: a real fault has happened while a drill runs; the drill becomes the incident."""

import json
import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.evidence.keeping import said
from orchestrator.cli.needs import as_data, on_site, standing_of
from orchestrator.cli.options import DEFAULT_SITE, Json, RunId, Site
from orchestrator.cli.permission import By
from orchestrator.engine.progress import Progress
from orchestrator.errors import DefinitionError, Refused
from orchestrator.history import promotion
from orchestrator.journal import CLOSED, RunState, SqliteJournal
from orchestrator.model.drill import Mode
from orchestrator.model.people import Person, PersonRole
from orchestrator.wiring.places import Places, copy_of

MAY_PROMOTE = (PersonRole.OPERATOR, PersonRole.COMMANDER)


def promote(
    run: RunId,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What has happened; it stands in the report.")
    ],
    by: By = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Turn a running drill into an incident: its fault is lifted first, what is down is moved, nothing goes back."""
    text = said("--reason", reason)
    places = Places()
    journal = places.journal(places.site_name(site))
    try:
        state = journal.state(run)
        _refuse(journal, state)
        person = _person(state, by)
        journal.post(run, "promote", {"by": person.id, "reason": text}, f"promote-{run}-{secrets.token_hex(8)}")
        if as_json:
            typer.echo(json.dumps(as_data(standing_of(journal, run)), ensure_ascii=False))
            return
        _answer(Console(soft_wrap=True, highlight=False), state, site)
    finally:
        journal.close()


def _refuse(journal: SqliteJournal, state: RunState) -> None:
    """By name: what is no drill that still goes forward."""
    run, plan, events = state.run, state.plan, journal.events(state.run)
    if state.status == CLOSED:
        raise Refused("RUN_CLOSED", f"run {run} is closed: there is nothing left to promote; `drillctl switchover`")
    if plan.mode is not Mode.DRILL or plan.fails_back is not None:
        raise Refused(
            "OTHER_MODE", f"run {run}: expected a drill, found one of kind {plan.kind}; only a drill can be promoted"
        )
    waiting = [message.topic for message in journal.waiting(run)]
    if promotion(plan, events) is not None or "promote" in waiting:
        raise Refused("PROMOTED", f"run {run}: expected a drill, found it promoted already")
    if not Progress.of(plan, events).may_promote() or "abort" in waiting:
        raise Refused(
            "GOING_BACK",
            f"run {run}: expected a drill that still goes forward, found it on its way back; it restores everything "
            "and lets go of its locks, then `drillctl switchover`",
        )


def _person(state: RunState, name: str | None) -> Person:
    people = copy_of(state).topology.people.people
    found = next((person for person in people if person.id == name), None)
    if found is None:
        known = ", ".join(person.id for person in people) or "nobody"
        raise DefinitionError(f"--by: expected a person of people.yml ({known}), found {name or 'nothing'}")
    if not set(MAY_PROMOTE) & set(found.roles):
        wanted = " or ".join(MAY_PROMOTE)
        raise Refused("NO_RIGHT", f"expected {found.id} to have the role {wanted}, found {', '.join(found.roles)}")
    return found


def _answer(console: Console, state: RunState, site: Path) -> None:
    where = on_site(site)
    if state.is_attended(SystemClock().now()):
        console.print("asked: its fault is lifted before the next step; from there it is an incident")
    else:
        console.print(
            f"noted; no orchestrator is at work on it: `drillctl resume {state.run}{where}` carries it out",
            markup=False,
        )
    console.print(
        f"nothing goes back by itself any more; `drillctl abort {state.run}{where}` stops and holds, "
        f"`drillctl failback {state.run}{where}` brings it home later",
        markup=False,
    )
