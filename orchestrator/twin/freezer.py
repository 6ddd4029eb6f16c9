"""Processes of simulated hosts that stand still: whole hosts, and single programs on them.

Each is stopped and let go for a reason of its own: a host that is thawed leaves its frozen sshd frozen, and a
program that is thawed on a frozen host goes on with its host only.
"""

import signal
from collections.abc import Callable

from orchestrator.twin.processes import processes_of, stop_all, tell


class Freezer:
    """`processes` is process 1 of each host. Everything here is idempotent."""

    def __init__(self, processes: dict[str, int]) -> None:
        self._processes = processes
        self._hosts: set[str] = set()
        self._programs: dict[tuple[str, str], list[int]] = {}  # (host, program) → what is stopped of it

    def freeze_host(self, host: str) -> None:
        """Stop every process of a host."""
        self._hosts.add(host)
        stop_all(lambda: processes_of(self._processes[host]))

    def thaw_host(self, host: str) -> None:
        """Let every process of a host go on that is not stopped for itself."""
        self._hosts.discard(host)
        held = {pid for (where, _), pids in self._programs.items() if where == host for pid in pids}
        tell((pid for pid in processes_of(self._processes[host]) if pid not in held), signal.SIGCONT)

    def freeze(self, host: str, program: str, find: Callable[[], list[int]]) -> list[int]:
        """Stop every process of a program; which they are."""
        self._programs[host, program] = stop_all(find)
        return self._programs[host, program]

    def thaw(self, host: str, program: str) -> None:
        """Let a program's processes go on, unless their host stands still."""
        stopped = self._programs.pop((host, program), [])
        if host not in self._hosts:
            tell(stopped, signal.SIGCONT)
