"""A window gates what injects and switches, at each step anew, and never what restores."""

from pathlib import Path

import pytest

from orchestrator.engine.heed import Stops
from orchestrator.history import epoch_s
from orchestrator.model.drill import Mode, Response
from orchestrator.model.verdict import Restoration, RunOutcome
from tests.engine.test_engine import Stage, Stager, stage

__all__ = ["stage"]

SHUT = "OUTSIDE_WINDOW: expected a window that is open, found it shut"


def notes(play: Stage) -> str:
    return " ".join(str(event.data) for event in play.events if event.kind == "note")


def test_a_window_that_is_shut_before_the_fault_touches_nothing(stage: Stager) -> None:
    play = stage(response=Response.REPOINT, mode=Mode.DRILL)
    play.stops = Stops(window=lambda: SHUT)
    verdict = play.play()
    assert verdict.outcome is RunOutcome.NOT_STARTED
    assert play.world.effects == []
    assert SHUT in notes(play)


@pytest.mark.parametrize("drill", ["single-centre-failure", "single-carrier-failure", "beijing-dr-cutover"])
def test_a_window_that_shuts_in_mid_run_ends_the_switching_and_everything_is_put_back(
    stage: Stager, drill: str
) -> None:
    play = stage(drill, response=Response.REPOINT, mode=Mode.DRILL)
    play.stops = Stops(window=lambda: SHUT if play.world.effects else None)
    lists = {name: state.fronts for name, state in play.world.gateways.items()}
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert play.touched("repoint") == []
    assert {name: state.fronts for name, state in play.world.gateways.items()} == lists
    assert SHUT in notes(play)


def test_at_the_latest_return_time_the_way_back_begins(tmp_path: Path) -> None:
    def played(name: str, limit: float | None) -> Stage:
        (tmp_path / name).mkdir()
        stager = Stager(tmp_path / name)
        play = stager(response=Response.REPOINT, mode=Mode.DRILL)
        play.stops = Stops(latest_return_at=limit)
        play.play()
        stagers.append(stager)
        return play

    stagers: list[Stager] = []
    whole = played("whole", None)
    held_at = next(epoch_s(event) for event in whole.events if event.step == "hold")
    cut = played("cut", held_at + 1)
    began_back_at = next(epoch_s(event) for event in cut.events if event.step == "lift")
    verdict = cut.verdict()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert "latest time to begin the way back" in notes(cut)
    assert began_back_at < next(epoch_s(event) for event in whole.events if event.step == "lift")
    assert cut.touched("restore") == cut.touched("repoint") != []
    for stager in stagers:
        stager.close()


def test_a_shut_window_never_keeps_anything_from_being_restored(stage: Stager) -> None:
    play = stage(response=Response.REPOINT, mode=Mode.DRILL)
    play.stops = Stops(window=lambda: SHUT if play.touched("repoint") else None)
    verdict = play.play()
    assert play.touched("restore") == play.touched("repoint") != []
    assert verdict.restoration is Restoration.PROVED
