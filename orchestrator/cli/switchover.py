"""`drillctl switchover`: the plan of a drill as the answer to a real fault. Nothing is injected, nothing goes back."""

from typing import Annotated

import typer

from orchestrator.cli.conduct import Stage, begin, carry_through, refuse_lever
from orchestrator.cli.options import DEFAULT_SITE, Down, Json, ResponseOption, Settings, Site, Wait, disaster_of
from orchestrator.cli.permission import By, Desk, Key, Start, kept_or_made
from orchestrator.cli.run import twin_or_site
from orchestrator.errors import DefinitionError, Refused
from orchestrator.model.drill import Mode
from orchestrator.wiring.places import Places


def switchover(  # noqa: PLR0913, PLR0917 - one option each
    plan: Annotated[
        str, typer.Argument(metavar="PLAN|DRILL", help="A plan on file, or the drill that fits the fault.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What has happened; it stands in the report.")
    ],
    break_glass: Annotated[
        bool, typer.Option("--break-glass", help="Begin alone; somebody else reviews it afterwards.")
    ] = False,
    occurred: Annotated[
        str | None, typer.Option("--occurred", metavar="TIME", help="When the disaster occurred, for D+N.")
    ] = None,
    declared: Annotated[
        str | None, typer.Option("--declared", metavar="TIME", help="When it was declared; default: now.")
    ] = None,
    again: Annotated[
        str,
        typer.Option("--again", metavar="REASON", help="Why gateways that were just switched are switched again."),
    ] = "",
    settings: Settings = None,
    response: ResponseOption = None,
    down: Down = None,
    by: By = None,
    key: Key = None,
    site: Site = DEFAULT_SITE,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Switch over in an incident: checks are recorded and hold nothing up; only what is down is moved, nothing back."""
    if not reason.strip():
        raise DefinitionError("--reason: expected what has happened, found nothing")
    places = Places()
    loaded = places.site(site)
    desk = Desk.of(places, loaded)
    operator = desk.person(by)
    kept = kept_or_made(desk, plan, Mode.INCIDENT, operator, settings, response, down)
    if kept.plan.mode is not Mode.INCIDENT:
        raise Refused("OTHER_MODE", f"expected a plan for an incident, found {plan} for a {kept.plan.mode}; use run")
    stage = Stage.of(places, site, as_json=as_json)
    refuse_lever(stage)
    zone = loaded.topology.site.timezone
    disaster = disaster_of(occurred, declared, zone)
    start = Start(desk, kept, operator, key, reason, break_glass, disaster=disaster, again=again.strip())
    twin = twin_or_site(start, "switchover")
    opened = begin(stage, loaded, kept.plan, twin, owned=False, wait=wait, permission=start)
    raise typer.Exit(carry_through(stage, opened, twin))
