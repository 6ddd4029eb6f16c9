"""Waiting for what an exchange has announced: no longer than the announcement gives reason to. Pure."""

from orchestrator.engine.progress import FAULT_TOLD_S
from orchestrator.model.local_time import moment
from orchestrator.model.plan import Plan


def told_by(plan: Plan, zone: str, asked_at: float) -> float:
    """Until when people's word about the fault is waited for, in seconds since the epoch. What an exchange cuts off
    comes and goes at its announced times, so the word may come as long after the end
    of its phase.
    """
    if plan.announced is None:
        return asked_at + FAULT_TOLD_S
    return max(asked_at, moment(plan.announced.observed.ends, zone)) + FAULT_TOLD_S


def announced_times(plan: Plan) -> str:
    """For the line that says what is waited for; empty where nothing is announced."""
    if plan.announced is None:
        return ""
    phase = plan.announced.observed
    number = plan.announced.announcement.number
    return f" (announced by {number} for {phase.begins:%Y-%m-%d %H:%M} to {phase.ends:%H:%M})"
