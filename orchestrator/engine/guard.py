"""External commands that outlive their orchestrator, each started at most once (design §4).

A guard is a process of its own (`orchestrator.guarding`) that stays with one command until its end. All that is
known of it lies in its folder: any later orchestrator follows the same output and reads the same result.
This module makes no decision about a step; it says what became of a command.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import NeedsPerson, StepFailed
from orchestrator.guarding import files, processes
from orchestrator.ports import Fate

_POLL_S = 0.01  # our choice: how often a command is looked at and `stop` is asked
_START_S = 10.0  # our choice: starting takes 0.05 s on an idle machine
_STOP_S = 5.0  # our choice: a guard that is at work has ended everything in under a second
_OVERDUE_S = 10.0  # our choice: the same, beyond the command's deadline
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Command:
    """A program with its whole environment: nothing of the orchestrator's own reaches it."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    deadline_s: float


@dataclass(frozen=True)
class Result:
    """How a command ended: `exited`, `deadline`, `stopped` or `lost`. Times are seconds since the epoch."""

    ended: str
    returncode: int | None
    began_at: float
    ended_at: float | None


def start(folder: Path, command: Command) -> None:
    """Have the command begun. Where that folder's command was begun before, nothing is begun again.

    StepFailed: nothing was begun, and nothing will be.
    """
    folder = folder.resolve()
    if _state(folder) is None:
        _begin(folder, command)
    if _state(folder) is Fate.NEVER:
        raise StepFailed(f"expected to begin {folder}, found it given up by a later orchestrator: nothing is begun")


def begun(folder: Path) -> bool:
    """Whether the folder is claimed, so that `start` would begin nothing."""
    return _state(folder) is not None


def fate(folder: Path) -> Fate:
    """What became of the command. NEVER is made true by this: whoever is on the way to begin it finds it taken.

    NeedsPerson: it was not begun, and that cannot be written down.
    """
    folder = folder.resolve()
    found = _state(folder)
    if found is not None:
        return found
    try:
        files.make_folder(folder)
        descriptor = files.claim(folder, {"never": True, "pid": os.getpid(), "at": time.time()}, lock=False)
    except OSError as error:
        raise NeedsPerson(
            f"expected to note in {folder} that its command was not begun, found: {error}; "
            "make room there, then resume the run"
        ) from error
    if descriptor is not None:
        os.close(descriptor)
    return _known(folder)


def follow(folder: Path, stop: Callable[[], bool]) -> Iterator[str]:
    """The lines of the command's output from its beginning, until the command has ended or is lost; then
    nothing of it is left on this machine. `stop` as in `ports.Call`.

    A guard that does not end its command when it is asked to, or at its deadline, is ended with it.
    """
    folder = folder.resolve()
    overdue_at = _overdue_at(folder)
    with (folder / files.OUTPUT).open("rb") as output:
        rest, asked = b"", False
        while True:
            running = _known(folder) is Fate.RUNNING  # before reading: what it wrote last is read too
            if not running:
                _clear_if_lost(folder)
            *lines, rest = (rest + output.read()).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
            if not running:
                break
            if not asked and stop():
                asked = True
                overdue_at = min(overdue_at, time.monotonic() + _STOP_S)
                _ask_to_end(folder)
            if time.monotonic() > overdue_at:
                _end_by_force(folder)
            time.sleep(_POLL_S)
    if rest:
        yield rest.decode(errors="replace")


def result(folder: Path) -> Result:
    """How the command ended. Of one that is still at work there is none: ValueError."""
    found = _known(folder)
    if found in (Fate.RUNNING, Fate.NEVER):
        raise ValueError(f"{folder}: expected a command that has ended, found {found}")
    document = files.read(folder / files.RESULT)
    if document is not None:
        return Result(**document)
    return Result("lost", None, _claim_of(folder)["at"], None)


def sweep(folder: Path) -> None:
    """End every process of this command that is on this machine, also one that nobody is the parent of any more.

    NeedsPerson: some would not go.
    """
    mark = f"{files.MARK}={folder.resolve()}"
    left = processes.sweep(lambda: processes.marked(mark))
    if left:
        raise NeedsPerson(
            f"expected every process of {folder} ended, found "
            + ", ".join(f"pid {item.pid}" for item in left)
            + " still there; end them, then resume the run"
        )


def _begin(folder: Path, command: Command) -> None:
    try:
        files.make_folder(folder)
        files.replace(folder / files.COMMAND, asdict(command))
        reason = _launch(folder)
    except OSError as error:
        raise StepFailed(f"expected to begin {folder}, found: {error}; nothing was begun") from error
    except subprocess.TimeoutExpired:
        reason = f"its guard has not claimed it within {_START_S:g} s"
    if reason and fate(folder) is Fate.NEVER:
        raise StepFailed(f"expected to begin {folder}, found: {reason}; nothing was begun")


def _launch(folder: Path) -> str:
    """Start a guard; why it has not begun, or nothing."""
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-P", "-m", "orchestrator.guarding", str(folder)],
        env={"PYTHONPATH": str(_ROOT)},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        timeout=_START_S,
        check=False,
    )
    return (done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}") if done.returncode else ""


def _state(folder: Path) -> Fate | None:
    """None: nobody has claimed it. The lock is looked at before the result, which is written under it."""
    try:
        with (folder / files.CLAIM).open("rb") as claim:
            if files.is_locked(claim.fileno()):
                return Fate.RUNNING
    except (FileNotFoundError, NotADirectoryError):
        return None
    if "never" in _claim_of(folder):
        return Fate.NEVER
    return Fate.FINISHED if (folder / files.RESULT).exists() else Fate.LOST


def _known(folder: Path) -> Fate:
    found = _state(folder)
    if found is None:
        raise ValueError(f"{folder}: expected a command that was begun, found none")
    return found


def _claim_of(folder: Path) -> dict[str, Any]:
    return files.read(folder / files.CLAIM) or {}


def _overdue_at(folder: Path) -> float:
    """By this machine's monotonic clock. One that was begun before the machine's last start is lost anyway."""
    began = _claim_of(folder).get("mono", 0.0)
    deadline_s = (files.read(folder / files.COMMAND) or {}).get("deadline_s", 0.0)
    return float(began + deadline_s + _OVERDUE_S)


def _clear_if_lost(folder: Path) -> None:
    if _known(folder) is Fate.LOST:
        sweep(folder)


def _ask_to_end(folder: Path) -> None:
    """By the file, which holds also for a guard that is still to begin, and at once, also on a full disk."""
    with suppress(OSError):
        (folder / files.STOP).touch()
    _tell_guard(folder, signal.SIGTERM)


def _end_by_force(folder: Path) -> None:
    """End a guard that is frozen or hangs. With it nobody can say how its command ended."""
    _tell_guard(folder, signal.SIGKILL)


def _tell_guard(folder: Path, number: signal.Signals) -> None:
    claim = _claim_of(folder)
    processes.tell(processes.Process(claim["pid"], 0, claim["started"]), number)
