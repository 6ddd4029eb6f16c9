"""Commands for guards to start, and what is asked about their processes. Everything here is real."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.engine import guard
from orchestrator.guarding import files, processes
from orchestrator.guarding.processes import Process

PATH = "/usr/bin:/bin"


def shell(script: str, deadline_s: float = 30, **env: str) -> guard.Command:
    """A shell script as a command."""
    return guard.Command(("bash", "-c", script), {"PATH": PATH, **env}, "/", deadline_s)


def python(script: str, *arguments: str, deadline_s: float = 30) -> guard.Command:
    return guard.Command((sys.executable, "-c", script, *arguments), {"PATH": PATH}, "/", deadline_s)


# A process that went away from its parents the way daemons do, and does not listen to a polite request.
DAEMON = """
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print(os.getpid(), flush=True)
        time.sleep(600)
    os._exit(0)
os.wait()
"""
DAEMON_AND_WAIT = DAEMON + "time.sleep(600)\n"


def until(condition: Callable[[], bool], what: str, timeout_s: float = 10) -> None:
    """Wait for a condition of another process, or fail by its name."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    return processes.find(pid) is not None


def marked(folder: Path) -> list[Process]:
    """Every live process that the folder's guard has started, however far it went away."""
    return list(processes.marked(f"{files.MARK}={folder.resolve()}"))


def guard_of(folder: Path) -> int:
    """The guard's pid."""
    until((folder / files.CLAIM).exists, "claimed")
    claim = files.read(folder / files.CLAIM)
    assert claim is not None
    return int(claim["pid"])


def kill_guard(folder: Path) -> None:
    """As the kernel does when memory is short: no time for a last word."""
    pid = guard_of(folder)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), "the guard is gone")


def lines(folder: Path) -> list[str]:
    """What the command has said so far."""
    path = folder / files.OUTPUT
    return path.read_text().splitlines() if path.exists() else []


def first_pid(folder: Path) -> int:
    """The pid that the command says first."""
    until(lambda: bool(lines(folder)), "said a pid")
    return int(lines(folder)[0])


def never() -> bool:
    return False


def finish(folder: Path, stop: Callable[[], bool] = never) -> tuple[list[str], guard.Result]:
    """Follow it to its end."""
    said = list(guard.follow(folder, stop))
    return said, guard.result(folder)


@contextmanager
def swept(*folders: Path) -> Iterator[None]:
    """Leave nothing of these guards behind a test, whatever became of it."""
    try:
        yield
    finally:
        for folder in folders:
            for process in [*_guard(folder), *marked(folder)]:
                processes.tell(process, signal.SIGKILL)
            until(lambda folder=folder: not marked(folder), f"nothing of {folder} is left")  # type: ignore[misc]


def _guard(folder: Path) -> list[Process]:
    claim = files.read(folder / files.CLAIM) or {}
    return [Process(claim["pid"], 0, claim["started"])] if "started" in claim else []
