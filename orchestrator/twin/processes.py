"""Processes of simulated hosts, seen from outside: found by their process id namespace, stopped, continued, killed."""

import os
import signal
from collections.abc import Callable, Container, Iterable, Iterator
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


def named(first: int, names: Container[str]) -> list[int]:
    """Living processes of a host whose program has one of these names."""
    return [pid for pid in processes_of(first) if _read(pid, "comm").strip() in names and is_alive(pid)]


def with_text(first: int, text: str) -> list[int]:
    """Processes of a host whose command line holds the text."""
    return [pid for pid, line in command_lines(first).items() if text in line]


def stop_all(find: Callable[[], list[int]]) -> list[int]:
    """Stop every process that `find` finds, also those that are born meanwhile; which they are."""
    while running := [pid for pid in find() if not _is_stopped(pid)]:
        tell(running, signal.SIGSTOP)
        os.sched_yield()  # a stop is taken when the process next returns from the kernel
    return find()


def kill_all(find: Callable[[], list[int]]) -> None:
    """Kill every process that `find` finds, also those that are born meanwhile."""
    while running := [pid for pid in find() if is_alive(pid)]:
        tell(running, signal.SIGKILL)
        os.sched_yield()


def tell(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal processes; one that is gone is passed over."""
    for pid in pids:
        _signal(pid, number)


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
