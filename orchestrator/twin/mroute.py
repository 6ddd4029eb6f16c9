"""Multicast routes in the kernel: one socket per namespace, which holds them for as long as it is open."""

import socket
import struct
from collections.abc import Iterable

from orchestrator.twin.netns import Namespaces
from orchestrator.twin.streams import Stream

_MRT_INIT, _MRT_ADD_VIF, _MRT_ADD_MFC = 200, 202, 204  # linux/mroute.h
_VIFF_USE_IFINDEX = 0x8
_MAXVIFS = 32


class MulticastRoutes:
    """Static multicast routes of all namespaces."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        self._routers: dict[str, _Router] = {}

    def add(self, streams: Iterable[Stream]) -> None:
        for stream in streams:
            with self._namespaces.inside(stream.space):
                if stream.space not in self._routers:
                    self._routers[stream.space] = _Router()
                self._routers[stream.space].add(stream)


class _Router:
    """The multicast router of the namespace that this thread is in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
        self._socket.setsockopt(socket.IPPROTO_IP, _MRT_INIT, 1)
        self._interfaces: dict[str, int] = {}

    def add(self, stream: Stream) -> None:
        thresholds = bytearray(_MAXVIFS)
        for device in stream.leaves:
            thresholds[self._interface(device)] = 1
        enters = self._interface(stream.enters)
        entry = struct.pack("=4s4sH32s", stream.source.packed, stream.group.packed, enters, bytes(thresholds))
        # struct mfcctl: the parent is followed by 32 thresholds, padding and four counters the kernel ignores
        self._socket.setsockopt(socket.IPPROTO_IP, _MRT_ADD_MFC, entry.ljust(60, b"\0"))

    def _interface(self, device: str) -> int:
        """Number of the device as a multicast interface; struct vifctl with an interface index."""
        if device not in self._interfaces:
            number = len(self._interfaces)
            index = socket.if_nametoindex(device)
            entry = struct.pack("=HBBIi4s", number, _VIFF_USE_IFINDEX, 1, 0, index, bytes(4))
            self._socket.setsockopt(socket.IPPROTO_IP, _MRT_ADD_VIF, entry)
            self._interfaces[device] = number
        return self._interfaces[device]
