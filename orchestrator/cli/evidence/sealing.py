"""`drillctl evidence seal`: the pack of a closed run that has none yet."""

import json

import typer
from rich.console import Console

from orchestrator.cli.closing import Keeping
from orchestrator.cli.options import DEFAULT_SITE, Json, RunId, Site
from orchestrator.engine.log import Assignment
from orchestrator.errors import Refused
from orchestrator.journal import CLOSED
from orchestrator.wiring.places import Place, Places, copy_of


def sealing(run: RunId, site: Site = DEFAULT_SITE, as_json: Json = False) -> None:
    """Seal a closed run that has no pack: its sealing was refused, or the machine went down before it."""
    places = Places()
    console = Console(stderr=as_json, soft_wrap=True, highlight=False)
    journal = places.journal(places.site_name(site))
    try:
        state = journal.state(run)
        if state.status != CLOSED:
            found = f"expected run {run} to be closed, found it {state.status}"
            raise Refused("RUN_OPEN", f"{found}; `drillctl status {run}` says what it needs")
        copy = copy_of(state)
        on_site = Place.read(state.place).on_site
        keeping = Keeping.of(places, copy, console.print, home=places.site_folder(site), on_site=on_site)
        job, events = Assignment(run, state.epoch, state.plan, copy.topology, state.folder), journal.events(run)
        left = keeping.seal(job, events, keeping.record(job, events))
    finally:
        journal.close()
    console.print(f"evidence: {left.evidence}\n  {left.said}")
    if as_json:
        typer.echo(json.dumps({"run": run, "evidence": str(left.evidence)}))
