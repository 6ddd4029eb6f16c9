"""The command line's table of contents."""

import typer

from orchestrator import __version__
from orchestrator.cli.verbs import group_of

_HERE = "orchestrator.cli"
_VERBS = (
    "init",
    "audit",
    "drills",
    "plan",
    "approve",
    "rehearse",
    "run",
    "triage",
    "switchover",
    "failback",
    "status",
    "abort",
    "decide",
    "confirm",
    "resume",
    "lever",
    "review",
    "promote",
)
_MORE = (
    "report",
    "schema",
    "evidence",
    "findings",
    "twin",
    "whatif",
    "calls",
    "notify",
    "access",
    "support-bundle",
    "schedule",
    "serve",
    "second-room",
)
_PLACES = {name: f"{_HERE}.{name.replace('-', '_')}:{name.replace('-', '_')}" for name in (*_VERBS, *_MORE)}

app = typer.Typer(
    name="drillctl",
    help="Drill, prove and carry out switchovers of exchange gateways.",
    cls=group_of(_PLACES),
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
