"""The third look: whether what the pack's files say of the run agrees, whoever signed them.

An insider with the key can sign anything. What is looked at here makes that harder: the record must be what the
journal says, the journal must be whole and closed, the plan must be the one that was opened on the ledger.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.evidence.ledger_lines import faults as ledger_faults
from orchestrator.evidence.strict_json import NotStrict, strict, strict_document, strict_line
from orchestrator.evidence.trust import Findings, Trust
from orchestrator.evidence.verify_files import is_plain
from orchestrator.journal.chain import GENESIS, link
from orchestrator.model.plan import digest_of

# Our choice: a clock that is disciplined is never set back by more (the same number as in the ledger).
CLOCK_STEP = timedelta(seconds=60)
_NO_ACT = ("opened", "state", "note", "message")
RUN, EVENTS, PLAN, LEDGER = "run.json", "journal/events.jsonl", "plan/plan.json", "ledger/ledger.jsonl"

Line = Mapping[str, Any]


@dataclass
class Contents:
    """What the files of a pack say, as far as they can be read."""

    record: dict[str, Any] | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)

    @property
    def run(self) -> str:
        return str((self.record or {}).get("run"))


def look_at_contents(folder: Path, stamped_at: datetime | None, trust: Trust, found: Findings) -> Contents:
    """Record, journal, plan and copy of the ledger, each by itself and against each other."""
    contents = Contents(_record(folder, found), _events(folder, found), _ledger(folder, found))
    if contents.record is not None:
        _journal_of(contents, contents.record, found)
        _plan_of(folder, contents.record, found)
        _place_of(contents, contents.record, found)
    if contents.events:
        _whole(contents.events, found)
        _times(contents, stamped_at, found)
    if trust.anchor is not None:
        _anchor(contents.ledger, trust, found)
    return contents


def at_of(line: Line) -> datetime:
    return datetime.fromisoformat(str(line["at"]))


def _read(folder: Path, name: str) -> bytes | None:
    return (folder / name).read_bytes() if is_plain(folder, name) else None


def _record(folder: Path, found: Findings) -> dict[str, Any] | None:
    content = _read(folder, RUN)
    if content is None:
        return None
    try:
        return strict_document(content)
    except NotStrict as error:
        found.fault(RUN, str(error))
        return None


def _events(folder: Path, found: Findings) -> list[dict[str, Any]]:
    """The journal's events as far as their chain holds."""
    content, previous = _read(folder, EVENTS) or b"", GENESIS
    events: list[dict[str, Any]] = []
    for number, raw in enumerate(content.splitlines(keepends=True), 1):
        try:
            event = strict_line(raw.removesuffix(b"\n"))
        except NotStrict as error:
            found.fault(f"{EVENTS}:{number}", str(error))
            return events
        reason = _out_of_chain(event, number, previous)
        if reason:
            found.fault(f"{EVENTS}:{number}", reason)
            return events
        events.append(event)
        previous = event["digest"]
    return events


def _out_of_chain(event: dict[str, Any], number: int, previous: str) -> str:
    body = {name: value for name, value in event.items() if name != "digest"}
    if event.get("seq") != number or event.get("previous") != previous:
        return (
            f"expected event {number} to follow the one before it, found a gap: something was removed, added or moved"
        )
    if event.get("digest") != link(previous, body):
        return "expected the digest of its content, found another: the event was changed"
    return ""


def _ledger(folder: Path, found: Findings) -> list[dict[str, Any]]:
    content = _read(folder, LEDGER)
    if content is None:
        return []
    wrong = ledger_faults(content)
    for item in wrong:
        found.fault(f"{LEDGER}:{item.line}", item.reason)
    return [] if wrong else [strict(line) for line in content.splitlines()]


def _journal_of(contents: Contents, record: Mapping[str, Any], found: Findings) -> None:
    """run.json names the journal's head: an event that was cut off at the end shows."""
    journal = record.get("journal", {})
    if not contents.events:
        found.fault(EVENTS, "expected the events of the run, found none")
        return
    last = contents.events[-1]
    if (journal.get("events"), journal.get("head")) != (len(contents.events), last["digest"]):
        found.fault(
            EVENTS,
            f"expected {journal.get('events')} events that end in {journal.get('head')}, as {RUN} says, found "
            f"{len(contents.events)} that end in {last['digest']}",
        )
    others = {str(event.get("run")) for event in contents.events} - {contents.run}
    if others:
        found.fault(EVENTS, f"expected events of run {contents.run}, found some of {', '.join(sorted(others))}")


def _plan_of(folder: Path, record: Mapping[str, Any], found: Findings) -> None:
    expected, content = record.get("plan_digest"), _read(folder, PLAN)
    if digest_of(record.get("plan")) != expected:
        found.fault(RUN, f"expected its plan to have the digest {expected}, found another plan")
    if content is None:
        return
    try:
        digest = digest_of(strict(content))
    except NotStrict as error:
        found.fault(PLAN, str(error))
        return
    if digest != expected:
        found.fault(PLAN, f"expected the plan with digest {expected}, as {RUN} says, found {digest}")


def _whole(events: Sequence[Line], found: Findings) -> None:
    if events[0]["kind"] != "opened":
        found.fault(f"{EVENTS}:1", f"expected the opening of the run, found {events[0]['kind']}")
    if events[-1]["kind"] != "closed":
        found.fault(EVENTS, f"expected a run that is closed, found its last event to be {events[-1]['kind']}")


def _place_of(contents: Contents, record: Mapping[str, Any], found: Findings) -> None:
    """The run's own opening is the last line of the pack's ledger, and says the same plan."""
    if not contents.ledger:
        return
    last, data = contents.ledger[-1], contents.ledger[-1]["data"]
    if (last["kind"], data.get("run")) != ("run.opened", contents.run):
        found.fault(
            LEDGER, f"expected its last line to open run {contents.run}, found {last['kind']} {data.get('run')}"
        )
        return
    place = {"seq": last["seq"], "digest": last["digest"]}
    if record.get("ledger") != place:
        found.fault(RUN, f"expected its place on the ledger to be line {last['seq']}, found {record.get('ledger')}")
    opened = contents.events[0]["data"].get("plan_digest") if contents.events else data.get("plan_digest")
    if not data.get("plan_digest") == opened == record.get("plan_digest"):
        found.fault(LEDGER, f"expected the plan {record.get('plan_digest')}, found the run opened with another plan")
    if data.get("simulated") != record.get("simulated"):
        found.fault(LEDGER, f"expected simulated {record.get('simulated')}, as {RUN} says, found it opened as another")


def _times(contents: Contents, stamped_at: datetime | None, found: Findings) -> None:
    """The ledger was written before the first act; the stamp was made after the last event."""
    acts = [event for event in contents.events if event["kind"] not in _NO_ACT]
    if acts and contents.ledger and at_of(acts[0]) < at_of(contents.ledger[-1]) - CLOCK_STEP:
        found.fault(
            f"{EVENTS}:{acts[0]['seq']}",
            f"expected nothing done before the run was opened on the ledger ({contents.ledger[-1]['at']}), found "
            f"{acts[0]['kind']} at {acts[0]['at']}",
        )
    last = contents.events[-1]
    if stamped_at and stamped_at < at_of(last) - CLOCK_STEP:
        found.fault(EVENTS, f"expected its last event before the stamp ({stamped_at.isoformat()}), found {last['at']}")


def _anchor(ledger: Sequence[Line], trust: Trust, found: Findings) -> None:
    head = trust.anchor
    if head is None or head.size == 0:
        return
    if head.size > len(ledger):
        found.note(
            f"the anchor (line {head.size}) is younger than this pack's ledger: only the archive can be held to it"
        )
    elif ledger[head.size - 1]["digest"] != head.digest:
        found.fault(f"{LEDGER}:{head.size}", f"expected the digest {head.digest}, as the anchor says, found another")
