"""An evaluation by the record alone, aspect by aspect. What it means is the evaluator's to say, and has room for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from orchestrator.model.approval import StatementKind
from orchestrator.model.drill import Mode
from orchestrator.model.evidence import Approval
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import ObjectiveState, Restoration, RunOutcome
from orchestrator.report.context import Context
from orchestrator.report.execution import went_by_plan
from orchestrator.report.proofs import order_holds
from orchestrator.report.tones import Tone

Judgement = Literal["conforms", "does_not", "unknown", "not_applicable"]

_TONE: dict[Judgement, Tone] = {
    "conforms": "good",
    "does_not": "bad",
    "unknown": "unknown",
    "not_applicable": "muted",
}


@dataclass(frozen=True)
class EvaluationRow:
    aspect: str
    asked: str
    judgement: str
    tone: Tone


def evaluation_rows(context: Context) -> tuple[EvaluationRow, ...]:
    texts = context.texts
    return tuple(
        EvaluationRow(
            aspect=texts(f"aspect.{name}"),
            asked=texts(f"aspect_asks.{name}"),
            judgement=texts(f"judgement.{value}"),
            tone=_TONE[value],
        )
        for name, value in _judged(context)
    )


def _judged(context: Context) -> Iterator[tuple[str, Judgement]]:
    yield "approval", _approved(context)
    yield "execution", _yes(went_by_plan(context)) if context.record.steps else "not_applicable"
    yield "switching", _switched(context)
    yield "objectives", _objectives(context)
    yield "interlock", _interlock(context)
    yield "restoration", _restored(context)
    yield "journal", _yes(context.record.journal.chain_valid)


def _yes(holds: bool) -> Judgement:
    return "conforms" if holds else "does_not"


def _approved(context: Context) -> Judgement:
    """By somebody else than the operator, for this very plan."""
    record = context.record
    if record.plan.mode is Mode.REHEARSAL:
        return "not_applicable"
    return _yes(any(_approves(item, record) for item in record.approvals))


def _approves(item: Approval, record: RunRecord) -> bool:
    is_other = item.by != record.operator
    return item.kind is StatementKind.APPROVE and is_other and item.plan_digest == record.plan_digest


def _switched(context: Context) -> Judgement:
    match context.record.verdict.outcome:
        case RunOutcome.PASSED:
            return "conforms"
        case RunOutcome.FAILED | RunOutcome.ABORTED:
            return "does_not"
        case RunOutcome.INCONCLUSIVE:
            return "unknown"
        case RunOutcome.NOT_STARTED:
            return "not_applicable"


def _objectives(context: Context) -> Judgement:
    states = {item.state for item in context.record.verdict.objectives}
    if not states:
        return "not_applicable"
    if ObjectiveState.MISSED in states:
        return "does_not"
    return "unknown" if ObjectiveState.NOT_MEASURED in states else "conforms"


def _interlock(context: Context) -> Judgement:
    held = {order_holds(proof) for proof in context.record.interlocks}
    if not held:
        return "not_applicable"
    if False in held:
        return "does_not"
    return "unknown" if None in held else "conforms"


def _restored(context: Context) -> Judgement:
    match context.record.verdict.restoration:
        case Restoration.PROVED:
            return "conforms"
        case Restoration.NOT_PROVED:
            return "does_not"
        case Restoration.PENDING:
            return "unknown"
        case Restoration.NOT_APPLICABLE:
            return "not_applicable"


def no_duplicate_login(context: Context) -> str:
    """All that a site's own evidence can say of single login, and only where each of its links was seen."""
    texts, verdict = context.texts, _interlock(context)
    if verdict == "not_applicable":
        return texts("restoration.login_not_moved")
    return texts("restoration.login_local" if verdict == "conforms" else "restoration.login_unproved")
