"""The windows' gate, with a clock of the test's own, over years of the calendar."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import yaml

from orchestrator.model.calendar import SiteCalendar, Trading
from orchestrator.model.local_time import moment
from orchestrator.model.topology import GatewayClass
from orchestrator.rules.windows import Closed, Open, passage
from tests.support.sites import ROOT

ZONE = "Asia/Shanghai"
CATALOGUE = ROOT / "inventory" / "catalogue"
DAYS = yaml.safe_load((CATALOGUE / "trading-days.yml").read_text(encoding="utf-8"))
CLOSED = frozenset(DAYS["closed_weekdays"])
HOURS = yaml.safe_load((CATALOGUE / "session-hours.yml").read_text(encoding="utf-8"))["sessions"]
HOUR_S = 3600.0
DRILL = "single-centre-failure"


def window(name: str, begins: str, ends: str, latest: str | None = None, drills: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "id": name,
        "title": {"zh": "窗口", "en": "window"},
        "kind": "full-market-test",
        "number": f"No. {name}",
        "source": "the test",
        "begins": begins,
        "ends": ends,
        "latest_return": latest or ends,
        "drills": drills,
    }


def calendar(*windows: dict[str, Any], **more: Any) -> SiteCalendar:
    return SiteCalendar.model_validate({"trading_days": DAYS, "sessions": HOURS, "windows": windows, **more})


def at(text: str) -> float:
    return moment(datetime.fromisoformat(text), ZONE)


def ask(
    known: SiteCalendar,
    text: str,
    expected_s: float = HOUR_S,
    classes: Sequence[GatewayClass] = (GatewayClass.TRADING,),
    drill: str = DRILL,
    window: str | None = None,
) -> Open | Closed:
    return passage(known, zone=ZONE, drill=drill, classes=classes, at=at(text), expected_s=expected_s, window=window)


def code(found: Open | Closed) -> str:
    return found.code if isinstance(found, Closed) else "OPEN"


SATURDAY = window("saturday", "2026-12-05 08:30", "2026-12-05 17:30", "2026-12-05 15:00")
# 2026-01-04 is a Sunday on which offices work; a Friday evening to a Monday morning, and over the end of a year.
WINDOWS = (
    SATURDAY,
    window("make-up", "2026-01-04 08:30", "2026-01-04 17:30"),
    window("weekend", "2025-05-16 18:00", "2025-05-19 08:00"),
    window("too-long", "2025-06-06 18:00", "2025-06-09 12:00"),
    window("new-year", "2025-12-31 20:00", "2026-01-02 06:00"),
    window("other", "2024-03-02 08:30", "2024-03-02 17:30", drills=["beijing-dr-cutover"]),
    window("past-the-horizon", "2026-12-31 20:00", "2027-01-02 06:00"),
    window("blocked", "2024-08-10 08:30", "2024-08-12 07:00"),
)
BLOCKED = [{"id": "upgrade", "first": "2024-08-11", "last": "2024-08-20", "reason": {"zh": "升级", "en": "upgrade"}}]


def told_apart(begins: datetime, ends: datetime) -> str:
    """The answer for a trading gateway, worked out from the raw data, five minutes at a time."""
    minutes = [begins + timedelta(minutes=number) for number in range(0, int((ends - begins).total_seconds()) // 60, 5)]
    if any(not date(2020, 1, 1) <= minute.date() <= date(2026, 12, 31) for minute in minutes):
        return "CALENDAR_UNKNOWN"
    for minute in minutes:
        trades = minute.weekday() < 5 and minute.date() not in CLOSED
        if trades and (8, 30) <= (minute.hour, minute.minute) < (15, 35):
            return "TRADING_HOURS"
    if any(date(2024, 8, 11) <= minute.date() <= date(2024, 8, 20) for minute in minutes):
        return "BLOCKED_DATE"
    for item in WINDOWS:
        opens, returns = datetime.fromisoformat(item["begins"]), datetime.fromisoformat(item["latest_return"])
        if opens <= begins and ends <= returns and not item["drills"]:
            return "OPEN"
    return "OUTSIDE_WINDOW"


def test_every_half_hour_of_four_years_has_the_answer_that_raw_data_gives() -> None:
    known = calendar(*WINDOWS, blocked=BLOCKED)
    begins, found = datetime.fromisoformat("2024-01-01 00:00"), Counter[str]()
    while begins.year < 2028:
        ends = begins + timedelta(hours=1)
        answer = code(ask(known, begins.isoformat(" ")))
        assert answer == told_apart(begins, ends), begins
        found[answer] += 1
        begins += timedelta(minutes=30)
    assert set(found) == {"CALENDAR_UNKNOWN", "TRADING_HOURS", "BLOCKED_DATE", "OUTSIDE_WINDOW", "OPEN"}
    assert found["CALENDAR_UNKNOWN"] == 365 * 48 + 1


def test_no_window_is_open_by_default() -> None:
    found = ask(calendar(), "2026-12-05 09:00")
    assert isinstance(found, Closed)
    assert found.code == "OUTSIDE_WINDOW"
    assert "expected an announced or confirmed window in calendar.yml, found none" in found.reason


def test_a_window_opens_with_its_latest_return() -> None:
    found = ask(calendar(SATURDAY), "2026-12-05 08:30")
    assert isinstance(found, Open)
    assert (found.window.id, found.latest_return_at) == ("saturday", at("2026-12-05 15:00"))


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("2026-12-05 08:29", "opens at 2026-12-05 Sat 08:30, and it is 2026-12-05 Sat 08:29"),
        ("2026-12-05 17:30", "closed at 2026-12-05 Sat 17:30"),
        ("2026-12-05 17:00", "ends by 2026-12-05 Sat 17:30, when window saturday (No. saturday) closes, found"),
        (
            "2026-12-05 14:01",
            "ends by 2026-12-05 Sat 15:00, the latest return of window saturday (No. saturday), found",
        ),
    ],
)
def test_a_window_says_which_of_its_times_stands_against_a_run(when: str, said: str) -> None:
    found = ask(calendar(SATURDAY), when)
    assert isinstance(found, Closed)
    assert found.code == "OUTSIDE_WINDOW"
    assert said in found.reason
    assert "\n" not in found.reason


def test_a_run_that_ends_with_the_latest_return_passes() -> None:
    assert isinstance(ask(calendar(SATURDAY), "2026-12-05 14:00"), Open)


def test_a_window_for_other_drills_is_none_for_this_one() -> None:
    known = calendar(window("beijing", "2026-12-05 08:30", "2026-12-05 17:30", drills=["beijing-dr-cutover"]))
    found = ask(known, "2026-12-05 09:00")
    assert isinstance(found, Closed)
    assert "found window beijing (No. beijing) for beijing-dr-cutover only" in found.reason
    assert isinstance(ask(known, "2026-12-05 09:00", drill="beijing-dr-cutover"), Open)


def test_only_the_window_that_was_approved_will_do() -> None:
    other = window("other", "2026-12-05 08:30", "2026-12-05 19:00")
    known = calendar(SATURDAY, other)
    assert isinstance(ask(known, "2026-12-05 16:00", window="other"), Open)
    found = ask(known, "2026-12-05 16:00", window="saturday")
    assert isinstance(found, Closed)
    assert "latest return of window saturday" in found.reason
    missing = ask(known, "2026-12-05 16:00", window="sunday")
    assert isinstance(missing, Closed)
    assert "expected window sunday in calendar.yml, found saturday, other" in missing.reason


def test_of_two_windows_that_are_open_the_later_return_counts() -> None:
    longer = window("longer", "2026-12-05 09:00", "2026-12-05 16:00")
    found = ask(calendar(SATURDAY, longer), "2026-12-05 10:00")
    assert isinstance(found, Open)
    assert found.window.id == "longer"


@pytest.mark.parametrize("day", ["2025-01-26", "2025-02-08", "2026-02-14", "2026-10-10"])
def test_a_make_up_workday_is_no_trading_day_but_offices_work(day: str) -> None:
    known = calendar(window("on", f"{day} 08:30", f"{day} 17:30"))
    assert known.trading(date.fromisoformat(day)) is Trading.NOT_TRADING
    assert known.working_day(date.fromisoformat(day)) is True
    assert isinstance(ask(known, f"{day} 09:30"), Open)


def test_an_announced_window_does_not_open_trading_hours() -> None:
    known = calendar(window("wednesday", "2026-11-25 09:00", "2026-11-25 20:00"))
    found = ask(known, "2026-11-25 10:00")
    assert isinstance(found, Closed)
    assert found.code == "TRADING_HOURS"
    assert "NEEQ and BSE: pre-open, trading and after hours from 2026-11-25 Wed 08:30 to 15:35" in found.reason
    assert isinstance(ask(known, "2026-11-25 15:35"), Open)


def test_settlement_gateways_have_hours_in_the_evening() -> None:
    known = calendar(window("evening", "2026-11-25 16:00", "2026-11-26 06:00"))
    settlement = [GatewayClass.TRADING, GatewayClass.SETTLEMENT]
    assert code(ask(known, "2026-11-25 21:59", classes=settlement)) == "TRADING_HOURS"
    assert isinstance(ask(known, "2026-11-25 22:00", classes=settlement), Open)
    assert isinstance(ask(known, "2026-11-25 16:00"), Open)


def test_a_run_of_no_class_in_particular_keeps_to_the_hours_of_all() -> None:
    known = calendar(window("evening", "2026-11-25 16:00", "2026-11-26 06:00"))
    assert code(ask(known, "2026-11-25 21:59", classes=())) == "TRADING_HOURS"


def test_a_weekends_window_must_be_left_before_mondays_session_hours() -> None:
    known = calendar(window("weekend", "2026-11-20 18:00", "2026-11-23 12:00"))
    found = ask(known, "2026-11-20 18:00", 62 * HOUR_S)
    assert isinstance(found, Open)
    assert found.latest_return_at == at("2026-11-23 08:30")  # though the window's own latest return is at noon
    assert code(ask(known, "2026-11-20 18:00", 62.5 * HOUR_S)) == "OPEN"
    assert code(ask(known, "2026-11-20 18:00", 62.5 * HOUR_S + 1)) == "TRADING_HOURS"


def test_a_long_run_over_trading_hours_is_refused_though_it_begins_and_ends_outside_them() -> None:
    known = calendar(window("weekend", "2026-11-20 18:00", "2026-11-24 08:00"))
    assert code(ask(known, "2026-11-22 20:00", 30 * HOUR_S)) == "TRADING_HOURS"


def test_a_run_over_midnight_keeps_to_the_block_of_the_next_day() -> None:
    known = calendar(
        window("night", "2026-11-27 18:00", "2026-11-29 08:00"),
        blocked=[{"id": "saturday", "first": "2026-11-28", "last": "2026-11-28", "reason": {"zh": "升级", "en": "x"}}],
    )
    assert isinstance(ask(known, "2026-11-27 23:00"), Open)
    found = ask(known, "2026-11-27 23:01")
    assert isinstance(found, Closed)
    assert found.code == "BLOCKED_DATE"
    assert "2026-11-28 Sat blocked from 2026-11-28 to 2026-11-28 (saturday: x)" in found.reason


def test_after_the_horizon_nothing_is_known_weekends_neither() -> None:
    known = calendar(window("january", "2026-12-31 16:00", "2027-01-09 18:00"))
    for when in ("2027-01-01 09:00", "2027-01-02 09:00", "2027-01-04 09:00", "2026-12-31 23:30"):
        assert code(ask(known, when)) == "CALENDAR_UNKNOWN", when
    found = ask(known, "2026-12-31 23:00")
    assert isinstance(found, Open)
    assert found.latest_return_at == at("2027-01-01 00:00")


def test_before_the_first_day_nothing_is_known() -> None:
    assert code(ask(calendar(), "2019-12-28 09:00")) == "CALENDAR_UNKNOWN"


def test_the_sites_word_counts_before_the_catalogue() -> None:
    typhoon = {"day": "2026-11-25", "state": "closed", "source": "notice"}
    opened = {"day": "2026-11-28", "state": "open", "source": "notice"}
    year = {"day": "2027-01-02", "state": "closed", "source": "notice"}
    windows = [window(name, f"{name} 08:30", f"{name} 17:30") for name in ("2026-11-25", "2026-11-28", "2027-01-02")]
    known = calendar(*windows, days=[typhoon, opened, year])
    assert isinstance(ask(known, "2026-11-25 10:00"), Open)
    assert code(ask(known, "2026-11-28 10:00")) == "TRADING_HOURS"
    assert isinstance(ask(known, "2027-01-02 10:00"), Open)


def test_the_order_of_refusal_names_the_gravest() -> None:
    everything = [{"id": "all", "first": "2020-01-01", "last": "2028-01-01", "reason": {"zh": "停", "en": "stop"}}]
    known = calendar(blocked=everything)
    assert code(ask(known, "2027-01-04 10:00")) == "CALENDAR_UNKNOWN"
    assert code(ask(known, "2026-11-25 10:00")) == "TRADING_HOURS"
    assert code(ask(known, "2026-11-25 18:00")) == "BLOCKED_DATE"


def test_a_zone_with_summer_time_keeps_to_its_own_clock() -> None:
    """2026-03-29, 02:00 does not exist in Berlin: a run of an hour from 01:30 ends at 03:30."""
    known = calendar(window("night", "2026-03-29 01:00", "2026-03-29 03:15"))
    begins = moment(datetime.fromisoformat("2026-03-29 01:30"), "Europe/Berlin")
    found = passage(known, zone="Europe/Berlin", drill=DRILL, classes=(), at=begins, expected_s=HOUR_S)
    assert isinstance(found, Closed)
    assert "found an expected end of 2026-03-29 Sun 03:30" in found.reason
