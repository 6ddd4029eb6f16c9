"""Network namespaces of the twin, held by file descriptors: nothing is named on the machine."""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.twin.layout import CONTROLLER

_SETTINGS = {
    # A packet may come back over another line than it went out: as on any site with two carriers.
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
    "ipv4/conf/all/accept_redirects": "0",
    "ipv4/conf/default/accept_redirects": "0",
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
}
# A table of sockets for each host, made for its size: who lists a host's sockets walks through the whole table, and
# the machine's own has some hundred thousand places. Since Linux 6.1.
_OWN_TABLE = {"ipv4/tcp_child_ehash_entries": "1024"}  # our choice: a host of the twin has tens of sockets


class Namespaces:
    """Namespaces by name. `controller` is the one that this process started in."""

    def __init__(self) -> None:
        self._descriptors = {CONTROLLER: os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)}
        _settle(forwards=False)
        _set(_OWN_TABLE)

    def create(self, name: str, *, forwards: bool) -> None:
        """Make a namespace with its loopback still down; this thread is back in the controller's afterwards."""
        os.unshare(os.CLONE_NEWNET)
        try:
            _settle(forwards=forwards)
            self._descriptors[name] = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.setns(self._descriptors[CONTROLLER], os.CLONE_NEWNET)

    def descriptor(self, name: str) -> int:
        return self._descriptors[name]

    def path(self, name: str) -> str:
        """Path that opens the namespace, for programs started by this process."""
        return f"/proc/{os.getpid()}/fd/{self._descriptors[name]}"

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """This thread, and what it starts or opens, is in the namespace."""
        os.setns(self._descriptors[name], os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(self._descriptors[CONTROLLER], os.CLONE_NEWNET)

    def ip(self, name: str, lines: Sequence[str]) -> None:
        """Run `ip` commands in a namespace, all or fail."""
        with self.inside(name):
            done = subprocess.run(
                ["ip", "-batch", "-"], input="\n".join(lines), text=True, capture_output=True, check=False
            )
        if done.returncode:
            raise OSError(f"ip in {name}: {done.stderr.strip()}")


def _settle(*, forwards: bool) -> None:
    _set({**_SETTINGS, "ipv4/ip_forward": "1" if forwards else "0"})


def _set(values: Mapping[str, str]) -> None:
    for key, value in values.items():
        file = Path("/proc/sys/net") / key
        if file.exists():  # a kernel without IPv6, or an older one
            file.write_text(value)
