"""The verbs of moving gateways and paths: what is asked of hosts and routers, and what their state means. Pure."""

from collections.abc import Mapping
from typing import Any

from orchestrator.adapters.deeds import OneCall, Request, Scene
from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.errors import StepFailed
from orchestrator.model.drill import Mode
from orchestrator.model.event import Outcome
from orchestrator.model.plan import Step, Target, Verb
from orchestrator.model.topology import Topology, certificate_text

_Became = tuple[Outcome, str]


def next_hop(topology: Topology, router: str, line: str) -> str:
    """Where a router sends what is to go over a line: the line's far side, or the linked router that has it."""
    chosen = topology.line[line]
    if chosen.router == router:
        return str(chosen.remote_address)
    link = topology.link_between(router, chosen.router)
    if link is None:
        raise ValueError(f"{router} has no link to {chosen.router}, which holds {line}")
    return str(link.address_of(chosen.router))


# -- requests -----------------------------------------------------------------------------------------


def _gateway(scene: Scene, step: Step, target: Target) -> Request:
    gateway, arguments = scene.topology.gateway[target.name], target.arguments
    digest = _original(scene, target)
    if digest is None:
        raise StepFailed(
            f"expected the digest of its file in the snapshot before, found none: {target.name} not touched"
        )
    fields: dict[str, Any] = {
        "gateway": gateway_spec(scene.topology, gateway),
        "expected_sha256": scene.written.get(target.name, digest),
        "rollback": step.verb is Verb.REPOINT
        and scene.plan.mode is not Mode.INCIDENT
        and not arguments.get("promoted"),
    }
    if "fronts" in arguments:
        fields["endpoints"] = _wanted(scene, target)
        fields["only_if_down"] = bool(arguments.get("only_if_down"))
    if "certificate" in arguments:
        fields["certificate"] = _named(scene, target)
    if step.verb is Verb.RESTORE:
        fields["restore_sha256"] = digest
    if "only_if_elsewhere" in arguments:
        fields["only_if_elsewhere"] = _home(scene, target)
    return Request(gateway.host, step.verb.value, fields)


def _gateway_state(scene: Scene, target: Target) -> Request:
    gateway = scene.topology.gateway[target.name]
    return Request(gateway.host, "state", {"gateway": gateway_spec(scene.topology, gateway)})


def _path(scene: Scene, _step: Step, target: Target) -> Request:
    router = target.arguments["router"]
    fields = {
        "network": _network(scene, target),
        "via": _hop(scene, target, "line"),
        "expected_via": _hop(scene, target, "line_before"),
    }
    return Request(router, "path", fields)


def _path_state(scene: Scene, target: Target) -> Request:
    return Request(target.arguments["router"], "state", {"network": _network(scene, target)})


def _wanted(scene: Scene, target: Target) -> list[str]:
    return [scene.topology.front[name].endpoint for name in target.arguments["fronts"]]


def _named(scene: Scene, target: Target) -> str | None:
    """What the gateway's file has to call the certificate."""
    profile = scene.topology.profiles[scene.topology.gateway[target.name].profile]
    wanted = target.arguments["certificate"]
    return next(certificate_text(profile, item) for item in scene.topology.certificates if item.id == wanted)


def _uses_its_certificate(scene: Scene, target: Target, state: Mapping[str, Any]) -> bool:
    return "certificate" not in target.arguments or state.get("certificate") == _named(scene, target)


def _home(scene: Scene, target: Target) -> str:
    return scene.topology.front[target.arguments["only_if_elsewhere"]].endpoint


def _network(scene: Scene, target: Target) -> str:
    address = target.arguments.get("address")
    return f"{address}/32" if address else str(scene.topology.centre[target.arguments["centre"]].network)


def _hop(scene: Scene, target: Target, line: str) -> str | None:
    """None: there is no such route."""
    chosen = target.arguments[line]
    return None if chosen is None else next_hop(scene.topology, target.arguments["router"], chosen)


# -- what a state means: every FAILED is safe to do again, the on-host program starts from any state ------


def _repointed(scene: Scene, target: Target, state: Mapping[str, Any]) -> _Became:
    in_force = state["endpoints"] == _wanted(scene, target) and _uses_its_certificate(scene, target, state)
    if in_force and _works(state):
        return Outcome.SUCCEEDED, f"its list is in force, logged in, {_session(state)}"
    if _is_original(scene, target, state) and _works(state):
        return Outcome.FAILED, f"not done: its file is as before, logged in, {_session(state)}"
    return Outcome.FAILED, f"half done or not at all: {_found(state)}"


def _restored(scene: Scene, target: Target, state: Mapping[str, Any]) -> _Became:
    if _is_original(scene, target, state) and _works(state):
        return Outcome.SUCCEEDED, f"its file is as before, logged in, {_session(state)}"
    return Outcome.FAILED, f"expected its file as before and a log-in, found {_found(state)}"


def _restarted(scene: Scene, target: Target, state: Mapping[str, Any]) -> _Became:
    if "only_if_elsewhere" not in target.arguments:
        return Outcome.INDETERMINATE, f"a restart leaves no trace to be seen; found {_found(state)}"
    home = _home(scene, target)
    if state["session"] == home and _works(state):
        return Outcome.SUCCEEDED, f"logged in, {_session(state)}"
    return Outcome.FAILED, f"expected a session with {home}, found {_found(state)}"


def _moved(scene: Scene, target: Target, state: Mapping[str, Any]) -> _Became:
    network = _network(scene, target)
    route = state["routes"].get(network)
    via = route["via"] if route else None
    if via == _hop(scene, target, "line"):
        return Outcome.SUCCEEDED, f"{network} goes via {via}"
    if via == _hop(scene, target, "line_before"):
        return Outcome.FAILED, f"not done: {network} goes via {via} as before"
    return Outcome.FAILED, f"expected {network} via {_hop(scene, target, 'line')}, found via {via}"


def _works(state: Mapping[str, Any]) -> bool:
    return bool(state["running"]) and bool(state["logged_in"])


def _is_original(scene: Scene, target: Target, state: Mapping[str, Any]) -> bool:
    digest = _original(scene, target)
    return digest is not None and state["config_sha256"] == digest


def _original(scene: Scene, target: Target) -> str | None:
    digest: str | None = scene.before.gateways.get(target.name, {}).get("config_sha256")
    return digest


def _session(state: Mapping[str, Any]) -> str:
    return f"session {state['session'] or 'none'}"


def _found(state: Mapping[str, Any]) -> str:
    words = ("running" if state["running"] else "not running", "logged in" if state["logged_in"] else "not logged in")
    return f"list {', '.join(state['endpoints'])}, {', '.join(words)}, {_session(state)}"


REPOINT = OneCall("repoint", "gateway", _gateway, _gateway_state, _repointed)
RESTORE = OneCall("restore", "gateway", _gateway, _gateway_state, _restored)
RESTART = OneCall("restart", "gateway", _gateway, _gateway_state, _restarted)
PATH = OneCall("path", "route", _path, _path_state, _moved)
