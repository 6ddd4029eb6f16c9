"""The clause register: complete, in both languages, and honest about what a run did not exercise."""

import pytest
from pydantic import ValidationError

from orchestrator.rules.clauses import ClauseRegister, Exercised, clause_register

# Every clause of the two source documents that the product serves.
SSCC = "2.1 2.2 2.3 2.4 2.5 2.6 2.7 3.1 3.2 3.2a 3.2b 3.2c 3.3 3.4 3.5 4.1 4.2 4.3 5.2 5.5 A.1 A.2.1 A.2.2 A.3"
SSE = "1 2.1 2.2a 2.2b 2.2c 2.2d 3.1 4.1 4.2 4.5 5.1 5.2 5.3"
IDS = [*(f"SSCC-{item}" for item in SSCC.split()), *(f"SSE-{item}" for item in SSE.split())]


def test_every_clause_stands_in_the_register_in_the_documents_order() -> None:
    assert [clause.id for clause in clause_register().clauses] == IDS


def test_every_clause_says_what_it_asks_for_and_what_serves_it() -> None:
    for clause in clause_register().clauses:
        assert any("一" <= char <= "鿿" for char in clause.text.zh), clause.id
        assert clause.text.en.isascii(), clause.id
        assert clause.served_by, clause.id


def test_a_clause_that_the_run_did_not_exercise_is_not_covered_and_never_passed() -> None:
    results = clause_register().results({"SSCC-2.5": Exercised(result="passed", by=("interlock",))})
    assert [item.id for item in results] == IDS
    covered = [item for item in results if item.covered]
    assert [(item.id, item.result, item.by) for item in covered] == [("SSCC-2.5", "passed", ("interlock",))]
    assert {item.result for item in results if not item.covered} == {"not_covered"}


def test_a_clause_that_is_not_in_the_register_cannot_be_exercised() -> None:
    with pytest.raises(ValueError, match=r"SSCC-9\.9"):
        clause_register().results({"SSCC-9.9": Exercised(result="passed", by=("login",))})


def test_a_repeated_clause_or_an_unknown_document_is_refused() -> None:
    register = clause_register()
    data = register.model_dump(mode="json")
    with pytest.raises(ValidationError, match=r"found SSCC-2\.1 again"):
        ClauseRegister.model_validate({**data, "clauses": [*data["clauses"], data["clauses"][0]]})
    with pytest.raises(ValidationError, match="found sse"):
        ClauseRegister.model_validate(
            {**data, "documents": {name: data["documents"][name] for name in ("sscc", "sscc-annex")}}
        )
