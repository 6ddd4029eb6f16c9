"""Append-only events of runs, hash-chained, in SQLite."""

from orchestrator.journal.chain import GENESIS, chain_is_valid, link
from orchestrator.journal.store import SqliteJournal

__all__ = ["GENESIS", "SqliteJournal", "chain_is_valid", "link"]
