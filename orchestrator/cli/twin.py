"""`drillctl twin`: bring a twin up, look at it, run something inside it, take it down."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from orchestrator.cli.options import DEFAULT_SITE, Json, Site
from orchestrator.twin import Twin
from orchestrator.wiring.places import Places

twin = typer.Typer(help="The twin: a simulated copy of the site in network namespaces.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The twin's name.")]


@twin.command()
def up(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A name; without it one is made up.")] = None,
    site: Site = DEFAULT_SITE,
) -> None:
    """Build a twin of the site and start every gateway in it. It dies after 15 minutes unused."""
    made = Twin.up(Places().site(site), name)
    typer.echo(f"twin {made.name} is up; try `drillctl twin exec {made.name} -- drillctl run single-centre-failure`")


@twin.command()
def status(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One twin; without it, all.")] = None,
    as_json: Json = False,
) -> None:
    """Show the twins that are up, or one twin's hosts, gateways and faults."""
    found = [Twin.find(name)] if name else Twin.all()
    states = {item.name: item.status() for item in found}
    if as_json:
        typer.echo(json.dumps(states, ensure_ascii=False, indent=2))
        return
    if not states:
        typer.echo("no twin is up; `drillctl twin up` makes one")
    for title, state in states.items():
        _show(title, state)


def _show(name: str, state: dict[str, Any]) -> None:
    """What is well is counted, what is not is named."""
    other = {host: how for host, how in state["hosts"].items() if how != "up"}
    stopped = [gateway for gateway, runs in state["gateways"].items() if not runs]
    rows = {
        "site": state["site"],
        "ends": f"in {state['lease_s']:.0f} s, unless it is used",
        "hosts": f"{len(state['hosts']) - len(other)} up" + "".join(f", {host} {how}" for host, how in other.items()),
        "gateways": f"{len(state['gateways']) - len(stopped)} running"
        + "".join(f", {item} stopped" for item in stopped),
        "faults": "; ".join(_fault(item) for item in state["faults"]) or "none",
        "BFD": f"{state['bfd']['up']} of {state['bfd']['expected']} sessions up",
    }
    table = Table(title=f"twin {name}", box=None, pad_edge=False, show_header=False, title_justify="left")
    for key, value in rows.items():
        table.add_row(key, value)
    Console(soft_wrap=True).print(table)


def _fault(item: dict[str, Any]) -> str:
    what = [*item.get("centres", ()), *item.get("carriers", ()), *item.get("lines", ()), *item.get("hosts", ())]
    lifts = item.get("lifts_in_s")
    return f"{item.get('manner')} {', '.join(what)}" + (f", lifts in {lifts:.0f} s" if lifts is not None else "")


@twin.command()
def lift(name: Name) -> None:
    """Lift what `rehearse --surprise` has broken in a twin, so that its run can be resumed and brought home."""
    lifted = Twin.find(name).lift_surprises()
    typer.echo(f"lifted: {', '.join(lifted)}" if lifted else f"nothing that --surprise has broken is on in twin {name}")


@twin.command("exec", context_settings={"ignore_unknown_options": True})
def execute(
    name: Name, command: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run inside.")]
) -> None:
    """Run a command where the controller stands in the twin: no route leads out."""
    raise typer.Exit(Twin.find(name).exec(command))


@twin.command()
def down(name: Name) -> None:
    """Take a twin down; leaves nothing behind."""
    Twin.find(name).down()
    typer.echo(f"twin {name} is down")
