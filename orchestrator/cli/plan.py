"""`drillctl plan`: what a drill would do here; touches nothing."""

from typing import Annotated

import typer
from rich.console import Console

from orchestrator.cli.options import DEFAULT_SITE, Down, DrillName, Json, ResponseOption, Settings, Site, planned
from orchestrator.cli.show import show_plan
from orchestrator.model.drill import Mode
from orchestrator.wiring import Places


def plan(
    drill: DrillName,
    settings: Settings = None,
    response: ResponseOption = None,
    mode: Annotated[Mode, typer.Option("--mode", help="For whom the plan is made.")] = Mode.REHEARSAL,
    down: Down = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Print the plan of a drill: every gateway affected, every step, or the refusal. Touches nothing."""
    places = Places()
    loaded = places.site(site)
    made = planned(places, loaded, drill, mode, settings, response, down)
    if as_json:
        typer.echo(made.model_dump_json(indent=2))
        return
    show_plan(Console(soft_wrap=True), made)
