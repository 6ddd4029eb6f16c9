"""`drillctl evidence annual`: the summary of one year's drills for the local regulator."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, get_args
from zoneinfo import ZoneInfo

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.evidence.keeping import reading
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.errors import DefinitionError
from orchestrator.evidence.annual import summary
from orchestrator.evidence.annual_page import as_json as as_document
from orchestrator.evidence.annual_page import as_pdf, render
from orchestrator.evidence.coverage import register_of
from orchestrator.evidence.disk import replace
from orchestrator.loader.drill import load_drills
from orchestrator.report.texts import Language
from orchestrator.wiring.places import Places

_FIRST = 2000  # our choice: a year before it is a slip of the finger


def annual(
    year: Annotated[int, typer.Option("--year", metavar="YEAR", help="The calendar year, in the site's time zone.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where to write; default: reports/annual/YEAR/.")
    ] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Write the year's summary from the ledger, in Chinese and English, as HTML, PDF and JSON."""
    places = Places()
    loaded = places.site(site)
    topology = loaded.topology
    today = datetime.fromtimestamp(SystemClock().now(), UTC).astimezone(ZoneInfo(topology.site.timezone)).date()
    if not _FIRST <= year <= today.year:
        raise DefinitionError(f"--year {year}: expected a year from {_FIRST} to {today.year}, found {year}")
    lines = reading(places).lines()
    register = register_of(topology, loaded.digest, load_drills(places.drills), today)
    found = summary(lines, year, topology.site.name, topology.site.timezone, register)
    document = as_document(found).encode()
    files = {"annual.json": document}
    for language in get_args(Language):
        page = render(found, register.names, language)
        files |= {f"annual.{language}.html": page.encode(), f"annual.{language}.pdf": as_pdf(page, document, found)}
    folder = _folder(to or places.reports / "annual" / str(year))
    for name, content in files.items():
        replace(folder / name, content)
    _show(folder, list(files), as_json=as_json)


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DefinitionError(f"--to {path}: expected a folder, or room for one, found: {error.strerror}") from error
    return path


def _show(folder: Path, names: list[str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({name: str(folder / name) for name in names}))
        return
    for name in names:
        typer.echo(folder / name)
