"""The clause register: what the source documents ask for, in both languages, as a frozen model.

It only knows the clauses. Which of them a run exercised, and how it went, is the judge's to say.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache, cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.model.base import Frozen, Id, Title
from orchestrator.model.packaged import packaged_yaml
from orchestrator.model.record import ClauseResult


class Means(StrEnum):
    """How the product serves a clause."""

    AUDIT = "audit"  # a rule over the inventory and over what is read from the hosts
    DRILL = "drill"  # a step or check in a drill
    INTERLOCK = "interlock"  # the engine cannot do otherwise
    EVIDENCE = "evidence"  # it stands in the report and pack
    MODEL = "model"  # the inventory can say it, and cannot say the contrary
    PLANNER = "planner"  # a plan that would break it is refused
    REGISTER = "register"  # dated data that the firm keeps: catalogue, calendar
    CALL_LIST = "call-list"
    SUPPORT_BUNDLE = "support-bundle"


class SourceDocument(Frozen):
    title: Title


class Clause(Frozen):
    """One clause. `section` is where it stands in the document, in the document's own numbering."""

    id: Annotated[str, Field(pattern=r"^(SSCC|SSE)-[A-Z0-9.]+[a-d]?$")]
    document: Id
    section: Title
    text: Title
    served_by: Annotated[tuple[Means, ...], Field(min_length=1)]
    drills: tuple[Id, ...] = ()


class Exercised(Frozen):
    """What a run says of one clause: the result, and the checks, interlocks or steps it comes from."""

    result: Literal["passed", "failed", "unknown"]
    by: Annotated[tuple[str, ...], Field(min_length=1)]


class ClauseRegister(Frozen):
    """Every clause, in the order of the documents."""

    documents: dict[Id, SourceDocument]
    clauses: tuple[Clause, ...]

    @model_validator(mode="after")
    def _ids_are_unique_and_documents_known(self) -> Self:
        ids = [clause.id for clause in self.clauses]
        repeated = sorted({item for item in ids if ids.count(item) > 1})
        if repeated:
            raise ValueError(f"expected each clause once, found {', '.join(repeated)} again")
        unknown = sorted({clause.document for clause in self.clauses} - set(self.documents))
        if unknown:
            raise ValueError(f"expected clauses of known documents, found {', '.join(unknown)}")
        return self

    @cached_property
    def clause(self) -> dict[str, Clause]:
        """Clause by its id."""
        return {item.id: item for item in self.clauses}

    def results(self, exercised: Mapping[str, Exercised]) -> tuple[ClauseResult, ...]:
        """One result per clause of the register; what the run did not exercise is `not_covered`, never passed."""
        unknown = sorted(set(exercised) - set(self.clause))
        if unknown:
            raise ValueError(f"expected clauses of the register, found {', '.join(unknown)}")
        return tuple(_result(clause, exercised.get(clause.id)) for clause in self.clauses)


def _result(clause: Clause, exercised: Exercised | None) -> ClauseResult:
    return ClauseResult(
        id=clause.id,
        text=clause.text,
        source=clause.document,
        covered=exercised is not None,
        result=exercised.result if exercised else "not_covered",
        by=exercised.by if exercised else (),
    )


@cache
def clause_register() -> ClauseRegister:
    """The register that ships with the product."""
    return ClauseRegister.model_validate(packaged_yaml("rules", "clauses.yml"))
