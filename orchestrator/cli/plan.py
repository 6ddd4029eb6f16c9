"""`drillctl plan`: what a drill would do here; touches nothing."""

from typing import Annotated

import typer
from rich.console import Console

from orchestrator.cli.announcement import AnnouncementFile, PhaseOption, announced_for
from orchestrator.cli.options import (
    DEFAULT_SITE,
    Down,
    DrillName,
    Json,
    ResponseOption,
    Settings,
    Site,
    asked_for,
    planned,
)
from orchestrator.cli.permission import By, Desk, asked
from orchestrator.cli.runbook import Runbook, To, tell_runbook, write_runbook
from orchestrator.cli.show import show_plan
from orchestrator.errors import DefinitionError
from orchestrator.model.approval import Kept
from orchestrator.model.drill import Mode
from orchestrator.model.plan import Plan
from orchestrator.planner import Request
from orchestrator.wiring.places import Places


def plan(  # noqa: PLR0913, PLR0917 - one option each
    drill: DrillName,
    settings: Settings = None,
    response: ResponseOption = None,
    mode: Annotated[Mode, typer.Option("--mode", help="For whom the plan is made.")] = Mode.REHEARSAL,
    down: Down = None,
    announcement: AnnouncementFile = None,
    phase: PhaseOption = None,
    site: Site = DEFAULT_SITE,
    save: Annotated[bool, typer.Option("--save", help="Keep it on file, to be approved; prints its id last.")] = False,
    by: By = None,
    runbook: Runbook = False,
    to: To = None,
    as_json: Json = False,
) -> None:
    """Print the plan of a drill: every gateway affected, every step, or the refusal. Touches nothing."""
    places = Places()
    loaded = places.site(site)
    announced = announced_for(places, loaded, drill, announcement, phase)
    made = planned(places, loaded, drill, mode, settings, response, down, announced)
    paper = write_runbook(loaded, made, to, wanted=runbook) if runbook or to else None
    if save:
        _save(Desk.of(places, loaded), made, by, asked_for(loaded, mode, settings, response, down, announced))
    if paper:
        tell_runbook(made, paper, as_json=as_json)
    elif as_json:
        typer.echo(made.model_dump_json(indent=2))
    else:
        show_plan(Console(soft_wrap=True), made)
    if save and not as_json:
        typer.echo(f"on file as {made.id}; next: `drillctl approve {made.id} --by PERSON`")


def _save(desk: Desk, made: Plan, by: str | None, request: Request) -> None:
    """A rehearsal needs no approval, and one that is saved could never be run."""
    if made.mode is Mode.REHEARSAL:
        raise DefinitionError("--save: expected --mode drill or incident, found rehearsal, which needs no approval")
    desk.file.save(Kept(plan=made, request=asked(desk.person(by), request)))
