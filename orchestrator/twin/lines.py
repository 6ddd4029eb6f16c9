"""Which line a connection comes in over, read off the centre's own packets: the ground truth of paths."""

import re

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
_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}


class LineTruth:
    """Remembers, in each centre's kernel, the device that a connection's last packet came in by."""

    def __init__(self, layout: Layout, nft: Nft) -> None:
        self._nft = nft
        self._line_of_device = {device: line for line, device in layout.line_device.items()}
        for centre in layout.topology.centres:
            nft.run(centre_space(centre.id), _RULES.format(forgotten_s=_FORGOTTEN_S))

    def line_of(self, centre: str, source: str, port: int) -> str | None:
        """The line over which the connection's newest packet came; None if none was seen."""
        found = _FLOW.findall(self._nft.run(centre_space(centre), "list set inet truth flows"))
        mine = [
            (_milliseconds(expires), device)
            for address, number, device, expires in found
            if (address, int(number)) == (source, port)
        ]
        return self._line_of_device.get(max(mine)[1]) if mine else None


def _milliseconds(text: str) -> int:
    return sum(int(number) * _MILLISECONDS[unit] for number, unit in _DURATION.findall(text))
