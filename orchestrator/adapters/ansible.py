"""Runs one playbook against its hosts and says what came of it, host by host. Never guesses.

Every host that was asked for gets exactly one result. No word from a host is `indeterminate`, never
success; a connection that broke is `failed` only where it was never made. The playbooks run in place, each
under a guard; each attempt has a private folder of its own, because a used one leaks old variables into the
next run.
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from orchestrator.adapters.call_folder import clear, scratch
from orchestrator.adapters.host_result import HostResult, silent, unreachable, worst
from orchestrator.adapters.secrets import NO_MASK, Mask
from orchestrator.adapters.ssh import SshSettings, SshTarget, last_words
from orchestrator.engine import guard
from orchestrator.errors import Refused, StepFailed
from orchestrator.model.access import BecomeMethod
from orchestrator.model.event import Outcome

_GRACE_S = 5.0  # our choice: what the child may take beyond the deadline to end what it started
_ACTION = "onhost"
_TARGETS = "targets.yml"
_ONE_LINE = 1 << 30
_FastDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Ansible:
    """Plays the project's playbooks on hosts of one site."""

    def __init__(
        self,
        site_folder: Path,
        project: Path,
        ssh: SshSettings,
        mask: Mask = NO_MASK,
        targets: Mapping[str, SshTarget] = MappingProxyType({}),
    ) -> None:
        """`project` is the folder of the playbooks; what `mask` takes out is in no result. `targets`: how the hosts
        of a real site are reached; those of a twin as hosts.yml says.
        """
        self._targets = targets
        self._mask = mask
        self._site = site_folder.resolve()
        self._project = project.resolve()
        self._ssh = ssh

    def play(
        self,
        call_folder: Path,
        playbook: str,
        requests: Mapping[str, Mapping[str, Any]],
        deadline_s: float,
        stop: Callable[[], bool] = lambda: False,
        *,
        check: bool = False,
        on_progress: Callable[[HostResult], None] | None = None,
    ) -> dict[str, HostResult]:
        """Run `playbook` ("repoint.yml") with each host's own variables. `check` changes nothing.

        `call_folder` is the guard's. Where it was begun before, that play is joined: nothing is started, and
        `requests` only says which hosts must have a result. `stop` as in `ports.Call`. StepFailed: not begun.
        """
        if not requests:
            raise Refused("EMPTY_TARGET", f"{playbook}: expected at least one host, found none")
        folder = call_folder.resolve() / "ansible"
        if not guard.begun(call_folder):
            reached = {host: {**self._reached(host), **variables} for host, variables in requests.items()}
            _prepare(folder, self._play(folder, playbook, check), reached)
        guard.start(call_folder, self._command(folder, len(requests), deadline_s))
        heard = Hearing(on_progress, self._mask)
        status = heard.listen(guard.follow(call_folder, stop))
        clear(call_folder)
        how = guard.result(call_folder).ended
        last_words = self._mask.text(_last_words(call_folder))
        return {host: heard.results.get(host) or silent(host, how, status, last_words) for host in requests}

    def _play(self, folder: Path, playbook: str, check: bool) -> dict[str, Any]:
        return {
            "project": str(self._project),
            "playbook": playbook,
            "inventory": [str(self._site / "hosts.yml"), str(folder / _TARGETS)],
            "options": "--check --diff" if check else "",
        }

    def _reached(self, host: str) -> dict[str, Any]:
        """What Ansible is told of a host of a real site: everything, so that nothing else counts."""
        target = self._targets.get(host)
        if self._ssh.access is None:
            return {}
        if target is None:
            raise Refused("NOT_LISTED", f"expected a host of the inventory, found {host}: not contacted")
        become = target.become
        return {
            "ansible_connection": "ssh",
            "ansible_host": target.alias,
            "ansible_port": target.port,
            "ansible_user": target.user,
            "ansible_python_interpreter": target.interpreter,
            "ansible_become": become.method is not BecomeMethod.NONE,
            "ansible_become_method": "su" if become.method is BecomeMethod.SU else "sudo",
            "ansible_become_user": become.user or target.user,
            "ansible_become_flags": "-s /bin/sh" if become.method is BecomeMethod.SU else "-n -H",
        }

    def _command(self, folder: Path, hosts: int, deadline_s: float) -> guard.Command:
        """The child keeps the deadline; the guard does so where the child does not."""
        argv = (sys.executable, "-m", "orchestrator.adapters.ansible_child", str(folder), str(deadline_s))
        return guard.Command(argv, self._environment(folder, hosts), str(self._project), deadline_s + _GRACE_S)

    def _environment(self, folder: Path, hosts: int) -> dict[str, str]:
        """Everything that the playbook's processes know: nothing of the caller's but where programs are."""
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            "PATH": programs,
            "HOME": os.environ.get("HOME", "/"),
            "TMPDIR": str(scratch(folder.parent)),
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
            "ANSIBLE_TIMEOUT": str(self._ssh.connect_timeout_s),  # else its own 10 s go before the configuration's
            "ANSIBLE_NOCOLOR": "1",
        }


def _prepare(folder: Path, play: Mapping[str, Any], requests: Mapping[str, Mapping[str, Any]]) -> None:
    """A fresh private folder: what to play and the hosts' variables, nothing secret. StepFailed: it cannot be made."""
    try:
        shutil.rmtree(folder, ignore_errors=True)  # of one that was prepared and never begun
        shutil.rmtree(scratch(folder.parent), ignore_errors=True)
        for path in (folder.parent, folder):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch(folder.parent).mkdir(mode=0o700)
        (folder / _TARGETS).write_text(_inventory(requests), encoding="utf-8")
        (folder / "play.json").write_text(json.dumps(play), encoding="utf-8")
    except OSError as error:
        raise StepFailed(f"expected to prepare {folder}, found: {error}; nothing was begun") from error


class Hearing:
    """Turns the child's lines into results, the last word of each host counting."""

    def __init__(self, on_progress: Callable[[HostResult], None] | None, mask: Mask = NO_MASK) -> None:
        self.results: dict[str, HostResult] = {}
        self._mask = mask
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
        found = _result(self._mask.data(line), self.results.get(line["host"]))
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
        return HostResult(host, unreachable(message), f"unreachable: {last_words(message.encode())}")
    if line["task_action"] == _ACTION and "results" in result:
        return HostResult(host, worst(result["results"]), message, {"results": result["results"]})
    if line["event"] != "runner_on_failed":
        return None
    if line["task_action"] == _ACTION:  # it failed without an answer from the host
        return HostResult(host, Outcome.TIMED_OUT if "timedout" in result else Outcome.INDETERMINATE, message)
    return HostResult(host, Outcome.FAILED, message, before.data if before else {})


def _last_words(folder: Path) -> str:
    """What ansible-playbook printed last, without which a playbook that cannot be read leaves no trace."""
    found = [*folder.glob("ansible/artifacts/*/stdout"), folder / "log"]
    lines = [line.strip() for path in found for line in path.read_text("utf-8", "replace").splitlines()]
    said = [line for line in lines if line.startswith(("ERROR", "[ERROR]", "fatal")) or "Error" in line]
    return f": {said[-1][:300]}" if said else ""


def _inventory(requests: Mapping[str, Mapping[str, Any]]) -> str:
    """The hosts' variables as an inventory, a line for each: hundreds in one document take a minute's memory. Texts are
    marked, so that none is ever taken for a template.
    """
    head = "all:\n  children:\n    drill_targets:\n      hosts:\n"
    return head + "".join(f"        {_line({host: _plain(requests[host])})}\n" for host in requests)


def _line(entry: Mapping[str, Any]) -> str:
    """`name: {…}`."""
    text = yaml.dump(
        dict(entry), Dumper=_Dumper, allow_unicode=True, sort_keys=False, default_flow_style=True, width=_ONE_LINE
    )
    return str(text).strip()[1:-1]  # without the braces of the mapping that has this one entry


class _Verbatim(str):
    """A text that Ansible must not template."""

    __slots__ = ()


class _Dumper(_FastDumper):  # type: ignore[misc] # in C, where there is such
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
