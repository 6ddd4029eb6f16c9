"""What a forked process becomes without starting a program: another command line, another user."""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

ROOM = "." * 1000  # an argument for a program from which others are forked: its command line is written over
_SET_DUMPABLE = 4  # linux/prctl.h
_ARGUMENTS_BEGIN, _ARGUMENTS_END = 47, 48  # of /proc/PID/stat, from 0
_libc = ctypes.CDLL(None, use_errno=True)


def name(words: Sequence[str]) -> None:
    """Let this process have these words as its command line; NULs follow. ValueError: it was started with too short a
    one.
    """
    fields = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    begin, end = (int(fields[number - 2]) for number in (_ARGUMENTS_BEGIN, _ARGUMENTS_END))
    line = b"\0".join(word.encode() for word in words)
    if len(line) >= end - begin:
        raise ValueError(f"expected a command line below {end - begin} bytes, found {len(line)}")
    ctypes.memmove(begin, line.ljust(end - begin, b"\0"), end - begin)


def become(user: int, group: int) -> None:
    """Act as another user, and let that user look at this process, as at one that it has started."""
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
    if _libc.prctl(_SET_DUMPABLE, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), "this process cannot be made visible to its user")
