"""The command line's table of contents."""

import importlib
from collections.abc import Callable
from typing import Any

import typer

from orchestrator import __version__

app = typer.Typer(
    name="drillctl",
    help="Drill, prove and carry out switchovers of exchange gateways.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"drillctl {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Drill, prove and carry out switchovers of exchange gateways."""


def _add(module: str, name: str | None = None) -> None:
    """One module per verb; its function is named like the module."""
    function: Callable[..., Any] = getattr(
        importlib.import_module(f"orchestrator.cli.{module}"), module.removesuffix("_")
    )
    app.command(name or module)(function)


for _module in ("init", "audit", "drills", "plan", "rehearse", "run", "status", "abort", "decide", "resume"):
    _add(_module)
app.add_typer(importlib.import_module("orchestrator.cli.lever").lever, name="lever")
for _module in ("report", "schema"):
    _add(_module)
app.add_typer(importlib.import_module("orchestrator.cli.evidence").evidence, name="evidence")
app.add_typer(importlib.import_module("orchestrator.cli.findings").findings, name="findings")
app.add_typer(importlib.import_module("orchestrator.cli.twin").twin, name="twin")
