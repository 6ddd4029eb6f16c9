"""Audit rules over the inventory, one per clause, and the register of clauses. Pure."""

from orchestrator.rules.finding import Finding, Result, Severity
from orchestrator.rules.rulebook import audit

__all__ = ["Finding", "Result", "Severity", "audit"]
