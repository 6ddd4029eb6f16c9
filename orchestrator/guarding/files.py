"""The files of a guard's folder, each written so that a reader at any moment finds all of it or nothing.

claim         who has the right to start the command. It is made under another name, locked (flock) and only then
              linked to its own, which fails where there is one already: it is seen locked or not at all.
lock          the same file under a second name; locked for as long as the guard lives
command.json  what to start
output, log   standard output and standard error of the command
stop          asks the guard to end the command
result        how the command ended
"""

import fcntl
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

CLAIM, LOCK, COMMAND, OUTPUT, LOG, STOP, RESULT = "claim", "lock", "command.json", "output", "log", "stop", "result"
MARK = "DRILLCTL_GUARD"  # in the environment of all that a guard starts; its value is the guard's folder
_MODE = 0o600
_ROOM = 4096  # bytes; our choice: one block, more than a result takes


def claim(folder: Path, content: dict[str, Any], *, lock: bool) -> int | None:
    """Take the right to start the command, on disk before this returns. The descriptor that holds the lock;
    None: somebody has it already. With `lock` false the right is taken so that nobody ever uses it.
    """
    mine = folder / f"{LOCK}.{os.getpid()}.{time.monotonic_ns()}"
    descriptor = os.open(mine, os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        if lock:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, json.dumps(content).encode())
        os.fsync(descriptor)
        (folder / CLAIM).hardlink_to(mine)
        if lock:
            mine.rename(folder / LOCK)
        sync_folder(folder)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, FileExistsError):
            return None
        raise
    finally:
        mine.unlink(missing_ok=True)
    return descriptor


def is_locked(descriptor: int) -> bool:
    """Whether another open file holds the lock. Asking does not get in anybody's way."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def reserve(folder: Path) -> Path:
    """A file with room for a result: a disk that fills up while the command is at work takes nothing away."""
    path = folder / f"{RESULT}.{os.getpid()}"
    with _private(path) as file:
        file.write(b" " * _ROOM)
        file.flush()
        os.fsync(file.fileno())
    return path


def settle(reserved: Path, result: dict[str, Any]) -> None:
    """Write the result into its room and give it its name, on disk before this returns."""
    with reserved.open("r+b") as file:
        file.write(json.dumps(result).encode())
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    reserved.rename(reserved.with_name(RESULT))
    sync_folder(reserved.parent)


def replace(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file as a whole."""
    new = path.with_name(f"{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    try:
        with _private(new) as file:
            file.write(json.dumps(content).encode())
        new.rename(path)
    finally:
        new.unlink(missing_ok=True)


def _private(path: Path) -> BinaryIO:
    """A new file that only its owner can read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "wb")


def read(path: Path) -> dict[str, Any] | None:
    """What a JSON file holds; None where there is none."""
    with suppress(FileNotFoundError):
        found: dict[str, Any] = json.loads(path.read_bytes())
        return found
    return None


def make_folder(folder: Path) -> None:
    """Make it with what is above it, on disk before this returns: a claim must not be lost with its folder."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what was created or renamed in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
