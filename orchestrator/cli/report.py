"""`drillctl report`: write a run's report again, from what the run has on record."""

import json
from pathlib import Path
from typing import Annotated, get_args

import typer

from orchestrator.cli.options import Json
from orchestrator.errors import DefinitionError
from orchestrator.evidence.manifest import sha256
from orchestrator.evidence.names import PACK
from orchestrator.evidence.seal import EVIDENCE
from orchestrator.model.record import RunRecord
from orchestrator.report.render import write
from orchestrator.report.texts import Language
from orchestrator.wiring.places import Places


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's id; `drillctl status` lists them.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where to; without it, the run's own folder.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also as PDF, not signed; the pack has the signed one.")] = False,
    as_json: Json = False,
) -> None:
    """Write a run's report again: of a sealed run the very bytes that its pack holds; prints the paths."""
    home = Places().reports / run
    source = home / PACK if (home / PACK).is_dir() else home
    if not (source / "run.json").is_file():
        raise DefinitionError(f"expected {source}/run.json of a run, found none; `drillctl status` lists the runs")
    whole = (source / "run.json").read_bytes()
    record = RunRecord.model_validate_json(whole)
    digest = sha256((source / EVIDENCE).read_bytes()) if (source / EVIDENCE).is_file() else None
    folder = to or home
    folder.mkdir(parents=True, exist_ok=True)
    paths = write(record, folder, digest)
    if pdf:
        paths |= _as_pdf(record, folder, whole, digest)
    if as_json:
        typer.echo(json.dumps({language: str(path) for language, path in paths.items()}))
        return
    for language, path in paths.items():
        typer.echo(f"report {language}: {path}")


def _as_pdf(record: RunRecord, folder: Path, whole: bytes, digest: str | None) -> dict[str, Path]:
    from orchestrator.report.pdf import render_pdf  # noqa: PLC0415 - a second that only PDFs may take

    paths = {f"{language} pdf": folder / f"report.{language}.pdf" for language in get_args(Language)}
    for language, path in zip(get_args(Language), paths.values(), strict=True):
        path.write_bytes(render_pdf(record, language, whole, digest))
    return paths
