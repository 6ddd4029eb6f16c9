"""What lies where in the second room's copy of a site, and how files come there: whole and on the disk, or not at all.

The folder is mounted from the second room, or something else carries it there. A folder that was not made ready
(`second-room.json`) is not written to: it may be the empty place of a disk that is not mounted.
"""

import json
import os
import secrets
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import Refused

MARK = "second-room.json"
FORMAT = 1
PRIVATE = 0o700
# Of a run's folder these are not copied: guards and sampler of the first controller, which nobody can join elsewhere,
# and the sealed pack, which `drillctl second-room copy` carries when it is whole.
LEFT_OUT = frozenset({"steps", "alive", "pack"})
GROWING = "samples.jsonl"


@dataclass(frozen=True)
class Room:
    """The copy of one site."""

    home: Path
    site: str

    def run(self, run: str) -> "RunRoom":
        return RunRoom(self.home / self.site / "runs" / run)

    @property
    def runs(self) -> Path:
        return self.home / self.site / "runs"

    @property
    def store(self) -> Path:
        """Where `copy` puts reports, ledger and state."""
        return self.home / self.site / "store"

    def check(self) -> None:
        """Refused SECOND_ROOM: it is not there, or was not made ready."""
        try:
            found = json.loads((self.home / MARK).read_bytes())["format"]
        except FileNotFoundError:
            raise Refused(
                "SECOND_ROOM",
                f"expected {self.home / MARK}, found none: the folder is not mounted, or was never made ready; mount "
                "it, or make it ready once with `drillctl second-room prepare`",
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Refused("SECOND_ROOM", f"{self.home / MARK}: expected a mark, found {error!r}") from error
        if found != FORMAT:
            raise Refused("SECOND_ROOM", f"{self.home / MARK}: expected format {FORMAT}, found {found}")

    def prepare(self) -> bool:
        """Make it ready. False: it was already."""
        if (self.home / MARK).exists():
            self.check()
            return False
        if not self.home.parent.is_dir():  # a mount that is not there would be filled on this very disk
            raise Refused(
                "SECOND_ROOM",
                f"{self.home}: expected its parent folder to be there, found none; is the second room mounted?",
            )
        self.home.mkdir(exist_ok=True, mode=PRIVATE)
        put(self.home / MARK, json.dumps({"format": FORMAT, "id": secrets.token_hex(8)}).encode() + b"\n")
        return True


@dataclass(frozen=True)
class RunRoom:
    """The copy of one run."""

    folder: Path

    @property
    def opening(self) -> Path:
        """What the journal knows of the run besides its events."""
        return self.folder / "opening.json"

    @property
    def events(self) -> Path:
        """One line per event, with the epoch of the orchestrator that wrote it."""
        return self.folder / "events.jsonl"

    @property
    def alive(self) -> Path:
        """The last sign of life, and how far the copy was then."""
        return self.folder / "alive.json"

    @property
    def taken_over(self) -> Path:
        """Who goes on with the run from the copy, and under which epoch."""
        return self.folder / "taken-over.json"

    @property
    def files(self) -> Path:
        """What lay in the run's folder."""
        return self.folder / "folder"


def put(path: Path, data: bytes) -> None:
    """The file whole and on the disk, or as it was. Only this user reads it."""
    draft = path.with_name(f".{path.name.lstrip('.')}.{os.getpid()}-{threading.get_ident()}.tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        to_disk(file.fileno())
    draft.replace(path)
    folder_to_disk(path.parent)


def add(path: Path, data: bytes) -> None:
    """At the end of the file, on the disk."""
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        to_disk(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        folder_to_disk(path.parent)


def to_disk(descriptor: int) -> None:
    os.fsync(descriptor)


def folder_to_disk(folder: Path) -> None:
    """A new or renamed file is on the disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        to_disk(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: Path) -> Mapping[str, Any] | None:
    """None: there is none, or none that is whole."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def carry(source: Path, target: Path) -> None:
    """Everything of a run's folder that a later orchestrator or its evidence needs, and that is not there yet."""
    for folder, folders, names in os.walk(source):
        here = Path(folder)
        top = here == source
        folders[:] = [name for name in folders if not name.startswith(".") and not (top and name in LEFT_OUT)]
        for name in sorted(names):  # the ledger's head before its lines: it never speaks of one that is not there
            if name.startswith(".") or (top and name in LEFT_OUT):
                continue
            _carry_file(here / name, target / (here / name).relative_to(source), grows=top and name == GROWING)


def _carry_file(source: Path, target: Path, *, grows: bool) -> None:
    try:
        found = source.lstat()
    except FileNotFoundError:  # it was another name's draft
        return
    there = target.lstat() if target.exists() else None
    if grows and there and there.st_size <= found.st_size:
        _carry_growth(source, target, there.st_size)
        return
    if there and (there.st_size, there.st_mtime_ns) == (found.st_size, found.st_mtime_ns):
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    draft = target.with_name(f".{target.name.lstrip('.')}.{os.getpid()}-{threading.get_ident()}.tmp")
    shutil.copyfile(source, draft)
    os.utime(draft, ns=(found.st_atime_ns, found.st_mtime_ns))
    draft.chmod(0o600)
    with draft.open("rb") as file:
        to_disk(file.fileno())
    draft.replace(target)
    folder_to_disk(target.parent)


def _carry_growth(source: Path, target: Path, begin: int) -> None:
    """What has come since; a line that is being written comes whole the next time."""
    with source.open("rb") as file:
        file.seek(begin)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    if whole:
        add(target, whole)
