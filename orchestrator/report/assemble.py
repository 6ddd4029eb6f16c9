"""Journal + observations + verdict → RunRecord, the one document that every report is made of. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import ndiff
from itertools import pairwise
from typing import Any, Literal

from orchestrator.history import (
    StepResult,
    aborts,
    calls,
    check_records,
    confirmations,
    decisions,
    epoch_s,
    interruptions,
    outages,
    permit_of,
    promotion,
    snapshots,
    step_results,
)
from orchestrator.journal import chain_is_valid
from orchestrator.judge import judge, moving, window_of
from orchestrator.model.approval import Permit
from orchestrator.model.audit import AuditRecord
from orchestrator.model.event import CheckRecord, CheckResult, Event, EventKind
from orchestrator.model.evidence import Approval, LedgerPlace
from orchestrator.model.plan import FaultSource, Phase, Plan
from orchestrator.model.record import (
    ClauseResult,
    ConfigRecord,
    InterlockProof,
    JournalHead,
    PhaseTime,
    RunRecord,
    StepRecord,
    SurpriseRecord,
)
from orchestrator.model.topology import GatewayClass, Topology
from orchestrator.model.verdict import Restoration, RunOutcome, Verdict
from orchestrator.ports import Observations
from orchestrator.report.disaster_record import disaster_record
from orchestrator.report.interlocks import all_interlocks
from orchestrator.report.path_record import path_proofs
from orchestrator.rules.approvals import RIGHTS
from orchestrator.rules.clauses import Exercised, clause_register


def assemble(  # noqa: PLR0913 - everything a report stands on, by name
    run: str,
    plan: Plan,
    topology: Topology,
    events: Sequence[Event],
    seen: Observations,
    *,
    operator: str,
    fault_source: FaultSource,
    versions: Mapping[str, str],
    ground_truth: dict[str, Any] | None = None,
    ledger: LedgerPlace | None = None,
    audit: AuditRecord | None = None,
) -> RunRecord:
    """The record of a closed run. The verdict is judged here, from the journal, never from what a step said."""
    valid = chain_is_valid(events)
    verdict = judge(plan, topology, events, seen, valid)
    steps, window, taken = step_results(events), window_of(events, moving(plan)), snapshots(events)
    interlocks = tuple(all_interlocks(plan, topology, events))
    permit = permit_of(events)
    return RunRecord(
        run=run,
        simulated=fault_source is FaultSource.TWIN,
        fault_source=fault_source,
        operator=operator,
        approvals=tuple(_approvals(permit)) if permit else (),
        announcement=_announcement(plan, permit),
        started_at=epoch_s(events[0]),
        finished_at=epoch_s(events[-1]),
        fault_at=window.fault_at if window and plan.fails_back is None else None,
        lifted_at=window.lifted_at if window else None,
        plan=plan,
        plan_digest=plan.digest,
        topology=topology,
        verdict=verdict,
        phases=tuple(_phases(events)),
        steps=tuple(_steps(plan, steps)),
        interruptions=tuple(interruptions(events)),
        decisions=tuple(decisions(events)),
        aborts=tuple(aborts(events)),
        promotion=promotion(plan, events),
        calls=tuple(calls(events)),
        confirmations=tuple(confirmations(events)),
        disaster=disaster_record(plan, topology, events),
        checks=tuple(check_records(events)),
        configurations=tuple(_configurations(plan, topology, taken, steps)),
        interlocks=interlocks,
        clauses=_clauses(plan, verdict, check_records(events), interlocks),
        clock_offset_s=dict(taken.get("before", {}).get("clock_offset_s", {})),
        versions=dict(versions),
        journal=JournalHead(events=len(events), head=events[-1].digest, chain_valid=valid),
        outages=outages(events),
        ground_truth=ground_truth,
        surprises=tuple(SurpriseRecord.model_validate(item) for item in (ground_truth or {}).get("surprises", ())),
        path_proofs=tuple(path_proofs(plan, topology, taken)),
        ledger=ledger,
        audit=audit,
    )


def _announcement(plan: Plan, permit: Permit | None) -> str | None:
    """The number of what is observed, else of the window that was approved."""
    if plan.announced:
        return plan.announced.announcement.number
    return permit.window.number if permit and permit.window else None


def _approvals(permit: Permit) -> Iterator[Approval]:
    for item in permit.consents:
        yield Approval(
            by=item.by,
            role=RIGHTS[item.kind].value,
            at=item.at.timestamp(),
            plan_digest=permit.bound_to,
            note=item.reason,
            kind=item.kind,
            file=item.file,
        )


def _phases(events: Sequence[Event]) -> Iterator[PhaseTime]:
    """From one state to the next. What is no phase (recovering, paused, closed) only ends the one before."""
    kinds = (EventKind.STATE, EventKind.CLOSED)
    states = [(event.data.get("state"), epoch_s(event)) for event in events if event.kind in kinds]
    known = {phase.value for phase in Phase}
    for (state, started), (_, finished) in pairwise(states):
        if state in known:
            yield PhaseTime(phase=Phase(state), started_at=started, finished_at=finished)


def _steps(plan: Plan, results: Sequence[StepResult]) -> Iterator[StepRecord]:
    by_id = {step.id: step for step in plan.steps}
    for item in results:
        step = by_id[item.step]
        yield StepRecord(
            step=item.step,
            phase=step.phase,
            verb=step.verb,
            title=step.title,
            target=item.target,
            attempt=item.attempt,
            undo=item.undo,
            started_at=item.started_at,
            finished_at=item.finished_at,
            outcome=item.outcome,
            message=item.message,
        )


def _configurations(
    plan: Plan, topology: Topology, taken: Mapping[str, Any], results: Sequence[StepResult]
) -> Iterator[ConfigRecord]:
    """Every file that the plan may change, or that changed."""
    diffs = {
        item.target: tuple(_diff(item.data["diff"])) for item in results if item.data.get("diff") and not item.undo
    }
    if plan.fails_back and "before" in taken:
        taken = {**taken, "before": plan.fails_back.over(taken["before"]), "during": taken["before"]}
    for change in plan.affected:
        states = {
            when: taken.get(when, {}).get("gateways", {}).get(change.gateway, {})
            for when in ("before", "during", "after")
        }
        digests = {when: state.get("config_sha256") for when, state in states.items()}
        lists = {when: tuple(state.get("endpoints") or ()) for when, state in states.items()}
        if change.wave is None and len(set(digests.values())) == 1:
            continue
        yield ConfigRecord(
            gateway=change.gateway,
            host=change.host,
            path=topology.config_path(topology.gateway[change.gateway]),
            sha256_before=digests["before"],
            sha256_during=digests["during"],
            sha256_after=digests["after"],
            list_before=lists["before"],
            list_during=lists["during"],
            list_after=lists["after"],
            diff=diffs.get(change.gateway, ()),
        )


def _diff(lists: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What was taken away (-), kept and added (+) in the ordered list."""
    yield from (f"{line[0]}{line[2:]}" for line in ndiff(lists["before"], lists["after"]) if line[0] != "?")


_CHECKED = {"SSCC-3.2b": "routed-port", "SSCC-4.1": "isolation"}
_Result = Literal["passed", "failed", "unknown"]


def _clauses(
    plan: Plan,
    verdict: Verdict,
    checks: Sequence[CheckRecord],
    interlocks: Sequence[InterlockProof],
) -> tuple[ClauseResult, ...]:
    """What this run says of each clause; the rest stands as not covered."""
    exercised: dict[str, Exercised] = {}
    for clause in plan.clauses:
        found = _exercised(clause, plan, verdict, checks, interlocks)
        if found:
            exercised[clause] = Exercised(result=found[0], by=found[1])
    return clause_register().results(exercised)


def _exercised(
    clause: str,
    plan: Plan,
    verdict: Verdict,
    checks: Sequence[CheckRecord],
    interlocks: Sequence[InterlockProof],
) -> tuple[_Result, tuple[str, ...]] | None:
    if clause in _CHECKED:
        chosen = [record for record in checks if record.check == _CHECKED[clause]]
        return (_of_checks(chosen), (_CHECKED[clause],)) if chosen else None
    if clause == "SSCC-2.5":
        return (_of_interlocks(interlocks), ("interlock",)) if interlocks else None
    if clause == "SSCC-2.4":
        return _of_market_data(plan, verdict)
    if verdict.outcome is RunOutcome.NOT_STARTED:
        return None
    return _of_outcome(verdict.outcome), (plan.drill,)


def _of_market_data(plan: Plan, verdict: Verdict) -> tuple[_Result, tuple[str, ...]] | None:
    """TCP is the primary way in. Where it was what failed, it is primary again once everything is as before."""
    primary = [item for item in verdict.gateways if item.gateway_class is GatewayClass.MARKET_DATA_TCP]
    if not primary:
        return None
    if plan.fault.fronts:
        return ("passed" if verdict.restoration is Restoration.PROVED else "failed"), (plan.drill,)
    return ("passed" if all(item.came_back for item in primary) else "failed"), ("login", "data")


def _of_checks(records: Sequence[CheckRecord]) -> _Result:
    if any(record.result is CheckResult.ABNORMAL for record in records):
        return "failed"
    return "passed" if all(record.result is CheckResult.NORMAL for record in records) else "unknown"


def _of_interlocks(proofs: Sequence[InterlockProof]) -> _Result:
    """Every start came after a proved end of the login before; a move that never started again proves nothing."""
    if any(proof.start_at is not None and not _proved_out(proof, proof.start_at) for proof in proofs):
        return "failed"
    return "passed" if all(proof.start_at is not None for proof in proofs) else "unknown"


def _proved_out(proof: InterlockProof, start_at: float) -> bool:
    gone = (proof.proved_at,) if proof.way else (proof.process_gone_at, proof.sockets_gone_at)
    return proof.released_by is not None and all(at is not None and at <= start_at for at in gone)


def _of_outcome(outcome: RunOutcome) -> _Result:
    match outcome:
        case RunOutcome.PASSED:
            return "passed"
        case RunOutcome.FAILED:
            return "failed"
        case RunOutcome.INCONCLUSIVE | RunOutcome.ABORTED | RunOutcome.NOT_STARTED:
            return "unknown"
