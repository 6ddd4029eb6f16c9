"""Interruptions and people's words: when nobody was at work on the run, what was found open, and how it was settled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.model.record import DecisionRecord, Interruption, OpenStep, RunRecord
from orchestrator.report.context import Context


@dataclass(frozen=True)
class InterruptionRow:
    """One open step, or (`step` None) an interruption that found none; the times stand in its first row only."""

    number: int
    span: int  # rows of this interruption; 0: not its first row
    cause: str
    since: str
    resumed: str
    lasted: str
    phase: str
    owners: str
    step: str | None
    targets: str
    settled: str


@dataclass(frozen=True)
class DecisionRow:
    at: str
    step: str
    target: str
    choice: str
    by: str
    reason: str


@dataclass(frozen=True)
class AbortRow:
    at: str
    by: str
    reason: str


def any_interruption(record: RunRecord) -> bool:
    """Whether there is anything to tell."""
    return bool(record.interruptions or record.decisions or record.aborts)


def interruption_rows(context: Context) -> tuple[InterruptionRow, ...]:
    return tuple(
        row for number, item in enumerate(context.record.interruptions, 1) for row in _rows(context, number, item)
    )


def _rows(context: Context, number: int, item: Interruption) -> Iterator[InterruptionRow]:
    texts, moments = context.texts, context.moments
    steps: Sequence[OpenStep | None] = item.steps or [None]
    for index, step in enumerate(steps):
        yield InterruptionRow(
            number=number,
            span=0 if index else len(steps),
            cause=texts(f"interruption_cause.{item.cause}"),
            since=moments.stamp(item.silent_since),
            resumed=moments.stamp(item.resumed_at),
            lasted=moments.seconds(item.lasted_s),
            phase=texts(f"phase.{item.phase}") if item.phase else texts("interruption.before_any_phase"),
            owners=_owners(context, item),
            step=_title(context, step.step) if step else None,
            targets=texts.joined(_named(context, step)) if step else "",
            settled=_settled(context, step),
        )


def _named(context: Context, step: OpenStep) -> Iterator[str]:
    """Gateways by their number; a step that is about the whole site names nothing."""
    known = {item.id: item.targets for item in context.record.plan.steps}
    whole = {item.name for item in known.get(step.step, ()) if item.kind in ("site", "fault")}
    return (context.number(name) for name in step.targets if name not in whole)


def _owners(context: Context, item: Interruption) -> str:
    before = item.owner_before or context.texts("value.not_stated")
    return before if before == item.owner_after else f"{before} → {item.owner_after}"


def _title(context: Context, step: str) -> str:
    known = {item.id: item.title for item in context.record.plan.steps}
    return context.texts.of(known[step]) if step in known else step


def _settled(context: Context, step: OpenStep | None) -> str:
    """What told what had become of it, and what had to be done again."""
    texts = context.texts
    if step is None:
        return texts("interruption.nothing_open")
    if step.settled_by is None:
        return texts("interruption.not_settled")
    how = texts.named("settled_by", step.settled_by.replace(" ", "_"))
    if not step.again:
        return how
    again = texts("interruption.again", targets=texts.joined(context.number(name) for name in step.again))
    return how + again


def decision_rows(context: Context) -> tuple[DecisionRow, ...]:
    return tuple(_decision(context, item) for item in context.record.decisions)


def _decision(context: Context, item: DecisionRecord) -> DecisionRow:
    texts = context.texts
    return DecisionRow(
        at=context.moments.stamp(item.at),
        step=_title(context, item.step),
        target=context.number(item.target) if item.target else texts("interruption.all_targets"),
        choice=texts.named("choice", item.choice.replace("-", "_")),
        by=texts.joined(context.person(name) for name in (item.by, item.second) if name),
        reason=item.reason,
    )


def abort_rows(context: Context) -> tuple[AbortRow, ...]:
    stamp = context.moments.stamp
    return tuple(AbortRow(stamp(item.at), context.person(item.by), item.reason) for item in context.record.aborts)


def in_one_line(context: Context) -> str:
    """For the conclusion and the terminal; empty where nothing interrupted the run."""
    texts, moments, found = context.texts, context.moments, context.record.interruptions
    lost = [item for item in found if item.cause == "lost"]
    parts = []
    if lost:
        total = moments.seconds(sum(item.lasted_s for item in lost))
        parts.append(texts("paragraph.interrupted", n=len(lost), total=total))
    if len(lost) < len(found):
        parts.append(texts("paragraph.held_for_people", n=len(found) - len(lost)))
    if context.record.decisions:
        parts.append(texts("paragraph.decided", n=len(context.record.decisions)))
    return texts("paragraph.interruptions", parts=texts.joined(parts)) if parts else ""
