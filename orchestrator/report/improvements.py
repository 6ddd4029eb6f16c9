"""Findings of this run, findings of earlier runs as they stood when it was opened, and what they ask of the plan."""

from dataclasses import dataclass

from orchestrator.model.evidence import Finding, FindingState
from orchestrator.report.context import Context
from orchestrator.report.tones import Tone


@dataclass(frozen=True)
class IssueRow:
    id: str
    kind: str
    title: str
    detail: str
    owner: str
    due: str


@dataclass(frozen=True)
class EarlierRow:
    issue: IssueRow
    state: str
    tone: Tone
    closed: str


def issue_rows(context: Context) -> tuple[IssueRow, ...]:
    return tuple(_issue(context, item) for item in context.record.findings)


def _issue(context: Context, item: Finding) -> IssueRow:
    texts = context.texts
    title, detail = texts.said(texts.of(item.title)), texts.said(texts.of(item.detail))
    return IssueRow(
        id=item.id,
        kind=texts(f"finding_kind.{item.kind}"),
        title=title,
        detail="" if detail == title else detail,
        owner=context.person(item.owner) if item.owner else texts("finding.no_owner"),
        due=item.due,
    )


def earlier_rows(context: Context) -> tuple[EarlierRow, ...]:
    """Open ones first; an open one that is past its due date is overdue."""
    states = sorted(context.record.earlier_findings, key=lambda item: (not item.is_open, item.finding.id))
    return tuple(_earlier(context, item) for item in states)


def _earlier(context: Context, item: FindingState) -> EarlierRow:
    texts = context.texts
    if item.is_open:
        late = item.finding.due < f"{context.moments.local(context.record.started_at):%Y-%m-%d}"
        state: tuple[str, Tone] = (texts("finding.overdue"), "bad") if late else (texts("finding.open"), "warn")
        return EarlierRow(_issue(context, item.finding), *state, texts("finding.not_closed"))
    return EarlierRow(_issue(context, item.finding), texts("finding.closed"), "good", _closing(context, item))


def _closing(context: Context, item: FindingState) -> str:
    texts = context.texts
    who = context.person(item.closed_by) if item.closed_by else texts("value.not_stated")
    said = item.reason or texts("value.not_stated")
    if item.retest_run:
        return texts("finding.closed_by_retest", at=_day(item), who=who, run=item.retest_run)
    return texts("finding.closed_because", at=_day(item), who=who, reason=said)


def _day(item: FindingState) -> str:
    return (item.closed_at or "")[:10]


def revision(context: Context) -> str:
    """What this run says of the plan. Whether it is revised is for people to say."""
    n = len(context.record.findings)
    return context.texts("revision.findings", n=n) if n else context.texts("revision.none")
