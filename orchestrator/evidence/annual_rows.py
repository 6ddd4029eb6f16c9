"""What stands in the tables of the annual summary, in one language. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from orchestrator.evidence.annual_model import AnnualSummary, Run
from orchestrator.evidence.annual_texts import AnnualTexts
from orchestrator.evidence.coverage import Cell, Names
from orchestrator.model.base import Title
from orchestrator.model.evidence import FindingState

Status = Literal["fresh", "stale", "failed", "rehearsed", "never"]
Tone = Literal["good", "bad", "warn", "unknown", "muted"]
TONE: dict[str, Tone] = {
    "passed": "good",
    "failed": "bad",
    "inconclusive": "unknown",
    "aborted": "warn",
    "not_started": "muted",
    "open": "unknown",
    "proved": "good",
    "not_proved": "bad",
    "pending": "warn",
    "not_applicable": "muted",
    "fresh": "good",
    "stale": "warn",
    "rehearsed": "unknown",
    "never": "bad",
}
# The worst of several ways counts; what is worst for a reader stands first.
_WORST: tuple[Status, ...] = ("never", "rehearsed", "failed", "stale", "fresh")


@dataclass(frozen=True)
class Sheet:
    """A summary to be read in one language. `names`: what ids are called now."""

    summary: AnnualSummary
    names: Names
    texts: AnnualTexts

    def status(self, cell: Cell) -> Status:
        """What a way is to a reader: drilled within a year, longer ago, not come back, rehearsed only, never."""
        if cell.held is None:
            return "rehearsed" if cell.rehearsed else "never"
        if not cell.held.came_back:
            return "failed"
        return "stale" if (cell.days(self.summary.until) or 0) > self.summary.stale_days else "fresh"

    def worst(self, cells: Iterable[Cell]) -> Cell:
        return min(cells, key=lambda cell: (_WORST.index(self.status(cell)), -(cell.days(self.summary.until) or 0)))

    def called(self, known: Mapping[str, Title], item: str) -> str:
        return self.texts.of(known[item]) if item in known else item

    def day(self, at: str) -> str:
        return f"{datetime.fromisoformat(at).astimezone(ZoneInfo(self.summary.timezone)):%Y-%m-%d}"

    def minute(self, at: str) -> str:
        return f"{datetime.fromisoformat(at).astimezone(ZoneInfo(self.summary.timezone)):%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class FindingRow:
    id: str
    title: str
    detail: str
    form: str
    on: str
    owner: str
    due: str
    state: str
    tone: Tone


def finding_rows(sheet: Sheet) -> list[FindingRow]:
    """Open ones first, overdue before all; then those that were closed."""
    rehearsed = {run.run for run in sheet.summary.runs if run.form == "rehearsal"}
    ordered = sorted(sheet.summary.findings, key=_urgency)
    return [_finding(sheet, state, state.finding.run in rehearsed) for state in ordered]


def _urgency(state: FindingState) -> tuple[bool, str, str, int]:
    run, _, number = state.finding.id.rpartition("-")
    return (not state.is_open, state.finding.due, run, int(number) if number.isdecimal() else 0)


def _finding(sheet: Sheet, state: FindingState, is_rehearsal: bool) -> FindingRow:
    finding, texts = state.finding, sheet.texts
    said, tone = _said(sheet, state)
    return FindingRow(
        id=finding.id,
        title=texts.of(finding.title),
        detail=texts.of(finding.detail),
        form=texts("form.rehearsal") if is_rehearsal else "",
        on=finding.run[:8],
        owner=sheet.called(sheet.names.people, finding.owner) if finding.owner else texts("findings.nobody"),
        due=finding.due,
        state=said,
        tone=tone,
    )


def _said(sheet: Sheet, state: FindingState) -> tuple[str, Tone]:
    texts = sheet.texts
    if state.closed_at is None:
        overdue = date.fromisoformat(state.finding.due) < sheet.summary.until
        return (texts("findings.overdue"), "bad") if overdue else (texts("findings.open"), "warn")
    on = sheet.day(state.closed_at)
    if state.retest_run:
        return texts("findings.retested", on=on, run=state.retest_run), "good"
    return texts("findings.closed", on=on, reason=state.reason or ""), "good"


def objectives_of(sheet: Sheet, run: Run) -> str:
    """How many were met."""
    if not run.objectives:
        return sheet.texts("runs.no_objectives")
    met = sum(item.state == "met" for item in run.objectives)
    return sheet.texts("runs.objectives", met=met, of=len(run.objectives))


def explained(runs: Iterable[Run]) -> Iterator[Run]:
    """Runs of which a reader asks why."""
    return (run for run in runs if run.outcome not in ("passed", "open"))
