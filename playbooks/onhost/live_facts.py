"""What an audit asks a host: its clock, its default routes, and versions and sessions of its gateways.

Runs on gateway hosts and CE routers: Python 3.6 or later, standard library only. Changes nothing, sends nothing,
connects to nothing. The only program that it starts is the one by which the site's profile says the version.
"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any, Dict, List, Optional

import processes

_VERSION_S = 5  # our choice: a program that says its version does so at once
_MOST_SAID = 200  # characters of it; our choice
_UP, _REJECT = 0x0001, 0x0200  # RTF_UP, RTF_REJECT of linux/route.h


def main(request: Dict[str, Any]) -> None:
    """One line of JSON."""
    found = {
        "default_routes": default_routes(),
        "gateways": {asked["id"]: gateway(asked) for asked in request["gateways"]},
        "at": time.time(),
    }
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def default_routes(path: str = "/proc/net/route") -> List[str]:
    """`address` of each next hop, or the device where there is none; main table, IPv4."""
    try:
        with open(path, encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
    except FileNotFoundError:
        return []
    return [_hop(row) for row in rows if _is_default(row)]


def _is_default(row: List[str]) -> bool:
    flags = int(row[3], 16)
    return int(row[1], 16) == 0 and int(row[7], 16) == 0 and bool(flags & _UP) and not flags & _REJECT


def _hop(row: List[str]) -> str:
    via = int(row[2], 16)
    return socket.inet_ntoa(struct.pack("=I", via)) if via else row[0]


def gateway(asked: Dict[str, Any]) -> Dict[str, Any]:
    """`sessions`: far ends; None: this user may not see them. `version`: None: nobody says it."""
    pids = processes.find(asked["process"])
    held = processes.inodes(pids)
    mine = [item for item in processes.connections() if held and item.inode in held]
    return {
        "running": bool(pids),
        "sessions": None if held is None else sorted(item.remote for item in mine if item.established),
        "version": version(asked["version"]),
    }


def version(command: Optional[List[str]]) -> Optional[str]:
    """Without a shell, nothing to read, its whole group ended at the deadline."""
    if not command:
        return None
    try:
        running = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError:
        return None
    try:
        said, _ = running.communicate(timeout=_VERSION_S)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        return None
    return None if running.returncode else said.decode("utf-8", "replace").strip()[:_MOST_SAID]
