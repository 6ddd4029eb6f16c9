"""`drillctl run`: a drill on the production path."""

from typing import Annotated

import typer

from orchestrator.cli.announcement import AnnouncementFile, PhaseOption, announced_for
from orchestrator.cli.conduct import Stage, begin, carry_through, refuse_lever
from orchestrator.cli.options import DEFAULT_SITE, Down, Json, ResponseOption, Settings, Site, Wait
from orchestrator.cli.permission import By, Desk, Key, Start, kept_or_made
from orchestrator.errors import Refused
from orchestrator.model.drill import Mode
from orchestrator.twin import Twin
from orchestrator.wiring.places import Places


def run(  # noqa: PLR0913, PLR0917 - one option each
    plan: Annotated[
        str, typer.Argument(metavar="PLAN|DRILL", help="A plan on file, or the drill that it was made of.")
    ],
    settings: Settings = None,
    response: ResponseOption = None,
    down: Down = None,
    announcement: AnnouncementFile = None,
    phase: PhaseOption = None,
    by: By = None,
    key: Key = None,
    site: Site = DEFAULT_SITE,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Run a plan on the production path: approved by somebody else, in its window, its start signed by the operator."""
    places = Places()
    loaded = places.site(site)
    desk = Desk.of(places, loaded)
    operator = desk.person(by)
    announced = None
    if not desk.file.has(plan) or announcement or phase:
        announced = announced_for(places, loaded, plan, announcement, phase)
    kept = kept_or_made(desk, plan, Mode.DRILL, operator, settings, response, down, announced)
    if kept.plan.mode is not Mode.DRILL:
        raise Refused(
            "OTHER_MODE", f"expected a plan for a drill, found {plan} for an {kept.plan.mode}; use switchover"
        )
    stage = Stage.of(places, site, as_json=as_json)
    refuse_lever(stage)
    start = Start(desk, kept, operator, key)
    twin = twin_or_site(start, "run")
    opened = begin(stage, loaded, kept.plan, twin, owned=False, wait=wait, permission=start)
    raise typer.Exit(carry_through(stage, opened, twin))


def twin_or_site(start: Start, verb: str) -> Twin | None:
    """Where the production path leads: the twin that this process is in, else the real site, if the site says how its
    hosts are reached. What is not permitted is refused as that.
    """
    start.refuse()
    plan, twin = start.kept.plan, Twin.current()
    if twin is None and start.desk.site.access is None:
        raise Refused(
            "REAL_SITE",
            f"plan {plan.id} may be carried out, but expected {start.desk.site.folder / 'access.yml'}, which says how "
            "the hosts of this site are reached, found none; nothing was contacted. Write one "
            f"(docs/how-to/first-real-site.md), or use a twin: `drillctl twin exec NAME -- drillctl {verb} {plan.id}`",
        )
    return twin
