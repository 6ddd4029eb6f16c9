"""One playbook in a process of its own: `python -m orchestrator.adapters.ansible_child FOLDER DEADLINE_S`.

ansible-runner takes over the environment of the process that it runs in, forks, and leaves Ansible's
workers and ssh clients behind when it is cancelled. So it gets a process of its own, which adopts every
orphan of the playbook and ends them all at the deadline or when it is told to (SIGTERM, which also comes
when its guard is killed). It prints one JSON line per finished task and host, then one with the runner's
status, or `deadline` or `stopped` where it has ended the playbook itself.
"""

import ctypes
import json
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import ansible_runner

from orchestrator.guarding.processes import sweep_below

_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.1  # pexpect's wait between two looks at the deadline; its default is 5 s
_TOLD = {"runner_on_ok", "runner_on_failed", "runner_on_unreachable", "runner_on_skipped"}


def main(folder: Path, deadline_s: float) -> int:
    """Run the playbook that `play.json` in the private folder names."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    end = time.monotonic() + deadline_s
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    play = json.loads((folder / "play.json").read_text(encoding="utf-8"))
    _write_settings(folder)
    runner = ansible_runner.run(
        private_data_dir=str(folder),
        project_dir=play["project"],
        playbook=play["playbook"],
        inventory=play["inventory"],
        cmdline=play["options"],
        suppress_env_files=True,
        quiet=True,
        event_handler=_tell,
        cancel_callback=lambda: _end_if_over(end, told),
    )
    sweep_below(os.getpid())
    _print({"status": str(runner.status), "rc": runner.rc})
    return 0


def _write_settings(folder: Path) -> None:
    """ansible-runner forgets the settings that it is called with where there is no such file."""
    (folder / "env").mkdir()
    settings = {"pexpect_timeout": _POLL_S, "suppress_output_file": False}
    (folder / "env" / "settings").write_text(json.dumps(settings), encoding="utf-8")


def _end_if_over(end: float, told: list[int]) -> bool:
    """Ends this process too: ansible-runner takes seconds to see that its playbook is gone."""
    if time.monotonic() < end and not told:
        return False
    sweep_below(os.getpid())
    _print({"status": "stopped" if told else "deadline"})
    os._exit(0)


def _tell(event: dict[str, Any]) -> bool:
    """Allow-listed fields only; the runner keeps the whole event in its private folder."""
    data = event.get("event_data", {})
    if event.get("event") in _TOLD:
        told = {key: data.get(key) for key in ("host", "task", "task_action", "res", "ignore_errors")}
        _print({"event": event["event"], **told})
    return True


def _print(line: dict[str, Any]) -> None:
    with suppress(OSError):  # the disk is full: the hosts' work is still brought to its end
        print(json.dumps(line), flush=True)  # noqa: T201 - standard output is the guard's file, which is followed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
