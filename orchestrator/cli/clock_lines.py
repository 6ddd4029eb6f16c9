"""The D+N clock as lines for people: deadlines, milestones, who is next and their telephone."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.cli.awaited import Awaited
from orchestrator.model.disaster import Deadline
from orchestrator.model.event import Event
from orchestrator.model.people import People, Person
from orchestrator.model.plan import Plan
from orchestrator.model.topology import Topology
from orchestrator.rules.disaster_clock import DisasterClock, MilestoneState, Reached, disaster_clock


def _local(at: float, zone: str) -> str:
    return f"{datetime.fromtimestamp(at, ZoneInfo(zone)):%Y-%m-%d %a %H:%M}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h"


def deadline_lines(clock: DisasterClock, topology: Topology, now: float) -> Iterator[str]:
    """Both deadlines, and which one counts."""
    zone, settings = topology.site.timezone, topology.site.disaster
    if clock.d is None:
        yield "D is not known yet: it is the moment of the fault"
        return
    yield f"D {_local(clock.d, zone)}, as it {_said(clock)}; the site goes by {settings.day_basis} days"
    if clock.limit is not None:
        yield both(clock.limit, zone)
        left = clock.limit.counts - now
        yield f"{_hours(left)} left" if left >= 0 else f"over for {_hours(-left)}"


def _said(clock: DisasterClock) -> str:
    return "occurred" if clock.definition == "occurred" else "was declared"


def both(limit: Deadline, zone: str) -> str:
    """The earlier one counts, whatever the site goes by."""
    trading = "not known, the calendar ends before" if limit.trading is None else _local(limit.trading, zone)
    counts = "calendar" if limit.counts == limit.calendar else "trading"
    return f"D+{limit.days} by calendar days {_local(limit.calendar, zone)}, by trading days {trading}; {counts} counts"


def milestone_lines(clock: DisasterClock, zone: str) -> Iterator[str]:
    """Each with its state, when it is due, and its owner with telephone while it is open."""
    for item in clock.milestones:
        name = f"{item.state:<5} {item.milestone.title.en} {item.milestone.title.zh}"
        if item.met_at is not None:
            yield f"{name}: met {_local(item.met_at, zone)}, {_due(item, zone)}"
        else:
            yield f"{name}: {_due(item, zone)}; {who(item.milestone.owner, item.people)}"


def _due(item: Reached, zone: str) -> str:
    on = f" ({_local(item.due.counts, zone)})" if item.due else ""
    return f"due D+{item.milestone.due_d}{on}"


def who(owner: str, people: Sequence[Person]) -> str:
    named = ", ".join(f"{person.name.en} {person.name.zh} {person.phone}" for person in people[:2])
    return f"{owner}: {named or 'nobody in people.yml'}"


def owners(waits: Awaited, people: People) -> str:
    return who(waits.target.name, [person for person in people.people if person.id in waits.people])


def next_line(plan: Plan, topology: Topology, events: Sequence[Event], now: float) -> str | None:
    """One line for the live view; None: the plan has no D+N, or D is not known yet."""
    clock = disaster_clock(plan, topology, events, now)
    if clock is None or clock.d is None or not clock.milestones:
        return None
    met = sum(not item.is_open for item in clock.milestones)
    due = f"D+{clock.limit.days} in {_hours(clock.limit.counts - now)}, " if clock.limit else ""
    upcoming = clock.next
    if upcoming is None:
        return f"{due}all {met} milestones met"
    late = ", LATE" if upcoming.state is MilestoneState.LATE else ""
    phone = f" {upcoming.people[0].name.en} {upcoming.people[0].phone}" if upcoming.people else ""
    return f"{due}{met} of {len(clock.milestones)} milestones met, next: {upcoming.milestone.title.en}{late},{phone}"


def clock_as_data(clock: DisasterClock | None) -> dict[str, Any] | None:
    """For `--json`: seconds since the epoch."""
    if clock is None:
        return None
    return {
        "definition": clock.definition.value,
        "occurred_at": clock.disaster.occurred_at,
        "declared_at": clock.disaster.declared_at,
        "d_at": clock.d,
        "deadline": _deadline_as_data(clock.limit),
        "milestones": [_milestone_as_data(item) for item in clock.milestones],
    }


def _deadline_as_data(limit: Deadline | None) -> dict[str, Any] | None:
    return None if limit is None else {**limit.model_dump(mode="json"), "counts": limit.counts}


def _milestone_as_data(item: Reached) -> dict[str, Any]:
    return {
        "id": item.milestone.id,
        "state": item.state.value,
        "owner": item.milestone.owner,
        "people": [person.id for person in item.people],
        "due": _deadline_as_data(item.due),
        "met_at": item.met_at,
    }
