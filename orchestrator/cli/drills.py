"""`drillctl drills`: what can be drilled."""

import json

import typer
from rich.console import Console
from rich.table import Table

from orchestrator.cli.options import Json
from orchestrator.loader.drill import load_drills
from orchestrator.wiring.places import Places


def drills(as_json: Json = False) -> None:
    """List the drills with their parameters and the clauses they serve."""
    found = load_drills(Places().drills)
    if as_json:
        typer.echo(json.dumps([drill.canonical() for drill in found], ensure_ascii=False, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("DRILL", no_wrap=True)
    for column in ("TITLE", "PARAMETERS (default)", "CLAUSES"):
        table.add_column(column, overflow="fold")
    for drill in found:
        parameters = ", ".join(f"{name}={item.default}" for name, item in drill.parameters.items()) or "-"
        table.add_row(drill.drill, f"{drill.title.en}\n{drill.title.zh}", parameters, " ".join(drill.clauses))
    Console().print(table)
