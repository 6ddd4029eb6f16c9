"""One line is lost on a twin: the network takes another, or the static routes and lists are moved."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Action, Fault
from orchestrator.model.verdict import RunOutcome
from orchestrator.twin import Twin
from tests.support.command import drillctl, drillctl_running
from tests.support.sites import ROOT
from tests.support.twins import broken
from tests.twin.test_rehearsals import passed
from tests.twin.test_sabotage import inside

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]

DRILL = "single-line-failure"


@pytest.mark.parametrize(
    ("line", "action", "lists"),
    [
        ("tel-futian", Action.REROUTED, 0),
        pytest.param("tel-southern", Action.REPOINT, 4, marks=pytest.mark.matrix),
        pytest.param("sse-uni", Action.REROUTED, 0, marks=pytest.mark.matrix),
    ],
)
def test_business_goes_on_without_one_line(tmp_path: Path, line: str, action: Action, lists: int) -> None:
    record = passed(drillctl("rehearse", DRILL, "--set", f"line={line}", "--json", state=tmp_path))
    logging_in = [item for item in record.plan.affected if not record.topology.gateway[item.gateway].receives_only]
    assert {item.action for item in logging_in} == {action}
    assert record.verdict.lists_changed == lists
    assert all(item.line_during != line for item in record.verdict.gateways)


@pytest.mark.parametrize("line", ["uni-southern", "sat-two-way"])
def test_a_line_that_nobody_uses_is_no_drill(tmp_path: Path, line: str) -> None:
    said = drillctl("rehearse", DRILL, "--set", f"line={line}", state=tmp_path)
    assert said.code == 3
    assert "NOTHING_AFFECTED" in said.err


@pytest.fixture
def twin() -> Iterator[Twin]:
    made = Twin.up(load_site(ROOT / "inventory/example"))
    yield made
    made.down()


@pytest.mark.matrix
def test_where_the_other_line_is_dead_too_the_run_fails_by_its_name(tmp_path: Path, twin: Twin) -> None:
    """The plan relies on uni-futian; it dies behind the product's back. What left by itself people bring home."""
    with drillctl_running(*inside(twin, "rehearse", DRILL), state=tmp_path) as running:
        running.until("fault is on")
        with broken(twin, Fault(manner=FaultManner.DARK, lines=("uni-futian",)), 300):
            running.until("stop_condition: ")
        said = running.finish()
    assert said.code == 5, said.err[-3000:]
    assert said.record.verdict.outcome is RunOutcome.ABORTED
    [reason] = [item for item in said.record.verdict.reasons if "预案外故障" in item.zh]
    assert "line uni-futian" in reason.en
    assert twin.truth()["duplicates"] == 0
