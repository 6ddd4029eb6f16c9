"""A second failure in the middle of a switch, on a twin: noticed, named, gone back from, and nothing made worse."""

from pathlib import Path

import pytest

from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.twin import Twin
from tests.support.command import drillctl

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]


def test_a_carrier_that_dies_while_a_centre_is_drilled_is_named_and_the_run_waits_for_a_person(tmp_path: Path) -> None:
    try:
        said = drillctl(
            "rehearse", "single-centre-failure", "--surprise", "carrier=telecom@switching", "--json", state=tmp_path
        )
    finally:
        for twin in Twin.all():  # a run that waits leaves its twin up
            twin.down()
    assert said.code == 5, said.err[-3000:]
    record = said.record
    assert (record.verdict.outcome, record.verdict.restoration) == (RunOutcome.ABORTED, Restoration.NOT_PROVED)
    [reason] = [item for item in record.verdict.reasons if "预案外故障" in item.zh]
    assert "looks like: carrier telecom (tel-futian, tel-southern, sse-tel)" in reason.en
    assert "已安全中止" in reason.zh
    [surprise] = record.surprises
    assert (surprise.text, surprise.lifted_at) == ("carrier=telecom@switching", None)
    truth = record.ground_truth
    assert truth is not None
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)
    numbers = {item.number for item in record.plan.gateways if item.before and not item.gateway.startswith("nq-mc")}
    assert {number for number, item in truth["current"].items() if item["front"]} >= numbers, "all work who can"
