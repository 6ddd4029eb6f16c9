"""Tells the service manager how a service is (sd_notify(3)). Where nobody listens, nothing is told."""

import os
import socket
from contextlib import suppress


def tell(state: str) -> None:
    """`READY=1`, `WATCHDOG=1`, `STOPPING=1`. It never waits and never fails: a service does not end for its manager."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)
        channel.sendto(state.encode(), address.replace("@", "\0", 1) if address[0] == "@" else address)
