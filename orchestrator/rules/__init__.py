"""Audit rules over a firm's inventory and records, one or more per clause, and the register of clauses. Pure."""

from orchestrator.rules.facts import Facts
from orchestrator.rules.finding import Finding, Result, Severity
from orchestrator.rules.rulebook import audit

__all__ = ["Facts", "Finding", "Result", "Severity", "audit"]
