"""`drillctl report`: write a run's report again from its own folder."""

import json
from typing import Annotated

import typer

from orchestrator.cli.options import Json
from orchestrator.errors import DefinitionError
from orchestrator.model.record import RunRecord
from orchestrator.report.render import write
from orchestrator.wiring import Places


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id; `drillctl status` lists them.")],
    as_json: Json = False,
) -> None:
    """Write the report of a closed run again, from the run's own run.json; prints the paths."""
    folder = Places().reports / run
    if not (folder / "run.json").is_file():
        raise DefinitionError(
            f"expected {folder}/run.json of a closed run, found none; `drillctl status` lists the runs"
        )
    record = RunRecord.model_validate_json((folder / "run.json").read_text(encoding="utf-8"))
    paths = write(record, folder)
    if as_json:
        typer.echo(json.dumps({language: str(path) for language, path in paths.items()}))
        return
    for language, path in paths.items():
        typer.echo(f"report {language}: {path}")
