"""The log of telephone calls (通话记录): what people have noted while the run lasted."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.model.record import CallRecord
from orchestrator.report.context import Context


@dataclass(frozen=True)
class CallRow:
    """One call: placed, answered, or both."""

    whom: str
    placed: str
    placed_by: str
    answered: str
    answered_by: str
    note: str


def call_rows(context: Context) -> tuple[CallRow, ...]:
    return tuple(_row(context, row) for row in paired(context.record.calls))


def paired(calls: Sequence[CallRecord]) -> list[list[CallRecord]]:
    """Each call with its answer: the answer belongs to the newest call to the same contact that has none yet, and
    stands alone where there is no such; nobody noted then that they had dialled.
    """
    rows: list[list[CallRecord]] = []
    for call in sorted(calls, key=lambda item: item.at):
        waiting = (row for row in reversed(rows) if call.did == "answered" and _waits_for(row, call))
        row = next(waiting, None)
        if row is None:
            rows.append([call])
        else:
            row.append(call)
    return rows


def _waits_for(row: Sequence[CallRecord], call: CallRecord) -> bool:
    return len(row) == 1 and row[0].did == "placed" and row[0].contact == call.contact


def _row(context: Context, row: Sequence[CallRecord]) -> CallRow:
    texts, moments = context.texts, context.moments
    placed, answered = (next((item for item in row if item.did == did), None) for did in ("placed", "answered"))
    return CallRow(
        whom=texts.of(row[0].name),
        placed=moments.stamp(placed.at) if placed else texts("call.not_noted"),
        placed_by=context.person(placed.by) if placed else "",
        answered=moments.stamp(answered.at) if answered else texts("call.no_answer"),
        answered_by=_who(context, answered) if answered else "",
        note=texts.joint.join(item.note for item in row if item.note),
    )


def _who(context: Context, answered: CallRecord) -> str:
    name = context.person(answered.answered_by or "")
    return context.texts("call.answered_by", name=name, by=context.person(answered.by))
