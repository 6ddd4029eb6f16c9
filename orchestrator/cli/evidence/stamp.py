"""`drillctl evidence stamp`: add the time stamps that were not to be had when packs were sealed."""

from typing import Annotated

import typer

from orchestrator.cli.evidence.shelf import Shelf, show
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.errors import Refused
from orchestrator.evidence.pack import Seals
from orchestrator.evidence.seal import complete, stamp_head
from orchestrator.ports import Stamper
from orchestrator.wiring.places import Places


def stamp(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="A run's id; without it, every one that waits.")
    ] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Stamp signed packs and the ledger's head. Nothing of what is sealed is changed."""
    shelf = Shelf.of(Places(), site)
    runs = [run] if run else shelf.unstamped()
    for name in runs:
        sealed = complete(shelf.pack(name), _stamper(shelf.seals(name)))
        shelf.tell(name, sealed)
        show(name, sealed, as_json=as_json)
    if runs:
        _head(shelf, shelf.seals(runs[-1]))
    elif not as_json:
        typer.echo("every signed pack has its stamp")


def _stamper(seals: Seals) -> Stamper:
    if seals.stamper is None:
        raise Refused("NO_STAMP", "expected a time-stamping authority in evidence.yml (stamping), found none")
    return seals.stamper


def _head(shelf: Shelf, seals: Seals) -> None:
    folder, certificates = shelf.places.ledger, seals.authority
    if certificates and seals.stamper and (folder / "head.json.p7s").is_file():
        stamp_head(folder, seals.stamper, certificates)
