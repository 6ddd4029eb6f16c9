"""A drill that a real fault overtakes: its own fault is lifted first, then the rules of an incident hold."""

from collections.abc import Callable, Sequence

import pytest

from orchestrator.engine.heed import Stops
from orchestrator.engine.progress import RESTORATION
from orchestrator.engine.run import End, Engine, locks_of
from orchestrator.history import promotion
from orchestrator.model.drill import Mode, Response, StopConditions
from orchestrator.model.event import EventKind
from orchestrator.model.plan import Fault, Phase, Plan, Step
from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.ports import Call, TargetResult
from tests.engine.sim import Killed
from tests.engine.test_engine import FUTIAN, Stage, Stager, stage
from tests.support.permits import permit_for

__all__ = ["stage"]

WHY = {"by": "li", "reason": "福田中心真实中断"}


def say(play: Stage) -> None:
    play.journal.post("r1", "promote", WHY, "promote-r1-1")


def drill(stage: Stager, name: str = "single-centre-failure", mode: Mode = Mode.DRILL) -> Stage:
    return stage(name, response=Response.REPOINT, mode=mode)


def once(play: Stage, when: Callable[[], bool]) -> None:
    """Promote it at the first wait at which that holds."""
    said: list[bool] = []

    def wait() -> None:
        if not said and when():
            said.append(True)
            say(play)

    play.world.while_waiting = wait


def steps(play: Stage) -> list[str]:
    return [str(event.step) for event in play.events if event.kind in (EventKind.INTENT, EventKind.UNDO_INTENT)]


def ended(play: Stage) -> End | None:
    """As it is now."""
    return play.end


def is_lifted(play: Stage) -> bool:
    return play.world.fault is None


def lists(play: Stage) -> dict[str, tuple[str, ...]]:
    return {name: state.fronts for name, state in play.world.gateways.items()}


def test_promoted_before_the_fault_nothing_is_made_and_nothing_that_works_is_moved(stage: Stager) -> None:
    play = drill(stage)
    before, arm = lists(play), play.world.arm

    def armed(call: Call, plan: Plan, deadline_s: float) -> list[TargetResult]:
        play.world.clock.at += 1
        say(play)
        return arm(call, plan, deadline_s)

    play.world.arm = armed  # type: ignore[method-assign] # while it is prechecked
    verdict = play.play()
    assert promotion(play.plan, play.events) is not None
    assert play.end is End.CLOSED
    assert ("inject", "fault") not in play.world.effects
    assert lists(play) == before
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.NOT_APPLICABLE)


def test_the_fault_is_lifted_first_and_what_comes_back_by_itself_stays_where_it_is(stage: Stager) -> None:
    play = drill(stage)
    before = lists(play)
    once(play, lambda: play.world.fault is not None)
    verdict = play.play()
    found = promotion(play.plan, play.events)
    assert found is not None
    assert (found.by, found.reason) == ("li", WHY["reason"])
    assert play.world.fault is None
    after = play.events[[event.kind for event in play.events].index(EventKind.MESSAGE) + 1 :]
    begun = [event.step for event in after if event.kind in (EventKind.INTENT, EventKind.UNDO_INTENT)]
    assert begun[0] == "lift"
    assert not {"hold", "restore-1", "prove"} & set(map(str, begun))
    moved = {name for name, fronts in lists(play).items() if fronts != before[name]}
    assert moved == set(play.touched("repoint"))
    assert play.touched("restore") == []
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.NOT_APPLICABLE), verdict.reasons
    assert play.end is End.CLOSED


def test_a_gateway_that_stays_down_is_moved_and_the_others_are_left_alone(stage: Stager) -> None:
    play = drill(stage)
    name = FUTIAN[0]
    inject = play.world.inject

    def injected(fault: object) -> None:
        inject(fault)  # type: ignore[arg-type] # as the engine gives it
        play.world.gateways[name].stuck = True
        play.world.gateways[name].front = None
        play.world.clock.at += 1
        say(play)

    play.world.inject = injected  # type: ignore[method-assign] # the moment after it
    before = lists(play)
    play.play()
    moved = {gateway for gateway, fronts in lists(play).items() if fronts != before[gateway]}
    assert play.touched("repoint") == [name]
    assert moved == {name}
    assert play.world.gateways[name].front is not None


def test_an_abort_after_it_stops_and_holds(stage: Stager) -> None:
    play = drill(stage)
    asked: list[bool] = []

    def wait() -> None:
        if play.world.fault is not None and not asked:
            asked.append(True)
            say(play)
            play.journal.post("r1", "abort", {"by": "li", "reason": "stop"}, "abort-1")

    play.world.while_waiting = wait
    before = lists(play)
    play.play()
    assert ended(play) is End.PAUSED
    assert play.touched("restore") == []
    kept = lists(play)
    verdict = play.resume()
    assert ended(play) is End.CLOSED
    assert {name for name in kept if kept[name] != before[name]} <= {
        name for name, fronts in lists(play).items() if fronts != before[name]
    }
    assert verdict.restoration is Restoration.NOT_APPLICABLE


@pytest.mark.parametrize("gone_s", [5.0, 200.0])
def test_killed_between_the_promotion_and_the_lift_the_next_one_lifts_first(stage: Stager, gone_s: float) -> None:
    play = drill(stage)
    lift = play.world.lift
    once(play, lambda: play.world.fault is not None)

    def dies(fault: Fault) -> None:
        assert fault == play.plan.fault
        play.world.lift = lift  # type: ignore[method-assign]
        play.world.contacts.dead = True
        raise Killed

    play.world.lift = dies  # type: ignore[method-assign] # the moment before it
    with pytest.raises(Killed):
        play.play()
    assert promotion(play.plan, play.events) is not None
    assert not is_lifted(play)
    play.world.contacts.revive()
    play.world.pass_time(gone_s)
    count = len(play.events)
    verdict = play.resume()
    assert is_lifted(play)
    begun = [
        str(event.step) for event in play.events[count:] if event.kind in (EventKind.INTENT, EventKind.UNDO_INTENT)
    ]
    assert "lift" not in begun[1:]
    assert play.touched("restore") == []
    assert play.end is End.CLOSED
    assert verdict.restoration is Restoration.NOT_APPLICABLE
    assert verdict.outcome is RunOutcome.PASSED, verdict.reasons


@pytest.mark.parametrize("mode", [Mode.REHEARSAL, Mode.INCIDENT])
def test_only_a_drill_can_become_an_incident(stage: Stager, mode: Mode) -> None:
    play = drill(stage, mode=mode)
    play.world.fault = play.plan.fault if mode is Mode.INCIDENT else None
    once(play, lambda: True)
    play.play()
    assert promotion(play.plan, play.events) is None
    assert [message.topic for message in play.journal.waiting("r1")] == ["promote"]


def test_what_is_on_its_way_back_is_not_promoted(stage: Stager) -> None:
    play = drill(stage)
    once(play, lambda: "lift" in steps(play))
    verdict = play.play()
    assert promotion(play.plan, play.events) is None
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED)


def test_a_window_a_latest_return_and_a_stop_condition_are_a_drills_and_hold_no_incident_up(stage: Stager) -> None:
    play = stage(response=Response.REPOINT, mode=Mode.DRILL, stop=StopConditions())

    def promoted() -> bool:
        return promotion(play.plan, play.events) is not None

    play.stops = Stops(window=lambda: "SHUT: expected it open, found it shut" if promoted() else None)
    once(play, lambda: play.world.fault is not None)
    play.play()
    assert play.end is End.CLOSED
    assert promoted()
    play.stops = Stops()


def test_a_fence_survives_it_and_the_standby_takes_over_all_the_same(stage: Stager) -> None:
    play = drill(stage, "gateway-host-failure")
    done: list[bool] = []

    def fenced(step: object, _target: str) -> None:
        if getattr(step, "verb", None) == "fence" and not done:
            done.append(True)
            say(play)

    play.world.after_target = fenced
    play.play()
    assert done
    assert promotion(play.plan, play.events) is not None
    assert play.world.duplicates == []
    assert play.world.fault is None
    assert play.touched("unfence") == []
    assert play.touched("take_over") != []
    assert play.end is End.CLOSED


def test_a_host_that_comes_back_is_neither_fenced_nor_replaced(stage: Stager) -> None:
    play = drill(stage, "gateway-host-failure")
    inject = play.world.inject

    def injected(fault: object) -> None:
        inject(fault)  # type: ignore[arg-type]
        play.world.clock.at += 1
        say(play)

    play.world.inject = injected  # type: ignore[method-assign]
    verdict = play.play()
    assert (play.touched("fence"), play.touched("take_over")) == ([], [])
    assert play.world.duplicates == []
    assert play.end is End.CLOSED
    assert verdict.outcome is RunOutcome.PASSED, verdict.reasons


def _engine_of(play: Stage) -> Engine:
    epoch = play.journal.open_run(
        "r1", play.plan, play.folder, "tester", locks_of(play.plan, play.topology), {}, permit_for(play.plan)
    )
    return play._engine(epoch, play.journal, resumed=False)  # noqa: SLF001 - asked between two of its own beats


@pytest.mark.parametrize("name", ["single-centre-failure", "gateway-host-failure"])
def test_at_the_first_beat_of_the_way_back_it_comes_too_late(
    stage: Stager, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Taken there, everything would be undone in an incident."""
    play = drill(stage, name)
    made = _engine_of(play)
    account = made._recovery.account  # noqa: SLF001

    def accounted() -> None:
        account()
        play.world.clock.at += 0.3
        say(play)

    monkeypatch.setattr(made._recovery, "account", accounted)  # noqa: SLF001
    assert made.run() is End.CLOSED
    assert promotion(play.plan, play.events) is None
    assert play.verdict().restoration is Restoration.PROVED


def test_at_the_last_beat_of_the_way_forward_the_fault_is_still_lifted(
    stage: Stager, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = drill(stage)
    made = _engine_of(play)
    last = [item for item in play.plan.steps if item.phase not in (*RESTORATION, Phase.CLOSING)][-1]
    gate = made._gate  # noqa: SLF001

    def gated(step: Step, found: Sequence[TargetResult]) -> None:
        gate(step, found)
        if step.id == last.id:
            say(play)
            play.world.clock.at += 0.3

    monkeypatch.setattr(made, "_gate", gated)
    assert made.run() is End.CLOSED
    assert promotion(play.plan, play.events)
    assert play.world.fault is None
