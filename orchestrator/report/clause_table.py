"""The clauses of the source documents, those that the run exercised apart from those that it did not."""

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.model.record import ClauseResult
from orchestrator.report.context import Context
from orchestrator.report.tones import CLAUSE, Tone
from orchestrator.rules.clauses import clause_register


@dataclass(frozen=True)
class ClauseRow:
    id: str
    text: str
    document: str
    source: str
    result: str
    tone: Tone
    by: tuple[str, ...]


def covered(context: Context) -> tuple[ClauseRow, ...]:
    return tuple(_row(context, item) for item in context.record.clauses if item.covered)


def not_covered(context: Context) -> tuple[ClauseRow, ...]:
    """Never counted as passed: each stands here by its id."""
    return tuple(_row(context, item) for item in context.record.clauses if not item.covered)


def by_document(rows: Iterable[ClauseRow]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(document, ids of its clauses) in the order in which they come."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.document, []).append(row.id)
    return tuple((document, tuple(ids)) for document, ids in found.items())


def _row(context: Context, item: ClauseResult) -> ClauseRow:
    return ClauseRow(
        id=item.id,
        text=context.texts.of(item.text),
        document=_document(context, item),
        source=_source(context, item),
        result=context.texts(f"clause_result.{item.result}"),
        tone=CLAUSE[item.result],
        by=tuple(_by(context, name) for name in item.by),
    )


def _by(context: Context, name: str) -> str:
    """A check's name, or the drill as a whole."""
    plan = context.record.plan
    return context.texts.of(plan.title) if name == plan.drill else context.texts.named("check", name)


def _document(context: Context, item: ClauseResult) -> str:
    """The document's name in the reader's language, where the register knows the clause."""
    register = clause_register()
    known = register.clause.get(item.id)
    return item.source if known is None else context.texts.of(register.documents[known.document].title)


def _source(context: Context, item: ClauseResult) -> str:
    """Document and place."""
    known = clause_register().clause.get(item.id)
    return item.source if known is None else f"{_document(context, item)} {context.texts.of(known.section)}"
