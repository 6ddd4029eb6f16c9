"""Runs on a twin that are killed, stopped or left waiting, as an operator finds them and brings them to their end."""

import json
import os
import signal
from pathlib import Path

import pytest

from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.twin import Twin
from tests.support.command import Said, drillctl, drillctl_running
from tests.support.twins import until

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]

DRILL = ("single-carrier-failure", "--set", "carrier=telecom")
PASSED = (RunOutcome.PASSED, Restoration.PROVED)


def killed_at(state: Path, text: str, begun: str | None = None) -> str:
    """A rehearsal whose orchestrator is killed once it has said so, and once that call is begun; its run."""
    with drillctl_running("rehearse", *DRILL, "--json", state=state) as running:
        read = running.until(text)
        run = next(line.removeprefix("run ") for line in read.splitlines() if line.startswith("run "))
        if begun:
            until((state / "reports" / run / "steps" / begun / "claim").exists, 10)
        running.process.kill()
        running.process.wait()
    return run


def brought_home(said: Said, code: int = 0) -> RunRecord:
    """No gateway number was logged in twice, and the run's twin went with it."""
    assert said.code == code, said.err[-3000:]
    record = said.record
    truth = record.ground_truth
    assert truth is not None
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)
    assert Twin.all() == []
    return record


def test_a_run_that_was_killed_in_mid_switch_goes_on_and_passes(tmp_path: Path) -> None:
    run = killed_at(tmp_path, "repoint-1: ")
    shown = drillctl("status", state=tmp_path).out
    assert f"drillctl resume {run}" in shown
    assert len(Twin.all()) == 1
    said = drillctl("resume", run, "--json", state=tmp_path)
    record = brought_home(said)
    assert (record.verdict.outcome, record.verdict.restoration) == PASSED
    (found,) = record.interruptions
    assert (found.cause, found.phase, [step.step for step in found.steps]) == ("lost", "switching", ["repoint-1"])
    assert record.verdict.lists_changed == 4
    for language, title in (("zh", "中断与恢复"), ("en", "Interruptions")):
        report = Path(said.document["report"]).with_name(f"report.{language}.html").read_text(encoding="utf-8")
        assert f"<h3>{title}</h3>" in report
    assert drillctl("resume", run, state=tmp_path).code == 3


@pytest.mark.matrix
def test_an_abort_from_elsewhere_brings_a_killed_run_home(tmp_path: Path) -> None:
    run = killed_at(tmp_path, "repoint-1: ")
    assert drillctl("abort", run, "--reason", "no time", state=tmp_path).code == 0
    record = brought_home(drillctl("resume", run, "--json", state=tmp_path), 4)
    assert (record.verdict.outcome, record.verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert [item.reason for item in record.aborts] == ["no time"]


@pytest.mark.matrix
def test_an_abort_from_another_terminal_turns_a_run_back(tmp_path: Path) -> None:
    with drillctl_running("rehearse", *DRILL, "--json", state=tmp_path) as running:
        read = running.until("repoint-1: ")
        run = next(line.removeprefix("run ") for line in read.splitlines() if line.startswith("run "))
        asked = drillctl("abort", run, "--reason", "no time", state=tmp_path)
        assert asked.out == f"asked: process {running.process.pid} of {os.environ.get('USER', 'root')} goes back now\n"
        record = brought_home(running.finish(), 4)
    assert (record.verdict.outcome, record.verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert record.interruptions == ()


@pytest.mark.matrix
def test_the_lever_turns_a_run_back_and_lets_no_other_begin(tmp_path: Path) -> None:
    with drillctl_running("rehearse", *DRILL, "--json", state=tmp_path) as running:
        running.until("repoint-1: ")
        assert drillctl("lever", "engage", "--reason", "the exchange asks", state=tmp_path).code == 0
        refused = drillctl("rehearse", *DRILL, state=tmp_path)
        assert (refused.code, "LEVER: " in refused.err) == (3, True)
        record = brought_home(running.finish(), 4)
    assert record.verdict.restoration is Restoration.PROVED
    assert any("the exchange asks" in reason.en for reason in record.verdict.reasons)


@pytest.mark.matrix
def test_a_run_that_nobody_can_tell_waits_for_a_person_and_then_goes_on(tmp_path: Path) -> None:
    """Orchestrator and guard are gone, and the host is frozen: nothing but a person can say what became of it."""
    run = killed_at(tmp_path, "repoint-1: ", "repoint-1-1")
    claim = json.loads((tmp_path / "reports" / run / "steps/repoint-1-1/claim").read_text(encoding="utf-8"))
    os.kill(claim["pid"], signal.SIGKILL)
    (twin,) = Twin.all()
    twin.sabotage("freeze_host", host="gw-b1")
    waits = drillctl("resume", run, "--json", state=tmp_path)
    assert (waits.code, waits.document["end"]) == (5, "waiting"), waits.err[-3000:]
    (question,) = waits.document["questions"]
    assert (question["step"], list(question["targets"])) == ("repoint-1", ["nq-trade-2"])
    assert "call Zhang Ming" in waits.err
    assert Twin.all() == [twin]
    twin.sabotage("thaw_host", host="gw-b1")
    answer = ("--reason", "seen on its console", "--target", "nq-trade-2", "--by", "li")
    assert drillctl("decide", run, "repoint-1", "not-done", *answer, state=tmp_path).code == 0
    said = drillctl("resume", run, "--json", state=tmp_path)
    record = brought_home(said, said.code)
    assert record.verdict.restoration is Restoration.PROVED
    assert [item.cause for item in record.interruptions] == ["lost", "waiting"]
    assert [item.by for item in record.decisions] == ["li"]


@pytest.mark.matrix
def test_a_run_whose_twin_went_down_can_only_be_closed(tmp_path: Path) -> None:
    run = killed_at(tmp_path, "repoint-1: ")
    for twin in Twin.all():
        twin.down()
    said = drillctl("resume", run, "--json", state=tmp_path)
    assert (said.code, said.record.verdict.restoration) == (1, Restoration.NOT_APPLICABLE)
    left = [path for path in Path("/proc").glob("[0-9]*/environ") if run.encode() in _environment(path)]
    assert left == [], "nothing of the run is at work any more"


def _environment(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.matrix
def test_a_kept_twin_stays_after_the_resume(tmp_path: Path) -> None:
    run = killed_at(tmp_path, "== baselining")
    said = drillctl("resume", run, "--keep", "--json", state=tmp_path)
    assert said.code == 0, said.err[-3000:]
    (twin,) = Twin.all()
    twin.down()
