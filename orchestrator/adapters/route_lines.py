"""Which line a CE router's next hop means. Pure."""

from collections.abc import Mapping

from orchestrator.model.topology import Router, Topology
from orchestrator.planner.satellite import addresses as trading_addresses

Hops = Mapping[str, str | None]  # centre → address of the next hop; None: no route


def lines_of(topology: Topology, router: str, hops: Mapping[str, Hops]) -> dict[str, str | None]:
    """The line towards each centre that `router` was asked about. `hops` holds what every router said last.

    A next hop on the link between two rooms means the other router's line. If that router was not heard,
    the centre is left out: unknown is neither a line nor no route.
    """
    found = {centre: _line(topology, router, centre, hops, frozenset()) for centre in hops[router]}
    return {centre: line for centre, (known, line) in found.items() if known}


def _line(
    topology: Topology, router: str, centre: str, hops: Mapping[str, Hops], passed: frozenset[str]
) -> tuple[bool, str | None]:
    """(known, line). Two routers that point at each other have no line: the traffic ends in a loop."""
    if router in passed:
        return True, None
    if centre not in hops.get(router, {}):
        return False, None
    hop = hops[router][centre]
    own = next((item.id for item in topology.lines if item.router == router and str(item.remote_address) == hop), None)
    neighbour = None if own or hop is None else neighbour_at(topology, router, hop)
    if neighbour is None:
        return True, own
    return _line(topology, neighbour, centre, hops, passed | {router})


def neighbour_at(topology: Topology, router: str, hop: str) -> str | None:
    """The router at the far end of a link of the firm that holds this address."""
    for link in topology.links:
        if router in link.routers and hop in {str(address) for address in link.network.hosts()}:
            return next(name for name in link.routers if name != router)
    return None


def probe_addresses(topology: Topology, router: Router) -> dict[str, str]:
    """One address per centre whose route tells the line: a front there, else the network's first address. Over a
    router's last resort only trading goes, so there it is a trading front.
    """
    fronts = {front.centre: str(front.address) for front in reversed(topology.fronts)}
    trading = {centre: trading_addresses(topology, router.id, centre) for centre in router.last_resort}
    fronts |= {centre: found[0] for centre, found in trading.items() if found}
    return {
        centre: fronts.get(centre, str(topology.centre[centre].network.network_address + 1)) for centre in router.paths
    }
