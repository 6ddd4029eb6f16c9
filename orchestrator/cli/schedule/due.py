"""`drillctl schedule due`: what was held when, what is overdue, and what was missed."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.cli.schedule.missed import Missed, missed_of, put_on_record
from orchestrator.cli.schedule.reading import Book, as_data, book
from orchestrator.rules.schedule import Age, age


def due(
    record: Annotated[
        bool, typer.Option("--record", help="Put every missed entry on the ledger (演练台账), each once.")
    ] = False,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Say of each drill of the policy when it was held last; exit 1 where one is overdue, or an entry was missed
    in a period that still runs.

    Nothing that was missed is ever begun late by itself: hold it by hand, in a window.
    """
    known = book(site)
    ages = [age(known.schedule, subject, known.held, known.now.date()) for subject in known.subjects]
    missed = missed_of(known)
    if record and (new := put_on_record(known, site, missed)):
        typer.echo(f"{len(new)} missed {'entry' if len(new) == 1 else 'entries'} recorded on the ledger", err=True)
        known = book(site)
        missed = missed_of(known)
    if as_json:
        typer.echo(json.dumps(_document(known, ages, missed), ensure_ascii=False, indent=2))
    else:
        _show(ages, missed)
    raise typer.Exit(1 if any(item.overdue for item in ages) or any(item.is_open(known) for item in missed) else 0)


def _document(known: Book, ages: Sequence[Age], missed: Sequence[Missed]) -> dict[str, Any]:
    return {
        "site": known.name,
        "on": str(known.now.date()),
        "drills": [_age_data(item) for item in ages],
        "missed": [
            {
                **as_data(known, item.entry),
                "standing": item.standing.value,
                "held_later": item.run,
                "recorded_at": item.line_at,
            }
            for item in missed
        ],
    }


def _age_data(item: Age) -> dict[str, Any]:
    last = item.last
    return {
        "name": item.subject.name,
        "drill": item.subject.rule.drill,
        "parameters": dict(item.subject.parameters),
        "mode": item.subject.rule.mode.value,
        "every_months": item.subject.rule.every_months,
        "last": {"run": last.run, "on": str(last.at.date()), "outcome": last.outcome} if last else None,
        "days": item.days,
        "due": str(item.due),
        "overdue": item.overdue,
    }


def _show(ages: Sequence[Age], missed: Sequence[Missed]) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("DRILL", "MODE", "EVERY", "LAST HELD", "DUE"):
        table.add_column(column, no_wrap=column == "DRILL", overflow="fold")
    for item in ages:
        last, rule = item.last, item.subject.rule
        held = f"{last.at:%Y-%m-%d}, {item.days} days ago, {last.outcome}" if last else "never"
        limit = Text(f"overdue since {item.due}", "bold red") if item.overdue else Text(f"by {item.due}")
        table.add_row(item.subject.name, rule.mode.value, f"{rule.every_months} months", held, limit)
    console.print(table)
    for found in missed:
        later = f"held later by {found.run}" if found.run else "not held since"
        record = (
            f"on the ledger since {found.line_at[:10]}"
            if found.line_at
            else "not on the ledger; --record puts it there"
        )
        text = f"missed  {found.entry.begins:%Y-%m-%d} {found.entry.id}: {later}, {record}"
        console.print(Text(text, "yellow" if found.run else "bold red"), soft_wrap=True)
