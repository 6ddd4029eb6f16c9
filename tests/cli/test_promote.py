"""`drillctl promote` asks a drill to become an incident; and gateways that were just switched are left alone."""

from pathlib import Path

import pytest

from orchestrator.history import promotion
from orchestrator.model.drill import Mode
from orchestrator.model.event import EventKind
from orchestrator.wiring.places import Place
from tests.cli.journals import NOWHERE, WAVE, left
from tests.support.command import drillctl

REAL = Place("", 0, owned=False)
WHY = ("--reason", "the line at Futian is really down")


def test_a_drill_is_asked_and_whoever_takes_it_over_hears_it(tmp_path: Path) -> None:
    run = left(tmp_path, mode=Mode.DRILL)
    run.kill()
    said = drillctl("promote", run.id, "--by", "li", *WHY, state=tmp_path)
    assert said.code == 0, said.err
    assert f"`drillctl resume {run.id}` carries it out" in said.out
    with run.journal() as journal:
        (message,) = journal.waiting(run.id)
        assert (message.topic, message.data["by"], message.data["reason"]) == ("promote", "li", WHY[1])
        journal.take(run.id, run.run.job.epoch, message)
        found = promotion(run.run.job.plan, journal.events(run.id))
    assert found is not None
    document = drillctl("status", run.id, "--json", state=tmp_path).document
    assert document["promotion"]["by"] == "li"
    shown = drillctl("status", run.id, state=tmp_path).out
    assert "PROMOTED 演练转应急 by li: the line at Futian is really down" in shown
    again = drillctl("promote", run.id, "--by", "li", *WHY, state=tmp_path)
    assert (again.code, again.out) == (3, "")
    assert again.err.startswith("drillctl: PROMOTED: ")


@pytest.mark.parametrize("mode", [Mode.REHEARSAL, Mode.INCIDENT])
def test_only_a_drill_is_promoted(tmp_path: Path, mode: Mode) -> None:
    run = left(tmp_path, mode=mode)
    said = drillctl("promote", run.id, "--by", "li", *WHY, state=tmp_path)
    assert (said.code, said.out, len(said.err.splitlines())) == (3, "", 1)
    assert said.err.startswith("drillctl: OTHER_MODE: ")


def test_who_may_not_and_what_goes_back_already_is_refused_and_nothing_is_asked(tmp_path: Path) -> None:
    run = left(tmp_path, mode=Mode.DRILL)
    cases = [(("--by", "chen"), 3, "NO_RIGHT: "), (("--by", "nobody"), 2, "--by: "), ((), 2, "--by: ")]
    for who, code, text in cases:
        said = drillctl("promote", run.id, *who, *WHY, state=tmp_path)
        assert (said.code, said.out, len(said.err.splitlines())) == (code, "", 1), said.err
        assert text in said.err
    run.tell(EventKind.NOTE, {"what": "aborted", "text": "somebody asked"})
    said = drillctl("promote", run.id, "--by", "zhang", *WHY, state=tmp_path)
    assert said.err.startswith("drillctl: GOING_BACK: ")
    with run.journal() as journal:
        assert journal.waiting(run.id) == []


def switched(folder: Path, *, mode: Mode = Mode.INCIDENT, place: Place = REAL) -> None:
    """A run that has just repointed two gateways, and is over."""
    run = left(folder, mode=mode, place=place)
    run.begin()
    good = [{"target": name, "outcome": "succeeded", "message": "", "data": {"changed": True}} for name in WAVE]
    run.tell(EventKind.DONE, {"results": good}, "repoint-1")
    run.close()


SWITCHOVER = ("switchover", "single-centre-failure", "--set", "centre=futian", "--reason", "down again", "--by", "li")


def test_what_was_switched_twice_in_an_hour_is_refused_with_when_and_until_when(tmp_path: Path) -> None:
    switched(tmp_path)
    said = drillctl(*SWITCHOVER, state=tmp_path)
    assert "FLAPPING" not in said.err  # once is no flapping
    switched(tmp_path)
    said = drillctl(*SWITCHOVER, state=tmp_path)
    assert (said.code, said.out, len(said.err.splitlines())) == (3, "", 1)
    assert said.err.startswith("drillctl: FLAPPING: ")
    assert "W100200 at " in said.err
    assert "wait until " in said.err
    over = drillctl(*SWITCHOVER, "--again", "the first line died too", state=tmp_path)
    assert over.err.startswith("drillctl: NOT_APPROVED: ")  # let through to the next question
    drill = drillctl("run", "single-centre-failure", "--set", "centre=futian", "--by", "li", state=tmp_path)
    assert drill.err.startswith("drillctl: FLAPPING: ")


def test_what_happened_in_a_twin_or_in_a_rehearsal_says_nothing_of_the_real_site(tmp_path: Path) -> None:
    for place, mode in ((NOWHERE, Mode.INCIDENT), (NOWHERE, Mode.INCIDENT), (REAL, Mode.REHEARSAL), (REAL, Mode.DRILL)):
        switched(tmp_path, mode=mode, place=place)
    said = drillctl(*SWITCHOVER, state=tmp_path)
    assert said.err.startswith("drillctl: NOT_APPROVED: "), said.err
