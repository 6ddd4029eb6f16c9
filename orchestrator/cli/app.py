"""The command line's table of contents."""

import typer

from orchestrator import __version__
from orchestrator.cli.contents import VERBS
from orchestrator.cli.verbs import group_of

_HERE = "orchestrator.cli"
_PLACES = {name: f"{_HERE}.{name.replace('-', '_')}:{name.replace('-', '_')}" for name in VERBS}

app = typer.Typer(
    name="drillctl",
    help="Drill, prove and carry out switchovers of exchange gateways.",
    cls=group_of(_PLACES, VERBS),
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
