"""`drillctl evidence keygen`: local keys for rehearsals."""

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.evidence.keys import make_local_keys
from orchestrator.wiring.places import Places


def keygen(
    organisation: Annotated[
        str | None,
        typer.Option("--organisation", metavar="NAME", help="In the certificates; default: the site's name."),
    ] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Make a local authority, a signer, a stamping key and an SM2 key, labelled internal: they name nobody."""
    places = Places()
    name = places.site_name(site)
    now = datetime.fromtimestamp(SystemClock().now(), UTC)
    made = make_local_keys(places.keys(name), organisation or name, now)
    if as_json:
        typer.echo(json.dumps({"folder": str(places.keys(name)), "fingerprint": made.fingerprint}))
        return
    typer.echo(f"keys for rehearsals: {places.keys(name)}")
    typer.echo(f"fingerprint of the signer (sha256): {made.fingerprint}")
    typer.echo("they are labelled internal and prove nothing to a third party: a real drill needs the firm's own")
