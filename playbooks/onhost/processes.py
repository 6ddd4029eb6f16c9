"""Processes of a gateway and their TCP sockets, read from /proc. Changes nothing.

Runs on gateway hosts: Python 3.6 or later, standard library only. Sees the sockets of a process only as
its own user or as root.
"""

import os
import re
import sys
from typing import Dict, FrozenSet, Iterable, Iterator, List, NamedTuple, Optional, Tuple

_ESTABLISHED = 0x01
_SYN_SENT = 0x02
_IPV4_HEX = 8


class Connection(NamedTuple):
    """One TCP socket of this host: `address:port` of the far end, state, and inode (0: no process has it)."""

    remote: str
    state: int
    inode: int

    @property
    def established(self) -> bool:
        return self.state == _ESTABLISHED

    @property
    def connecting(self) -> bool:
        return self.state == _SYN_SENT


def find(process: str, among: Optional[Iterable[int]] = None) -> List[int]:
    """Processes whose command line holds this text, ending at a word's end: number W1 is not W10."""
    wanted = re.compile(re.escape(process) + r"(?![A-Za-z0-9])")
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit()) if among is None else among
    return [pid for pid in pids if pid != os.getpid() and wanted.search(command_line(pid))]


def calling(commands: List[List[str]]) -> List[int]:
    """Processes that are at one of these commands, also through an interpreter: `sh /opt/x/ctl start W1`."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    lines = ((pid, arguments(pid)) for pid in pids)
    return [pid for pid, words in lines if any(words[-len(command) :] == command for command in commands)]


def arguments(pid: int) -> List[str]:
    """Empty for a process that is gone, and for one that has ended and only waits for its parent."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            text = file.read().rstrip(b"\0").decode("utf-8", "surrogateescape")
    except OSError:
        return []
    return text.split("\0") if text else []


def command_line(pid: int) -> str:
    """The arguments, each followed by a blank; empty where there are none."""
    return "".join(word + " " for word in arguments(pid))


def inodes(pids: Iterable[int]) -> Optional[FrozenSet[int]]:
    """Socket inodes that the processes hold; None when this user may not look."""
    try:
        return frozenset(inode for pid in pids for inode in _socket_inodes(pid))
    except PermissionError:
        return None


def _socket_inodes(pid: int) -> Iterator[int]:
    targets = (_link(f"/proc/{pid}/fd/{name}") for name in _names(f"/proc/{pid}/fd"))
    return (int(target[8:-1]) for target in targets if target.startswith("socket:["))


def _names(folder: str) -> List[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:  # the process has ended since it was listed
        return []


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:  # closed since it was listed
        return ""


def connections() -> List[Connection]:
    """Every TCP socket of this network namespace, IPv4 or IPv4 inside IPv6."""
    found = []
    for name in ("tcp", "tcp6"):
        try:
            with open("/proc/net/" + name) as file:
                rows = file.read().splitlines()[1:]
        except FileNotFoundError:
            continue
        for row in rows:
            fields = row.split()
            found.append(Connection(_endpoint(fields[2]), int(fields[3], 16), int(fields[9])))
    return found


def _endpoint(field: str) -> str:
    """`address:port` from the kernel's hexadecimal, whose address is in the host's own byte order."""
    address, port = field.split(":")
    last = int(address[-_IPV4_HEX:], 16).to_bytes(4, sys.byteorder)
    return f"{'.'.join(map(str, last))}:{int(port, 16)}"


def far_ends(held: FrozenSet[int], listed: Iterable[str]) -> Tuple[Optional[str], Optional[str]]:
    """(established to, connecting to) among the listed endpoints, by the sockets held."""
    wanted = set(listed)
    mine = [item for item in connections() if item.inode in held and item.remote in wanted]
    session = next((item.remote for item in mine if item.established), None)
    return session, next((item.remote for item in mine if item.connecting), None)


def still_open(held: FrozenSet[int]) -> bool:
    """Whether any of these sockets exists with a holder. One that only the kernel still closes has none."""
    return any(item.inode in held for item in connections() if item.inode)


def read_fields(text: str) -> Dict[str, str]:
    """`key=value` lines, as a gateway's status file has them."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}
