"""Steps of people in a run: nothing behind a gate begins without their word, and a word is never lost or used twice."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.heed import Stops
from orchestrator.engine.run import End
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Drill, Mode
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan
from orchestrator.model.verdict import ObjectiveState, Restoration, RunOutcome
from orchestrator.planner import Request, make_plan
from tests.engine.cuts import SOON_S, Night
from tests.engine.test_engine import SITE, Stage, Stager, stage
from tests.support.sites import ROOT

__all__ = ["stage"]

BEIJING = "beijing-dr-cutover"
EVERY = ["confirm-announcement", "confirm-business-verified", "confirm-live", "confirm-report-index"]


def say(play: Stage, step: str, attempt: int, *, done: bool = True) -> None:
    now = play.world.clock.now()
    data = {"step": step, "done": done, "by": "zhang", "at": now, "told_at": now, "note": "said", "evidence": []}
    data["attempt"] = attempt
    play.journal.post("r1", "confirm", data, f"confirm {step} {attempt}")


def open_step(events: list[Event]) -> tuple[str, int] | None:
    """The person's step that was asked for and has no end."""
    found: dict[str, int] = {}
    for event in events:
        if event.kind is EventKind.INTENT and str(event.step).startswith("confirm-"):
            found[str(event.step)] = event.attempt or 1
        elif event.kind is EventKind.DONE:
            found.pop(str(event.step), None)
    return next(iter(found.items()), None)


def people(play: Stage, *, refuse: str = "", silent: str = "") -> None:
    """Everybody confirms as soon as they are asked, but for one who refuses and one who says nothing."""

    def heard() -> None:
        asked = open_step(play.events)
        if asked and asked[0] != silent:
            say(play, *asked, done=asked[0] != refuse)

    play.world.while_waiting = heard


def with_plan(play: Stage, definition: Drill, mode: Mode) -> Stage:
    play.plan = make_plan(SITE.topology, SITE.digest, definition, Request(mode, date(2026, 11, 22), {}))
    return play


def short(plan: Plan, step: str, deadline_s: float) -> Plan:
    steps = [item.model_copy(update={"deadline_s": deadline_s}) if item.id == step else item for item in plan.steps]
    return plan.model_copy(update={"steps": tuple(steps)})


def order(play: Stage, *kinds: EventKind) -> list[str]:
    return [str(event.step) for event in play.events if event.kind in kinds and event.step]


def test_a_drill_waits_for_each_of_its_people_and_passes(stage: Stager) -> None:
    play = stage(BEIJING, mode=Mode.DRILL, people=True)
    people(play)
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration, verdict.reasons) == (RunOutcome.PASSED, Restoration.PROVED, ())
    begun = order(play, EventKind.INTENT, EventKind.UNDO_INTENT)
    assert [name for name in begun if name.startswith("confirm-")] == EVERY
    assert begun.index("confirm-announcement") < begun.index("inject")
    assert begun.index("confirm-report-index") < begun.index("lift")
    assert next(item for item in verdict.objectives if item.id == "d-plus-3").state is ObjectiveState.MET


def test_a_word_that_is_refused_before_the_fault_touches_nothing(stage: Stager) -> None:
    play = stage(BEIJING, mode=Mode.DRILL, people=True)
    people(play, refuse="confirm-announcement")
    assert play.play().outcome is RunOutcome.NOT_STARTED
    assert play.world.effects == []


@pytest.mark.parametrize("step", EVERY[1:])
def test_a_word_that_is_refused_later_sends_a_drill_back(stage: Stager, step: str) -> None:
    play = stage(BEIJING, mode=Mode.DRILL, people=True)
    people(play, refuse=step)
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.FAILED, Restoration.PROVED)
    begun = order(play, EventKind.INTENT)
    assert begun.index(step) < begun.index("routes-back")
    assert not set(EVERY[EVERY.index(step) + 1 :]) & set(begun), "nobody else was asked"
    assert play.touched("repoint") == play.touched("restore") != []


def test_nobody_answers_in_time_and_the_drill_goes_back(stage: Stager) -> None:
    play = stage(BEIJING, mode=Mode.DRILL, people=True)
    play.plan = short(play.plan, "confirm-live", 120)
    people(play, silent="confirm-live")
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.INCONCLUSIVE, Restoration.PROVED)
    assert any("nobody has confirmed it in time" in reason.en for reason in verdict.reasons)


def test_an_abort_ends_the_waiting(stage: Stager) -> None:
    play = stage(BEIJING, mode=Mode.DRILL, people=True)
    people(play, silent="confirm-business-verified")
    answer = play.world.while_waiting

    def heard() -> None:
        answer()
        if (open_step(play.events) or ("", 0))[0] == "confirm-business-verified":
            play.journal.post("r1", "abort", {"by": "tester", "reason": "enough"}, "abort")

    play.world.while_waiting = heard
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert "confirm-live" not in order(play, EventKind.INTENT)


def test_at_the_latest_return_a_drill_waits_for_nobody_any_more(stage: Stager) -> None:
    play = stage(BEIJING, mode=Mode.DRILL, people=True)
    people(play, silent="confirm-live")
    play.stops = Stops(latest_return_at=play.world.clock.now() + 600)
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)


def test_a_window_is_asked_for_what_injects_and_switches_and_not_for_people(stage: Stager) -> None:
    data = load_drill(ROOT / "drills", BEIJING).model_dump(mode="json") | {"milestones": []}
    data["manual"] = [data["manual"][0] | {"before": "switching"}]
    play = with_plan(stage(), Drill.model_validate(data), Mode.DRILL)
    people(play)
    asked: list[str | None] = []
    play.stops = Stops(window=lambda: asked.append(play.events[-1].step))
    assert play.play().outcome is RunOutcome.PASSED
    steps = [step.id for step in play.plan.steps if step.phase in ("injecting", "switching")]
    assert "confirm-announcement" in steps
    assert len(asked) == len(steps) - 1, "each but the person's"


def test_an_incident_that_is_refused_is_held_and_asks_again(stage: Stager) -> None:
    play = stage(BEIJING, mode=Mode.INCIDENT, people=True)
    play.world.fault = play.plan.fault
    people(play, refuse="confirm-announcement")
    play.play()
    assert play.end is End.PAUSED
    assert play.touched("repoint") == []
    people(play)
    verdict = play.resume()
    assert (play.end, play.touched("repoint") != []) == (End.CLOSED, True)
    begun = order(play, EventKind.INTENT)
    assert [name for name in begun if name.startswith(("confirm-announcement", "repoint-1"))] == [
        "confirm-announcement",
        "confirm-announcement",
        "repoint-1",
    ]
    assert verdict.outcome is not RunOutcome.ABORTED


def test_an_incident_that_is_held_while_it_waits_asks_again(stage: Stager) -> None:
    play = stage(BEIJING, mode=Mode.INCIDENT, people=True)
    play.world.fault = play.plan.fault
    play.world.while_waiting = lambda: play.journal.post("r1", "abort", {"by": "t", "reason": "enough"}, "abort")
    play.play()
    assert (play.end, play.touched("repoint")) == (End.PAUSED, [])
    people(play)
    play.resume()
    assert len(results(play.events, "confirm-announcement")) == 2
    assert play.touched("repoint") != []


CUTS = [
    "before intent confirm-business-verified",
    "after intent confirm-business-verified",
    "before take confirm",
    "after take confirm",
    "before done confirm-business-verified",
    "after done confirm-business-verified",
    "after intent confirm-announcement",
    "after done confirm-announcement",
    "before done confirm-report-index",
    "after done confirm-report-index",
]


@pytest.mark.parametrize("kill_at", CUTS)
def test_killed_anywhere_around_a_persons_step_the_word_counts_once(tmp_path: Path, kill_at: str) -> None:
    stager = Stager(tmp_path)
    night = Night(stager(BEIJING, None, Mode.DRILL, people=True))
    people(night.stage)
    assert night.start(kill_at) is None, "it was never there"
    night.examine()
    verdict = night.finish(SOON_S)
    night.examine()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED), verdict.reasons
    done = [event for event in night.events if event.kind is EventKind.DONE and str(event.step).startswith("confirm-")]
    good = [str(event.step) for event in done if event.data["results"][0]["outcome"] == "succeeded"]
    assert good == EVERY, "each gate was passed once, in order"
    stager.close()


def test_what_was_said_while_nobody_was_at_work_counts(tmp_path: Path) -> None:
    stager = Stager(tmp_path)
    night = Night(stager(BEIJING, None, Mode.INCIDENT, people=True))
    night.stage.world.fault = night.stage.plan.fault
    assert night.start("after intent confirm-announcement") is None
    say(night.stage, "confirm-announcement", 1)
    people(night.stage, silent="confirm-announcement")
    night.resume()
    assert night.stage.touched("repoint") != []
    messages = [event.data for event in night.events if event.kind is EventKind.MESSAGE]
    assert [item["step"] for item in messages].count("confirm-announcement") == 1
    stager.close()


def results(events: list[Event], step: str) -> list[dict[str, Any]]:
    return [
        item
        for event in events
        if event.kind is EventKind.DONE and event.step == step
        for item in event.data["results"]
    ]


def test_who_said_it_and_when_it_was_so_stand_in_the_step(stage: Stager) -> None:
    play = stage(BEIJING, mode=Mode.DRILL, people=True)
    people(play)
    play.play()
    (found,) = results(play.events, "confirm-live")
    assert (found["target"], found["data"]["by"], found["message"]) == (
        "chief-information-officer",
        "zhang",
        "confirmed by zhang",
    )


def test_a_word_that_came_as_the_time_was_over_does_not_answer_when_it_is_asked_again(stage: Stager) -> None:
    play = stage(BEIJING, mode=Mode.INCIDENT, people=True)
    play.world.fault = play.plan.fault
    play.plan = short(play.plan, "confirm-announcement", 120)
    people(play, silent="confirm-announcement")
    play.play()
    assert play.end is End.PAUSED
    say(play, "confirm-announcement", 1)
    play.world.clock.at += 5 * 86400
    play.resume()
    heard = [
        item["outcome"]
        for event in play.events
        if event.kind is EventKind.DONE and event.step == "confirm-announcement"
        for item in event.data["results"]
    ]
    assert heard == ["timed_out", "timed_out"]
