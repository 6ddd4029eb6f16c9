"""A picture is taken of each fault that the example's drills know, and the fault is found again."""

from dataclasses import replace
from datetime import date

import pytest

from orchestrator.loader.drill import load_drills
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault
from orchestrator.model.topology import Topology
from orchestrator.planner.network import Network
from orchestrator.planner.triage import Picture, differences, proposals
from tests.report.record_example import site
from tests.support.sites import ROOT

TODAY = date(2026, 11, 22)
DRILLS = load_drills(ROOT / "drills")
TOPOLOGY: Topology = site().topology


def picture(centres: tuple[str, ...] = (), lines: tuple[str, ...] = (), hosts: tuple[str, ...] = ()) -> Picture:
    """What a network with these parts dead shows, told without the code under test: reachable fronts in list order."""
    network = Network(TOPOLOGY, frozenset(centres), frozenset(lines))
    fronts = {}
    for gateway in TOPOLOGY.gateways:
        if gateway.enabled and gateway.host not in hosts:
            reached = [name for name in gateway.servers if network.line_of(gateway, TOPOLOGY.front[name])]
            fronts[gateway.id] = reached[0] if reached else None
    routed = {item.id: {centre: network.line_to(item.id, centre) for centre in item.paths} for item in TOPOLOGY.routers}
    return Picture(fronts, routed, frozenset(hosts))


def of_carrier(carrier: str) -> Picture:
    return picture(lines=tuple(line.id for line in TOPOLOGY.lines if line.carrier == carrier))


CASES = {
    "telecom": (of_carrier("telecom"), "single-carrier-failure", {"carrier": "telecom"}),
    "unicom": (of_carrier("unicom"), "single-carrier-failure", {"carrier": "unicom"}),
    "futian": (picture(centres=("futian",)), "single-centre-failure", {"centre": "futian"}),
    "southern": (picture(centres=("southern",)), "single-centre-failure", {"centre": "southern"}),
    "gw-a1": (picture(hosts=("gw-a1",)), "gateway-host-failure", {"host": "gw-a1"}),
}


@pytest.mark.parametrize(("seen", "drill", "parameters"), CASES.values(), ids=CASES)
def test_the_fault_that_it_is_is_named_first_and_explains_everything(
    seen: Picture, drill: str, parameters: dict[str, str]
) -> None:
    first = proposals(TOPOLOGY, DRILLS, seen, TODAY)[0]
    assert (first.drill.drill, first.fits) == (drill, True)
    assert parameters.items() <= first.parameters.items()
    assert first.plan is not None


def test_on_a_normal_day_nothing_is_proposed() -> None:
    assert differences(TOPOLOGY, picture()) == ()
    assert proposals(TOPOLOGY, DRILLS, picture(), TODAY) == []


def test_what_could_not_be_looked_at_tells_neither_way() -> None:
    seen = of_carrier("telecom")
    half = replace(seen, fronts=dict(list(seen.fronts.items())[:4]), lines={})
    first = proposals(TOPOLOGY, DRILLS, half, TODAY)
    assert all(item.differences == () for item in first[:1])


def test_a_fault_with_something_more_still_names_the_nearest() -> None:
    seen = of_carrier("telecom")
    worse = replace(seen, fronts={**seen.fronts, "sse-td-2": None})
    first = proposals(TOPOLOGY, DRILLS, worse, TODAY)[0]
    assert (first.drill.drill, first.parameters["carrier"]) == ("single-carrier-failure", "telecom")
    assert [item.what for item in first.differences] == ["sse-td-2"]


def test_the_fault_of_a_plan_is_what_it_is_held_against() -> None:
    dead = Fault(manner=FaultManner.DARK, centres=("futian",))
    assert differences(TOPOLOGY, picture(centres=("futian",)), dead) == ()
    assert differences(TOPOLOGY, picture(), dead) != ()


def test_a_static_route_over_a_line_that_is_dead_is_explained() -> None:
    seen = of_carrier("telecom")
    lost = next((router, centre) for router, lines in seen.lines.items() for centre in lines if lines[centre] is None)
    stale = {**seen.lines[lost[0]], lost[1]: "tel-southern"}
    assert proposals(TOPOLOGY, DRILLS, replace(seen, lines={**seen.lines, lost[0]: stale}), TODAY)[0].fits
