"""Gateways → waves: never both members of a pair in one, never more than the site's limit (design §5.5). Pure."""

from collections.abc import Iterable

from orchestrator.model.plan import GatewayChange
from orchestrator.model.topology import GatewayClass, Role, Topology

# Business priority, our choice: orders first, then prices, then settlement.
PRIORITY = (
    GatewayClass.TRADING,
    GatewayClass.TDGW,
    GatewayClass.MARKET_DATA_TCP,
    GatewayClass.MDGW,
    GatewayClass.SETTLEMENT,
    GatewayClass.MARKET_DATA_MULTICAST,
)


def in_waves(topology: Topology, changes: Iterable[GatewayChange]) -> list[list[GatewayChange]]:
    """Fill waves in order of priority, primaries before standbys."""
    waves: list[list[GatewayChange]] = []
    for change in sorted(changes, key=lambda item: _rank(topology, item)):
        pair = topology.gateway[change.gateway].pair
        fitting = (
            wave
            for wave in waves
            if len(wave) < topology.site.max_gateways_per_wave and all(item.gateway != pair for item in wave)
        )
        wave = next(fitting, None)
        if wave is None:
            waves.append(wave := [])
        wave.append(change)
    return waves


def _rank(topology: Topology, change: GatewayChange) -> tuple[bool, int, str]:
    gateway = topology.gateway[change.gateway]
    return gateway.role is not Role.PRIMARY, PRIORITY.index(gateway.gateway_class), gateway.id
