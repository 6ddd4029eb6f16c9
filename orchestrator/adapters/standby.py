"""The verbs that move a gateway number to its cold standby and back: fence, take over, give back, unfence.

A fence is put up where it can be proved: on the gateway's own host, else on the CE routers before it. Which of the two
is decided on the way. What neither proves is indeterminate, and no standby starts on it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.adapters.deeds import OneCall, Request, Scene
from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.adapters.player import Names, Player, Requests, answered, per_target
from orchestrator.errors import StepFailed
from orchestrator.model.event import Outcome
from orchestrator.model.plan import Step, Target
from orchestrator.model.topology import Topology
from orchestrator.planner.handover import BARRIER_S
from orchestrator.planner.standby import can_fence
from orchestrator.ports import Call, TargetResult

Found = dict[str, TargetResult]  # by target

_HOST_SHARE = 0.5  # our choice: of the step's time, for the hosts; the routers have the rest


# -- the standby itself: one play -----------------------------------------------------------------------


def _standby(scene: Scene, step: Step, target: Target) -> Request:
    gateway = scene.topology.gateway[target.name]
    digest = _digest(scene, target)
    if digest is None:
        raise StepFailed(
            f"expected the digest of its file in the snapshot before, found none: {target.name} not touched"
        )
    fields = {
        "gateway": gateway_spec(scene.topology, gateway),
        "endpoints": _endpoints(scene.topology, target),
        "expected_sha256": scene.written.get(target.name, digest),
        "restore_sha256": digest,
        "rollback": True,  # a standby that is half up would hold its number against everybody
    }
    return Request(gateway.host, step.verb.value, fields)


def _standby_state(scene: Scene, target: Target) -> Request:
    gateway = scene.topology.gateway[target.name]
    return Request(gateway.host, "state", {"gateway": gateway_spec(scene.topology, gateway)})


def _taken_over(scene: Scene, target: Target, state: Mapping[str, Any]) -> tuple[Outcome, str]:
    works = bool(state["running"]) and bool(state["logged_in"])
    if works and state["endpoints"] == _endpoints(scene.topology, target):
        return Outcome.SUCCEEDED, f"logged in, session {state['session'] or 'none'}"
    return Outcome.FAILED, f"not logged in by its list: {'running' if state['running'] else 'not running'}"


def _given_back(_scene: Scene, _target: Target, state: Mapping[str, Any]) -> tuple[Outcome, str]:
    """Nobody can see how long it has been out, so it is done again: that waits whatever is left to wait."""
    return Outcome.FAILED, f"not known to be free: {'running' if state['running'] else 'not running'}"


def _endpoints(topology: Topology, target: Target) -> list[str]:
    return [topology.front[name].endpoint for name in target.arguments["fronts"]]


def _digest(scene: Scene, target: Target) -> str | None:
    digest: str | None = scene.before.gateways.get(target.name, {}).get("config_sha256")
    return digest


# -- the fence: on the host, else on its routers --------------------------------------------------------


@dataclass(frozen=True)
class _Ask:
    """One play over the hosts, or over the routers, of a step's targets."""

    player: Player
    call: Call
    what: str
    scene: Scene
    about: Mapping[str, Any]
    deadline_s: float

    def hosts(self, op: str, targets: Sequence[Target]) -> Found:
        """Each target's own host about the gateway itself."""
        requests: Requests = defaultdict(list)
        names: Names = defaultdict(list)
        for target in targets:
            host = target.arguments["host"]
            gateway = self.scene.topology.gateway[target.name]
            fields = {"gateway": gateway_spec(self.scene.topology, gateway)}
            requests[host].append({**self.player.permit(op, self.deadline_s, host), **fields, **self.about})
            names[host].append(target.name)
        return {item.target: item for results in self._play("standby", requests, names).values() for item in results}

    def routers(self, op: str, targets: Sequence[Target]) -> dict[str, Found]:
        """Every router about every host that is behind it: router → host → result."""
        requests: Requests = defaultdict(list)
        names: Names = defaultdict(list)
        for host in dict.fromkeys(target.arguments["host"] for target in targets):
            fields = self._fence_of(host, [item for item in targets if item.arguments["host"] == host])
            for router in _routers(targets, host):
                requests[router].append({**self.player.permit(op, self.deadline_s, router), **fields, **self.about})
                names[router].append(host)
        found = self._play("barrier", requests, names)
        return {router: {item.target: item for item in results} for router, results in found.items()}

    def _fence_of(self, host: str, targets: Sequence[Target]) -> dict[str, Any]:
        topology = self.scene.topology
        own = topology.host[host]
        releases = [_release_s(topology, target) for target in targets]
        home = self.scene.plan.fails_back
        return {
            "host": host,
            **({"fenced_by": home.run} if home else {}),
            "addresses": [str(own.site_address), str(own.management_address)],
            "networks": [str(centre.network) for centre in topology.centres],
            "release_s": max(releases),
        }

    def _play(self, program: str, requests: Requests, names: Names) -> dict[str, list[TargetResult]]:
        if not requests:
            return {}
        found = self.player.send(self.call, self.what, dict.fromkeys(requests, program), requests, self.deadline_s)
        return {host: list(per_target(result, names[host])) for host, result in found.items()}


def _parts(call: Call) -> tuple[Call, Call]:
    """The play over the hosts and the one over the routers, each with a guard's folder of its own."""
    return replace(call, step=f"{call.step}.host"), replace(call, step=f"{call.step}.routers")


class Fence:
    """Way 1: stopped, blocked and proved out on its host. Way 2: its host is cut off from every front."""

    def calls(self, call: Call) -> Sequence[Call]:
        return _parts(call)

    def act(self, player: Player, call: Call, step: Step, scene: Scene) -> list[TargetResult]:
        """Way 2 for every target that way 1 does not prove, whatever kept it from doing so."""
        about = {"attempt_of": player.attempt_of(step.id, call.attempt)}
        on_host, on_routers = _parts(call)
        host_s = scene.topology.site.switch_deadline_s
        first = _Ask(player, on_host, "fence", scene, about, host_s).hosts("block", step.targets)
        left = [target for target in step.targets if not _is_good(first[target.name])]
        if call.stop():
            return [_by_host(first[target.name]) for target in step.targets]
        ask = _Ask(player, on_routers, "fence", scene, about, max(step.deadline_s - host_s, BARRIER_S))
        second = ask.routers("fence", _fenceable(scene, left))
        return [
            _by_routers(scene, target, first[target.name], second) if target in left else _by_host(first[target.name])
            for target in step.targets
        ]

    def look(self, player: Player, call: Call, step: Step, attempt: int, scene: Scene) -> list[TargetResult]:
        """Nobody can see that a release time was waited: only what the attempt itself has kept proves a fence."""
        hosts, routers = _standing(player, call, step, attempt, scene)
        return [self._became(scene, target, hosts[target.name], routers) for target in step.targets]

    def _became(self, scene: Scene, target: Target, host: TargetResult, routers: Mapping[str, Found]) -> TargetResult:
        behind = _behind(target, routers)
        own, kept = _kept(host), {name: _kept(item) for name, item in behind.items()}
        if own and _is_good(own):
            return _by_host(own)
        if kept and all(item and _is_good(item) for item in kept.values()):
            proved = {name: {target.arguments["host"]: item} for name, item in kept.items() if item}
            return _by_routers(scene, target, own or host, proved)
        seen = [host, *behind.values()]
        if all(_is_good(item) and not _is_up(item) for item in seen):
            return TargetResult(target.name, Outcome.FAILED, "not done: nothing of a fence stands")
        message = f"not proved to be out: {'; '.join(item.message for item in seen)}"
        return TargetResult(target.name, Outcome.INDETERMINATE, message)


class Unfence:
    """First the host's own block, then the routers': what fails half way leaves the fence that needs no host."""

    def calls(self, call: Call) -> Sequence[Call]:
        return _parts(call)

    def act(self, player: Player, call: Call, step: Step, scene: Scene) -> list[TargetResult]:
        """Both sides, whichever of them was put up: to take down what is not there is no failure."""
        about = {"attempt_of": player.attempt_of(step.id, call.attempt)}
        on_host, on_routers = _parts(call)
        host_s = step.deadline_s * _HOST_SHARE
        first = _Ask(player, on_host, "unfence", scene, about, host_s).hosts("unblock", step.targets)
        ready = [target for target in step.targets if _is_good(first[target.name])]
        ask = _Ask(player, on_routers, "unfence", scene, about, step.deadline_s - host_s)
        second = ask.routers("unfence", _fenceable(scene, ready))
        return [
            _taken_down(target, first[target.name], second) if target in ready else _not_unblocked(first[target.name])
            for target in step.targets
        ]

    def look(self, player: Player, call: Call, step: Step, attempt: int, scene: Scene) -> list[TargetResult]:
        hosts, routers = _standing(player, call, step, attempt, scene)
        return [self._became(target, hosts[target.name], routers) for target in step.targets]

    def _became(self, target: Target, host: TargetResult, routers: Mapping[str, Found]) -> TargetResult:
        seen = {"its host": host, **_behind(target, routers)}
        unseen = [item.message for item in seen.values() if not _is_good(item)]
        if unseen:
            return TargetResult(target.name, Outcome.INDETERMINATE, f"could not look: {unseen[0]}")
        standing = [name for name, item in seen.items() if _is_up(item)]
        if standing:
            return TargetResult(target.name, Outcome.FAILED, f"still fenced on {', '.join(standing)}")
        return TargetResult(target.name, Outcome.SUCCEEDED, "no fence stands")


def _standing(player: Player, call: Call, step: Step, attempt: int, scene: Scene) -> tuple[Found, dict[str, Found]]:
    """What hosts and routers say of the fence, and of the attempt."""
    about = {"attempt_of": player.attempt_of(step.id, attempt), "wait_idle_s": step.deadline_s}
    on_host, on_routers = (_Ask(player, part, "state", scene, about, step.deadline_s) for part in _parts(call))
    hosts = on_host.hosts("standing", step.targets)
    return hosts, on_routers.routers("standing", _fenceable(scene, step.targets))


def _behind(target: Target, routers: Mapping[str, Found]) -> Found:
    """Each router's word about this target's host."""
    host = target.arguments["host"]
    return {name: found[host] for name, found in routers.items() if host in found}


def _is_up(found: TargetResult) -> bool:
    """Whether a side says that something of the fence stands there, or is still at work."""
    return any(bool(found.data.get(name)) for name in ("blocked", "stands", "busy"))


def _release_s(topology: Topology, target: Target) -> float:
    """After so long of silence the number is free. A plan with a fence has one, unless the gateway only receives."""
    release_s = topology.longest_release_s(topology.gateway[target.name])
    if release_s is None and not topology.gateway[target.name].receives_only:
        raise StepFailed(f"expected a release time of the fronts of {target.name}, found none: not fenced")
    return release_s or 0.0


def _routers(targets: Sequence[Target], host: str) -> list[str]:
    return next(list(item.arguments["routers"]) for item in targets if item.arguments["host"] == host)


def _fenceable(scene: Scene, targets: Sequence[Target]) -> list[Target]:
    """Targets with only those of their routers that can be driven; the others are told of in the result."""
    return [
        target.model_copy(
            update={
                "arguments": {
                    **target.arguments,
                    "routers": [name for name in target.arguments["routers"] if can_fence(scene.topology, name)],
                }
            }
        )
        for target in targets
    ]


def _is_good(found: TargetResult) -> bool:
    return found.outcome is Outcome.SUCCEEDED


def _by_host(found: TargetResult) -> TargetResult:
    """Way 1. What does not prove it is indeterminate: something of it may have been done."""
    if not _is_good(found):
        return replace(found, outcome=Outcome.INDETERMINATE)
    stamps = found.data.get("stamps", {})
    data = {**found.data, "way": "process", "proved_at": _at(stamps, "sockets_gone"), "released": True}
    return replace(found, data=data)


def _by_routers(scene: Scene, target: Target, host_said: TargetResult, routers: Mapping[str, Found]) -> TargetResult:
    """Way 2 counts only where every router that the host could use has proved it and waited."""
    wanted, host = target.arguments["routers"], target.arguments["host"]
    found = {name: routers[name][host] for name in wanted if name in routers}
    missing = [name for name in wanted if name not in found or not _is_good(found[name])]
    if missing or not wanted:
        said = "; ".join(_why(scene, name, found.get(name)) for name in missing)
        message = f"not proved to be out: on {host}: {host_said.message}; {said}"
        return TargetResult(target.name, Outcome.INDETERMINATE, message, {"released": False})
    stamps = [item.data.get("stamps", {}) for item in found.values()]
    data = {
        "way": "network",
        "routers": sorted(found),
        "proved_at": max(_at(item, "proved") or 0.0 for item in stamps),
        "released": True,
        "waited_s": min(item.data.get("waited_s", 0.0) for item in found.values()),
        "dropped": sum(item.data.get("dropped", 0) for item in found.values()),
        "host_said": host_said.message,
    }
    return TargetResult(target.name, Outcome.SUCCEEDED, f"{host} is cut off by {', '.join(sorted(found))}", data)


def _why(scene: Scene, router: str, found: TargetResult | None) -> str:
    if found is not None:
        return f"on router {router}: {found.message}"
    driver = scene.topology.router[router].driver
    return f"on router {router}: driver {driver}, expected linux: fence it by hand"


def _at(stamps: Mapping[str, Any], name: str) -> float | None:
    """The wall clock of a stamp."""
    pair = stamps.get(name)
    return float(pair[0]) if pair else None


def _not_unblocked(found: TargetResult) -> TargetResult:
    message = f"its host's own fence is not known to be down, so the routers' stays: {found.message}"
    outcome = found.outcome if found.outcome is Outcome.FAILED else Outcome.INDETERMINATE
    return replace(found, outcome=outcome, message=message)


def _taken_down(target: Target, host_said: TargetResult, routers: Mapping[str, Found]) -> TargetResult:
    behind = _behind(target, routers)
    bad = {name: item for name, item in behind.items() if not _is_good(item)}
    if bad:
        said = "; ".join(f"on router {name}: {item.message}" for name, item in bad.items())
        failed = all(item.outcome is Outcome.FAILED for item in bad.values())
        outcome = Outcome.FAILED if failed else Outcome.INDETERMINATE
        return TargetResult(target.name, outcome, f"the network fence is not down: {said}", host_said.data)
    return replace(host_said, data={**host_said.data, "routers": sorted(behind)})


def _kept(found: TargetResult) -> TargetResult | None:
    """What a side kept of the attempt itself."""
    last = found.data.get("last")
    return answered(found.target, last) if last else None


FENCE = Fence()
UNFENCE = Unfence()
TAKE_OVER = OneCall("take_over", "standby", _standby, _standby_state, _taken_over)
GIVE_BACK = OneCall("give_back", "standby", _standby, _standby_state, _given_back)
