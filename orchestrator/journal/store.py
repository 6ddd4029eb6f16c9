"""The journal in SQLite: one file per site's state folder.

Every append commits before it returns (WAL, synchronous=FULL), so that an intent is on disk before its
effect, and checks the run's epoch in the same transaction, so that an orchestrator that lost its run can
no longer write. Nothing is ever updated or deleted but a run's own status.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.errors import NeedsPerson, Refused
from orchestrator.journal.chain import GENESIS, body_of, link
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan, canonical_json
from orchestrator.ports import Clock

VERSION = 1
_SCHEMA = """
create table run (
    run text primary key, plan text not null, plan_digest text not null, folder text not null,
    status text not null, owner text not null, epoch integer not null
) strict;
create table event (
    run text not null references run, seq integer not null, kind text not null, step text, attempt integer,
    epoch integer not null, at text not null, data text not null, previous text not null, digest text not null,
    primary key (run, seq)
) strict;
create unique index one_act_per_attempt on event (run, step, attempt, kind) where step is not null;
create table lock (resource text primary key, run text not null references run, token integer not null) strict;
create table inbox (
    key text primary key, run text not null, topic text not null, data text not null, taken integer
) strict;
"""
_BUSY_MS = 5000  # our choice: longest wait for another process's transaction


class SqliteJournal:
    """Journal port on SQLite. One connection, used by one thread."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_MS / 1000)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.execute("pragma foreign_keys=on")
            self._migrate()
        except sqlite3.Error as error:
            raise Refused("JOURNAL", f"{path}: cannot be opened ({error}); nothing was touched") from error

    def close(self) -> None:
        self._db.close()

    def _migrate(self) -> None:
        version = self._db.execute("pragma user_version").fetchone()[0]
        if version == VERSION:
            return
        if version != 0:
            raise Refused(
                "JOURNAL_VERSION",
                f"the journal has format {version}, this program knows {VERSION}; use the program that wrote it",
            )
        self._db.executescript(f"begin immediate;{_SCHEMA}pragma user_version={VERSION};commit;")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("begin immediate")
        except sqlite3.Error as error:
            raise NeedsPerson(f"the journal cannot be written ({error}); the step after it was not begun") from error
        try:
            yield
            self._db.execute("commit")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("rollback")
            if isinstance(error, sqlite3.Error):
                raise NeedsPerson(f"the journal refused a write ({error}); the step after it was not begun") from error
            raise

    def open_run(self, run: str, plan: Plan, folder: Path, owner: str, resources: Sequence[str]) -> int:
        """Create the run, take all its locks in one sorted transaction, write OPENED. Returns the epoch.

        Refused LOCKED names the run that holds a resource.
        """
        with self._transaction():
            for resource in sorted(resources):
                holder = self._db.execute("select run from lock where resource = ?", (resource,)).fetchone()
                if holder:
                    raise Refused(
                        "LOCKED", f"{resource} is held by run {holder[0]}; `drillctl status {holder[0]}` shows it"
                    )
            self._db.execute(
                "insert into run values (?, ?, ?, ?, 'planned', ?, 1)",
                (run, canonical_json(plan.model_dump(mode="json")).decode(), plan.digest, str(folder), owner),
            )
            self._db.executemany(
                "insert into lock values (?, ?, 1)", [(resource, run) for resource in sorted(resources)]
            )
            self._insert(
                run, 1, EventKind.OPENED, {"plan": plan.id, "plan_digest": plan.digest, "owner": owner}, None, None
            )
        return 1

    def append(
        self,
        run: str,
        epoch: int,
        kind: EventKind,
        data: Mapping[str, Any],
        step: str | None = None,
        attempt: int | None = None,
    ) -> Event:
        """Commit one event. Refused EPOCH where another orchestrator has taken the run over."""
        with self._transaction():
            current = self._db.execute("select epoch from run where run = ?", (run,)).fetchone()
            if current is None or current[0] != epoch:
                raise Refused("EPOCH", f"run {run} was taken over by another orchestrator; this one stops")
            if kind is EventKind.STATE:
                self._db.execute("update run set status = ? where run = ?", (data["state"], run))
            return self._insert(run, epoch, kind, data, step, attempt)

    def _insert(
        self, run: str, epoch: int, kind: EventKind, data: Mapping[str, Any], step: str | None, attempt: int | None
    ) -> Event:
        last = self._db.execute(
            "select seq, digest from event where run = ? order by seq desc limit 1", (run,)
        ).fetchone()
        seq, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
        at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="microseconds")
        text = canonical_json(data).decode()
        draft = Event(
            run=run,
            seq=seq,
            at=at,
            kind=kind,
            step=step,
            attempt=attempt,
            data=json.loads(text),
            previous=previous,
            digest="",
        )
        event = draft.model_copy(update={"digest": link(previous, body_of(draft))})
        self._db.execute(
            "insert into event values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (run, seq, kind.value, step, attempt, epoch, at, text, previous, event.digest),
        )
        return event

    def events(self, run: str) -> list[Event]:
        rows = self._db.execute(
            "select run, seq, at, kind, step, attempt, data, previous, digest from event where run = ? order by seq",
            (run,),
        )
        names = ("run", "seq", "at", "kind", "step", "attempt", "data", "previous", "digest")
        return [
            Event.model_validate({**dict(zip(names, row, strict=True)), "data": json.loads(row[6])}) for row in rows
        ]

    def runs(self) -> list[dict[str, str]]:
        """Every run, oldest first: run, status, folder, drill and mode of its plan."""
        rows = self._db.execute(
            "select run, status, folder, json_extract(plan, '$.drill'), json_extract(plan, "
            "'$.mode') from run order by rowid"
        )
        return [dict(zip(("run", "status", "folder", "drill", "mode"), row, strict=True)) for row in rows]

    def release_locks(self, run: str, epoch: int) -> None:
        """After rollback or close only, never by a cancel."""
        with self._transaction():
            self._db.execute("delete from lock where run = ? and token = ?", (run, epoch))
