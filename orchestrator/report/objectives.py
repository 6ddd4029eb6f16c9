"""The objectives with what was measured, in their own unit."""

from dataclasses import dataclass
from typing import Final

from orchestrator.model.verdict import ObjectiveResult
from orchestrator.report.context import Context
from orchestrator.report.gateways import held
from orchestrator.report.headline import expected_back
from orchestrator.report.tones import OBJECTIVE, Tone

_DAY_S: Final = 86400


@dataclass(frozen=True)
class ObjectiveRow:
    title: str
    limit: str
    measured: str
    state: str
    tone: Tone
    source: str


def objective_rows(context: Context) -> tuple[ObjectiveRow, ...]:
    return tuple(_row(context, item) for item in context.record.verdict.objectives)


def _row(context: Context, item: ObjectiveResult) -> ObjectiveRow:
    texts = context.texts
    return ObjectiveRow(
        title=texts.of(item.title),
        limit=texts("objective.limit", limit=f"{item.limit:g}", unit=texts(f"unit.{item.unit}")),
        measured=_measured(context, item),
        state=texts(f"objectives.{item.state}"),
        tone=OBJECTIVE[item.state],
        source=texts.said(item.source),
    )


def _unbroken(context: Context, item: ObjectiveResult) -> bool:
    """No gateway of the objective lost its connection, and each of them was seen."""
    plan = context.record.plan
    classes = next((one.classes for one in plan.objectives if one.id == item.id), ())
    chosen = [one for one in expected_back(context) if not classes or one.gateway_class in classes]
    return not item.measured and bool(chosen) and all(one.broken_at is None and held(one) for one in chosen)


def _measured(context: Context, item: ObjectiveResult) -> str:
    """Days are also said in seconds: a drill's share of D+3 is a very small number of days."""
    if item.measured is None:
        return context.texts("value.not_measured")
    if item.unit != "d":
        value = context.moments.seconds(item.measured)
        return context.texts("value.counted_as", value=value) if _unbroken(context, item) else value
    seconds = context.moments.seconds(item.measured * _DAY_S)
    return context.texts("objective.days", days=f"{item.measured:.4f}", seconds=seconds)
