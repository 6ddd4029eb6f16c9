"""The audit on the day of a run: how many findings of each kind, and those that somebody has to do something about."""

from dataclasses import dataclass
from typing import Final

from orchestrator.model.audit import AuditRecord, Finding, Result, Severity
from orchestrator.report.context import Context
from orchestrator.report.tones import Tone

ROWS_SHOWN: Final = 30  # our choice: two printed pages; run.json holds every one
_STATES: Final[dict[str, Tone]] = {
    "violated": "bad",
    "not_judged": "warn",
    "waived": "warn",
    "satisfied": "good",
    "not_applicable": "muted",
}
_SEVERITIES: Final[dict[Severity, Tone]] = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.ADVICE: "muted"}


@dataclass(frozen=True)
class AuditRow:
    """One finding. `more`: what to do, who bears it, and since when it is known."""

    clause: str
    where: str
    text: str
    more: tuple[str, ...]
    state: tuple[str, Tone]


@dataclass(frozen=True)
class AuditShown:
    """`counts`: each state that was found, with its number."""

    day: str
    counts: tuple[tuple[str, Tone], ...]
    rows: tuple[AuditRow, ...]
    hidden: int


def audit_shown(context: Context) -> AuditShown | None:
    """None: no audit was made when the run began."""
    record = context.record.audit
    if record is None:
        return None
    found = sorted(record.findings, key=_order)
    return AuditShown(
        day=record.day.isoformat(),
        counts=tuple(
            (f"{context.texts(f'audit.{state}')} {record.counts[state]}", tone)
            for state, tone in _STATES.items()
            if record.counts.get(state)
        ),
        rows=tuple(_row(context, record, item) for item in found[:ROWS_SHOWN]),
        hidden=max(0, len(found) - ROWS_SHOWN),
    )


def _order(finding: Finding) -> tuple[bool, bool, int]:
    """What is violated and borne by nobody first, the gravest of it first."""
    return (not finding.is_open, finding.result is not Result.VIOLATED, tuple(Severity).index(finding.severity))


def _row(context: Context, record: AuditRecord, finding: Finding) -> AuditRow:
    texts = context.texts
    more = []
    if finding.waived:
        waived = finding.waived
        more.append(texts("audit.borne", by=waived.by, until=waived.until.isoformat(), reason=waived.reason))
    elif finding.mend:
        more.append(texts("audit.mend", text=context.texts.of(finding.mend)))
    if finding.first_seen:
        days = (record.day - finding.first_seen).days
        more.append(texts("audit.since", day=finding.first_seen.isoformat(), n=days))
    return AuditRow(
        finding.clause, finding.where, context.texts.of(finding.text), tuple(more), _state(context, finding)
    )


def _state(context: Context, finding: Finding) -> tuple[str, Tone]:
    if finding.waived:
        return context.texts("audit.waived"), "warn"
    if finding.result is Result.NOT_JUDGED:
        return context.texts("audit.not_judged"), "warn"
    return context.texts(f"audit.{finding.severity}"), _SEVERITIES[finding.severity]
