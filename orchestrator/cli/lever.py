"""`drillctl lever`: stop every run of the site from going forward, and let them again."""

import getpass
import json
from dataclasses import asdict
from typing import Annotated

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.lever import LeverFile
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.errors import DefinitionError
from orchestrator.wiring.places import Places

lever = typer.Typer(help="The site-wide lever: while it is engaged, no run goes forward.", no_args_is_help=True)


@lever.command()
def engage(
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; everybody who is stopped reads it.")],
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who; without it, the user.")] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Nothing goes forward: runs go back, incidents stop and hold, new ones are refused. Restoration goes on."""
    if not reason.strip():
        raise DefinitionError("--reason: expected why, found nothing")
    made = _lever(site).engage(by or getpass.getuser(), reason, SystemClock().now())
    if as_json:
        typer.echo(json.dumps({"engaged": True, **asdict(made)}, ensure_ascii=False))
        return
    typer.echo(f"the lever is engaged: {made.said}; `drillctl lever release` lets runs go forward again")


@lever.command()
def release(site: Site = DEFAULT_SITE, as_json: Json = False) -> None:
    """Runs may go forward again. One that was stopped does not go on by itself."""
    found = _lever(site).release()
    if as_json:
        typer.echo(json.dumps({"engaged": False, "was": asdict(found) if found else None}, ensure_ascii=False))
        return
    typer.echo(f"the lever is released; it was engaged: {found.said}" if found else "the lever was not engaged")


def _lever(site: Site) -> LeverFile:
    places = Places()
    return places.lever(places.site_name(site))
