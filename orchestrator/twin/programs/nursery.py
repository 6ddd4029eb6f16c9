"""The service manager of a simulated host: runs what its shims ask for, and starts the gateways' processes.

    python -m orchestrator.twin.programs.nursery FOLDER ROOM    (a host in a folder; says + when shims can ask)

A vendor's gateway starts in its own time, which is no business of whoever measures a switch. So a gateway is not a
Python that has to be started: it is forked from a process that has loaded everything already and waits on the host.
Each request of a shim is carried out in a process of its own, as whoever called the shim, like the program that the
shim stands in for; it goes on when the shim is killed.
"""

import array
import asyncio
import codecs
import gc
import importlib
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from orchestrator.twin.programs import ctl, process
from orchestrator.twin.programs.gateway_files import onhost

SOCKET = "/run/drillctl-twin.sock"  # under the root; whoever may start a gateway may ask
_CALLER = struct.Struct("iII")  # struct ucred: process, user, group
_LONGEST = 1 << 16
_ENTRIES: dict[str, Callable[[str, list[str]], int]] = {"command": ctl.command, "systemctl": ctl.systemctl}


def load(encodings: Iterable[str]) -> None:
    """Everything that a gateway will need, now: on its host the machine's Python may not be found any more.

    Call it before the process that becomes nursery is forked; `encodings`: of the vendors' files and logs.
    """
    onhost("vendor_certificate")
    importlib.import_module("xml.parsers.expat")  # vendor_file asks for it when it reads XML
    for name in ("ascii", "utf-8", *encodings):
        codecs.lookup(name)
    gc.freeze()  # what is shared with the nurseries stays shared


def begin(root: str) -> None:
    """Fork the nursery of a host from process 1 of that host. Back when shims can ask."""
    listener = _listen(root)
    if os.fork() == 0:
        try:
            _serve(root, listener)
        finally:
            os._exit(1)
    listener.close()


async def ask(root: str, entry: str, argv: Sequence[str]) -> tuple[int, str]:
    """What a shim of the host under `root` would ask, from outside: exit code, and what it said."""
    reader, writer = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as shim, os.fdopen(reader, "rb") as said:
        try:
            shim.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(shim, root + SOCKET)
            socket.send_fds(shim, ["\0".join((entry, *argv)).encode()], [writer, writer])
        finally:
            os.close(writer)
        code = await loop.sock_recv(shim, 1)
        return code[0] if code else 1, said.read().decode(errors="replace").strip()


def _listen(root: str) -> socket.socket:
    path = Path(root + SOCKET)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")  # a socket's path has 107 characters
    finally:
        os.close(folder)
    path.chmod(0o666)
    listener.listen(64)
    return listener


def _serve(root: str, listener: socket.socket) -> None:
    """Until the host ends."""
    time.tzset()  # the host's time zone
    process.name(["nursery"])
    _keep_only(listener)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what a request has come to
    while True:
        shim, _ = listener.accept()
        if os.fork() == 0:
            try:
                listener.close()
                _answer(root, shim)
            finally:
                os._exit(1)
        shim.close()


def _keep_only(listener: socket.socket) -> None:
    kept = listener.fileno()
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _answer(root: str, shim: socket.socket) -> None:
    """Carry out one request with the caller's rights and standard output and error; its exit code is the answer."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    space = socket.CMSG_SPACE(2 * array.array("i").itemsize)
    data, given, _, _ = shim.recvmsg(_LONGEST, space)
    streams = array.array("i", given[0][2])
    for number, stream in zip((1, 2), streams, strict=True):
        os.dup2(stream, number)
        os.close(stream)
    _, user, group = _CALLER.unpack(shim.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CALLER.size))
    if user != os.geteuid():
        process.become(user, group)
    entry, *argv = data.decode().split("\0")
    code = 1
    try:
        code = _ENTRIES[entry](root, argv)
    except SystemExit as error:  # of argparse
        code = error.code if isinstance(error.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        shim.send(bytes([code]))
    os._exit(0)


if __name__ == "__main__":
    load(("gbk",))
    waiting = _listen(sys.argv[1])
    os.write(1, b"+")
    _serve(sys.argv[1], waiting)
