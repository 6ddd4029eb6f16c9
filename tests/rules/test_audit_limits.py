"""Where an audit rule draws its line: the nearest case on the other side."""

from orchestrator.model.audit import Result
from orchestrator.model.topology import Topology
from orchestrator.rules.rulebook import audit
from tests.rules.edit import changed, with_
from tests.rules.facts import EXAMPLE as FACTS
from tests.rules.facts import over

EXAMPLE = FACTS.topology


def said(topology: Topology, rule: str) -> list[tuple[Result, str]]:
    return [(item.result, item.text.en) for item in audit(over(topology)) if item.rule == rule]


def test_two_megabits_are_enough() -> None:
    topology = changed(EXAMPLE, "lines", "tel-futian", bandwidth_mbps=2)
    assert (Result.SATISFIED, "Telecom to Futian (tel-futian) has 2 Mbps.") in said(topology, "bandwidth")


def test_a_satellite_has_no_minimum() -> None:
    topology = changed(EXAMPLE, "lines", "sat-two-way", bandwidth_mbps=0.5)
    assert all(result is Result.SATISFIED for result, _ in said(topology, "bandwidth"))


def test_a_router_that_serves_the_other_exchange_only_is_not_judged_by_lines_into_sscc() -> None:
    hosts = tuple(h.model_copy(update={"router": "ce-a"}) if h.id != "gw-b5" else h for h in EXAMPLE.hosts)
    texts = [text for _, text in said(with_(EXAMPLE, hosts=hosts), "carrier-may-fail")]
    assert texts
    assert not any("ce-b" in text for text in texts)


def test_only_a_lost_centre_is_called_lost() -> None:
    texts = [text for _, text in said(EXAMPLE, "carrier-may-fail")]
    assert "Without China Unicom, Waigaoqiao backup room (router ce-b) still reaches every production centre." in texts
    assert sum("losing the carrier is losing the centre" in text for text in texts) == 1


def test_one_line_that_outlives_both_centres_is_enough_and_is_named() -> None:
    topology = changed(EXAMPLE, "lines", "tel-futian", survives_loss_of=None)
    topology = changed(topology, "lines", "uni-futian", survives_loss_of=("futian",))
    assert said(topology, "dr-line-survives") == [
        (Result.SATISFIED, "With Futian, Southern gone, Beijing remote DR is reached by Unicom to Southern.")
    ]


def test_one_line_that_does_not_say_what_it_outlives_may_be_the_one() -> None:
    topology = with_(EXAMPLE, lines=tuple(line.model_copy(update={"survives_loss_of": ()}) for line in EXAMPLE.lines))
    topology = changed(topology, "lines", "tel-futian", survives_loss_of=None)
    assert [result for result, _ in said(topology, "dr-line-survives")] == [Result.NOT_JUDGED]


def test_only_the_number_of_a_cold_standby_is_called_shared() -> None:
    shared = [text for _, text in said(EXAMPLE, "one-login-per-number") if "alone" not in text]
    assert shared == [
        "Gateway number W100200 is shared with a cold standby (nq-trade-1, nq-trade-1-cold); one of them is enabled."
    ]


def with_cold_tdgw(**fields: object) -> Topology:
    """The example, its first TDGW with a cold standby instead of its hot one."""
    cold = EXAMPLE.gateway["sse-td-2"].model_copy(
        update={"number": "T50010", "enabled": False, "standby_for": "sse-td-1", "pair": None, **fields}
    )
    alone = changed(EXAMPLE, "gateways", "sse-td-1", pair=None)
    return with_(alone, gateways=tuple(cold if item.id == "sse-td-2" else item for item in alone.gateways))


def test_a_cold_standby_is_the_backup_of_its_primary() -> None:
    assert said(with_cold_tdgw(), "tdgw-pair") == [
        (Result.SATISFIED, "Gateway sse-td-1 (T50010) and sse-td-2 are on different hosts.")
    ]
    assert [result for result, _ in said(with_cold_tdgw(), "tdgw-pair-rooms")] == [Result.SATISFIED]
    beside = with_cold_tdgw(host="gw-a4")
    assert [result for result, _ in said(beside, "tdgw-pair-rooms")] == [Result.VIOLATED]


def test_the_certificates_of_a_number_are_asked_of_its_primary() -> None:
    topology = with_cold_tdgw(certificates=("sse-td-1-file",), certificate="sse-td-1-file")
    assert [result for result, _ in said(topology, "tdgw-two-certificates")] == [Result.SATISFIED]
