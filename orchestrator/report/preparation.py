"""Preparation and approvals: the plan as it was approved, what was looked at before, the run's place in the ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orchestrator.model.drill import Mode
from orchestrator.model.event import CheckResult
from orchestrator.model.evidence import Approval
from orchestrator.model.plan import Phase
from orchestrator.report.context import Context
from orchestrator.report.tones import Tone

_BEFORE: Final = (Phase.PRECHECKING, Phase.BASELINING)


@dataclass(frozen=True)
class ApprovalRow:
    by: str
    role: str
    at: str
    note: str
    bound: str
    tone: Tone


@dataclass(frozen=True)
class Preparation:
    announcement: str
    ledger: str
    ledger_digest: str
    before: str
    clocks: str
    approvals: tuple[ApprovalRow, ...]
    no_approval: str


def preparation(context: Context) -> Preparation:
    return Preparation(
        announcement=announcement(context),
        ledger=_ledger(context),
        ledger_digest=context.record.ledger.digest if context.record.ledger else "",
        before=_before(context),
        clocks=_clocks(context),
        approvals=tuple(_approval(context, item) for item in context.record.approvals),
        no_approval=context.texts(f"approval.none_{context.record.plan.kind}"),
    )


def announcement(context: Context) -> str:
    """The number of the exchange's announcement; a rehearsal answers to none."""
    record, texts = context.record, context.texts
    if record.announcement:
        return record.announcement
    return texts("preparation.no_announcement" if record.plan.mode is Mode.REHEARSAL else "preparation.not_announced")


def _approval(context: Context, item: Approval) -> ApprovalRow:
    """An approval is bound to the plan that it was given for, and says nothing of another one."""
    texts = context.texts
    bound = item.plan_digest == context.record.plan_digest
    return ApprovalRow(
        by=context.person(item.by),
        role=texts(f"statement.{item.kind}"),
        at=context.moments.full(item.at),
        note=item.note or texts("value.nothing_said"),
        bound=texts("approval.bound" if bound else "approval.not_bound"),
        tone="good" if bound else "bad",
    )


def _ledger(context: Context) -> str:
    place = context.record.ledger
    if place is None:
        return context.texts("preparation.no_ledger")
    return context.texts("preparation.ledger_place", seq=place.seq)


def _before(context: Context) -> str:
    """What was checked before anything was touched."""
    return context.texts.joined(_counts(context)) or context.texts("checks.none")


def _counts(context: Context) -> Iterator[str]:
    texts = context.texts
    for phase in _BEFORE:
        results = [item.result for item in context.record.checks if item.phase == phase]
        blind = sum(item.could_not_look for item in context.record.checks if item.phase == phase)
        if results:
            yield texts(
                "preparation.checked",
                phase=texts(f"phase.{phase}"),
                n=len(results),
                normal=results.count(CheckResult.NORMAL),
                abnormal=results.count(CheckResult.ABNORMAL),
                blind=blind,
            )


def _clocks(context: Context) -> str:
    offsets = context.record.clock_offset_s
    if not offsets:
        return context.texts("limit.no_clocks")
    largest = max(abs(value) for value in offsets.values())
    return context.texts("preparation.clocks", n=len(offsets), offset=f"{largest * 1000:.1f}")
