"""The fault of a real site: people make and lift it, the engine waits for their word and injects nothing."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.engine.heed import Stops
from orchestrator.engine.log import Assignment
from orchestrator.engine.progress import FAULT_TOLD_S
from orchestrator.engine.run import End, Engine
from orchestrator.history import promotion
from orchestrator.model.drill import Mode, Response, StopConditions
from orchestrator.model.event import Event, EventKind
from orchestrator.model.verdict import Restoration, RunOutcome
from tests.engine.cuts import Night
from tests.engine.sim import Killed
from tests.engine.test_engine import Stage, Stager, stage
from tests.engine.test_promotion import say as promote
from tests.engine.test_second_room import TwoRooms
from tests.support.permits import permit_for

__all__ = ["stage"]

THINKING_S = 8.0  # until somebody at the site does something


@dataclass
class People:
    """Make the fault some time after they were asked, and say so; the same for lifting it. Looked at with the lever."""

    stage: Stage
    says: dict[str, bool] = field(default_factory=lambda: {"inject": True, "lift": True})
    late_s: float = 0.0  # so long after they did it they say so
    did: dict[str, float] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def __call__(self) -> None:
        for step in self.says.keys() - self.told:
            asked = [event for event in self.stage.events if event.step == step and "intent" in event.kind]
            if asked:
                self._answer(step, asked)

    def _answer(self, step: str, asked: list[Event]) -> None:
        now, world = self.stage.world.clock.at, self.stage.world
        began = self.did.setdefault(f"asked {step}", now)
        if now >= began + THINKING_S and step not in self.did:
            self.did[step] = now
            if self.says[step]:
                (world.inject if step == "inject" else world.lift)(self.stage.plan.fault)
        if step in self.did and now >= self.did[step] + self.late_s:
            self.told.add(step)
            data = {
                "step": step,
                "attempt": max(event.attempt or 1 for event in asked),
                "done": self.says[step],
                "by": "li",
                "at": self.did[step],
                "told_at": now,
                "note": "-",
            }
            self.stage.journal.post("r1", "confirm", {**data, "evidence": []}, f"key-{step}-{now}")


def engine(stage: Stage, people: People, epoch: int, *, resumed: bool) -> Engine:
    job = Assignment("r1", epoch, stage.plan, stage.topology, stage.folder, declared=True)
    return Engine(job, stage.world, stage.journal, stage.world.clock, (), Stops(lever=people), resumed)


def play(stage: Stage, people: People) -> None:
    epoch = stage.journal.open_run("r1", stage.plan, stage.folder, "tester", [], {}, permit_for(stage.plan))
    stage.end = engine(stage, people, epoch, resumed=False).run()


def at_site(stage: Stager, outage_s: float | None = None) -> Stage:
    return stage(mode=Mode.DRILL, response=Response.OBSERVE, stop=StopConditions(outage_s=outage_s))


def refuse(*_: object) -> bool:
    raise AssertionError("expected nobody to ask the world for the fault")


def times(stage: Stage, kind: EventKind) -> list[float]:
    return [event.data["at"] for event in stage.events if event.kind is kind]


def test_the_run_waits_for_the_word_and_counts_from_when_it_was_made(stage: Stager) -> None:
    found = at_site(stage, outage_s=THINKING_S / 2)  # nobody is out while people have yet to make the fault
    people = People(found, late_s=2.0)
    play(found, people)
    assert found.end is End.CLOSED
    assert times(found, EventKind.FAULT_ON) == [people.did["inject"]]
    assert times(found, EventKind.FAULT_OFF) == [people.did["lift"]]
    verdict = found.verdict()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED)


def test_what_was_not_made_ends_the_way_forward_and_asks_for_its_end(stage: Stager) -> None:
    found = at_site(stage)
    play(found, People(found, says={"inject": False, "lift": True}))
    assert found.end is End.CLOSED
    assert times(found, EventKind.FAULT_ON) == []
    assert times(found, EventKind.FAULT_OFF) == []
    assert [event.data["what"] for event in found.events if event.kind is EventKind.NOTE] == ["not_confirmed"]
    assert [verb for verb, _ in found.world.effects if verb not in ("arm", "disarm")] == []
    assert found.verdict().restoration is Restoration.PROVED


def test_a_fault_that_nobody_says_is_lifted_waits_for_a_person(stage: Stager) -> None:
    found = at_site(stage)
    play(found, People(found, says={"inject": True}))
    assert found.end is End.WAITING
    waiting = [event.data for event in found.events if event.kind is EventKind.WAITING]
    assert [item["step"] for item in waiting] == ["lift"]
    assert found.world.clock.at > times(found, EventKind.FAULT_ON)[0] + FAULT_TOLD_S


@pytest.mark.parametrize("said_while_down", [True, False])
def test_an_orchestrator_that_dies_while_it_waits_is_followed_by_one_that_goes_on(
    stage: Stager, said_while_down: bool
) -> None:
    found = at_site(stage)
    people = People(found)
    dying = replace(people, says={"inject": True})

    def lever() -> None:
        dying()
        if "asked inject" in dying.did:
            raise Killed

    found.world.fault_is_on = refuse  # type: ignore[method-assign,assignment] # a real site's world cannot tell
    with pytest.raises(Killed):
        play(found, lever)  # type: ignore[arg-type] # called as the people are
    if said_while_down:
        people.did["inject"] = found.world.clock.at
        people.told.add("inject")
        found.world.inject(found.plan.fault)
        said = {"step": "inject", "done": True, "by": "li", "at": found.world.clock.at, "told_at": 0.0, "note": "-"}
        said["attempt"] = 1
        found.journal.post("r1", "confirm", {**said, "evidence": []}, "while down")
    found.end = engine(found, people, found.take_over(), resumed=True).run()
    assert found.end is End.CLOSED
    assert times(found, EventKind.FAULT_ON) == [people.did["inject"]]
    verdict = found.verdict()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED)


def test_a_lifting_that_was_cut_off_is_asked_for_again(stage: Stager) -> None:
    """Nobody has said that the fault was made: that it is off is nobody's word either."""
    found = at_site(stage)

    def lever() -> str | None:
        asked = [event.step for event in found.events if "intent" in event.kind]
        if "lift" in asked:
            raise Killed
        return "the night is over" if "inject" in asked else None

    with pytest.raises(Killed):
        play(found, lever)  # type: ignore[arg-type] # called as the people are
    people = People(found, says={"lift": True})
    found.end = engine(found, people, found.take_over(), resumed=True).run()
    assert found.end is End.CLOSED
    assert people.told == {"lift"}


def test_of_a_drill_that_was_promoted_nobody_waits_for_the_fault(stage: Stager) -> None:
    found = at_site(stage)
    asked_at: list[float] = []

    def lever() -> None:
        if not asked_at and any(event.step == "inject" and "intent" in event.kind for event in found.events):
            asked_at.append(found.world.clock.at)
            promote(found)

    play(found, lever)  # type: ignore[arg-type] # called as the people are
    assert found.end is End.CLOSED
    assert promotion(found.plan, found.events)
    assert found.world.clock.at - asked_at[0] < FAULT_TOLD_S / 2


def test_a_fault_that_the_copy_has_not_heard_of_is_asked_to_be_lifted(tmp_path: Path) -> None:
    """The people have made it, and the copy ends before they were asked to."""
    rooms = TwoRooms(tmp_path, 30.0)
    found = at_site(rooms)
    people = People(found)

    def lever() -> None:
        people()
        if any(event.kind is EventKind.FAULT_ON for event in found.events):
            raise Killed

    with pytest.raises(Killed):
        play(found, lever)  # type: ignore[arg-type] # called as the people are
    heard = next(event.seq for event in found.events if event.step == "inject") - 1
    night = Night(found)
    rooms.lose(night, heard)
    rooms.take_over(night)
    second = night.stage
    second.world.contacts.revive()
    late = People(second)
    late.did["inject"] = 0.0

    def engaged() -> str | None:
        late()
        return "engaged: everything stops"

    second.end = engine(second, engaged, second.take_over(), resumed=True).run()  # type: ignore[arg-type]
    assert second.end is End.CLOSED
    assert second.world.fault is None
    rooms.close()
