"""The objectives with what was measured, in their own unit."""

from dataclasses import dataclass
from typing import Final

from orchestrator.model.verdict import ObjectiveResult
from orchestrator.report.context import Context
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


def _measured(context: Context, item: ObjectiveResult) -> str:
    """Days are also said in seconds: a drill's share of D+3 is a very small number of days."""
    if item.measured is None:
        return context.texts("value.not_measured")
    if item.unit != "d":
        return context.moments.seconds(item.measured)
    seconds = context.moments.seconds(item.measured * _DAY_S)
    return context.texts("objective.days", days=f"{item.measured:.4f}", seconds=seconds)
