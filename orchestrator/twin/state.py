"""Twins on this machine: one folder each, alive as long as its daemon is.

A folder holds state.json (process id with its start time, site, namespace), the control socket, the ssh
keys and the daemon's log. A folder without a living daemon is stale, and is removed by the next look. Only what
bears a twin's mark is ever removed: $DRILLCTL_TWINS may name a folder in which other things lie.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.errors import Refused

SOCKET = "control.sock"
KEY = "id"
KNOWN_HOSTS = "known_hosts"
LOG = "daemon.log"
SPACE = "space"  # empty; each host mounts its memory over it, for itself only
_STATE = "state.json"
_MARK = ".drillctl-twin"  # there before anything else: without it a folder is not ours to remove
_LONGEST_FOLDER = 60  # a unix socket's path has 107 characters, ssh's control sockets need 45 of them


@dataclass(frozen=True)
class TwinState:
    """`started` is the daemon's start in clock ticks since boot: a reused process id is not taken for it. `network`
    is the management network, the only one that the controller's namespace has.
    """

    name: str
    pid: int
    started: int
    site_folder: str
    site_digest: str
    network: str


def twins_root() -> Path:
    """Where twins' folders are: $DRILLCTL_TWINS or /run/drillctl/twins."""
    return Path(os.environ.get("DRILLCTL_TWINS") or "/run/drillctl/twins").absolute()


def twin_folder(name: str) -> Path:
    """A twin's folder, there or not. Refused PATH_TOO_LONG if sockets could not be made in it."""
    folder = twins_root() / name
    if len(str(folder)) > _LONGEST_FOLDER:
        raise Refused(
            "PATH_TOO_LONG",
            f"expected a folder of at most {_LONGEST_FOLDER} characters, found {folder}; set DRILLCTL_TWINS",
        )
    return folder


def make_folder(folder: Path) -> None:
    """A new folder with a twin's mark in it. FileExistsError if there is something of that name."""
    folder.mkdir(mode=0o700)
    (folder / _MARK).touch()


def remove_folder(folder: Path) -> None:
    """Remove a twin's folder; anything else is left alone. Idempotent."""
    if (folder / _MARK).is_file():
        shutil.rmtree(folder, ignore_errors=True)


def start_ticks(pid: int) -> int | None:
    """Start of a process in clock ticks since boot; None if it is gone or only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def write_state(folder: Path, state: TwinState) -> None:
    """In one piece: a reader sees the old state or the new one."""
    draft = folder / f"{_STATE}.new"
    draft.write_text(json.dumps(asdict(state), indent=1))
    draft.rename(folder / _STATE)


def read_state(folder: Path) -> TwinState | None:
    """State of a living twin; None if there is none in this folder."""
    try:
        state = TwinState(**json.loads((folder / _STATE).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return state if start_ticks(state.pid) == state.started else None


def living() -> list[TwinState]:
    """Every living twin of this machine, by name. Stale folders are removed."""
    root = twins_root()
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):  # no twin yet, or not ours to see
        return []
    with locked():
        for folder in root.iterdir():
            if folder.is_dir() and read_state(folder) is None:
                remove_folder(folder)
    states = (read_state(folder) for folder in sorted(root.iterdir()) if folder.is_dir())
    return [state for state in states if state is not None]


@contextmanager
def locked() -> Iterator[None]:
    """One at a time makes or removes folders: a twin that is just being made is not taken for a stale one."""
    root = twins_root()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
