"""What a year of drills comes to: days, windows, what was held, what was missed."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from orchestrator.model.base import Title
from orchestrator.model.calendar import SiteCalendar, Trading
from orchestrator.model.drill import Mode
from orchestrator.model.local_time import moment
from orchestrator.model.schedule import Schedule
from orchestrator.rules.schedule import (
    Entry,
    EntryState,
    Held,
    Standing,
    Subject,
    age,
    coverage,
    entries,
    horizon,
    standing,
    why_not_fire,
)
from tests.rules.test_windows import ZONE, calendar, window

DAY = timedelta(days=1)


def rule(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "title": {"zh": "演练", "en": name},
        "drill": name,
        "for_each": "centre",
        "every_months": 12,
        "clauses": ["SSCC-2.3"],
        "policy": "the test's",
        **more,
    }


def schedule(*rules: dict[str, Any], starts: str = "2024-01-01") -> Schedule:
    return Schedule.model_validate({"starts": starts, "rules": rules})


def subjects_of(known: Schedule, count: int = 1) -> list[Subject]:
    return [
        Subject(
            item, (("centre", f"c{number}"),), f"{item.drill}:c{number}", Title(zh="中心", en="centre"), number, count
        )
        for item in known.rules
        for number in range(count)
    ]


def planned(known: Schedule, days: SiteCalendar, first: str, last: str, count: int = 1) -> list[Entry]:
    return entries(known, subjects_of(known, count), days, ZONE, date.fromisoformat(first), date.fromisoformat(last))


def day(text: str) -> date:
    return date.fromisoformat(text)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


YEARS = schedule(rule("centre"), rule("monthly", every_months=1, grace_h=0), starts="2024-01-01")


def test_every_value_of_every_rule_stands_once_in_each_of_its_periods() -> None:
    found = planned(YEARS, calendar(), "2024-01-01", "2026-12-31", count=3)
    assert len(found) == 3 * 3 + 3 * 36
    assert len({item.id for item in found}) == len(found)
    assert all(item.first <= item.begins.date() <= item.last for item in found)


def test_no_entry_is_on_a_trading_day_a_blocked_one_or_that_of_another() -> None:
    block = {"id": "b", "first": "2025-01-20", "last": "2025-02-10", "reason": {"zh": "停", "en": "stop"}}
    days = calendar(blocked=[block])
    found = planned(YEARS, days, "2024-01-01", "2026-12-31", count=3)
    assert all(days.trading(item.begins.date()) is Trading.NOT_TRADING for item in found)
    assert not [item for item in found if day("2025-01-20") <= item.begins.date() <= day("2025-02-10")]
    assert all(before.begins.date() != after.begins.date() for before, after in pairwise(found))


def test_the_preferred_weekday_and_time_are_kept_where_they_are_free() -> None:
    known = schedule(rule("sunday", weekday="sunday", begins="13:00"))
    (found,) = planned(known, calendar(), "2025-01-01", "2025-12-31")
    assert (found.begins.strftime("%A %H:%M"), found.state) == ("Sunday 13:00", EntryState.PLANNED)
    assert abs((found.begins.date() - day("2025-07-02")).days) <= 3


def test_values_of_one_rule_are_spread_over_its_period() -> None:
    first, second = planned(schedule(rule("centre")), calendar(), "2025-01-01", "2025-12-31", count=2)
    assert (second.begins - first.begins).days in range(175, 190)


def test_whatever_is_asked_for_an_entry_keeps_its_day() -> None:
    whole = {item.id: item for item in planned(YEARS, calendar(), "2024-01-01", "2027-12-31", count=2)}
    first = day("2024-02-11")
    while first < day("2026-12-01"):
        for item in planned(YEARS, calendar(), str(first), str(horizon(first)), count=2):
            assert whole[item.id] == item
        first += 97 * DAY


def test_an_announced_window_is_preferred_and_gives_its_time() -> None:
    days = calendar(
        window("any", "2025-11-08 09:00", "2025-11-08 17:00"),
        window("own", "2025-03-15 12:00", "2025-03-15 18:00", drills=["centre"]),
        window("others", "2025-07-05 08:30", "2025-07-05 18:00", drills=["another"]),
    )
    (found,) = planned(schedule(rule("centre")), days, "2025-01-01", "2025-12-31")
    assert found.window is not None
    assert (found.window.id, found.begins, found.state) == ("own", at("2025-03-15 12:00"), EntryState.IN_WINDOW)


def test_a_window_that_is_too_short_is_not_taken() -> None:
    days = calendar(window("short", "2025-11-08 09:00", "2025-11-08 12:00"))
    (found,) = planned(schedule(rule("centre")), days, "2025-01-01", "2025-12-31")
    assert found.state is EntryState.PLANNED


def test_two_drills_do_not_share_a_window() -> None:
    known = schedule(rule("centre"), rule("carrier"))
    days = calendar(window("any", "2025-11-08 08:30", "2025-11-08 17:00"))
    found = planned(known, days, "2025-01-01", "2025-12-31")
    assert sorted(item.state for item in found) == [EntryState.IN_WINDOW, EntryState.PLANNED]


def test_a_rehearsal_takes_no_window_from_a_drill() -> None:
    known = schedule(rule("rehearsed", mode="rehearsal"), rule("centre"))
    days = calendar(window("any", "2025-11-08 08:30", "2025-11-08 17:00"))
    states = {item.subject.rule.id: item.state for item in planned(known, days, "2025-01-01", "2025-12-31")}
    assert states == {"rehearsed": EntryState.PLANNED, "centre": EntryState.IN_WINDOW}


def test_past_the_horizon_an_entry_is_provisional_and_refuses_to_fire() -> None:
    (found,) = planned(schedule(rule("centre")), calendar(), "2027-01-01", "2027-12-31")
    assert found.state is EntryState.PROVISIONAL
    refused = why_not_fire(found, ZONE, moment(found.begins, ZONE))
    assert refused is not None
    assert refused.code == "SCHEDULE_PROVISIONAL"
    known = calendar(days=[{"day": found.begins.date(), "state": "closed", "source": "notice"}])
    (settled,) = planned(schedule(rule("centre")), known, "2027-01-01", "2027-12-31")
    assert (settled.id, settled.begins, settled.state) == (found.id, found.begins, EntryState.PLANNED)


def test_a_period_without_a_free_day_says_so() -> None:
    days = calendar(
        blocked=[{"id": "b", "first": "2025-01-01", "last": "2025-12-31", "reason": {"zh": "停", "en": "x"}}]
    )
    (found,) = planned(schedule(rule("centre")), days, "2025-01-01", "2025-12-31")
    assert found.state is EntryState.NO_DAY
    refused = why_not_fire(found, ZONE, moment(found.begins, ZONE))
    assert refused is not None
    assert refused.code == "SCHEDULE_NO_DAY"


@pytest.mark.parametrize(
    ("after", "expected"),
    [(-1, "SCHEDULE_NOT_DUE"), (0, None), (24 * 3600 - 1, None), (24 * 3600, "SCHEDULE_MISSED")],
)
def test_an_entry_fires_between_its_time_and_its_grace_only(after: int, expected: str | None) -> None:
    days = calendar(window("any", "2025-11-08 08:30", "2025-11-08 17:00"))
    (found,) = planned(schedule(rule("centre")), days, "2025-01-01", "2025-12-31")
    refused = why_not_fire(found, ZONE, moment(found.begins, ZONE) + after)
    assert (refused.code if refused else None) == expected


def test_a_drill_without_a_window_does_not_fire_and_a_rehearsal_does() -> None:
    known = schedule(rule("centre"), rule("rehearsed", mode="rehearsal"))
    found = {item.subject.rule.id: item for item in planned(known, calendar(), "2025-01-01", "2025-12-31")}
    refused = why_not_fire(found["centre"], ZONE, moment(found["centre"].begins, ZONE))
    assert refused is not None
    assert refused.code == "OUTSIDE_WINDOW"
    assert why_not_fire(found["rehearsed"], ZONE, moment(found["rehearsed"].begins, ZONE)) is None


def held(when: str, mode: Mode = Mode.DRILL, scenario: str = "centre:c0") -> Held:
    return Held(f"run-{when}", scenario, mode, at(when), "passed")


@pytest.fixture
def entry() -> Entry:
    (found,) = planned(schedule(rule("centre")), calendar(), "2025-01-01", "2025-12-31")
    assert found.begins == at("2025-07-05 08:30")
    return found


@pytest.mark.parametrize(
    ("now", "runs", "expected"),
    [
        ("2025-07-05 08:00", [], Standing.UPCOMING),
        ("2025-07-06 08:29", [], Standing.UPCOMING),
        ("2025-07-06 08:30", [], Standing.MISSED),
        ("2025-08-01 00:00", [held("2025-07-05 08:40")], Standing.HELD),
        ("2025-08-01 00:00", [held("2025-02-01 08:40")], Standing.HELD),
        ("2025-08-01 00:00", [held("2025-07-20 08:40")], Standing.LATE),
        ("2025-08-01 00:00", [held("2024-12-31 08:40")], Standing.MISSED),
        ("2025-08-01 00:00", [held("2025-07-05 08:40", Mode.REHEARSAL)], Standing.MISSED),
        ("2025-08-01 00:00", [held("2025-07-05 08:40", scenario="centre:c1")], Standing.MISSED),
    ],
)
def test_what_becomes_of_an_entry(entry: Entry, now: str, runs: list[Held], expected: Standing) -> None:
    assert standing(entry, runs, at(now))[0] is expected


def test_how_long_ago_a_drill_was_held_and_when_it_is_overdue() -> None:
    known = schedule(rule("centre"), starts="2024-02-29")
    (subject,) = subjects_of(known)
    never = age(known, subject, [], day("2025-02-28"))
    assert (never.last, never.days, never.due, never.overdue) == (None, None, day("2025-02-28"), False)
    assert age(known, subject, [], day("2025-03-01")).overdue
    runs = [held("2024-05-01 09:00"), held("2024-09-01 09:00"), held("2024-12-01 09:00", Mode.REHEARSAL)]
    found = age(known, subject, runs, day("2025-03-01"))
    assert (found.days, found.due, found.overdue) == (181, day("2025-09-01"), False)
    assert age(known, subject, runs, day("2025-09-02")).overdue


def test_a_clause_that_no_rule_serves_is_said_and_rehearsals_serve_none() -> None:
    known = schedule(rule("centre"), rule("rehearsed", mode="rehearsal", clauses=["SSCC-A.1"]))
    found = {
        item.clause: item
        for item in coverage(subjects_of(known), planned(known, calendar(), "2025-01-01", "2025-12-31"))
    }
    assert found["SSCC-2.3"].is_served
    assert [item.rules for item in found.values()] == [("centre",), (), (), ()]
    assert not found["SSCC-A.1"].is_served


def test_a_value_without_an_entry_in_the_year_is_lacking() -> None:
    known = schedule(rule("centre"))
    both = subjects_of(known, 2)
    there = entries(known, [both[0]], calendar(), ZONE, day("2025-01-01"), day("2025-12-31"))
    other = replace(both[1], rule=both[1].rule.model_copy(update={"id": "second"}))
    (found, *_) = coverage([both[0], other], there)
    assert (found.lacking, found.is_served) == (("second/c1",), False)
