"""`drillctl schedule list`: the coming year, and which clause each entry serves."""

import json
from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.schedule.decline import declined
from orchestrator.cli.schedule.reading import Book, From, as_data, book, fault_of, state_of, year
from orchestrator.model.drill import Mode
from orchestrator.rules.clauses import clause_register
from orchestrator.rules.schedule import Coverage, Entry, EntryState, coverage

_STYLE = {EntryState.IN_WINDOW: "green", EntryState.PROVISIONAL: "yellow", EntryState.NO_DAY: "bold red"}


def listing(first: From = None, site: Site = DEFAULT_SITE, as_json: Json = False) -> None:
    """List the entries of twelve months, and say of each clause that is drilled regularly which of them serve it."""
    known = book(site)
    begins, ends = year(known, first)
    planned = known.planned(begins, ends)
    served = coverage(known.subjects, planned)
    if as_json:
        document = {
            "site": known.name,
            "timezone": known.zone,
            "from": str(begins),
            "until": str(ends),
            "entries": [as_data(known, entry) for entry in planned],
            "coverage": [_coverage_data(item) for item in served],
            "declined": declined(known.lines, known.name),
            "not_drilled": [{"name": item.name, "reason": item.reason} for item in known.refused],
        }
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False)
    console.print(f"[bold]{known.name}[/], {begins} to {ends}, {known.zone}\n")
    console.print(_table(planned))
    _show_coverage(console, served)
    _show_refused(console, known)
    _show_declined(console, known)


def _coverage_data(item: Coverage) -> dict[str, Any]:
    return {
        "clause": item.clause,
        "served": item.is_served,
        "rules": list(item.rules),
        "entries": [entry.id for entry in item.entries],
        "lacking": list(item.lacking),
    }


def _table(planned: Sequence[Entry]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("BEGINS", "ENTRY"):
        table.add_column(column, no_wrap=True)
    for column in ("WHAT FAILS", "STATE", "CLAUSES"):
        table.add_column(column, overflow="fold")
    for entry in planned:
        rule = entry.subject.rule
        clauses = " ".join(rule.clauses) if rule.mode is Mode.DRILL else "none: a rehearsal"
        state = Text(state_of(entry), _STYLE.get(entry.state, ""))
        table.add_row(f"{entry.begins:%Y-%m-%d %a %H:%M}", entry.subject.name, Text(fault_of(entry)), state, clauses)
    return table


def _show_coverage(console: Console, served: Sequence[Coverage]) -> None:
    console.print("\n[bold]Clauses that are drilled regularly 定期演练[/], by the site's own policy")
    for item in served:
        console.print(Text.assemble((f"{item.clause}  ", "bold"), *_said(item)))


def _said(item: Coverage) -> list[Text]:
    if not item.rules:
        drills = ", ".join(clause_register().clause[item.clause].drills)
        return [Text(f"no rule serves it; write one for {drills}", "bold red")]
    dates = ", ".join(f"{entry.begins:%Y-%m-%d} {entry.subject.name}" for entry in item.entries) or "no entry"
    lacking = f"; without an entry: {', '.join(item.lacking)}" if item.lacking else ""
    return [Text(dates), Text(lacking, "bold red")]


def _show_refused(console: Console, known: Book) -> None:
    for item in known.refused:
        console.print(Text(f"not drilled: {item.name}: {item.reason}", "yellow"))


def _show_declined(console: Console, known: Book) -> None:
    for item in declined(known.lines, known.name):
        said = f"not taking part: {item['announcement']}, {item['planned_for']}, by {item['by']}: {item['reason']}"
        console.print(Text(said, "yellow"))
