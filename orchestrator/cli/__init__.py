"""The command line: one module per verb, thin. Errors become exit codes in `main`, nowhere else."""

import os
import sys
import traceback

import typer
from rich.console import Console

from orchestrator.errors import DrillctlError

__all__ = ["main"]

OWN_BUG = 70


def main() -> None:
    """Entry point of `drillctl`."""
    from orchestrator.cli.app import app  # noqa: PLC0415 - a wrong file among the imports is an error like any other

    try:
        sys.exit(app(standalone_mode=False) or 0)
    except typer.Abort:
        sys.exit(4)
    except typer.TyperException as error:
        _say(error.format_message())
        sys.exit(2)
    except DrillctlError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say("interrupted before anything was touched")
        sys.exit(4)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OWN_BUG)
    except Exception as error:  # noqa: BLE001 - the border: whatever nobody expected is our own bug, exit 70
        _say(f"a bug of drillctl itself: {type(error).__name__}: {error}; set DRILLCTL_DEBUG=1 for the trace")
        if os.environ.get("DRILLCTL_DEBUG"):
            traceback.print_exc()
        sys.exit(OWN_BUG)


def _say(text: str) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for line in text.splitlines():
        console.print(f"[bold red]drillctl:[/] {_escaped(line)}")


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
