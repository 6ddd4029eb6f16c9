"""`drillctl rehearse`: the whole drill on a twin of the site."""

import typer

from orchestrator.cli.announcement import AnnouncementFile, PhaseOption, announced_for
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
from orchestrator.cli.surprise import Beside, SurpriseOption, UntilOption, surprise_of
from orchestrator.loader.site import LoadedSite
from orchestrator.model.drill import Mode
from orchestrator.model.plan import Plan
from orchestrator.twin import Twin
from orchestrator.wiring.places import Places
from orchestrator.wiring.runs import OpenRun


def rehearse(  # noqa: PLR0913, PLR0917 - one option each
    drill: DrillName,
    settings: Settings = None,
    response: ResponseOption = None,
    down: Down = None,
    announcement: AnnouncementFile = None,
    phase: PhaseOption = None,
    site: Site = DEFAULT_SITE,
    surprise: SurpriseOption = None,
    until: UntilOption = None,
    keep: bool = typer.Option(False, "--keep", help="Leave the twin up afterwards, to look around in it."),
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Rehearse a drill on a twin of the site: nothing outside this machine is contacted. Stamped SIMULATED."""
    places = Places()
    loaded = places.site(site)
    announced = announced_for(places, loaded, drill, announcement, phase)
    plan = planned(places, loaded, drill, Mode.REHEARSAL, settings, response, down, announced)
    unknown = surprise_of(loaded.topology, plan, surprise, until)
    stage = Stage.of(places, site, as_json=as_json)
    refuse_lever(stage)
    twin = Twin.current()
    if twin is not None:  # inside `drillctl twin exec`: the twin belongs to somebody else
        opened = begin(stage, loaded, plan, twin, owned=False, wait=wait)
    else:
        twin = Twin.up(loaded)
        opened = _begin_inside(stage, loaded, plan, twin, keep=keep)
    beside = [] if unknown is None else [Beside(unknown, twin)]
    raise typer.Exit(carry_through(stage, opened, twin, beside))


def _begin_inside(stage: Stage, site: LoadedSite, plan: Plan, twin: Twin, *, keep: bool) -> OpenRun:
    """Nobody else knows the new twin. As long as no run is on record, it goes with whatever fails."""
    try:
        twin.enter()
        return begin(stage, site, plan, twin, owned=not keep, wait=False)
    except BaseException:
        if not keep:
            twin.down()
        raise
