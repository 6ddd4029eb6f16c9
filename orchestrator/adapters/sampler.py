"""Measurement port: watches every gateway and Linux CE router of a site, each on its own host."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from orchestrator.adapters.feed import Feed
from orchestrator.adapters.recording import Recording
from orchestrator.adapters.route_lines import Hops, lines_of
from orchestrator.adapters.sampler_program import sampler_program, sampler_request
from orchestrator.adapters.ssh import SshSettings, ssh_targets
from orchestrator.loader.site import LoadedSite
from orchestrator.model.event import LogStamp, RouteSample, Sample
from orchestrator.ports import Observations

_STOP_S = 5.0  # our choice: a host that hangs must not hold up the end of a run
_SILENT_INTERVALS, _SILENCE_AT_LEAST_S = 6, 5.0  # our choice: silent for so long means lost


class Sampler:
    """One SSH session per host. A lost host shows as missing samples and is reached for again."""

    def __init__(self, site: LoadedSite, ssh: SshSettings, onhost: Path, folder: Path, interval_ms: int) -> None:
        self._topology = site.topology
        self._onhost = onhost
        self._interval_ms = interval_ms
        self._recording = Recording(folder)
        self._news = threading.Condition()
        self._samples: list[Sample] = []
        self._routes: list[RouteSample] = []
        self._stamps: dict[LogStamp, None] = {}  # ordered; a stamp may be reported again after a gap
        self._latest: dict[str, Sample] = {}
        self._latest_routes: dict[str, RouteSample] = {}
        self._hops: dict[str, Hops] = {}
        self._offset_s: dict[str, float] = {}
        silence_s = max(_SILENCE_AT_LEAST_S, _SILENT_INTERVALS * interval_ms / 1000)
        self._feeds = [
            Feed(target, ssh, self._program_of(name), self._hear, self._note_connection, silence_s)
            for name, target in ssh_targets(site).items()
            if sampler_request(site.topology, name, interval_ms, None)
        ]

    def start(self) -> Self:
        for feed in self._feeds:
            feed.start()
        return self

    def latest(self) -> Mapping[str, Sample]:
        with self._news:
            return dict(self._latest)

    def latest_routes(self) -> Mapping[str, RouteSample]:
        with self._news:
            return dict(self._latest_routes)

    def clock_offset_s(self) -> dict[str, float]:
        """Each host's wall clock minus the controller's, in seconds, short by the fastest line's delay so far."""
        with self._news:
            return dict(self._offset_s)

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Evaluate the condition at each new sample; False when the time is over."""
        with self._news:
            return self._news.wait_for(condition, timeout_s)

    def observations(self) -> Observations:
        with self._news:
            return Observations(tuple(self._samples), tuple(self._routes), tuple(self._stamps))

    def stop(self) -> None:
        """End every session; at most `_STOP_S`, then a thread that hangs is left behind."""
        for feed in self._feeds:
            feed.stop()
        deadline = time.monotonic() + _STOP_S
        for feed in self._feeds:
            feed.join(max(0.0, deadline - time.monotonic()))
        self._recording.close()

    def _program_of(self, name: str) -> Callable[[float | None], bytes]:
        def program(since: float | None) -> bytes:
            request = sampler_request(self._topology, name, self._interval_ms, since)
            return sampler_program(self._onhost, request or {})

        return program

    def _hear(self, line: dict[str, Any]) -> None:
        with self._news:
            if "stamp" in line:
                self._hear_stamp(LogStamp(gateway=line["gateway"], at=line["at"], event=line["stamp"]))
            elif "router" in line:
                self._hear_route(line)
            else:
                self._hear_sample(Sample.model_validate(line))
            self._news.notify_all()

    def _hear_stamp(self, stamp: LogStamp) -> None:
        if stamp not in self._stamps:
            self._stamps[stamp] = None
            self._recording.add(stamp=stamp.model_dump(mode="json"))

    def _hear_route(self, line: dict[str, Any]) -> None:
        router = line["router"]
        self._hops[router] = line["hops"]
        lines = lines_of(self._topology, router, self._hops)
        sample = RouteSample(router=router, at=line["at"], mono=line["mono"], lines=lines)
        self._routes.append(sample)
        self._latest_routes[router] = sample
        self._note_clock(router, sample.at)
        self._recording.add(route=sample.model_dump(mode="json"), hops=line["hops"])

    def _hear_sample(self, sample: Sample) -> None:
        self._samples.append(sample)
        self._latest[sample.gateway] = sample
        self._note_clock(sample.host, sample.at)
        self._recording.add(sample=sample.model_dump(mode="json"))

    def _note_clock(self, host: str, at: float) -> None:
        """A line arrives later than it was written, so the largest difference is the nearest to the truth."""
        self._offset_s[host] = max(self._offset_s.get(host, float("-inf")), at - time.time())

    def _note_connection(self, host: str, state: str, reason: str) -> None:
        """What a lost host last said is no longer the newest: nothing is known of it until it is heard again."""
        if state == "lost":
            with self._news:
                self._latest_routes.pop(host, None)
                self._latest = {name: sample for name, sample in self._latest.items() if sample.host != host}
        self._recording.add(connection={"host": host, "at": time.time(), "state": state, "reason": reason})
