"""Waivers bear a violation until their last day, never make it satisfied; findings know since when they are open."""

from datetime import date, timedelta

from orchestrator.model.audit import Finding, Result
from orchestrator.model.records import Waiver
from orchestrator.rules.rulebook import audit
from orchestrator.rules.seen import FirstSeen, Seen, dated, seen
from orchestrator.rules.waivers import idle, waive
from tests.rules.facts import EXAMPLE, TODAY, entry, part

FACTS = part(entry(EXAMPLE, "lines", "tel-futian", peak_mbps=9.9), "isolation", joins_public_network=True)
WHERE = {"peak-use": "lines.tel-futian.bandwidth_mbps", "isolation": "records.isolation.joins_public_network"}
DAY = timedelta(days=1)


def bearing(rule: str, until: date, where: str | None = None) -> Waiver:
    return Waiver(rule=rule, where=where or WHERE[rule], reason="ordered", by="Zhang", until=until)


def violated(*waivers: Waiver, today: date = TODAY) -> dict[str, Finding]:
    found = waive(audit(FACTS), waivers, today)
    return {item.rule: item for item in found if item.result is Result.VIOLATED}


def test_a_waived_finding_stays_violated_and_does_not_count() -> None:
    item = violated(bearing("isolation", TODAY))["isolation"]
    assert item.result is Result.VIOLATED
    assert item.waived is not None
    assert (item.waived.by, item.waived.until) == ("Zhang", TODAY)
    assert not item.is_error
    assert not item.is_open


def test_only_what_is_named_is_borne() -> None:
    found = violated(bearing("isolation", TODAY, where="records.isolation"))
    assert found["isolation"].is_error
    assert found["peak-use"].waived is None


def test_after_its_last_day_it_counts_no_more_and_is_said() -> None:
    waiver = bearing("isolation", TODAY - DAY)
    assert violated(waiver)["isolation"].is_error
    assert [item.why for item in idle(audit(FACTS), [waiver], TODAY)] == ["expired"]
    assert list(idle(audit(FACTS), [bearing("isolation", TODAY)], TODAY)) == []


def test_a_waiver_of_what_is_in_order_is_said_too() -> None:
    waiver = bearing("isolation", TODAY)
    assert [item.why for item in idle(audit(EXAMPLE), [waiver], TODAY)] == ["unused"]
    assert all(item.waived is None for item in waive(audit(EXAMPLE), [waiver], TODAY))


def test_a_violation_keeps_its_first_day_and_what_is_mended_is_forgotten() -> None:
    first = dated(audit(FACTS), Seen(), TODAY)
    kept = seen(first, Seen())
    assert {(item.rule, item.where) for item in kept.violations} == set(WHERE.items())
    later = dated(audit(FACTS), kept, TODAY + 21 * DAY)
    assert {item.first_seen for item in later if item.result is Result.VIOLATED} == {TODAY}
    assert all(item.first_seen is None for item in later if item.result is not Result.VIOLATED)
    mended = seen(dated(audit(EXAMPLE), seen(later, kept), TODAY + 22 * DAY), kept)
    assert mended == Seen()
    again = dated(audit(FACTS), mended, TODAY + 23 * DAY)
    assert {item.first_seen for item in again if item.result is Result.VIOLATED} == {TODAY + 23 * DAY}


def test_what_a_live_rule_found_stays_known_while_nobody_looks_at_the_hosts() -> None:
    found = FirstSeen(rule="live-list", where="live.gateways.nq-trade-1.servers", day=TODAY)
    kept = seen(dated(audit(EXAMPLE), Seen(violations=(found,)), TODAY + DAY), Seen(violations=(found,)))
    assert kept.violations == (found,)


def test_a_waiver_of_a_rule_that_was_not_asked_is_not_idle() -> None:
    assert list(idle(audit(EXAMPLE), [bearing("live-list", TODAY, "live.gateways.nq-trade-1.servers")], TODAY)) == []


def test_a_clock_that_was_put_back_gives_no_day_to_come() -> None:
    kept = seen(dated(audit(FACTS), Seen(), TODAY), Seen())
    back = dated(audit(FACTS), kept, TODAY - DAY)
    assert {item.first_seen for item in back if item.result is Result.VIOLATED} == {TODAY - DAY}
