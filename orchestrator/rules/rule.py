"""What a rule is made of: a look over the facts that yields one `Found` per thing looked at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from orchestrator.model.audit import Finding, Result, Severity
from orchestrator.model.base import Title
from orchestrator.model.topology import Topology
from orchestrator.rules.facts import Facts

FieldPath = tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What one look came to. The rule's id, clause and severity are added by the rule."""

    result: Result
    where: FieldPath
    text: Title
    mend: Title | None = None


def satisfied(where: FieldPath, zh: str, en: str, mend: Title | None = None) -> Found:
    """In order. A `mend` is for what is allowed but has a consequence that the text names."""
    return Found(Result.SATISFIED, where, Title(zh=zh, en=en), mend)


def violated(where: FieldPath, zh: str, en: str, mend: Title) -> Found:
    """Not in order; `mend` says what would be."""
    return Found(Result.VIOLATED, where, Title(zh=zh, en=en), mend)


def not_judged(where: FieldPath, zh: str, en: str, mend: Title) -> Found:
    """The inventory does not say enough; `mend` says what to add."""
    return Found(Result.NOT_JUDGED, where, Title(zh=zh, en=en), mend)


def not_applicable(where: FieldPath, zh: str, en: str) -> Found:
    """The clause asks nothing here, by what the firm says of itself."""
    return Found(Result.NOT_APPLICABLE, where, Title(zh=zh, en=en))


Look = Callable[[Facts], Iterator[Found]]


def on_topology(look: Callable[[Topology], Iterator[Found]]) -> Look:
    """A look that needs nothing but the topology."""
    return lambda facts: look(facts.topology)


@dataclass(frozen=True)
class Rule:
    """One rule and the clause that asks for it. `subject` says what it looks at, for when there is none."""

    id: str
    clause: str
    severity: Severity
    subject: Title
    look: Look

    def findings(self, facts: Facts) -> list[Finding]:
        """One finding per thing looked at, or one `not_applicable`."""
        return [self._finding(found) for found in self.look(facts)] or [self._finding(self._nothing())]

    def _finding(self, found: Found) -> Finding:
        return Finding(
            rule=self.id,
            clause=self.clause,
            severity=self.severity,
            result=found.result,
            where=".".join(found.where),
            text=found.text,
            mend=found.mend,
        )

    def _nothing(self) -> Found:
        text = Title(zh=f"资产清单中没有{self.subject.zh}，本条不适用。", en=f"The inventory has no {self.subject.en}.")
        return Found(Result.NOT_APPLICABLE, (), text)
