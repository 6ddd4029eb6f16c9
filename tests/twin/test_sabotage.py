"""Drills that go wrong, on a twin that the test itself holds and breaks."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.twin import Twin
from tests.support.command import drillctl, drillctl_running
from tests.support.sites import ROOT
from tests.support.twins import until

pytestmark = [pytest.mark.twin, pytest.mark.matrix]

DRILL = ("single-centre-failure", "--set", "centre=futian")
INSIDE = (f"{ROOT}/.venv/bin/python", "-m", "orchestrator")


@pytest.fixture
def twin(own_twins: None) -> Iterator[Twin]:  # noqa: ARG001 - its folder of twins has to be there first
    made = Twin.up(load_site(ROOT / "inventory/example"))
    yield made
    made.down()


def all_logged_in(twin: Twin) -> int:
    """Wait until every gateway that logs in has done so; how many log-ins that took."""
    wanted = sum(
        gateway.enabled and not gateway.receives_only
        for gateway in load_site(ROOT / "inventory/example").topology.gateways
    )
    end = time.monotonic() + 30
    while time.monotonic() < end:
        truth = twin.truth()
        if len(truth["current"]) == wanted:
            return len(truth["logins"])
    raise AssertionError("expected every gateway logged in within 30 s of the twin's start")


def inside(twin: Twin, *arguments: str) -> tuple[str, ...]:
    return ("twin", "exec", twin.name, "--", *INSIDE, *arguments, "--json")


def test_assist_repoints_exactly_what_stays_down(tmp_path: Path, twin: Twin) -> None:
    with drillctl_running(*inside(twin, "rehearse", *DRILL, "--response", "assist"), state=tmp_path) as running:
        running.until("fault is on")
        twin.sabotage("freeze_gateway", gateway="nq-trade-3")
        said = running.finish()
    assert said.code == 0, said.err
    record = said.record
    assert (record.verdict.outcome, record.verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED)
    assert record.verdict.lists_changed == 1
    assert [item.gateway for item in record.verdict.gateways if item.list_changed] == ["nq-trade-3"]
    assert twin.truth()["duplicates"] == 0


def test_a_gateway_that_never_comes_back_is_named_and_the_others_are_restored(tmp_path: Path, twin: Twin) -> None:
    twin.sabotage("block_gateway", gateway="nq-md-1")
    said = drillctl(*inside(twin, "rehearse", *DRILL), state=tmp_path)
    assert said.code == 5, said.err
    record = said.record
    assert (record.verdict.outcome, record.verdict.restoration) == (RunOutcome.FAILED, Restoration.NOT_PROVED)
    assert any("nq-md-1" in reason.en for reason in record.verdict.reasons)
    differ = {item.target for item in record.verdict.differences}
    assert differ & {item.gateway for item in record.plan.gateways} == {"nq-md-1"}
    for config in record.configurations:
        assert config.sha256_before == config.sha256_after, f"{config.gateway} has its own file again"
    assert twin.truth()["duplicates"] == 0
    assert "nq-md-1" in Path(said.document["report"]).read_text(encoding="utf-8")


def test_a_baseline_that_is_not_met_touches_nothing(tmp_path: Path, twin: Twin) -> None:
    logins = all_logged_in(twin)
    twin.sabotage("kill_gateway", gateway="nq-trade-2")
    said = drillctl(*inside(twin, "rehearse", *DRILL), state=tmp_path)
    assert said.code == 3, said.err
    assert said.document["verdict"]["outcome"] == "not_started"
    assert said.document["verdict"]["restoration"] == "not_applicable"
    assert "nq-trade-2" in said.err
    assert len(twin.truth()["logins"]) == logins
    assert twin.status()["faults"] == []


def test_an_aborted_run_is_restored_and_leaves_nothing(tmp_path: Path, twin: Twin) -> None:
    """The whole terminal's Ctrl-C: what is sent to hosts is not told, the run restores and proves it."""
    with drillctl_running(*inside(twin, "rehearse", *DRILL, "--response", "repoint"), state=tmp_path) as running:
        running.until("repoint-1")
        for child in children(running.process.pid):
            os.kill(child, signal.SIGINT)
        said = running.finish()
    assert said.code == 4, said.err
    assert (said.record.verdict.outcome, said.record.verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert (twin.status()["faults"], list(twin.folder.glob("cm-*"))) == ([], [])
    assert twin.truth()["duplicates"] == 0


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.usefixtures("own_twins")
def test_a_rehearsal_that_is_ended_while_its_twin_comes_up_leaves_no_twin(tmp_path: Path) -> None:
    with drillctl_running("rehearse", *DRILL, "--json", state=tmp_path) as running:
        until(Twin.all, 60)
        running.process.terminate()
        said = running.finish()
    assert said.code == 4, said.err
    assert Twin.all() == []


def test_a_twin_of_another_inventory_is_refused(tmp_path: Path, twin: Twin) -> None:
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    hosts = tmp_path / "inventory/example/hosts.yml"
    hosts.write_text(f"# changed since\n{hosts.read_text(encoding='utf-8')}", encoding="utf-8")
    said = drillctl(*inside(twin, "rehearse", *DRILL, "--site", str(hosts.parent)), state=tmp_path)
    assert said.code == 3
    assert "OTHER_SITE" in said.err
    assert not (tmp_path / "reports").exists()
