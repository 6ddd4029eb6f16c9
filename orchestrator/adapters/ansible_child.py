"""One playbook in a process of its own: `python -m orchestrator.adapters.ansible_child FOLDER DEADLINE_S`.

ansible-runner takes over the environment of the process that it runs in, forks, and leaves Ansible's
workers and ssh clients behind when it is cancelled. So it gets a process of its own, which adopts every
orphan of the playbook and ends them all at the deadline or when it is told to stop (SIGTERM). It prints
one JSON line per finished task and host, then one with the runner's status.

Connections that ssh keeps open for others (ControlMaster) are left alone.
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

from orchestrator.adapters.descendants import sweep

_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.1  # pexpect's wait between two looks at the deadline; its default is 5 s
_TOLD = {"runner_on_ok", "runner_on_failed", "runner_on_unreachable", "runner_on_skipped"}


def main(folder: Path, deadline_s: float) -> int:
    """Run the playbook that `play.json` in the private folder names."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stop_at = [time.monotonic() + deadline_s]
    signal.signal(signal.SIGTERM, lambda *_: stop_at.__setitem__(0, 0.0))
    play = json.loads((folder / "play.json").read_text(encoding="utf-8"))
    runner = ansible_runner.run(
        private_data_dir=str(folder),
        project_dir=play["project"],
        playbook=play["playbook"],
        inventory=play["inventory"],
        cmdline=play["options"],
        settings={"pexpect_timeout": _POLL_S, "suppress_output_file": False},
        suppress_env_files=True,
        quiet=True,
        event_handler=_tell,
        cancel_callback=lambda: _over(stop_at[0]),
    )
    sweep(os.getpid())
    _print({"status": str(runner.status), "rc": runner.rc})
    return 0


def _over(stop_at: float) -> bool:
    if time.monotonic() < stop_at:
        return False
    sweep(os.getpid())
    return True


def _tell(event: dict[str, Any]) -> bool:
    """Allow-listed fields only; the runner keeps the whole event in its private folder."""
    data = event.get("event_data", {})
    if event.get("event") in _TOLD:
        told = {key: data.get(key) for key in ("host", "task", "task_action", "res", "ignore_errors")}
        _print({"event": event["event"], **told})
    return True


def _print(line: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):  # the parent is gone: the hosts' work is still brought to its end
        print(json.dumps(line), flush=True)  # noqa: T201 - standard output is how the parent is told


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
