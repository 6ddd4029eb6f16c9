"""Everything of a pack that stands above its manifest, but for ledger and certificates.

It copies what was checked against the journal, makes anew what could hold a secret (from a list of allowed fields),
and leaves out the rest. Nothing is signed here, and nothing is read from outside the run's folder but the definition.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from orchestrator.errors import Refused
from orchestrator.evidence import artefacts, readme
from orchestrator.evidence.changes import configurations
from orchestrator.evidence.checks_junit import junit, phases
from orchestrator.evidence.names import STATEMENTS
from orchestrator.evidence.people_files import CONFIRMATIONS, approvals, calls, confirmations, decisions
from orchestrator.evidence.redact import key_of, redacted_yaml, run_key
from orchestrator.evidence.sends import sends
from orchestrator.evidence.site_copy import site_copy
from orchestrator.history import snapshots
from orchestrator.journal.chain import chain_is_valid
from orchestrator.model.event import Event, EventKind, LogStamp, RouteSample, Sample
from orchestrator.model.plan import canonical_json
from orchestrator.model.record import RunRecord
from orchestrator.model.records import RECORDS
from orchestrator.report.render import run_json

Text = Callable[[str], str]
_SAMPLE_KINDS = {
    "sample": frozenset(Sample.model_fields),
    "route": frozenset(RouteSample.model_fields),
    "stamp": frozenset(LogStamp.model_fields),
    "connection": frozenset({"host", "at", "state", "reason"}),
    "clock": frozenset({"host", "offset_s"}),
}


SIGNERS = "allowed_signers"


@dataclass(frozen=True)
class Sources:
    """What a pack is made from. `text` masks what is known to be secret; `definition`: the drill's own file."""

    run_folder: Path
    definition: Path | None = None
    text: Text = str


def collect(
    run_folder: Path,
    pack_folder: Path,
    record: RunRecord,
    events: Sequence[Event],
    *,
    definition: Path | None = None,
    text: Text = str,
) -> None:
    """Write it all below `pack_folder`, which may hold other files already.

    Refused EVIDENCE_CHANGED: journal, configurations or inventory are not what the run has on record.
    """
    _require_journal(record, events)
    sources = Sources(run_folder, definition, text)
    files: dict[str, bytes] = {}
    for part in _PARTS:
        files.update(part(sources, record, events))
    for name, data in files.items():
        path = pack_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _require_journal(record: RunRecord, events: Sequence[Event]) -> None:
    head = events[-1].digest if events else ""
    expected = (record.journal.events, record.journal.head)
    if not chain_is_valid(events) or (len(events), head) != expected or any(item.run != record.run for item in events):
        raise _changed(
            record,
            f"expected the {expected[0]} events of its record, chained to {expected[1][:12]}, found {len(events)} to "
            f"{head[:12] or 'nothing'}",
        )


def _changed(record: RunRecord, found: str) -> Refused:
    return Refused(
        "EVIDENCE_CHANGED", f"run {record.run}: {found}; the pack is not made. Put it back as it was, then seal again"
    )


def _json(data: object) -> bytes:
    return (json.dumps(data, sort_keys=True, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def _record(_sources: Sources, record: RunRecord, _events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    yield "run.json", run_json(record).encode()
    yield "run.schema.json", _json(RunRecord.model_json_schema(by_alias=True))


def _journal(_sources: Sources, _record: RunRecord, events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    yield "journal/events.jsonl", b"".join(canonical_json(event.model_dump(mode="json")) + b"\n" for event in events)


def _plan(sources: Sources, record: RunRecord, _events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    """`plan.json` is what its digest was made over, byte for byte."""
    key = run_key(sources.run_folder)
    yield "plan/plan.json", canonical_json(record.plan.model_dump(mode="json"))
    if sources.definition:
        text = redacted_yaml(
            sources.definition.read_text("utf-8"), key_of(key, "definition"), lambda _path, _value: True
        )
        yield "plan/definition.yml", text.encode()
    found, digests = site_copy(sources.run_folder / "inventory", key)
    for name, data in found.items():
        yield f"plan/inventory/{name}", data
    plan = {"plan": record.plan_digest, "drill": record.plan.drill_digest, "inventory": record.plan.inventory_digest}
    beside = {name: digests.pop(name) for name in list(digests) if name.endswith(f"/{RECORDS}")}
    said = {"sha256": plan, "inventory_files_before_redaction": digests, "beside_it_before_redaction": beside}
    yield "plan/digests.json", _json(said)


def _signed(folder: Path, record: RunRecord) -> Iterator[tuple[str, bytes]]:
    """The very bytes, so that `ssh-keygen -Y verify` needs nothing else."""
    named = [name for item in record.approvals if item.file for name in (item.file, f"{item.file}.sig")]
    for name in [*named, SIGNERS] if named else ():
        if not (folder / name).is_file():
            raise _changed(record, f"expected the signed statement {folder / name}, found none")
        yield f"people/{STATEMENTS}/{name}", (folder / name).read_bytes()


def _people(sources: Sources, record: RunRecord, events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    yield "people/approvals.json", _json(approvals(record))
    yield from _signed(sources.run_folder / STATEMENTS, record)
    yield "people/decisions.json", _json(decisions(record))
    yield "people/calls.json", _json(calls(record, events))
    if record.confirmations:
        yield "people/confirmations.json", _json(confirmations(record))
        yield from _handed_in(sources.run_folder / CONFIRMATIONS, record)


def _handed_in(folder: Path, record: RunRecord) -> Iterator[tuple[str, bytes]]:
    """The very bytes that were handed in; the journal has their digests."""
    for item in (file for said in record.confirmations for file in said.evidence):
        path = folder / item.file
        data = path.read_bytes() if path.is_file() else b""
        if sha256(data).hexdigest() != item.sha256:
            raise _changed(
                record, f"expected {path} as it was handed in ({item.sha256[:12]}), found it changed or gone"
            )
        yield f"people/{CONFIRMATIONS}/{item.file}", data


def _facts(_sources: Sources, record: RunRecord, events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    taken = snapshots(events)
    yield "versions.json", _json(record.versions)
    offsets = {when: data.get("clock_offset_s", {}) for when, data in taken.items()}
    yield "clock.json", _json({"unit": "s", "host_minus_controller": offsets})
    yield "interlocks.json", _json([item.model_dump(mode="json") for item in record.interlocks])
    found = [item.model_dump(mode="json") for item in record.findings]
    earlier = [item.model_dump(mode="json") for item in record.earlier_findings]
    yield "findings.json", _json({"of_this_run": found, "of_earlier_runs": earlier})


def _configurations(sources: Sources, record: RunRecord, events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    lists = {item.gateway: item for item in record.configurations}
    yield from configurations(sources.run_folder, snapshots(events), lists).items()


def _samples(sources: Sources, record: RunRecord, events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    """As many samples as the journal has counted. Refused EVIDENCE_CHANGED: there are fewer."""
    path = sources.run_folder / "samples.jsonl"
    lines = path.read_bytes().splitlines() if path.is_file() else []
    told = [line for line in (_sample(line, sources.text) for line in lines) if line]
    counted = next((event.data for event in reversed(events) if event.kind is EventKind.MEASURED), {})
    for kind in ("sample", "route"):
        found = sum(line.startswith(f'{{"{kind}":'.encode()) for line in told)
        if found < counted.get(f"{kind}s", 0):
            counts = f"expected the {counted[f'{kind}s']} {kind}s that its journal has counted, found {found}"
            raise _changed(record, f"{path}: {counts}")
    yield "samples/samples.jsonl", b"".join(line + b"\n" for line in told)


def _sample(line: bytes, text: Text) -> bytes | None:
    """The line with its known fields; None: cut off, or not one of ours."""
    try:
        heard: Mapping[str, Any] = json.loads(line)
        kind = next(name for name in heard if name in _SAMPLE_KINDS)
        told = {name: value for name, value in heard[kind].items() if name in _SAMPLE_KINDS[kind]}
    except (ValueError, AttributeError, StopIteration):
        return None
    if isinstance(told.get("reason"), str):
        told["reason"] = text(told["reason"])
    hops = {"hops": heard["hops"]} if isinstance(heard.get("hops"), dict) else {}  # of a route: its next hops
    return json.dumps({kind: told, **hops}, ensure_ascii=False, separators=(",", ":")).encode()


def _checks(_sources: Sources, record: RunRecord, _events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    for phase, records in phases(record.checks).items():
        yield f"checks/{phase}.junit.xml", junit(phase, records)


def _ansible(sources: Sources, record: RunRecord, _events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    topology = record.topology
    hosts = frozenset({host.id for host in topology.hosts} | {router.id for router in topology.routers})
    for play in artefacts.plays(sources.run_folder / "steps", hosts, sources.text):
        yield f"ansible/{play.call}.jsonl", play.as_json_lines().encode()
        yield f"ansible/{play.call}.txt", play.as_text().encode()


def _hands(sources: Sources, record: RunRecord, _events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    topology = record.topology
    hosts = frozenset({host.id for host in topology.hosts} | {router.id for router in topology.routers})
    for call in sends(sources.run_folder / "steps", hosts, sources.text):
        yield f"hands/{call.call}.jsonl", call.as_json_lines().encode()
        yield f"hands/{call.call}.txt", call.as_text().encode()


def _readme(_sources: Sources, record: RunRecord, _events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    for language in readme.LANGUAGES:
        yield f"README.{language}.txt", readme.text(language, record).encode()


_PARTS = (_record, _journal, _plan, _people, _facts, _configurations, _samples, _checks, _ansible, _hands, _readme)
