"""What an audit asks a host: its clock, routes to everywhere, whether it forwards, the ports of its lines, how far its
log archives reach back, and lists, sessions and versions of its gateways.

Runs on gateway hosts and CE routers: Python 3.6 or later, standard library only. Changes nothing, sends nothing,
connects to nothing. The only program that it starts is the one by which the site's profile says the version.
"""

import array
import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List, Optional

import processes
import vendor_file

_VERSION_S = 5  # our choice: a program that says its version does so at once
_MOST_SAID = 200  # characters of it; our choice
_UP, _REJECT = 0x0001, 0x0200  # RTF_UP, RTF_REJECT of linux/route.h
_ANY6 = "0" * 32 + " 00"
_GET_ADDRESS, _ETHTOOL, _DRIVER_INFO = 0x8915, 0x8946, 0x3  # SIOCGIFADDR, SIOCETHTOOL, ETHTOOL_GDRVINFO
_MOST_FILES = 100000  # of one archive; our choice


def main(request: Dict[str, Any]) -> None:
    """One line of JSON."""
    found = {
        "default_routes": default_routes() + default_routes6(),
        "forwards": forwards(),
        "ports": ports(request["ports"]),
        "archives": {folder: oldest(folder) for folder in request["archives"]},
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


def default_routes6(path: str = "/proc/net/ipv6_route") -> List[str]:
    """The same of IPv6: next hop, or the device where there is none."""
    try:
        with open(path, encoding="ascii") as file:
            rows = [line.split() for line in file]
    except FileNotFoundError:
        return []
    found = [row for row in rows if " ".join(row[:2]) == _ANY6 and int(row[8], 16) & _UP and row[9] != "lo"]
    hops = [(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(row[4])), row) for row in found]
    return [row[9] if hop == "::" else hop for hop, row in hops if not int(row[8], 16) & _REJECT]


def forwards() -> List[str]:
    """`IPv4`, `IPv6`: what this host hands on from one network to another."""
    files = {"IPv4": "/proc/sys/net/ipv4/ip_forward", "IPv6": "/proc/sys/net/ipv6/conf/all/forwarding"}
    return [name for name, path in sorted(files.items()) if os.path.exists(path) and _read(path).strip() != b"0"]


def ports(addresses: List[str]) -> Dict[str, Dict[str, str]]:
    """`{address: {device, driver}}` of those that are on a port of this host. `bridge` drives a switched port."""
    found = {}  # type: Dict[str, Dict[str, str]]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kernel:
        for _, device in socket.if_nameindex():
            address = _address(kernel, device)
            if address in addresses:
                found[address] = {"device": device, "driver": _driver(kernel, device)}
    return found


def _address(kernel: socket.socket, device: str) -> str:
    try:
        answer = fcntl.ioctl(kernel, _GET_ADDRESS, struct.pack("16s16x", device.encode()))
    except OSError:
        return ""
    return socket.inet_ntoa(answer[20:24])


def _driver(kernel: socket.socket, device: str) -> str:
    """Empty: the kernel does not say."""
    told = array.array("B", struct.pack("=I", _DRIVER_INFO) + bytes(192))
    try:
        fcntl.ioctl(kernel, _ETHTOOL, struct.pack("16sP8x", device.encode(), told.buffer_info()[0]))
    except OSError:
        return ""
    return told.tobytes()[4:36].split(b"\0")[0].decode("ascii", "replace")


def oldest(folder: str) -> Optional[Dict[str, float]]:
    """When the oldest and the newest file of it were last written. None: it cannot be read, or holds no file."""
    times = [item for _, item in zip(range(_MOST_FILES), _written(folder))]
    return {"oldest_at": min(times), "newest_at": max(times)} if times else None


def _written(folder: str) -> Iterator[float]:
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # removed since it was listed
                yield os.stat(os.path.join(parent, name)).st_mtime


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def gateway(asked: Dict[str, Any]) -> Dict[str, Any]:
    """`sessions`: far ends; None: this user may not see them. `version`: None: nobody says it. `endpoints`: the list in
    its file; None: it cannot be read, and `unread` says why.
    """
    pids = processes.find(asked["process"])
    held = processes.inodes(pids)
    mine = [item for item in processes.connections() if held and item.inode in held]
    return {
        "running": bool(pids),
        "sessions": None if held is None else sorted(item.remote for item in mine if item.established),
        "version": version(asked["version"]),
        **listed(asked["config"]),
    }


def listed(config: Dict[str, Any]) -> Dict[str, Any]:
    try:
        return {"endpoints": vendor_file.read_endpoints(_read(config["path"]), config), "unread": ""}
    except (OSError, ValueError) as error:
        return {"endpoints": None, "unread": " ".join(str(error).split())}


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
