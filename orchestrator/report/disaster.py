"""灾备切换 D+N 时限: what D was, both deadlines, every milestone with its owner, planned and actual, and its evidence.

Made of the record alone. Where nobody was at work on the run stands in its own section, and is counted here.
"""

from dataclasses import dataclass
from typing import Final

from orchestrator.model.people import PersonRole
from orchestrator.model.record import ConfirmationRecord, DisasterRecord, MilestoneRecord
from orchestrator.report.context import Context
from orchestrator.report.tones import Tone

_COLON: Final = {"zh": "：", "en": ": "}
_TONE: dict[str, Tone] = {"met": "good", "open": "unknown", "late": "bad"}


@dataclass(frozen=True)
class DeadlineRow:
    """One reading of the days. `counts`: it is the earlier one."""

    basis: str
    at: str
    note: str


@dataclass(frozen=True)
class MilestoneRow:
    title: str
    owner: str
    due: str
    planned: str
    actual: str
    state: str
    tone: Tone


@dataclass(frozen=True)
class ConfirmationRow:
    """What a person said of their own step, with the files that show it."""

    step: str
    said: str
    by: str
    at: str
    told: str
    note: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class DisasterPart:
    d: str
    facts: tuple[tuple[str, str], ...]
    deadlines: tuple[DeadlineRow, ...]
    milestones: tuple[MilestoneRow, ...]
    confirmations: tuple[ConfirmationRow, ...]
    finished: str
    interrupted: str


def disaster(context: Context) -> DisasterPart | None:
    """None: the drill has no D+N, or there never was a D."""
    found = context.record.disaster
    if found is None or found.d_at is None:
        return None
    texts, moments = context.texts, context.moments
    met = [item.met_at for item in found.milestones if item.met_at is not None]
    whole = bool(met) and len(met) == len(found.milestones)
    return DisasterPart(
        d=texts(f"disaster.d_{found.definition}", at=moments.full(found.d_at)),
        facts=(
            (texts("disaster.occurred"), _moment(context, found.occurred_at)),
            (texts("disaster.declared"), _moment(context, found.declared_at)),
            (texts("disaster.day_basis"), texts(f"disaster.by_{found.day_basis}")),
        ),
        deadlines=_deadlines(context, found),
        milestones=tuple(_milestone(context, item) for item in found.milestones),
        confirmations=tuple(_confirmation(context, item) for item in context.record.confirmations),
        finished=moments.full(max(met)) if whole else texts("disaster.not_finished"),
        interrupted=_interrupted(context),
    )


def _moment(context: Context, at: float | None) -> str:
    return context.texts("disaster.not_said") if at is None else context.moments.full(at)


def _deadlines(context: Context, found: DisasterRecord) -> tuple[DeadlineRow, ...]:
    """Calendar days first: by them D+N is over no later than by trading days."""
    limit, texts = found.deadline, context.texts
    if limit is None:
        return ()
    known = {"calendar": limit.calendar_at, "trading": limit.trading_at}
    counts = min((at, name) for name, at in known.items() if at is not None)[1]
    rows = []
    for name, at in known.items():
        shown = context.moments.full(at) if at is not None else texts("disaster.horizon")
        notes = [texts("disaster.counts")] if name == counts else []
        notes += [texts("disaster.own_reading")] if name == found.day_basis else []
        rows.append(DeadlineRow(texts(f"disaster.d_plus_{name}", n=limit.days), shown, texts.joint.join(notes)))
    return tuple(rows)


def _milestone(context: Context, item: MilestoneRecord) -> MilestoneRow:
    texts = context.texts
    return MilestoneRow(
        title=texts.of(item.title),
        owner=_owner(context, item.owner, item.people),
        due=f"D+{item.due_d}",
        planned=context.moments.full(item.planned_at),
        actual=texts("disaster.not_met") if item.met_at is None else context.moments.full(item.met_at),
        state=texts(f"disaster.{item.state}"),
        tone=_TONE[item.state],
    )


def _owner(context: Context, owner: str, people: tuple[str, ...]) -> str:
    """The role with its people, or the one person."""
    names = context.texts.joined(context.person(name) for name in people)
    if owner not in list(PersonRole):
        return names or owner
    return _COLON[context.language].join((context.texts(f"role.{owner}"), names))


def _confirmation(context: Context, item: ConfirmationRecord) -> ConfirmationRow:
    texts, moments = context.texts, context.moments
    title = next((step.title for step in context.record.plan.steps if step.id == item.step), None)
    return ConfirmationRow(
        step=texts.of(title) if title else item.step,
        said=texts("disaster.done" if item.done else "disaster.not_done"),
        by=context.person(item.by),
        at=moments.full(item.at),
        told=moments.full(item.told_at),
        note=item.note,
        files=tuple(f"{file.name} (people/confirmations/{file.file}, {file.sha256[:12]}…)" for file in item.evidence),
    )


def _interrupted(context: Context) -> str:
    times = context.record.interruptions
    if not times:
        return context.texts("disaster.never_interrupted")
    hours = sum(item.lasted_s for item in times) / 3600
    return context.texts("disaster.was_interrupted", n=len(times), hours=f"{hours:.1f}")
