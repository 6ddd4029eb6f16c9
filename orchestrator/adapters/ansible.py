"""Runs one playbook against its hosts and says what came of it, host by host. Never guesses.

Every host that was asked for gets exactly one result. No word from a host is `indeterminate`, never
success; a connection that broke is `failed` only where it was never made. The playbooks run in place; each
attempt has a private folder of its own, because a used one leaks old variables into the next run.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from orchestrator.adapters.descendants import sweep
from orchestrator.adapters.ssh import SshSettings
from orchestrator.errors import Refused
from orchestrator.model.event import Outcome

_GRACE_S = 5.0  # our choice: what the child may take beyond the deadline to end what it started
_ACTION = "onhost"
# What ssh says when it never came to run anything. Anything else may have happened in the middle.
_NEVER_CONNECTED = re.compile(
    r"ssh: connect to host|Could not resolve hostname|Permission denied|Host key verification failed"
    r"|kex_exchange_identification|during banner exchange|REMOTE HOST IDENTIFICATION HAS CHANGED"
)
_MAY_HAVE_RUN = re.compile(r"not responding|client_loop|closed by remote host|Broken pipe|read from master failed")


@dataclass(frozen=True)
class HostResult:
    """What came of a playbook on one host. `data["results"]` holds the on-host results, one per request."""

    host: str
    outcome: Outcome
    message: str
    data: dict[str, Any] = field(default_factory=dict)


class Ansible:
    """Plays the project's playbooks on hosts of one site."""

    def __init__(self, site_folder: Path, project: Path, ssh: SshSettings, work: Path) -> None:
        """`project` is the folder of the playbooks; `work` takes the private folders, one per attempt."""
        self._site = site_folder.resolve()
        self._project = project.resolve()
        self._ssh = ssh
        self._work = work.resolve()
        self._attempts = count(1)

    def play(
        self,
        playbook: str,
        requests: Mapping[str, Mapping[str, Any]],
        deadline_s: float,
        check: bool = False,
        on_progress: Callable[[HostResult], None] | None = None,
    ) -> dict[str, HostResult]:
        """Run `playbook` ("repoint.yml") with each host's own variables. `check` changes nothing."""
        if not requests:
            raise Refused("EMPTY_TARGET", f"{playbook}: expected at least one host, found none")
        folder = self._prepare(playbook, requests, check)
        heard = Hearing(on_progress)
        with tempfile.TemporaryDirectory(prefix="drillctl-") as scratch:  # Ansible that is killed leaves its own behind
            status = self._supervise(folder, self._environment(folder, Path(scratch), len(requests)), deadline_s, heard)
        return {host: heard.results.get(host) or _silent(host, status, folder) for host in requests}

    def _prepare(self, playbook: str, requests: Mapping[str, Mapping[str, Any]], check: bool) -> Path:
        """A fresh private folder: what to play and the hosts' variables, nothing secret."""
        self._work.mkdir(parents=True, exist_ok=True)
        folder = self._work / f"{next(self._attempts):04}-{os.getpid()}-{Path(playbook).stem}"
        folder.mkdir(mode=0o700)
        inventory = folder / "targets.yml"
        inventory.write_text(_inventory(requests), encoding="utf-8")
        play = {
            "project": str(self._project),
            "playbook": playbook,
            "inventory": [str(self._site / "hosts.yml"), str(inventory)],
            "options": "--check --diff" if check else "",
        }
        (folder / "play.json").write_text(json.dumps(play), encoding="utf-8")
        return folder

    def _supervise(self, folder: Path, environment: dict[str, str], deadline_s: float, heard: "Hearing") -> str:
        """Run the child to its end; past the deadline and a grace, end it with everything below it."""
        command = [sys.executable, "-m", "orchestrator.adapters.ansible_child", str(folder), str(deadline_s)]
        with (folder / "child.log").open("wb") as log:
            child = subprocess.Popen(
                command,
                env=environment,
                cwd=self._project,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        too_late = threading.Timer(deadline_s + _GRACE_S, _end, (child,))
        too_late.start()
        try:
            return heard.listen(child.stdout or ())
        except BaseException:  # Ctrl-C in the command line: nothing of ours goes on by itself
            _end(child)
            raise
        finally:
            too_late.cancel()
            child.wait()
            if child.stdout:
                child.stdout.close()

    def _environment(self, folder: Path, scratch: Path, hosts: int) -> dict[str, str]:
        """Everything that the playbook's processes know: nothing of the caller's but where programs are."""
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            "PATH": programs,
            "HOME": os.environ.get("HOME", "/"),
            "TMPDIR": str(scratch),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            "ANSIBLE_CONFIG": str(self._project.parent / "ansible.cfg"),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(folder / "ansible" / "tmp"),
            "ANSIBLE_FORKS": str(max(hosts, 5)),
            "ANSIBLE_HOST_KEY_CHECKING": "True",  # ansible-runner turns it off unless it is told
            "ANSIBLE_SSH_ARGS": shlex.join(self._ssh.options()),
            "ANSIBLE_SSH_RETRIES": "0",
            "ANSIBLE_NOCOLOR": "1",
        }


class Hearing:
    """Turns the child's lines into results, the last word of each host counting."""

    def __init__(self, on_progress: Callable[[HostResult], None] | None) -> None:
        self.results: dict[str, HostResult] = {}
        self._on_progress = on_progress

    def listen(self, lines: Iterable[str]) -> str:
        """Read until the child is done; its last line is the runner's status."""
        status = "no answer"
        for text in lines:
            try:
                line = json.loads(text)
            except ValueError:  # cut off where the child was ended: nothing is known by it
                continue
            status = line.get("status", status)
            if "event" in line:
                self._hear(line)
        return status

    def _hear(self, line: dict[str, Any]) -> None:
        found = _result(line, self.results.get(line["host"]))
        if found is None:
            return
        self.results[found.host] = found
        if self._on_progress:
            self._on_progress(found)


def _result(line: Mapping[str, Any], before: HostResult | None) -> HostResult | None:
    """What one finished task says of its host; None: nothing new."""
    result = line.get("res") or {}
    host, message = str(line["host"]), str(result.get("msg") or "")
    if line["event"] == "runner_on_unreachable":
        return HostResult(host, _unreachable(message), f"unreachable: {message}")
    if line["task_action"] == _ACTION and "results" in result:
        return HostResult(host, _worst(result["results"]), message, {"results": result["results"]})
    if line["event"] != "runner_on_failed":
        return None
    if line["task_action"] == _ACTION:  # it failed without an answer from the host
        return HostResult(host, Outcome.TIMED_OUT if "timedout" in result else Outcome.INDETERMINATE, message)
    return HostResult(host, Outcome.FAILED, message, before.data if before else {})


def _unreachable(message: str) -> Outcome:
    """Failed only where no connection was ever made; else the request may have been carried out."""
    never = _NEVER_CONNECTED.search(message) and not _MAY_HAVE_RUN.search(message)
    return Outcome.FAILED if never else Outcome.INDETERMINATE


_OUTCOME = {
    "succeeded": Outcome.SUCCEEDED,
    "would_change": Outcome.WOULD_CHANGE,
    "skipped": Outcome.SKIPPED,
    "failed": Outcome.FAILED,
    "refused": Outcome.FAILED,
}
_FROM_WORST = (Outcome.INDETERMINATE, Outcome.FAILED, Outcome.WOULD_CHANGE, Outcome.SUCCEEDED, Outcome.SKIPPED)


def outcome_of(result: Mapping[str, Any]) -> Outcome:
    """Outcome of one on-host result. A word that is not known is unknown, never success."""
    return _OUTCOME.get(str(result.get("outcome")), Outcome.INDETERMINATE)


def _worst(results: Iterable[Mapping[str, Any]]) -> Outcome:
    found = {outcome_of(item) for item in results}
    return next((item for item in _FROM_WORST if item in found), Outcome.INDETERMINATE)


# ansible-runner 2.4 `Runner.status`: a play that was ended at its deadline is "canceled" (by us).
_STATUS = {"canceled": Outcome.TIMED_OUT, "timeout": Outcome.TIMED_OUT}


def _silent(host: str, status: str, folder: Path) -> HostResult:
    """Result of a host that was never heard of."""
    outcome = _STATUS.get(status, Outcome.INDETERMINATE)
    reason = "the deadline passed" if outcome is Outcome.TIMED_OUT else f"ansible ended ({status})"
    said = _last_words(folder)
    return HostResult(host, outcome, f"no result from {host}: {reason}{f': {said}' if said else ''}")


def _last_words(folder: Path) -> str:
    """What ansible-playbook printed last, without which a playbook that cannot be read leaves no trace."""
    found = [*folder.glob("artifacts/*/stdout"), folder / "child.log"]
    lines = [line.strip() for path in found for line in path.read_text("utf-8", "replace").splitlines()]
    said = [line for line in lines if line.startswith(("ERROR", "[ERROR]", "fatal")) or "Error" in line]
    return said[-1][:300] if said else ""


def _inventory(requests: Mapping[str, Mapping[str, Any]]) -> str:
    """The hosts' variables as an inventory. Texts are marked, so that none is ever taken for a template."""
    hosts = {host: _plain(variables) for host, variables in requests.items()}
    groups = {"all": {"children": {"drill_targets": {"hosts": hosts}}}}
    return yaml.dump(groups, Dumper=_Dumper, allow_unicode=True, sort_keys=False)


class _Verbatim(str):
    """A text that Ansible must not template."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes `!unsafe`, and no anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - yaml's signature
        return True


_Dumper.add_representer(_Verbatim, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _Verbatim(value) if "{" in value else value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _end(child: "subprocess.Popen[str]") -> None:
    """End the child and all that it started. The playbook's processes first: below it they can be found."""
    sweep(child.pid)
    child.kill()
