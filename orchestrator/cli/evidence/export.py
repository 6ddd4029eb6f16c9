"""`drillctl evidence export`: a run's sealed pack as one ZIP file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import Json, RunId
from orchestrator.errors import DefinitionError
from orchestrator.evidence import export as packing
from orchestrator.evidence.manifest import is_name
from orchestrator.evidence.names import PACK
from orchestrator.wiring.places import Places


def export(
    run: RunId,
    to: Annotated[Path, typer.Option("--to", metavar="FILE.zip", help="A new file; one that is there stays.")],
    as_json: Json = False,
) -> None:
    """Write a run's sealed pack as one ZIP file; the same pack gives the same bytes."""
    folder = Places().reports / run
    if not is_name(run) or "/" in run or not folder.is_dir():
        raise DefinitionError(
            f"expected a run in {folder.parent}, found none called {run}; `drillctl status` lists them"
        )
    digest = packing.export(folder / PACK, run, to.absolute())
    if as_json:
        typer.echo(json.dumps({"run": run, "file": str(to), "sha256": digest}))
        return
    typer.echo(f"{to}\nsha256 {digest}")
