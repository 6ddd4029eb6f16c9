"""The summary of one year's drills, as data: `annual.json`, and what its pages are made of."""

from datetime import date
from typing import Literal

from orchestrator.evidence.coverage import Cell, Scenario
from orchestrator.model.base import Frozen, Title
from orchestrator.model.evidence import FindingState, LedgerHead

# A drill on the real site; a rehearsal on a twin, never counted as a drill held; a real incident; its way home.
Form = Literal["drill", "rehearsal", "incident", "failback"]
# `open`: not closed when the summary was made.
Outcome = Literal["passed", "failed", "inconclusive", "aborted", "not_started", "open"]


class Measured(Frozen):
    """One objective in one run."""

    id: str
    title: Title
    limit: float
    measured: float | None
    unit: str
    state: Literal["met", "missed", "not_measured"]


class Pack(Frozen):
    """The pack of a run, as the ledger knows it. Digests are sha256, hex."""

    sums_sha256: str
    signer: str | None
    stamped_at: str | None
    deleted_on: date | None = None


class Run(Frozen):
    """One run. Times are UTC, ISO 8601; `on` is the day in the site's zone."""

    run: str
    drill: str
    title: Title
    form: Form
    on: date
    started_at: str
    finished_at: str | None
    operator: str
    outcome: Outcome
    restoration: str | None
    reasons: tuple[Title, ...]
    fault: Title | None
    scenario: str | None
    affected: int
    back: int
    expected_back: int
    objectives: tuple[Measured, ...]
    findings: tuple[str, ...]
    pack: Pack | None

    @property
    def is_held(self) -> bool:
        """Counts as a drill held: on the real site, and it began."""
        return self.form == "drill" and self.outcome not in ("not_started", "open")


class Cancelled(Frozen):
    """A drill that was planned and not held."""

    drill: str
    title: Title
    reason: str
    by: str
    planned_for: str
    on: date


class Point(Frozen):
    run: str
    on: date
    form: Form
    measured: float | None
    limit: float
    state: Literal["met", "missed", "not_measured"]


class Trend(Frozen):
    """One objective of one drill over all runs until the year's end, oldest first."""

    drill: str
    drill_title: Title
    objective: str
    title: Title
    unit: str
    points: tuple[Point, ...]


class Anchored(Frozen):
    """Where the ledger's head was sent, when last, and how long the ledger was then."""

    to: str
    on: date
    seq: int


class Counts(Frozen):
    """How many of what. Drills, rehearsals and incidents are never added up."""

    held: int
    held_by_outcome: dict[str, int]
    not_started: int
    cancelled: int
    open: int
    incidents: int
    rehearsals: int
    rehearsals_by_outcome: dict[str, int]
    findings_opened: int
    findings_closed: int
    findings_open: int
    findings_overdue: int
    scenarios: int
    scenarios_held: int


class AnnualSummary(Frozen):
    """Everything that the pages say, from the ledger alone."""

    format: Literal[1] = 1
    year: int
    site: str
    site_title: Title
    timezone: str
    since: date
    until: date
    ledger: LedgerHead
    counts: Counts
    runs: tuple[Run, ...]
    cancelled: tuple[Cancelled, ...]
    trends: tuple[Trend, ...]
    scenarios: tuple[Scenario, ...]
    coverage: tuple[Cell, ...]
    stale_days: int
    findings: tuple[FindingState, ...]
    anchored: tuple[Anchored, ...]
