"""Next hops become lines: own ones, those behind the other room's router, none, and unknown."""

from orchestrator.adapters.route_lines import lines_of, probe_addresses
from orchestrator.loader.site import load_site
from tests.measuring.lab import ROOT

TOPOLOGY = load_site(ROOT / "inventory" / "example").topology
LINK = ("203.0.113.241", "203.0.113.242")
REMOTE = {line.id: str(line.remote_address) for line in TOPOLOGY.lines}


def test_a_next_hop_at_the_far_end_of_an_own_line_is_that_line() -> None:
    hops = {"ce-a": {"futian": REMOTE["tel-futian"], "southern": REMOTE["uni-southern"]}}
    assert lines_of(TOPOLOGY, "ce-a", hops) == {"futian": "tel-futian", "southern": "uni-southern"}


def test_a_next_hop_on_the_link_is_the_line_that_the_other_router_uses() -> None:
    hops = {"ce-a": {"futian": LINK[1]}, "ce-b": {"futian": REMOTE["uni-futian"]}}
    assert lines_of(TOPOLOGY, "ce-a", hops) == {"futian": "uni-futian"}


def test_a_centre_behind_a_router_that_was_not_heard_is_unknown_and_not_without_route() -> None:
    assert lines_of(TOPOLOGY, "ce-a", {"ce-a": {"futian": LINK[1], "southern": None}}) == {"southern": None}


def test_two_routers_that_point_at_each_other_have_no_line() -> None:
    hops = {"ce-a": {"futian": LINK[1]}, "ce-b": {"futian": LINK[0]}}
    assert lines_of(TOPOLOGY, "ce-a", hops) == {"futian": None}


def test_a_next_hop_that_is_no_line_is_no_line() -> None:
    """A line of the other router reached past the link is no line of this one either."""
    hops = {"ce-a": {"futian": "198.18.1.254", "southern": REMOTE["uni-futian"]}}
    assert lines_of(TOPOLOGY, "ce-a", hops) == {"futian": None, "southern": None}


def test_every_centre_of_the_paths_is_asked_for_by_an_address_inside_it() -> None:
    addresses = probe_addresses(TOPOLOGY, TOPOLOGY.router["ce-a"])
    assert set(addresses) == set(TOPOLOGY.router["ce-a"].paths)
    assert addresses["futian"].startswith("172.60.101.")
