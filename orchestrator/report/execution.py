"""The run step by step, one row a step, and whatever did not go by the plan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.model.drill import Mode
from orchestrator.model.event import Outcome
from orchestrator.model.plan import BEFORE_ANYTHING
from orchestrator.model.record import StepRecord
from orchestrator.report.context import Context
from orchestrator.report.tones import STEP, Tone

_NAMED: Final = 6  # our choice: more targets than this are counted, not named
_AS_PLANNED: Final = (Outcome.SUCCEEDED, Outcome.UNDONE, Outcome.SKIPPED, Outcome.WOULD_CHANGE)
_WORST_FIRST: Final = (
    Outcome.UNDO_FAILED,
    Outcome.FAILED,
    Outcome.TIMED_OUT,
    Outcome.INDETERMINATE,
    Outcome.IGNORED,
    Outcome.WOULD_CHANGE,
    Outcome.SKIPPED,
    Outcome.UNDONE,
    Outcome.SUCCEEDED,
)


@dataclass(frozen=True)
class StepRow:
    """One step on all its targets; `outcome` is the worst of them."""

    started: str
    duration: str
    phase: str
    title: str
    targets: str
    outcome: str
    tone: Tone


@dataclass(frozen=True)
class DeviationRow:
    """One target of one step that failed, was left open, or had to be done again."""

    at: str
    step: str
    target: str
    outcome: str
    tone: Tone
    message: str


def step_rows(context: Context) -> tuple[StepRow, ...]:
    grouped: dict[tuple[str, bool], list[StepRecord]] = {}
    for item in context.record.steps:
        grouped.setdefault((item.step, item.undo), []).append(item)
    return tuple(_row(context, items) for items in grouped.values())


def _row(context: Context, items: Sequence[StepRecord]) -> StepRow:
    texts, moments, first = context.texts, context.moments, items[0]
    ended = [item.finished_at for item in items if item.finished_at is not None]
    started = min(item.started_at for item in items)
    last = {item.target: item for item in items}  # what came of it in the end, whatever an earlier attempt came to
    worst = min((item.outcome for item in last.values()), key=_WORST_FIRST.index)
    return StepRow(
        started=moments.stamp(started),
        duration=moments.seconds(max(ended) - started if len(ended) == len(items) else None),
        phase=texts(f"phase.{first.phase}"),
        title=texts.of(first.title) + (texts("steps.undo") if first.undo else ""),
        targets=_targets(context, list(last)),
        outcome=texts(f"step_outcome.{worst}"),
        tone=STEP[worst],
    )


def _targets(context: Context, names: Sequence[str]) -> str:
    """A step that is about the whole site or the fault names nothing else."""
    if names and names[0] in context.owners_of_steps:
        return context.texts.joined(context.owner(name) for name in names)
    known = [name for name in names if context.is_device(name)]
    if not known:
        return context.texts("steps.whole_site")
    if len(known) > _NAMED:
        return context.texts("steps.targets", n=len(known))
    return context.texts.joined(context.number(name) for name in known)


def deviation_rows(context: Context) -> tuple[DeviationRow, ...]:
    """Everything that did not go by the plan at the first attempt."""
    return tuple(
        DeviationRow(
            at=context.moments.stamp(item.started_at),
            step=context.texts.of(item.title) + _attempt(context, item),
            target=_targets(context, [item.target]),
            outcome=context.texts(f"step_outcome.{item.outcome}"),
            tone=STEP[item.outcome],
            message=context.texts.said(item.message) or context.texts("value.nothing_said"),
        )
        for item in _deviating(context.record.steps)
    )


def _deviating(steps: Sequence[StepRecord]) -> Iterator[StepRecord]:
    return (item for item in steps if item.attempt > 1 or item.outcome not in _AS_PLANNED)


def _attempt(context: Context, item: StepRecord) -> str:
    return context.texts("steps.attempt", n=item.attempt) if item.attempt > 1 else ""


def went_by_plan(context: Context) -> bool:
    """No step failed or was done again, nobody was away, nobody had to decide, nobody asked for an end. What an
    incident finds before it switches is why there is one.
    """
    record = context.record
    said = record.promotion or record.decisions
    steps = [item for item in record.steps if not (record.plan.mode is Mode.INCIDENT and item.phase in BEFORE_ANYTHING)]
    return not (said or record.interruptions or record.aborts or any(_deviating(steps)))
