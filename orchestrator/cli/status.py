"""`drillctl status`: the runs of a site, or one run's steps."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.errors import DefinitionError
from orchestrator.journal import chain_is_valid
from orchestrator.wiring import Places


def status(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run's id; without it, every run.")] = None,
    site: Site = DEFAULT_SITE,
    as_json: Json = False,
) -> None:
    """Show the runs of a site, or the journal of one run."""
    places = Places()
    journal = places.journal(places.site(site).topology.site.name)
    runs = journal.runs()
    if run is None:
        _all_runs(runs, as_json)
        return
    if run not in {item["run"] for item in runs}:
        raise DefinitionError(f"expected a run of this site, found no {run!r}; `drillctl status` lists them")
    events = journal.events(run)
    if as_json:
        typer.echo(json.dumps([event.model_dump(mode="json") for event in events], ensure_ascii=False))
        return
    console = Console(soft_wrap=True, highlight=False)
    state = next(item["status"] for item in runs if item["run"] == run)
    chain = "valid" if chain_is_valid(events) else "[bold red]BROKEN[/]"
    console.print(f"run {run}: {state}, {len(events)} events, hash chain {chain}")
    for event in events:
        console.print(f"{event.at[11:23]}  {event.kind.value:<12} {event.step or ''}  {_brief(event.data)}")


def _all_runs(runs: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(runs, ensure_ascii=False))
        return
    console = Console(soft_wrap=True)
    if not runs:
        console.print("no runs yet; `drillctl rehearse single-centre-failure` makes one")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("RUN", "MODE", "STATE"):
        table.add_column(column, no_wrap=True)
    for item in runs:
        table.add_row(item["run"], item["mode"], item["status"])
    console.print(table)
    console.print("[dim]each run's folder is reports/RUN[/]")


def _brief(data: dict[str, object]) -> str:
    if "results" in data and isinstance(data["results"], list):
        return ", ".join(f"{item['target']} {item['outcome']}" for item in data["results"][:6])
    return ", ".join(f"{key}={value}" for key, value in data.items() if isinstance(value, str | int | float))
