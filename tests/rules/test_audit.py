"""Each audit rule, satisfied by the example site and violated (or not judged) after one edit."""

from pathlib import Path

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.topology import Topology
from orchestrator.rules.clauses import clause_register
from orchestrator.rules.finding import Finding, Result, Severity
from orchestrator.rules.rulebook import RULES, audit
from tests.rules.cases import NOT_JUDGED, VIOLATIONS
from tests.rules.edit import changed, without

EXAMPLE = load_site(Path(__file__).parents[2] / "inventory/example").topology
NOTICE = "SSCC notice 2020-07-08"  # no clause of the register: a notice, and a warning only


def findings(topology: Topology, rule: str, result: Result) -> list[Finding]:
    return [item for item in audit(topology) if item.rule == rule and item.result is result]


def test_the_example_satisfies_every_rule() -> None:
    found = audit(EXAMPLE)
    assert {item.rule for item in found} == {rule.id for rule in RULES}
    assert {item.result for item in found} == {Result.SATISFIED}


def test_every_rule_cites_a_clause_of_the_register_or_the_notice() -> None:
    assert {rule.clause for rule in RULES} - {NOTICE} <= set(clause_register().clause)


def test_rules_have_ids_of_their_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_the_audit_says_the_same_twice() -> None:
    assert audit(EXAMPLE) == audit(EXAMPLE.model_copy(deep=True))


def test_every_where_leads_to_a_field_of_the_inventory() -> None:
    for item in audit(EXAMPLE):
        kind, *rest = item.where.split(".")
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
    results = {item.rule: item.result for item in audit(topology)}
    assert {rule for rule, result in results.items() if result is Result.NOT_APPLICABLE} == {
        "tdgw-pair",
        "tdgw-pair-rooms",
        "certificate-once",
        "tdgw-two-certificates",
        "both-certificate-kinds",
    }
