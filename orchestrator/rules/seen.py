"""How long violations have been open: the day on which an audit first found each. Pure."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

from orchestrator.model.audit import Finding, Result
from orchestrator.model.base import Frozen


class FirstSeen(Frozen):
    """One violation, and since when it is known."""

    rule: str
    where: str
    day: date


class Seen(Frozen):
    """Every violation that the last audit found, waived or not. What is mended is forgotten: if it comes back, it is
    new.
    """

    format: Literal[1] = 1
    violations: tuple[FirstSeen, ...] = ()


def dated(findings: Iterable[Finding], before: Seen, today: date) -> list[Finding]:
    """The findings, each violation with its first day. A clock that was put back makes none of them younger than a
    day to come.
    """
    known = {(item.rule, item.where): item.day for item in before.violations}
    return [
        item.model_copy(update={"first_seen": min(known.get((item.rule, item.where), today), today)})
        if item.result is Result.VIOLATED
        else item
        for item in findings
    ]


def seen(findings: Sequence[Finding], before: Seen) -> Seen:
    """What is to be kept of dated findings. What a rule found before stays known where it was not asked this time."""
    asked = {item.rule for item in findings}
    days = {(item.rule, item.where): item.day for item in before.violations if item.rule not in asked}
    days |= {(item.rule, item.where): item.first_seen for item in findings if item.first_seen is not None}
    return Seen(violations=tuple(FirstSeen(rule=rule, where=where, day=day) for (rule, where), day in days.items()))
