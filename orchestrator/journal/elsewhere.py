"""Runs of other controllers, as the second room tells them: what they hold, nobody else begins on.

A run that begins asks once, and never for long: where the room is away, it begins all the same and says so.
"""

import json
import queue
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import DrillctlError, NeedsPerson, Refused
from orchestrator.journal.copied import read_lines
from orchestrator.journal.room import Room, RunRoom
from orchestrator.model.event import EventKind


@dataclass(frozen=True)
class Held:
    """A run of the room that is not closed in the copy, and which of the resources it holds."""

    run: str
    owner: str
    resources: Sequence[str]

    def refusal(self) -> Refused:
        more = f" and {len(self.resources) - 1} more" if len(self.resources) > 1 else ""
        return Refused(
            "LOCKED",
            f"{self.resources[0]}{more} is held by run {self.run} of {self.owner}, which another controller opened and "
            "which is not closed in the copy of the second room; end it there, or where that room is gone "
            f"`drillctl second-room take-over {self.run}`",
        )


def held_elsewhere(
    room: Room, resources: Sequence[str], known: Collection[str], deadline_s: float
) -> Held | str | None:
    """The first run not `known` here that holds one of these; None: there is none; a text: why nobody can tell.

    A thread of its own asks: a mount whose server is gone does not answer at all.
    """
    said: queue.SimpleQueue[Held | str | None] = queue.SimpleQueue()
    ask = threading.Thread(
        target=lambda: said.put(_ask(room, resources, known)), name="runs of the second room", daemon=True
    )
    ask.start()
    try:
        return said.get(timeout=deadline_s)
    except queue.Empty:
        return f"its disk has not answered within {deadline_s:g} s"


def _ask(room: Room, resources: Sequence[str], known: Collection[str]) -> Held | str | None:
    """A copy that cannot be read hides no other run that is held."""
    trouble = None
    try:
        room.check()
        names = sorted(path.name for path in room.runs.iterdir()) if room.runs.is_dir() else []
    except (OSError, DrillctlError) as error:
        return str(error)
    for name in names:
        try:
            found = None if name in known else _held(room.run(name), resources)
        except (OSError, DrillctlError, ValueError, KeyError, TypeError) as error:
            trouble = trouble or f"{room.run(name).folder}: expected the copy of a run, found {error!r}"
            continue
        if found is not None:
            return found
    return trouble


def _held(room: RunRoom, resources: Sequence[str]) -> Held | None:
    try:
        opening = json.loads(room.opening.read_bytes())
    except (FileNotFoundError, NotADirectoryError):  # it was never on record
        return None
    shared = sorted(set(resources) & set(opening["resources"]))
    if not shared or _is_closed(room.events):
        return None
    return Held(opening["run"], opening["owner"], shared)


def _is_closed(events: Path) -> bool:
    """By its last line where that tells: many runs are asked, and a run ends with it."""
    try:
        last = events.read_bytes().rstrip(b"\n").rpartition(b"\n")[2]
        if json.loads(last)["event"]["kind"] == EventKind.CLOSED:
            return True
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass  # torn, or not there yet
    lines, _ = read_lines(events)
    if not lines:  # nobody could take it over
        raise NeedsPerson(f"{events}: expected the events of the run, found none")
    return any(line.event.kind is EventKind.CLOSED for line in lines)
