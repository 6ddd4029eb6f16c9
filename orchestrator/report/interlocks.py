"""SSCC-2.5 from the journal: of each move of a gateway number, what proves the old login gone before the new one."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from orchestrator.history import StepResult, snapshots, standing, step_results
from orchestrator.model.event import Event, Outcome
from orchestrator.model.plan import GatewayChange, Plan, Verb
from orchestrator.model.record import InterlockProof
from orchestrator.model.topology import Topology

_MOVES = (Verb.REPOINT, Verb.RESTORE, Verb.RESTART)
_HELD = (Outcome.SUCCEEDED, Outcome.UNDONE)
_Released = Literal["acknowledged", "waited", "not_logged_in"]
_RELEASED: dict[str, _Released] = {name: name for name in get_args(_Released)}


def all_interlocks(plan: Plan, topology: Topology, events: Sequence[Event]) -> Iterator[InterlockProof]:
    """One proof per stop and start of a number on its host, and per move of a number between two hosts."""
    verbs = {step.id: step.verb for step in plan.steps}
    changed = {
        (step.id, target.name): str(target.arguments["certificate"])
        for step in plan.steps
        for target in step.targets
        if "certificate" in target.arguments
    }
    for item in step_results(events):
        verb, stamps = verbs.get(item.step), item.data.get("stamps") or {}
        if verb in _MOVES and "stop" in stamps:
            yield _on_its_host(topology, item, stamps, changed.get((item.step, item.target)))
    between = _Between(plan, topology, events)
    yield from between.taken_over()
    yield from between.given_back()


def _on_its_host(
    topology: Topology, item: StepResult, stamps: Mapping[str, Any], certificate: str | None
) -> InterlockProof:
    """`certificate`: the one that it was started with, where that step has changed it."""
    gateway = topology.gateway[item.target]
    return InterlockProof(
        gateway=gateway.id,
        number=gateway.number,
        certificate=certificate or gateway.certificate,
        host=gateway.host,
        step=item.step,
        stop_at=stamps["stop"][0],
        process_gone_at=_wall(stamps, "process_gone"),
        sockets_gone_at=_wall(stamps, "sockets_gone"),
        released_by=item.data.get("released_by"),
        waited_s=float(item.data.get("waited_s") or 0.0),
        start_at=_wall(stamps, "start"),
        login_at=_wall(stamps, "logged_in"),
    )


def _wall(stamps: Mapping[str, Sequence[float]], name: str, offset_s: float = 0.0) -> float | None:
    stamp = stamps.get(name)
    return stamp[0] - offset_s if stamp else None


class _Between:
    """Moves of a number from a gateway to its cold standby and back, on the controller's clock."""

    def __init__(self, plan: Plan, topology: Topology, events: Sequence[Event]) -> None:
        self._plan, self._topology = plan, topology
        self._standing = standing(events)
        self._offset_s: Mapping[str, float] = snapshots(events).get("before", {}).get("clock_offset_s", {})

    def taken_over(self) -> Iterator[InterlockProof]:
        """The primary fenced, and only then the standby started."""
        for change, item in self._of(Verb.TAKE_OVER):
            fence = self._newest(Verb.FENCE, str(change.stands_in_for))
            stamps = item.data.get("stamps") or {}
            if fence is None or "start" not in stamps:
                continue
            offset_s = self._offset_s.get(change.host, 0.0)
            yield InterlockProof(
                gateway=str(change.stands_in_for),
                number=change.number,
                certificate=change.after.certificate if change.after else None,
                host=self._topology.gateway[str(change.stands_in_for)].host,
                target_host=change.host,
                step=item.step,
                way=_way(fence),
                stop_at=fence.started_at,
                proved_at=fence.data.get("proved_at"),
                process_gone_at=None,
                sockets_gone_at=None,
                released_by=_released(fence),
                waited_s=float(fence.data.get("waited_s") or 0.0),
                start_at=_wall(stamps, "start", offset_s),
                login_at=_wall(stamps, "logged_in", offset_s),
            )

    def given_back(self) -> Iterator[InterlockProof]:
        """The standby stopped and proved out, and only then the primary's fence taken off."""
        for change, item in self._of(Verb.GIVE_BACK):
            stamps, offset_s = item.data.get("stamps") or {}, self._offset_s.get(change.host, 0.0)
            home = self._newest(Verb.UNFENCE, str(change.stands_in_for))
            gone = [_wall(stamps, name, offset_s) for name in ("process_gone", "sockets_gone")]
            if "stop" not in stamps:
                continue
            yield InterlockProof(
                gateway=change.gateway,
                number=change.number,
                certificate=change.after.certificate if change.after else None,
                host=change.host,
                target_host=self._topology.gateway[str(change.stands_in_for)].host,
                step=item.step,
                way="process",
                stop_at=stamps["stop"][0] - offset_s,
                proved_at=max((at for at in gone if at is not None), default=None) if None not in gone else None,
                process_gone_at=gone[0],
                sockets_gone_at=gone[1],
                released_by=item.data.get("released_by"),
                waited_s=float(item.data.get("waited_s") or 0.0),
                start_at=home.started_at if home else None,
                login_at=None,
            )

    def _of(self, verb: Verb) -> Iterator[tuple[GatewayChange, StepResult]]:
        """Standbys with what that step came to on them."""
        changes = {change.gateway: change for change in self._plan.gateways if change.stands_in_for}
        steps = {step.id for step in self._plan.steps if step.verb is verb}
        for item in self._standing:
            if item.step in steps and item.target in changes:
                yield changes[item.target], item

    def _newest(self, verb: Verb, target: str) -> StepResult | None:
        steps = {step.id for step in self._plan.steps if step.verb is verb}
        return next((item for item in self._standing if item.step in steps and item.target == target), None)


def _way(fence: StepResult) -> Literal["process", "network", "declared"]:
    """As the fence says; what a person declared says nothing of a way of its own."""
    way = fence.data.get("way")
    if way == "process":
        return "process"
    return "network" if way == "network" and fence.data.get("proved_at") else "declared"


def _released(fence: StepResult) -> _Released | None:
    """Why the number was free; a fence that does not hold frees nothing."""
    said = _RELEASED.get(fence.data.get("released_by", ""))
    if said:
        return said
    return "waited" if fence.data.get("released") and fence.outcome in _HELD else None
