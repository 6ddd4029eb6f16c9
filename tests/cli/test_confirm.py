"""A run that waits for people over days: killed while it waits, confirmed while nobody is at work, counted by D+N."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestrator.adapters.clock import SystemClock
from orchestrator.journal import SqliteJournal, chain_is_valid
from orchestrator.model.event import Event, EventKind
from tests.support.sites import ROOT

RUN = "20261012T090000-beijing-dr-cutover-0001"
DECLARED = datetime(2026, 10, 12, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()  # a Monday
OCCURRED = DECLARED - 3600
HOUR = 3600.0
_PATIENCE_S = 60.0  # of the test, real
_SEALING_S = 240.0  # on a busy machine reports on paper take their time


@dataclass
class Days:
    """A run over days. `now` is its wall clock; every command and every orchestrator goes by it."""

    folder: Path
    orchestrators: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock.parent.mkdir(parents=True, exist_ok=True)
        self.go_to(DECLARED + 60)

    @property
    def clock(self) -> Path:
        return self.folder / "clock"

    @property
    def environment(self) -> dict[str, str]:
        named = {"DRILLCTL_STATE": str(self.folder / "state"), "DRILLCTL_REPORTS": str(self.folder / "reports")}
        return {**os.environ, **named, "COLUMNS": "200"}

    def go_to(self, at: float) -> None:
        text = self.clock.with_suffix(".new")
        text.write_text(f"{at - time.time():.3f}", encoding="ascii")
        text.replace(self.clock)

    def now(self) -> float:
        return time.time() + float(self.clock.read_text(encoding="ascii"))

    def start(self) -> None:
        words = [sys.executable, "-m", "tests.support.waiting_run", RUN, str(self.clock), str(OCCURRED), str(DECLARED)]
        with (self.folder / f"orchestrator-{len(self.orchestrators)}.txt").open("w") as said:
            self.orchestrators.append(
                subprocess.Popen(words, cwd=ROOT, env=self.environment, stdout=said, stderr=said, text=True)
            )

    def kill(self) -> None:
        self.orchestrators[-1].send_signal(signal.SIGKILL)
        assert self.orchestrators[-1].wait(10) == -signal.SIGKILL

    def drillctl(self, *words: str, expect: int = 0) -> str:
        command = [sys.executable, "-m", "tests.support.clocked", str(self.clock), *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def confirm(self, step: str, by: str, *more: str, expect: int = 0) -> str:
        return self.drillctl("confirm", RUN, step, "--by", by, *more, expect=expect)

    @property
    def events(self) -> list[Event]:
        journal = SqliteJournal(self.folder / "state/journal.db", SystemClock())
        try:
            return journal.events(RUN)
        finally:
            journal.close()

    def until_it_waits_for(self, step: str, attempt: int) -> None:
        """The condition is on record: the step's intent of that attempt."""
        self._until(lambda: any((e.kind, e.step, e.attempt) == (EventKind.INTENT, step, attempt) for e in self.events))

    def until_alarm(self, day: int) -> None:
        self._until(lambda: any(e.kind is EventKind.ALARM and e.data["day"] == day for e in self.events))

    def _until(self, holds: Any) -> None:
        end = time.monotonic() + _PATIENCE_S
        while not holds():
            assert self.orchestrators[-1].poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.1)

    def finish(self) -> dict[str, Any]:
        assert self.orchestrators[-1].wait(_SEALING_S) == 0, self.said()
        paths = json.loads(self.drillctl("report", RUN, "--json"))
        record: dict[str, Any] = json.loads(Path(paths["json"]).read_text(encoding="utf-8"))
        return record

    def said(self) -> str:
        files = sorted(self.folder.glob("orchestrator-*.txt"))
        return "\n".join(file.read_text() for file in files)

    def page(self, language: str) -> str:
        return (self.folder / "reports" / RUN / f"report.{language}.html").read_text(encoding="utf-8")


@pytest.fixture
def days(tmp_path: Path) -> Iterator[Days]:
    found = Days(tmp_path)
    try:
        yield found
    finally:
        for process in found.orchestrators:
            if process.poll() is None:
                process.kill()
                process.wait(10)


def objective(record: dict[str, Any]) -> dict[str, Any]:
    return next(item for item in record["verdict"]["objectives"] if item["id"] == "d-plus-3")


@pytest.mark.slow
def test_beijing_over_days_with_two_kills_and_a_word_said_while_nobody_was_there(days: Days, tmp_path: Path) -> None:
    proof = tmp_path / "statement.txt"
    proof.write_text("orders and fills compared, 2026-10-14\n", encoding="utf-8")
    days.start()
    days.until_it_waits_for("confirm-announcement", 1)
    assert "NOT_ASKED" in days.confirm("confirm-live", "zhao", expect=3)
    assert "NOT_YOURS" in days.confirm("confirm-announcement", "li", expect=3)
    assert "expected a person of people.yml" in days.confirm("confirm-announcement", "nobody", expect=2)
    assert "expected a step of people" in days.confirm("settle", "zhang", expect=2)
    assert "expected no later time" in days.confirm("confirm-announcement", "zhang", "--at", "2030-01-01", expect=2)
    days.kill()
    days.go_to(DECLARED + 20 * HOUR)
    shown = days.drillctl("status", RUN)
    assert "drillctl confirm" in shown
    assert "Zhang Ming" in shown
    assert "021-5550 0101" in shown
    assert "D+3 by calendar days 2026-10-15 Thu 08:00, by trading days 2026-10-15 Thu 08:00" in shown
    assert "no orchestrator is at work on it" in days.confirm("confirm-announcement", "zhang", "--note", "no. 7")
    days.confirm("confirm-announcement", "zhang", "--note", "no. 7")  # once more is the same word
    assert "CONFIRMED" in days.confirm("confirm-announcement", "zhang", "--not-done", "oh", expect=3)
    days.start()
    days.until_it_waits_for("confirm-business-verified", 1)
    days.go_to(DECLARED + 40 * HOUR)
    days.kill()
    days.go_to(DECLARED + 50 * HOUR)
    days.start()
    days.until_it_waits_for("confirm-business-verified", 2)
    assert "NO_EVIDENCE" in days.confirm("confirm-business-verified", "chen", expect=3)
    days.confirm("confirm-business-verified", "chen", "--evidence", str(proof))
    days.until_it_waits_for("confirm-live", 1)
    days.go_to(OCCURRED + 71 * HOUR)
    days.confirm("confirm-live", "zhao")
    record = days.finish()
    assert chain_is_valid(days.events)
    assert (record["verdict"]["outcome"], objective(record)["state"]) == ("passed", "met"), record["verdict"]["reasons"]
    assert 71 / 24 <= objective(record)["measured"] < 71.1 / 24
    assert len(record["interruptions"]) == 2
    assert [item["step"] for item in record["confirmations"]] == [
        "confirm-announcement",
        "confirm-business-verified",
        "confirm-live",
    ]
    repoints = [e for e in days.events if e.kind is EventKind.INTENT and str(e.step).startswith("repoint-")]
    assert [e.attempt for e in repoints] == [1, 1], "nothing was repeated"
    page = days.page("zh")
    assert "灾备切换 D+N 时限" in page
    assert "正式启用" in page
    assert "2026-10-15 08:00:00" in page
    assert "未到期" not in page
    kept = next((days.folder / "reports" / RUN).glob("pack/people/confirmations/confirm-business-verified-*.txt"))
    assert kept.read_bytes() == proof.read_bytes()


@pytest.mark.slow
def test_a_last_milestone_after_the_deadline_misses_it_and_alarms_are_raised(days: Days, tmp_path: Path) -> None:
    proof = tmp_path / "statement.txt"
    proof.write_text("late\n", encoding="utf-8")
    days.start()
    days.until_it_waits_for("confirm-announcement", 1)
    days.go_to(OCCURRED + 25 * HOUR)
    days.until_alarm(1)
    days.confirm("confirm-announcement", "zhang")
    days.until_it_waits_for("confirm-business-verified", 1)
    days.confirm("confirm-business-verified", "chen", "--evidence", str(proof))
    days.until_it_waits_for("confirm-live", 1)
    days.go_to(OCCURRED + 73 * HOUR)
    days.confirm("confirm-live", "zhao")
    record = days.finish()
    assert (record["verdict"]["outcome"], objective(record)["state"]) == ("passed", "missed")
    states = {item["id"]: item["state"] for item in record["disaster"]["milestones"]}
    assert (states["live"], states["announcement"], states["logged-in"]) == ("late", "late", "met")
    assert "逾期" in days.page("zh")


@pytest.mark.slow
def test_what_is_said_not_to_be_done_stops_and_holds_an_incident_and_asks_again(days: Days) -> None:
    days.start()
    days.until_it_waits_for("confirm-announcement", 1)
    days.confirm("confirm-announcement", "zhang", "--not-done", "SSCC has announced nothing")
    assert days.orchestrators[-1].wait(_SEALING_S) == 0, days.said()
    assert not any(str(e.step).startswith("repoint-") for e in days.events), "nothing behind the gate was begun"
    assert "NOT_ASKED" in days.confirm("confirm-announcement", "zhang", expect=3)
    days.start()
    days.until_it_waits_for("confirm-announcement", 2)
    days.confirm("confirm-announcement", "zhang")
    days.until_it_waits_for("confirm-business-verified", 1)
