"""The sshd of simulated hosts, sabotaged from outside: killed and started again, stopped and continued.

What its sessions have started on the host lives on, as it does when a real sshd is killed.
"""

import asyncio
from pathlib import Path

from orchestrator.errors import Refused
from orchestrator.twin.freezer import Freezer
from orchestrator.twin.hosts import START_SSHD, HostSpec
from orchestrator.twin.processes import kill_all, named, tell

_NAMES = ("sshd", "sshd-session", "sshd-auth")  # the latter two since OpenSSH 9.8
_LISTENS_WITHIN_S = 5  # our choice
_LOOK_EVERY_S = 0.02
_LISTENS = "0A"  # a socket's state in /proc/net/tcp
_PROGRAM = "sshd"


class Sshd:
    """`processes` is process 1 of each host, `specs` what they were made from."""

    def __init__(self, specs: dict[str, HostSpec], processes: dict[str, int], freezer: Freezer) -> None:
        self._specs = specs
        self._processes = processes
        self._freezer = freezer

    def kill(self, host: str) -> None:
        """Kill the listener and every session. Nothing starts it again but `start`."""
        first = self._first(host)
        kill_all(lambda: named(first, _NAMES))
        self._freezer.thaw(host, _PROGRAM)

    async def start(self, host: str) -> None:
        """Back when it listens. Nothing to do where it does."""
        first = self._first(host)
        try:
            async with asyncio.timeout(_LISTENS_WITHIN_S):
                while not self._listens(host):
                    tell([first], START_SSHD)
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError as error:
            raise Refused(
                "TWIN_FAILED", f"expected sshd on {host} to listen within {_LISTENS_WITHIN_S} s, found that it does not"
            ) from error

    def freeze(self, host: str) -> None:
        """Stop the listener and every session: connections stay, nobody answers, new ones get no greeting."""
        first = self._first(host)
        self._freezer.freeze(host, _PROGRAM, lambda: named(first, _NAMES))

    def thaw(self, host: str) -> None:
        self._first(host)
        self._freezer.thaw(host, _PROGRAM)

    def _listens(self, host: str) -> bool:
        """Read from the host's kernel: a connection would not get through to a dark host."""
        wanted = f":{self._specs[host].port:04X}"
        rows = Path(f"/proc/{self._processes[host]}/net/tcp").read_text().splitlines()[1:]
        return any(fields[1].endswith(wanted) and fields[3] == _LISTENS for fields in map(str.split, rows))

    def _first(self, host: str) -> int:
        if host not in self._processes:
            raise Refused("NO_HOST", f"expected a host ({', '.join(sorted(self._processes))}), found {host!r}")
        return self._processes[host]
