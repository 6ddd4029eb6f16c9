"""The command line: one module per verb, thin. Errors become exit codes in `main`, nowhere else."""

import gc
import os
import signal
import sys
import traceback
from types import FrameType

import typer
from rich.console import Console

from orchestrator.errors import Aborted, DrillctlError

__all__ = ["main"]

OWN_BUG = 70
_GARBAGE = 20_000  # objects, our choice: what is loaded stays, and looking through it again and again takes 20 ms


def main() -> None:
    """Entry point of `drillctl`."""
    gc.set_threshold(_GARBAGE)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # what is installed beside us changes no validation
    from orchestrator.cli.app import app  # noqa: PLC0415 - a wrong file among the imports is an error like any other

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupted)
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except typer.Abort:
        sys.exit(4)
    except typer.TyperException as error:
        _say(_usage(error))
        sys.exit(2)
    except DrillctlError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(4)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OWN_BUG)
    except Exception as error:  # noqa: BLE001 - the border: whatever nobody expected is our own bug, exit 70
        _say(f"a bug of drillctl itself: {type(error).__name__}: {error}; set DRILLCTL_DEBUG=1 for the trace")
        if os.environ.get("DRILLCTL_DEBUG"):
            traceback.print_exc()
        sys.exit(OWN_BUG)


def _usage(error: typer.TyperException) -> str:
    """One line of what the command line got wrong, and where its help is."""
    context = getattr(error, "ctx", None)
    said = error.format_message().replace("Value error, ", "").rstrip(".") or "expected a command, found none"
    return f"{said}; `{context.command_path} --help` shows what is expected" if context else said


def _interrupted(number: int, _frame: FrameType | None) -> None:
    """Outside of a run, which has its own way: whatever was begun, a twin too, is ended on the way out."""
    raise Aborted(f"interrupted ({signal.Signals(number).name})")


def _say(text: str) -> None:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    for line in text.splitlines():
        console.print(f"[bold red]drillctl:[/] {_escaped(line)}")


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
