"""Whether a later run really passed what a finding is about. Pure."""

from collections.abc import Sequence

from orchestrator.evidence.findings import has_failed
from orchestrator.model.event import CheckResult, Outcome
from orchestrator.model.evidence import Finding, FindingKind, LedgerKind, LedgerLine
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import ObjectiveState, Restoration, RunOutcome

_WENT_WELL = (Outcome.SUCCEEDED, Outcome.UNDONE)


def not_retested(finding: Finding, record: RunRecord) -> str | None:
    """Why this run does not close the finding; None: it does."""
    if record.plan.drill != finding.drill:
        return f"expected a run of the drill {finding.drill}, found one of {record.plan.drill}"
    return _TESTS[finding.kind](finding.subject, record)


def not_later(finding: Finding, run: str, lines: Sequence[LedgerLine]) -> str | None:
    """Why the ledger does not let this run close the finding: it must have been opened after the finding, on the same
    site, be closed and sealed; and a run on a twin never closes what a run on the real site has found.
    """
    begun = next((line for line in lines if line.kind is LedgerKind.RUN_OPENED and line.data.get("run") == run), None)
    first = next(
        (line for line in lines if line.kind is LedgerKind.RUN_OPENED and line.data["run"] == finding.run), None
    )
    since = next(
        (line for line in lines if line.kind is LedgerKind.FINDING_OPENED and line.data["finding"]["id"] == finding.id),
        None,
    )
    if begun is None:
        return "expected a run that is on the ledger, found none"
    if since is None or first is None or begun.seq < since.seq:
        return "expected a run that was opened after the finding, found an earlier one"
    if begun.data["site"] != first.data["site"]:
        return f"expected a run on the site {first.data['site']}, found one on {begun.data['site']}"
    if begun.data["simulated"] and not first.data["simulated"]:
        return "expected a run on the real site, as the finding's was, found a rehearsal"
    return _unfinished(run, lines)


def _unfinished(run: str, lines: Sequence[LedgerLine]) -> str | None:
    kinds = {line.kind for line in lines if line.data.get("run") == run}
    if LedgerKind.RUN_CLOSED not in kinds:
        return "expected a run that is closed, found it open"
    return None if LedgerKind.PACK_SEALED in kinds else "expected a run whose pack is sealed, found it is not"


def _objective(subject: str, record: RunRecord) -> str | None:
    """Met, against a limit that was not loosened."""
    name, _, limit = subject.partition("<=")
    found = next((item for item in record.verdict.objectives if item.id == name), None)
    if found is None:
        return f"expected objective {name} to be measured, found it is not among the run's objectives"
    if found.state is not ObjectiveState.MET:
        return f"expected objective {name} met, found {found.state}"
    loosened = f"{found.limit:g}{found.unit}" != limit and found.limit > float(limit.rstrip("sd"))
    return f"expected a limit of at most {limit}, found {found.limit:g}{found.unit}" if loosened else None


def _gateway(name: str, record: RunRecord) -> str | None:
    affected = {change.gateway for change in record.plan.affected if not change.action.stays_down}
    found = next((item for item in record.verdict.gateways if item.gateway == name and name in affected), None)
    if found is None:
        return f"expected gateway {name} to be touched by the fault, found it was not"
    return None if found.came_back else f"expected gateway {name} to come back, found it did not"


def _restoration(_subject: str, record: RunRecord) -> str | None:
    """Restored as a whole: more than the one thing that was not."""
    found = record.verdict.restoration
    return None if found is Restoration.PROVED else f"expected restoration proved, found {found}"


def _step(subject: str, record: RunRecord) -> str | None:
    verb, _, target = subject.partition("/")
    found = [item for item in record.steps if item.verb == verb and item.target == target]
    if not found:
        return f"expected step {verb} of {target}, found none"
    bad = next((item for item in found if item.outcome not in _WENT_WELL), None)
    return f"expected step {verb} of {target} succeeded, found {bad.outcome}" if bad else None


def _check(subject: str, record: RunRecord) -> str | None:
    """Normal in every phase in which it had failed, and failed in no other."""
    check, _, rest = subject.partition("/")
    target, _, phases = rest.rpartition("/")
    found = [item for item in record.checks if item.check == check and item.target == target]
    bad = next((item for item in found if has_failed(item)), None)
    if bad:
        return f"expected check {check} of {target} normal, found {bad.result} in {bad.phase}"
    missing = [
        phase for phase in phases.split(",") if not any(_is_normal(item.phase, phase, item.result) for item in found)
    ]
    return f"expected check {check} of {target} in {', '.join(missing)}, found it was not made" if missing else None


def _is_normal(phase: str, wanted: str, result: CheckResult) -> bool:
    return phase == wanted and result is CheckResult.NORMAL


def _deviation(subject: str, record: RunRecord) -> str | None:
    """A run that passed, without another deviation of that sort."""
    what = subject.partition("/")[0]
    if record.verdict.outcome is not RunOutcome.PASSED:
        return f"expected a run that passed, found {record.verdict.outcome}"
    again = {
        "abort": len(record.aborts),
        "interruption": len(record.interruptions),
        "decision": len(record.decisions),
    }.get(what, 0)
    return f"expected no {what}, found {again}" if again else None


_TESTS = {
    FindingKind.OBJECTIVE: _objective,
    FindingKind.GATEWAY: _gateway,
    FindingKind.RESTORATION: _restoration,
    FindingKind.STEP: _step,
    FindingKind.CHECK: _check,
    FindingKind.DEVIATION: _deviation,
}
