"""Orchestrators that die, on a simulated site: what is known afterwards, what is done again, what is left."""

import os
import signal

import pytest

from orchestrator.engine.heed import Stops
from orchestrator.engine.run import End, locks_of
from orchestrator.errors import Superseded
from orchestrator.history import epoch_s
from orchestrator.model.drill import Mode, Response, StopConditions, Watched
from orchestrator.model.event import EventKind, Sample
from orchestrator.model.plan import Step
from orchestrator.model.verdict import Restoration, RunOutcome
from tests.engine.cuts import LATE_S, SOON_S, Night
from tests.engine.test_engine import FUTIAN, OnState, Stager, stage

__all__ = ["stage"]


def contacts_of(stager: Stager, drill: str, response: Response | None) -> int:
    night = Night(stager(drill, response))
    assert night.start() is End.CLOSED
    return night.stage.world.contacts.count


@pytest.mark.parametrize("guard_mode", ["runs", "dies"])
@pytest.mark.parametrize("after_s", [SOON_S, LATE_S])
@pytest.mark.parametrize("response", [Response.REPOINT, Response.ASSIST])
def test_a_kill_at_any_contact_is_survived(stage: Stager, guard_mode: str, after_s: float, response: Response) -> None:
    """A stride that is prime to everything spreads the cuts; `make torture` makes all of them."""
    total, stride = contacts_of(stage, "single-centre-failure", response), 17
    offset = 1 + 4 * (guard_mode == "dies") + 8 * (after_s == LATE_S) + (response is Response.ASSIST)
    for kill_at in range(offset, total, stride):
        stager = Stager(stage.folder / str(kill_at))
        night = Night(stager("single-centre-failure", response))
        night.stage.world.guard_mode = guard_mode
        assert night.start(kill_at) is None
        night.examine()
        verdict = night.finish(after_s)
        night.examine()
        assert verdict.restoration in (Restoration.PROVED, Restoration.NOT_APPLICABLE), night.killed_at
        if after_s == SOON_S:
            assert verdict.outcome is RunOutcome.PASSED, (night.killed_at, verdict.reasons)
        stager.close()


def cut_off(stager: Stager, where: str, guard_mode: str = "runs") -> Night:
    """A run whose orchestrator is killed the first time that it comes to `where`."""
    night = Night(stager("single-centre-failure"))
    night.stage.world.guard_mode = guard_mode
    assert night.start(where) is None
    return night


@pytest.mark.parametrize("guard_mode", ["runs", "dies"])
def test_an_abort_of_a_dead_run_is_carried_out_by_the_next_orchestrator(stage: Stager, guard_mode: str) -> None:
    night = cut_off(stage, "target of repoint-1-1", guard_mode)
    night.abort()
    verdict = night.finish()
    night.examine()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert [item.data["topic"] for item in night.events if item.kind is EventKind.MESSAGE] == ["abort"]
    assert "check-after-switch" not in {item.step for item in night.events}


def test_a_guard_that_outlives_its_orchestrator_is_joined_and_nothing_is_asked_twice(stage: Stager) -> None:
    night = cut_off(stage, "target of repoint-1-1", "runs")
    assert night.finish().outcome is RunOutcome.PASSED
    assert night.stage.touched("repoint") == sorted(FUTIAN)
    settled = [item.data["by"] for item in night.events if item.kind is EventKind.SETTLED]
    assert (settled, night.stage.world.looks) == (["guard"], [])


_SECOND = (EventKind.INTENT, "repoint-1", 2)


def test_a_lost_guard_is_looked_after_and_only_what_is_not_in_force_is_done_again(stage: Stager) -> None:
    night = cut_off(stage, "target of repoint-1-1", "dies")
    assert night.finish().outcome is RunOutcome.PASSED
    assert night.stage.world.looks == ["repoint-1"]
    again = next(item.data["again"] for item in night.events if item.kind is EventKind.SETTLED)
    second = next(item for item in night.events if (item.kind, item.step, item.attempt) == _SECOND)
    done = {name for call, name in night.stage.world.by_call if call in ("repoint-1-1", "late repoint-1")}
    assert len(done) == 2, "one before the kill, one by the script that the lost guard left at work"
    assert sorted(second.data["targets"]) == again == sorted(set(FUTIAN) - done)


def test_a_step_that_never_began_never_begins_late(stage: Stager) -> None:
    night = cut_off(stage, "after intent repoint-1", "runs")
    assert night.finish().outcome is RunOutcome.PASSED
    assert night.stage.world.forbidden == {"repoint-1-1"}
    assert night.stage.touched("repoint") == sorted(FUTIAN)


@pytest.mark.parametrize(
    ("choice", "outcome"),
    [("done", RunOutcome.PASSED), ("repeat", RunOutcome.PASSED), ("not-done", RunOutcome.FAILED)],
)
def test_what_no_look_can_tell_waits_for_a_person(stage: Stager, choice: str, outcome: RunOutcome) -> None:
    night = cut_off(stage, "claimed repoint-1-1", "dies")
    world = night.stage.world
    world.unseen.add("nq-md-1")
    assert night.resume() is End.WAITING
    assert not [call for call, _ in world.by_call if not call.startswith("late")], "nothing is done before the answer"
    question = next(item.data for item in night.events if item.kind is EventKind.WAITING)
    assert (question["step"], list(question["targets"])) == ("repoint-1", ["nq-md-1"])
    assert "no route" in question["targets"]["nq-md-1"]
    assert night.stage.journal.locks("r1")
    night.decide(choice)
    if choice == "done":  # the person is right
        change = next(item for item in night.stage.plan.gateways if item.gateway == "nq-md-1")
        world.gateways["nq-md-1"].fronts = change.list_after
        world.gateways["nq-md-1"].running = True
    verdict = night.finish(choice=choice)
    assert (verdict.restoration, night.end) == (Restoration.PROVED, End.CLOSED)
    assert (verdict.outcome is outcome) or choice == "done"
    settled = next(item.data for item in night.events if item.kind is EventKind.SETTLED)
    assert settled["by"] == "decision"
    assert any("looked at it" in item["message"] for item in settled["results"])


def test_a_question_that_nobody_answers_is_asked_again(stage: Stager) -> None:
    night = cut_off(stage, "claimed repoint-1-1", "dies")
    night.stage.world.unseen.add("nq-md-1")
    assert [night.resume(), night.resume()] == [End.WAITING, End.WAITING]
    assert sum(item.kind is EventKind.WAITING for item in night.events) == 2
    assert sum(item.kind is EventKind.INTERRUPTED for item in night.events) == 1


def test_a_decision_for_one_attempt_does_not_answer_for_the_next(stage: Stager) -> None:
    night = cut_off(stage, "claimed repoint-1-1", "dies")
    night.stage.world.unseen.add("nq-md-1")
    assert night.resume() is End.WAITING
    night.decide("repeat")
    assert night.resume("claimed repoint-1-2") is None
    assert night.resume() is End.WAITING, "the second attempt was lost too, and nobody has decided of that one"


def test_an_old_decision_says_nothing_of_a_new_attempt(stage: Stager) -> None:
    night = Night(stage())
    night.stage.world.broken_restore.add("nq-trade-1")
    assert night.start() is End.WAITING
    night.decide("repeat")
    assert night.resume() is End.WAITING, "it failed again, so it is asked again"
    assert night.stage.touched("restore").count("nq-trade-1") == 2
    night.stage.world.broken_restore.clear()
    assert night.resume() is End.CLOSED, "a resume tries what failed once more"
    assert night.verdict().restoration is Restoration.PROVED


def test_a_person_may_close_a_run_whose_undoing_failed(stage: Stager) -> None:
    night = Night(stage())
    night.stage.world.broken_restore.add("nq-trade-1")
    assert night.start() is End.WAITING
    night.decide("not-done")
    assert night.resume() is End.CLOSED
    assert night.verdict().restoration is Restoration.NOT_PROVED
    assert night.stage.touched("restore").count("nq-trade-1") == 1
    assert night.stage.journal.locks("r1") == []


def test_a_call_without_an_answer_is_looked_after_at_once(stage: Stager) -> None:
    night = Night(stage())
    night.stage.world.timing_out.add(("repoint", "nq-trade-3"))
    assert night.start() is End.CLOSED
    assert (night.verdict().outcome, night.stage.world.looks) == (RunOutcome.PASSED, ["repoint-1"])


def test_a_fault_that_lifted_itself_sends_the_run_back_and_is_said(stage: Stager) -> None:
    night = cut_off(stage, "before intent check-after-switch")
    verdict = night.finish(LATE_S)
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.INCONCLUSIVE, Restoration.PROVED)
    assert any("lifted itself" in item.data.get("text", "") for item in night.events)
    assert "check-after-switch" not in {item.step for item in night.events}


def test_proofs_are_taken_again_after_an_interruption(stage: Stager) -> None:
    night = cut_off(stage, "before intent hold")
    assert night.finish().outcome is RunOutcome.PASSED
    key = (EventKind.DONE, "check-after-switch")
    checked = [item.attempt for item in night.events if (item.kind, item.step) == key]
    assert checked == [1, 2]


def test_an_orchestrator_that_was_taken_over_changes_nothing_when_it_wakes(stage: Stager) -> None:
    """It was frozen between its intent and the act."""
    play = stage()
    night = Night(play)
    seen: list[int] = []

    def frozen(step: Step) -> None:
        if step.id == "repoint-1" and not seen:
            seen.append(len(play.world.effects))
            play.world.pass_time(SOON_S)
            play.journal.take_over("r1", "another")

    play.world.before_act = frozen
    with pytest.raises(Superseded):
        night.start()
    assert not [effect for effect in play.world.effects if effect[0] in ("lift", "restore")]
    assert play.world.closed == 0


def test_a_lever_sends_a_drill_back(stage: Stager) -> None:
    play = stage()
    play.stops = Stops(lever=lambda: "earthquake" if play.world.fault else None)
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert any("earthquake" in reason.en for reason in verdict.reasons)


def test_a_lever_or_an_abort_holds_an_incident_where_it_is(stage: Stager) -> None:
    play = stage(mode=Mode.INCIDENT)
    pulled = ["fire"]
    play.stops = Stops(lever=lambda: pulled[0] if pulled and play.world.effects else None)
    play.play()
    assert [play.end] == [End.PAUSED]
    first = list(play.world.effects)
    assert {verb for verb, _ in first} <= {"repoint", "path"}
    assert play.journal.locks("r1"), "nothing is released by a cancel"
    pulled.clear()
    play.resume()
    assert [play.end] == [End.CLOSED]
    assert play.world.effects[: len(first)] == first
    assert not [verb for verb, _ in play.world.effects if verb in ("restore", "lift")]


def test_an_outage_beyond_the_limit_stops_the_run(stage: Stager) -> None:
    play = stage(stop=StopConditions(outage_s=20))
    play.world.gateways["nq-md-1"].stuck = True
    play.world.broken_repoint.add("nq-md-1")
    verdict = play.play()
    assert verdict.outcome is RunOutcome.ABORTED
    assert any("nq-md-1" in item.en and "at most 20 s" in item.en for item in verdict.reasons)


@pytest.mark.parametrize("watched", list(Watched))
def test_a_gateway_that_the_fault_does_not_touch_must_keep_what_it_has(stage: Stager, watched: Watched) -> None:
    play = stage(stop=StopConditions(never_fail=(watched,)))

    def lose() -> None:
        if play.world.fault:
            play.world.gateways["nq-trade-2"].running = False

    play.world.while_waiting = lose
    verdict = play.play()
    assert verdict.outcome is RunOutcome.ABORTED
    assert any("nq-trade-2" in item.en and watched.value in item.en for item in verdict.reasons)


def test_the_second_of_a_pair_is_left_alone_while_the_first_is_out(stage: Stager) -> None:
    """Design §5.5. Beijing moves both of every pair, in two waves; the second wave goes home first."""
    play = stage("beijing-dr-cutover")

    def end(step: Step) -> None:
        if step.id == "restore-2":
            play.world.gateways["nq-trade-2"].dead = True

    play.world.before_act = end
    play.play()
    assert ("restore", "nq-trade-1") not in play.world.effects
    assert ("restore", "nq-trade-3") in play.world.effects
    done = next(item for item in play.events if (item.kind, item.step) == (EventKind.UNDO_DONE, "restore-1"))
    held = next(item for item in done.data["results"] if item["target"] == "nq-trade-1")
    assert (held["outcome"], "held back: nq-trade-2" in held["message"]) == ("undo_failed", True)
    assert play.end is End.WAITING


def test_a_second_signal_says_how_to_leave_everything_as_it_stands(stage: Stager) -> None:
    play, heard = stage(), Hearing()
    play.listeners = (heard,)

    def twice(_step: Step, _target: str) -> None:
        if not heard.raised:
            heard.raised = True
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    play.world.after_target = twice
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    try:
        assert play.play().outcome is RunOutcome.ABORTED
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(heard.said_texts) == 1
    assert f"kill -KILL {os.getpid()}" in heard.said_texts[0]
    assert "drillctl resume r1" in heard.said_texts[0]


class Hearing(OnState):
    """Keeps what the engine says to the person at the terminal."""

    def __init__(self) -> None:
        super().__init__("", lambda: None)
        self.said_texts: list[str] = []
        self.raised = False

    def said(self, text: str) -> None:
        self.said_texts.append(text)


def test_an_older_script_finds_the_new_token_before_anything_is_done_again(stage: Stager) -> None:
    night = cut_off(stage, "target of repoint-1-1", "dies")
    world = night.stage.world
    tokens: list[tuple[str, int]] = []
    world.before_act = lambda step: tokens.append((step.id, world.token))
    assert night.finish().outcome is RunOutcome.PASSED
    assert tokens[0] == ("repoint-1", 2)


def test_a_standby_does_not_start_before_its_fence_is_proved(stage: Stager) -> None:
    play = stage("gateway-host-failure")
    play.world.unfenceable.add("nq-trade-1")
    verdict = play.play()
    assert "take_over" not in {verb for verb, _ in play.world.effects}
    assert play.world.duplicates == []
    assert verdict.outcome is not RunOutcome.PASSED
    assert play.world.fenced == set()


def test_a_fence_outlives_the_fault_and_goes_when_the_standby_is_proved_out(stage: Stager) -> None:
    play = stage("gateway-host-failure")
    seen: dict[str, bool] = {}
    play.world.before_act = lambda step: seen.update({step.id: bool(play.world.fenced)})
    assert play.play().restoration is Restoration.PROVED
    order = [verb for verb, _ in play.world.effects if verb in ("lift", "give_back", "unfence")]
    assert order == ["lift", "give_back", "unfence"]
    assert seen["give-back-1"]
    assert play.world.duplicates == []


def test_a_person_declares_a_fence_in_an_incident_only(stage: Stager) -> None:
    night = Night(stage("gateway-host-failure", mode=Mode.INCIDENT))
    world = night.stage.world
    world.unfenceable.add("nq-trade-1")
    assert night.start() is End.WAITING
    assert "take_over" not in {verb for verb, _ in world.effects}
    world.gateways["nq-trade-1"].running = False  # two people have seen to it
    night.decide("done")
    assert night.resume() is End.CLOSED
    assert ("take_over", "nq-trade-1-cold") in world.effects
    assert world.duplicates == []


def test_what_was_settled_before_a_second_kill_is_not_settled_again(stage: Stager) -> None:
    night = cut_off(stage, "target of repoint-1-1", "dies")
    assert night.resume("after settled repoint-1") is None
    assert night.finish().outcome is RunOutcome.PASSED
    assert sum(item.kind is EventKind.SETTLED for item in night.events) == 1
    night.examine()


def test_a_fault_that_may_have_come_and_gone_is_not_made_again(stage: Stager) -> None:
    night = cut_off(stage, "injected")
    verdict = night.finish(LATE_S)
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.INCONCLUSIVE, Restoration.PROVED)
    assert night.stage.world.effects.count(("inject", "fault")) == 1


def test_a_fault_that_was_being_lifted_when_two_were_killed_ended_when_it_was_asked_to(stage: Stager) -> None:
    night = cut_off(stage, "before fault_off ")
    assert night.resume("after renew") is None
    assert night.finish().outcome is RunOutcome.PASSED
    asked = next(item for item in night.events if item.step == "lift" and item.kind is EventKind.UNDO_INTENT)
    off = next(item for item in night.events if item.kind is EventKind.FAULT_OFF)
    assert (off.data["at"], off.data.get("lapsed")) == (epoch_s(asked), None)


def test_what_a_person_accepts_of_one_gateway_is_not_accepted_of_another(stage: Stager) -> None:
    night = Night(stage())
    night.stage.world.abnormal["proving_restoration"] = "nq-trade-1"
    assert night.start() is End.WAITING
    data = {"step": "prove", "choice": "not-done", "by": "zhang", "reason": "seen", "target": "nq-md-1"}
    night.stage.journal.post("r1", "decide", data, "another one")
    assert night.resume() is End.WAITING, "nobody has accepted nq-trade-1"
    night.stage.journal.post("r1", "decide", {**data, "target": "nq-trade-1"}, "this one")
    assert night.resume() is End.CLOSED
    assert night.verdict().restoration is Restoration.NOT_PROVED


def test_a_word_that_comes_after_another_attempt_has_begun_is_not_about_that_one(stage: Stager) -> None:
    night = Night(stage())
    night.stage.world.broken_restore.add("nq-trade-1")
    assert night.start() is End.WAITING
    data = {"step": "restore-1", "choice": "not-done", "by": "zhang", "reason": "seen", "attempt": 1}
    assert night.resume() is End.WAITING, "tried again, in vain"
    night.stage.journal.post("r1", "decide", data, "late")
    assert night.resume() is End.WAITING, "it was about the first attempt"


def test_a_persons_word_takes_no_fence_down_in_a_drill(stage: Stager) -> None:
    play = stage("gateway-host-failure")
    night, world = Night(play), play.world
    world.timing_out.add(("give_back", "nq-trade-1-cold"))
    world.unseen.add("nq-trade-1-cold")
    assert night.start() is End.WAITING
    assert world.fenced
    night.decide("done")
    world.timing_out.add(("give_back", "nq-trade-1-cold"))
    night.resume()
    assert world.fenced, "what frees a number is proved"
    assert world.duplicates == []


def test_a_fence_is_proved_again_before_what_rests_on_it(stage: Stager) -> None:
    """The router may have been started again meanwhile."""
    night = Night(stage("gateway-host-failure"))
    assert night.start("before intent take-over-1") is None
    night.stage.world.fenced.clear()
    night.finish()
    verbs = [verb for verb, _ in night.stage.world.effects if verb in ("fence", "take_over")]
    assert verbs == ["fence", "fence", "take_over"]
    assert night.stage.world.duplicates == []


def test_a_host_that_comes_back_late_can_still_be_brought_home(stage: Stager) -> None:
    play = stage("gateway-host-failure")
    night, world, seen = Night(play), play.world, play.world.latest
    late = ["nq-trade-1"]

    def latest() -> dict[str, Sample]:
        back = ("lift", "fault") in world.effects
        return {name: item for name, item in seen().items() if not (back and name in late)}

    world.latest = latest  # type: ignore[method-assign] # after the fault its host is not seen for a while
    assert night.start() is End.WAITING
    assert world.fenced
    late.clear()
    assert night.finish(choice="repeat").restoration is Restoration.PROVED
    night.examine()


def test_what_an_undo_that_failed_needs_again_stays_on_its_host(stage: Stager) -> None:
    night = Night(stage())
    night.stage.world.broken_restore.add("nq-trade-1")
    assert night.start() is End.WAITING
    assert "disarm" not in {item.step for item in night.events}
    night.stage.world.broken_restore.clear()
    assert night.resume() is End.CLOSED
    night.examine()


def test_two_runs_never_hold_both_members_of_a_pair(stage: Stager) -> None:
    one = stage("gateway-host-failure", parameters={"host": "gw-a5"})
    other = stage("gateway-host-failure", parameters={"host": "gw-b5"})
    assert set(locks_of(one.plan, one.topology)) & set(locks_of(other.plan, other.topology))
