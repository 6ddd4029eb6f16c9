"""Starts and ends a twin's daemon."""

import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from orchestrator.errors import Refused
from orchestrator.loader.site import LoadedSite
from orchestrator.twin.programs.process import ROOM
from orchestrator.twin.programs_needed import ensure_possible
from orchestrator.twin.state import LOG, TwinState, living, locked, make_folder, read_state, remove_folder, twin_folder

_BUILD_S = 60  # our choice: a small site on a busy machine
_BUILD_PER_HOST_S = 0.5
_END_WITHIN_S = 20
_PACKAGES = Path(__file__).resolve().parents[2]


def launch(site: LoadedSite, name: str | None, lease_s: float) -> TwinState:
    """Start the daemon and wait until it reports that everything is up. Whatever fails leaves nothing."""
    ensure_possible()
    living()  # removes what dead twins left
    name = name or f"{site.topology.site.name[:12]}-{secrets.token_hex(2)}"
    folder = twin_folder(name)
    deadline = time.monotonic() + _BUILD_S + _BUILD_PER_HOST_S * len(site.topology.hosts)
    with ExitStack() as undo:
        with locked():
            _make_folder(folder, name)
            undo.callback(end, name, folder)
            reports = undo.enter_context(_start(folder, site, lease_s))
        _expect_ready(reports.fileno(), deadline)
        reports.close()
        undo.pop_all()
    state = read_state(folder)
    if state is None:
        raise Refused("TWIN_FAILED", f"expected twin {name} to live, found that it ended at once")
    return state


def end(name: str, folder: Path) -> None:
    """Kill the daemon, which ends everything in it, wait until it is gone, and remove its folder."""
    state = read_state(folder)
    if state is not None:
        _kill(name, state)
    remove_folder(folder)


def _kill(name: str, state: TwinState) -> None:
    try:
        process = os.pidfd_open(state.pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
        if not select.select([process], [], [], _END_WITHIN_S)[0]:
            raise Refused(
                "TWIN_FAILED", f"expected twin {name} to end in {_END_WITHIN_S} s, found process {state.pid} alive"
            )
    except ProcessLookupError:
        return
    finally:
        os.close(process)


def _make_folder(folder: Path, name: str) -> None:
    if not name.replace("-", "").replace("_", "").isalnum():
        raise Refused("TWIN_NAME", f"expected a name of letters, digits, - and _, found {name!r}")
    try:
        make_folder(folder)
    except FileExistsError as error:
        raise Refused(
            "TWIN_EXISTS", f"expected no twin {name}, found one; `drillctl twin down {name}` ends it"
        ) from error


def _start(folder: Path, site: LoadedSite, lease_s: float) -> IO[bytes]:
    """Back when the daemon has written down who it is, or has ended; the result is what it reports."""
    network = str(site.topology.site.management_network)
    arguments = [str(folder), str(site.folder.resolve()), site.digest, network, str(lease_s), ROOM]
    path = os.pathsep.join(filter(None, (str(_PACKAGES), os.environ.get("PYTHONPATH"))))
    reader, writer = os.pipe()
    reports = os.fdopen(reader, "rb", buffering=0)
    try:
        with (folder / LOG).open("ab") as log:
            subprocess.run(
                [sys.executable, "-m", "orchestrator.twin.daemon", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, "PYTHONPATH": path},
                check=False,
            )
    except BaseException:
        reports.close()
        raise
    finally:
        os.close(writer)
    return reports


def _expect_ready(pipe: int, deadline: float) -> None:
    """Wait until all is up. Refused with what the daemon refused; TWIN_FAILED if it ended or took too long."""
    unread = b""
    while True:
        line, found, rest = unread.partition(b"\n")
        if not found:
            unread += _read(pipe, deadline)
            continue
        report, unread = json.loads(line), rest
        if "refused" in report:
            raise Refused(report["refused"], report["message"])
        if "ready" in report:
            return


def _read(pipe: int, deadline: float) -> bytes:
    left_s = deadline - time.monotonic()
    if not select.select([pipe], [], [], max(left_s, 0))[0]:
        raise Refused("TWIN_FAILED", "expected the twin to be built in time, found it still building")
    data = os.read(pipe, 65536)
    if not data:
        raise Refused("TWIN_FAILED", "expected the twin's daemon to report, found that it ended")
    return data
