"""The D+N clock of a run as its record keeps it, looked at when its journal ends. Pure."""

from collections.abc import Sequence

from orchestrator.history import confirmations, epoch_s
from orchestrator.model.disaster import Deadline
from orchestrator.model.event import Event
from orchestrator.model.plan import Plan
from orchestrator.model.record import DeadlineRecord, DisasterRecord, MilestoneRecord
from orchestrator.model.topology import Topology
from orchestrator.rules.disaster_clock import Reached, disaster_clock


def disaster_record(plan: Plan, topology: Topology, events: Sequence[Event]) -> DisasterRecord | None:
    """None: the plan has no D+N."""
    clock = disaster_clock(plan, topology, events, epoch_s(events[-1]))
    if clock is None:
        return None
    return DisasterRecord(
        definition=clock.definition.value,
        day_basis=topology.site.disaster.day_basis.value,
        occurred_at=clock.disaster.occurred_at,
        declared_at=clock.disaster.declared_at,
        d_at=clock.d,
        deadline=_deadline(clock.limit),
        milestones=tuple(_milestone(item, events) for item in clock.milestones),
    )


def _deadline(limit: Deadline | None) -> DeadlineRecord | None:
    if limit is None:
        return None
    return DeadlineRecord(days=limit.days, calendar_at=limit.calendar, trading_at=limit.trading)


def _milestone(item: Reached, events: Sequence[Event]) -> MilestoneRecord:
    named = item.milestone
    return MilestoneRecord(
        id=named.id,
        title=named.title,
        owner=named.owner,
        people=named.people,
        due_d=named.due_d,
        planned_at=item.due.counts if item.due else None,
        met_at=item.met_at,
        state=item.state.value,
        confirmed=tuple(said for said in confirmations(events) if said.step in named.steps),
    )
