"""`drillctl run`: the production path."""

import typer

from orchestrator.cli.conduct import Stage, begin, carry_through, refuse_lever
from orchestrator.cli.options import (
    DEFAULT_SITE,
    Down,
    DrillName,
    Json,
    ResponseOption,
    Settings,
    Site,
    Wait,
    planned,
)
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
    wait: Wait = False,
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
    stage = Stage.of(places, site, as_json=as_json)
    refuse_lever(stage)
    raise typer.Exit(carry_through(stage, begin(stage, loaded, plan, twin, owned=False, wait=wait), twin))
