"""A run as its copy in the second room tells it. It proves that what is there is unchanged, never that it is all.

The first controller writes each event there before it acts, but it does not wait for a copy that is slow or away:
what came last may be missing. Whoever goes on from here takes every step for one that may have been begun.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from orchestrator.errors import NeedsPerson, Refused
from orchestrator.journal.chain import chain_is_valid
from orchestrator.journal.room import RunRoom, read_json
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan

# Our choice: nobody resumes a run so often. Hosts refuse a token below the newest: a first controller that comes back,
# and may have begun epochs that the copy never heard of, changes nothing any more.
EPOCHS_AHEAD = 1000


class Line(BaseModel):
    """One event as it stands in the copy."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    epoch: int
    event: Event


class Opening(BaseModel):
    """What the journal knows of a run besides its events. `folder`: as the first controller named it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    run: str
    plan: Plan
    folder: Path
    owner: str
    place: dict[str, Any]
    resources: tuple[str, ...]


@dataclass(frozen=True)
class Copied:
    """A run in the copy. `torn`: bytes of a last line that was cut off, which are left out.

    `last_sign_at`: seconds since the epoch by the first controller's clock.
    """

    room: RunRoom
    opening: Opening
    lines: Sequence[Line]
    torn: int
    last_sign_at: float
    taken_over: Mapping[str, Any] | None

    @property
    def events(self) -> list[Event]:
        return [line.event for line in self.lines]

    @property
    def epoch(self) -> int:
        """The highest that is known here; the first room may have used a higher one since."""
        taken = int(self.taken_over["epoch"]) if self.taken_over else 0
        return max(taken, *(line.epoch for line in self.lines))

    @property
    def next_epoch(self) -> int:
        """Where another controller goes on."""
        return self.epoch + EPOCHS_AHEAD

    @property
    def is_closed(self) -> bool:
        return any(line.event.kind is EventKind.CLOSED for line in self.lines)


def read_copied(room: RunRoom, run: str) -> Copied:
    """Refused NO_COPY: there is no such run. NeedsPerson: what is there was changed."""
    opening = _opening(room, run)
    lines, torn = read_lines(room.events)
    events = [line.event for line in lines]
    if not events or not chain_is_valid(events) or any(item.run != run for item in events):
        raise NeedsPerson(
            f"run {run}: expected its events in {room.events} in an unbroken chain, found "
            f"{'that some were changed or removed' if events else 'none'}; nothing was taken over. Do not go on by "
            "it: look at every gateway, and keep the copy as it is"
        )
    if opening.plan.digest != events[0].data["plan_digest"]:
        raise NeedsPerson(
            f"run {run}: expected in {room.opening} the plan that the run was opened with, found another; nothing was "
            "taken over"
        )
    alive = read_json(room.alive) or {}
    seen = max(float(alive.get("at", 0.0)), _at(events[-1]))
    return Copied(room, opening, lines, torn, seen, read_json(room.taken_over))


def _opening(room: RunRoom, run: str) -> Opening:
    try:
        return Opening.model_validate_json(room.opening.read_bytes())
    except FileNotFoundError as error:
        raise Refused(
            "NO_COPY",
            f"expected a copy of run {run} in {room.folder}, found none; `drillctl second-room status` lists them",
        ) from error
    except (OSError, ValidationError) as error:
        raise NeedsPerson(f"{room.opening}: expected how the run was opened, found: {error}") from error


def read_lines(path: Path) -> tuple[list[Line], int]:
    """The events, and how many bytes of a line that was cut off follow them.

    Where an orchestrator that had lost the run wrote on for a moment, its lines are left out: the higher epoch counts.
    """
    try:
        whole, _, rest = path.read_bytes().rpartition(b"\n")
    except FileNotFoundError:
        return [], 0
    found: list[Line] = []
    for text in whole.splitlines():
        line = _line(path, text)
        while found and found[-1].event.seq >= line.event.seq and found[-1].epoch < line.epoch:
            found.pop()
        if not found or line.event.seq > found[-1].event.seq:
            found.append(line)
    return found, len(rest)


def _line(path: Path, text: bytes) -> Line:
    try:
        return Line.model_validate(json.loads(text))
    except (ValueError, ValidationError) as error:
        raise NeedsPerson(
            f"{path}: expected one event per line, found {text[:60]!r}; keep the copy as it is, and look at "
            "every gateway"
        ) from error


def _at(event: Event) -> float:
    return datetime.fromisoformat(event.at).timestamp()
