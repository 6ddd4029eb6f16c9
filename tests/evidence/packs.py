"""Packs and archives in the agreed layout, with everything true in them: a real chain, a judged verdict, a real seal.

Times are fixed in the past, and stamps are made at them: no test depends on the day it runs.
"""

import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from pypdf import PdfWriter

from orchestrator.evidence import seal as seals
from orchestrator.evidence.keys import Keys
from orchestrator.evidence.manifest import sha256
from orchestrator.evidence.pades import sign_pdf
from orchestrator.evidence.seal import Sealed
from orchestrator.evidence.sign import sign_detached
from orchestrator.evidence.sm import Sm2, make_sm2
from orchestrator.journal.chain import GENESIS, link
from orchestrator.model.event import Event
from orchestrator.model.evidence import LedgerPlace
from orchestrator.model.plan import FaultSource, canonical_json
from orchestrator.model.record import RunRecord
from orchestrator.ports import Observations, Stamper
from orchestrator.report.assemble import assemble
from orchestrator.report.render import run_json
from tests.evidence.authorities import Authority, Issued, StamperAt
from tests.judge.story import T0, Story, observed, topology

FIRST = datetime(2026, 3, 7, 1, 30, tzinfo=UTC)  # a Saturday
_NEAR = 1e6  # seconds around T0 that are times of the story
Line = dict[str, Any]


# -- the run ----------------------------------------------------------------------------------------------------------


def shifted(value: Any, by: float) -> Any:
    """Every time of the story, moved."""
    if isinstance(value, dict):
        return {name: shifted(item, by) for name, item in value.items()}
    if isinstance(value, list):
        return [shifted(item, by) for item in value]
    return value + by if isinstance(value, float) and abs(value - T0) < _NEAR else value


def rechained(events: list[Line]) -> list[Line]:
    """The chain made anew over what the events say."""
    previous, found = GENESIS, []
    for seq, event in enumerate(events, 1):
        body = {**{name: item for name, item in event.items() if name != "digest"}, "seq": seq, "previous": previous}
        previous = link(previous, body)
        found.append({**body, "digest": previous})
    return found


@cache
def story() -> tuple[list[Line], Observations]:
    made = Story()
    return [event.model_dump(mode="json") for event in made.events()], observed(made.plan)


def events_of(run: str, started: datetime) -> list[Event]:
    by = started.timestamp() - T0
    plan_digest = Story().plan.digest
    moved = []
    for event in story()[0]:
        at = (datetime.fromisoformat(event["at"]) + timedelta(seconds=by)).isoformat(timespec="microseconds")
        data = {**event["data"], "plan_digest": plan_digest} if event["kind"] == "opened" else event["data"]
        moved.append({**event, "run": run, "at": at, "data": shifted(data, by)})
    return [Event.model_validate(event) for event in rechained(moved)]


def samples_of(started: datetime) -> Iterator[bytes]:
    by, seen = started.timestamp() - T0, story()[1]
    for kind, items in (("sample", seen.samples), ("route", seen.routes), ("stamp", seen.stamps)):
        for item in items:
            yield canonical_json({kind: shifted(item.model_dump(mode="json"), by)}) + b"\n"


def seen_of(started: datetime) -> Observations:
    by, seen = started.timestamp() - T0, story()[1]
    return Observations(
        [type(item).model_validate(shifted(item.model_dump(mode="json"), by)) for item in seen.samples],
        [type(item).model_validate(shifted(item.model_dump(mode="json"), by)) for item in seen.routes],
        [type(item).model_validate(shifted(item.model_dump(mode="json"), by)) for item in seen.stamps],
    )


def record_of(run: str, started: datetime, place: Line) -> RunRecord:
    record = assemble(
        run,
        Story().plan,
        topology(),
        events_of(run, started),
        seen_of(started),
        operator="zhang.wei",
        fault_source=FaultSource.TWIN,
        versions={},
    )
    return record.model_copy(update={"ledger": LedgerPlace(seq=place["seq"], digest=place["digest"])})


# -- the ledger -------------------------------------------------------------------------------------------------------


def as_lines(content: bytes) -> list[Line]:
    return [json.loads(line) for line in content.splitlines()]


def as_bytes(lines: list[Line]) -> bytes:
    return b"".join(canonical_json(line) + b"\n" for line in lines)


@dataclass
class Clerk:
    """Writes a ledger as `evidence/ledger.py` does, and whatever else a test wants it to say."""

    lines: list[Line] = field(default_factory=list)

    def add(self, at: datetime, kind: str, data: Mapping[str, Any]) -> Line:
        body: Line = {
            "seq": len(self.lines) + 1,
            "at": at.isoformat(timespec="microseconds"),
            "kind": kind,
            "data": dict(data),
            "previous": self.lines[-1]["digest"] if self.lines else GENESIS,
        }
        self.lines.append({**body, "digest": link(str(body["previous"]), body)})
        return self.lines[-1]


# -- the pack ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Office:
    """Who signs and stamps, and two who would like to."""

    firm: Issued
    colleague: Issued  # another certificate of the same authority
    stranger: Issued
    tsa: Issued
    own_tsa: Issued  # of the stranger, for time stamps of his own liking
    sm2: Sm2

    @classmethod
    def at(cls, folder: Path) -> "Office":
        root, other = Authority(folder, "root"), Authority(folder / "other", "other-root")
        clocks = Authority(folder / "clocks", "clock-root")
        (folder / "sm2").mkdir()
        return cls(
            firm=root.issue("firm"),
            colleague=root.issue("colleague"),
            stranger=other.issue("stranger"),
            tsa=clocks.issue("tsa", stamps=True),
            own_tsa=other.issue("own-tsa", stamps=True),
            sm2=make_sm2(folder / "sm2", "Example Securities", "tests", 36500),
        )

    @property
    def keys(self) -> Keys:
        return Keys(self.firm.certificate, str(self.firm.key), self.firm.chain)

    @property
    def tsa_file(self) -> Path:
        path = self.tsa.certificate.with_name("tsa-bundle.pem")
        path.write_bytes(self.tsa.bundle)
        return path

    def stamper(self, at: datetime) -> StamperAt:
        return StamperAt(self.tsa, at)


def write(folder: Path, name: str, content: bytes | str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def fill(folder: Path, record: RunRecord, started: datetime, ledger: bytes) -> None:
    """What a run's evidence is, without certificates, reports and seal."""
    events = events_of(record.run, started)
    write(folder, "README.zh.txt", "备查材料包\n")
    write(folder, "README.en.txt", "Evidence pack\n")
    write(folder, "run.json", run_json(record))
    write(
        folder,
        "journal/events.jsonl",
        b"".join(canonical_json(item.model_dump(mode="json")) + b"\n" for item in events),
    )
    write(folder, "plan/plan.json", canonical_json(record.plan.model_dump(mode="json")) + b"\n")
    write(folder, "plan/definition.yml", "id: single-centre-failure\n")
    write(folder, "versions.json", "{}\n")
    write(folder, "samples/samples.jsonl", b"".join(samples_of(started)))
    write(folder, "ledger/ledger.jsonl", ledger)


def report(folder: Path, keys: Keys | None, digest: str) -> None:
    """Reports in both languages: a page with the digest of the evidence, a signed PDF with the record in it."""
    for language in ("zh", "en"):
        write(folder, f"report/report.{language}.html", f"<!doctype html><p>{language}<code>{digest}</code>\n")
        paper = pdf((folder / "run.json").read_bytes())
        write(folder, f"report/report.{language}.pdf", sign_pdf(paper, keys) if keys and keys.key else paper)


def pdf(run: bytes) -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(width=200, height=200)
    writer.add_attachment("run.json", run)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def sealed(folder: Path, keys: Keys | None, stamper: Stamper | None, tsa: Path | None = None) -> Sealed:
    """Certificates, manifest, reports, seal: also of a pack that was sealed before (what an insider does)."""
    for name in (seals.EVIDENCE, *seals.SEALS):
        (folder / name).unlink(missing_ok=True)
    for name in ("certificates", "report"):
        shutil.rmtree(folder / name, ignore_errors=True)
    seals.put_certificates(folder, keys, tsa)
    report(folder, keys, seals.evidence_manifest(folder))
    return seals.seal(folder, keys, stamper)


# -- the archive ------------------------------------------------------------------------------------------------------


def run_name(number: int) -> str:
    return f"{started_at(number):%Y%m%dT%H%M%S}-single-centre-failure-{number:04x}"


def started_at(number: int) -> datetime:
    return FIRST + timedelta(days=7 * number)


@dataclass
class Archive:
    """A folder of reports as the product leaves it after some runs."""

    folder: Path
    office: Office
    clerk: Clerk = field(default_factory=Clerk)

    def pack(self, number: int) -> Path:
        return self.folder / run_name(number) / "pack"

    @property
    def book(self) -> Path:
        return self.folder / "ledger" / "ledger.jsonl"

    def lines(self) -> list[Line]:
        return as_lines(self.book.read_bytes())

    def hold(self, number: int) -> None:
        """One run from its opening to its sealed pack, and the head signed."""
        run, started = run_name(number), started_at(number)
        record = self._open(run, started)
        fill(self.pack(number), record, started, as_bytes(self.clerk.lines))
        self.clerk.add(started + timedelta(seconds=41), "run.closed", closing(record))
        at = started + timedelta(seconds=45)
        made = sealed(self.pack(number), self.office.keys, self.office.stamper(at), self.office.tsa_file)
        self.clerk.add(at + timedelta(seconds=2), "pack.sealed", sealing(run, made))
        self.write()

    def _open(self, run: str, started: datetime) -> RunRecord:
        plan = Story().plan
        data = {
            "run": run,
            "drill": plan.drill,
            "title": plan.title.model_dump(mode="json"),
            "mode": plan.mode.value,
            "simulated": True,
            "site": plan.site,
            "plan_digest": plan.digest,
            "operator": "zhang.wei",
            "started_at": started.isoformat(),
        }
        return record_of(run, started, self.clerk.add(started, "run.opened", data))

    def write(self, keys: Keys | None = None) -> None:
        """The ledger, its head and the head's signature and stamp."""
        write(self.folder, "ledger/ledger.jsonl", as_bytes(self.clerk.lines))
        self.sign_head(keys)

    def sign_head(self, keys: Keys | None = None) -> None:
        folder, lines = self.folder / "ledger", self.lines()
        head = canonical_json({"size": len(lines), "digest": lines[-1]["digest"]}) + b"\n"
        write(folder, "head.json", head)
        write(folder, "head.json.p7s", sign_detached(keys or self.office.keys, head))
        at = datetime.fromisoformat(lines[-1]["at"]) + timedelta(seconds=1)
        seals.stamp_head(folder, self.office.stamper(at), self.office.tsa_file)

    def rewrite(self, change: Callable[[list[Line]], list[Line]]) -> None:
        """What somebody does who holds the signing key: other lines, a new chain, a new head."""
        self.clerk = Clerk(rechained(change(self.lines())))
        self.write()

    def copy(self, folder: Path) -> "Archive":
        shutil.copytree(self.folder, folder)
        return Archive(folder, self.office, Clerk(self.lines()))


def closing(record: RunRecord) -> Line:
    return {
        "run": record.run,
        "outcome": record.verdict.outcome.value,
        "restoration": record.verdict.restoration.value,
        "events": record.journal.events,
        "journal_head": record.journal.head,
    }


def sealing(run: str, made: Sealed) -> Line:
    return {
        "run": run,
        "sums_sha256": made.sums_sha256,
        "evidence_sha256": made.evidence_sha256,
        "signer": made.signer,
        "stamped_at": made.stamped_at,
    }


def head_of(lines: list[Line], size: int) -> str:
    """An anchor as the command line takes it."""
    return f"{size}:{lines[size - 1]['digest']}"


def digest_of_file(path: Path) -> str:
    return sha256(path.read_bytes())
