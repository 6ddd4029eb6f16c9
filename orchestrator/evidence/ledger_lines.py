"""What a ledger's bytes say, what is wrong with them, and the lines that go on from them. Pure."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from orchestrator.errors import Refused
from orchestrator.journal.chain import GENESIS, link
from orchestrator.model.evidence import LedgerKind, LedgerLine
from orchestrator.model.plan import canonical_json

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")
Entry = tuple[LedgerKind, Mapping[str, Any]]
# Our choice: a clock that is disciplined steps back by less; the line then takes the time of the one before it.
_CLOCK_STEP_S = 60.0
# What is said once of a run, a finding or an entry of the schedule, and what must have been said before.
ONCE = (
    LedgerKind.RUN_OPENED,
    LedgerKind.RUN_CLOSED,
    LedgerKind.PACK_SEALED,
    LedgerKind.PACK_DELETED,
    LedgerKind.FINDING_OPENED,
    LedgerKind.SCHEDULE_MISSED,
)
_AFTER = {
    LedgerKind.RUN_CLOSED: LedgerKind.RUN_OPENED,
    LedgerKind.PACK_SEALED: LedgerKind.RUN_CLOSED,
    LedgerKind.PACK_STAMPED: LedgerKind.PACK_SEALED,
    LedgerKind.PACK_DELETED: LedgerKind.PACK_SEALED,
    LedgerKind.FINDING_CHANGED: LedgerKind.FINDING_OPENED,
    LedgerKind.FINDING_CLOSED: LedgerKind.FINDING_OPENED,
}


@dataclass(frozen=True)
class LedgerFault:
    """What is wrong with one line, counted from 1."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


def parsed(data: bytes) -> list[LedgerLine]:
    """The lines of a ledger in which `faults` finds nothing."""
    return [LedgerLine.model_validate_json(line) for line in data.splitlines()]


def faults(data: bytes) -> list[LedgerFault]:
    """Everything wrong with a ledger's bytes: form, chain and order. Cut off at the end it looks whole: its head or a
    later pack tells. After a line that cannot be read, nothing more is said.
    """
    return Reader().take(data)


@dataclass
class _Order:
    """What has been opened, closed and sealed so far."""

    known: dict[LedgerKind, set[str]] = field(default_factory=lambda: {kind: set() for kind in LedgerKind})

    def faults(self, line: LedgerLine) -> Iterator[str]:
        """What cannot have happened at this line, whoever chained it; then the line is taken in."""
        kind, name = line.kind, subject(line.data)
        if kind in ONCE and name in self.known[kind]:
            yield f"expected {kind.value} of {name} once, found it again"
        needed = _AFTER.get(kind)
        if needed and name not in self.known[needed]:
            yield f"expected {needed.value} of {name} before {kind.value}, found none"
        self.known[kind].add(name)

    def copy(self) -> "_Order":
        return _Order({kind: set(names) for kind, names in self.known.items()})


def subject(data: Mapping[str, Any]) -> str:
    """The run or the finding that a line's data is about."""
    finding = data.get("finding")
    return str(finding.get("id") if isinstance(finding, dict) else data.get("run", data.get("id")))


@dataclass
class Reader:
    """Takes a ledger in, piece by piece, whole lines at a time."""

    lines: list[LedgerLine] = field(default_factory=list)
    order: _Order = field(default_factory=_Order)

    def take(self, data: bytes) -> list[LedgerFault]:
        """What is wrong with the lines that come next."""
        found: list[LedgerFault] = []
        for raw in data.splitlines(keepends=True):
            number = len(self.lines) + 1
            line = _read_line(raw)
            if isinstance(line, str):
                return [*found, LedgerFault(number, line)]
            last = self.lines[-1] if self.lines else None
            reasons = [*_chain_faults(line, number, last), *self.order.faults(line)]
            found += [LedgerFault(number, reason) for reason in reasons]
            self.lines.append(line)
        return found

    def copy(self) -> "Reader":
        """For a look ahead."""
        return Reader(list(self.lines), self.order.copy())


def _read_line(raw: bytes) -> LedgerLine | str:
    """The line, or why it is none."""
    if b"\r" in raw:
        return "expected lines that end with LF only, found CR (the file was converted)"
    if not raw.endswith(b"\n"):
        return "expected a whole line, found one without its end"
    try:
        plain = json.loads(raw, object_pairs_hook=_each_key_once, parse_constant=no_constant)
        line = LedgerLine.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        return f"expected a line of a ledger, found {'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, RecursionError) as error:
        return f"expected JSON, found what cannot be read as such ({error})"
    if canonical_json(plain) + b"\n" != raw:
        return "expected canonical JSON (sorted keys, no blanks), found another form"
    return line


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} twice")
    return found


def no_constant(text: str) -> None:
    """For `json.loads`: NaN and the infinities are not JSON."""
    raise ValueError(f"{text} is no JSON number")


def _chain_faults(line: LedgerLine, number: int, before: LedgerLine | None) -> Iterator[str]:
    if line.seq != number:
        yield f"expected number {number}, found {line.seq}: a line was removed, added or moved"
    previous = before.digest if before else GENESIS
    if line.previous != previous:
        yield f"expected to follow {previous}, found {line.previous}: a line before it was changed, removed or moved"
    if line.digest != link(line.previous, line.model_dump(mode="json", exclude={"digest"})):
        yield "expected the digest of its content, found another: the line was changed"
    if not _TIME.fullmatch(line.at):
        yield f"expected a time as 2026-11-21T01:30:00.000000+00:00, found {line.at!r}"
    elif before and line.at < before.at:
        yield f"expected a time after line {number - 1} ({before.at}), found {line.at}"


def as_bytes(line: LedgerLine) -> bytes:
    """A line as it stands in the file."""
    return canonical_json(line.model_dump(mode="json")) + b"\n"


def chained(lines: Sequence[LedgerLine], entries: Sequence[Entry], now: str) -> list[LedgerLine]:
    """New lines that go on from the last one."""
    last = lines[-1] if lines else None
    seq, previous, after = (last.seq, last.digest, last.at) if last else (0, GENESIS, "")
    at = _after(now, after)
    fresh = []
    for kind, data in entries:
        seq += 1
        # through JSON once, so that what is kept is what is digested
        plain = json.loads(canonical_json(dict(data)), parse_constant=no_constant)
        body = {"seq": seq, "at": at, "kind": kind.value, "data": plain, "previous": previous}
        previous = link(previous, body)
        fresh.append(LedgerLine.model_validate({**body, "digest": previous}))
    return fresh


def _after(now: str, last: str) -> str:
    """Lines stand in the order of their times. A clock that went back further than it should is a person's matter."""
    if not last or now >= last:
        return now
    back = (datetime.fromisoformat(last) - datetime.fromisoformat(now)).total_seconds()
    if back > _CLOCK_STEP_S:
        raise Refused(
            "CLOCK",
            f"expected a time after the ledger's last line ({last}), found {now}: the clock went back by {back:.0f} s; "
            "set the clock, then try again",
        )
    return last


def opens(line: LedgerLine, run: str) -> bool:
    """Whether this is the run's opening line."""
    return line.kind is LedgerKind.RUN_OPENED and line.data.get("run") == run
