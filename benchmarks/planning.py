"""Plans and what-ifs of large sites, on one core. Nothing but the planner runs: no host, no twin, no disk.

`python -m benchmarks.planning [--json FILE]` prints processor seconds: the plan of a centre's loss at 1,000 and 5,000
gateways, and every failure alone and every two together at 1,000.
"""

import argparse
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks.table import Row, row, write
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Mode, Response
from orchestrator.model.topology import Topology
from orchestrator.planner import Request, make_plan
from orchestrator.planner.pairs import Pairs
from orchestrator.planner.whatif import WhatIf
from tests.support.sites import RoomSpec, SiteSpec, topology_of

ROOT = Path(__file__).resolve().parents[1]
_DAY = date(2026, 11, 22)  # any on which the certificates are valid
_SOURCE = "benchmarks.planning, processor time"
_PLANNED = {1000: None, 5000: 3.0}  # gateways → limit in seconds
_PAIRS_AT, _PAIRS_LIMIT_S = 1000, 60.0  # on one core; a machine of ten years ago has one, too
_ROOMS = (
    RoomSpec(lines=(("alpha", "futian"), ("beta", "southern"), ("beta", "futian"), ("alpha", "southern"))),
    RoomSpec("static", (("beta", "futian"), ("alpha", "southern"), ("alpha", "futian"), ("beta", "southern"))),
    RoomSpec(lines=(("gamma", "futian"), ("alpha", "southern"))),
)


def site(gateways: int) -> Topology:
    """Three rooms, three carriers, three classes, 40 hosts of each class in each room, pairs with cold standbys."""
    spec = SiteSpec(_ROOMS, ("alpha", "beta", "gamma"), pairs=-(-gateways // 6), hosts=40, cold="spare")
    return topology_of(spec)


def rows() -> list[Row]:
    """Plans first, then what-ifs."""
    return [*(_plan(gateways, limit_s) for gateways, limit_s in _PLANNED.items()), *_what_if(_PAIRS_AT)]


def _plan(gateways: int, limit_s: float | None) -> Row:
    topology = site(gateways)
    drill = load_drill(ROOT / "drills", "single-centre-failure")
    request = Request(Mode.REHEARSAL, _DAY, {"centre": "futian"}, Response.REPOINT)
    plan, taken_s = _timed(lambda: make_plan(topology, "0" * 64, drill, request))
    return row(f"plan of a centre's loss, {len(plan.gateways)} gateways", taken_s, "s", _SOURCE, limit_s)


def _what_if(gateways: int) -> list[Row]:
    topology = site(gateways)

    def singles() -> WhatIf:
        found = WhatIf(topology, _DAY)
        for failure in found.failures:
            found.answer([failure])
        return found

    what_if, singles_s = _timed(singles)
    pairs, pairs_s = _timed(lambda: Pairs(what_if))
    size = f"{len(what_if.judged)} gateways"
    return [
        row(f"what-if, {size}, {len(what_if.failures)} failures alone", singles_s, "s", _SOURCE),
        row(f"what-if, {size}, these and {pairs.count} pairs", singles_s + pairs_s, "s", _SOURCE, _PAIRS_LIMIT_S),
    ]


def _timed[T](work: Callable[[], T]) -> tuple[T, float]:
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


def main() -> None:
    """A line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning", allow_abbrev=False)
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the rows go")
    given = parser.parse_args()
    found = rows()
    write(given.json, found)
    for item in found:
        print(item.line(), flush=True)


if __name__ == "__main__":
    main()
