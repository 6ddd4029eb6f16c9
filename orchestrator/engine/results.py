"""Results of steps as the journal holds them. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.errors import DrillctlError, StepUnknown
from orchestrator.model.drill import Check
from orchestrator.model.event import CheckRecord, CheckResult, Outcome
from orchestrator.model.plan import GatewayChange, Step, Target
from orchestrator.ports import Snapshot, TargetResult

UNKNOWN = (Outcome.INDETERMINATE, Outcome.TIMED_OUT)


def said(error: Exception) -> str:
    """An error in one line; what nobody expected with its type, without which its text says little."""
    return str(error) if isinstance(error, DrillctlError) else f"unexpected {type(error).__name__}: {error}"


ABORT = "an abort was asked for"


def confirmed(step: Step, said: Mapping[str, Any] | None) -> list[TargetResult]:
    """What a person said of a step; None: nobody did while there was time."""
    if said is None:
        return [
            TargetResult(target.name, Outcome.TIMED_OUT, "nobody has confirmed it in time") for target in step.targets
        ]
    fields = ("by", "at", "told_at", "note", "evidence")
    data = {name: said[name] for name in fields if name in said}
    if said["done"]:
        outcome, message = Outcome.SUCCEEDED, f"confirmed by {said['by']}"
    else:
        outcome, message = Outcome.FAILED, f"not done, says {said['by']}: {said['note']}"
    return [TargetResult(target.name, outcome, message, data) for target in step.targets]


def ok(step: Step) -> list[TargetResult]:
    return [TargetResult(target.name, Outcome.SUCCEEDED) for target in step.targets]


def broken_off(targets: Iterable[Target], error: Exception) -> list[TargetResult]:
    """What an error in the middle of a step leaves: failed where that is known, else indeterminate."""
    known = isinstance(error, DrillctlError) and not isinstance(error, StepUnknown)
    outcome = Outcome.FAILED if known else Outcome.INDETERMINATE
    return [TargetResult(target.name, outcome, said(error)) for target in targets]


def looked(taken: Snapshot) -> list[TargetResult]:
    seen = [TargetResult(name, Outcome.SUCCEEDED) for name in taken.gateways]
    return seen + [TargetResult(name, Outcome.INDETERMINATE, reason) for name, reason in taken.unreachable.items()]


def judged(records: Sequence[CheckRecord]) -> list[TargetResult]:
    """One result per target: abnormal is failed, could not look is indeterminate."""
    worst: dict[str, TargetResult] = {}
    for record in records:
        message = f"{record.check}: expected {record.expected}, found {record.found}"
        if record.result is CheckResult.ABNORMAL:
            worst[record.target] = TargetResult(record.target, Outcome.FAILED, message)
        elif record.could_not_look and worst.get(record.target, _FINE).outcome is not Outcome.FAILED:
            worst[record.target] = TargetResult(record.target, Outcome.INDETERMINATE, message)
        else:
            worst.setdefault(record.target, TargetResult(record.target, Outcome.SUCCEEDED))
    return list(worst.values())


_FINE = TargetResult("", Outcome.SUCCEEDED)
OF_ROUTERS = (Check.PATH, Check.ISOLATION, Check.ROUTED_PORT)


def untested(step: Step, check: Check, change: GatewayChange) -> CheckRecord:
    """Of a gateway whose host is not scriptable."""
    return CheckRecord(
        phase=step.phase.value,
        check=check.value,
        target=change.gateway,
        host=change.host,
        result=CheckResult.NOT_TESTED,
        expected=f"the word of {change.hands}",
        found="the host is not scriptable: nothing of ours connects to it",
        duration_s=0.0,
    )


def as_data(results: Iterable[TargetResult]) -> list[dict[str, Any]]:
    return [
        {"target": item.target, "outcome": item.outcome.value, "message": item.message, "data": dict(item.data)}
        for item in results
    ]


def recorded(step: Step, results: Iterable[TargetResult]) -> list[TargetResult]:
    """As they stand in the journal: what undoes something is undone, skipped, or its undoing failed."""
    return [_as_undo(item) for item in results] if step.undoes else list(results)


def _as_undo(item: TargetResult) -> TargetResult:
    """An undo that succeeded is `undone`; one that failed, or cannot be told, is `undo_failed`."""
    known = {
        Outcome.SUCCEEDED: Outcome.UNDONE,
        Outcome.UNDONE: Outcome.UNDONE,
        Outcome.SKIPPED: Outcome.SKIPPED,
        Outcome.IGNORED: Outcome.IGNORED,
    }
    return replace(item, outcome=known.get(item.outcome, Outcome.UNDO_FAILED))
