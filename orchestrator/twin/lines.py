"""Which line a connection comes in over, read off the centre's own packets: the ground truth of paths."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.twin.layout import Layout, centre_space
from orchestrator.twin.nft import Nft

_RULES = """
add table inet truth
add set inet truth flows {{
  type ipv4_addr . inet_service . ifname; flags dynamic,timeout; timeout {forgotten_s}s; size 65535;
}}
add chain inet truth arrivals {{ type filter hook input priority 0; }}
add rule inet truth arrivals meta l4proto tcp update @flows {{ ip saddr . tcp sport . meta iifname }}
"""
_FORGOTTEN_S = 300  # our choice: far above any heartbeat
_FLOW = re.compile(r'([\d.]+) \. (\d+) \. "([^"]+)"(?: timeout \w+)? expires (\w+)')
_DURATION = re.compile(r"(\d+)(ms|d|h|m|s)")
_Flows = dict[tuple[str, int], str]  # (source, port) → device
_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


class LineTruth:
    """Remembers, in each centre's kernel, the device that a connection's last packet came in by."""

    def __init__(self, layout: Layout, nft: Nft) -> None:
        self._nft = nft
        self._line_of_device = {device: line for line, device in layout.line_device.items()}
        self._listed: dict[str, _Flows] | None = None
        for centre in layout.topology.centres:
            nft.run(centre_space(centre.id), _RULES.format(forgotten_s=_FORGOTTEN_S))

    def line_of(self, centre: str, source: str, port: int) -> str | None:
        """The line over which the connection's newest packet came; None if none was seen."""
        return self._line_of_device.get(self._flows(centre).get((source, port), ""))

    @contextmanager
    def listed_once(self) -> Iterator[None]:
        """As long as this lasts, each centre's kernel is asked once, however many connections are asked about."""
        self._listed = {}
        try:
            yield
        finally:
            self._listed = None

    def _flows(self, centre: str) -> _Flows:
        if self._listed is None:
            return self._list(centre)
        if centre not in self._listed:
            self._listed[centre] = self._list(centre)
        return self._listed[centre]

    def _list(self, centre: str) -> _Flows:
        """The device of each connection's newest packet, which is forgotten last."""
        found = _FLOW.findall(self._nft.run(centre_space(centre), "list set inet truth flows"))
        oldest_first = sorted(found, key=lambda flow: _milliseconds(flow[3]))
        return {(address, int(port)): device for address, port, device, _ in oldest_first}


def _milliseconds(text: str) -> int:
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in _DURATION.findall(text))
