"""Every event of a run also in the second room, before its effect begins; and never for long.

A thread of its own writes there: it brings the copy up to what the journal holds, whatever was missed before. Who
appends waits for it, at most `DEADLINE_S`. A copy that is slower or away is **behind**: from then on nobody waits,
the run is told so once, and the thread tries until it has caught up. The journal stays the truth in every case.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import DrillctlError, NeedsPerson
from orchestrator.journal.copied import Line, read_lines
from orchestrator.journal.room import PRIVATE, Room, RunRoom, add, carry, put, read_json
from orchestrator.model.event import EventKind
from orchestrator.model.plan import canonical_json

DEADLINE_S = 0.5  # our choice: 100 times what a local disk takes (benchmarks/journal.py), and little beside a step
_AGAIN_S = 5.0  # our choice: how often a copy that is behind is tried
_FILES_EVERY_S = 5.0  # our choice: as often as a run says that it is alive
# Their files are in the copy before them: inventory and statements, configurations, results of checks.
_WITH_FILES = frozenset({EventKind.OPENED, EventKind.SNAPSHOT, EventKind.CHECKS, EventKind.CLOSED})


@dataclass
class _Wish:
    """What is asked of the copy of one run."""

    seq: int = 0  # as far as this it has to be
    beat_at: float | None = None  # a sign of life that is to be written


@dataclass
class _Known:
    """What this process knows of the copy of one run."""

    seq: int
    head: str
    files_at: float = float("-inf")


@dataclass
class Mirror:
    """Keeps the runs of one journal in the second room's copy. Used by one thread, which owns the journal."""

    room: Room
    database: Path
    deadline_s: float = DEADLINE_S
    trouble: str | None = None  # why it is behind
    _wishes: dict[str, _Wish] = field(default_factory=dict)
    _done: dict[str, int] = field(default_factory=dict)
    _known: dict[str, _Known] = field(default_factory=dict)
    _lost: dict[str, str] = field(default_factory=dict)  # run → who goes on with it from the copy
    _news: threading.Condition = field(default_factory=threading.Condition)
    _thread: threading.Thread | None = None
    _ending: bool = False

    def keep_up(self, run: str, seq: int, *, wait: bool = True) -> str | None:
        """Have the run's events up to this one in the copy. Why it is behind, or None: they are on its disk, or, where
        nobody waits, on their way.
        """
        with self._news:
            wish = self._wishes.setdefault(run, _Wish())
            wish.seq = max(wish.seq, seq)
            self._start()
            self._news.notify_all()
            if self.trouble is None and wait:
                kept = self._news.wait_for(lambda: self._is_done(run, seq), self.deadline_s)
                if not kept and self.trouble is None:
                    self.trouble = f"its disk has not answered within {self.deadline_s:g} s"
            return self.trouble

    def look(self, run: str) -> None:
        """See who goes on with the run, whatever was seen before. A copy that does not answer tells nothing."""
        self._done.pop(run, None)
        self.keep_up(run, 0)

    def beat(self, run: str, at: float) -> None:
        """A sign of life, by the journal's clock. Nobody waits for it."""
        with self._news:
            self._wishes.setdefault(run, _Wish()).beat_at = at
            self._start()
            self._news.notify_all()

    def lost_to(self, run: str) -> str | None:
        """Who goes on with the run from the copy, as far as this process has seen; None: nobody."""
        return self._lost.get(run)

    def close(self) -> None:
        """What is asked for is done first, as far as that takes no longer than one event may."""
        with self._news:
            if self._thread is None:
                return
            self._ending = True
            self._news.notify_all()
        self._thread.join(self.deadline_s)

    # -- the thread -----------------------------------------------------------------------------------

    def _is_done(self, run: str, seq: int) -> bool:
        return self.trouble is not None or run in self._lost or (run in self._done and self._done[run] >= seq)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="second room", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        """The thread: until it is asked to end, and nothing is left to do."""
        database = _reading(self.database)
        try:
            self._serve(database)
        finally:
            database.close()

    def _serve(self, database: sqlite3.Connection) -> None:
        while True:
            with self._news:
                while not self._wishes and not self._ending:
                    self._news.wait()
                if not self._wishes:
                    return
                wishes, self._wishes = self._wishes, {}
            trouble = self._try(database, wishes)
            with self._news:
                self.trouble = trouble
                if trouble is not None:
                    self._keep_wishes(wishes)
                self._news.notify_all()
                if trouble is not None and (self._ending or self._news.wait_for(lambda: self._ending, _AGAIN_S)):
                    return

    def _keep_wishes(self, wishes: Mapping[str, _Wish]) -> None:
        for run, old in wishes.items():
            new = self._wishes.setdefault(run, _Wish())
            new.seq, new.beat_at = max(new.seq, old.seq), new.beat_at or old.beat_at

    def _try(self, database: sqlite3.Connection, wishes: Mapping[str, _Wish]) -> str | None:
        """Why it did not succeed, or None."""
        try:
            self.room.check()
            for run, wish in wishes.items():
                self._bring(database, run, wish)
        except (OSError, sqlite3.Error, DrillctlError, ValueError) as error:
            return str(error)
        return None

    def _bring(self, database: sqlite3.Connection, run: str, wish: _Wish) -> None:
        row = _row_of(database, run)
        if row is None or self._is_lost(run, row["epoch"]):
            self._done.setdefault(run, 0)
            return
        known = self._known.get(run) or self._first_look(database, run, row)
        room = self.room.run(run)
        for part in _parts(_missing(database, run, known.seq)):
            if EventKind(part[-1]["kind"]) in _WITH_FILES:
                self._carry_files(known, row, room)
            if self._is_lost(run, row["epoch"]):
                return
            add(room.events, b"".join(_as_line(item) for item in part))
            known.seq, known.head = part[-1]["seq"], part[-1]["digest"]
        if self._is_lost(run, row["epoch"]):  # said while the last line was on its way: whoever took over has read it
            return
        with self._news:
            self._done[run] = known.seq
            self._news.notify_all()
        if wish.beat_at is not None:
            if time.monotonic() - known.files_at >= _FILES_EVERY_S:
                self._carry_files(known, row, room)
            put(room.alive, _alive(run, row["epoch"], wish.beat_at, known))

    def _is_lost(self, run: str, epoch: int) -> bool:
        found = read_json(self.room.run(run).taken_over)
        if found is None or found["epoch"] <= epoch:
            return False
        self._lost[run] = f"{found['by']} ({found['reason']}), on {found['machine']}"
        with self._news:
            self._news.notify_all()
        return True

    def _carry_files(self, known: _Known, row: Mapping[str, Any], room: RunRoom) -> None:
        folder = Path(row["folder"])
        carry(folder, room.files)
        carry(folder.parent / "ledger", self.room.store / "reports" / "ledger")
        known.files_at = time.monotonic()

    def _first_look(self, database: sqlite3.Connection, run: str, row: Mapping[str, Any]) -> _Known:
        """Go on where the copy ends. A line that a kill has torn is taken off; it comes again whole."""
        room = self.room.run(run)
        room.folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
        if not room.opening.exists():
            put(room.opening, _opening(database, row))
        lines, torn = read_lines(room.events)
        if torn:
            os.truncate(room.events, room.events.stat().st_size - torn)
        seq, digest = _end_of_ours(database, row, lines, room.events)
        self._known[run] = _Known(seq, digest)
        return self._known[run]


def _end_of_ours(
    database: sqlite3.Connection, row: Mapping[str, Any], lines: Sequence[Line], path: Path
) -> tuple[int, str]:
    """The last event of the copy that the journal holds too.

    What a controller that has lost the run added after it is passed over: our next line has the higher epoch.
    """
    for line in reversed(lines):
        event, ours = line.event, _event_of(database, row["run"], line.event.seq)
        if ours is not None and ours["digest"] == event.digest:
            return event.seq, event.digest
        if line.epoch >= (row if ours is None else ours)["epoch"]:
            raise NeedsPerson(
                f"expected in {path} what the journal holds, found another event {event.seq}: run {row['run']} is not "
                "copied any more. Look who writes there"
            )
    return 0, ""


def _reading(database: Path) -> sqlite3.Connection:
    """A connection that cannot change the journal."""
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)
    connection.row_factory = sqlite3.Row
    return connection


def _row_of(database: sqlite3.Connection, run: str) -> Mapping[str, Any] | None:
    row: sqlite3.Row | None = database.execute("select * from run where run = ?", (run,)).fetchone()
    return None if row is None else dict(row)


def _missing(database: sqlite3.Connection, run: str, after: int) -> list[dict[str, Any]]:
    rows = database.execute("select * from event where run = ? and seq > ? order by seq", (run, after)).fetchall()
    return [dict(row) for row in rows]


def _event_of(database: sqlite3.Connection, run: str, seq: int) -> Mapping[str, Any] | None:
    found = database.execute("select epoch, digest from event where run = ? and seq = ?", (run, seq)).fetchone()
    return None if found is None else dict(found)


def _parts(events: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Events that go in one write: each that needs its files first ends one, so that those come before it."""
    part: list[Mapping[str, Any]] = []
    for event in events:
        if EventKind(event["kind"]) in _WITH_FILES and part:
            yield part
            part = []
        part.append(event)
        if EventKind(event["kind"]) in _WITH_FILES:
            yield part
            part = []
    if part:
        yield part


def _as_line(row: Mapping[str, Any]) -> bytes:
    event = {key: row[key] for key in ("run", "seq", "at", "kind", "step", "attempt", "previous", "digest")}
    return canonical_json({"epoch": row["epoch"], "event": {**event, "data": json.loads(row["data"])}}) + b"\n"


def _alive(run: str, epoch: int, at: float, known: _Known) -> bytes:
    return canonical_json({"run": run, "epoch": epoch, "at": at, "seq": known.seq, "head": known.head}) + b"\n"


def _opening(database: sqlite3.Connection, row: Mapping[str, Any]) -> bytes:
    held = database.execute("select resource from lock where run = ? order by resource", (row["run"],)).fetchall()
    found = {
        "run": row["run"],
        "plan": json.loads(row["plan"]),
        "folder": row["folder"],
        "owner": row["owner"],
        "place": json.loads(row["place"]),
        "resources": [item[0] for item in held],
    }
    return canonical_json(found) + b"\n"
