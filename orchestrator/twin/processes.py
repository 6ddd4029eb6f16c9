"""Processes of simulated hosts, seen from outside: found by their process id namespace, stopped, continued, killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from orchestrator.twin.state import start_ticks

_STOPPED = "Tt"


def is_alive(pid: int) -> bool:
    """Whether the process is there and not merely waiting to be reaped."""
    return start_ticks(pid) is not None


def processes_of(first: int) -> list[int]:
    """Every process in the same process id namespace as `first`, in no order."""
    namespace = _namespace(first)
    return [pid for pid in _all() if namespace is not None and _namespace(pid) == namespace]


def command_lines(first: int) -> dict[int, str]:
    """Command line of every process of a host, its arguments joined by blanks."""
    return {pid: _read(pid, "cmdline").replace("\0", " ").strip() for pid in processes_of(first)}


def freeze(first: int) -> None:
    """Stop every process of a host, also those that are born meanwhile."""
    while running := [pid for pid in processes_of(first) if not _is_stopped(pid)]:
        for pid in running:
            _signal(pid, signal.SIGSTOP)
        os.sched_yield()  # a stop is taken when the process next returns from the kernel


def thaw(first: int) -> None:
    """Let every process of a host go on."""
    for pid in processes_of(first):
        _signal(pid, signal.SIGCONT)


def tell(first: int, text: str, number: signal.Signals) -> int:
    """Signal every process of a host whose command line holds the text; how many there were."""
    found = [pid for pid, line in command_lines(first).items() if text in line]
    for pid in found:
        _signal(pid, number)
    return len(found)


def _all() -> Iterator[int]:
    return (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())


def _namespace(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None


def _is_stopped(pid: int) -> bool:
    """A process that is gone or only waits to be reaped does nothing any more either."""
    state = _read(pid, "stat").rpartition(")")[2].split()
    return not state or state[0] in _STOPPED + "ZX"


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except OSError:
        return ""


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
