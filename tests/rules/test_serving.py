"""What a server decides by: when people are told of an entry, and what an audit has found that the last did not."""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.audit import Finding, Result, Severity
from orchestrator.model.base import Title
from orchestrator.model.drill import Mode
from orchestrator.model.schedule import ScheduleRule
from orchestrator.rules.audits import Audit, new_findings
from orchestrator.rules.reminders import Reminder, next_moment, reminder
from orchestrator.rules.schedule import Entry, EntryState, Subject

AT = datetime.fromisoformat
TITLE = Title(zh="演练", en="drill")


def entry(begins: datetime, grace_h: float = 24) -> Entry:
    rule = ScheduleRule(
        id="a",
        title=TITLE,
        drill="d",
        every_months=12,
        mode=Mode.REHEARSAL,
        clauses=("SSCC-2.3",),
        policy="p",
        begins=time(14, 0),
        grace_h=grace_h,
    )
    return Entry(Subject(rule, (), "d", TITLE), date(2026, 1, 1), date(2026, 12, 31), begins, EntryState.PLANNED)


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ("2026-11-13 07:29", None),
        ("2026-11-13 07:30", Reminder.EVE),
        ("2026-11-14 07:29", Reminder.EVE),
        ("2026-11-14 07:30", Reminder.TODAY),
        ("2026-11-14 13:59", Reminder.TODAY),
        ("2026-11-14 14:00", None),
    ],
)
def test_people_are_told_the_day_before_and_on_the_day_and_not_after(now: str, told: Reminder | None) -> None:
    assert reminder(entry(AT("2026-11-14 14:00")), AT(now)) is told


def test_what_begins_at_night_is_told_an_hour_before() -> None:
    early = entry(AT("2026-11-14 00:30"))
    assert reminder(early, AT("2026-11-13 23:29")) is Reminder.EVE
    assert reminder(early, AT("2026-11-13 23:30")) is Reminder.TODAY


@given(
    begins=st.datetimes(AT("2026-01-03"), AT("2026-12-29")),
    grace_h=st.floats(0, 100),
    hours=st.floats(-100, 200),
)
def test_whatever_is_to_be_done_changes_at_the_next_moment_and_not_before(
    begins: datetime, grace_h: float, hours: float
) -> None:
    one, now = entry(begins, grace_h), begins + timedelta(hours=hours)
    then = next_moment([one], now)
    last = now + timedelta(hours=1000) if then is None else then - timedelta(microseconds=1)
    assert then is None or then > now
    for when in (now + (last - now) / 2, last):
        assert reminder(one, when) is reminder(one, now)
        assert (when >= one.begins, when >= one.missed_at) == (now >= one.begins, now >= one.missed_at)


def finding(rule: str, where: str, result: Result = Result.VIOLATED) -> Finding:
    return Finding(rule=rule, clause="SSCC-2.3", severity=Severity.ERROR, result=result, where=where, text=TITLE)


def audit(*findings: Finding) -> Audit:
    return Audit(at=1.0, site="s", inventory_digest="d", findings=findings)


def test_new_is_what_is_violated_now_and_was_not() -> None:
    old, satisfied = finding("r", "a"), finding("r", "b", Result.SATISFIED)
    now = audit(finding("r", "a"), finding("r", "b"), finding("r", "c", Result.NOT_JUDGED))
    assert new_findings(audit(old, satisfied), now) == [finding("r", "b")]
    assert new_findings(None, now) == [finding("r", "a"), finding("r", "b")]
    assert new_findings(now, audit(satisfied)) == []


def test_a_second_finding_at_the_same_place_is_new() -> None:
    assert len(new_findings(audit(finding("r", "a")), audit(finding("r", "a"), finding("r", "a")))) == 1
