"""Outage in trading hours while a run lasts: warned of before the limit, told once, counted whole at the end."""

import pytest

from orchestrator.engine.heed import Stops
from orchestrator.history import outages
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind
from orchestrator.model.notify import NoticeKind
from orchestrator.report.notices import About, notice_of
from orchestrator.rules.outage import TradingHours
from tests.engine.sim import Killed
from tests.engine.test_engine import Stage, Stager, stage
from tests.rules.test_outage import CALENDAR, ZONE, at

__all__ = ["stage"]

HOURS = TradingHours(CALENDAR, ZONE)


def incident(stage: Stager, begins: float, mode: Mode = Mode.INCIDENT, dead: str = "nq-trade-1") -> Stage:
    """One gateway never comes back, whatever is done: the run waits for it as long as it may."""
    play = stage(mode=mode)
    play.world.clock.at = begins
    play.world.gateways[dead].dead = True
    if mode is Mode.INCIDENT:
        play.world.fault = play.plan.fault
    play.stops = Stops(hours=HOURS)
    return play


def told(play: Stage) -> list[tuple[str, str]]:
    found = [event.data for event in play.events if event.kind is EventKind.OUTAGE]
    return [(data["level"], data["rows"][0]["gateway_class"]) for data in found if data["level"] != "counted"]


def short(play: Stage) -> None:
    """The limit of a site where everything is quick."""
    site = play.topology.site.model_copy(update={"reportable_outage_s": 20.0})
    play.topology = play.topology.model_copy(update={"site": site})


def test_an_incident_warns_before_the_limit_and_says_once_that_it_was_passed(stage: Stager) -> None:
    play = incident(stage, at(23, 10))
    short(play)
    play.play()
    assert [level for level, name in told(play) if name == "trading"] == ["warned", "reportable"]
    rows = outages(play.events)
    assert rows is not None
    whole = next(row for row in rows if row.gateway_class == "trading" and row.number is None)
    assert whole.counted_s >= 20
    assert whole.still_out
    warned = next(event for event in play.events if event.kind is EventKind.OUTAGE)
    assert 12 <= warned.data["rows"][0]["counted_s"] < 20
    notice = notice_of(About("r1", play.plan, ZONE), warned, [])
    assert notice is not None
    assert notice.kind is NoticeKind.OUTAGE
    assert "即须报告" in notice.text.zh


def test_out_of_hours_nothing_is_counted(stage: Stager) -> None:
    play = incident(stage, at(22, 10))
    short(play)
    play.play()
    assert told(play) == []
    rows = outages(play.events)
    assert rows
    assert all(row.counted_s == 0 < row.out_s for row in rows)


@pytest.mark.parametrize("hours", [HOURS, None])
def test_a_rehearsal_and_a_site_without_session_hours_count_nothing(stage: Stager, hours: TradingHours | None) -> None:
    play = incident(stage, at(23, 10), Mode.REHEARSAL if hours else Mode.INCIDENT)
    play.stops = Stops(hours=hours)
    short(play)
    play.play()
    assert [event for event in play.events if event.kind is EventKind.OUTAGE] == list[Event]()
    assert outages(play.events) is None


def test_another_orchestrator_says_nothing_twice_and_counts_from_the_first_sample(stage: Stager) -> None:
    play = incident(stage, at(23, 10))
    short(play)
    play.world.contacts.kill_at = "waiting"
    with pytest.raises(Killed):
        play.play()
    began = play.world.samples[0].at if play.world.samples else play.world.clock.at
    play.world.contacts.revive()
    play.world.pass_time(5)
    play.resume()
    levels = [level for level, name in told(play) if name == "trading"]
    assert levels == sorted(set(levels), reverse=True)
    rows = outages(play.events)
    assert rows is not None
    whole = next(row for row in rows if row.gateway_class == "trading" and row.number is None)
    assert whole.out_s > play.world.clock.at - began - 5
