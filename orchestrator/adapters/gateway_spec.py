"""One gateway as the on-host scripts know it: plain JSON with `{number}` and `{id}` filled in."""

from typing import Any

from orchestrator.model.topology import Gateway, Topology, fill


def gateway_spec(topology: Topology, gateway: Gateway) -> dict[str, Any]:
    """Everything that a script on the gateway's host needs. Keys: docs/reference/on-host.md."""
    profile = topology.profiles[gateway.profile]
    return {
        "id": gateway.id,
        "number": gateway.number,
        "class": gateway.gateway_class.value,
        "receives_only": gateway.receives_only,
        "config": _filled(profile.config.model_dump(mode="json"), gateway),
        "service": _filled(profile.service.model_dump(mode="json"), gateway),
        "status": _filled(profile.status.model_dump(mode="json"), gateway),
        "log": _filled(profile.log.model_dump(mode="json"), gateway),
        "heartbeat_s": profile.heartbeat_s,
        "release_s": topology.longest_release_s(gateway),
        "connect_timeout_s": profile.connect_timeout_s,
    }


def _filled(value: Any, gateway: Gateway) -> Any:
    if isinstance(value, str):
        return fill(value, gateway)
    if isinstance(value, list):
        return [_filled(item, gateway) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, gateway) for key, item in value.items()}
    return value
