"""Outage in trading hours: what is counted, on which days, and from when on it is to be reported."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import load_site
from orchestrator.model.calendar import DayOverride, SessionHours, SiteCalendar, TradingDays
from orchestrator.model.drill import Mode
from orchestrator.model.event import Sample
from orchestrator.model.outage import Outage
from orchestrator.model.plan import Plan
from orchestrator.model.topology import GatewayClass
from orchestrator.planner import Request, make_plan
from orchestrator.rules.outage import Level, OutageWatch, TradingHours, level, total
from tests.support.sites import ROOT

ZONE = "Asia/Shanghai"
SITE = load_site(ROOT / "inventory/example")
SESSIONS = tuple(
    SessionHours.model_validate(
        {
            "id": name,
            "title": {"zh": "时段", "en": "hours"},
            "classes": [],
            "begins": begins,
            "ends": ends,
            "source": "t",
        }
    )
    for name, begins, ends in (("morning", time(9, 30), time(11, 30)), ("afternoon", time(13), time(15)))
)
CALENDAR = SiteCalendar(
    trading_days=TradingDays(
        first_day=date(2026, 1, 1), horizon=date(2026, 12, 31), closed_weekdays=(date(2026, 10, 1),), source="t"
    ),
    sessions=SESSIONS,
    days=(DayOverride(day=date(2026, 11, 24), state="closed", source="typhoon"),),
)
TODAY = date(2026, 11, 23)
HOURS = TradingHours(CALENDAR, ZONE)


def at(day: int, hour: int, minute: int = 0, month: int = 11, year: int = 2026) -> float:
    return datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(ZONE)).timestamp()


@pytest.mark.parametrize(
    ("begins", "ends", "minutes", "unknown"),
    [
        (at(23, 9), at(23, 9, 30), 0, False),  # before the opening of a Monday
        (at(23, 9, 20), at(23, 9, 40), 10, False),
        (at(23, 11), at(23, 13, 30), 60, False),  # the pause counts for nothing
        (at(22, 10), at(22, 11), 0, False),  # a Sunday
        (at(24, 10), at(24, 11), 0, False),  # the site knows better: a typhoon
        (at(23, 14, 50), at(25, 9, 40), 20, False),  # over the closed day between
        (at(5, 10, month=1, year=2027), at(5, 10, 30, month=1, year=2027), 30, True),  # nobody has published it
        (at(5, 7, month=1, year=2027), at(5, 8, month=1, year=2027), 0, False),  # out of hours whatever the day is
    ],
)
def test_only_session_hours_of_days_that_trade_or_may_trade_count(
    begins: float, ends: float, minutes: int, unknown: bool
) -> None:
    found, doubtful = HOURS.within(GatewayClass.TRADING, (begins, ends))
    assert (total(found), doubtful) == (minutes * 60, unknown)


def plan(drill: str = "single-centre-failure", mode: Mode = Mode.INCIDENT) -> Plan:
    return make_plan(SITE.topology, SITE.digest, load_drill(ROOT / "drills", drill), Request(mode, TODAY, {}))


class Eyes:
    """Every gateway of the example, seen at the fronts of its own list, or out."""

    def __init__(self, made: Plan, *, fault_on: bool = True) -> None:
        self.plan = made
        self.watch = OutageWatch(made, SITE.topology, lambda _: fault_on)

    def look(self, when: float, out: set[str] = frozenset(), hidden: set[str] = frozenset()) -> None:  # type: ignore[assignment] # never changed
        for change in self.plan.gateways:
            if change.gateway in hidden:
                continue
            runs = change.before is not None
            front = None
            if runs and change.gateway not in out:
                names = [*change.list_after, *change.list_before]
                dead = self.plan.fault.centres
                front = next(name for name in names if SITE.topology.front[name].centre not in dead)
            self.watch.see(self.sample(change.gateway, change.host, when, front, runs=runs), when)

    def sample(self, gateway: str, host: str, when: float, front: str | None, *, runs: bool = True) -> Sample:
        session = SITE.topology.front[front].endpoint if front else None
        return Sample(
            gateway=gateway, host=host, at=when, mono=when, running=runs, session=session, logged_in=front is not None
        )

    def rows(self, until: float) -> dict[str, Outage]:
        return {item.number or item.gateway_class.value: item for item in self.watch.outages(HOURS, until)}


def test_a_class_is_out_while_any_number_of_it_is_and_each_number_for_itself() -> None:
    eyes, start = Eyes(plan()), at(23, 10)
    eyes.look(start)
    eyes.look(start + 60, {"nq-trade-1"})
    eyes.look(start + 180, {"nq-trade-3"})
    eyes.look(start + 300)
    rows = eyes.rows(start + 600)
    one, three = (SITE.topology.gateway[name].number for name in ("nq-trade-1", "nq-trade-3"))
    assert (rows[one].counted_s, rows[three].counted_s) == (120, 120)
    assert rows["trading"].counted_s == 240
    assert set(rows) == {one, three, "trading"}
    assert not rows["trading"].still_out
    assert not rows["trading"].at_least


def test_what_was_out_at_the_first_look_was_out_for_longer_and_lasts_until_it_is_seen_again() -> None:
    eyes, start = Eyes(plan()), at(23, 10)
    eyes.look(start, {"nq-trade-1"})
    row = eyes.rows(start + 120)["trading"]
    assert (row.counted_s, row.at_least, row.still_out) == (120, True, True)


def test_a_session_with_a_dead_centre_is_no_session() -> None:
    made = plan()
    for fault_on, expected in ((True, 100.0), (False, None)):
        eyes, start = Eyes(made, fault_on=fault_on), at(23, 10)
        eyes.look(start)
        change = next(item for item in made.gateways if item.gateway == "nq-trade-1")
        assert change.before is not None
        for when in (start + 50, start + 150):
            eyes.watch.see(eyes.sample(change.gateway, change.host, when, change.before.front), when)
        eyes.look(start + 150)
        found = eyes.rows(start + 600).get(change.number)
        assert (found.counted_s if found else None) == expected


def test_a_cold_standby_that_took_the_number_over_ends_its_outage() -> None:
    made, start = plan("gateway-host-failure", Mode.INCIDENT), at(23, 10)
    standby = next(item for item in made.gateways if item.action == "take-over")
    gone = {item.gateway for item in made.gateways if item.host in made.fault.hosts}
    eyes = Eyes(made)
    eyes.look(start, hidden=gone)
    assert standby.after is not None
    eyes.watch.see(eyes.sample(standby.gateway, standby.host, start + 90, standby.after.front), start + 90)
    row = eyes.rows(start + 600)[standby.number]
    assert (row.counted_s, row.at_least, row.still_out) == (90, True, False)


def test_a_warning_comes_before_the_limit_and_the_limit_itself_is_reportable() -> None:
    row = Outage(
        gateway_class=GatewayClass.TRADING,
        number=None,
        out_s=900,
        counted_s=0,
        at_least=False,
        unknown_day=False,
        still_out=True,
    )
    levels = [level(row.model_copy(update={"counted_s": float(at)}), SITE.topology.site) for at in (179, 180, 299, 300)]
    assert levels == [Level.NONE, Level.WARNED, Level.WARNED, Level.REPORTABLE]
