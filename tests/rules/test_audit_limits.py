"""Where an audit rule draws its line: the nearest case on the other side."""

from pathlib import Path

from orchestrator.loader.site import load_site
from orchestrator.model.topology import Topology
from orchestrator.rules.finding import Result
from orchestrator.rules.rulebook import audit
from tests.rules.edit import changed, with_

EXAMPLE = load_site(Path(__file__).parents[2] / "inventory/example").topology


def said(topology: Topology, rule: str) -> list[tuple[Result, str]]:
    return [(item.result, item.text.en) for item in audit(topology) if item.rule == rule]


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


def test_a_number_of_one_gateway_is_not_called_shared() -> None:
    assert all("alone" in text for _, text in said(EXAMPLE, "one-login-per-number"))
