"""The machine's clocks."""

import time


class SystemClock:
    """Clock port: wall clock in seconds since the epoch, and the monotonic clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()
