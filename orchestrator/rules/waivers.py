"""What a firm's waivers come to: which violations they bear today, and which of them bear nothing. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from orchestrator.model.audit import Finding, Result, Waived
from orchestrator.model.records import Waiver


@dataclass(frozen=True)
class IdleWaiver:
    """A waiver without effect: its last day is over, or what it names is not violated."""

    waiver: Waiver
    why: Literal["expired", "unused"]


def waive(findings: Iterable[Finding], waivers: Iterable[Waiver], today: date) -> list[Finding]:
    """The findings, with the waiver that bears each violation today. They stay violated."""
    at_work = {(item.rule, item.where): item for item in waivers if item.until >= today}
    return [_waived(item, at_work.get((item.rule, item.where))) for item in findings]


def _waived(finding: Finding, waiver: Waiver | None) -> Finding:
    if waiver is None or finding.result is not Result.VIOLATED:
        return finding
    borne = Waived(reason=waiver.reason, by=waiver.by, until=waiver.until)
    return finding.model_copy(update={"waived": borne})


def idle(findings: Sequence[Finding], waivers: Iterable[Waiver], today: date) -> Iterator[IdleWaiver]:
    """Waivers that bear nothing today; people are told of each. One of a rule that was not asked may bear something."""
    asked = {item.rule for item in findings}
    violated = {(item.rule, item.where) for item in findings if item.result is Result.VIOLATED}
    for waiver in waivers:
        if waiver.until < today:
            yield IdleWaiver(waiver, "expired")
        elif waiver.rule in asked and (waiver.rule, waiver.where) not in violated:
            yield IdleWaiver(waiver, "unused")
