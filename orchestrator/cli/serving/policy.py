"""What `schedule.yml` says of serving. A site without one is served by our own numbers."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.loader.schedule import FILE, read_schedule
from orchestrator.model.schedule import AUDIT_EVERY_HOURS, WAITING_MINUTES


@dataclass(frozen=True)
class Policy:
    """`is_scheduled`: whether the site has a schedule at all."""

    audit_every_hours: float = AUDIT_EVERY_HOURS
    waiting_minutes: float = WAITING_MINUTES
    is_scheduled: bool = False


def policy_of(folder: Path) -> Policy:
    """DefinitionError: file, line and field of what is wrong in it."""
    if not (folder / FILE).exists():
        return Policy()
    found = read_schedule(folder)
    return Policy(found.audit_every_hours, found.waiting_minutes, is_scheduled=True)
