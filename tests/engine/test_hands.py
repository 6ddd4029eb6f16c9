"""Gateways on hosts that are not scriptable: a person moves them, says so, and brings them back, whatever happens."""

from dataclasses import dataclass, field
from datetime import date

import pytest

from orchestrator.cli.awaited import awaited
from orchestrator.engine.run import End
from orchestrator.history import check_records
from orchestrator.judge import judge
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Mode, Response
from orchestrator.model.event import CheckResult, EventKind
from orchestrator.model.notify import NoticeKind
from orchestrator.model.plan import Phase, Step
from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.planner import Request, make_plan
from orchestrator.report.notices import About, notice_of
from tests.engine.cuts import Night
from tests.engine.sim import SimClock, SimWorld
from tests.engine.test_engine import SITE, Stage, Stager, stage
from tests.planner.example import changed
from tests.support.sites import ROOT

__all__ = ["stage"]

GATEWAY = "nq-trade-3"
THERE, BACK = f"confirm-repoint-{GATEWAY}", f"confirm-restore-{GATEWAY}"
EVERY = ["confirm-before-wang", THERE, BACK, "confirm-after-wang"]


def with_hands(stager: Stager, mode: Mode = Mode.DRILL, response: Response = Response.REPOINT) -> Stage:
    topology, clock = changed({"hosts": {"gw-a2": {"scriptable": False, "hands": "wang"}}}), SimClock()
    drill = load_drill(ROOT / "drills", "single-centre-failure").model_copy(update={"manual": (), "milestones": ()})
    plan = make_plan(topology, SITE.digest, drill, Request(mode, date(2026, 11, 22), {}, response))
    return Stage(topology, plan, SimWorld(topology, clock), stager.journal(clock), stager.folder)


@dataclass
class Person:
    """Does what is asked, and says so; `silent` and `refuse` are steps. Answers each question once."""

    play: Stage
    silent: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    did: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.play.world.while_waiting = self.heard

    def heard(self) -> None:
        for step, attempt in self.asked():
            if step.id in self.silent or f"{step.id} {attempt}" in self.did:
                continue
            self.did.append(f"{step.id} {attempt}")
            done = step.id not in self.refuse
            if step.moves_by_hand and done:
                self.move(step)
            now = self.play.world.clock.now()
            data = {"step": step.id, "done": done, "by": "wang", "at": now, "told_at": now, "note": "", "evidence": []}
            data["attempt"] = attempt
            self.play.journal.post("r1", "confirm", data, f"{step.id} {attempt}")

    def asked(self) -> list[tuple[Step, int]]:
        found: dict[str, int] = {}
        for event in self.play.events:
            if event.kind in (EventKind.INTENT, EventKind.UNDO_INTENT):
                found[str(event.step)] = event.attempt or 1
            elif event.kind in (EventKind.DONE, EventKind.UNDO_DONE):
                found.pop(str(event.step), None)
        return [(step, found[step.id]) for step in self.play.plan.steps if step.id in found and step.by_hand]

    def move(self, step: Step) -> None:
        change = next(item for item in self.play.plan.gateways if item.gateway == step.by_hand[0])
        state = self.play.world.gateways[change.gateway]
        state.fronts = change.list_before if step.undoes else change.list_after
        state.front = None


def begun(play: Stage) -> list[str]:
    kinds = (EventKind.INTENT, EventKind.UNDO_INTENT)
    return [str(event.step) for event in play.events if event.kind in kinds and str(event.step).startswith("confirm-")]


def test_a_drill_is_done_by_both_and_nothing_of_ours_touches_the_host(stage: Stager) -> None:
    play = with_hands(stage)
    lists = {name: state.fronts for name, state in play.world.gateways.items()}
    Person(play)
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration, verdict.reasons) == (RunOutcome.PASSED, Restoration.PROVED, ())
    assert begun(play) == EVERY
    assert GATEWAY not in {target for _, target in play.world.effects}
    assert {name: state.fronts for name, state in play.world.gateways.items()} == lists
    assert all(item.gateway != GATEWAY for asked in play.world.asked.values() for item in asked.gateways)


def test_its_times_are_the_word_of_a_person_and_no_measurement(stage: Stager) -> None:
    play = with_hands(stage)
    Person(play)
    verdict = play.play()
    times = next(item for item in verdict.gateways if item.gateway == GATEWAY)
    assert (times.declared_by, times.came_back, times.switch_s, times.gap_s) == ("wang", True, None, None)
    said = next(event.data["at"] for event in play.events if event.data.get("step") == THERE)
    assert times.login_at == said
    kind = next(item for item in verdict.classes if item.gateway_class.value == "trading")
    assert (kind.count, kind.measured) == (2, 1)
    untested = [item for item in check_records(play.events) if item.target == GATEWAY]
    assert {item.result for item in untested} == {CheckResult.NOT_TESTED}


def test_what_is_not_confirmed_before_touches_nothing(stage: Stager) -> None:
    play = with_hands(stage)
    Person(play, refuse=("confirm-before-wang",))
    assert play.play().outcome is RunOutcome.NOT_STARTED
    assert play.world.effects == []


def test_a_move_that_was_begun_is_taken_back_after_an_abort(stage: Stager) -> None:
    play = with_hands(stage)
    person = Person(play, silent=(THERE,))

    told: list[str] = []

    def heard() -> None:
        found = awaited(play.journal.state("r1"), play.events, play.journal.waiting("r1"))
        told.extend([found.step.id] if found else [])
        person.heard()
        if THERE in begun(play):
            play.journal.post("r1", "abort", {"by": "tester", "reason": "enough"}, "abort")

    play.world.while_waiting = heard
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert begun(play)[-2:] == [BACK, "confirm-after-wang"]
    assert list(dict.fromkeys(told)) == EVERY, "confirm and status say so, also on the way back"
    asked = next(index for index, event in enumerate(play.events) if event.step == BACK)
    notice = notice_of(About("r1", play.plan, "Asia/Shanghai"), play.events[asked], play.events[:asked])
    assert notice
    assert notice.kind is NoticeKind.WAITING


def test_nobody_is_asked_to_take_back_what_was_never_begun(stage: Stager) -> None:
    play = with_hands(stage)
    Person(play)
    enough = {"by": "tester", "reason": "enough"}
    play.world.before_act = lambda _: play.journal.post("r1", "abort", enough, "abort")
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert not {THERE, BACK} & set(begun(play))
    assert begun(play)[-1] == "confirm-after-wang"


@pytest.mark.parametrize("silent", [True, False])
def test_a_way_back_that_is_not_confirmed_calls_a_person_and_is_asked_again(stage: Stager, *, silent: bool) -> None:
    play = with_hands(stage)
    person = Person(play, silent=(BACK,)) if silent else Person(play, refuse=(BACK,))
    play.play()
    assert play.end is End.WAITING
    assert [event.data["step"] for event in play.events if event.kind is EventKind.WAITING] == [BACK]
    person.silent = person.refuse = ()
    verdict = play.resume()
    assert begun(play).count(BACK) == 2
    assert verdict.restoration is Restoration.PROVED
    assert play.world.gateways[GATEWAY].fronts == play.topology.gateway[GATEWAY].servers


@pytest.mark.parametrize("step", EVERY)
def test_killed_while_it_waits_for_the_person_it_asks_again_and_ends_as_before(stage: Stager, step: str) -> None:
    play = with_hands(stage)
    person = Person(play)
    night = Night(play)
    kind = "undo_intent" if step == BACK else "intent"
    night.start(f"after {kind} {step}")
    assert night.end is None, "it was killed there"
    verdict = night.finish()
    assert begun(play).count(step) == 2
    assert (verdict.restoration, verdict.outcome) == (Restoration.PROVED, RunOutcome.PASSED)
    assert person.did[-1].startswith("confirm-after-wang")
    assert play.world.gateways[GATEWAY].fronts == play.topology.gateway[GATEWAY].servers


def test_an_incident_asks_for_the_move_and_leaves_it_there(stage: Stager) -> None:
    play = with_hands(stage, Mode.INCIDENT)
    Person(play)
    verdict = play.play()
    assert begun(play) == [THERE]
    assert verdict.restoration is Restoration.NOT_APPLICABLE


def test_without_the_word_on_its_own_failover_the_outcome_is_not_passed(stage: Stager) -> None:
    play = with_hands(stage, response=Response.OBSERVE)
    Person(play, silent=("confirm-logged-in-wang",))
    verdict = play.play()
    assert verdict.outcome is RunOutcome.INCONCLUSIVE
    assert any("has not confirmed" in reason.en for reason in verdict.reasons)
    named = judge(play.plan, play.topology, play.events, play.world.observations(), chain_valid=True)
    assert next(item for item in named.gateways if item.gateway == GATEWAY).login_at is None


def test_the_plan_has_the_steps_that_these_tests_are_about(stage: Stager) -> None:
    plan = with_hands(stage).plan
    assert [step.id for step in plan.steps if step.by_hand] == EVERY
    assert next(step for step in plan.steps if step.id == BACK).phase is Phase.RESTORING
