"""Waves: who goes together, who goes first."""

from functools import cache

from orchestrator.model.plan import GatewayChange, Plan
from orchestrator.planner.waves import in_waves
from tests.planner.example import change_of, changed, planned


@cache
def everything() -> Plan:
    """A plan that moves nearly every gateway."""
    return planned(drill="beijing-dr-cutover")


def waves(*gateways: str, limit: int = 20) -> list[list[str]]:
    topology = changed({"site": {"max_gateways_per_wave": limit}})
    changes: list[GatewayChange] = [change_of(everything(), name) for name in gateways]
    return [[change.gateway for change in wave] for wave in in_waves(topology, changes)]


def test_nothing_needs_no_wave() -> None:
    assert waves() == []


def test_the_members_of_a_pair_are_never_in_one_wave() -> None:
    assert waves("nq-trade-1", "nq-trade-2") == [["nq-trade-1"], ["nq-trade-2"]]


def test_primaries_go_before_standbys_whatever_their_class() -> None:
    assert waves("nq-trade-2", "nq-ccnet-1") == [["nq-ccnet-1", "nq-trade-2"]]
    assert waves("nq-trade-2", "nq-ccnet-1", limit=1) == [["nq-ccnet-1"], ["nq-trade-2"]]


def test_orders_go_before_prices_and_prices_before_settlement() -> None:
    names = ("nq-mc-1", "nq-ccnet-1", "sse-md-1", "nq-md-1", "sse-td-1", "nq-trade-3", "nq-trade-1")
    assert waves(*names) == [["nq-trade-1", "nq-trade-3", "sse-td-1", "nq-md-1", "sse-md-1", "nq-ccnet-1", "nq-mc-1"]]


def test_a_wave_never_exceeds_the_sites_limit() -> None:
    assert waves("nq-trade-1", "nq-trade-3", "nq-md-1", limit=2) == [["nq-trade-1", "nq-trade-3"], ["nq-md-1"]]


def test_a_standby_fills_the_first_wave_that_has_room_and_not_its_primary() -> None:
    found = waves("nq-trade-1", "nq-trade-3", "nq-md-1", "nq-trade-2", "nq-md-2", limit=2)
    assert found == [["nq-trade-1", "nq-trade-3"], ["nq-md-1", "nq-trade-2"], ["nq-md-2"]]


def test_the_order_of_asking_does_not_matter() -> None:
    names = [change.gateway for change in everything().affected]
    assert waves(*names, limit=3) == waves(*reversed(names), limit=3)


def test_the_plan_numbers_the_waves_from_one() -> None:
    assert change_of(everything(), "nq-trade-1").wave == 1
    assert change_of(everything(), "nq-trade-2").wave == 2
    assert change_of(everything(), "nq-mc-1").wave is None
