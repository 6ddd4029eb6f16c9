"""Where this host sends what is meant for an address: next hop and device, as its kernel says. Nothing is sent there.

Runs on gateway hosts and routers: Python 3.6 or later, standard library only; piped, never installed.
"""

import contextlib
import socket
import struct
from typing import Dict, Iterable, Optional

_ASK_S = 1.0  # our choice: the kernel answers at once or never
_GET, _FOUND, _REQUEST = 26, 24, 1  # RTM_GETROUTE, RTM_NEWROUTE, NLM_F_REQUEST (linux/rtnetlink.h)
_TO, _DEVICE, _GATEWAY = 1, 4, 5  # RTA_DST, RTA_OIF, RTA_GATEWAY
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")

Hop = Optional[Dict[str, Optional[str]]]


def hops(addresses: Iterable[str]) -> Dict[str, Hop]:
    """{via, dev} towards each IPv4 address; None: no route. Absent: what the kernel was not heard about."""
    found = {}  # type: Dict[str, Hop]
    with contextlib.suppress(OSError):
        for address in addresses:
            found[address] = _hop(address)
    return found


def _hop(address: str) -> Hop:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(_ASK_S)
        attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + 4, _TO) + socket.inet_aton(address)
        body = _ROUTE.pack(socket.AF_INET, 32, 0, 0, 0, 0, 0, 0, 0) + attribute
        kernel.send(_HEADER.pack(_HEADER.size + len(body), _GET, _REQUEST, 0, 0) + body)
        return parse(kernel.recv(8192))


def parse(message: bytes) -> Hop:
    """The kernel's answer; an error answer (network unreachable) is no route. `via` None: on the device itself."""
    length, kind = _HEADER.unpack_from(message)[:2]
    if kind != _FOUND:
        return None
    found = {"via": None, "dev": None}  # type: Dict[str, Optional[str]]
    position = _HEADER.size + _ROUTE.size
    while position + _ATTRIBUTE.size <= length:
        size, attribute = _ATTRIBUTE.unpack_from(message, position)
        if size < _ATTRIBUTE.size:
            break
        value = message[position + _ATTRIBUTE.size : position + size]
        if attribute == _GATEWAY:
            found["via"] = socket.inet_ntoa(value)
        elif attribute == _DEVICE:
            found["dev"] = socket.if_indextoname(struct.unpack("=I", value)[0])
        position += (size + 3) & ~3
    return found
