"""`drillctl status` says of every run what it needs, in words and as data."""

import os
import re
from pathlib import Path

import pytest

from orchestrator.model.event import EventKind
from orchestrator.wiring.places import Place
from tests.cli.journals import Left, left
from tests.support.command import drillctl


@pytest.fixture
def runs(tmp_path: Path) -> list[Left]:
    """One that waits, one that was interrupted, one that had not begun yet; each in a twin of its own."""
    found = [left(tmp_path, place=Place("twin", number, owned=True)) for number in range(3)]
    found[0].ask()
    found[1].begin()
    for run in found:
        run.kill()
    return found


def test_every_run_with_what_it_needs(tmp_path: Path, runs: list[Left]) -> None:
    waiting, interrupted, other = runs
    lines = drillctl("status", state=tmp_path).out.splitlines()
    rows = {run.id: next(index for index, line in enumerate(lines) if line.startswith(run.id)) for run in runs}
    told = "\n".join(lines[rows[waiting.id] : rows[interrupted.id]])
    assert "in switching, for a person's decision" in told
    assert "repoint-1 on nq-trade-1: cut off, and nothing tells how far it came" in told
    assert "call Zhang Ming 张明, 021-5550 0101" in told
    assert f"  drillctl decide {waiting.id} repoint-1 done|not-done|repeat --reason TEXT" in told
    assert lines[rows[interrupted.id]].endswith("interrupted")
    assert "in switching, nobody at work on it for" in lines[rows[interrupted.id] + 1]
    assert lines[rows[interrupted.id] + 2].strip() == f"drillctl resume {interrupted.id}"
    assert "not begun yet, nobody at work on it" in lines[rows[other.id] + 1]
    assert max(len(line) for line in lines if line.strip().startswith("drillctl resume")) <= 80


def test_the_same_as_data(tmp_path: Path, runs: list[Left]) -> None:
    found = drillctl("status", "--json", state=tmp_path).document
    assert [item["state"] for item in found["runs"]] == ["waiting", "interrupted", "interrupted"]
    assert [len(item["questions"]) for item in found["runs"]] == [1, 0, 0]
    assert found["runs"][1]["needs"] == [f"drillctl resume {runs[1].id}"]
    assert found["runs"][0]["questions"][0]["call"]["phone"] == "021-5550 0101"


def test_one_run_with_its_locks_and_what_is_open(tmp_path: Path, runs: list[Left]) -> None:
    said = drillctl("status", runs[1].id, state=tmp_path).out
    assert "repoint-1, attempt 1: nq-trade-1, nq-trade-3" in said
    numbers = ("W100200", "W100201", "W100210", "W100211", "W100230", "W100231", "W100300", "W100301")
    assert all(number in said for number in numbers), "with those of their pairs"
    assert "hash chain valid" in said
    found = drillctl("status", runs[1].id, "--json", state=tmp_path).document
    assert [item["step"] for item in found["open"]] == ["repoint-1"]
    assert found["chain_valid"]
    assert any(item.endswith("number:W100200") for item in found["locks"])
    assert [event["kind"] for event in found["events"]] == ["opened", "state", "intent"]


def test_a_run_at_work_needs_nothing(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.begin()
    said = drillctl("status", state=tmp_path).out
    assert f"in switching, process {os.getpid()}, renewed" in said
    assert "drillctl resume" not in said
    assert drillctl("status", "--json", state=tmp_path).document["runs"][0]["needs"] == []


def test_a_site_without_runs_and_a_run_that_is_not_there(tmp_path: Path) -> None:
    assert "no runs yet" in drillctl("status", state=tmp_path).out
    said = drillctl("status", "nope", state=tmp_path)
    assert (said.code, len(said.err.splitlines())) == (3, 1)
    assert "NO_RUN" in said.err


def test_of_a_long_run_a_terminal_shows_what_matters_and_the_newest_events(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.ask("repoint-1", *(f"nq-trade-{number}" for number in range(500)))
    for number in range(40):
        run.tell(EventKind.NOTE, {"what": "note", "text": f"number {number}"})
    run.tell(EventKind.STATE, {"state": "waiting_for_operator"})
    run.kill()
    more = {"TTY_COMPATIBLE": "1", "LINES": "40", "TERM": "xterm", "NO_COLOR": "1"}
    lines = re.sub(r"\x1b\[[0-9;]*m", "", drillctl("status", run.id, state=tmp_path, more=more).out).splitlines()
    assert sum(-(-len(line.rstrip()) // 100) or 1 for line in lines) < 40, "and the prompt"
    assert f"  drillctl resume {run.id}" in lines
    assert "repoint-1, attempt 1: nq-trade-1, nq-trade-3" in "\n".join(lines)
    hidden = next(index for index, line in enumerate(lines) if " earlier events; `drillctl status RUN | less`" in line)
    shown = lines[hidden + 2 :]
    assert len(shown) > 5
    assert int(lines[hidden].split()[2]) + len(shown) == 46
    assert "number 39" in shown[-2]
    whole = drillctl("status", run.id, state=tmp_path).out
    assert "nq-trade-499" in whole
    assert "number 0" in whole
    assert "earlier events" not in whole


def test_a_journal_that_fits_a_terminal_is_shown_whole(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.begin()
    said = drillctl("status", run.id, state=tmp_path, more={"TTY_COMPATIBLE": "1", "LINES": "30", "NO_COLOR": "1"}).out
    assert "opened" in said
    assert "earlier events" not in said


def test_on_a_terminal_locks_are_counted_from_the_thirteenth_on(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.change(
        "with recursive n(i) as (values (100) union all select i + 1 from n where i < 399) "
        "insert into lock select 'twin x 1: number:W' || i, run, 1 from n, run"
    )
    said = drillctl("status", run.id, state=tmp_path, more={"TTY_COMPATIBLE": "1", "LINES": "30", "NO_COLOR": "1"}).out
    assert re.search(r"number W\d+, .* and \d+ more", said.replace("\n", " "))
    assert "W399" not in said
    assert "W399" in drillctl("status", run.id, state=tmp_path).out
