"""Each audit rule, satisfied by the example site and violated (or not judged) after one edit."""

import pytest

from orchestrator.model.audit import Finding, Result, Severity
from orchestrator.model.records import Records
from orchestrator.model.topology import Topology
from orchestrator.rules.clauses import Means, clause_register
from orchestrator.rules.rulebook import RULES, audit
from tests.rules.cases import NOT_JUDGED, VIOLATIONS
from tests.rules.edit import changed, without
from tests.rules.facts import EXAMPLE as FACTS
from tests.rules.facts import over
from tests.rules.record_cases import NOT_JUDGED as RECORD_NOT_JUDGED
from tests.rules.record_cases import VIOLATIONS as RECORD_VIOLATIONS

EXAMPLE = FACTS.topology
# No clauses of the register: a notice, and another exchange's specification. Warnings only.
OTHERS = {"SSCC notice 2020-07-08", "SZSE access specification 1.05"}


def findings(topology: Topology, rule: str, result: Result) -> list[Finding]:
    return [item for item in audit(over(topology)) if item.rule == rule and item.result is result]


def test_the_example_satisfies_every_rule() -> None:
    found = audit(FACTS)
    assert {item.rule for item in found} == {rule.id for rule in RULES}
    others = [(item.rule, item.result) for item in found if item.result is not Result.SATISFIED]
    assert others == [("hosting-lines", Result.NOT_APPLICABLE)]


def test_every_rule_cites_a_clause_of_the_register_or_only_warns() -> None:
    assert {rule.clause for rule in RULES} - OTHERS <= set(clause_register().clause)
    assert all(rule.severity is not Severity.ERROR for rule in RULES if rule.clause in OTHERS)


def test_every_clause_that_the_audit_serves_has_a_rule() -> None:
    served = {clause.id for clause in clause_register().clauses if Means.AUDIT in clause.served_by}
    assert len(served) > 20
    assert served - {rule.clause for rule in RULES} == set()


def test_every_clause_that_the_audit_serves_has_a_case_of_each_result() -> None:
    served = {clause.id for clause in clause_register().clauses if Means.AUDIT in clause.served_by}
    clause = {rule.id: rule.clause for rule in RULES}
    violated = {clause[case[0]] for case in VIOLATIONS.values()} | {clause[c[0]] for c in RECORD_VIOLATIONS.values()}
    not_judged = {clause[case[0]] for case in NOT_JUDGED.values()} | {clause[c[0]] for c in RECORD_NOT_JUDGED.values()}
    assert served - violated == set()
    assert served - not_judged == set()


def test_rules_have_ids_of_their_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_the_audit_says_the_same_twice() -> None:
    assert audit(FACTS) == audit(over(EXAMPLE.model_copy(deep=True)))


def test_every_where_leads_to_a_field_of_the_inventory() -> None:
    for item in audit(FACTS):
        kind, *rest = item.where.split(".")
        if kind == "records":
            assert rest[0] in Records.model_fields
            continue
        listed = {part.id: part for part in getattr(EXAMPLE, kind)}
        if rest:
            assert all(hasattr(listed[rest[0]], field) for field in rest[1:])


@pytest.mark.parametrize("case", VIOLATIONS)
def test_a_violation_is_found_and_names_what_is_wrong(case: str) -> None:
    rule, edit, severity, words = VIOLATIONS[case]
    found = findings(edit(EXAMPLE), rule, Result.VIOLATED)
    assert found, "expected the rule to be violated"
    assert all(item.severity is severity for item in found)
    assert any(words in item.text.en for item in found)
    assert all(item.mend for item in found)
    assert all(item.is_error == (severity is Severity.ERROR) for item in found)


@pytest.mark.parametrize("case", NOT_JUDGED)
def test_what_the_inventory_does_not_say_is_not_judged_and_what_to_add_is_named(case: str) -> None:
    rule, edit = NOT_JUDGED[case]
    found = findings(edit(EXAMPLE), rule, Result.NOT_JUDGED)
    assert found, "expected the rule not to judge"
    assert all(item.mend for item in found)
    assert not any(item.is_error for item in found)


def test_a_cold_standby_may_share_the_number_of_its_primary() -> None:
    topology = changed(EXAMPLE, "gateways", "nq-trade-2", number="W100200", enabled=False)
    assert not findings(topology, "one-login-per-number", Result.VIOLATED)
    assert any("cold standby" in f.text.en for f in findings(topology, "one-login-per-number", Result.SATISFIED))


def test_one_line_to_each_centre_is_legal_and_the_consequence_is_said() -> None:
    topology = changed(EXAMPLE, "routers", "ce-a", paths={"futian": ("tel-futian",), "southern": ("uni-southern",)})
    assert not findings(topology, "carrier-may-fail", Result.VIOLATED)
    said = [f.text.en for f in findings(topology, "carrier-may-fail", Result.SATISFIED) if "ce-a" in f.text.en]
    assert len(said) == 2
    assert "Without China Telecom, Zhangjiang main room (router ce-a) loses Futian and runs on Southern" in said[0]
    assert "Without China Unicom, Zhangjiang main room (router ce-a) loses Southern and runs on Futian" in said[1]
    assert all("losing the carrier is losing the centre" in text for text in said)


def test_two_multicast_gateways_never_count_as_tcp() -> None:
    topology = without(EXAMPLE, "gateways", "nq-md-1", "nq-md-2")
    assert findings(topology, "tcp-market-data-primary", Result.VIOLATED)


def test_rules_of_the_other_exchange_do_not_apply_to_a_site_without_it() -> None:
    topology = without(EXAMPLE, "gateways", "sse-td-1", "sse-td-2", "sse-md-1", "sse-md-2")
    topology = without(topology, "fronts", "sse-one-trading", "sse-two-trading", "sse-one-market", "sse-two-market")
    results = {item.rule: item.result for item in audit(over(topology))}
    assert {rule for rule, result in results.items() if result is Result.NOT_APPLICABLE} == {
        "tdgw-pair",
        "tdgw-pair-rooms",
        "certificate-once",
        "tdgw-two-certificates",
        "both-certificate-kinds",
        "platform-admins",
        "platform-operators",
        "platform-gateways",
        "platform-certificates",
        "certificate-tested",
        "certificate-valid",
        "certificate-ends-soon",
        "hosting-lines",
    }
