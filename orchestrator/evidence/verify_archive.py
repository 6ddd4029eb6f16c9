"""Verifies a whole archive: the ledger, its signed head, and every pack against it and against each other.

An insider who holds the signing key can make every single pack anew. What gives him away is what he cannot make
anew: copies of the ledger in packs that others have, stamps of a foreign authority, a head that was sent elsewhere.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from orchestrator.errors import DefinitionError
from orchestrator.evidence import manifest
from orchestrator.evidence.ledger_lines import faults as ledger_faults
from orchestrator.evidence.seal import SIGNER, STAMP, SUMS, TSA
from orchestrator.evidence.sign import signer_of, signers
from orchestrator.evidence.stamp import stamped_at
from orchestrator.evidence.strict_json import NotStrict, strict, strict_line
from orchestrator.evidence.trust import Fault, Findings, Trust, trust_of
from orchestrator.evidence.verify import look_at_pack
from orchestrator.evidence.verify_content import CLOCK_STEP, Contents, at_of
from orchestrator.evidence.verify_reviews import look_at_reviews
from orchestrator.evidence.verify_seal import look_at_stamp, moment
from orchestrator.model.evidence import LedgerHead

LEDGER, HEAD = "ledger/ledger.jsonl", "ledger/head.json"
HEAD_SIGNATURE, HEAD_STAMP = f"{HEAD}.p7s", f"{HEAD}.p7s.tsr"
_LATE = timedelta(days=7)  # our choice: a stamp that comes later than that after a run is worth a word

Line = Mapping[str, Any]


@dataclass
class Run:
    """What the ledger says of one run."""

    opened: Line
    closed: list[Line] = field(default_factory=list)
    sealed: list[Line] = field(default_factory=list)
    stamped: list[Line] = field(default_factory=list)
    deleted: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Archive:
    """The archive as far as it can be read."""

    folder: Path
    trust: Trust
    lines: tuple[Line, ...]
    runs: Mapping[str, Run]
    found: Findings


def verify_archive(
    reports: Path, signer: str | Collection[str] | None = None, anchor: str | LedgerHead | None = None
) -> list[Fault]:
    """Everything wrong with an archive; empty: it verifies."""
    return look_at_archive(reports, trust_of(signer, anchor)).faults


def look_at_archive(reports: Path, trust: Trust) -> Findings:
    if not (reports / LEDGER).is_file():
        raise DefinitionError(f"expected an archive with {LEDGER} in {reports}, found none")
    archive = _read(reports, trust)
    packs = {path.parent.name: path for path in sorted(reports.glob("*/pack")) if path.is_dir()}
    for run in sorted(packs.keys() | archive.runs.keys()):
        _in_our_form(archive, run, packs.get(run))
    _head(archive, packs)
    _anchors(archive)
    look_at_reviews(reports, LEDGER, archive.lines, trust, archive.found)
    if trust.anchor is None:
        archive.found.note("no --anchor was given: an archive that was rolled back as a whole cannot be told from this")
    return archive.found


def _read(reports: Path, trust: Trust) -> Archive:
    found, content = Findings(), (reports / LEDGER).read_bytes()
    wrong = ledger_faults(content)
    for item in wrong:
        found.fault(f"{LEDGER}:{item.line}", item.reason)
    lines = tuple(_readable(content))
    for line in lines:
        if "run" in line["data"] and not is_run(line["data"]["run"]):
            found.fault(
                f"{LEDGER}:{line.get('seq')}", "expected the name of a run (A-Z a-z 0-9 . _ -), found something else"
            )
    return Archive(reports, trust, lines, _runs(lines), found)


def _readable(content: bytes) -> Iterator[Line]:
    for line in content.splitlines():
        try:
            found = strict_line(line)
        except NotStrict:
            return
        if not isinstance(found.get("data"), dict):
            return
        yield found


def is_run(name: object) -> bool:
    """The name of a run's folder."""
    return isinstance(name, str) and "/" not in name and manifest.is_name(name)


def _runs(lines: tuple[Line, ...]) -> dict[str, Run]:
    runs: dict[str, Run] = {}
    places = {"run.closed": "closed", "pack.sealed": "sealed", "pack.stamped": "stamped", "pack.deleted": "deleted"}
    for line in lines:
        kind, name = line.get("kind"), str(line["data"].get("run"))
        if kind == "run.opened" and is_run(name):
            runs.setdefault(name, Run(line))
        elif kind in places and name in runs:
            getattr(runs[name], places[str(kind)]).append(line)
    return runs


def _in_our_form(archive: Archive, name: str, pack: Path | None) -> None:
    """Lines of other types than we write are a fault like any other."""
    try:
        _one(archive, name, pack)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        archive.found.fault(LEDGER, f"expected lines of run {name} in our form, found another: {error}")


def _one(archive: Archive, name: str, pack: Path | None) -> None:
    """One run: its lines among themselves, then its pack against them."""
    run = archive.runs.get(name)
    if run is None:
        archive.found.fault(f"{name}/pack", "expected a run that is on the ledger, found none of this name")
    else:
        _lifetime(archive, name, run, pack)
    if pack is not None:
        contents, found = look_at_pack(pack, replace(archive.trust, anchor=None))
        archive.found.faults += [fault.under(f"{name}/pack") for fault in found.faults]
        if run is not None:
            _against_ledger(archive, name, run, pack, contents)


def _lifetime(archive: Archive, name: str, run: Run, pack: Path | None) -> None:
    fault = archive.found.fault
    where = f"{LEDGER}:{run.opened['seq']}"
    if not run.closed:
        fault(where, f"expected run {name} to be closed, found it open: it is still at work, or its end was removed")
    elif not run.sealed:
        fault(where, f"expected a sealed pack of run {name}, found none on the ledger")
    if len(run.closed) > 1:
        fault(f"{LEDGER}:{run.closed[1]['seq']}", f"expected run {name} to be closed once, found it closed again")
    for line in (*run.sealed[1:], *run.stamped):
        _same_pack(archive, name, run, line)
    if run.sealed and not run.deleted and pack is None:
        fault(f"{name}/pack", f"expected the pack that line {run.sealed[0]['seq']} of the ledger tells of, found none")
    if run.deleted and pack is not None:
        fault(f"{name}/pack", f"expected no pack: line {run.deleted[0]['seq']} of the ledger says that it was deleted")


def _same_pack(archive: Archive, name: str, run: Run, line: Line) -> None:
    """A pack is sealed once; what comes later adds a signature or a stamp to the very same list of files."""
    first = run.sealed[0]["data"] if run.sealed else {}
    if line["data"].get("sums_sha256") != first.get("sums_sha256"):
        archive.found.fault(
            f"{LEDGER}:{line['seq']}", f"expected the pack of run {name} as it was sealed first, found another one"
        )
    elif first.get("signer") not in (None, line["data"].get("signer")):
        archive.found.fault(
            f"{LEDGER}:{line['seq']}", f"expected the pack of run {name} signed as before, found another signer"
        )


def _against_ledger(archive: Archive, name: str, run: Run, pack: Path, contents: Contents) -> None:
    fault, where = archive.found.fault, f"{name}/pack"
    if contents.run != name:
        fault(where, f"expected the pack of run {name}, found that of {contents.run}")
        return
    _copy_of_ledger(archive, where, contents)
    if run.closed:
        _closing(archive, where, run.closed[0], contents)
    if run.sealed:
        _sealing(archive, where, run, pack)


def _copy_of_ledger(archive: Archive, where: str, contents: Contents) -> None:
    """Each pack carries the ledger up to its own opening: what was removed or changed since shows."""
    for line, kept in zip(archive.lines, contents.ledger, strict=False):
        if line.get("digest") != kept.get("digest"):
            archive.found.fault(
                f"{LEDGER}:{kept.get('seq')}",
                f"expected this line as {where}/{LEDGER} has it ({kept.get('kind')} {kept['data'].get('run', '')}), "
                "found another: the ledger was rewritten",
            )
            return


def _closing(archive: Archive, where: str, closed: Line, contents: Contents) -> None:
    record, data = contents.record or {}, closed["data"]
    verdict, journal = record.get("verdict", {}), record.get("journal", {})
    told = {
        "outcome": verdict.get("outcome"),
        "restoration": verdict.get("restoration"),
        "events": journal.get("events"),
        "journal_head": journal.get("head"),
    }
    for name, value in told.items():
        if data.get(name) != value:
            archive.found.fault(
                f"{where}/run.json", f"expected {name} {data.get(name)}, as the ledger says, found {value}"
            )


def _sealing(archive: Archive, where: str, run: Run, pack: Path) -> None:
    first, last = run.sealed[0], (run.stamped or run.sealed)[-1]
    fault, sums = archive.found.fault, pack / SUMS
    if sums.is_file() and manifest.sha256(sums.read_bytes()) != first["data"].get("sums_sha256"):
        fault(f"{where}/{SUMS}", f"expected the pack that line {first['seq']} of the ledger sealed, found another one")
    signer = signer_of(pack)
    if last["data"].get("signer") not in (None, signer):
        fault(f"{where}/{SIGNER}", f"expected the signer {last['data']['signer']}, as the ledger says, found {signer}")
    _stamp(archive, where, (*run.sealed, *run.stamped), run, pack)


def _stamp(archive: Archive, where: str, lines: tuple[Line, ...], run: Run, pack: Path) -> None:
    """The stamp is the one on the ledger, made before the line that tells of it. That it was made after the last event,
    the pack itself must show.
    """
    told = [line for line in lines if line["data"].get("stamped_at")]
    at = stamped_at((pack / STAMP).read_bytes()) if (pack / STAMP).is_file() else None
    fault = archive.found.fault
    if at is None:
        if told:
            fault(f"{where}/{STAMP}", f"expected the stamp of line {told[0]['seq']} of the ledger, found none")
        return
    line = next((line for line in told if datetime.fromisoformat(line["data"]["stamped_at"]) == at), None)
    if line is None:
        fault(f"{where}/{STAMP}", f"expected a stamp that the ledger tells of, found one of {moment(at)}")
    elif at > at_of(line) + CLOCK_STEP:
        fault(f"{where}/{STAMP}", f"expected a stamp before line {line['seq']} of the ledger, found {moment(at)}")
    if run.closed and at > at_of(run.closed[0]) + _LATE:
        days = (at - at_of(run.closed[0])).days
        archive.found.note(f"{where}: stamped {days} days after the run: until then only the firm's word stands for it")


# -- the head ---------------------------------------------------------------------------------------------------------


def _head(archive: Archive, packs: Mapping[str, Path]) -> None:
    path, found = archive.folder / HEAD, archive.found
    if not path.is_file():
        found.fault(HEAD, "expected the head of the ledger, found none")
        return
    try:
        head = strict(path.read_bytes())
        size, digest = int(head["size"]), str(head["digest"])
    except (NotStrict, ValueError, TypeError, KeyError) as error:
        found.fault(HEAD, f"expected a head (size and digest), found: {error}")
        return
    _covers(archive, size, digest)
    _head_signature(archive, packs)


def _covers(archive: Archive, size: int, digest: str) -> None:
    found, lines = archive.found, archive.lines
    if size > len(lines):
        found.fault(LEDGER, f"expected {size} lines, as {HEAD} says, found {len(lines)}: it was cut")
    elif size < len(lines):
        found.fault(LEDGER, f"expected {size} lines, as {HEAD} says, found {len(lines)}: the head covers not all of it")
    elif size and lines[-1].get("digest") != digest:
        found.fault(LEDGER, f"expected it to end in {digest}, as {HEAD} says, found {lines[-1].get('digest')}")


def _head_signature(archive: Archive, packs: Mapping[str, Path]) -> None:
    """Whoever signs packs signs the head; its certificate is not checked further than that."""
    path, found = archive.folder / HEAD_SIGNATURE, archive.found
    if not path.is_file():
        found.fault(HEAD_SIGNATURE, "expected a signature of the head, found none")
        return
    told = signers(path.read_bytes(), (archive.folder / HEAD).read_bytes())
    allowed = archive.trust.signers or {signer for signer in map(signer_of, packs.values()) if signer}
    if not told.certificates:
        found.fault(HEAD_SIGNATURE, f"expected a signature of this {HEAD}, found another ({told.reason})")
    elif not set(told.fingerprints) <= allowed:
        found.fault(HEAD_SIGNATURE, f"expected who signs the packs, found {' '.join(told.fingerprints)}")
    newest = max((name for name, pack in packs.items() if (pack / TSA).is_file()), default=None)
    authority = archive.trust.tsa or ((packs[newest] / TSA).read_bytes() if newest else None)
    if (archive.folder / HEAD_STAMP).is_file():
        look_at_stamp(archive.folder, (HEAD_STAMP, HEAD_SIGNATURE), authority, found)


def _anchors(archive: Archive) -> None:
    """Lines that tell of an anchor must fit it, and so must the anchor that was given."""
    for line in archive.lines:
        data = line["data"]
        if line.get("kind") == "anchored" and not _fits(archive, data.get("seq"), data.get("digest")):
            archive.found.fault(f"{LEDGER}:{line['seq']}", "expected an anchor of this ledger, found one of another")
    anchor = archive.trust.anchor
    if anchor is None or anchor.size == 0:
        return
    if anchor.size > len(archive.lines):
        archive.found.fault(
            LEDGER,
            f"expected at least {anchor.size} lines, as the anchor says, found {len(archive.lines)}: it was rolled "
            "back",
        )
    elif not _fits(archive, anchor.size, anchor.digest):
        archive.found.fault(
            f"{LEDGER}:{anchor.size}", f"expected the digest {anchor.digest}, as the anchor says, found another ledger"
        )


def _fits(archive: Archive, size: Any, digest: Any) -> bool:
    known = isinstance(size, int) and 0 < size <= len(archive.lines)
    return known and archive.lines[size - 1].get("digest") == digest
