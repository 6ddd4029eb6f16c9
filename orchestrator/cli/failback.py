"""`drillctl failback`: the plan that brings home what an incident has moved; touches nothing. `run` carries it out."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.homeward import plan_home
from orchestrator.cli.needs import on_site
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.permission import By, Desk, asked
from orchestrator.cli.show import show_plan
from orchestrator.model.approval import Kept
from orchestrator.planner import Request
from orchestrator.wiring.places import Places


def failback(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The incident's run; `drillctl status` lists them.")],
    save: Annotated[bool, typer.Option("--save", help="Keep it on file, to be approved; prints its id last.")] = False,
    by: By = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Print the plan that brings home what an incident has moved. Once it is approved, `run` carries it out."""
    places = Places()
    loaded = places.site(site)
    today = datetime.fromtimestamp(SystemClock().now(), ZoneInfo(loaded.topology.site.timezone)).date()
    made = plan_home(places, loaded, run, today)
    if save:
        desk = Desk.of(places, loaded)
        request = Request(made.mode, today, made.parameters, made.response, made.out_of_service)
        desk.file.save(Kept(plan=made, request=asked(desk.person(by), request)))
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
    else:
        show_plan(Console(soft_wrap=True), made)
    if save:
        said = f"on file as {made.id}; next: `drillctl approve {made.id} --by PERSON --window ID{on_site(site)}`"
        typer.echo(said, err=as_json)
