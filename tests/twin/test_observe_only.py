"""An exchange leads a test and the firm only measures: the twin makes the cut that was announced."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.twin import Twin
from tests.support.command import drillctl, drillctl_running
from tests.support.sites import ROOT
from tests.support.twins import files_of
from tests.twin.test_sabotage import inside

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]

DRILL = "observe-only"


def test_the_announced_cut_is_measured_and_nothing_is_changed(tmp_path: Path) -> None:
    said = drillctl("rehearse", DRILL, "--json", state=tmp_path)
    assert said.code == 0, said.err[-3000:]
    record, truth = said.record, said.record.ground_truth
    assert truth is not None
    assert record.announcement == "示例〔2026〕001号"
    assert record.plan.fault.centres == ("southern",)
    assert record.verdict.lists_changed == 0
    assert record.verdict.restoration is Restoration.PROVED
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)
    assert record.fault_at is not None
    assert record.lifted_at is not None
    during = [item for item in truth["logins"] if record.fault_at <= item["at"] < record.lifted_at]
    assert {item["centre"] for item in during} == {"futian"}
    text = Path(said.document["report"]).read_text(encoding="utf-8")
    for word in ("示例〔2026〕001号", "南方中心故障模拟", "2026-12-05 09:30 – 10:30", record.plan.announced.digest):  # type: ignore[union-attr]
        assert word in text


@pytest.fixture
def twin() -> Iterator[Twin]:
    made = Twin.up(load_site(ROOT / "inventory/example"))
    yield made
    made.down()


@pytest.mark.matrix
def test_a_list_that_somebody_changes_meanwhile_fails_the_run_by_name(tmp_path: Path, twin: Twin) -> None:
    """The firm changes nothing in a test that the exchange leads, whoever does it."""
    file = files_of(twin, "gw-b1") / "opt/nqtrade/nq-trade-2/etc/gateway.ini"
    before = file.read_bytes()
    assert b"172.50.101.30" in before
    with drillctl_running(*inside(twin, "rehearse", DRILL), state=tmp_path) as running:
        running.until("fault is on")
        file.write_bytes(before.replace(b"172.50.101.30", b"172.70.101.30"))
        running.until("== holding")
        file.write_bytes(before)
        said = running.finish()
    assert said.code == 1, said.err[-3000:]
    verdict = said.record.verdict
    assert verdict.outcome is RunOutcome.FAILED
    assert any("nq-trade-2" in item.en and "172.70.101.30" in item.en for item in verdict.reasons), verdict.reasons
