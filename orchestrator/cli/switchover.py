"""`drillctl switchover`: the plan of a drill as the answer to a real fault. Nothing is injected, nothing goes back."""

from datetime import timedelta
from typing import Annotated

import typer

from orchestrator.cli.conduct import Stage, begin, carry_through, refuse_lever
from orchestrator.cli.options import DEFAULT_SITE, Down, Json, ResponseOption, Settings, Site, Wait
from orchestrator.cli.permission import By, Desk, Key, begun_by, kept_or_made, statement
from orchestrator.cli.run import twin_or_refused
from orchestrator.errors import DefinitionError
from orchestrator.model.approval import StatementKind
from orchestrator.model.drill import Mode
from orchestrator.wiring import Places

_GLASS_COUNTS = timedelta(minutes=10)  # our choice: as a start; what is broken later is broken again


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
    stage = Stage.of(places, site, as_json=as_json)
    refuse_lever(stage)
    if break_glass:
        said = statement(StatementKind.BREAK_GLASS, kept, operator.id, lasts=_GLASS_COUNTS, reason=reason)
        desk.sign(said, key)
    permission = begun_by(desk, kept, operator, key, reason)
    twin = twin_or_refused(kept.plan, "switchover")
    opened = begin(stage, loaded, kept.plan, twin, owned=False, wait=wait, permission=permission)
    raise typer.Exit(carry_through(stage, opened, twin))
