"""The twin's network as planned, without building it: any valid site, and no two things in each other's way."""

from collections import Counter
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Refused
from orchestrator.loader.site import load_site
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault
from orchestrator.model.topology import LineKind, Topology
from orchestrator.twin.birdconf import centre_bird, line_bird, router_bird
from orchestrator.twin.effects import effects, fault_key
from orchestrator.twin.layout import SITE, lay_out, router_space
from orchestrator.twin.streams import Stream, streams
from tests.support.sites import ROOT, RoomSpec, SiteSpec, topology_of

EXAMPLE = load_site(ROOT / "inventory/example").topology

rooms = st.lists(
    st.builds(
        RoomSpec,
        routing=st.sampled_from(["static", "dynamic"]),
        lines=st.lists(
            st.tuples(st.sampled_from(["alpha", "beta"]), st.sampled_from(["futian", "southern"])),
            min_size=2,
            max_size=5,
            unique=True,
        ).map(tuple),
        far=st.booleans(),
    ),
    min_size=2,
    max_size=3,
)
sites = st.builds(SiteSpec, rooms=rooms.map(tuple), pairs=st.integers(1, 3)).map(topology_of)


def changed(topology: Topology, **changes: object) -> Topology:
    return Topology.model_validate(topology.model_dump(mode="json", by_alias=True) | changes)


@given(sites)
def test_no_device_and_no_address_is_given_twice(topology: Topology) -> None:
    plugs = [plug for cable in lay_out(topology).cables for plug in cable.plugs()]
    assert max(Counter((plug.space, plug.device) for plug in plugs).values()) == 1
    assert max(Counter(plug.address for plug in plugs if plug.address).values()) == 1
    assert all(len(plug.device) < 16 for plug in plugs)


@given(sites)
def test_bfd_is_configured_at_both_ends_of_every_session(topology: Topology) -> None:
    layout = lay_out(topology)
    dynamic = [router for router in topology.routers if router.routing == "dynamic"]
    watching = sum(router_bird(layout, router).sessions for router in dynamic)
    watching += sum(centre_bird(layout, centre).sessions for centre in topology.centres)
    assert sum(line_bird(layout, line).sessions for line in topology.lines) == watching


def test_addresses_between_lines_and_centres_keep_clear_of_the_sites_own() -> None:
    data = EXAMPLE.model_dump(mode="json", by_alias=True)
    data["links"][0]["network"] = "100.64.0.0/24"
    layout = lay_out(Topology.model_validate(data))
    taken = IPv4Network("100.64.0.0/24")
    assert not [item for item in layout.transit.values() if item.line_address in taken or item.centre_address in taken]


def test_the_controller_takes_an_address_that_nobody_has() -> None:
    hosts = EXAMPLE.model_dump(mode="json")["hosts"]
    hosts[0]["management_address"] = "198.18.255.254"
    layout = lay_out(changed(EXAMPLE, hosts=hosts))
    assert lay_out(EXAMPLE).controller_address == IPv4Address("198.18.255.254")
    assert layout.controller_address == IPv4Address("198.18.255.253")


def test_a_room_inside_the_management_network_is_refused() -> None:
    data = EXAMPLE.model_dump(mode="json", by_alias=True)
    data["site"]["management_network"] = "198.18.0.0/15"
    with pytest.raises(Refused, match=r"TWIN_NETWORKS: .*198\.18\.0\.0/15 and room room-a"):
        lay_out(Topology.model_validate(data))


def entering(topology: Topology) -> dict[str, list[Stream]]:
    found: dict[str, list[Stream]] = {}
    for stream in streams(lay_out(topology)):
        found.setdefault(stream.space, []).append(stream)
    return found


def test_the_satellite_feeds_its_own_room_only() -> None:
    satellite = next(front for front in EXAMPLE.fronts if front.satellite)
    reached = [stream for stream in streams(lay_out(EXAMPLE)) if stream.group == satellite.group]
    assert {stream.space for stream in reached if SITE in stream.leaves} == {router_space("ce-a")}


def test_a_room_without_a_multicast_line_is_fed_across_the_link() -> None:
    lines = EXAMPLE.model_dump(mode="json")["lines"]
    for line in lines:
        line["multicast"] = line["router"] == "ce-a"
    found = entering(changed(EXAMPLE, lines=lines))
    across = [stream for stream in found[router_space("ce-b")] if stream.group == IPv4Address("239.60.101.1")]
    assert [(stream.enters, stream.leaves) for stream in across] == [("rooms", (SITE,))]
    assert found[router_space("ce-a")][0].leaves == (SITE, "rooms")


@given(st.lists(st.booleans(), min_size=8, max_size=8), st.permutations(range(2)))
def test_no_namespace_has_two_ways_in_for_one_front(multicast: list[bool], order: list[int]) -> None:
    data = EXAMPLE.model_dump(mode="json", by_alias=True)
    for line, wanted in zip(data["lines"], multicast, strict=True):
        line["multicast"] = wanted and line["kind"] == LineKind.TERRESTRIAL
    for router in data["routers"]:
        router["paths"] = {name: path[:: -1 if order[0] else 1] for name, path in router["paths"].items()}
    for found in entering(Topology.model_validate(data)).values():
        assert max(Counter((stream.source, stream.group) for stream in found).values()) == 1
        assert all(stream.leaves for stream in found)


def test_a_lines_fault_that_cannot_be_is_refused() -> None:
    with pytest.raises(Refused, match="FAULT_NOT_POSSIBLE"):
        effects(EXAMPLE, Fault(manner=FaultManner.HANG, lines=("tel-futian",)))
    with pytest.raises(Refused, match="found 'nowhere'"):
        effects(EXAMPLE, Fault(manner=FaultManner.DARK, centres=("nowhere",)))


def test_a_carriers_fault_takes_all_its_lines() -> None:
    fault = Fault(manner=FaultManner.DARK, carriers=("telecom",))
    assert set(effects(EXAMPLE, fault).rules) == {"line-tel-futian", "line-tel-southern", "line-sse-tel"}
    assert fault_key(fault) != fault_key(Fault(manner=FaultManner.GREY, carriers=("telecom",)))
