"""The samples file of a run: everything the sampler heard, as JSON lines, written before it is judged."""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.model.event import LogStamp, RouteSample, Sample
from orchestrator.ports import Observations

NAME = "samples.jsonl"


class Recording:
    """Appends one line per thing heard and flushes it. Each line holds one key that says what it is."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._file = self.path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def add(self, **heard: Any) -> None:
        line = json.dumps(heard, ensure_ascii=False, separators=(",", ":"))
        with self._lock:
            if not self._file.closed:  # a thread that could not be stopped in time may still speak
                self._file.write(line + "\n")
                self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()


def read_observations(path: Path) -> Observations:
    """Read a samples file back; none: a run that ended before it measured. The last line may be cut off where
    the run was; it is left out.
    """
    samples, routes, stamps = [], [], []
    for heard in _lines(path):
        if "sample" in heard:
            samples.append(Sample.model_validate(heard["sample"]))
        elif "route" in heard:
            routes.append(RouteSample.model_validate(heard["route"]))
        elif "stamp" in heard:
            stamps.append(LogStamp.model_validate(heard["stamp"]))
    return Observations(samples, routes, stamps)


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                yield json.loads(line)
