"""Audits that nobody is present at: what is kept of one, and what is new since the last. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from orchestrator.model.audit import Finding
from orchestrator.model.base import Frozen


class Audit(Frozen):
    """An audit of a site's inventory. `at`: seconds since the epoch; `findings`: everything that was judged."""

    format: Literal[1] = 1
    at: float
    site: str
    inventory_digest: str
    findings: tuple[Finding, ...]

    @property
    def violated(self) -> list[Finding]:
        return [item for item in self.findings if item.is_open]

    @property
    def errors(self) -> int:
        return sum(item.is_error for item in self.findings)


def new_findings(last: Audit | None, now: Audit) -> list[Finding]:
    """What is violated now and was not then. Without a last audit everything is new."""
    before = Counter(_key(item) for item in last.violated) if last else Counter()
    found = []
    for item in now.violated:
        if before[_key(item)]:
            before[_key(item)] -= 1
        else:
            found.append(item)
    return found


def clauses_of(findings: Sequence[Finding]) -> list[str]:
    """Each clause once, in the order of the findings."""
    return list(dict.fromkeys(item.clause for item in findings))


def _key(finding: Finding) -> tuple[str, str]:
    return finding.rule, finding.where
