"""Which line carries what, and which lines a fault takes with it."""

import pytest

from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault
from orchestrator.model.topology import Topology
from orchestrator.planner.network import Network, designated_line, lines_lost, under
from tests.planner.example import TOPOLOGY, changed

FUTIAN, SOUTHERN, BEIJING = "futian", "southern", "beijing"


def without(*lines: str, centres: tuple[str, ...] = (), topology: Topology = TOPOLOGY) -> Network:
    return Network(topology, frozenset(centres), frozenset(lines))


# A path --------------------------------------------------------------------------------------------


def test_a_router_takes_the_first_line_of_its_order() -> None:
    assert without().line_to("ce-a", FUTIAN) == "tel-futian"
    assert without().line_to("ce-b", FUTIAN) == "uni-futian"


def test_a_dynamic_router_goes_on_to_the_next_live_line() -> None:
    assert without("tel-futian").line_to("ce-a", BEIJING) == "uni-southern"
    assert without("tel-futian", "uni-southern").line_to("ce-a", BEIJING) == "uni-futian"
    assert without("tel-futian", "uni-southern", "uni-futian").line_to("ce-a", BEIJING) is None


def test_a_static_router_stays_with_its_first_line_until_it_is_told() -> None:
    dead = without("uni-futian")
    assert dead.line_to("ce-b", FUTIAN) is None
    told = Network(TOPOLOGY, dead_lines=dead.dead_lines, moved={("ce-b", FUTIAN): "tel-futian"})
    assert told.line_to("ce-b", FUTIAN) == "tel-futian"
    assert told.line_to("ce-b", BEIJING) is None


def test_a_static_router_that_is_told_leaves_a_live_line_too() -> None:
    assert Network(TOPOLOGY, moved={("ce-b", FUTIAN): "tel-futian"}).line_to("ce-b", FUTIAN) == "tel-futian"


def test_a_dynamic_router_is_not_told() -> None:
    assert Network(TOPOLOGY, moved={("ce-a", FUTIAN): "uni-futian"}).line_to("ce-a", FUTIAN) == "tel-futian"


def test_no_line_leads_to_a_centre_that_is_lost() -> None:
    lost = without(centres=(FUTIAN,))
    assert lost.line_to("ce-a", FUTIAN) is None
    assert lost.candidates("ce-a", FUTIAN) == []
    assert lost.line_to("ce-a", BEIJING) == "tel-futian"


def test_a_router_without_a_path_reaches_nothing() -> None:
    routers = tuple(router.model_copy(update={"paths": {}}) for router in TOPOLOGY.routers)
    bare = TOPOLOGY.model_copy(update={"routers": routers, "router": {router.id: router for router in routers}})
    assert without(topology=bare).line_to("ce-b", FUTIAN) is None
    assert without(topology=bare).candidates("ce-b", FUTIAN) == []


# Over a linked router ------------------------------------------------------------------------------


def test_a_path_over_another_router_holds_only_if_that_router_takes_that_line() -> None:
    """ce-a reaches uni-futian over ce-b, which forwards by its own table."""
    assert without("tel-futian").line_to("ce-a", FUTIAN) == "uni-futian"
    elsewhere = Network(TOPOLOGY, dead_lines=frozenset({"tel-futian"}), moved={("ce-b", FUTIAN): "tel-futian"})
    assert elsewhere.line_to("ce-a", FUTIAN) is None


def linked(a_first: str, b_first: str) -> Topology:
    """Both routers dynamic, with these lines to Southern."""
    lines = {"uni-southern": "tel-southern", "tel-southern": "uni-southern"}
    return changed(
        {
            "routers": {
                "ce-a": {"paths": {SOUTHERN: [a_first, lines[a_first]]}},
                "ce-b": {"routing": "dynamic", "paths": {SOUTHERN: [b_first, lines[b_first]]}},
            }
        }
    )


def test_two_routers_that_each_prefer_the_others_line_are_not_asked_in_a_circle() -> None:
    circle = linked("tel-southern", "uni-southern")
    assert without(topology=circle).line_to("ce-a", SOUTHERN)
    assert without("tel-southern", topology=circle).line_to("ce-a", SOUTHERN) == "uni-southern"
    assert without("uni-southern", topology=circle).line_to("ce-a", SOUTHERN) == "tel-southern"


def test_a_router_may_use_the_line_of_another_that_uses_it_itself() -> None:
    network = without(topology=linked("tel-southern", "tel-southern"))
    assert network.line_to("ce-a", SOUTHERN) == "tel-southern"
    assert network.candidates("ce-a", SOUTHERN) == ["tel-southern", "uni-southern"]


def test_candidates_are_live_lines_in_the_routers_own_order() -> None:
    assert without().candidates("ce-b", FUTIAN) == ["uni-futian", "tel-futian"]
    assert without("uni-futian").candidates("ce-b", FUTIAN) == ["tel-futian"]
    assert without("tel-futian", "uni-futian").candidates("ce-b", FUTIAN) == []


# Multicast -----------------------------------------------------------------------------------------


def line_of(gateway: str, front: str, network: Network) -> str | None:
    return network.line_of(TOPOLOGY.gateway[gateway], TOPOLOGY.front[front])


def test_multicast_does_not_move_to_another_line() -> None:
    assert line_of("nq-mc-1", "futian-multicast", without()) == "tel-futian"
    assert line_of("nq-mc-1", "futian-multicast", without("tel-futian")) is None
    assert line_of("nq-trade-1", "futian-trading", without("tel-futian")) == "uni-futian"


def test_multicast_of_a_lost_centre_is_not_heard() -> None:
    assert line_of("nq-mc-1", "futian-multicast", without(centres=(FUTIAN,))) is None
    assert line_of("nq-mc-1", "southern-multicast", without(centres=(FUTIAN,))) == "uni-southern"


def test_the_satellite_is_heard_where_its_receiver_stands() -> None:
    satellite = TOPOLOGY.front["satellite-multicast"]
    assert designated_line(TOPOLOGY, "ce-a", satellite) == "sat-receive"
    assert designated_line(TOPOLOGY, "ce-b", satellite) is None
    assert line_of("nq-mc-1", "satellite-multicast", without("tel-futian", "uni-southern")) == "sat-receive"
    assert line_of("nq-mc-1", "satellite-multicast", without("sat-receive")) is None


def test_the_designated_line_brings_multicast() -> None:
    topology = changed({"lines": {"tel-futian": {"multicast": False}}})
    assert designated_line(topology, "ce-a", topology.front["futian-multicast"]) == "uni-futian"


def test_the_designated_line_is_terrestrial() -> None:
    two_way = {"sat-two-way": {"multicast": True}}
    topology = changed({"lines": two_way, "routers": {"ce-b": {"paths": {SOUTHERN: ["sat-two-way", "tel-southern"]}}}})
    assert designated_line(topology, "ce-b", topology.front["southern-multicast"]) == "tel-southern"


# What a fault takes --------------------------------------------------------------------------------


def test_a_carrier_takes_all_its_lines_and_no_other() -> None:
    assert lines_lost(TOPOLOGY, (), ("telecom",), ()) == ("tel-futian", "tel-southern", "sse-tel")


def test_a_line_is_taken_by_its_own_name() -> None:
    assert lines_lost(TOPOLOGY, (), (), ("uni-futian",)) == ("uni-futian",)


def test_lines_that_are_declared_to_outlive_their_centre_stay() -> None:
    assert lines_lost(TOPOLOGY, (FUTIAN,), (), ()) == ()


def test_a_line_that_nobody_judged_is_not_relied_on() -> None:
    assert TOPOLOGY.line["tel-southern"].survives_loss_of is None
    assert set(lines_lost(TOPOLOGY, (SOUTHERN,), (), ())) == {"tel-southern", "sat-receive", "sat-two-way"}


@pytest.mark.parametrize(("survives", "lost"), [([], True), ([SOUTHERN], True), ([FUTIAN], False), (None, True)])
def test_a_line_outlives_the_centre_where_it_ends_only_if_that_is_declared(
    survives: list[str] | None, lost: bool
) -> None:
    topology = changed({"lines": {"tel-futian": {"survives_loss_of": survives}}})
    assert ("tel-futian" in lines_lost(topology, (FUTIAN,), (), ())) is lost
    assert "tel-futian" not in lines_lost(topology, (SOUTHERN,), (), ())


def test_lines_out_of_service_are_dead_beside_those_of_the_fault() -> None:
    fault = Fault(manner=FaultManner.DARK, centres=(FUTIAN,), lines=("tel-futian",))
    network = under(TOPOLOGY, fault, ("uni-southern",))
    assert network.dead_centres == {FUTIAN}
    assert network.dead_lines == {"tel-futian", "uni-southern"}
    assert network.line_to("ce-a", BEIJING) == "uni-futian"
