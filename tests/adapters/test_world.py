"""What the site's world works out without a host: next hops, and a host's answer per target."""

import pytest

from orchestrator.adapters.host_result import HostResult
from orchestrator.adapters.moves import next_hop
from orchestrator.adapters.player import per_target
from orchestrator.model.event import Outcome
from orchestrator.ports import TargetResult
from tests.planner.example import TOPOLOGY, changed


def test_over_its_own_line_a_router_sends_to_the_lines_far_side() -> None:
    assert next_hop(TOPOLOGY, "ce-a", "tel-futian") == "203.0.113.2"


def test_over_anothers_line_a_router_sends_to_that_routers_end_of_the_link() -> None:
    assert next_hop(TOPOLOGY, "ce-a", "uni-futian") == "203.0.113.242"
    assert next_hop(TOPOLOGY, "ce-b", "tel-futian") == "203.0.113.241"


def test_the_order_of_a_links_routers_is_the_order_of_its_addresses() -> None:
    turned = changed({"links": {"rooms": {"routers": ["ce-b", "ce-a"]}}})
    assert next_hop(turned, "ce-a", "uni-futian") == "203.0.113.241"


def test_without_a_link_there_is_no_next_hop() -> None:
    apart = TOPOLOGY.model_copy(update={"links": ()})
    with pytest.raises(ValueError, match="ce-a has no link to ce-b, which holds uni-futian"):
        next_hop(apart, "ce-a", "uni-futian")


def answered(outcome: Outcome, *results: dict[str, object]) -> list[TargetResult]:
    data = {"results": list(results)} if results else {}
    return list(per_target(HostResult("gw-a1", outcome, "of the host", data), ["one", "two"]))


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.INDETERMINATE, Outcome.TIMED_OUT])
def test_without_an_answer_every_target_shares_what_came_of_the_host(outcome: Outcome) -> None:
    found = answered(outcome)
    assert found == [TargetResult(name, outcome, "of the host") for name in ("one", "two")]


def test_each_target_has_its_own_answer_in_the_order_of_asking() -> None:
    one, two = answered(
        Outcome.FAILED,
        {"outcome": "succeeded", "message": "", "changed": True},
        {"outcome": "failed", "message": "disk full", "changed": False},
    )
    assert (one.target, one.outcome, one.data) == ("one", Outcome.SUCCEEDED, {"changed": True})
    assert (two.target, two.outcome, two.message) == ("two", Outcome.FAILED, "disk full")


def test_an_answer_that_is_missing_is_unknown_and_names_its_target() -> None:
    one, two = answered(Outcome.SUCCEEDED, {"outcome": "succeeded", "message": ""})
    assert (one.target, one.outcome) == ("one", Outcome.SUCCEEDED)
    assert (two.target, two.outcome) == ("two", Outcome.INDETERMINATE)
    assert "expected 2 answers of gw-a1, found 1" in two.message


def test_an_answer_of_nobody_takes_nothing_away() -> None:
    good: dict[str, object] = {"outcome": "succeeded", "message": ""}
    assert [item.target for item in answered(Outcome.SUCCEEDED, good, good, good)] == ["one", "two"]


def test_an_answer_without_a_word_is_unknown() -> None:
    one, _ = answered(Outcome.SUCCEEDED, {}, {})
    assert (one.outcome, one.message) == (Outcome.INDETERMINATE, "")
