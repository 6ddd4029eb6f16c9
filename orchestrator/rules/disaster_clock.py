"""The D+N clock of one run: its deadlines, how each milestone stands, and what is told at D+1 and D+2. Pure.

Everything comes from the plan and the run's own events; the moment "now" is given. A run that has ended, or that has
no orchestrator, is told of by the same functions as one that is at work.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from orchestrator.history import disaster_of, known_days, met_at
from orchestrator.model.disaster import DDefinition, Deadline, Disaster, Milestone, deadline
from orchestrator.model.drill import Metric
from orchestrator.model.event import Event, EventKind
from orchestrator.model.people import Person
from orchestrator.model.plan import Plan
from orchestrator.model.topology import Topology

ALARM_DAYS: Final = (1, 2)  # our choice: one day and two after D, while D+3 can still be kept


class MilestoneState(StrEnum):
    """`met`: in time; `late`: met after its time, or not met and its time is over; `open`: there is time."""

    MET = "met"
    OPEN = "open"
    LATE = "late"


@dataclass(frozen=True)
class Reached:
    """How one milestone stands. `due`: None where D is not known yet."""

    milestone: Milestone
    state: MilestoneState
    met_at: float | None
    due: Deadline | None
    people: tuple[Person, ...]

    @property
    def is_open(self) -> bool:
        return self.met_at is None


@dataclass(frozen=True)
class DisasterClock:
    """`d`: what the site takes D for, in seconds since the epoch; None: not known yet. `limit`: the drill's own D+N."""

    disaster: Disaster
    definition: DDefinition
    d: float | None
    limit: Deadline | None
    milestones: tuple[Reached, ...]

    @property
    def next(self) -> Reached | None:
        """The first in the drill's order that is open."""
        return next((item for item in self.milestones if item.is_open), None)


@dataclass(frozen=True)
class Alarm:
    """N days after D have passed, by the earlier basis. `open`: milestones due by then and not met; `people`: whom to
    call for them, the first of each first.
    """

    day: int
    passed_at: float
    open: tuple[Milestone, ...]
    people: tuple[Person, ...]

    def as_data(self) -> dict[str, Any]:
        """As the journal has it: ids, and owners by their names, never by telephone."""
        return {
            "day": self.day,
            "passed_at": self.passed_at,
            "milestones": [item.id for item in self.open],
            "owners": [f"{person.name.zh} {person.name.en}" for person in self.people],
        }


def disaster_clock(plan: Plan, topology: Topology, events: Sequence[Event], now: float) -> DisasterClock | None:
    """None: the plan has no milestones and no objective of D+N. A run that is over is looked at when it ended."""
    limit = next((int(item.limit) for item in plan.objectives if item.metric is Metric.DR_DEADLINE), None)
    if limit is None and not plan.milestones:
        return None
    disaster, definition = disaster_of(plan, events), topology.site.disaster.d_definition
    d = disaster.by(definition)

    def after(days: int) -> Deadline | None:
        return None if d is None else deadline(d, days, topology.site.timezone, known_days(events))

    met = {item.id: met_at(item, events) for item in plan.milestones}
    reached = (_reached(topology, item, met[item.id], after(item.due_d), now) for item in plan.milestones)
    return DisasterClock(disaster, definition, d, None if limit is None else after(limit), tuple(reached))


def _reached(topology: Topology, item: Milestone, met: float | None, due: Deadline | None, now: float) -> Reached:
    over = due is not None and (now if met is None else met) > due.counts
    state = MilestoneState.LATE if over else MilestoneState.OPEN if met is None else MilestoneState.MET
    return Reached(item, state, met, due, tuple(_people(topology, item)))


def _people(topology: Topology, item: Milestone) -> Iterator[Person]:
    known = {person.id: person for person in topology.people.people}
    return (known[name] for name in item.people if name in known)


def alarms(plan: Plan, topology: Topology, events: Sequence[Event], now: float) -> tuple[Alarm, ...]:
    """Every alarm that is due at `now` (seconds since the epoch), earliest first; the same ones at each call. For D+1
    and D+2 that have passed with a milestone open that is due by then; a run that is closed, has no D or no milestones,
    or whose milestones were met in time, has none. It needs no orchestrator: whoever calls it tells each (run, day)
    once (`orchestrator.report.notices.alarm_notice` makes a notice of it, with an id of its own for each).
    """
    clock = disaster_clock(plan, topology, events, now)
    if clock is None or clock.d is None or any(event.kind is EventKind.CLOSED for event in events):
        return ()
    found: list[Alarm] = []
    for day in ALARM_DAYS:
        passed = deadline(clock.d, day, topology.site.timezone, known_days(events)).counts
        late = [item for item in clock.milestones if item.milestone.due_d <= day and _was_open(item, passed)]
        if now >= passed and late:
            people = dict.fromkeys(person for item in late for person in item.people[:1])
            found.append(Alarm(day, passed, tuple(item.milestone for item in late), tuple(people)))
    return tuple(found)


def _was_open(item: Reached, at: float) -> bool:
    """Not met by then. What was met later, while nobody looked, was late all the same."""
    return item.met_at is None or item.met_at > at
