"""A ledger of several years of the example site, made of the report tests' run records moved in time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from orchestrator.evidence.coverage import Register, register_of
from orchestrator.evidence.findings import found
from orchestrator.evidence.ledger import Ledger, closing_data, opening_data
from orchestrator.loader.drill import load_drills
from orchestrator.model.drill import Mode
from orchestrator.model.evidence import Finding, LedgerKind, LedgerLine
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import RunOutcome
from tests.report import record_example as example

SITE = "example"


@dataclass
class Hand:
    """A clock that stands until somebody moves it. Seconds since the epoch."""

    at: float = datetime(2025, 1, 1, tzinfo=UTC).timestamp()

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def move_to(self, day: date, hour: int = 1) -> None:
        """To that hour, UTC, of a day."""
        self.at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC).timestamp()


@dataclass
class Book:
    """Writes runs on a ledger as a site would over the years."""

    folder: Path
    clock: Hand = field(default_factory=Hand)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder, self.clock)

    @property
    def lines(self) -> list[LedgerLine]:
        return self.ledger.lines()

    def held(self, record: RunRecord, on: date, *, mode: Mode = Mode.DRILL, faster: float = 1.0) -> RunRecord:
        """A whole run on that day: opened, closed, its findings, its pack."""
        record = moved(record, on, mode=mode, faster=faster)
        self.clock.at = max(self.clock.at, record.started_at)
        self.open(record)
        self.clock.at = record.finished_at + 1
        self.close(record)
        return record

    def open(self, record: RunRecord) -> None:
        data = opening_data(
            record.run,
            record.plan,
            operator=record.operator,
            simulated=record.simulated,
            started_at=record.started_at,
        )
        self.ledger.append(LedgerKind.RUN_OPENED, data)

    def close(self, record: RunRecord, sums: str = "", evidence: str = "") -> tuple[Finding, ...]:
        """With digests of a pack that is really there, or made up ones."""
        findings = record.findings
        entries: list[tuple[LedgerKind, Mapping[str, Any]]] = [(LedgerKind.RUN_CLOSED, closing_data(record))]
        entries += [(LedgerKind.FINDING_OPENED, {"finding": item.model_dump(mode="json")}) for item in findings]
        self.ledger.append_all(entries)
        digest = sha256(record.run.encode()).hexdigest()
        self.seal(record.run, sums or digest, evidence or digest)
        return findings

    def seal(self, run: str, sums: str, evidence: str) -> None:
        at = datetime.fromtimestamp(self.clock.at, UTC).isoformat(timespec="seconds")
        data = {"run": run, "sums_sha256": sums, "evidence_sha256": evidence, "signer": "ab" * 32, "stamped_at": at}
        self.ledger.append(LedgerKind.PACK_SEALED, data)


def moved(record: RunRecord, on: date, *, mode: Mode = Mode.DRILL, faster: float = 1.0) -> RunRecord:
    """The same run on another day, on the real site or on a twin, with its switch times scaled, and its findings."""
    shift = datetime(on.year, on.month, on.day, 1, 30, tzinfo=UTC).timestamp() - record.started_at
    run = f"{on:%Y%m%d}T093000-{record.plan.drill}-{sha256(f'{record.run}{on}{mode}'.encode()).hexdigest()[:4]}"
    verdict = record.verdict
    measured = [
        item if item.measured is None else item.model_copy(update={"measured": item.measured * faster})
        for item in verdict.objectives
    ]
    plan = record.plan.model_copy(update={"mode": mode})
    record = record.model_copy(
        update={
            "run": run,
            "plan": plan,
            "simulated": mode is Mode.REHEARSAL,
            "started_at": record.started_at + shift,
            "finished_at": record.finished_at + shift,
            "fault_at": None if record.fault_at is None else record.fault_at + shift,
            "verdict": verdict.model_copy(update={"objectives": tuple(measured)}),
        }
    )
    return record.model_copy(update={"findings": found(record, 30)})


def aborted() -> RunRecord:
    """Somebody ended it."""
    record = example.interrupted()
    verdict = record.verdict.model_copy(update={"outcome": RunOutcome.ABORTED})
    return record.model_copy(update={"verdict": verdict})


def two_years(folder: Path) -> Book:
    """2025: one drill, one rehearsal. 2026: passed, failed, aborted, not started, cancelled, rehearsed, an incident."""
    book = Book(folder)
    rehearsal = Mode.REHEARSAL
    book.held(example.passed(), date(2025, 4, 19), mode=rehearsal, faster=14)
    book.held(example.observed(), date(2025, 6, 21), faster=15)
    book.held(example.beijing(), date(2025, 3, 22) + timedelta(days=120), faster=9)
    book.held(example.passed(), date(2026, 3, 14), mode=rehearsal, faster=12)
    book.held(example.observed(), date(2026, 3, 28), faster=11.5)
    failed = book.held(example.failed(), date(2026, 5, 23), faster=13)
    book.held(example.not_started(), date(2026, 6, 13))
    book.held(aborted(), date(2026, 7, 11), faster=10)
    book.clock.move_to(date(2026, 8, 3))
    book.ledger.append(
        LedgerKind.RUN_CANCELLED,
        {
            "drill": "beijing-dr-cutover",
            "title": {"zh": "北京异地灾备切换演练", "en": "Beijing remote DR cutover"},
            "reason": "深证通通知测试延期",
            "by": "zhang",
            "planned_for": "2026-08-15",
        },
    )
    book.held(example.incident(), date(2026, 9, 2), mode=Mode.INCIDENT, faster=17)
    retest = book.held(example.observed(), date(2026, 10, 24), faster=10.4)
    book.clock.move_to(date(2026, 10, 26))
    first, second = failed.findings[0].id, failed.findings[1].id
    book.ledger.append(
        LedgerKind.FINDING_CLOSED, {"id": first, "by": "chen", "reason": "复测通过", "retest_run": retest.run}
    )
    book.ledger.append(
        LedgerKind.FINDING_CLOSED, {"id": second, "by": "chen", "reason": "已更换故障主机网卡", "retest_run": None}
    )
    book.held(example.host(), date(2026, 11, 7), mode=rehearsal, faster=8)
    book.held(example.carrier(), date(2026, 11, 14), faster=9.5)
    return book


def register(on: date = date(2026, 11, 22)) -> Register:
    """What the example site has to drill."""
    site = example.site()
    return register_of(site.topology, site.digest, load_drills(example.ROOT / "drills"), on)
