"""Keeps a fault on for as long as its run is alive."""

import threading
from collections.abc import Callable
from contextlib import suppress

from orchestrator.errors import DrillctlError
from orchestrator.ports import Clock


class Renewal:
    """Renews a fault's lease for as long as the run beats. `longest_s` is the longest time that it went without."""

    def __init__(self, renew: Callable[[], None], lease_s: float, clock: Clock) -> None:
        self._renew, self._every_s, self._clock = renew, lease_s / 3, clock
        self._stopped = threading.Event()
        self._lease_s = lease_s
        self._renewed_at = self._beaten_at = clock.monotonic()
        self.longest_s = 0.0
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """The run is alive; one whose process only hangs does not say so."""
        self._beaten_at = self._clock.monotonic()

    def stop(self) -> None:
        """Idempotent."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._note()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            if self._clock.monotonic() - self._beaten_at > self._lease_s:
                continue
            with suppress(DrillctlError):  # tried again; how long it took is told by `longest_s`
                self._renew()
                self._note()
                self._renewed_at = self._clock.monotonic()

    def _note(self) -> None:
        self.longest_s = max(self.longest_s, self._clock.monotonic() - self._renewed_at)
