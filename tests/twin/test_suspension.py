"""SSCC suspends the firm's access on a twin: everything of theirs is silent, nothing flies, everything comes back."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.plan import Action
from orchestrator.model.verdict import RunOutcome
from orchestrator.twin import Twin
from tests.support.command import drillctl, drillctl_running
from tests.support.sites import ROOT
from tests.support.twins import files_of
from tests.twin.test_sabotage import inside

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]

DRILL = "access-suspended"


def test_nothing_flies_from_a_suspension_and_each_number_comes_back_once(tmp_path: Path) -> None:
    said = drillctl("rehearse", DRILL, "--json", state=tmp_path)
    assert said.code == 0, said.err[-3000:]
    record, truth = said.record, said.record.ground_truth
    assert truth is not None
    assert record.fault_at is not None
    assert record.lifted_at is not None
    suspended = {item.number for item in record.plan.affected}
    assert {item.action for item in record.plan.affected} == {Action.SUSPENDED}
    assert record.verdict.lists_changed == 0
    assert [step.id for step in record.plan.steps if step.verb in ("repoint", "path", "take_over")] == []
    heard = [item for item in truth["logins"] if item["number"] in suspended and item["at"] >= record.fault_at]
    assert not [item for item in heard if item["at"] < record.lifted_at], "nobody was heard of while it lasted"
    assert not {item["centre"] for item in heard} & {"beijing"}
    once = Counter(item["number"] for item in heard)
    assert max(once.values()) <= 2, "its own return, and home where it came back to its second front"
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)
    text = Path(said.document["report"]).read_text(encoding="utf-8")
    assert "深证通暂停本公司网络接入" in text
    assert "接入暂停期间未作切换" in text


@pytest.fixture
def twin() -> Iterator[Twin]:
    made = Twin.up(load_site(ROOT / "inventory/example"))
    yield made
    made.down()


@pytest.mark.matrix
def test_a_list_that_somebody_turns_to_beijing_meanwhile_fails_the_run_by_name(tmp_path: Path, twin: Twin) -> None:
    """SSCC-5.2: no other centre is a way out, whoever takes it."""
    file = files_of(twin, "gw-a1") / "opt/nqtrade/nq-trade-1/etc/gateway.ini"
    before = file.read_bytes()
    with drillctl_running(*inside(twin, "rehearse", DRILL), state=tmp_path) as running:
        running.until("fault is on")
        file.write_bytes(before.replace(b"172.60.101.30", b"172.70.101.30"))
        running.until("== holding")
        file.write_bytes(before)
        said = running.finish()
    assert said.code == 1, said.err[-3000:]
    verdict = said.record.verdict
    assert verdict.outcome is RunOutcome.FAILED
    assert any("nq-trade-1" in item.en and "172.70.101.30" in item.en for item in verdict.reasons), verdict.reasons
    assert twin.truth()["duplicates"] == 0
