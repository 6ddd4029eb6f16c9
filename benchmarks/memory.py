"""Peak memory of the controller: proportional shares (PSS) of the engine's process and of what it starts, apart.

The engine is looked at every 0.2 s. What it starts may be hundreds of processes, whose looks would be felt in what is
measured beside them: those rest twenty times as long as a look took.
"""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.ground import stands_in
from orchestrator.twin import Twin

_EVERY_S = 0.2
_REST = 20  # our choice: 5 % of one core at most
_MIB = 1 << 20
_KINDS = ((".guarding", "guards"), ("sampler_child", "sampler"), ("hands_child", "hands"), ("ansible", "ansible"))


@dataclass
class Peaks:
    """In MiB, each by itself: they need not have been reached at the same time. `count`: processes at that moment."""

    engine: float = 0.0
    beside: dict[str, float] = field(default_factory=dict)
    count: dict[str, int] = field(default_factory=dict)

    def see(self, sums: Mapping[str, float], counts: Mapping[str, int]) -> None:
        for kind, mib in sums.items():
            if mib > self.beside.get(kind, 0.0):
                self.beside[kind], self.count[kind] = mib, counts[kind]


class Memory:
    """Looks as long as it is entered."""

    def __init__(self, twin: Twin, engine: int) -> None:
        self._twin, self._engine = twin, engine
        self._elsewhere = {os.getpid(), engine}  # what is not beside the engine
        self._end = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._look, self._look_beside)]
        self.peaks = Peaks()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        while not self._end.wait(_EVERY_S):
            self.peaks.engine = max(self.peaks.engine, pss_mib(self._engine))

    def _look_beside(self) -> None:
        while not self._end.wait(_EVERY_S):
            began = time.monotonic()
            sums: dict[str, float] = defaultdict(float)
            counts: dict[str, int] = defaultdict(int)
            pids = self._beside()
            self._rest_after(began)
            for pid in pids:
                began = time.monotonic()
                kind = _kind(pid)
                sums[kind] += pss_mib(pid)
                counts[kind] += 1
                self._rest_after(began)
            self.peaks.see(sums, counts)

    def _rest_after(self, began: float) -> None:
        """After each look, so that none of them is felt; not after all of them."""
        self._end.wait(_REST * (time.monotonic() - began))

    def _beside(self) -> list[int]:
        """What the engine has started. Hundreds of processes of the twin are looked at once and never again."""
        pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - names are all that is wanted
        self._elsewhere &= pids
        found = []
        for pid in pids - self._elsewhere:
            if stands_in(self._twin, pid):
                found.append(pid)
            else:
                self._elsewhere.add(pid)
        return found


def _kind(pid: int) -> str:
    """An `ssh` may have anything in what it is to run."""
    folder = Path(f"/proc/{pid}")
    try:
        name, line = (folder / "comm").read_text().strip(), (folder / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return "other"
    if name == "ssh":
        return name
    return next((kind for word, kind in _KINDS if word in line), "other")


def pss_mib(pid: int) -> float:
    """Its proportional share. Zero: it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024 / _MIB
