"""What gateway hosts and CE routers are asked for their next hops: one address of each centre. Pure; sends nothing."""

from collections.abc import Mapping
from typing import Any

from orchestrator.adapters.route_lines import probe_addresses
from orchestrator.model.topology import Gateway, Router, Topology
from orchestrator.ports import Hops


def of_gateway(topology: Topology, gateway: Gateway) -> dict[str, str]:
    """Centre → address of the first front there that the gateway lists."""
    listed = [topology.front[name] for name in gateway.servers]
    return {front.centre: str(front.address) for front in reversed(listed)}


def of_router(topology: Topology, router: Router) -> dict[str, str]:
    """Centre → the address that the sampler asks for, too."""
    return probe_addresses(topology, router)


def heard(topology: Topology, states: Mapping[str, Mapping[str, Any]]) -> dict[str, Hops]:
    """What the kernels said, by centre. `states`: what each gateway and router answered."""
    asked = {item.id: of_gateway(topology, item) for item in topology.gateways}
    asked |= {item.id: of_router(topology, item) for item in topology.routers}
    return {name: _by_centre(asked[name], state["hops"]) for name, state in states.items() if state.get("hops")}


def _by_centre(asked: Mapping[str, str], said: Mapping[str, Mapping[str, str | None] | None]) -> Hops:
    return {centre: said[address] for centre, address in asked.items() if address in said}
