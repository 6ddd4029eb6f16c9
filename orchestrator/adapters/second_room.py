"""The copy in the second room: taking a run over from it, and copying what a site keeps into it.

A run's own events are not this module's business: the journal's mirror has them there before each effect.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import DrillctlError, Refused
from orchestrator.journal import CLOSED, Copied, Room, SqliteJournal, read_copied
from orchestrator.journal.room import PRIVATE, carry, folder_to_disk, put, to_disk
from orchestrator.model.plan import canonical_json

FRESH_S = 60.0  # our choice: four leases; the clocks of two rooms may differ a little, and a carrier takes its time
_LEDGER = Path("ledger") / "ledger.jsonl"
_JOURNAL = "journal.db"
# Keys are this controller's own and never leave it; a notice that waits is sent by whoever has it.
_OF_STATE_LEFT_OUT = frozenset({"keys", "outbox", _JOURNAL, f"{_JOURNAL}-wal", f"{_JOURNAL}-shm"})
_OF_RUN_LEFT_OUT = frozenset({"steps", "alive"})
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Claim:
    """Who goes on with a run elsewhere, and why. `first_is_gone`: they state that the first room is no more."""

    by: str
    reason: str
    at: float
    first_is_gone: bool


def take_over(room: Room, run: str, journal: SqliteJournal, reports: Path, claim: Claim) -> Copied:
    """Build the run's state here from its copy. `drillctl resume` goes on from there.

    Refused: NO_COPY, RUN_CLOSED, HERE_ALREADY, LOCKED; FIRST_ROOM_AT_WORK while the first controller gives signs of
    life and nobody has stated that it is gone. NeedsPerson: the copy was changed.
    """
    room.check()
    place = room.run(run)
    found = read_copied(place, run)
    _expect_gone(found, claim)
    journal.expect_free(found)
    epoch, machine = found.next_epoch, os.uname().nodename
    said = {"by": claim.by, "reason": claim.reason, "first_room_is_gone": claim.first_is_gone}
    put(place.taken_over, canonical_json({**said, "at": claim.at, "epoch": epoch, "machine": machine}) + b"\n")
    copied = read_copied(place, run)  # what came until then; from here on a first controller that lives sees the mark
    folder = reports / run
    folder.mkdir(parents=True, exist_ok=True)
    carry(place.files, folder)
    _take_ledger(room, reports)
    end = copied.events[-1]
    journal.adopt(copied, epoch, folder, {**said, "seq": end.seq, "digest": end.digest, "torn": copied.torn})
    return copied


def _expect_gone(found: Copied, claim: Claim) -> None:
    run = found.opening.run
    if found.is_closed:
        raise Refused("RUN_CLOSED", f"run {run} is closed: there is nothing left to do; its copy has its evidence")
    silent_s = claim.at - found.last_sign_at
    if silent_s < FRESH_S and not claim.first_is_gone:
        raise Refused(
            "FIRST_ROOM_AT_WORK",
            f"expected no sign of life of run {run} for {FRESH_S:g} s, found one {silent_s:.0f} s ago: its controller "
            "is at work, and goes on with it. `drillctl status` there shows it; if that room is gone, state so with "
            "--first-room-is-gone",
        )


def _take_ledger(room: Room, reports: Path) -> None:
    """The ledger as the copy has it, where this one is older or there is none. Any other is left as it is."""
    theirs, ours = room.store / "reports" / _LEDGER, reports / _LEDGER
    known = ours.read_bytes() if ours.exists() else b""
    if theirs.exists() and theirs.read_bytes().startswith(known):
        carry(theirs.parent, ours.parent)


# -- copying what a site keeps -------------------------------------------------------------------------


@dataclass
class Done:
    """What copying came to. `differs`: sealed, and other in the copy than here; left as they were there."""

    copied: int = 0
    there: int = 0
    bytes: int = 0
    differs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _File:
    source: Path
    target: Path
    keeps: bool = False  # sealed evidence: never written over
    grows: bool = False  # a ledger: what is there is its beginning


def copy_site(room: Room, reports: Path, state: Path, *, verify: bool) -> Done:
    """Reports, ledger and state, each file whole and read back. What is there already is left; nothing is deleted.

    One that was interrupted is finished by the next. `verify`: what is there is compared byte by byte too.
    """
    room.check()
    done = Done()
    for file in (*_of_reports(reports, room.store / "reports"), *_of_state(state, room.store / "state")):
        _copy(file, done, verify=verify)
    _copy_journal(state / _JOURNAL, room.store / "state" / _JOURNAL, done)
    return done


def _of_reports(source: Path, target: Path) -> Iterator[_File]:
    for path in _files(source):
        parts = path.relative_to(source).parts
        if len(parts) > 1 and parts[1] in _OF_RUN_LEFT_OUT:
            continue
        grows = path == source / _LEDGER
        yield _File(path, target.joinpath(*parts), keeps=len(parts) > 2 and parts[1] == "pack", grows=grows)  # noqa: PLR2004 - RUN/pack/FILE


def _of_state(source: Path, target: Path) -> Iterator[_File]:
    for path in _files(source):
        parts = path.relative_to(source).parts
        if parts[0] not in _OF_STATE_LEFT_OUT:
            yield _File(path, target.joinpath(*parts))


def _files(folder: Path) -> Iterator[Path]:
    """Every file that is no draft, in one order."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(here) / name for name in sorted(names) if not name.startswith("."))


def _copy(file: _File, done: Done, *, verify: bool) -> None:
    source, target = file.source, file.target
    if not source.is_file():  # gone meanwhile, or a socket
        return
    if _is_there(source, target, verify=verify):
        done.there += 1
        return
    if target.exists() and (file.keeps or (file.grows and not _begins_with(source, target))):
        if _digest(source) == _digest(target):
            done.there += 1
        else:
            done.differs.append(str(target))
        return
    done.bytes += _carry(source, target)
    done.copied += 1


def _is_there(source: Path, target: Path, *, verify: bool) -> bool:
    if not target.exists():
        return False
    ours, theirs = source.stat(), target.stat()
    same = (ours.st_size, ours.st_mtime_ns) == (theirs.st_size, theirs.st_mtime_ns)
    return same and (not verify or _digest(source) == _digest(target))


def _begins_with(source: Path, target: Path) -> bool:
    return source.read_bytes().startswith(target.read_bytes())


def _carry(source: Path, target: Path) -> int:
    """Written under another name, read back, then moved to its place. Refused COPY_BAD: it reads otherwise there."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    draft = target.with_name(f".{target.name}.part")
    found, size, digest = source.stat(), 0, hashlib.sha256()
    with source.open("rb") as reading, os.fdopen(_private(draft), "wb") as writing:
        while block := reading.read(_BLOCK):
            digest.update(block)
            size += writing.write(block)
        writing.flush()
        to_disk(writing.fileno())
    if _digest(draft) != digest.hexdigest():
        raise Refused("COPY_BAD", f"{draft}: expected what was written, found other bytes; look at that disk")
    os.utime(draft, ns=(found.st_atime_ns, found.st_mtime_ns))
    draft.replace(target)
    folder_to_disk(target.parent)
    return size


def _private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_journal(source: Path, target: Path, done: Done) -> None:
    """As it is at one moment, also while runs write to it."""
    if not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    draft = target.with_name(f".{target.name}.part")
    draft.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as ours,
        closing(sqlite3.connect(draft)) as its,
    ):
        ours.backup(its)
        its.execute("pragma journal_mode=delete")
        sound = its.execute("pragma quick_check(1)").fetchone()[0]
    if sound != "ok":
        raise Refused("COPY_BAD", f"{draft}: expected a sound journal, found {sound}; look at that disk")
    draft.chmod(0o600)
    with draft.open("rb") as file:
        to_disk(file.fileno())
    draft.replace(target)
    folder_to_disk(target.parent)
    done.copied += 1
    done.bytes += target.stat().st_size


# -- how far it is ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """One run in the copy. `behind`: events that this controller's journal has and the copy has not; None: it is not
    this controller's. `problem`: why nothing can be said of it.
    """

    run: str
    events: int = 0
    last: str = ""
    last_at: str = ""
    last_sign_at: float = 0.0
    closed: bool = False
    torn: int = 0
    behind: int | None = None
    taken_over: Mapping[str, object] | None = None
    problem: str | None = None


def standings(room: Room, journal: SqliteJournal) -> list[Standing]:
    """Every run of the copy, and every run here that the copy does not have, by name."""
    room.check()
    there = {path.name for path in room.runs.iterdir()} if room.runs.is_dir() else set()
    here = {item["run"]: item["status"] for item in journal.runs()}
    lacking = [
        Standing(run, behind=len(journal.events(run)), closed=here[run] == CLOSED) for run in here.keys() - there
    ]
    return sorted([*(_standing(room, journal, run) for run in there), *lacking], key=lambda item: item.run)


def _standing(room: Room, journal: SqliteJournal, run: str) -> Standing:
    try:
        found = read_copied(room.run(run), run)
    except DrillctlError as error:
        return Standing(run, problem=str(error))
    last = found.events[-1]
    ours = journal.events(run)
    return Standing(
        run,
        last.seq,
        " ".join(part for part in (last.kind.value, last.step) if part),
        last.at,
        found.last_sign_at,
        found.is_closed,
        found.torn,
        len(ours) - last.seq if ours else None,
        found.taken_over,
    )
