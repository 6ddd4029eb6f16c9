"""A testinfra backend over a persistent shell: `drill://NAME`.

testinfra's own ssh backend starts one ssh per command, has no deadline, and pays for a dead host at every
check again. testinfra keeps one Host per specification, so one shell serves all checks of a host.
"""

from typing import Any

import testinfra
import testinfra.backend
from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from orchestrator.adapters.shell import Shell


class ShellBackend(BaseBackend):
    """testinfra gives each keyword argument of `get_host` on to its backend."""

    NAME = "drill"

    def __init__(self, hostname: str, shell: Shell, **kwargs: Any) -> None:
        super().__init__(hostname, **kwargs)
        self._shell = shell

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:  # noqa: ARG002 - testinfra's signature
        line = self.get_command(command, *args)
        answer = self._shell.run(line)
        return self.result(answer.rc, line.encode(), answer.stdout, answer.stderr)

    def get_encoding(self) -> str:
        """The shell runs with LC_ALL=C, so nothing needs to be asked of the host."""
        return "utf-8"

    def decode(self, data: bytes) -> str:
        """A byte that is no UTF-8 must not make a check fail; who needs bytes takes `stdout_bytes`."""
        return data.decode(errors="replace")


testinfra.backend.BACKENDS[ShellBackend.NAME] = f"{__name__}.{ShellBackend.__name__}"


def host_over(name: str, shell: Shell) -> Host:
    """A testinfra Host over this shell, which is to be closed when all checks are done."""
    return testinfra.get_host(f"{ShellBackend.NAME}://{name}", shell=shell)
