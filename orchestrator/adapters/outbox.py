"""Notices on their way: one file each in the outbox of a site's state folder, then in `sent/` or `failed/`.

Putting one there is all that a run does: a file on the disk, and on it goes. What was there once is not put there
again, so that a run that is taken up by another orchestrator tells nothing twice.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from orchestrator.errors import Refused
from orchestrator.evidence.disk import replace
from orchestrator.model.notify import Notice, Parcel

SENT, FAILED = "sent", "failed"
_KEPT_S: Final = 30 * 86400.0  # our choice: a delivered notice is kept for 30 days, to be looked up


@dataclass(frozen=True)
class Outbox:
    """The folder. Only this user reads it."""

    folder: Path

    def put(self, notice: Notice) -> bool:
        """On the disk when this returns. False: it is or was there already."""
        if any((self.folder / place / f"{notice.id}.json").exists() for place in (".", SENT, FAILED)):
            return False
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.keep(Parcel(notice=notice))
        return True

    def keep(self, parcel: Parcel) -> None:
        """How far it is."""
        replace(self.folder / f"{parcel.notice.id}.json", parcel.model_dump_json(indent=1).encode())

    def waiting(self) -> Iterator[Parcel]:
        """Oldest first. What cannot be read as a notice is set aside: it must not keep the others from going."""
        found: list[Parcel] = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                found.append(Parcel.model_validate_json(path.read_bytes()))
            except (ValidationError, UnicodeDecodeError):
                self._move(path, FAILED)
        yield from sorted(found, key=lambda item: (item.notice.at, item.notice.id))

    def given_up(self) -> list[str]:
        """Names of what was not delivered everywhere."""
        return sorted(path.stem for path in (self.folder / FAILED).glob("*.json"))

    def end(self, parcel: Parcel, *, delivered: bool) -> None:
        """Out of the way, with how it ended."""
        self.keep(parcel)
        self._move(self.folder / f"{parcel.notice.id}.json", SENT if delivered else FAILED)

    def again(self) -> int:
        """Everything that was given up, from the start, on the channels that have not had it; how many that is."""
        count = 0
        for name in self.given_up():
            path = self.folder / FAILED / f"{name}.json"
            try:
                parcel = Parcel.model_validate_json(path.read_bytes())
            except (ValidationError, UnicodeDecodeError):
                continue
            done = {channel: item for channel, item in parcel.deliveries.items() if item.done_at is not None}
            self.keep(parcel.model_copy(update={"deliveries": done}))
            path.unlink()
            count += 1
        return count

    def _move(self, path: Path, place: str) -> None:
        target = self.folder / place
        target.mkdir(exist_ok=True, mode=0o700)
        path.replace(target / path.name)

    def tidy(self, now: float | None = None) -> None:
        """Takes away what was delivered long ago."""
        limit = (time.time() if now is None else now) - _KEPT_S
        for path in (self.folder / SENT).glob("*.json"):
            if path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """One sender at a time. Refused SENDING: another one is at it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Refused(
                    "SENDING",
                    f"{self.folder}: expected no other sender, found one at work; it sends what is due",
                ) from error
            yield
