"""Since when violations are open: a file in the site's state folder, whole or as it was."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from orchestrator.evidence.disk import replace
from orchestrator.rules.seen import Seen

NAME = "audit-seen.json"


@dataclass(frozen=True)
class AuditHistory:
    """That of one site. What cannot be read is as if there were none: ages begin anew, and nothing is judged by it."""

    state: Path

    def read(self) -> Seen:
        try:
            return Seen.model_validate_json((self.state / NAME).read_bytes())
        except (OSError, ValidationError):
            return Seen()

    def keep(self, seen: Seen) -> None:
        """OSError: it could not be written; the old one stands."""
        if self.read() == seen:
            return
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(self.state / NAME, seen.model_dump_json(indent=1).encode())
