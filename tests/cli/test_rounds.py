"""The scheduler by a clock that a test moves: who has a turn when, and what a task that fails costs the others."""

from dataclasses import dataclass, field

import pytest

from orchestrator.cli.serving.rounds import LONGEST_S, Rounds, Task
from orchestrator.errors import Refused


@dataclass
class Two:
    """The wall clock and the monotonic one, apart from each other."""

    wall: float = 1_000_000.0
    mono: float = 50.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.mono


@dataclass
class Work:
    """Counts its turns. `next_in`: seconds until its next; `fails`: what it raises."""

    clock: Two
    next_in: float | None = None
    fails: Exception | None = None
    turns: list[float] = field(default_factory=list)

    def act(self) -> float | None:
        self.turns.append(self.clock.mono)
        if self.fails:
            raise self.fails
        return None if self.next_in is None else self.clock.wall + self.next_in


def test_a_task_comes_at_its_time_and_the_wait_is_the_shortest() -> None:
    clock, said = Two(), list[str]()
    soon, late = Work(clock, 5.0), Work(clock, 20.0)
    rounds = Rounds([Task("soon", soon.act), Task("late", late.act)], clock, said.append)
    assert rounds.turn() == pytest.approx(5.0)
    clock.mono += 5
    assert rounds.turn() == pytest.approx(5.0)
    clock.mono += 15
    assert rounds.turn() == pytest.approx(5.0)
    assert (soon.turns, late.turns) == ([50.0, 55.0, 70.0], [50.0, 70.0])


@pytest.mark.parametrize("next_in", [None, 1e9, float("inf")])
def test_nobody_waits_longer_than_the_longest_wait(next_in: float | None) -> None:
    clock = Two()
    assert Rounds([Task("far", Work(clock, next_in).act)], clock, print).turn() == LONGEST_S


@pytest.mark.parametrize("next_in", [0.0, -1e9])
def test_what_is_always_due_does_not_turn_without_a_pause(next_in: float) -> None:
    clock = Two()
    assert Rounds([Task("now", Work(clock, next_in).act)], clock, print).turn() == 1.0


def test_a_task_that_fails_is_said_once_keeps_no_other_and_is_said_when_it_goes_on() -> None:
    clock, said = Two(), list[str]()
    bad, good = Work(clock, fails=Refused("JOURNAL", "cannot be opened")), Work(clock)
    rounds = Rounds([Task("bad", bad.act), Task("good", good.act)], clock, said.append)
    for _ in range(2):
        rounds.turn()
        clock.mono += LONGEST_S
    assert (len(bad.turns), len(good.turns), rounds.in_trouble) == (2, 2, True)
    assert said == [f"bad: cannot be done: {bad.fails}"]
    bad.fails = None
    rounds.turn()
    assert (said[1:], rounds.in_trouble) == (["bad: goes on"], False)


def test_a_hurry_gives_everybody_a_turn() -> None:
    clock = Two()
    work = Work(clock)
    rounds = Rounds([Task("one", work.act)], clock, print)
    rounds.turn()
    rounds.turn()
    rounds.hurry()
    rounds.turn()
    assert len(work.turns) == 2
