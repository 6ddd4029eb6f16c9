"""A second failure in the middle of a run, at every point of it: noticed, named, and never made worse."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.engine.run import End
from orchestrator.model.drill import FaultManner, Mode
from orchestrator.model.event import EventKind
from orchestrator.model.plan import Action, Fault, Step, Verb
from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.planner.failures import failures_named, lost
from tests.engine.sim import SimWorld
from tests.engine.test_engine import Stage, Stager


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stager]:
    stager = Stager(tmp_path)
    yield stager
    stager.close()


def failure(stage: Stage, text: str) -> Fault:
    gone = lost(stage.topology, failures_named(stage.topology, text))
    return Fault(manner=FaultManner.DARK, centres=gone.centres, lines=gone.lines)


def would_work(world: SimWorld) -> set[str]:
    """The gateways that would work if nobody did anything any more."""
    left = copy.copy(world)
    left.gateways = copy.deepcopy(world.gateways)
    left.fail_over()
    return working(left)


def working(world: SimWorld) -> set[str]:
    world.fail_over()
    return {name for name, state in world.gateways.items() if state.front}


class Breaker:
    """Makes the second failure at one contact of the run, and from then on holds the run to what worked then."""

    def __init__(self, stage: Stage, fault: Fault, at: Callable[[int], bool]) -> None:
        self.world, self.fault, self.at = stage.world, fault, at
        self.kept: set[str] | None = None
        self.worse: list[tuple[str, set[str]]] = []
        stage.world.contacts.at_each = self.look

    def look(self, count: int) -> None:
        if self.kept is None and self.at(count):
            self.world.second = self.fault
            self.kept = would_work(self.world)
        elif self.kept is not None and self.world.second is not None:
            lost_now = self.kept - working(self.world)
            if lost_now:
                self.worse.append((self.world.contacts.seen[-1], lost_now))


def bring_home_by_hand(stage: Stage) -> None:
    """What a person does with the gateways that no step of the plan moves."""
    untouched = [item.gateway for item in stage.plan.gateways if item.action is Action.NONE]
    stage.world.fail_over(force=untouched)


def first_contact(stage: Stage, name: str) -> Callable[[int], bool]:
    return lambda _: stage.world.contacts.seen[-1] == name


def test_a_second_failure_is_named_the_run_goes_back_and_resume_proves_it(stage: Stager) -> None:
    s = stage()
    breaker = Breaker(s, failure(s, "carrier=telecom"), first_contact(s, "injected"))
    verdict = s.play()
    assert s.end is End.WAITING, "what cannot come home waits for a person"
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.NOT_PROVED)
    [reason] = [item for item in verdict.reasons if "预案外故障" in item.zh]
    assert "已安全中止" in reason.zh
    assert "looks like: carrier telecom (tel-futian, tel-southern, sse-tel)" in reason.en
    assert not breaker.worse
    assert s.world.fault is None, "the run's own fault is lifted first"

    s.world.second = None
    bring_home_by_hand(s)
    verdict = s.resume()
    assert [event.kind for event in s.events][-1] is EventKind.CLOSED
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)
    assert s.world.duplicates == []


def test_a_gateway_that_works_is_not_restarted_towards_a_home_that_is_dead(stage: Stager) -> None:
    """All of Futian stays away after the drill's own fault is lifted: as if it had failed in truth meanwhile."""
    s = stage()
    breaker = Breaker(s, failure(s, "centre=futian"), first_contact(s, "lifted"))
    s.play()
    assert s.touched("restore") == []
    assert s.end is End.WAITING
    assert not breaker.worse
    said = [item for event in s.events if event.kind is EventKind.UNDO_DONE for item in event.data["results"]]
    held = {item["target"]: item["message"] for item in said if "home cannot be reached" in item["message"]}
    assert "nq-trade-1" in held
    assert "where it works" in held["nq-trade-1"]

    s.world.second = None
    verdict = s.resume()
    assert (s.end, verdict.restoration) == (End.CLOSED, Restoration.PROVED)
    assert "nq-trade-1" in s.touched("restore")


def test_an_incident_goes_on_with_what_is_down_and_undoes_nothing(stage: Stager) -> None:
    """What is moved there is moved because it is down: a second failure keeps the rest from nothing."""
    s = stage(mode=Mode.INCIDENT)
    s.world.fault = failure(s, "centre=futian")
    Breaker(s, failure(s, "carrier=telecom"), lambda _: s.world.contacts.seen[-1].startswith("check verify"))
    s.play()
    assert s.touched("restore") == []


def contacts_of(folder: Path, drill: str) -> list[str]:
    """Every contact of a run in which nothing else fails."""
    stager = Stager(folder)
    try:
        s = stager(drill)
        s.play()
        return s.world.contacts.seen
    finally:
        stager.close()


def test_a_failure_between_the_baseline_and_the_fault_keeps_the_fault_from_being_made(stage: Stager) -> None:
    s = stage()
    Breaker(s, failure(s, "centre=southern"), lambda _: s.world.contacts.seen[-1] == "waiting")
    verdict = s.play()
    assert s.end is End.CLOSED
    assert verdict.outcome is RunOutcome.NOT_STARTED
    assert "injected" not in s.world.contacts.seen
    [reason] = [event.data["text"] for event in s.events if event.data.get("what") == "not_started"]
    assert "since the baseline something has failed" in reason
    assert "expected southern" in reason


@pytest.mark.parametrize(
    ("drill", "text", "every"),
    [
        ("single-centre-failure", "carrier=telecom", 4),
        ("single-centre-failure", "line=tel-southern", 5),
        ("single-centre-failure", "centre=southern", 5),
        ("single-carrier-failure", "centre=futian", 5),
        ("gateway-host-failure", "carrier=telecom", 5),
        pytest.param("single-carrier-failure", "centre=southern", 3, marks=pytest.mark.matrix),
        pytest.param("single-centre-failure", "line=uni-southern", 1, marks=pytest.mark.matrix),
    ],
)
def test_wherever_a_second_failure_comes_nothing_is_worse_than_without_the_run(
    tmp_path: Path, drill: str, text: str, every: int
) -> None:
    """At the very moment of the fault nobody can know of it: that one point is left out."""
    seen = contacts_of(tmp_path, drill)
    ends = {seen.index("inject") + 1, seen.index("injected") + 1}
    count, points = len(seen), sorted({*range(1, len(seen) + 1, every), *(end + 1 for end in ends)} - ends)
    for point in points:
        if point > count:
            break
        folder = tmp_path / f"{point}"
        folder.mkdir()
        stager = Stager(folder)
        try:
            s = stager(drill)
            breaker = Breaker(s, failure(s, text), point.__eq__)
            s.play()
            where = f"at contact {point} ({s.world.contacts.seen[point - 1 : point]})"
            assert s.world.duplicates == [], where
            assert s.end in (End.CLOSED, End.WAITING), where
            assert not breaker.worse, f"{where}: {breaker.worse[:3]}"
            count = min(count, s.world.contacts.count)
        finally:
            stager.close()


def test_a_sample_from_before_a_log_in_was_proved_holds_nothing_back(stage: Stager) -> None:
    """Restoring is faster than sampling: what was sampled while a gateway was out says nothing of its home."""
    s = stage()
    world, restored = s.world, set[str]()

    def stale(step: Step, name: str) -> None:
        if step.verb is Verb.RESTORE:
            restored.add(name)
            world.heard = None
            now = dict(world.latest())
            out = {"session": None, "logged_in": False}
            world.heard = now | {item: now[item].model_copy(update=out) for item in restored}

    world.after_target = stale
    world.while_waiting = lambda: setattr(world, "heard", None)
    verdict = s.play()
    said = [item["message"] for event in s.events for item in event.data.get("results", ())]
    assert restored
    assert [text for text in said if "home cannot be reached" in text] == []
    assert verdict.restoration is Restoration.PROVED
