"""The twin's one process: makes everything as process 1 of its own namespaces, then serves until its lease ends.

    python -m orchestrator.twin.daemon FOLDER SITE DIGEST NETWORK LEASE_S ROOM

It reports on its standard output, one JSON object per line: {"started": …}, then {"ready": …}, or what it
refused. When process 1 ends, by itself or killed, the kernel ends every process in it and lets go of every
namespace and mount: there is nothing else to clean up but the folder.
"""

import asyncio
import json
import os
import socket
import sys
import traceback
from contextlib import suppress
from io import RawIOBase
from pathlib import Path

from orchestrator.errors import DrillctlError, Refused
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.twin.machine import build_machine
from orchestrator.twin.mounts import make_private, mount
from orchestrator.twin.programs_needed import SEARCHED
from orchestrator.twin.serve import serve
from orchestrator.twin.state import LOG, TwinState, remove_folder, start_ticks, write_state

_OWN_NAMESPACES = os.CLONE_NEWNS | os.CLONE_NEWNET | os.CLONE_NEWPID | os.CLONE_NEWUTS | os.CLONE_NEWIPC


def main(arguments: list[str]) -> int:
    """Split off process 1, write down which process it is, and leave it alone."""
    folder, site, digest, network = Path(arguments[0]), Path(arguments[1]), arguments[2], arguments[3]
    report = os.fdopen(os.dup(1), "wb", buffering=0)
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        os.unshare(_OWN_NAMESPACES)
    except PermissionError as error:
        _say(report, Refused("NO_NAMESPACES", f"expected to be allowed to make namespaces, found {error}"))
        return 1
    known, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(tell)
        if os.read(known, 1):  # nothing: the parent ended before it wrote our id down, so nobody could find us
            _live(folder, site, digest, float(arguments[4]), report)
        os._exit(0)
    write_state(folder, TwinState(folder.name, pid, start_ticks(pid) or 0, str(site), digest, network))
    report.write(json.dumps({"started": pid}).encode() + b"\n")
    os.write(tell, b"+")
    return 0


def _live(folder: Path, site: Path, digest: str, lease_s: float, report: RawIOBase) -> None:
    """All of process 1. The folder goes with it."""
    try:
        os.environ["PATH"] = SEARCHED
        make_private()
        mount("proc", Path("/proc"), "proc")
        socket.sethostname(f"twin-{folder.name}"[:64])
        machine = build_machine(_same_site(site, digest), folder)
        asyncio.run(serve(machine, folder, lease_s, lambda: _ready(report)))
    except BaseException as error:  # noqa: BLE001 (process 1 ends here; whoever waits for it must be told why)
        traceback.print_exc()
        _say(report, error)
    finally:
        remove_folder(folder)


def _same_site(folder: Path, digest: str) -> LoadedSite:
    site = load_site(folder)
    if site.digest != digest:
        raise Refused("SITE_CHANGED", f"expected {folder} as it was read a moment ago, found it changed; try again")
    return site


def _ready(report: RawIOBase) -> None:
    with report, suppress(BrokenPipeError):  # whoever asked has gone; the twin lives for its lease all the same
        report.write(json.dumps({"ready": True}).encode() + b"\n")


def _say(report: RawIOBase, error: BaseException) -> None:
    """Tell whoever waits for the twin; once it was ready, nobody does."""
    if report.closed:
        return
    if isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    code = error.code if isinstance(error, Refused) else "TWIN_FAILED"
    text = (
        str(error).removeprefix(f"{code}: ") if isinstance(error, DrillctlError) else f"{type(error).__name__}: {error}"
    )
    with suppress(BrokenPipeError):
        report.write(json.dumps({"refused": code, "message": text}).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
