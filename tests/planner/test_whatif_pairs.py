"""Two failures put together from the two alone are what planning them together says, whatever the site looks like."""

from datetime import date
from itertools import combinations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.model.topology import Topology
from orchestrator.planner.failures import Failure, FailureKind, lost
from orchestrator.planner.pairs import Pairs
from orchestrator.planner.situation import Fate, healthy, judge, situation
from orchestrator.planner.units import units_of
from orchestrator.planner.whatif import WhatIf
from tests.planner.example import TOPOLOGY, changed
from tests.planner.test_plan_properties import CARRIERS, rooms
from tests.support.sites import SiteSpec, topology_of

TODAY = date(2026, 11, 22)
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
specs = st.builds(
    SiteSpec,
    rooms=st.lists(rooms(), min_size=1, max_size=3).map(tuple),
    carriers=st.just(CARRIERS),
    classes=st.sampled_from((("trading",), ("trading", "settlement"))),
    pairs=st.integers(1, 2),
    outlives=st.booleans(),
    cold=st.sampled_from(("", "beside", "spare")),
    hosts=st.integers(1, 2),
)


class Whole:
    """Everything planned at once: no form of a unit, no memory, nothing put together."""

    def __init__(self, topology: Topology, down: tuple[str, ...] = ()) -> None:
        self.topology, self.down = topology, down
        self.normal = healthy(topology, down)
        self.units = units_of(topology, TODAY)

    def parts(self, failure: Failure) -> list[Failure]:
        """A room is its routers and its hosts, each of them failing by itself."""
        if failure.kind is not FailureKind.ROOM:
            return [failure]
        routers = [item.id for item in self.topology.routers if item.room == failure.name]
        hosts = [item.id for item in self.topology.hosts if item.room == failure.name]
        return [
            *(Failure(FailureKind.ROUTER, name) for name in routers),
            *(Failure(FailureKind.HOST, name) for name in hosts),
        ]

    def lost(self, pair: tuple[Failure, ...]) -> frozenset[str]:
        failed = [part for item in pair for part in self.parts(item)]
        now = situation(self.topology, self.normal, lost(self.topology, failed), TODAY, self.down)
        verdicts = {
            name: verdict
            for unit in self.units
            for name, verdict in judge(now, unit, [item for item in failed if item in unit.parts]).items()
        }
        return frozenset(name for name, verdict in verdicts.items() if verdict.fate is Fate.LOST)


def every_pair_is_as_planned_whole(topology: Topology, every: int, down: tuple[str, ...] = ()) -> int:
    """How many pairs lose more than their parts. `every`: only each so many of the pairs that are put together."""
    pairs, whole = Pairs(WhatIf(topology, TODAY, down)), Whole(topology, down)
    assert FailureKind.ROOM in {item.kind for item in pairs.alone}
    for number, pair in enumerate(combinations(pairs.alone, 2)):
        if pair in pairs.known or number % every == 0:
            assert pairs.lost(*pair) == whole.lost(pair), [item.id for item in pair]
    return len(pairs.worse)


@few
@given(specs)
def test_every_pair_of_a_small_site_is_as_planned_whole(spec: SiteSpec) -> None:
    every_pair_is_as_planned_whole(topology_of(spec), 7)


@few
@given(specs, st.integers(0, 9))
def test_every_pair_beside_a_line_that_is_out_already_is_as_planned_whole(spec: SiteSpec, line: int) -> None:
    topology = topology_of(spec)
    every_pair_is_as_planned_whole(topology, 7, (topology.lines[line % len(topology.lines)].id,))


def test_every_pair_of_the_example_is_as_planned_whole() -> None:
    assert every_pair_is_as_planned_whole(TOPOLOGY, 1) > 0


def test_a_gateway_lost_alone_may_be_spared_by_the_second_failure() -> None:
    """It lists Futian only: its loss is its own, unless Southern is lost, too, and Beijing takes over from both."""
    topology = changed({"gateways": {"nq-trade-1": {"servers": ["futian-trading"], "pair": None}} | _ALONE})
    pairs = Pairs(WhatIf(topology, TODAY))
    futian, southern = (item for item in pairs.alone if item.id in ("centre=futian", "centre=southern"))
    assert "nq-trade-1" in pairs.alone[futian]
    assert "nq-trade-1" not in pairs.lost(futian, southern)
    assert every_pair_is_as_planned_whole(topology, 3) > 0


# Without a pair and without its cold standby.
_ALONE = {
    "nq-trade-2": {"pair": None},
    "nq-trade-1-cold": {
        "standby_for": "nq-trade-4",
        "number": "W100301",
        "certificates": [],
        "certificate": None,
        "host": "gw-a2",
    },
}
