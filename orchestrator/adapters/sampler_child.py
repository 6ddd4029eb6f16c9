"""A run's sampler: `python -m orchestrator.adapters.sampler_child FOLDER`.

A process of its own, so that measuring goes on while there is no orchestrator. It holds one SSH session per
host and writes the recording; whoever wants to know reads that. It ends when it is told to (SIGTERM), and by
itself when its run has given no sign of life for the lease: a forgotten run leaves no sampler behind.
FOLDER holds the request.
"""

import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from orchestrator.adapters.feed import Feed
from orchestrator.adapters.recording import EVERY_HOST, NAME, Recording, recorded
from orchestrator.adapters.route_lines import Hops, lines_of
from orchestrator.adapters.sampler_program import sampler_program, sampler_request
from orchestrator.adapters.sampler_request import REQUEST, SamplerRequest, silence_s
from orchestrator.adapters.ssh import ssh_targets
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.model.event import LogStamp, RouteSample, Sample

_STOP_S = 0.3  # our choice: the guard insists after 0.5 s; a session that is not closed by then ends with the process
_LOOK_S = 0.2  # our choice
_FINER_S = 0.0001  # our choice: a clock offset known better by less than this is not worth a line


class Listening:
    """Writes down what every host says. A lost host shows as missing samples and is reached for again."""

    def __init__(self, request: SamplerRequest, site: LoadedSite) -> None:
        self._request, self._topology = request, site.topology
        self._lock = threading.Lock()
        self._hops: dict[str, Hops] = {}
        self._offset_s: dict[str, float] = {}
        self._stamps: set[LogStamp] = set()  # a stamp may be reported again after a gap
        self.failure: OSError | None = None  # what keeps the recording from being written
        since = self._remember()
        self._recording = Recording(request.run)
        self._feeds = [
            Feed(
                target,
                request.ssh,
                self._program_of(name),
                self._hear,
                self._note_connection,
                silence_s(request.interval_ms),
                since.get(name),
            )
            for name, target in ssh_targets(site, request.ssh.access).items()
            if sampler_request(site.topology, name, request.interval_ms, None)
        ]

    def start(self) -> None:
        self._note_connection(EVERY_HOST, "up", "the sampler has begun")
        for feed in self._feeds:
            feed.start()

    def stop(self) -> None:
        """End every session; at most `_STOP_S`, then a thread that hangs is left behind."""
        for feed in self._feeds:
            feed.stop()
        deadline = time.monotonic() + _STOP_S
        for feed in self._feeds:
            feed.join(max(0.0, deadline - time.monotonic()))
        self._recording.close()

    def _remember(self) -> dict[str, float]:
        """What an earlier sampler of this run has heard: its stamps, and when, by its own clock, it heard each host."""
        since = {}
        for heard in recorded(self._request.run / NAME, "sample", "route", "stamp"):
            if "stamp" in heard:
                self._stamps.add(LogStamp.model_validate(heard["stamp"]))
            elif "route" in heard:
                since[heard["route"]["router"]] = heard["route"]["at"]
            else:
                since[heard["sample"]["host"]] = heard["sample"]["at"]
        return since

    def _program_of(self, name: str) -> Callable[[float | None], bytes]:
        def program(since: float | None) -> bytes:
            request = sampler_request(self._topology, name, self._request.interval_ms, since)
            return sampler_program(self._request.onhost, request or {})

        return program

    def _hear(self, line: dict[str, Any]) -> None:
        with self._lock:
            if "stamp" in line:
                self._hear_stamp(LogStamp(gateway=line["gateway"], at=line["at"], event=line["stamp"]))
            elif "router" in line:
                self._hear_route(line)
            else:
                self._hear_sample(Sample.model_validate(line))

    def _hear_stamp(self, stamp: LogStamp) -> None:
        if stamp not in self._stamps:
            self._stamps.add(stamp)
            self._record(stamp=stamp.model_dump(mode="json"))

    def _hear_route(self, line: dict[str, Any]) -> None:
        router = line["router"]
        self._hops[router] = line["hops"]
        lines = lines_of(self._topology, router, self._hops)
        sample = RouteSample(router=router, at=line["at"], mono=line["mono"], lines=lines)
        self._record(route=sample.model_dump(mode="json"), hops=line["hops"])
        self._note_clock(router, sample.at)

    def _hear_sample(self, sample: Sample) -> None:
        self._record(sample=sample.model_dump(mode="json"))
        self._note_clock(sample.host, sample.at)

    def _note_clock(self, host: str, at: float) -> None:
        """A line arrives later than it was written, so the largest difference is the nearest to the truth."""
        offset_s = at - time.time()
        if offset_s > self._offset_s.get(host, float("-inf")) + _FINER_S:
            self._offset_s[host] = offset_s
            self._record(clock={"host": host, "offset_s": round(offset_s, 6)})

    def _note_connection(self, host: str, state: str, reason: str) -> None:
        self._record(connection={"host": host, "at": time.time(), "state": state, "reason": reason})

    def _record(self, **heard: Any) -> None:
        """What cannot be written down is not measured: it ends the sampler, not the host's session."""
        try:
            self._recording.add(**heard)
        except OSError as error:
            self.failure = error


class SignsOfLife:
    """Whether the run was silent for its lease, by this machine's monotonic clock: a clock set forward ends nothing."""

    def __init__(self, file: Path, lease_s: float) -> None:
        self._file, self._lease_s = file, lease_s
        self._mark, self._heard_at = self._look(), time.monotonic()

    def ceased(self) -> bool:
        mark, now = self._look(), time.monotonic()
        if mark != self._mark:
            self._mark, self._heard_at = mark, now
        return now - self._heard_at > self._lease_s

    def _look(self) -> int | None:
        try:
            return self._file.stat().st_mtime_ns
        except OSError:
            return None


def main(folder: Path) -> int:
    """Sample until told to stop, or forgotten; 1: the recording could not be written."""
    told: SimpleQueue[int] = SimpleQueue()  # its `put` may interrupt its `get`
    signal.signal(signal.SIGTERM, lambda number, _: told.put(number))
    request = SamplerRequest.read(folder / REQUEST)
    site = load_site(request.site)
    listening = Listening(request, site.simulated() if request.simulated else site)
    life = SignsOfLife(request.alive, request.lease_s)
    listening.start()
    try:
        while listening.failure is None and not life.ceased():
            if _told_to_end(told):
                break
    finally:
        listening.stop()
    if listening.failure is not None:
        sys.stderr.write(f"{listening.failure}\n")
    return 0 if listening.failure is None else 1


def _told_to_end(told: "SimpleQueue[int]") -> bool:
    """Wait until the next look, or until told."""
    try:
        told.get(timeout=_LOOK_S)
    except Empty:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
