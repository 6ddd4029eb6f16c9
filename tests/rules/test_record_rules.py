"""Each audit rule over records, satisfied by the example and violated, or not judged, after one edit."""

from dataclasses import replace
from datetime import date

import pytest

from orchestrator.model.audit import Finding, Result
from orchestrator.model.records import ApprovedVersion, Hosting, Records
from orchestrator.model.topology import GatewayClass
from orchestrator.rules.facts import Facts, months_after
from orchestrator.rules.rulebook import audit
from tests.rules.facts import EXAMPLE, TODAY, entry, installed, recorded
from tests.rules.record_cases import NOT_JUDGED, VIOLATIONS

RULES_OF_RECORDS = {rule for rule, *_ in VIOLATIONS.values()}


def found(facts: Facts, rule: str, result: Result) -> list[Finding]:
    return [item for item in audit(facts) if item.rule == rule and item.result is result]


@pytest.mark.parametrize("rule", sorted(RULES_OF_RECORDS - {"hosting-lines"}))
def test_the_example_satisfies_it(rule: str) -> None:
    assert found(EXAMPLE, rule, Result.SATISFIED)


@pytest.mark.parametrize("case", VIOLATIONS)
def test_a_violation_is_found_at_its_place(case: str) -> None:
    rule, edit, severity, where, words = VIOLATIONS[case]
    violated = {item.where: item for item in found(edit(EXAMPLE), rule, Result.VIOLATED)}
    assert where in violated
    assert violated[where].severity is severity
    assert words in violated[where].text.en
    assert violated[where].mend


@pytest.mark.parametrize("case", NOT_JUDGED)
def test_what_is_not_on_record_is_not_judged(case: str) -> None:
    rule, edit = NOT_JUDGED[case]
    not_judged = found(edit(EXAMPLE), rule, Result.NOT_JUDGED)
    assert not_judged
    assert all(item.mend for item in not_judged)


def test_without_records_nothing_is_satisfied_that_only_they_could_tell() -> None:
    bare = replace(EXAMPLE, records=Records(), platform=None)
    told_by_topology = {"routed-port", "certificate-valid", "certificate-ends-soon"}
    for rule in RULES_OF_RECORDS - told_by_topology:
        assert not found(bare, rule, Result.SATISFIED), rule
    assert not found(bare, "routed-port", Result.SATISFIED)
    assert not any(item.is_error for item in audit(bare))


def test_a_version_is_approved_from_its_first_day_to_its_last() -> None:
    def at(today: date) -> Result:
        software = EXAMPLE.records.software
        new = ApprovedVersion.model_validate(
            {"class": GatewayClass.TRADING, "version": "6.0", "source": "n"}
            | {"valid_from": date(2026, 12, 1), "valid_to": date(2026, 12, 31)}
        )
        facts = recorded(EXAMPLE, software=software.model_copy(update={"approved": (*software.approved, new)}))
        facts = replace(installed(facts, "nq-trade-1", "6.0"), today=today)
        return next(i.result for i in audit(facts) if i.rule == "software-approved" and i.where.endswith("nq-trade-1"))

    days = [date(2026, 11, 30), date(2026, 12, 1), date(2026, 12, 31), date(2027, 1, 1)]
    results = [Result.VIOLATED, Result.SATISFIED, Result.SATISFIED, Result.VIOLATED]
    assert [at(day) for day in days] == results


def test_a_specification_that_is_not_in_force_yet_may_wait() -> None:
    facts = entry(EXAMPLE, "specifications", "bse-trading", latest="2.0", latest_from=date(2026, 11, 23))
    assert not found(facts, "interface-specifications", Result.VIOLATED)
    assert found(replace(facts, today=date(2026, 11, 23)), "interface-specifications", Result.VIOLATED)


def test_who_is_hosted_over_two_lines_is_in_order() -> None:
    facts = recorded(EXAMPLE, hosting=Hosting(hosted=True, lines=("tel-futian", "uni-southern")))
    (item,) = found(facts, "hosting-lines", Result.SATISFIED)
    assert "Telecom to Futian, Unicom to Southern" in item.text.en
    twice = recorded(EXAMPLE, hosting=Hosting(hosted=True, lines=("tel-futian", "tel-futian")))
    assert found(twice, "hosting-lines", Result.VIOLATED)


def test_the_last_test_of_a_certificate_counts() -> None:
    known = EXAMPLE.records.certificate_tests
    later = known[0].model_copy(update={"passed": False, "tested_on": date(2026, 1, 1)})
    assert found(recorded(EXAMPLE, certificate_tests=(later, *known)), "certificate-tested", Result.VIOLATED)
    earlier = later.model_copy(update={"tested_on": date(2025, 1, 1)})
    assert not found(recorded(EXAMPLE, certificate_tests=(*known, earlier)), "certificate-tested", Result.VIOLATED)


def test_a_failed_certificate_that_nobody_uses_is_no_violation_but_is_said() -> None:
    facts = entry(EXAMPLE, "certificate_tests", "sse-td-1-file", passed=False)
    assert not found(facts, "certificate-tested", Result.VIOLATED)
    assert any("failed" in item.text.en for item in found(facts, "certificate-tested", Result.SATISFIED))


def test_a_statement_is_recent_for_the_months_that_the_firm_says() -> None:
    facts = recorded(EXAMPLE, review_months=8)
    assert not found(replace(facts, today=date(2026, 11, 14)), "isolation-stated-lately", Result.VIOLATED)
    assert found(replace(facts, today=date(2026, 11, 15)), "isolation-stated-lately", Result.VIOLATED)


def test_on_its_last_day_a_licence_is_valid_and_an_assessment_not_overdue() -> None:
    facts = entry(EXAMPLE, "radio_licences", "sat-receive", valid_to=TODAY)
    assert not found(facts, "radio-licence", Result.VIOLATED)
    facts = entry(EXAMPLE, "assessments", "trading-access", assessed_on=date(2024, 11, 22))
    assert not found(facts, "assessment", Result.VIOLATED)
    assert found(facts, "assessment-due", Result.VIOLATED)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (TODAY, 24, date(2028, 11, 22)),
    ],
)
def test_months_end_on_a_day_that_exists(day: date, months: int, later: date) -> None:
    assert months_after(day, months) == later
