"""What the ledger says of a run when it is opened and when it is closed. Pure.

The annual summary is made from these lines alone: a pack may be gone when its time of keeping is over.
"""

from datetime import UTC, datetime
from typing import Any

from orchestrator.model.plan import GatewayChange, Plan
from orchestrator.model.record import RunRecord
from orchestrator.model.topology import Topology
from orchestrator.model.verdict import GatewayTimes


def opening_data(run: str, plan: Plan, *, operator: str, simulated: bool, started_at: float) -> dict[str, Any]:
    """Data of `run.opened`. `fails_back`: the incident that this run brings home; such a run is no drill held."""
    linked = {"fails_back": plan.fails_back.run} if plan.fails_back else {}
    return {
        **linked,
        "run": run,
        "drill": plan.drill,
        "title": plan.title.model_dump(mode="json"),
        "mode": plan.mode.value,
        "simulated": simulated,
        "site": plan.site,
        "plan_digest": plan.digest,
        "operator": operator,
        "started_at": moment(started_at),
    }


def closing_data(record: RunRecord) -> dict[str, Any]:
    """Data of `run.closed`."""
    verdict, changes = record.verdict, {change.gateway: change for change in record.plan.gateways}
    return {
        "run": record.run,
        "outcome": verdict.outcome.value,
        "restoration": verdict.restoration.value,
        "reasons": [reason.model_dump(mode="json") for reason in verdict.reasons],
        "objectives": _objectives(record),
        "events": record.journal.events,
        "journal_head": record.journal.head,
        "fault": record.plan.fault.model_dump(mode="json"),
        "gateways": [_gateway(record.topology, changes.get(item.gateway), item) for item in verdict.gateways],
        "findings": [finding.id for finding in record.findings],
        "started_at": moment(record.started_at),
        "finished_at": moment(record.finished_at),
        "fault_at": None if record.fault_at is None else moment(record.fault_at),
    }


def moment(at: float) -> str:
    """Seconds since the epoch as UTC, ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _objectives(record: RunRecord) -> list[dict[str, Any]]:
    metrics = {item.id: item.metric.value for item in record.plan.objectives}
    return [
        {
            "id": item.id,
            "title": item.title.model_dump(mode="json"),
            "metric": metrics.get(item.id),
            "limit": item.limit,
            "measured": item.measured,
            "unit": item.unit,
            "state": item.state.value,
        }
        for item in record.verdict.objectives
    ]


def _gateway(topology: Topology, change: GatewayChange | None, times: GatewayTimes) -> dict[str, Any]:
    """Where a gateway was before, where it was to go, and where and over whose line it was while the fault lasted."""
    line = topology.line.get(times.line_during or "")
    planned = change.after if change else None
    wanted = topology.line.get(planned.line or "") if planned else None
    return {
        "gateway": times.gateway,
        "number": times.number,
        "class": times.gateway_class.value,
        "action": times.action.value,
        "centre_before": _centre(topology, times.front_before)
        or (change.before.centre if change and change.before else None),
        "centre_planned": planned.centre if planned else None,
        "carrier_planned": wanted.carrier if wanted else None,
        "centre_after": _centre(topology, times.front_during),
        "carrier_after": line.carrier if line else None,
        "came_back": times.came_back,
        "switch_s": times.switch_s,
    }


def _centre(topology: Topology, front: str | None) -> str | None:
    """The centre of a front, which is named by its id or, as a session names it, by its endpoint."""
    known = topology.front.get(front or "") or topology.front_at.get(front or "")
    return known.centre if known else None
