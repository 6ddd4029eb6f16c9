"""Calls that people note while a run lasts: on record whatever state it is in, and without any effect on it."""

from collections.abc import Callable

from orchestrator.engine.run import End
from orchestrator.history import calls, epoch_s
from orchestrator.model.event import Event, EventKind
from orchestrator.model.verdict import Restoration, RunOutcome
from tests.engine.cuts import Night
from tests.engine.test_engine import OnState, Stage, Stager, stage

__all__ = ["stage"]

NAME = {"zh": "深证通", "en": "SSCC"}
STATES = ("prechecking", "injecting", "switching", "verifying", "restoring", "closing")


def noting(play: Stage, key: str) -> Callable[[], None]:
    data = {"did": "placed", "contact": "sscc-operations", "name": NAME, "by": "li", "note": key, "at": 1000.0}
    return lambda: play.journal.post("r1", "call", data, key)


def test_a_call_is_on_record_in_every_state_and_changes_nothing(stage: Stager) -> None:
    quiet = stage()
    quiet.play()
    told = Stager(stage.folder / "told")()
    told.listeners = tuple(OnState(state, noting(told, state)) for state in STATES)
    verdict = told.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED)
    assert [item.note for item in calls(told.events)] == list(STATES)
    order = [_word(event) for event in told.events if event.kind in (EventKind.STATE, EventKind.MESSAGE)]
    assert order.index("noted injecting") < order.index("verifying")
    assert order.index("noted verifying") < order.index("closing")
    assert told.world.effects == quiet.world.effects
    others = [(event.kind, event.step) for event in told.events if event.kind is not EventKind.MESSAGE]
    assert others == [(event.kind, event.step) for event in quiet.events]
    assert told.events[-1].kind is EventKind.CLOSED
    told.journal.close()


def _word(event: Event) -> str:
    return str(event.data["state"]) if event.kind is EventKind.STATE else f"noted {event.data['note']}"


def test_one_that_was_noted_while_nobody_was_at_work_keeps_its_time(stage: Stager) -> None:
    night = Night(stage())
    night.start("target of repoint-1-1")
    noting(night.stage, "while it was away")()
    night.finish()
    assert night.end is End.CLOSED
    (call,) = calls(night.events)
    (event,) = (item for item in night.events if item.kind is EventKind.MESSAGE)
    assert (call.at, call.note) == (1000.0, "while it was away")
    assert epoch_s(event) > call.at
