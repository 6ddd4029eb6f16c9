"""D+N: what D was in this run and when N days are over, by calendar days and by trading days.

No source defines D or the day basis, so both are said, and the earlier one counts.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.model.drill import Metric
from orchestrator.report.context import Context

_DAY_S: Final = 86400


@dataclass(frozen=True)
class Deadline:
    title: str
    d: str
    calendar: str
    trading: str
    finished: str


def deadline(context: Context) -> Deadline | None:
    """None: the drill sets no such objective, or no fault took place."""
    record, texts, moments = context.record, context.texts, context.moments
    wanted = next((item for item in record.plan.objectives if item.metric is Metric.DR_DEADLINE), None)
    if wanted is None or record.fault_at is None:
        return None
    moved = [item.login_at for item in record.verdict.gateways if item.login_at and not item.action.stays_down]
    return Deadline(
        title=texts.of(wanted.title),
        d=texts("deadline.d_fault", at=moments.full(record.fault_at)),
        calendar=moments.full(record.fault_at + wanted.limit * _DAY_S),
        trading=texts("deadline.no_calendar"),
        finished=moments.full(max(moved)) if moved else texts("value.not_measured"),
    )
