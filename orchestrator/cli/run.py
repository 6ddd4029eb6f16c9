"""`drillctl run`: the production path."""

import typer

from orchestrator.cli.conduct import conduct
from orchestrator.cli.options import DEFAULT_SITE, Down, DrillName, Json, ResponseOption, Settings, Site, planned
from orchestrator.errors import Refused
from orchestrator.model.drill import Mode
from orchestrator.twin import Twin
from orchestrator.wiring import Places


def run(
    drill: DrillName,
    settings: Settings = None,
    response: ResponseOption = None,
    down: Down = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Run a drill on the production path. Refused (NOT_APPROVED) except inside `drillctl twin exec`."""
    places = Places()
    loaded = places.site(site)
    plan = planned(places, loaded, drill, Mode.DRILL, settings, response, down)
    twin = Twin.current()
    if twin is None:
        raise Refused(
            "NOT_APPROVED",
            f"plan {plan.id} has no approval, and approvals do not exist yet; expected a twin, found the real network; "
            f"try it with `drillctl twin up NAME` and `drillctl twin exec NAME -- drillctl run {drill}`",
        )
    raise typer.Exit(conduct(places, loaded, plan, twin, as_json))
