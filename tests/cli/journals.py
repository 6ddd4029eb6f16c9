"""State folders with runs in them, as an orchestrator would have left them; no twin, no host."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.adapters.clock import SystemClock
from orchestrator.journal import SqliteJournal
from orchestrator.model.drill import Mode
from orchestrator.model.event import EventKind
from orchestrator.model.plan import Plan
from orchestrator.wiring.places import Permission, Place
from orchestrator.wiring.runs import OpenRun, open_run
from tests.report.record_example import plan_of, site
from tests.support.permits import permit_for

WAVE = ("nq-trade-1", "nq-trade-3")
CALL = {"name": {"zh": "张明", "en": "Zhang Ming"}, "phone": "021-5550 0101"}
NOWHERE = Place("no-such-twin", 1, owned=True)


@dataclass(frozen=True)
class Left:
    """A run as its orchestrator left it. Commands find it with `state=folder`."""

    folder: Path
    run: OpenRun

    @property
    def id(self) -> str:
        return self.run.job.run

    @contextmanager
    def journal(self) -> Iterator[SqliteJournal]:
        journal = SqliteJournal(self.folder / "state" / "journal.db", SystemClock())
        try:
            yield journal
        finally:
            journal.close()

    def tell(self, kind: EventKind, data: Mapping[str, Any], step: str | None = None) -> None:
        """One more event, as the orchestrator itself would write it."""
        with self.journal() as journal:
            journal.append(self.id, self.run.job.epoch, kind, data, step, 1 if step else None)

    def begin(self, step: str = "repoint-1", verb: str = "repoint") -> None:
        """In the middle of a step."""
        self.tell(EventKind.STATE, {"state": "switching"})
        self.tell(EventKind.INTENT, {"verb": verb, "targets": list(WAVE)}, step)

    def ask(self, step: str = "repoint-1", *targets: str) -> None:
        """Wait for a person."""
        self.begin(step)
        named = dict.fromkeys(targets or WAVE, "cut off, and nothing tells how far it came")
        choices = ["done", "not-done", "repeat"]
        self.tell(EventKind.WAITING, {"step": step, "targets": named, "call": CALL, "choices": choices})
        self.tell(EventKind.STATE, {"state": "waiting_for_operator"})

    def close(self) -> None:
        self.tell(EventKind.CLOSED, {})

    def kill(self) -> None:
        """Nothing is left of its orchestrator; without this it is the process of the test, which lives."""
        self.change("update run set process = '{}'")

    def change(self, statement: str) -> None:
        """Behind the journal's back."""
        with sqlite3.connect(self.folder / "state" / "journal.db") as database:
            database.execute(statement)
        database.close()


def _permission(plan: Plan) -> Permission | None:
    permit = permit_for(plan)
    return None if permit is None else Permission(permit, {})


def left(
    folder: Path, drill: str = "single-centre-failure", mode: Mode = Mode.REHEARSAL, place: Place = NOWHERE
) -> Left:
    """A run of the drill on the example site that was just opened."""
    journal = SqliteJournal(folder / "state" / "journal.db", SystemClock())
    plan = plan_of(drill, mode)
    home = folder / "reports" / f"20261122T0200{len(journal.runs()):02}-{drill}-0000"
    try:
        return Left(folder, open_run(journal, site(), plan, home, "wang", place, _permission(plan)))
    finally:
        journal.close()
