"""`drillctl audit`: judge the inventory by the clauses."""

import json

import typer
from rich.console import Console
from rich.table import Table

from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.rules import Finding, Result
from orchestrator.rules import audit as judge_inventory
from orchestrator.wiring import Places

_COLOUR = {Result.SATISFIED: "green", Result.VIOLATED: "red", Result.NOT_JUDGED: "yellow", Result.NOT_APPLICABLE: "dim"}


def audit(
    everything: bool = typer.Option(False, "--all", help="Show what is satisfied, too."),
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Judge the inventory by the clauses of the access specifications; exit 1 where an error is found."""
    findings = judge_inventory(Places().site(site).topology)
    errors = [item for item in findings if item.is_error]
    if as_json:
        typer.echo(json.dumps([item.model_dump(mode="json") for item in findings], ensure_ascii=False, indent=2))
    else:
        _show(findings, everything, len(errors))
    raise typer.Exit(1 if errors else 0)


def _show(findings: list[Finding], everything: bool, errors: int) -> None:
    console = Console(soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("CLAUSE", "RESULT", "SEVERITY", "WHERE", "FINDING"):
        table.add_column(column)
    shown = [item for item in findings if everything or item.result in (Result.VIOLATED, Result.NOT_JUDGED)]
    for item in shown:
        colour = _COLOUR[item.result]
        mend = f"\n[dim]{item.mend.en}[/]" if item.mend and item.result is Result.VIOLATED else ""
        table.add_row(
            item.clause,
            f"[{colour}]{item.result.value}[/]",
            item.severity.value,
            item.where,
            f"{item.text.en}{mend}",
        )
    if shown:
        console.print(table)
    counts = ", ".join(f"{sum(item.result is result for item in findings)} {result.value}" for result in Result)
    console.print(f"{len(findings)} judgements: {counts}; [bold]{errors} errors[/]")
