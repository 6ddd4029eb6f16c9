"""The simulated multicast receiver: joins every group of its list and uses the first in the order that has data.

It never logs in, so it says `connected` and
`logged_in` when it begins to use a source, `lost` when the source falls silent. The way back up to a better source
is by hand, as it is in trading hours: only silence makes it change.
"""

import math
import selectors
import socket
from collections.abc import Callable

from orchestrator.twin import wire
from orchestrator.twin.programs.gateway_files import Log, Settings, Status

SILENCE_S = 3.0  # our choice: SZSE's receivers wait for 15 s
SETTLE_S = 0.5  # our choice: so that the best of several sources is taken, not the quickest
IP_MULTICAST_ALL = 49  # linux/in.h: 0 keeps other sockets' groups out


class _Source:
    """One group of the list."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.heard_at = -math.inf
        self.sequence = 0


class Receiver:
    """Drop-in for `Upstream`: the same life, without a session."""

    def __init__(
        self, settings: Settings, selector: selectors.BaseSelector, log: Log, status: Status, now: float
    ) -> None:
        self._log = log
        self._status = status
        self._sources = [_Source(endpoint) for endpoint in settings.endpoints()]
        self._in_use: _Source | None = None
        self._choose_at = now + SETTLE_S
        self.stopped = False
        for source in self._sources:
            joined = _join(source.endpoint, settings["address"])
            selector.register(joined, selectors.EVENT_READ, self._reader(joined, source))
        status.show(False, "")

    @property
    def logged_in(self) -> bool:
        return self._in_use is not None

    def deadline(self) -> float:
        return self._choose_at if self._in_use is None else self._in_use.heard_at + SILENCE_S

    def tick(self, now: float) -> None:
        if self._in_use is not None and now >= self._in_use.heard_at + SILENCE_S:
            self._log.event("lost", self._in_use.endpoint, f"nothing heard for {SILENCE_S:g} s")
            self._in_use = None
            self._choose(now)
        elif self._in_use is None and now >= self._choose_at:
            self._choose(now)

    def leave(self, _now: float) -> None:
        self._status.show(False, "")
        self.stopped = True

    def _choose(self, now: float) -> None:
        """Take the first that was heard just now; when there is none, wait for somebody to speak."""
        self._in_use = next((source for source in self._sources if now - source.heard_at < 2 * SETTLE_S), None)
        self._choose_at = math.inf
        if self._in_use is None:
            self._status.show(False, "")
            return
        self._log.event("connected", self._in_use.endpoint)
        self._log.event("logged_in", self._in_use.endpoint)
        self._status.advance(self._in_use.sequence)
        self._status.show(True, self._in_use.endpoint)

    def _reader(self, joined: socket.socket, source: _Source) -> Callable[[float], None]:
        def read(now: float) -> None:
            try:
                messages = wire.framing("market-data-multicast").feed(joined.recv(65536))
            except (OSError, wire.WireError):
                return
            source.heard_at = now
            if self._in_use is None and self._choose_at == math.inf:
                self._choose_at = now + SETTLE_S
            for message in messages:
                if isinstance(message, wire.MarketData):
                    source.sequence = message.sequence
            if source is self._in_use:
                self._status.advance(source.sequence)

        return read


def _join(endpoint: str, address: str) -> socket.socket:
    """A socket that hears this group and port only, on the interface that has the host's site address."""
    group, _, port = endpoint.rpartition(":")
    joined = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    joined.setblocking(False)
    joined.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    joined.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
    joined.bind((group, int(port)))
    joined.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton(address))
    return joined
