"""The ledger (演练台账) over all runs: hash-chained canonical JSON lines that are only ever added to.

A line is on the disk before `append` returns. What is about to be written is on the disk first (`.pending.json`), so
that a line which a kill has torn is told from one that somebody has cut, and is completed. Nothing is ever cut off.
`head.json` is how long the ledger is and the digest of its last line; where `sign` is given, `head.json.p7s` signs it.
A ledger that is shorter than its head, or other than it, is not written to.

It is opened by everybody who may run drills: it is readable by all, and locked for the moment of a change.
"""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from orchestrator.errors import Refused
from orchestrator.evidence.closing import closing_data, opening_data
from orchestrator.evidence.disk import folder_to_disk, read_open, replace, write_out
from orchestrator.evidence.ledger_head import HEAD, SIGNATURE, STAMP, HeadFile, broken, unwritable
from orchestrator.evidence.ledger_lines import (
    ONCE,
    Entry,
    LedgerFault,
    Reader,
    as_bytes,
    chained,
    faults,
    opens,
    parsed,
    subject,
)
from orchestrator.journal.chain import GENESIS
from orchestrator.model.evidence import LedgerHead, LedgerKind, LedgerLine
from orchestrator.model.plan import canonical_json
from orchestrator.ports import Clock

__all__ = [
    "HEAD",
    "LEDGER",
    "PENDING",
    "SIGNATURE",
    "STAMP",
    "Ledger",
    "LedgerFault",
    "closing_data",
    "faults",
    "opening_data",
    "parsed",
]

LEDGER = "ledger.jsonl"
PENDING = ".pending.json"


def _unsaid(_text: str) -> None:
    """Nobody listens."""


class Ledger:
    """The ledger in one folder. `sign` makes a detached CMS signature (DER) over the head's bytes; `said` is told what
    a person should know (a torn line was completed, the head could not be signed).
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        sign: Callable[[bytes], bytes] | None = None,
        said: Callable[[str], None] = _unsaid,
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._head = HeadFile(folder, sign, said)
        self._said = said
        self._known = Reader()  # what this object has already checked …
        self._known_size = 0  # … how many bytes that is …
        self._known_digest = sha256().digest()  # … and which

    @property
    def path(self) -> Path:
        return self.folder / LEDGER

    def append(self, kind: LedgerKind, data: Mapping[str, Any]) -> LedgerLine:
        """Add one line. `run.opened` of a run that is opened already gives that line. Refused: the ledger is broken,
        shorter than its head or cannot be written; then nothing was added.
        """
        return self.append_all([(kind, data)])[0]

    def append_all(self, entries: Sequence[Entry]) -> list[LedgerLine]:
        """Add lines in one go: after a kill all of them are there, or none."""
        if not entries:
            return []
        with self._locked(fcntl.LOCK_EX) as descriptor:
            lines = self._whole(descriptor)
            said = [_said_before(lines, entry) for entry in entries]
            fresh = chained(lines, [entry for entry, old in zip(entries, said, strict=True) if not old], self._now())
            if fresh:
                self._write(descriptor, fresh)
            self._head.publish(LedgerHead(size=len(lines) + len(fresh), digest=[*lines, *fresh][-1].digest))
        added = iter(fresh)
        return [old or next(added) for old in said]

    def lines(self) -> list[LedgerLine]:
        """Every line, checked: Refused LEDGER_BROKEN where the ledger is not whole, or not what its head says."""
        if not self.path.exists() and self._head.read() is None:
            return []
        with self._locked(fcntl.LOCK_SH) as descriptor:
            data = read_open(descriptor)
            return self._checked(data[: self._settled_size(data)])

    def head(self) -> LedgerHead:
        """How long the ledger is now, and the digest of its last line."""
        lines = self.lines()
        return LedgerHead(size=len(lines), digest=lines[-1].digest if lines else GENESIS)

    def upto(self, seq: int) -> bytes:
        """The ledger as it was when line `seq` was its last."""
        return b"".join(as_bytes(line) for line in self.lines()[:seq])

    def opened(self, run: str) -> LedgerLine | None:
        """The run's own opening line."""
        return next((line for line in self.lines() if opens(line, run)), None)

    def publish(self) -> LedgerHead:
        """Write and sign the head again, e.g. once there is a key. An empty ledger has no head."""
        with self._locked(fcntl.LOCK_EX) as descriptor:
            lines = self._whole(descriptor)
            head = LedgerHead(size=len(lines), digest=lines[-1].digest if lines else GENESIS)
            if lines:
                self._head.publish(head)
        return head

    # -- reading ------------------------------------------------------------------------------------------------

    @contextmanager
    def _locked(self, how: int) -> Iterator[int]:
        try:
            descriptor = self._opened_for(how)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            fcntl.flock(descriptor, how)
            yield descriptor
        finally:
            os.close(descriptor)

    def _opened_for(self, how: int) -> int:
        if how == fcntl.LOCK_SH and self.path.exists():
            return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        is_new = not self.path.exists()
        if is_new and self._head.read():
            raise broken(self.path, "a ledger, as its head tells", "none")
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        if is_new:
            folder_to_disk(self.folder)
            folder_to_disk(self.folder.parent)
        return descriptor

    def _whole(self, descriptor: int) -> list[LedgerLine]:
        """The lines, after a torn one was completed. Holds the lock."""
        data = read_open(descriptor)
        pending = self._pending()
        if pending is not None:
            data = self._completed(descriptor, data, *pending)
        return self._checked(data)

    def _completed(self, descriptor: int, data: bytes, size: int, text: bytes) -> bytes:
        """Complete what a kill has torn: only what begins exactly as it was going to be written."""
        begun = data[size:]
        if len(data) < size or not text.startswith(begun):
            raise broken(self.path, f"what {PENDING} was going to write after byte {size}", f"{len(begun)} other bytes")
        if begun and len(begun) < len(text):
            self._checked(data[:size] + text)
            write_out(descriptor, text[len(begun) :])
            seq = json.loads(text.splitlines()[0])["seq"]
            self._said(f"{self.path}: line {seq} was torn when its writer was killed; completed as it was going to be")
            data = data[:size] + text
        (self.folder / PENDING).unlink(missing_ok=True)
        return data

    def _settled_size(self, data: bytes) -> int:
        """For a reader: how far the ledger goes without what a kill has torn and nobody has completed yet."""
        pending = self._pending()
        if pending is None:
            return len(data)
        size, text = pending
        begun = data[size:]
        return size if len(begun) < len(text) and text.startswith(begun) else len(data)

    def _pending(self) -> tuple[int, bytes] | None:
        try:
            found = json.loads((self.folder / PENDING).read_text(encoding="utf-8"))
            return int(found["size"]), str(found["text"]).encode()
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise broken(self.folder / PENDING, "what was going to be written", f"unreadable: {error}") from error

    def _checked(self, data: bytes) -> list[LedgerLine]:
        """The lines of data that is whole and goes on from the head. What was checked once is not checked again."""
        if sha256(data[: self._known_size]).digest() != self._known_digest:
            self._known, self._known_size = Reader(), 0
        reader = self._known.copy()
        found = reader.take(data[self._known_size :])
        if found:
            raise broken(f"{self.path}:{found[0].line}", "a whole ledger", found[0].reason)
        self._head.compare(self.path, reader.lines)
        self._known, self._known_size, self._known_digest = reader, len(data), sha256(data).digest()
        return list(reader.lines)

    # -- writing ------------------------------------------------------------------------------------------------

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).isoformat(timespec="microseconds")

    def _write(self, descriptor: int, lines: Sequence[LedgerLine]) -> None:
        text = b"".join(as_bytes(line) for line in lines)
        size = os.fstat(descriptor).st_size
        found = self._known.copy().take(text)
        if found:
            raise Refused("NOT_FOR_THE_LEDGER", f"{found[0].reason}; nothing was added to the ledger")
        try:
            replace(self.folder / PENDING, canonical_json({"size": size, "text": text.decode()}))
            write_out(descriptor, text)
            (self.folder / PENDING).unlink()
        except OSError as error:
            raise unwritable(self.path, error) from error


def _said_before(lines: Sequence[LedgerLine], entry: Entry) -> LedgerLine | None:
    """The line that says this already: a run that is resumed may be opened, closed and sealed again.

    Refused: it was opened by another plan.
    """
    kind, data = entry
    if kind not in ONCE:
        return None
    old = next((line for line in lines if line.kind is kind and subject(line.data) == subject(data)), None)
    if kind is LedgerKind.RUN_OPENED and old:
        _need_same_plan(old, data)
        return old
    return old if old and canonical_json(old.data) == canonical_json(dict(data)) else None


def _need_same_plan(old: LedgerLine, data: Mapping[str, Any]) -> None:
    if old.data.get("plan_digest") != data.get("plan_digest"):
        raise Refused(
            "RUN_ON_LEDGER",
            f"expected run {data['run']} by the plan {old.data.get('plan_digest')}, as line {old.seq} of the ledger "
            f"says, found the plan {data.get('plan_digest')}",
        )
