"""`drillctl evidence import`: take in a signature that was made elsewhere, e.g. by an EKey vendor's tool."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.evidence.shelf import Shelf, show
from orchestrator.cli.options import DEFAULT_SITE, Json, RunId, Site
from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence.seal import complete, import_signature
from orchestrator.wiring.places import Places


def importing(
    run: RunId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CMS signature of SHA256SUMS (DER or PEM).")],
    sm2: Annotated[bool, typer.Option("--sm2", help="A raw SM2 signature (DER) of SM3SUMS instead.")] = False,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Import a signature; it must be of this pack and by the certificate that the pack names. Then it is stamped."""
    if not file.is_file():
        raise DefinitionError(f"expected the signature {file}, found no such file")
    shelf = Shelf.of(Places(), site)
    sealed = import_signature(shelf.pack(run), file, sm2=sm2)
    stamper = shelf.seals(run).stamper
    if stamper is not None and not sm2 and "stamp" in sealed.pending:
        try:
            sealed = complete(shelf.pack(run), stamper)
        except Refused as error:
            typer.echo(f"no time stamp yet: {error}", err=True)
    shelf.tell(run, sealed)
    show(run, sealed, as_json=as_json)
