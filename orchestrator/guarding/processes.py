"""Finds and ends processes: all below one process, or all that carry a mark in their environment.

ssh's shared connections (ControlMaster) are left alone, with what is below them: they belong to the run, not
to the call that happened to open them.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_SWEEP_S = 2.0  # our choice: how long ended processes may take to go
_POLL_S = 0.01
_PPID, _STARTTIME = 1, 19  # proc(5): fields of /proc/PID/stat, counted from the one after the name


class Process(NamedTuple):
    """`started` is in clock ticks since boot: a pid is used again, a pid with its start never."""

    pid: int
    parent: int
    started: int


def find(pid: int) -> Process | None:
    """The live process with this pid; None where it is gone, or only its exit status is left."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else Process(pid, int(fields[_PPID]), int(fields[_STARTTIME]))


def tell(process: Process, number: signal.Signals) -> None:
    """Signal exactly this process, never one that has got its pid since."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        if (found := find(process.pid)) and found.started == process.started:
            signal.pidfd_send_signal(handle, number)
    except (ProcessLookupError, PermissionError):  # who may not be ended is reported by `sweep`
        return
    finally:
        os.close(handle)


def sweep(wanted: Callable[[], Iterable[Process]]) -> list[Process]:
    """End every process that `wanted` finds: ask first, for a playbook ends its workers; then insist until it
    finds none. Returns those that would not go.
    """
    for process in wanted():
        tell(process, signal.SIGTERM)
    give_up = time.monotonic() + _SWEEP_S
    while left := list(wanted()):
        for process in left:
            tell(process, signal.SIGKILL)
        if time.monotonic() > give_up:
            return left
        time.sleep(_POLL_S)
    return []


def sweep_below(root: int) -> list[Process]:
    """End every process below `root`, wherever in the tree it has moved to."""
    return sweep(lambda: below(root))


def below(root: int) -> Iterator[Process]:
    """Every live process below `root`, except shared connections."""
    table = _all()
    for process in table.values():
        above = list(_above(process, table))
        if root in above and not _is_spared(process.pid, above):
            yield process


def marked(mark: str) -> Iterator[Process]:
    """Every live process of this machine that was started with `mark` ("NAME=value") in its environment, and
    every one below such a process; except shared connections and the caller.
    """
    table = _all()
    carriers = {pid for pid in table if _carries(pid, mark.encode())}
    for process in table.values():
        above = list(_above(process, table))
        own = process.pid != os.getpid() and not carriers.isdisjoint({process.pid, *above})
        if own and not _is_spared(process.pid, above):
            yield process


def _all() -> dict[int, Process]:
    pids = (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())
    return {pid: found for pid in pids if (found := find(pid))}


def _above(process: Process, table: dict[int, Process]) -> Iterator[int]:
    """Its parent, that one's parent, and so on. The table may be torn: it is read while processes come and go."""
    seen: set[int] = set()
    above: Process | None = process
    while above and above.parent not in seen:
        seen.add(above.parent)
        yield above.parent
        above = table.get(above.parent)


def _carries(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _is_spared(pid: int, above: list[int]) -> bool:
    """Whether it is an ssh master, or one's connection through a bastion."""
    return any(_is_shared(item) for item in (pid, *above))


def _is_shared(pid: int) -> bool:
    """An ssh master gives itself the title `ssh: SOCKET [mux]`."""
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return title.startswith(b"ssh: ") and b"[mux]" in title
