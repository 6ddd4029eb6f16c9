"""The first controller is killed in mid-run and its folders are gone; the second one goes on from the copy."""

import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.twin import Twin
from tests.support.command import drillctl, drillctl_running
from tests.support.twins import until

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]

DRILL = ("single-carrier-failure", "--set", "carrier=telecom")
WHO = ("--by", "zhang", "--reason", "the first room has no power")


def lost_at(first: Path, text: str, begun: str | None = None) -> str:
    """A rehearsal whose controller is no more once it has said so (and begun that call); its run."""
    with drillctl_running("rehearse", *DRILL, "--json", state=first) as running:
        read = running.until(text)
        run = next(line.removeprefix("run ") for line in read.splitlines() if line.startswith("run "))
        if begun:
            until((first / "reports" / run / "steps" / begun / "claim").exists, 10)
        running.process.kill()
        running.process.wait()
    for process in at_work_in(first):
        os.kill(process, signal.SIGKILL)
    until(lambda: not at_work_in(first), 10)
    shutil.rmtree(first)
    return run


def at_work_in(folder: Path) -> list[int]:
    """Guards and samplers of the runs there: they go down with their machine."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if any(word.startswith(f"{folder}/".encode()) for word in line.read_bytes().split(b"\0")):
                found.append(int(line.parent.name))
    return found


@pytest.mark.parametrize(
    ("where", "begun"),
    [("repoint-1: ", "repoint-1-1"), pytest.param("== restoring", None, marks=pytest.mark.matrix)],
)
def test_a_run_whose_controller_is_gone_goes_on_in_the_second_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, begun: str | None
) -> None:
    monkeypatch.setenv("DRILLCTL_SECOND_ROOM", str(tmp_path / "room"))
    first, second = tmp_path / "first", tmp_path / "second"
    assert drillctl("second-room", "prepare", state=first).code == 0
    run = lost_at(first, where, begun)
    early = drillctl("second-room", "take-over", run, *WHO, state=second)
    assert (early.code, "FIRST_ROOM_AT_WORK: " in early.err) == (3, True)
    taken = drillctl("second-room", "take-over", run, *WHO, "--first-room-is-gone", state=second)
    assert taken.code == 0, taken.err
    assert f"drillctl resume {run}" in taken.out
    said = drillctl("resume", run, "--json", state=second)
    record = said.record
    assert record.verdict.restoration is Restoration.PROVED, said.err[-3000:]
    assert record.verdict.outcome is RunOutcome.PASSED, record.verdict.reasons
    truth = record.ground_truth
    assert truth is not None
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)
    assert Twin.all() == []
    assert drillctl("second-room", "status", state=second).code == 0
    assert drillctl("evidence", "verify", said.document["evidence"], state=second).code == 0
