"""The samples file of a run: everything the sampler heard, as JSON lines, written before it is judged.

Each line holds one key that says what it is: sample, route, stamp, connection (host, at, state "up" or "lost",
reason; host "*" is the sampler itself) or clock (host, offset_s). Lines are only ever added, by one sampler
process after another; what a reader does not know or what was cut off it leaves out.
"""

import json
import os
import threading
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Any

from orchestrator.model.event import LogStamp, RouteSample, Sample
from orchestrator.ports import Observations

NAME = "samples.jsonl"
EVERY_HOST = "*"
_CHUNK = 1 << 20


class Recording:
    """Adds lines, each by one write to the end of the file. OSError: the disk did not take it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._file = FileIO(self.path, "a+")
        self._lock = threading.Lock()
        self._end_cut_off_line()

    def add(self, **heard: Any) -> None:
        line = json.dumps(heard, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            if not self._file.closed:  # a thread that could not be stopped in time may still speak
                self._write(line)

    def close(self) -> None:
        """What was added is on the disk afterwards."""
        with self._lock:
            if not self._file.closed:
                os.fsync(self._file.fileno())
                self._file.close()

    def _end_cut_off_line(self) -> None:
        """What a killed writer left half written stays a line of its own."""
        if self._file.seek(0, os.SEEK_END):
            self._file.seek(-1, os.SEEK_END)
            if self._file.read(1) != b"\n":
                self._write(b"\n")

    def _write(self, line: bytes) -> None:
        written = self._file.write(line)
        if written != len(line):
            raise OSError(f"{self.path}: expected {len(line)} bytes written, found {written}; is the disk full?")


class Tail:
    """Whole lines of a recording from its beginning, each time those that have come since. Not thread-safe."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._rest = b""

    def read(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """Every new line up to the end of the file; with `kinds` only those of them. To be read to its end."""
        starts = tuple(f'{{"{kind}":'.encode() for kind in kinds) or b"{"
        while data := self._file.read(_CHUNK):
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                heard = _parsed(line) if line.startswith(starts) else None
                if heard is not None:
                    yield heard


def _parsed(line: bytes) -> dict[str, Any] | None:
    """None: cut off, where its writer was killed."""
    try:
        heard: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return heard


def recorded(path: Path, *kinds: str) -> Iterator[dict[str, Any]]:
    """What was recorded, in order; with `kinds` only those lines. No file: a run that ended before it measured."""
    if not path.exists():
        return
    with FileIO(path) as file:
        yield from Tail(file).read(*kinds)


def read_observations(path: Path) -> Observations:
    """Read a samples file back. A stamp that was reported again after a gap is the same stamp."""
    samples, routes = [], []
    stamps: dict[LogStamp, None] = {}
    thrift = _Thrift()
    for heard in recorded(path, "sample", "route", "stamp"):
        if "sample" in heard:
            samples.append(thrift.sample(heard["sample"]))
        elif "route" in heard:
            routes.append(RouteSample.model_validate(heard["route"]))
        else:
            stamps[LogStamp.model_validate(heard["stamp"])] = None
    return Observations(samples, routes, list(stamps))


class _Thrift:
    """Samples say the same again and again: each text, each list and the names of the fields are kept once, which
    leaves a third of the memory.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}
        self._fields = set(Sample.model_fields)

    def sample(self, said: dict[str, Any]) -> Sample:
        found = Sample.model_validate(said)
        values = {name: self._once(value) for name, value in found}
        return Sample.model_construct(self._fields, **values)

    def _once(self, value: Any) -> Any:
        return self._known.setdefault(value, value) if isinstance(value, str | tuple) else value
