"""The D+N clock: both bases, holidays, the calendar's horizon, milestones and alarms."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestrator.cli.days import known_from
from orchestrator.loader.calendar import load_calendar
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import load_site
from orchestrator.model.disaster import DayBasis, DDefinition, Disaster, KnownDays, deadline
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan
from orchestrator.planner import Request, make_plan
from orchestrator.rules.disaster_clock import MilestoneState, alarms, disaster_clock
from tests.support.permits import permit_for
from tests.support.sites import ROOT

SITE = load_site(ROOT / "inventory/example")
CALENDAR = load_calendar(ROOT / "inventory/example")
ZONE = "Asia/Shanghai"
HOUR = 3600.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp()


def known(text: str) -> KnownDays:
    found = known_from(CALENDAR, datetime.fromisoformat(text))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("d", "calendar", "trading"),
    [
        ("2026-10-12T09:30", "2026-10-15T09:30", "2026-10-15T09:30"),  # a Monday: both the same
        ("2026-10-16T15:00", "2026-10-19T15:00", "2026-10-21T15:00"),  # a Friday
        ("2026-10-17T03:00", "2026-10-20T03:00", "2026-10-21T03:00"),  # a Saturday, in the night
        ("2026-09-30T23:59", "2026-10-03T23:59", "2026-10-12T23:59"),  # the eve of the National Day's holidays
        ("2026-09-24T10:00", "2026-09-27T10:00", "2026-09-30T10:00"),  # the eve of Mid-Autumn, a Friday
        ("2026-04-30T10:00", "2026-05-03T10:00", "2026-05-08T10:00"),  # the eve of Labour Day
    ],
)
def test_both_bases_are_told_and_the_earlier_counts(d: str, calendar: str, trading: str) -> None:
    found = deadline(at(d), 3, ZONE, known(d))
    assert (found.calendar, found.trading, found.counts) == (at(calendar), at(trading), at(calendar))
    assert (found.by(DayBasis.CALENDAR), found.by(DayBasis.TRADING)) == (at(calendar), at(trading))


def test_a_friday_before_the_holidays_is_seven_days_longer_by_trading_days() -> None:
    found = deadline(at("2027-02-05T10:00"), 3, ZONE, KnownDays.model_validate(_before_spring_festival()))
    assert (found.calendar, found.trading) == (at("2027-02-08T10:00"), at("2027-02-17T10:00"))


def _before_spring_festival() -> dict[str, Any]:
    """A week without trading after that Friday, as a firm might have written it into its calendar."""
    return {
        "first": "2027-02-05",
        "last": "2027-02-19",
        "trading": ["2027-02-05", "2027-02-15", "2027-02-16", "2027-02-17"],
    }


def test_beyond_the_horizon_nothing_is_guessed() -> None:
    last = CALENDAR.trading_days.horizon
    d = f"{last:%Y-%m-%d}T10:00"
    found = deadline(at(d), 3, ZONE, known(d))
    assert found.trading is None
    assert found.counts == found.calendar
    assert deadline(at("2026-12-29T10:00"), 3, ZONE, known("2026-12-29T10:00")).trading is None
    assert deadline(at("2026-12-28T10:00"), 3, ZONE, known("2026-12-28T10:00")).trading == at("2026-12-31T10:00")
    assert deadline(at(d), 3, ZONE, None).trading is None


def test_days_before_those_that_are_known_are_not_counted() -> None:
    assert deadline(at("2026-10-01T10:00"), 1, ZONE, known("2026-10-12T00:00")).trading is None


# -- a run ------------------------------------------------------------------------------------------------

D = at("2026-10-12T08:00")
DECLARED = D + HOUR


def planned(mode: Mode = Mode.INCIDENT) -> Plan:
    today = datetime(2026, 10, 12, tzinfo=UTC).date()
    return make_plan(
        SITE.topology, SITE.digest, load_drill(ROOT / "drills", "beijing-dr-cutover"), Request(mode, today, {})
    )


@dataclass
class Story:
    """Events of a run, made as they are needed."""

    plan: Plan = field(default_factory=planned)
    events: list[Event] = field(default_factory=list)

    def add(
        self, when: float, kind: EventKind, data: dict[str, Any], step: str | None = None, attempt: int = 1
    ) -> None:
        seq, stamp = len(self.events) + 1, datetime.fromtimestamp(when, UTC).isoformat()
        common: dict[str, Any] = {"run": "r", "seq": seq, "at": stamp, "previous": "", "digest": ""}
        self.events.append(Event(kind=kind, step=step, attempt=attempt if step else None, data=data, **common))

    def opened(self, when: float = DECLARED, said: Disaster | None = None) -> "Story":
        permit = permit_for(self.plan)
        given = permit.model_copy(update={"disaster": said}).model_dump(mode="json") if permit else None
        self.add(when, EventKind.OPENED, {"owner": "o", **({"permit": given} if given else {})})
        self.add(when, EventKind.DAYS, known("2026-10-12T00:00").model_dump(mode="json"))
        return self

    def done(self, when: float, step: str, outcome: str = "succeeded", attempt: int = 1, **data: Any) -> "Story":
        names = [target.name for target in next(item for item in self.plan.steps if item.id == step).targets]
        self.add(when - 1, EventKind.INTENT, {"verb": "x", "targets": names}, step, attempt)
        results = [{"target": name, "outcome": outcome, "message": "", "data": data} for name in names]
        self.add(when, EventKind.DONE, {"results": results}, step, attempt)
        return self


BOTH = Disaster(occurred_at=D, declared_at=DECLARED)


def test_d_is_what_the_site_takes_it_for() -> None:
    story = Story().opened(said=BOTH)
    found = disaster_clock(story.plan, SITE.topology, story.events, DECLARED)
    assert found is not None
    assert found.d == D
    settings = SITE.topology.site.disaster.model_copy(update={"d_definition": DDefinition.DECLARED})
    site = SITE.topology.site.model_copy(update={"disaster": settings})
    other = disaster_clock(story.plan, SITE.topology.model_copy(update={"site": site}), story.events, DECLARED)
    assert other is not None
    assert other.d == DECLARED
    assert other.limit is not None
    assert other.limit.calendar == DECLARED + 72 * HOUR


def test_where_nobody_has_said_when_an_incident_begins_with_its_run_and_a_drill_with_its_fault() -> None:
    story = Story().opened()
    found = disaster_clock(story.plan, SITE.topology, story.events, DECLARED)
    assert found is not None
    assert found.d == DECLARED
    drill = Story(planned(Mode.DRILL)).opened()
    before = disaster_clock(drill.plan, SITE.topology, drill.events, DECLARED)
    assert before is not None
    assert (before.d, before.limit) == (None, None)
    drill.add(DECLARED + 60, EventKind.FAULT_ON, {"at": DECLARED + 50})
    after = disaster_clock(drill.plan, SITE.topology, drill.events, DECLARED + 60)
    assert after is not None
    assert after.d == DECLARED + 50


def states(story: Story, now: float) -> dict[str, MilestoneState]:
    found = disaster_clock(story.plan, SITE.topology, story.events, now)
    assert found is not None
    return {item.milestone.id: item.state for item in found.milestones}


def test_a_milestone_is_open_met_or_late() -> None:
    story = Story().opened(said=BOTH)
    assert set(states(story, D + HOUR).values()) == {MilestoneState.OPEN}
    assert states(story, D + 25 * HOUR)["announcement"] is MilestoneState.LATE
    story.done(D + 20 * HOUR, "confirm-announcement", at=D + 19 * HOUR)
    assert states(story, D + 25 * HOUR)["announcement"] is MilestoneState.MET
    late = Story().opened(said=BOTH).done(D + 26 * HOUR, "confirm-announcement", at=D + 25 * HOUR)
    assert states(late, D + 27 * HOUR)["announcement"] is MilestoneState.LATE
    backdated = Story().opened(said=BOTH).done(D + 26 * HOUR, "confirm-announcement", at=D + 23 * HOUR)
    assert states(backdated, D + 27 * HOUR)["announcement"] is MilestoneState.MET, "it was so in time"


@pytest.mark.parametrize("outcome", ["failed", "timed_out", "skipped", "indeterminate"])
def test_what_nobody_has_confirmed_is_not_reached(outcome: str) -> None:
    story = Story().opened(said=BOTH).done(D + HOUR, "confirm-announcement", outcome)
    assert states(story, D + 2 * HOUR)["announcement"] is MilestoneState.OPEN


def test_what_is_looked_at_again_after_an_interruption_was_reached_before() -> None:
    story = Story().opened(said=BOTH).done(D + HOUR, "settle").done(D + 2 * HOUR, "check-after-switch")
    story.done(D + 60 * HOUR, "check-after-switch", attempt=2)
    assert states(story, D + 61 * HOUR)["logged-in"] is MilestoneState.MET


def test_alarms_name_what_is_due_and_open_with_whom_to_call() -> None:
    story = Story().opened(said=BOTH)
    assert alarms(story.plan, SITE.topology, story.events, D + 24 * HOUR - 1) == ()
    (first,) = alarms(story.plan, SITE.topology, story.events, D + 24 * HOUR)
    assert (first.day, first.passed_at, [item.id for item in first.open]) == (1, D + 24 * HOUR, ["announcement"])
    assert [(person.id, person.phone) for person in first.people] == [("zhang", "021-5550 0101")]
    story.done(D + 30 * HOUR, "confirm-announcement", at=D + 30 * HOUR)
    again = alarms(story.plan, SITE.topology, story.events, D + 49 * HOUR)
    assert [(item.day, [one.id for one in item.open]) for item in again] == [
        (1, ["announcement"]),
        (2, ["configured", "network", "logged-in"]),
    ]
    story.add(D + 50 * HOUR, EventKind.CLOSED, {})
    assert alarms(story.plan, SITE.topology, story.events, D + 51 * HOUR) == ()


def test_an_alarm_tells_no_telephone_number() -> None:
    story = Story().opened(said=BOTH)
    (first,) = alarms(story.plan, SITE.topology, story.events, D + 24 * HOUR)
    assert first.as_data()["owners"] == ["张明（示例） Zhang Ming (example)"]
    assert "5550" not in str(first.as_data())
