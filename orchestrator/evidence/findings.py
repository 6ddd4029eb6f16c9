"""Findings (问题整改清单): what a run found to be mended, and what the ledger knows of each. Pure.

Everything that failed in a run becomes a finding, with somebody who answers for it and a date; nothing closes one but
a line of the ledger.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from orchestrator.evidence import finding_texts as texts
from orchestrator.model.approval import StatementKind
from orchestrator.model.base import Title
from orchestrator.model.drill import Mode
from orchestrator.model.event import CheckRecord, CheckResult, Outcome
from orchestrator.model.evidence import Finding, FindingKind, FindingState, LedgerKind, LedgerLine
from orchestrator.model.people import People, PersonRole
from orchestrator.model.plan import BEFORE_ANYTHING, Phase
from orchestrator.model.record import RunRecord, StepRecord
from orchestrator.model.verdict import ObjectiveState, Restoration, RunOutcome

# Our choice: who answers first; where a site names nobody in that role, the commander.
_ANSWERS = {
    FindingKind.CHECK: PersonRole.GATEWAY_OPERATOR,
    FindingKind.GATEWAY: PersonRole.GATEWAY_OPERATOR,
    FindingKind.STEP: PersonRole.OPERATOR,
    FindingKind.RESTORATION: PersonRole.OPERATOR,
    FindingKind.OBJECTIVE: PersonRole.COMMANDER,
    FindingKind.REVIEW: PersonRole.APPROVER,
    FindingKind.DEVIATION: PersonRole.COMMANDER,
}
FAILED_STEPS = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.INDETERMINATE, Outcome.UNDO_FAILED)


@dataclass(frozen=True)
class Problem:
    """Something to be mended, before it has a number, an owner and a date."""

    kind: FindingKind
    subject: str
    title: Title
    detail: Title


def found(record: RunRecord, due_days: int) -> tuple[Finding, ...]:
    """Every failed check, missed objective, lost gateway, failed step, unproved restoration and deviation of a run."""
    due = (_day_of(record.finished_at, record.topology.site.timezone) + timedelta(days=due_days)).isoformat()
    return tuple(
        Finding(
            id=finding_id(record.run, number),
            run=record.run,
            drill=record.plan.drill,
            kind=item.kind,
            subject=item.subject,
            title=item.title,
            detail=item.detail,
            owner=_owner(record.topology.people, item.kind),
            due=due,
        )
        for number, item in enumerate(problems(record), 1)
    )


def finding_id(run: str, number: int) -> str:
    """F-<the run's start>-<its four hex>-<number in the run>."""
    start, _, rest = run.partition("-")
    return f"F-{start}-{rest.rpartition('-')[2]}-{number}"


def problems(record: RunRecord) -> list[Problem]:
    """In the order of how much they matter to a reader."""
    return [
        *_reviews(record),
        *_objectives(record),
        *_gateways(record),
        *_restoration(record),
        *_steps(record),
        *_checks(record),
        *_deviations(record),
    ]


def states(lines: Sequence[LedgerLine]) -> list[FindingState]:
    """What the ledger knows of every finding, in the order in which they were opened."""
    known: dict[str, FindingState] = {}
    for line in lines:
        data = line.data
        if line.kind is LedgerKind.FINDING_OPENED:
            finding = Finding.model_validate(data["finding"])
            known[finding.id] = FindingState(finding=finding)
        elif line.kind is LedgerKind.FINDING_CHANGED and data["id"] in known:
            known[data["id"]] = _changed(known[data["id"]], data.get("owner"), data.get("due"))
        elif line.kind is LedgerKind.FINDING_CLOSED and data["id"] in known:
            known[data["id"]] = _closed(known[data["id"]], line)
    return list(known.values())


def earlier(lines: Sequence[LedgerLine], drill: str) -> tuple[FindingState, ...]:
    """What the next report of a drill has to say of its earlier runs: every finding that is open, and what became of
    those of the run before. `lines` is the ledger up to the new run's opening.
    """
    closed = {line.data["run"] for line in lines if line.kind is LedgerKind.RUN_CLOSED}
    opened = [line.data for line in lines if line.kind is LedgerKind.RUN_OPENED and line.data["drill"] == drill]
    last = next((data["run"] for data in reversed(opened) if data["run"] in closed), None)
    known = [state for state in states(lines) if state.finding.drill == drill]
    return tuple(state for state in known if state.is_open or state.finding.run == last)


def _changed(state: FindingState, owner: str | None, due: str | None) -> FindingState:
    finding = state.finding
    update = {"owner": owner or finding.owner, "due": due or finding.due}
    return state.model_copy(update={"finding": finding.model_copy(update=update)})


def _closed(state: FindingState, line: LedgerLine) -> FindingState:
    """The first closing counts."""
    if not state.is_open:
        return state
    data = line.data
    update = {"closed_at": line.at, "closed_by": data["by"], "reason": data["reason"], "retest_run": data["retest_run"]}
    return state.model_copy(update=update)


def _owner(people: People, kind: FindingKind) -> str | None:
    chosen = people.with_role(_ANSWERS[kind]) or people.with_role(PersonRole.COMMANDER)
    return chosen[0].id if chosen else None


def _day_of(at: float, timezone: str) -> date:
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(timezone)).date()


def _reviews(record: RunRecord) -> Iterator[Problem]:
    """What one person has begun alone is looked at afterwards (应急授权、事后补批)."""
    for item in record.approvals:
        if item.kind is StatementKind.BREAK_GLASS:
            yield Problem(FindingKind.REVIEW, item.by, *texts.break_glass(record, item))
    if record.promotion:
        yield Problem(FindingKind.REVIEW, record.promotion.by, *texts.promoted(record, record.promotion))


def _objectives(record: RunRecord) -> Iterator[Problem]:
    """One that nobody measured is a hole in the evidence, unless the run never got so far."""
    cut_short = record.verdict.outcome in (RunOutcome.ABORTED, RunOutcome.NOT_STARTED)
    for item in record.verdict.objectives:
        if item.state is ObjectiveState.MISSED or (item.state is ObjectiveState.NOT_MEASURED and not cut_short):
            subject = f"{item.id}<={item.limit:g}{item.unit}"
            yield Problem(FindingKind.OBJECTIVE, subject, *texts.objective(item))


def _gateways(record: RunRecord) -> Iterator[Problem]:
    """Those that the fault touched and that had somewhere to go; of a run that was cut short nothing is expected."""
    if record.verdict.outcome in (RunOutcome.ABORTED, RunOutcome.NOT_STARTED):
        return
    wanted = {change.gateway for change in record.plan.affected if not change.action.stays_down}
    for item in record.verdict.gateways:
        if item.gateway in wanted and not item.came_back:
            yield Problem(FindingKind.GATEWAY, item.gateway, *texts.gateway(record.topology, item))


def _restoration(record: RunRecord) -> Iterator[Problem]:
    if record.verdict.restoration is not Restoration.NOT_PROVED:
        return
    for item in record.verdict.differences:
        yield Problem(FindingKind.RESTORATION, f"{item.target}/{item.field}", *texts.difference(record, item))
    if not record.verdict.differences:
        yield Problem(FindingKind.RESTORATION, "site", *texts.not_restored())


def _steps(record: RunRecord) -> Iterator[Problem]:
    """The last attempt at a target counts."""
    last: dict[tuple[str, str, bool], StepRecord] = {}
    last |= {(item.step, item.target, item.undo): item for item in record.steps if not _is_why(record, item.phase)}
    for item in last.values():
        if item.outcome in FAILED_STEPS:
            yield Problem(FindingKind.STEP, f"{item.verb}/{item.target}", *texts.step(record, item))


def _checks(record: RunRecord) -> Iterator[Problem]:
    """One finding for a check of a target, whatever the number of phases in which it failed."""
    bad = (item for item in record.checks if has_failed(item) and not _is_why(record, Phase(item.phase)))
    failed = sorted(bad, key=lambda item: (item.target, item.check))
    for (target, check), group in groupby(failed, key=lambda item: (item.target, item.check)):
        records = list(group)
        phases = ",".join(dict.fromkeys(item.phase for item in records))
        yield Problem(FindingKind.CHECK, f"{check}/{target}/{phases}", *texts.check(record, records))


def _is_why(record: RunRecord, phase: Phase) -> bool:
    """What an incident finds before it switches is why there is one, and no fault of the firm's."""
    return record.plan.mode is Mode.INCIDENT and record.promotion is None and phase in BEFORE_ANYTHING


def has_failed(check: CheckRecord) -> bool:
    """A check that could not look proves nothing, and somebody has to find out why."""
    return check.result is CheckResult.ABNORMAL or check.could_not_look


def _deviations(record: RunRecord) -> Iterator[Problem]:
    """The run did not go by its plan."""
    for abort in record.aborts:
        yield Problem(FindingKind.DEVIATION, "abort", *texts.abort(abort))
    if record.verdict.outcome is RunOutcome.ABORTED and not record.aborts:
        yield Problem(FindingKind.DEVIATION, "abort", *texts.stopped(record.verdict.reasons))
    if record.verdict.outcome is RunOutcome.NOT_STARTED:
        yield Problem(FindingKind.DEVIATION, "not-started", *texts.not_started(record.verdict.reasons))
    for interruption in record.interruptions:
        yield Problem(FindingKind.DEVIATION, f"interruption/{interruption.cause}", *texts.interruption(interruption))
    for decision in record.decisions:
        subject = f"decision/{decision.step}" + (f"/{decision.target}" if decision.target else "")
        yield Problem(FindingKind.DEVIATION, subject, *texts.decision(decision))
