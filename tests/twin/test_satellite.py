"""Every terrestrial line to SSCC is lost on a twin: trading goes on over the two-way satellite, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Action, Fault
from orchestrator.model.topology import GatewayClass
from orchestrator.model.verdict import RunOutcome
from orchestrator.twin import Twin
from tests.support.command import drillctl, drillctl_running
from tests.support.sites import ROOT
from tests.support.twins import Shell, broken
from tests.twin.test_rehearsals import passed
from tests.twin.test_sabotage import inside

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]

DRILL, SATELLITE = "satellite-fallback", "sat-two-way"


def test_trading_alone_goes_on_over_the_satellite(tmp_path: Path) -> None:
    record = passed(drillctl("rehearse", DRILL, "--json", state=tmp_path))
    over = [item for item in record.verdict.gateways if item.line_during == SATELLITE and item.came_back]
    assert {item.gateway for item in over} == {"nq-trade-2", "nq-trade-4"}
    assert {item.action for item in over} == {Action.REROUTED}
    assert record.verdict.lists_changed == 0
    assert record.ground_truth is not None
    assert record.fault_at is not None
    assert record.lifted_at is not None
    logins = [item for item in record.ground_truth["logins"] if record.fault_at < item["at"] < record.lifted_at]
    carried = {item["line"] for item in logins if item["accepted"]}
    assert carried <= {SATELLITE}  # what the fronts saw; a session that outlives the gap logs in no second time
    served = {record.topology.front[item["front"]].service for item in logins if item["accepted"]}
    assert served <= {GatewayClass.TRADING}


@pytest.fixture
def twin() -> Iterator[Twin]:
    made = Twin.up(load_site(ROOT / "inventory/example"))
    yield made
    made.down()


@pytest.mark.matrix
def test_where_the_satellite_is_dead_too_the_run_fails_by_its_name(tmp_path: Path, twin: Twin) -> None:
    """The plan relies on it; it dies behind the product's back."""
    with drillctl_running(*inside(twin, "rehearse", DRILL), state=tmp_path) as running:
        running.until("fault is on")
        with broken(twin, Fault(manner=FaultManner.DARK, lines=(SATELLITE,)), 300):
            running.until("check-after-switch: ")
        said = running.finish()
    assert said.code == 1, said.err[-3000:]
    assert said.record.verdict.outcome is RunOutcome.FAILED
    missing = {"nq-trade-2", "nq-trade-4"}
    assert missing <= {name for item in said.record.verdict.reasons for name in missing if name in item.en}
    assert twin.truth()["duplicates"] == 0


@pytest.mark.matrix
def test_where_somebody_takes_the_host_routes_away_the_run_fails(tmp_path: Path, twin: Twin) -> None:
    with drillctl_running(*inside(twin, "rehearse", DRILL), state=tmp_path) as running:
        running.until("settle: ")
        for front in ("172.50.101.30", "172.60.101.30"):
            Shell(twin).says("ce-b", f"ip route del {front}/32")
        said = running.finish()
    assert said.code == 1, said.err[-3000:]
    assert said.record.verdict.outcome is RunOutcome.FAILED
    assert any(SATELLITE in item.en or "ce-b" in item.en for item in said.record.verdict.reasons)
