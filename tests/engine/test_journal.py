"""The journal on real disks: what cannot be written stops the run before the effect, and is said."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.adapters.secrets import MASKED, Mask
from orchestrator.engine.run import End, locks_of
from orchestrator.errors import JournalFailed, Refused, Superseded
from orchestrator.journal import LEASE_S, SqliteJournal, chain_is_valid
from orchestrator.journal.schema import VERSION
from orchestrator.model.event import EventKind
from orchestrator.model.plan import Step
from orchestrator.model.verdict import Restoration, RunOutcome
from tests.engine.test_engine import SITE, Stager, stage
from tests.support.disks import fill, small_disk
from tests.support.sites import ROOT

__all__ = ["stage"]
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk: needs root")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "4m") as place:
        yield place


@root_only
def test_a_disk_that_fills_up_stops_the_run_before_the_next_effect(disk: Path) -> None:
    stager = Stager(disk)
    play = stager()
    effects: list[int] = []

    def fills_up(step: Step, _target: str) -> None:
        if step.id == "repoint-1" and not effects:
            fill(disk)
        effects.append(len(play.world.effects))

    play.world.after_target = fills_up
    with pytest.raises(JournalFailed, match=r"journal\.db: .*disk"):
        play.play()
    assert len(play.world.effects) == effects[-1], "what was at work is finished, nothing is begun"
    assert play.world.fault is not None, "its dead-man lifts it"
    (disk / "ballast").unlink()
    assert play.resume().restoration is Restoration.PROVED
    assert (play.end, play.verdict().outcome) == (End.CLOSED, RunOutcome.PASSED)
    assert chain_is_valid(play.events)
    stager.close()


@root_only
def test_on_a_read_only_disk_no_run_is_opened(disk: Path) -> None:
    stager = Stager(disk)
    play = stager()
    stager.close()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises((JournalFailed, Refused), match=r"journal\.db"):
        SqliteJournal(disk / "journal.db", play.world.clock).open_run("r1", play.plan, disk, "tester", [])


def test_a_journal_that_another_program_holds_is_waited_for_and_then_refused(
    stage: Stager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.journal.store._BUSY_MS", 200)
    play = stage()
    holder = sqlite3.connect(stage.folder / "journal.db", isolation_level=None)
    holder.execute("begin immediate")
    with pytest.raises(JournalFailed, match="locked"):
        play.play()
    assert play.world.effects == []
    holder.execute("rollback")
    holder.close()
    assert play.play().outcome is RunOutcome.PASSED


def test_a_damaged_journal_opens_no_run_and_takes_none_over(stage: Stager) -> None:
    play = stage()
    play.play()
    path = stage.folder / "journal.db"
    stage.close()
    stage.journals.clear()
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 64] = b"\xff" * 64
    path.write_bytes(bytes(data))
    with pytest.raises((JournalFailed, Refused), match=r"journal\.db"):
        stage.journal(play.world.clock).open_run("next", play.plan, stage.folder, "tester", [])


def test_a_journal_of_the_first_format_is_brought_up_to_date(stage: Stager) -> None:
    play = stage()
    path = stage.folder / "journal.db"
    stage.close()
    stage.journals.clear()
    old = sqlite3.connect(path, isolation_level=None)
    for column in ("place", "process", "lease_until"):
        old.execute(f"alter table run drop column {column}")
    old.execute("pragma user_version=1")
    plan = play.plan.model_dump_json()
    old.execute("insert into run values ('old', ?, '', '/tmp/old', 'closed', 'somebody', 1)", (plan,))
    old.close()
    journal = stage.journal(play.world.clock)
    assert journal.state("old").place == {}
    again = sqlite3.connect(path)
    assert again.execute("pragma user_version").fetchone() == (VERSION,)
    again.close()
    play.journal = journal
    assert play.play().outcome is RunOutcome.PASSED


def test_a_journal_of_a_later_format_is_refused(stage: Stager) -> None:
    play = stage()
    later = sqlite3.connect(stage.folder / "journal.db", isolation_level=None)
    later.execute(f"pragma user_version={VERSION + 1}")
    later.close()
    with pytest.raises(Refused, match="JOURNAL_VERSION"):
        stage.journal(play.world.clock)


def test_only_one_of_two_that_resume_at_once_gets_the_run(stage: Stager) -> None:
    play = stage()
    play.journal.open_run("r1", play.plan, play.folder, "tester", locks_of(play.plan, SITE.topology))
    play.world.clock.at += LEASE_S + 1
    other = stage.journal(play.world.clock)
    epoch = play.journal.take_over("r1", "first")
    with pytest.raises(Refused, match="RUNNING"):
        other.take_over("r1", "second")
    other.append("r1", epoch, EventKind.NOTE, {"what": "x", "text": "y"})
    with pytest.raises(Superseded):
        other.renew("r1", epoch - 1)


def test_a_message_is_taken_once_with_its_event(stage: Stager) -> None:
    play = stage()
    epoch = play.journal.open_run("r1", play.plan, play.folder, "tester", [])
    for _ in range(2):
        play.journal.post("r1", "abort", {"by": "x", "reason": "y"}, "the same key")
    (message,) = play.journal.waiting("r1")
    with pytest.raises(Superseded):
        play.journal.take("r1", epoch - 1, message)
    assert play.journal.waiting("r1") == [message], "neither taken nor written"
    play.journal.take("r1", epoch, message)
    assert play.journal.waiting("r1") == []
    assert [event.kind for event in play.events] == [EventKind.OPENED, EventKind.MESSAGE]


def test_what_is_told_nowhere_comes_into_no_event_and_the_chain_holds(stage: Stager, tmp_path: Path) -> None:
    play = stage()
    journal = SqliteJournal(tmp_path / "masked.db", play.world.clock, Mask(["Tr4nsfer-9931"]).data)
    epoch = journal.open_run("r1", play.plan, tmp_path, "tester", [])
    journal.append("r1", epoch, EventKind.NOTE, {"what": "error", "text": "login with Tr4nsfer-9931 refused"})
    events = journal.events("r1")
    journal.close()
    assert (events[-1].data["text"], chain_is_valid(events)) == (f"login with {MASKED} refused", True)
    assert b"Tr4nsfer-9931" not in b"".join(path.read_bytes() for path in tmp_path.glob("masked.db*"))


_OPENS = """
import sys
from pathlib import Path
from orchestrator.adapters.clock import SystemClock
from orchestrator.journal import SqliteJournal
print("ready", flush=True)
sys.stdin.readline()
SqliteJournal(Path(sys.argv[1]), SystemClock()).close()
"""


def test_of_programs_that_make_a_journal_at_once_each_finds_it_made(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _OPENS, str(tmp_path / "journal.db")]
    at_work = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
        for _ in range(8)
    ]
    for process in at_work:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
    for process in at_work:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [process.communicate(timeout=60)[1] for process in at_work] == [b""] * len(at_work)
