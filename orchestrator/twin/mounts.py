"""The mount calls of Linux that Python lacks. A failure is an OSError with the target's name."""

import ctypes
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_MNT_DETACH = 2


def mount(source: str, target: Path, kind: str, options: str = "") -> None:
    """Mount a new filesystem."""
    _check(_libc.mount(source.encode(), os.fsencode(target), kind.encode(), 0, options.encode()), target)


def make_private() -> None:
    """No mount made from here on is seen outside this mount namespace."""
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), Path("/"))


def switch_root(root: Path) -> None:
    """Make `root` this mount namespace's root and let go of the old one."""
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."), root)
    _check(_libc.umount2(b".", _MNT_DETACH), root)
    os.chdir("/")


def _check(result: int, target: Path) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))
