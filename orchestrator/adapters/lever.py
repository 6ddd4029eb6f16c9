"""The site-wide lever: while it is engaged, no run of the site goes forward. A file in the site's state folder.

It stops what goes forward and never what goes back: restoration is not asked. A lever that cannot be read is engaged.
"""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

NAME = "lever.json"


@dataclass(frozen=True)
class Lever:
    """Who engaged it, when (UTC, ISO 8601) and why."""

    by: str
    at: str
    reason: str

    @property
    def said(self) -> str:
        return f"{self.reason} ({self.by}, {self.at[:19].replace('T', ' ')} UTC)"


class LeverFile:
    """The lever of one site."""

    def __init__(self, state: Path) -> None:
        self._path = state / NAME

    def engaged(self) -> Lever | None:
        """None: it is released."""
        try:
            return Lever(**json.loads(self._path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            return Lever("unknown", "unknown", f"{self._path} cannot be read ({error})")

    def reason(self) -> str | None:
        """Why nothing goes forward, in one line; None: it does."""
        found = self.engaged()
        return found.said if found else None

    def engage(self, by: str, reason: str, now: float) -> Lever:
        """Engage it, or leave it as it was engaged first. It is on the disk before this returns."""
        found = self.engaged()
        if found:
            return found
        lever = Lever(by, datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"), reason)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f".{NAME}.{os.getpid()}")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(asdict(lever), file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        self._to_disk()
        return lever

    def release(self) -> Lever | None:
        """What was engaged; None: nothing was."""
        found = self.engaged()
        if found:
            self._path.unlink(missing_ok=True)
            self._to_disk()
        return found

    def _to_disk(self) -> None:
        """A rename or removal is on the disk once its folder is."""
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
