"""The process of one round of checks: `python -m orchestrator.adapters.checks_program HOSTS PYTEST-ARGUMENTS…`.

HOSTS is a JSON file: the command that starts a shell on each host that is looked at, and two time limits. The shells
are begun first, and come up while pytest and the models are loaded: that takes as long as connecting does.
"""

import gc
import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.adapters.shell import Shell

_OPEN_FILES = 16_384  # our choice: of 3,000 hosts


def main(hosts: Path, arguments: Sequence[str]) -> int:
    """Pytest's exit status."""
    gc.disable()  # a process of seconds: what could be freed goes with it
    _allow_files()
    begun = _begun(json.loads(hosts.read_bytes()))
    import pytest  # noqa: PLC0415 - while the shells come up

    from orchestrator.adapters import checks_plugin  # noqa: PLC0415 - likewise

    return int(pytest.main(list(arguments), plugins=[checks_plugin, checks_plugin.Begun(begun)]))


def _allow_files() -> None:
    """A shell has five open here: of the usual 1,024, 200 hosts would find too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, _OPEN_FILES)), hard))


def _begun(sessions: dict[str, Any]) -> dict[str, Shell]:
    timeouts = sessions["command_timeout_s"], sessions["connect_timeout_s"]
    shells = {name: Shell(argv, *timeouts) for name, argv in sessions["hosts"].items()}
    for shell in shells.values():
        shell.start()
    return shells


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
