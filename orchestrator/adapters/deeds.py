"""How a verb that changes targets is carried out, and how it is found out afterwards what became of it.

Most verbs are one call for all targets at once. One that is several calls implements `Deed` itself.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.adapters.player import Names, Player, Requests, answered, per_target
from orchestrator.errors import StepFailed
from orchestrator.model.event import Outcome
from orchestrator.model.plan import Plan, Step, Target
from orchestrator.model.topology import Topology
from orchestrator.ports import Call, Snapshot, TargetResult


@dataclass(frozen=True)
class Scene:
    """What is known when a step is carried out. `written`: digest of each file as this run left it."""

    plan: Plan
    topology: Topology
    before: Snapshot
    written: Mapping[str, str]


class Deed(Protocol):
    """One verb."""

    def calls(self, call: Call) -> Sequence[Call]:
        """Every guarded call that carrying it out may begin."""
        ...

    def act(self, player: Player, call: Call, step: Step, scene: Scene) -> list[TargetResult]: ...

    def look(self, player: Player, call: Call, step: Step, attempt: int, scene: Scene) -> list[TargetResult]:
        """Read-only; what each outcome means: `ports.World.look`."""
        ...


@dataclass(frozen=True)
class Request:
    """What is asked of one host about one target, beside what every request carries."""

    host: str
    op: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class OneCall:
    """A verb that is one call.

    `change` and `state` ask for the change and for the state of its target (StepFailed: this one is not asked
    for); `became` says what that state means: SUCCEEDED where the change is in force, else FAILED with what was
    found.
    """

    what: str
    program: str
    change: Callable[[Scene, Step, Target], Request]
    state: Callable[[Scene, Target], Request]
    became: Callable[[Scene, Target, Mapping[str, Any]], tuple[Outcome, str]]

    def calls(self, call: Call) -> Sequence[Call]:
        return (call,)

    def act(self, player: Player, call: Call, step: Step, scene: Scene) -> list[TargetResult]:
        """All targets at once. Each request says which attempt it is, so that its host keeps what came of it.

        On the way there a host that is lost keeps nobody waiting; on the way back it may only just be there again.
        """
        about = {"attempt_of": player.attempt_of(step.id, call.attempt)}
        asked: dict[str, Request] = {}
        refused: list[TargetResult] = []
        for target in step.targets:
            try:
                asked[target.name] = self.change(scene, step, target)
            except StepFailed as error:
                refused.append(TargetResult(target.name, Outcome.FAILED, str(error)))
        there = step.undoes is None
        found = self._ask(player, call, self.what, asked, about, step.deadline_s, leave_silent=there)
        return [*found, *refused]

    def look(self, player: Player, call: Call, step: Step, attempt: int, scene: Scene) -> list[TargetResult]:
        """A request that is at work ends at its own deadline, so the host waits no longer than that for it."""
        asked = {target.name: self.state(scene, target) for target in step.targets}
        about = {"attempt_of": player.attempt_of(step.id, attempt), "wait_idle_s": step.deadline_s}
        found = self._ask(player, call, "state", asked, about, step.deadline_s)
        targets = {target.name: target for target in step.targets}
        return [self._settled(item, targets[item.target], scene) for item in found]

    def _ask(
        self,
        player: Player,
        call: Call,
        what: str,
        asked: Mapping[str, Request],
        about: Mapping[str, Any],
        deadline_s: float,
        *,
        leave_silent: bool = False,
    ) -> list[TargetResult]:
        if not asked:
            return []
        requests: Requests = defaultdict(list)
        names: Names = defaultdict(list)
        for name, item in asked.items():
            requests[item.host].append({**player.permit(item.op, deadline_s, item.host), **item.fields, **about})
            names[item.host].append(name)
        programs = dict.fromkeys(requests, self.program)
        found = player.send(call, what, programs, requests, deadline_s, leave_silent=leave_silent)
        return [item for host, result in found.items() for item in per_target(result, names[host])]

    def _settled(self, found: TargetResult, target: Target, scene: Scene) -> TargetResult:
        """The host's own record of the attempt first: it has the proofs and stamps. Else what the state says."""
        last = found.data.get("last")
        if last:
            return answered(found.target, last)
        if found.data.get("busy"):
            return TargetResult(found.target, Outcome.INDETERMINATE, "a request is still at work there")
        if found.outcome is not Outcome.SUCCEEDED:
            return TargetResult(found.target, Outcome.INDETERMINATE, f"could not look: {found.message}")
        outcome, message = self.became(scene, target, found.data)
        return TargetResult(found.target, outcome, message)
