"""Writing that is on the disk when it returns, for files that evidence stands on."""

import os
from pathlib import Path


def read_open(descriptor: int) -> bytes:
    """The whole of an open file, wherever it was read to."""
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read()


def write_out(descriptor: int, data: bytes) -> None:
    """All of it, on the disk."""
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


def replace(path: Path, data: bytes) -> None:
    """The file whole and on the disk, or as it was."""
    draft = path.with_name(f".{path.name.lstrip('.')}.{os.getpid()}.tmp")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder_to_disk(path.parent)


def folder_to_disk(folder: Path) -> None:
    """A new, renamed or removed file is on the disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
