"""Read a file and replace it as a whole, keeping owner, mode and extended attributes.

Runs on gateway hosts: Python 3.6 or later, standard library only.
"""

import os
import stat
from typing import List

try:  # hashlib loads OpenSSL, which takes longer than everything else that a program here imports
    from _sha256 import sha256 as _sha256  # until Python 3.11
except ImportError:
    try:
        from _sha2 import sha256 as _sha256
    except ImportError:
        from hashlib import sha256 as _sha256

MARK = ".drillctl-"  # in the name of a temporary file, so that one left behind is found


def sha256(data: bytes) -> str:
    """In hexadecimal, as everywhere."""
    return str(_sha256(data).hexdigest())


def read(path: str) -> bytes:
    """The file's bytes."""
    with open(path, "rb") as file:
        return file.read()


def left_behind(path: str) -> List[str]:
    """Temporary files of ours beside this file, after a host that lost power in mid-write."""
    folder = os.path.dirname(os.path.realpath(path))
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(os.path.join(folder, name) for name in names if MARK in name)


def remove_left_behind(path: str) -> None:
    """Remove this file's own temporary files. Only where no other request may be writing it."""
    prefix = "." + os.path.basename(os.path.realpath(path)) + MARK
    for name in left_behind(path):
        if os.path.basename(name).startswith(prefix):
            os.unlink(name)


def why_not_replaceable(path: str) -> str:
    """Empty if `replace` can keep the file what it is; else the reason in one line."""
    target = os.path.realpath(path)
    found = os.stat(target)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
        return f"expected {path} to be a plain file with one name, found {found.st_nlink} names"
    if not os.access(os.path.dirname(target), os.W_OK | os.X_OK):
        return f"expected {os.path.dirname(target)} to be writable by this user, found it is not"
    if os.getuid() not in (0, found.st_uid):
        return f"expected {path} to belong to this user, found owner {found.st_uid}"
    return ""


def replace(path: str, data: bytes, expected: bytes) -> None:
    """Write atomically, on disk before this returns. ValueError if the file no longer holds `expected`."""
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}{MARK}{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            _like(target, file.fileno())
            file.flush()
            os.fsync(file.fileno())
        _require_unchanged(target, expected)
        os.rename(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_folder(folder)


def _require_unchanged(target: str, expected: bytes) -> None:
    if read(target) != expected:
        raise ValueError(f"{target} was changed meanwhile by somebody else")


def _like(target: str, descriptor: int) -> None:
    """Give the open file the owner, group, mode and extended attributes of the target."""
    wanted = os.stat(target)
    current = os.fstat(descriptor)
    if (current.st_uid, current.st_gid) != (wanted.st_uid, wanted.st_gid):
        os.fchown(descriptor, wanted.st_uid, wanted.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(wanted.st_mode))
    present = os.listxattr(descriptor)
    for name in os.listxattr(target):
        value = os.getxattr(target, name)
        if name not in present or os.getxattr(descriptor, name) != value:
            os.setxattr(descriptor, name, value)


def sync_folder(folder: str) -> None:
    """Have what was renamed in it on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
