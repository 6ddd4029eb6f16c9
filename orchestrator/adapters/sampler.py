"""Measurement port: reads along what the run's sampler process writes down, and sees to it that there is one.

The sampler watches every gateway and Linux CE router of a site, each on its own host (sampler_child). It is
a process of its own: measuring goes on while there is no orchestrator, and the next one joins it.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any, Self

from orchestrator.adapters.recording import EVERY_HOST, NAME, Recording, Tail, read_observations
from orchestrator.adapters.sampler_process import SamplerProcess
from orchestrator.adapters.sampler_request import SamplerRequest, silence_s
from orchestrator.adapters.ssh import SshSettings
from orchestrator.errors import DrillctlError
from orchestrator.loader.site import LoadedSite
from orchestrator.model.event import RouteSample, Sample
from orchestrator.ports import Observations

LEASE_S = 900.0  # our choice, as a twin's: a run that is silent for so long is forgotten
_SIGN_OF_LIFE_S = 5.0  # our choice: far below the lease
_LOOK_S = 0.05  # our choice: below the shortest interval, so that each sample is seen by itself
_EVALUATE_S = 0.2  # our choice: a condition may depend on more than samples
_CARE_S = 0.5  # our choice: how often it is looked whether the sampler is at work
_AGAIN_S = 5.0  # our choice: a sampler that cannot live is not started all the time
_STOP_S = 5.0  # our choice: a host that hangs must not hold up the end of a run


class Sampler:
    """Reads the recording as it grows. What is not known for sure to be of now is not given out as the latest."""

    def __init__(
        self, site: LoadedSite, ssh: SshSettings, onhost: Path, folder: Path, interval_ms: int, lease_s: float = LEASE_S
    ) -> None:
        """`folder` is the run's. The sampler ends by itself when nobody has touched `alive` in it for the lease."""
        self._folder = folder
        self._alive = folder / "alive"
        self._process = SamplerProcess(
            SamplerRequest(site.folder, onhost, folder, self._alive, interval_ms, lease_s, ssh, site.is_simulated)
        )
        self._silence_s = silence_s(interval_ms)
        self._sign_of_life_s = min(_SIGN_OF_LIFE_S, lease_s / 4)
        self._due = {"sign of life": 0.0, "care": 0.0, "start": 0.0}  # by the monotonic clock
        self._news = threading.Condition()
        self._times_heard = 0
        self._latest: dict[str, tuple[float, Sample]] = {}  # with the time of reading
        self._latest_routes: dict[str, tuple[float, RouteSample]] = {}
        self._offset_s: dict[str, float] = {}
        Recording(folder).close()  # from here on there is a file to read along
        self._file = FileIO(folder / NAME)
        self._tail = Tail(self._file)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler reader", daemon=True)

    def start(self) -> Self:
        """Join the run's sampler, or start one. Only what it says from now on is the latest."""
        self._alive.touch()
        for heard in self._tail.read("clock"):
            self._hear_clock(heard["clock"])
        newest = self._process.newest()
        if not self._process.at_work(newest):
            self._start_after(newest)
        self._thread.start()
        return self

    def latest(self) -> Mapping[str, Sample]:
        """The newest sample of each gateway that was heard lately."""
        with self._news:
            return self._fresh(self._latest)

    def latest_routes(self) -> Mapping[str, RouteSample]:
        """The newest sample of each router that was heard lately."""
        with self._news:
            return self._fresh(self._latest_routes)

    def clock_offset_s(self) -> dict[str, float]:
        """Each host's wall clock minus the controller's, in seconds, short by the fastest line's delay so far."""
        with self._news:
            return dict(self._offset_s)

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Evaluate the condition at each new sample, and several times a second where there is none; False when
        the time is over. What the condition raises goes up.
        """
        give_up = time.monotonic() + timeout_s
        while True:
            times_heard = self._times_heard
            if condition():
                return True
            left_s = give_up - time.monotonic()
            if left_s <= 0:
                return False
            with self._news:
                if self._times_heard == times_heard:
                    self._news.wait(min(left_s, _EVALUATE_S))

    def observations(self) -> Observations:
        """Everything that was recorded in this run so far, read from the file."""
        return read_observations(self._folder / NAME)

    def stop(self) -> None:
        """End the sampler; at most `_STOP_S`, then its guard goes on ending it."""
        self.detach()
        self._process.stop(_STOP_S)

    def detach(self) -> None:
        """Stop reading and leave the sampler at work; without a sign of life it ends with its lease."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)
        if not self._thread.is_alive():  # one that hangs on a disk still reads
            self._file.close()

    def _fresh[T](self, seen: Mapping[str, tuple[float, T]]) -> dict[str, T]:
        oldest = time.monotonic() - self._silence_s
        return {name: sample for name, (read_at, sample) in seen.items() if read_at > oldest}

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_S):
            with suppress(OSError, DrillctlError):  # what does not succeed now is tried again at its next time
                if self._is_due("sign of life", self._sign_of_life_s):
                    self._alive.touch()
                if self._is_due("care", _CARE_S):
                    self._care()
                self._read()

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due[what]:
            return False
        self._due[what] = now + every_s
        return True

    def _care(self) -> None:
        """Of a sampler that is not at work nothing is the latest; another is started unless somebody stopped it."""
        newest = self._process.newest()
        if self._process.at_work(newest):
            return
        with self._news:
            self._forget(EVERY_HOST)
        if not self._process.was_stopped(newest) and self._is_due("start", _AGAIN_S):
            self._start_after(newest)

    def _start_after(self, last: Path | None) -> None:
        self._due["start"] = time.monotonic() + _AGAIN_S
        if last is not None:
            lost = {"host": EVERY_HOST, "at": time.time(), "state": "lost", "reason": self._process.ended(last)}
            recording = Recording(self._folder)
            recording.add(connection=lost)
            recording.close()
        self._process.start_after(last)

    # -- what was recorded ----------------------------------------------------------------------------

    def _read(self) -> None:
        """All that has come, in one go: after a pause of this process only the newest is the latest."""
        heard = list(self._tail.read())
        if heard:
            with self._news:
                for line in heard:
                    with suppress(ValueError):  # what another release wrote otherwise is not known here
                        self._hear(line)
                self._times_heard += 1
                self._news.notify_all()

    def _hear(self, line: Mapping[str, Any]) -> None:
        if "sample" in line:
            sample = Sample.model_validate(line["sample"])
            self._latest[sample.gateway] = (time.monotonic(), sample)
        elif "route" in line:
            route = RouteSample.model_validate(line["route"])
            self._latest_routes[route.router] = (time.monotonic(), route)
        elif "clock" in line:
            self._hear_clock(line["clock"])
        elif "connection" in line:
            self._forget(line["connection"]["host"])

    def _hear_clock(self, clock: Mapping[str, Any]) -> None:
        host, offset_s = clock["host"], clock["offset_s"]
        self._offset_s[host] = max(self._offset_s.get(host, float("-inf")), offset_s)

    def _forget(self, host: str) -> None:
        """What a lost host last said is no longer the newest: nothing is known of it until it is heard again."""
        every = host == EVERY_HOST
        for name in [name for name, (_, sample) in self._latest.items() if every or sample.host == host]:
            del self._latest[name]
        for name in [name for name in self._latest_routes if every or name == host]:
            del self._latest_routes[name]
