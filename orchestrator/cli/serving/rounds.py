"""The scheduler: a few tasks, each at its next time, by the Clock port. It knows nothing of what they do.

A task says when it has something to do next, by the wall clock; the wait is kept by the monotonic one, and is never
longer than `LONGEST_S`, so that a wall clock that is put right is seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.errors import DrillctlError
from orchestrator.ports import Clock

LONGEST_S: Final = 30.0  # our choice
_SHORTEST_S: Final = 1.0  # our choice: a task that is always due does not keep the others from their turn


@dataclass(frozen=True)
class Task:
    """One kind of work. `act` does what is due now, and returns when something is due next, in seconds since the
    epoch; None: nothing is known.
    """

    name: str
    act: Callable[[], float | None]


@dataclass
class Rounds:
    """The tasks of a server. `said` is told a problem once, until the task goes well again."""

    tasks: Sequence[Task]
    clock: Clock
    said: Callable[[str], None]
    _due: dict[str, float] = field(default_factory=dict)  # by the monotonic clock
    _problems: dict[str, str] = field(default_factory=dict)

    @property
    def in_trouble(self) -> bool:
        """Whether a task could not do its work when it was last tried."""
        return bool(self._problems)

    def hurry(self) -> None:
        """Every task is due now."""
        self._due.clear()

    def turn(self) -> float:
        """Do all that is due; then how long nothing is, in seconds."""
        for task in self.tasks:
            if self._due.get(task.name, 0.0) <= self.clock.monotonic():
                self._due[task.name] = self.clock.monotonic() + self._done(task)
        return max(0.0, min(self._due.values(), default=LONGEST_S) - self.clock.monotonic())

    def _done(self, task: Task) -> float:
        """How long to wait after it. A task that fails keeps no other from its work."""
        try:
            next_at = task.act()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and the others go on
            self._fails(task, str(error) if isinstance(error, DrillctlError | OSError) else repr(error))
            return LONGEST_S
        if self._problems.pop(task.name, None):
            self.said(f"{task.name}: goes on")
        if next_at is None:
            return LONGEST_S
        return min(max(next_at - self.clock.now(), _SHORTEST_S), LONGEST_S)

    def _fails(self, task: Task, problem: str) -> None:
        if self._problems.get(task.name) != problem:
            self._problems[task.name] = problem
            self.said(f"{task.name}: cannot be done: {problem}")
