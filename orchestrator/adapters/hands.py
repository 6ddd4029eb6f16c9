"""Sends on-host programs over the connections that arming has left open, all hosts of a wave at once (ADR 0012).

Ansible arms, reads and cleans; between GO and the last log-in nothing is loaded that is not needed there. What is sent
is what the playbooks of the same verb send, and the same is proved on the host. Each call is under a guard.
"""

import importlib.util
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.adapters.call_folder import clear, scratch
from orchestrator.adapters.host_result import HostResult, silent, unreachable, worst
from orchestrator.adapters.read_back import compared, read_back
from orchestrator.adapters.secrets import NO_MASK, Mask
from orchestrator.adapters.ssh import SshSettings, SshTarget, last_words
from orchestrator.engine import guard
from orchestrator.errors import Refused, StepFailed, StepUnknown
from orchestrator.model.event import Outcome

_GRACE_S = 5.0  # our choice: what the child may take beyond the deadline to end what it started
_ANSWER_S = 10.0  # our choice: what an answer may take beyond what the host may take
_LONGEST_S = 30.0  # our choice: of a request that names no deadline
_RECORD = "hands.json"
_SSH_FAILED = 255  # ssh's own exit status

Requests = Mapping[str, Sequence[Mapping[str, Any]]]  # host → requests, in order


class Hands:
    """Reaches the hosts of one site; no other."""

    def __init__(
        self, playbooks: Path, ssh: SshSettings, targets: Mapping[str, SshTarget], mask: Mask = NO_MASK
    ) -> None:
        self._playbooks, self._ssh, self._targets, self._mask = playbooks.resolve(), ssh, targets, mask
        self._onhost: Any = None

    def send(
        self,
        call_folder: Path,
        what: str,
        programs: Mapping[str, str],
        requests: Requests,
        deadline_s: float,
        stop: Callable[[], bool] = lambda: False,
        *,
        leave_silent: bool = False,
    ) -> dict[str, HostResult]:
        """Every host's requests in one program each (`programs`: which one a host gets). `what`: for the record.
        `leave_silent`: a host on which nothing has begun when all others are done is not waited for.

        `call_folder` is the guard's. Where it was begun before, that call is joined: nothing is sent, and `requests`
        only says which hosts must have a result. `stop` as in `ports.Call`. StepFailed: not begun.
        """
        if not requests:
            raise Refused("EMPTY_TARGET", f"{what}: expected at least one host, found none")
        folder = call_folder.resolve()
        if not guard.begun(folder):
            self._prepare(folder, what, programs, requests, leave_silent=leave_silent)
        guard.start(folder, self._command(scratch(folder), deadline_s))
        asked = _asked(folder)
        heard, status = self._listen(guard.follow(folder, stop), asked)
        clear(folder)
        how = guard.result(folder).ended
        return {host: heard.get(host) or silent(host, how, status, "") for host in requests}

    def _prepare(
        self, folder: Path, what: str, programs: Mapping[str, str], requests: Requests, *, leave_silent: bool
    ) -> None:
        """Programs go to a private folder and are gone with the call; what was asked for stays on record."""
        unknown = sorted(set(requests) - set(self._targets))
        if unknown:
            raise Refused("NOT_LISTED", f"expected hosts of the inventory, found {unknown[0]}: nothing was contacted")
        own, onhost = scratch(folder), self._assembler()
        hosts = [self._host(host, requests[host]) for host in requests]
        try:
            clear(folder)  # of one that was prepared and never begun
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            own.mkdir(mode=0o700)  # nobody else's
            for host, items in requests.items():
                document = {"requests": [{**item, "check": False} for item in items]}
                (own / f"{host}.in").write_bytes(onhost.program(programs[host], document))
            (own / "hands.json").write_text(
                json.dumps({"hosts": hosts, "leave_silent": leave_silent}), encoding="utf-8"
            )
            asked = {host: [compared(item) for item in items] for host, items in requests.items()}
            (folder / _RECORD).write_text(json.dumps({"what": what, "asked": asked}), encoding="utf-8")
        except OSError as error:
            raise StepFailed(f"expected to prepare {folder}, found: {error}; nothing was begun") from error

    def _host(self, host: str, items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        target = self._targets[host]
        line = target.command(f"exec {shlex.quote(target.interpreter)} -I -S -")
        longest_s = max(
            float(item.get("deadline_s", _LONGEST_S)) + float(item.get("wait_idle_s", 0.0)) for item in items
        )
        words = ["ssh", *self._ssh.options(), *target.destination, line]
        return {"host": host, "words": words, "deadline_s": longest_s + _ANSWER_S}

    def _assembler(self) -> Any:
        """The playbooks' own, which knows nothing of Ansible."""
        if self._onhost is None:
            path = self._playbooks / "onhost_program.py"
            spec = importlib.util.spec_from_file_location("onhost_program", path)
            if spec is None or spec.loader is None:
                raise StepFailed(f"expected {path}, found none: nothing was begun")
            self._onhost = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(self._onhost)
        return self._onhost

    def _command(self, own: Path, deadline_s: float) -> guard.Command:
        """The child keeps the deadline; the guard does so where the child does not."""
        child = ("-S", "-s", "-P", "-m", "orchestrator.adapters.hands_child", str(own), str(deadline_s))
        root = str(Path(__file__).resolve().parents[2])
        known = {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/")}
        environment = {**known, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONPATH": root}
        return guard.Command((sys.executable, *child), environment, "/", deadline_s + _GRACE_S)

    def _listen(self, lines: Iterable[str], asked: Requests) -> tuple[dict[str, HostResult], str]:
        found: dict[str, HostResult] = {}
        status = "no answer"
        for text in lines:
            try:
                line = self._mask.data(json.loads(text))
            except ValueError:  # cut off where the child was ended: nothing is known by it
                continue
            status = line.get("status", status)
            if line.get("host") in asked:
                found[line["host"]] = _result(line, asked[line["host"]])
        return found, status


def _asked(folder: Path) -> Requests:
    """By whoever began the call: who joins it may be about to ask for something else."""
    try:
        found: dict[str, Any] = json.loads((folder / _RECORD).read_bytes())
    except (OSError, ValueError) as error:
        raise StepUnknown(f"expected {folder / _RECORD}, which says what was sent, found: {error}") from error
    asked: Requests = found["asked"]
    return asked


def _result(line: Mapping[str, Any], asked: Sequence[Mapping[str, Any]]) -> HostResult:
    host, answer = str(line["host"]), line.get("answer")
    if isinstance(answer, dict) and isinstance(answer.get("results"), list):
        results = [read_back(request, item) for request, item in zip(asked, answer["results"], strict=False)]
        bad = [item for item in results if not item.get("ok")]
        message = "; ".join(f"{item.get('gateway', item.get('op'))}: {item.get('message')}" for item in bad or results)
        return HostResult(host, worst(results), message, {"results": results})
    wrong = str(line.get("wrong") or "")
    if line.get("ended") == "not begun":
        return HostResult(host, Outcome.FAILED, "not begun: nothing was sent to it before the call was ended")
    if line.get("ended") == "silent":
        reason = f"nothing has begun on {host} while all others were done: it is not waited for"
        return HostResult(host, Outcome.INDETERMINATE, reason, {"silent": True})
    if line.get("ended") == "deadline":
        return HostResult(host, Outcome.TIMED_OUT, f"no answer from {host} within its deadline")
    said = last_words(wrong.encode())
    if line.get("returncode") == _SSH_FAILED:
        return HostResult(host, unreachable(wrong), f"unreachable: {said}")
    return HostResult(
        host, Outcome.INDETERMINATE, f"expected a result from {host}, found exit {line.get('returncode')}: {said}"
    )
