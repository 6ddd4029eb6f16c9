"""The site-wide lever: what goes forward is refused, what goes back is not."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.adapters.lever import LeverFile
from tests.cli.journals import left
from tests.support.command import drillctl

DRILL = ("single-centre-failure", "--set", "centre=futian")


def test_nothing_begins_while_it_is_engaged(tmp_path: Path) -> None:
    said = drillctl("lever", "engage", "--reason", "the exchange has stopped trading", state=tmp_path)
    assert (said.code, len(said.out.splitlines())) == (0, 1)
    refused = drillctl("rehearse", *DRILL, state=tmp_path)
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (3, "", 1)
    assert refused.err.startswith("drillctl: LEVER: ")
    assert "the exchange has stopped trading" in refused.err
    assert "`drillctl lever release`" in refused.err
    assert not (tmp_path / "reports").exists()
    assert "LEVER ENGAGED" in drillctl("status", state=tmp_path).out
    assert (
        drillctl("status", "--json", state=tmp_path).document["lever"]["reason"] == "the exchange has stopped trading"
    )


def test_who_engaged_it_first_stands_until_it_is_released(tmp_path: Path) -> None:
    drillctl("lever", "engage", "--reason", "first", "--by", "zhang", state=tmp_path)
    drillctl("lever", "engage", "--reason", "second", "--by", "li", state=tmp_path)
    kept = json.loads((tmp_path / "state/lever.json").read_text(encoding="utf-8"))
    assert (kept["by"], kept["reason"]) == ("zhang", "first")
    assert drillctl("lever", "release", "--json", state=tmp_path).document["was"]["reason"] == "first"
    assert drillctl("lever", "release", state=tmp_path).out == "the lever was not engaged\n"
    assert list((tmp_path / "state").glob("*lever*")) == []


@pytest.mark.parametrize("arguments", [("engage",), ("engage", "--reason", " "), ("pull",), ()])
def test_a_wrong_call_is_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    said = drillctl("lever", *arguments, state=tmp_path)
    assert (said.code, len(said.err.splitlines())) == (2, 1), said.err
    assert not (tmp_path / "state/lever.json").exists()


def test_a_run_with_nothing_to_put_back_does_not_go_on_under_it(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.kill()
    LeverFile(tmp_path / "state").engage("zhang", "stop", 0.0)
    said = drillctl("resume", run.id, state=tmp_path)
    assert (said.code, len(said.err.splitlines())) == (3, 1)
    assert said.err.startswith("drillctl: LEVER: ")
    with run.journal() as journal:
        assert [event.kind for event in journal.events(run.id)] == ["opened"]


def test_a_run_with_something_to_put_back_goes_back_under_it(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.begin()
    run.kill()
    LeverFile(tmp_path / "state").engage("zhang", "stop", 0.0)
    said = drillctl("resume", run.id, state=tmp_path)
    assert said.code == 1  # its twin is gone; but it was not refused
    assert "this run only goes back" in said.out


def test_a_lever_that_cannot_be_read_is_engaged(tmp_path: Path) -> None:
    lever = LeverFile(tmp_path)
    assert lever.reason() is None
    made = lever.engage("li", "why", datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC).timestamp())
    assert lever.engaged() == made
    assert made.said == "why (li, 2026-11-22 01:02:03 UTC)"
    (tmp_path / "lever.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in str(lever.reason())
    assert lever.release() is not None
    assert lever.reason() is None
