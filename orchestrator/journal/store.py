"""The journal in SQLite: one file per site's state folder.

Every append commits before it returns (WAL, synchronous=FULL), so that an intent is on disk before its
effect, and checks the run's epoch in the same transaction, so that an orchestrator that lost its run can
no longer write. Nothing is ever updated or deleted but a run's own status, its lease and its locks.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.errors import JournalFailed, Refused, Superseded
from orchestrator.journal.chain import GENESIS, body_of, link
from orchestrator.journal.copied import Copied
from orchestrator.journal.elsewhere import Held, held_elsewhere
from orchestrator.journal.mirror import Mirror
from orchestrator.journal.owner import is_gone, this_process
from orchestrator.journal.schema import bring_up_to_date
from orchestrator.model.approval import Permit
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan, canonical_json
from orchestrator.ports import Clock, Message
from orchestrator.rules.approvals import require

LEASE_S = 15.0  # our choice: an orchestrator that was silent for so long may be taken over although it lives
_BEFORE_EFFECTS = (EventKind.INTENT, EventKind.UNDO_INTENT)
_BEFORE_ANSWER = ("promote",)
BEHIND = "second_room_behind"  # the note of a run whose copy does not keep up
_BUSY_MS = 5000  # our choice: longest wait for another process's transaction
_LOCKED_S = 0.01  # our choice: how often a lock is asked for that SQLite does not wait for
CLOSED = "closed"


@dataclass(frozen=True)
class RunState:
    """A run's row: its frozen plan, where it happens, and who is at work on it."""

    run: str
    plan: Plan
    folder: Path
    status: str
    owner: str
    epoch: int
    place: Mapping[str, Any]
    process: Mapping[str, Any]
    lease_until: float

    @property
    def last_sign_at(self) -> float:
        """When its orchestrator last said that it is alive, in seconds since the epoch."""
        return self.lease_until - LEASE_S

    def is_attended(self, now: float) -> bool:
        """Whether an orchestrator is at work on it: alive, and heard of within its lease."""
        return self.status != CLOSED and not is_gone(self.process) and now < self.lease_until


class SqliteJournal:
    """Journal port on SQLite. One connection, used by one thread."""

    def __init__(
        self, path: Path, clock: Clock, mask: Callable[[Any], Any] = lambda data: data, mirror: Mirror | None = None
    ) -> None:
        """`mask` takes out of an event's data what must be told nowhere: the chain can never be corrected later.
        `mirror` has each event in the second room before `append` returns, or the run goes on without it.
        """
        self._clock = clock
        self._mirror = mirror
        self._mask = mask
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_MS / 1000)
        except (sqlite3.Error, OSError) as error:
            raise self._cannot_open(error) from error
        try:
            self._write_ahead()
            self._db.execute("pragma synchronous=full")
            self._db.execute("pragma foreign_keys=on")
            bring_up_to_date(self._db)
        except BaseException as error:
            self._db.close()
            if isinstance(error, sqlite3.Error):
                raise self._cannot_open(error) from error
            raise

    def _write_ahead(self) -> None:
        """While another program makes the same journal SQLite says at once that it is locked, whatever the timeout."""
        until = time.monotonic() + _BUSY_MS / 1000
        while True:
            try:
                self._db.execute("pragma journal_mode=wal")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(_LOCKED_S)
            else:
                return

    def _cannot_open(self, error: Exception) -> Refused:
        return Refused("JOURNAL", f"{self._path}: cannot be opened ({error}); nothing was touched")

    def close(self) -> None:
        if self._mirror:
            self._mirror.close()
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("begin immediate")
        except sqlite3.Error as error:
            raise self._failed(error) from error
        try:
            yield
            self._db.execute("commit")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("rollback")
            if isinstance(error, sqlite3.Error):
                raise self._failed(error) from error
            raise

    def _failed(self, error: sqlite3.Error) -> JournalFailed:
        return JournalFailed(
            f"{self._path}: the journal cannot be written ({error}); what was to come next was not begun. Make it "
            "writable, then `drillctl status` says what to do"
        )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalFailed(f"{self._path}: the journal cannot be read ({error}); nothing was begun") from error

    # -- runs -----------------------------------------------------------------------------------------

    def open_run(
        self,
        run: str,
        plan: Plan,
        folder: Path,
        owner: str,
        resources: Sequence[str],
        place: Mapping[str, Any] | None = None,
        permit: Permit | None = None,
    ) -> int:
        """Create the run, take all its locks in one sorted transaction, write OPENED. Returns the epoch.

        Refused LOCKED names every resource that another run holds, and who that is, also where only the second room
        knows of it; NOT_APPROVED: a plan for the production path without a permit for it.
        """
        require(plan, permit)
        self._is_sound()
        unknown = self._refuse_held_elsewhere(resources)
        with self._transaction():
            self._refuse_locked(sorted(resources))
            self._db.execute(
                "insert into run values (?, ?, ?, ?, 'planned', ?, 1, ?, ?, ?)",
                (
                    run,
                    canonical_json(plan.model_dump(mode="json")).decode(),
                    plan.digest,
                    str(folder),
                    owner,
                    canonical_json(place or {}).decode(),
                    canonical_json(this_process()).decode(),
                    self._clock.now() + LEASE_S,
                ),
            )
            self._db.executemany(
                "insert into lock values (?, ?, 1)", [(resource, run) for resource in sorted(resources)]
            )
            opened: dict[str, Any] = {"plan": plan.id, "plan_digest": plan.digest, "owner": owner}
            if permit is not None:
                opened["permit"] = permit.model_dump(mode="json")
            self._insert(run, 1, EventKind.OPENED, opened, None, None)
            if unknown is not None:
                text = f"whether another controller has a run open is not known, and this one begins: {unknown}"
                self._insert(run, 1, EventKind.NOTE, {"what": BEHIND, "text": text}, None, None)
        self._carry_over(run, 1, 1, wait=unknown is None)
        return 1

    def _refuse_held_elsewhere(self, resources: Sequence[str]) -> str | None:
        """Why the second room cannot tell, or None. Refused LOCKED by a run that is open there and not known here."""
        if self._mirror is None:
            return None
        known = {item["run"] for item in self.runs()}
        found = held_elsewhere(self._mirror.room, resources, known, self._mirror.deadline_s)
        if isinstance(found, Held):
            raise found.refusal()
        return found

    def _refuse_locked(self, resources: Sequence[str]) -> None:
        holders: dict[str, list[str]] = {}
        for resource in resources:
            held = self._db.execute("select run from lock where resource = ?", (resource,)).fetchone()
            if held:
                holders.setdefault(held[0], []).append(resource)
        for holder, held_by_it in holders.items():
            status, owner = self._db.execute("select status, owner from run where run = ?", (holder,)).fetchone()
            more = f" and {len(held_by_it) - 1} more" if len(held_by_it) > 1 else ""
            raise Refused(
                "LOCKED",
                f"{held_by_it[0]}{more} is held by run {holder} of {owner} ({status}); `drillctl status {holder}` "
                "shows it, --wait waits for it",
            )

    def take_over(self, run: str, owner: str) -> int:
        """Go on with a run whose orchestrator is gone or silent. Writes RESUMED and returns the new epoch.

        Refused RUNNING while its orchestrator is at work, RUN_CLOSED where there is nothing left to do.
        """
        self._is_sound()
        self._expect_not_lost(run)
        with self._transaction():
            found = self.state(run)
            now = self._clock.now()
            if found.status == CLOSED:
                raise Refused(
                    "RUN_CLOSED",
                    f"run {run} is closed: there is nothing left to do; "
                    f"`drillctl report {run}` writes its report again",
                )
            if found.is_attended(now):
                raise Refused(
                    "RUNNING",
                    f"expected run {run} to be without an orchestrator, found process {found.process.get('pid')} of "
                    f"{found.owner} at work on it; `drillctl abort {run}` asks it to go back",
                )
            epoch = found.epoch + 1
            self._db.execute(
                "update run set epoch = ?, owner = ?, process = ?, lease_until = ? where run = ?",
                (epoch, owner, canonical_json(this_process()).decode(), now + LEASE_S, run),
            )
            self._db.execute("update lock set token = ? where run = ?", (epoch, run))
            resumed: dict[str, Any] = {"owner": owner, "silent_since": found.last_sign_at}
            if "copied" in found.place:  # said once, by the first orchestrator after it
                resumed["copied"] = found.place["copied"]
                place = {key: value for key, value in found.place.items() if key != "copied"}
                self._db.execute("update run set place = ? where run = ?", (canonical_json(place).decode(), run))
            event = self._insert(run, epoch, EventKind.RESUMED, resumed, None, None)
        self._carry_over(run, epoch, event.seq)
        return epoch

    def adopt(self, copied: Copied, epoch: int, folder: Path, said: Mapping[str, Any]) -> None:
        """Take a run in from its copy, as one whose orchestrator is gone; it stands at `epoch`.

        `folder` has what lay in the run's folder; `said`: who took it over and why, which RESUMED will tell.
        """
        opening = copied.opening
        self._is_sound()
        with self._transaction():
            self.expect_free(copied)
            states = [item.data["state"] for item in copied.events if item.kind is EventKind.STATE]
            self._db.execute(
                "insert into run values (?, ?, ?, ?, ?, ?, ?, ?, '{}', ?)",
                (
                    opening.run,
                    canonical_json(opening.plan.model_dump(mode="json")).decode(),
                    opening.plan.digest,
                    str(folder),
                    states[-1] if states else "planned",
                    opening.owner,
                    epoch,
                    canonical_json({**_moved(opening.place, opening.folder, folder), "copied": dict(said)}).decode(),
                    copied.last_sign_at + LEASE_S,
                ),
            )
            for line in copied.lines:
                self._write(line.epoch, line.event)
            self._db.executemany(
                "insert into lock values (?, ?, ?)", [(item, opening.run, epoch) for item in sorted(opening.resources)]
            )

    def expect_free(self, copied: Copied) -> None:
        """Refused: HERE_ALREADY; LOCKED by another run that is here."""
        run = copied.opening.run
        if self._db.execute("select 1 from run where run = ?", (run,)).fetchone():
            raise Refused(
                "HERE_ALREADY", f"run {run} is in this controller's journal; `drillctl status {run}` shows it"
            )
        self._refuse_locked(sorted(copied.opening.resources))

    def _expect_not_lost(self, run: str) -> None:
        """Refused TAKEN_OVER: somebody goes on with it from its copy."""
        if self._mirror is None:
            return
        self._mirror.look(run)
        if lost_to := self._mirror.lost_to(run):
            raise Refused(
                "TAKEN_OVER",
                f"expected run {run} to be this controller's, found it taken over from its copy in the second room by "
                f"{lost_to}; `drillctl resume` there goes on with it",
            )

    def _carry_over(self, run: str, epoch: int, seq: int, *, wait: bool = True) -> None:
        """Have the event in the second room. A copy that does not keep up is noted, once in a run, and holds nothing
        up. Superseded: somebody goes on with the run from there.

        Without `wait` it is there before the next that waits: a result that is lost is looked for, an intent is not.
        """
        if self._mirror is None:
            return
        trouble = self._mirror.keep_up(run, seq, wait=wait)
        self._expect_ours(run)
        if trouble is not None and not self._is_noted(run):
            text = f"the copy in the second room does not keep up, and the run goes on without it: {trouble}"
            with self._transaction():
                self._still_ours(run, epoch)
                self._insert(run, epoch, EventKind.NOTE, {"what": BEHIND, "text": text}, None, None)

    def _is_noted(self, run: str) -> bool:
        what = "select 1 from event where run = ? and kind = 'note' and json_extract(data, '$.what') = ?"
        return self._db.execute(what, (run, BEHIND)).fetchone() is not None

    def _expect_ours(self, run: str) -> None:
        lost_to = self._mirror.lost_to(run) if self._mirror else None
        if lost_to:
            raise Superseded(
                f"run {run} was taken over from its copy in the second room by {lost_to}; this one stops and changes "
                "nothing"
            )

    def _is_sound(self) -> None:
        """Whether the file is whole, before a run relies on it."""
        with self._reading():
            said = self._db.execute("pragma quick_check(1)").fetchone()[0]
        if said != "ok":
            raise JournalFailed(f"{self._path}: expected a sound journal, found {said}; nothing was begun")

    def state(self, run: str) -> RunState:
        """Refused NO_RUN names what can be asked for."""
        with self._reading():
            row = self._db.execute(
                "select run, plan, folder, status, owner, epoch, place, process, lease_until from run where run = ?",
                (run,),
            ).fetchone()
        if row is None:
            raise Refused("NO_RUN", f"expected a run of this site, found no {run!r}; `drillctl status` lists them")
        plan = Plan.model_validate_json(row[1])
        return RunState(
            row[0], plan, Path(row[2]), row[3], row[4], row[5], json.loads(row[6]), json.loads(row[7]), row[8]
        )

    def renew(self, run: str, epoch: int) -> None:
        """Say that this orchestrator is alive."""
        with self._transaction():
            self._still_ours(run, epoch)
        if self._mirror:
            self._mirror.beat(run, self._clock.now())

    def _still_ours(self, run: str, epoch: int) -> None:
        self._expect_ours(run)
        current = self._db.execute("select epoch from run where run = ?", (run,)).fetchone()
        if current is None or current[0] != epoch:
            raise Superseded(f"run {run} was taken over by another orchestrator; this one stops and changes nothing")
        self._db.execute("update run set lease_until = ? where run = ?", (self._clock.now() + LEASE_S, run))

    # -- events ---------------------------------------------------------------------------------------

    def append(
        self,
        run: str,
        epoch: int,
        kind: EventKind,
        data: Mapping[str, Any],
        step: str | None = None,
        attempt: int | None = None,
    ) -> Event:
        """Commit one event. Superseded where another orchestrator has taken the run over.

        CLOSED releases the run's locks in the same transaction; nothing else does, least of all a cancel.
        """
        with self._transaction():
            self._still_ours(run, epoch)
            if kind is EventKind.STATE:
                self._db.execute("update run set status = ? where run = ?", (data["state"], run))
            if kind is EventKind.CLOSED:
                self._db.execute("update run set status = ? where run = ?", (CLOSED, run))
                self._db.execute("delete from lock where run = ?", (run,))
            event = self._insert(run, epoch, kind, data, step, attempt)
        if kind is not EventKind.CLOSED:
            self._carry_over(run, epoch, event.seq, wait=kind in _BEFORE_EFFECTS)
        elif self._mirror:  # nothing comes after it, whatever the copy is at
            self._mirror.keep_up(run, event.seq)
        return event

    def _insert(
        self, run: str, epoch: int, kind: EventKind, data: Mapping[str, Any], step: str | None, attempt: int | None
    ) -> Event:
        last = self._db.execute(
            "select seq, digest from event where run = ? order by seq desc limit 1", (run,)
        ).fetchone()
        seq, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
        at = datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="microseconds")
        text = canonical_json(self._mask(data)).decode()
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
        self._write(epoch, event)
        return event

    def _write(self, epoch: int, event: Event) -> None:
        row = (event.run, event.seq, event.kind.value, event.step, event.attempt, epoch, event.at)
        text = canonical_json(event.data).decode()
        self._db.execute(
            "insert into event values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, text, event.previous, event.digest)
        )

    def events(self, run: str) -> list[Event]:
        with self._reading():
            rows = self._db.execute(
                "select run, seq, at, kind, step, attempt, data, previous, digest from event where run = ? "
                "order by seq",
                (run,),
            ).fetchall()
        names = ("run", "seq", "at", "kind", "step", "attempt", "data", "previous", "digest")
        return [
            Event.model_validate({**dict(zip(names, row, strict=True)), "data": json.loads(row[6])}) for row in rows
        ]

    def runs(self) -> list[dict[str, str]]:
        """Every run, oldest first: run, status, folder, drill and mode of its plan."""
        with self._reading():
            rows = self._db.execute(
                "select run, status, folder, json_extract(plan, '$.drill'), json_extract(plan, "
                "'$.mode') from run order by rowid"
            ).fetchall()
        return [dict(zip(("run", "status", "folder", "drill", "mode"), row, strict=True)) for row in rows]

    # -- messages -------------------------------------------------------------------------------------

    def post(self, run: str, topic: str, data: Mapping[str, Any], key: str) -> None:
        """Ask something of a run. The same key twice is one message."""
        with self._transaction():
            self.state(run)
            self._db.execute(
                "insert or ignore into inbox values (?, ?, ?, ?, null)",
                (key, run, topic, canonical_json(data).decode()),
            )

    def waiting(self, run: str) -> list[Message]:
        """Messages that nobody has taken yet, oldest first."""
        with self._reading():
            rows = self._db.execute(
                "select key, topic, data from inbox where run = ? and taken is null order by rowid", (run,)
            ).fetchall()
        return [Message(key, topic, json.loads(data)) for key, topic, data in rows]

    def take(self, run: str, epoch: int, message: Message) -> Event:
        """Take a message and write its event in one transaction."""
        with self._transaction():
            self._still_ours(run, epoch)
            data = {"topic": message.topic, "key": message.key, **message.data}
            event = self._insert(run, epoch, EventKind.MESSAGE, data, None, None)
            self._db.execute("update inbox set taken = ? where key = ?", (event.seq, message.key))
        # What becomes of a promotion is what does not happen any more: no intent after it has it carried over.
        self._carry_over(run, epoch, event.seq, wait=message.topic in _BEFORE_ANSWER)
        return event

    # -- locks ----------------------------------------------------------------------------------------

    def locks(self, run: str) -> list[str]:
        """What a run holds."""
        with self._reading():
            rows = self._db.execute("select resource from lock where run = ? order by resource", (run,)).fetchall()
        return [row[0] for row in rows]


def _moved(place: Mapping[str, Any], old: Path, new: Path) -> dict[str, Any]:
    """Where the run happens, with paths below its folder as they are here."""
    found = dict(place)
    inventory = found.get("inventory")
    if inventory and Path(inventory).is_relative_to(old):
        found["inventory"] = str(new / Path(inventory).relative_to(old))
    return found
