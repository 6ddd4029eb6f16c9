"""`drillctl rehearse`: the whole drill on a twin of the site."""

import typer

from orchestrator.cli.conduct import conduct
from orchestrator.cli.options import DEFAULT_SITE, Down, DrillName, Json, ResponseOption, Settings, Site, planned
from orchestrator.model.drill import Mode
from orchestrator.twin import Twin
from orchestrator.wiring import Places


def rehearse(
    drill: DrillName,
    settings: Settings = None,
    response: ResponseOption = None,
    down: Down = None,
    site: Site = DEFAULT_SITE,
    keep: bool = typer.Option(False, "--keep", help="Leave the twin up afterwards, to look around in it."),
    as_json: Json = False,
) -> None:
    """Rehearse a drill on a twin of the site: nothing outside this machine is contacted. Stamped SIMULATED."""
    places = Places()
    loaded = places.site(site)
    plan = planned(places, loaded, drill, Mode.REHEARSAL, settings, response, down)
    twin = Twin.current()
    if twin is not None:  # inside `drillctl twin exec`: the twin belongs to somebody else
        raise typer.Exit(conduct(places, loaded, plan, twin, as_json))
    twin = Twin.up(loaded)
    try:
        twin.enter()
        code = conduct(places, loaded, plan, twin, as_json)
    finally:
        if not keep:
            twin.down()
    raise typer.Exit(code)
