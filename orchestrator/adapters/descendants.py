"""Finds and ends every process below one process, wherever in the tree it has moved to."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

_SWEEP_S = 2.0  # our choice: how long ended processes may take to go


def sweep(root: int) -> None:
    """End every process below `root`: ask the playbook first, which ends its workers, then insist."""
    for pid in descendants(root):
        _signal(pid, signal.SIGTERM)
    give_up = time.monotonic() + _SWEEP_S
    while left := list(descendants(root)):
        for pid in left:
            _signal(pid, signal.SIGKILL)
        if time.monotonic() > give_up:
            return
        time.sleep(0.01)


def descendants(root: int) -> Iterator[int]:
    """Every live process below `root`, except ssh's shared connections."""
    parents = dict(_parents())
    for pid in parents:
        above = parents.get(pid)
        while above is not None and above != root:
            above = parents.get(above)
        if above == root and not _is_shared_connection(pid):
            yield pid


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                yield int(folder.name), int(parent)


def _is_shared_connection(pid: int) -> bool:
    try:
        return b"[mux]" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
