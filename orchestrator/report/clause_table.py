"""The clauses of the source documents, those that the run exercised apart from those that it did not."""

from dataclasses import dataclass

from orchestrator.model.record import ClauseResult
from orchestrator.report.context import Context
from orchestrator.report.tones import CLAUSE, Tone
from orchestrator.rules.clauses import clause_register


@dataclass(frozen=True)
class ClauseRow:
    id: str
    text: str
    source: str
    result: str
    tone: Tone
    by: tuple[str, ...]


def covered(context: Context) -> tuple[ClauseRow, ...]:
    return tuple(_row(context, item) for item in context.record.clauses if item.covered)


def not_covered(context: Context) -> tuple[ClauseRow, ...]:
    """Never counted as passed: each stands here by its id."""
    return tuple(_row(context, item) for item in context.record.clauses if not item.covered)


def _row(context: Context, item: ClauseResult) -> ClauseRow:
    return ClauseRow(
        id=item.id,
        text=context.texts.of(item.text),
        source=_source(context, item),
        result=context.texts(f"clause_result.{item.result}"),
        tone=CLAUSE[item.result],
        by=tuple(_by(context, name) for name in item.by),
    )


def _by(context: Context, name: str) -> str:
    """A check's name, or the drill as a whole."""
    plan = context.record.plan
    return context.texts.of(plan.title) if name == plan.drill else context.texts.named("check", name)


def _source(context: Context, item: ClauseResult) -> str:
    """Document and place, in the reader's language where the register knows the clause."""
    register, texts = clause_register(), context.texts
    known = register.clause.get(item.id)
    if known is None:
        return item.source
    return f"{texts.of(register.documents[known.document].title)} {texts.of(known.section)}"
