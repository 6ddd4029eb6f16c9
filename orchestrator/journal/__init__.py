"""Append-only events of runs, hash-chained, in SQLite."""

from orchestrator.journal.chain import GENESIS, chain_is_valid, link
from orchestrator.journal.store import CLOSED, LEASE_S, RunState, SqliteJournal

__all__ = ["CLOSED", "GENESIS", "LEASE_S", "RunState", "SqliteJournal", "chain_is_valid", "link"]
