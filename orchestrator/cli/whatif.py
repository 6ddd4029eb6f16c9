"""`drillctl whatif`: every failure of the site, alone and in pairs, by the planner alone. Touches nothing."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.options import DEFAULT_SITE, Down, Json, Site
from orchestrator.cli.whatif_data import answer_data, survey_data
from orchestrator.cli.whatif_show import show_answer, show_pairs, show_singles
from orchestrator.errors import DefinitionError
from orchestrator.model.topology import Topology
from orchestrator.planner.failures import LINES, Failure, failures_named
from orchestrator.planner.survey import Survey
from orchestrator.planner.whatif import WhatIf
from orchestrator.report.whatif import render
from orchestrator.wiring.places import Places


def whatif(
    fail: Annotated[
        str | None,
        typer.Option(
            "--fail",
            metavar="KIND=NAME,…",
            help="One combination in full, with its steps: centre=futian,carrier=telecom. Kinds: centre, carrier, "
            "room, router, line, satellite, host, gateway, certificate.",
        ),
    ] = None,
    singles: Annotated[bool, typer.Option("--singles", help="Only every single failure.")] = False,
    pairs: Annotated[bool, typer.Option("--pairs", help="Only every two failures together.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the heat map as one self-contained page.")
    ] = None,
    down: Down = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """What survives when something fails: every single failure and every two together. Reaches no host.

    Exit 1 where a SINGLE failure loses a gateway that works on a normal day, or where what --fail names does.
    """
    _fit_together(fail, singles, pairs, html)
    topology = Places().site(site).topology
    today = datetime.fromtimestamp(SystemClock().now(), ZoneInfo(topology.site.timezone)).date()
    failed = failures_named(topology, fail) if fail is not None else ()
    survey = Survey(WhatIf(topology, today, _out_of_service(topology, down or (), failed)))
    console = Console(soft_wrap=True, highlight=False)
    if failed:
        answer = survey.what_if.answer(failed)
        if as_json:
            typer.echo(json.dumps(answer_data(survey, answer), ensure_ascii=False, indent=2))
        else:
            show_answer(console, survey, answer)
        raise typer.Exit(1 if answer.lost else 0)
    if html is not None:
        _write(html, render(survey))
    if as_json:
        typer.echo(json.dumps(survey_data(survey, singles=not pairs, pairs=not singles), ensure_ascii=False, indent=2))
    else:
        _show(console, survey, singles=not pairs, pairs=not singles)
    if html is not None:
        typer.echo(f"heat map: {html}", err=as_json)
    raise typer.Exit(1 if survey.losing else 0)


def _show(console: Console, survey: Survey, *, singles: bool, pairs: bool) -> None:
    if singles:
        show_singles(console, survey)
    if pairs:
        show_pairs(console, survey)


def _fit_together(fail: str | None, singles: bool, pairs: bool, html: Path | None) -> None:
    """DefinitionError where options contradict each other."""
    if singles and pairs:
        raise DefinitionError("whatif: expected --singles or --pairs, found both; without either both are shown")
    if fail is not None and (singles or pairs or html):
        other = "--singles" if singles else "--pairs" if pairs else "--html"
        raise DefinitionError(f"--fail {fail}: expected it without {other}, found both; it is about one combination")
    if html is not None and not html.parent.is_dir():
        raise DefinitionError(f"--html {html}: expected a file in a folder that is there, found no {html.parent}")
    if html is not None and html.is_dir():
        raise DefinitionError(f"--html {html}: expected a file, found a folder")


def _out_of_service(topology: Topology, down: Sequence[str], failed: Sequence[Failure]) -> tuple[str, ...]:
    """DefinitionError where a line is none of this site, or is said to fail, too."""
    for name in down:
        if name not in topology.line:
            raise DefinitionError(
                f"--down {name}: expected a line ({', '.join(sorted(topology.line))}), found {name!r}"
            )
        if any(item.kind in LINES and item.name == name for item in failed):
            raise DefinitionError(f"--down {name}: expected a line that --fail does not name, found it in both")
    return tuple(dict.fromkeys(down))


def _write(file: Path, page: str) -> None:
    try:
        file.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise DefinitionError(f"--html {file}: expected to write it, found: {error.strerror}") from error
