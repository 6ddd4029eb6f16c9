"""The run's own pen: every event goes to the journal first, then to the progress and to whoever watches."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.engine.progress import Progress
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan
from orchestrator.model.topology import Topology
from orchestrator.ports import Journal, Listener


@dataclass(frozen=True)
class Assignment:
    """What an engine is to run: a plan with its run id, epoch and folder.

    `declared`: on a real site, where people make and lift the fault and say so; nothing of ours does.
    """

    run: str
    epoch: int
    plan: Plan
    topology: Topology
    folder: Path
    declared: bool = False


class Log:
    """Appends events of one run."""

    def __init__(self, job: Assignment, journal: Journal, listeners: Sequence[Listener]) -> None:
        self._job, self._journal, self._listeners = job, journal, listeners
        past = journal.events(job.run)
        self.progress = Progress.of(job.plan, past)
        self._heard = len(past)
        self._state: str | None = None

    def append(
        self, kind: EventKind, data: Mapping[str, Any], step: str | None = None, attempt: int | None = None
    ) -> None:
        """Committed before this returns. JournalFailed and Superseded go up: nothing may be done without it."""
        self.heard(self._journal.append(self._job.run, self._job.epoch, kind, data, step, attempt))

    def heard(self, event: Event) -> None:
        """Fold in an event that is in the journal already, after what the journal noted by itself."""
        for item in self._missed(event) if event.seq > self._heard + 1 else ():
            self._tell(item)
        self._tell(event)

    def _missed(self, event: Event) -> Sequence[Event]:
        return self._journal.events(self._job.run)[self._heard : event.seq - 1]

    def _tell(self, event: Event) -> None:
        self._heard = event.seq
        self.progress.apply(event)
        for listener in self._listeners:
            with suppress(Exception, SystemExit):  # a terminal or pipe that is gone must not end the run
                listener.event(event)

    def events(self) -> list[Event]:
        """Everything on record so far."""
        return self._journal.events(self._job.run)

    def note(self, what: str, text: str, more: Mapping[str, Any] | None = None) -> None:
        self.append(EventKind.NOTE, {"what": what, "text": text, **(more or {})})

    def enter(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self.append(EventKind.STATE, {"state": state})
