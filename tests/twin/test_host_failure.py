"""A gateway host fails on a twin: its number goes to the cold standby and home again; the fronts' own record judges."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.plan import Action
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.twin import Twin
from tests.support.command import drillctl
from tests.support.sites import ROOT
from tests.twin.test_sabotage import inside

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]

NUMBER, PRIMARY, COLD = "W100200", "nq-trade-1", "nq-trade-1-cold"


def rehearsed(folder: Path, *settings: str) -> RunRecord:
    said = drillctl("rehearse", "gateway-host-failure", *settings, "--json", state=folder)
    assert said.code == 0, said.err[-3000:] + said.out[-2000:]
    verdict = said.record.verdict
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED)
    assert verdict.differences == (), "a file, a session, or a fence of ours that was left on a router"
    return said.record


def truth(record: RunRecord) -> dict[str, Any]:
    """What the fronts saw. No number and no certificate was ever asked for at two places at once."""
    assert record.ground_truth is not None
    assert (record.ground_truth["duplicates"], record.ground_truth["shared_certificates"]) == (0, 0)
    return record.ground_truth


def attempts(record: RunRecord, gateway: str) -> list[dict[str, Any]]:
    """Every log-in that a front heard of, accepted or not."""
    return [item for item in truth(record)["logins"] if item["number"] == NUMBER and item["gateway"] == gateway]


@pytest.mark.parametrize("manner", ["dark", pytest.param("freeze", marks=pytest.mark.matrix)])
def test_a_number_goes_to_its_cold_standby_and_home_behind_a_fence(tmp_path: Path, manner: str) -> None:
    record = rehearsed(tmp_path, "--set", f"manner={manner}")
    assert record.fault_at is not None
    assert record.lifted_at is not None
    takes = next(change for change in record.plan.gateways if change.gateway == COLD)
    assert takes.after is not None

    [standby] = attempts(record, COLD)
    assert standby["accepted"]
    assert record.fault_at < standby["at"] < record.lifted_at
    assert (standby["certificate"], standby["front"], standby["line"]) == (
        takes.after.certificate,
        takes.after.front,
        takes.after.line,
    )

    out = [item for item in truth(record)["logouts"] if item["number"] == NUMBER and item["at"] > standby["at"]]
    given_back_at = min(item["at"] for item in out)
    assert given_back_at > record.lifted_at
    heard = [item["at"] for item in attempts(record, PRIMARY)]
    assert not [at for at in heard if record.fault_at < at < given_back_at], "fenced until the standby was out"
    assert max(heard) > given_back_at

    home = truth(record)["current"][NUMBER]
    before = next(change.before for change in record.plan.gateways if change.gateway == PRIMARY)
    assert before is not None
    assert (home["front"], home["line"], home["certificate"]) == (before.front, before.line, before.certificate)


@pytest.mark.matrix
def test_a_host_with_hot_standbys_only_is_left_alone_and_comes_home_by_itself(tmp_path: Path) -> None:
    record = rehearsed(tmp_path, "--set", "host=gw-a5")
    lost = [change for change in record.plan.gateways if change.action is Action.HOT_STANDBY]
    assert {change.gateway for change in lost} == {"sse-td-1", "sse-md-1"}
    assert record.verdict.lists_changed == 0
    for change in lost:
        pair = record.topology.gateway[change.standby or ""]
        held = [item for item in truth(record)["logins"] if item["number"] == pair.number]
        assert len(held) == 1, "it was logged in all the time"


@pytest.fixture
def twin() -> Iterator[Twin]:
    made = Twin.up(load_site(ROOT / "inventory/example"))
    yield made
    made.down()


@pytest.mark.matrix
def test_a_standby_that_does_not_start_fails_the_run_by_its_name_and_the_number_goes_home(
    tmp_path: Path, twin: Twin
) -> None:
    twin.sabotage("block_gateway", gateway=COLD)
    said = drillctl(*inside(twin, "rehearse", "gateway-host-failure"), state=tmp_path)
    assert said.code == 1, said.err[-3000:]
    verdict = said.record.verdict
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.FAILED, Restoration.PROVED)
    assert any(COLD in item.en and "ended after its start" in item.en for item in verdict.reasons), verdict.reasons
    seen = twin.truth()
    assert [item for item in seen["logins"] if item["gateway"] == COLD] == []
    before = next(item.before for item in said.record.plan.gateways if item.gateway == PRIMARY)
    assert before is not None
    assert (seen["current"][NUMBER]["front"], seen["current"][NUMBER]["certificate"]) == (
        before.front,
        before.certificate,
    )
    assert (seen["duplicates"], seen["shared_certificates"]) == (0, 0)
