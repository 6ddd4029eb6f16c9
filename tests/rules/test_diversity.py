"""Path-diversity proof: measured next hops become ways, and ways that share anything are one path."""

from collections.abc import Mapping
from functools import cache

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.paths import Diversity, GatewayPaths, PathState, Shared, WayState
from orchestrator.model.topology import Topology
from orchestrator.rules.diversity import Hops, Measured, diversity, judged
from tests.planner.example import changed
from tests.support.sites import ROOT

Said = dict[str, dict[str, dict[str, str | None] | None]]


@cache
def example() -> Topology:
    return load_site(ROOT / "inventory" / "example").topology


def measured(topology: Topology, over: Mapping[str, Mapping[str, str]]) -> Said:
    """What everything says where each router sends each centre over that line, in words of the kernel's."""
    found: Said = {}
    for router in topology.routers:
        own = found[router.id] = {}
        for centre, name in over.get(router.id, {}).items():
            line = topology.line[name]
            if line.router == router.id:
                own[centre] = {"via": str(line.remote_address), "dev": name}
            else:
                link = topology.link_between(router.id, line.router)
                assert link is not None
                own[centre] = {"via": str(link.address_of(line.router)), "dev": link.id}
    for gateway in topology.gateways:
        via = str(topology.router[topology.host[gateway.host].router].site_address)
        centres = {topology.front[name].centre for name in gateway.servers}
        found[gateway.id] = {centre: {"via": via, "dev": "site"} for centre in centres}
    return found


HOME = {
    "ce-a": {"futian": "tel-futian", "southern": "uni-southern", "sse-one": "sse-tel", "sse-two": "sse-tel"},
    "ce-b": {"futian": "uni-futian", "southern": "tel-southern", "sse-one": "sse-uni", "sse-two": "sse-uni"},
}


def found(name: str, said: Hops, topology: Topology | None = None, **lost: frozenset[str]) -> GatewayPaths:
    proof = diversity(Measured(topology or example(), said, **lost))
    return next(item for item in proof if item.gateway == name)


def shared(item: Diversity) -> set[tuple[str, str]]:
    return {(part.kind, part.name) for part in item.shared}


def test_two_carriers_over_one_router_are_one_path_and_two_with_the_hot_standby() -> None:
    item = found("nq-trade-1", measured(example(), HOME))
    assert [(way.line, way.carrier, way.routers) for way in item.ways] == [
        ("tel-futian", "telecom", ("ce-a",)),
        ("uni-southern", "unicom", ("ce-a",)),
    ]
    assert (item.own.state, item.own.paths, shared(item.own)) == (PathState.ONE, 1, {("router", "ce-a")})
    assert (item.pair, item.with_pair and item.with_pair.paths) == ("nq-trade-2", 2)


def test_every_hop_is_told_with_its_interface() -> None:
    way = found("nq-trade-1", measured(example(), HOME)).ways[0]
    assert [(hop.at, hop.via, hop.device) for hop in way.hops] == [
        ("gw-a1", "198.19.1.1", "site"),
        ("ce-a", "203.0.113.2", "tel-futian"),
    ]


def test_a_way_over_the_link_to_the_other_room_shares_its_router_its_link_and_its_line() -> None:
    over = {**HOME, "ce-a": {**HOME["ce-a"], "futian": "uni-futian"}}
    item = found("nq-trade-1", measured(example(), over))
    assert item.ways[0].routers == ("ce-a", "ce-b")
    assert item.ways[0].links == ("rooms",)
    assert shared(item.own) == {("router", "ce-a"), ("carrier", "unicom")}
    assert item.with_pair is not None
    assert item.with_pair.paths == 2, "its own way to Southern and its standby's"
    over["ce-a"]["southern"] = "tel-southern"
    item = found("nq-trade-1", measured(example(), over))
    assert shared(item.own) == {("router", "ce-a"), ("router", "ce-b"), ("link", "rooms")}
    assert item.with_pair is not None
    assert (item.with_pair.state, item.with_pair.paths) == (PathState.ONE, 1), "everything leaves by ce-b"


def test_two_routers_and_two_carriers_are_two_paths_two_of_one_carrier_are_one() -> None:
    ways = [found(name, measured(example(), HOME)).ways[0] for name in ("nq-trade-1", "nq-trade-2")]
    one = judged(ways)
    assert [way.carrier for way in ways] == ["telecom", "telecom"]
    assert (one.state, one.paths) == (PathState.ONE, 1)
    assert one.shared == (Shared(kind="carrier", name="telecom"),)
    two = judged([ways[0], found("nq-trade-2", measured(example(), HOME)).ways[1]])
    assert (two.state, two.paths, two.shared) == (PathState.DIVERSE, 2, ())


def test_what_is_lost_is_measured_and_not_counted() -> None:
    item = found("nq-trade-1", measured(example(), HOME), dead_lines=frozenset({"tel-futian"}))
    assert [way.state for way in item.ways] == [WayState.DEAD, WayState.USABLE]
    assert item.own.paths == 1
    gone = found("nq-trade-1", measured(example(), HOME), dead_centres=frozenset({"futian", "southern"}))
    assert (gone.own.state, gone.own.paths) == (PathState.NONE, 0)
    out = found("nq-trade-1", measured(example(), HOME), dead_hosts=frozenset({"gw-a1"}))
    assert (out.own.state, out.with_pair and out.with_pair.paths) == (PathState.NONE, 1)


def test_no_route_is_no_path_and_what_was_not_measured_is_not_judged() -> None:
    said = measured(example(), HOME)
    said["ce-a"]["futian"] = said["ce-a"]["southern"] = None
    assert found("nq-trade-1", said).own.state is PathState.NONE
    del said["ce-a"]["southern"]
    item = found("nq-trade-1", said)
    assert (item.own.state, item.own.paths) == (PathState.NOT_JUDGED, 0)
    assert "ce-a: its next hop was not measured" in item.own.why
    del said["nq-trade-1"]
    assert found("nq-trade-1", said).own.why == "gw-a1: its next hop was not measured"


@pytest.mark.parametrize(
    ("name", "hop", "why"),
    [
        ("nq-trade-1", {"via": "198.19.1.254", "dev": "site"}, "gw-a1: next hop 198.19.1.254 is no CE router"),
        ("nq-trade-1", {"via": None, "dev": "eth1"}, "gw-a1: next hop eth1 is no CE router"),
        ("ce-a", {"via": "10.0.0.1", "dev": "eth9"}, "ce-a: next hop 10.0.0.1 is no line and no link"),
    ],
)
def test_a_hop_that_the_topology_does_not_know_is_not_judged(name: str, hop: dict[str, str | None], why: str) -> None:
    said = measured(example(), HOME)
    said[name] = dict.fromkeys(("futian", "southern"), hop)
    item = found("nq-trade-1", said)
    assert item.own.state is PathState.NOT_JUDGED
    assert item.own.why.startswith(why)


def test_two_routers_that_point_at_each_other_lead_nowhere() -> None:
    over = {"ce-a": {**HOME["ce-a"], "futian": "uni-futian"}, "ce-b": {**HOME["ce-b"], "futian": "tel-futian"}}
    way = found("nq-trade-1", measured(example(), over)).ways[0]
    assert (way.state, way.line) == (WayState.NO_ROUTE, None)
    assert "a loop" in way.why


def test_only_production_centres_count_and_receivers_are_left_out() -> None:
    topology = changed({"gateways": {"nq-trade-1": {"servers": ["beijing-trading", "futian-trading"]}}})
    item = found("nq-trade-1", measured(topology, HOME), topology)
    assert [way.centre for way in item.ways] == ["futian"]
    names = {item.gateway for item in diversity(Measured(topology, measured(topology, HOME)))}
    assert not names & {"nq-mc-1", "nq-mc-2", "nq-trade-1-cold"}
