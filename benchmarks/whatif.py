"""What if, for a site of a thousand gateways: every failure alone and every two together, planned on one core.

`python -m benchmarks.whatif [GATEWAYS]` prints seconds. Nothing but the planner runs: no host, no twin, no disk.
"""

import sys
import time
from datetime import date
from pathlib import Path

from orchestrator.loader.site import load_site
from orchestrator.model.topology import Topology
from orchestrator.planner.pairs import Pairs
from orchestrator.planner.whatif import WhatIf
from tests.support.sites import RoomSpec, SiteSpec, topology_of

ROOT = Path(__file__).resolve().parents[1]
_DAY = date(2026, 11, 22)  # any on which the certificates are valid
GATEWAYS = 1000
LIMIT_S = 60.0  # on one core; a machine of ten years ago has one, too
_ROOMS = (
    RoomSpec(lines=(("alpha", "futian"), ("beta", "southern"), ("beta", "futian"), ("alpha", "southern"))),
    RoomSpec("static", (("beta", "futian"), ("alpha", "southern"), ("alpha", "futian"), ("beta", "southern"))),
    RoomSpec(lines=(("gamma", "futian"), ("alpha", "southern"))),
)


def site(gateways: int) -> Topology:
    """Three rooms, three carriers, three classes, 40 hosts of each class in each room, pairs with cold standbys."""
    spec = SiteSpec(_ROOMS, ("alpha", "beta", "gamma"), pairs=-(-gateways // 6), hosts=40, cold="spare")
    return topology_of(spec)


def main(gateways: int) -> None:
    """Print what was judged and the seconds it took, for the large site and for the example."""
    print(f"{'gateways':>8} {'forms':>5} {'failures':>8} {'pairs':>9} {'singles s':>9} {'pairs s':>8}")
    for topology in (site(gateways), load_site(ROOT / "inventory" / "example").topology):
        began = time.process_time()
        what_if = WhatIf(topology, _DAY)
        for failure in what_if.failures:
            what_if.answer([failure])
        singles_s = time.process_time() - began
        pairs = Pairs(what_if)
        pairs_s = time.process_time() - began - singles_s
        limit = f"{'below' if singles_s + pairs_s < LIMIT_S else 'ABOVE'} {LIMIT_S:g} s"
        sizes = f"{len(what_if.judged):>8} {len(what_if.forms):>5} {len(what_if.failures):>8} {pairs.count:>9}"
        print(f"{sizes} {singles_s:>9.2f} {pairs_s:>8.2f}   {limit}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else GATEWAYS)
