"""Carries a run's requests to hosts: one guarded call each, and in each request who sends it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.adapters.ansible import Ansible
from orchestrator.adapters.hands import Hands
from orchestrator.adapters.host_result import HostResult, outcome_of
from orchestrator.engine import guard
from orchestrator.engine.log import Assignment
from orchestrator.model.event import Outcome
from orchestrator.ports import Call, Clock, Fate, TargetResult

_CALL_S = 20.0  # our choice: what a call may take beyond what its hosts may take
_PLAY_S = 0.5  # our choice: of a playbook, for each host besides; two cores take 0.25 s (200 hosts: 49 s)

Requests = dict[str, list[dict[str, Any]]]  # host → requests, in order
Names = dict[str, list[str]]  # host → the target of each request


class Player:
    """Plays on behalf of one orchestrator of one run. `clock_offset_s`: each host's wall clock minus ours."""

    def __init__(
        self,
        job: Assignment,
        ansible: Ansible,
        hands: Hands,
        clock: Clock,
        clock_offset_s: Callable[[], Mapping[str, float]],
    ) -> None:
        self._job, self._ansible, self._hands = job, ansible, hands
        self._clock, self._clock_offset_s = clock, clock_offset_s
        self._sequence = 0
        self._folders: set[Path] = set()

    def folder(self, call: Call) -> Path:
        """The call's guard has this folder."""
        folder = self._job.folder / "steps" / call.name
        self._folders.add(folder)
        return folder

    def is_at_work(self) -> bool:
        """Whether a call of this orchestrator goes on without it."""
        return any(guard.begun(folder) and guard.fate(folder) is Fate.RUNNING for folder in self._folders)

    def permit(self, op: str, deadline_s: float, host: str) -> dict[str, Any]:
        """What every changing request carries: run, token, and its deadline by the host's own clock."""
        now = self._clock.now()
        self._sequence = max(self._sequence + 1, int(now * 1000))  # a clock set back makes no request an old one
        return {
            "op": op,
            "run": self._job.run,
            "token": self._job.epoch,
            "sequence": self._sequence,
            "deadline_s": deadline_s,
            "deadline_at": now + self._clock_offset_s().get(host, 0.0) + deadline_s,
        }

    def attempt_of(self, step: str, attempt: int) -> dict[str, Any]:
        """Under which name the host keeps what came of a request; a later orchestrator asks for it."""
        return {"run": self._job.run, "step": step, "attempt": attempt}

    def play(
        self, call: Call, playbook: str, program: Mapping[str, str], requests: Requests, deadline_s: float
    ) -> dict[str, HostResult]:
        """What arms, reads or cleans whole hosts. `program` is what the host is, "gateway" or "route"; `deadline_s` is
        what the hosts may take.
        """
        variables = {
            host: {"drill_program": program[host], "drill_requests": items} for host, items in requests.items()
        }
        longest_s = deadline_s + _CALL_S + _PLAY_S * len(requests)
        return self._ansible.play(self.folder(call), playbook, variables, longest_s, call.stop)

    def send(
        self,
        call: Call,
        what: str,
        program: Mapping[str, str],
        requests: Requests,
        deadline_s: float,
        *,
        leave_silent: bool = False,
    ) -> dict[str, HostResult]:
        """What changes targets, or looks at them: over the connections that arming has opened."""
        folder, longest_s = self.folder(call), deadline_s + _CALL_S
        return self._hands.send(folder, what, program, requests, longest_s, call.stop, leave_silent=leave_silent)


def per_target(result: HostResult, names: Sequence[str]) -> Iterator[TargetResult]:
    """A host's answer, one result per request; without an answer every request shares the host's outcome."""
    answers = result.data.get("results")
    if not answers:
        yield from (TargetResult(name, result.outcome, result.message, dict(result.data)) for name in names)
        return
    for name, answer in zip(names, answers, strict=False):
        yield answered(name, answer)
    for name in names[len(answers) :]:
        found = f"expected {len(names)} answers of {result.host}, found {len(answers)}: none for {name}"
        yield TargetResult(name, Outcome.INDETERMINATE, found)


def answered(target: str, answer: Mapping[str, Any]) -> TargetResult:
    """One on-host result as a target's."""
    data = {key: value for key, value in answer.items() if key not in ("message", "outcome")}
    return TargetResult(target, outcome_of(answer), str(answer.get("message", "")), data)
