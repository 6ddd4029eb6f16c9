"""Who is at work on a run: one process of one machine since its last start, so that its death is known at once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def this_process() -> dict[str, Any]:
    """This process, in a form that no later process can be taken for."""
    pid = os.getpid()
    return {"machine": os.uname().nodename, "boot": _BOOT_ID.read_text().strip(), "pid": pid, "start": _start(pid)}


def is_gone(process: Mapping[str, Any]) -> bool:
    """Whether that process has certainly ended. One on another machine may live: only its lease tells."""
    if not process:
        return True
    if process.get("machine") != os.uname().nodename:
        return False
    if process.get("boot") != _BOOT_ID.read_text().strip():
        return True
    return bool(_start(int(process["pid"])) != process["start"])


def _start(pid: int) -> int | None:
    """Clock ticks since boot at which it was started; None: there is none, or only its remains."""
    try:
        state, *fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in ("Z", "X") else int(fields[18])
