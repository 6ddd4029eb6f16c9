"""`drillctl evidence retain`: delete packs whose time of keeping is over."""

import getpass
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.evidence.keeping import reading, said, writing
from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.evidence import retention
from orchestrator.evidence.retention import Fate, Item
from orchestrator.loader.evidence import load_evidence
from orchestrator.wiring.places import Places

_GOING = (Fate.DELETE, Fate.FINISH)


def retain(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    by: Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who; without it, the user.")] = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Stands on the ledger.")
    ] = "the time of keeping is over",
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Delete the folders of runs whose time of keeping is over, each on the ledger first.

    Never one that is open, unsealed or younger than 400 days; exit 1 where one is past its time and is not what was
    sealed.
    """
    places = Places()
    days = load_evidence(places.site_folder(site)).retention_days
    text, who = said("--reason", reason), said("--by", by or getpass.getuser())
    now = datetime.fromtimestamp(SystemClock().now(), UTC)
    items = retention.due(reading(places).lines(), places.site_name(site), places.reports, days, now)
    if any(item.fate in _GOING for item in items) and not dry_run:
        gone = list(retention.retain(writing(places, site), places.reports, items, who, text))
    else:
        gone = [item for item in items if item.fate in _GOING] if dry_run else []
    _show(items, gone, days, dry_run=dry_run, as_json=as_json)
    raise typer.Exit(1 if any(item.fate is Fate.REFUSE for item in items) else 0)


def _show(items: Sequence[Item], gone: Sequence[Item], days: int, *, dry_run: bool, as_json: bool) -> None:
    kept = [item for item in items if item.fate is Fate.KEEP]
    refused = [item for item in items if item.fate is Fate.REFUSE]
    if as_json:
        found = {"deleted": gone, "kept": kept, "refused": refused}
        data = {name: [_data(item) for item in some] for name, some in found.items()}
        typer.echo(json.dumps({"dry_run": dry_run, "days": max(days, retention.LEAST_DAYS), **data}))
        return
    for item in gone:
        typer.echo(
            f"{item.run}: {'would be deleted' if dry_run else 'deleted'}; its time was over on {item.until:%Y-%m-%d}"
        )
    for item in refused:
        typer.echo(f"{item.run}: not deleted: {item.reason}")
    next_one = min((item.until for item in kept), default=None)
    until = f"; the next one until {next_one:%Y-%m-%d}" if next_one else ""
    typer.echo(f"{len(gone)} {'would be ' if dry_run else ''}deleted, {len(kept)} kept for {days} days{until}")


def _data(item: Item) -> dict[str, Any]:
    return {"run": item.run, "until": item.until.isoformat(timespec="seconds"), "reason": item.reason}
