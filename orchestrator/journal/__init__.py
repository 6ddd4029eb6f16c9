"""Append-only events of runs, hash-chained, in SQLite; and their copy in the second room."""

from orchestrator.journal.chain import GENESIS, chain_is_valid, link
from orchestrator.journal.copied import Copied, read_copied
from orchestrator.journal.mirror import Mirror
from orchestrator.journal.room import Room
from orchestrator.journal.store import BEHIND, CLOSED, LEASE_S, RunState, SqliteJournal

__all__ = [
    "BEHIND",
    "CLOSED",
    "GENESIS",
    "LEASE_S",
    "Copied",
    "Mirror",
    "Room",
    "RunState",
    "SqliteJournal",
    "chain_is_valid",
    "link",
    "read_copied",
]
