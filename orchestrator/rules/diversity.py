"""Path-diversity proof (SSCC-3.1, 路径分散性证明): measured next hops and the topology → ways, what they share. Pure.

Two ways that share one router, link, line or carrier are one path and are never counted as two. What was not measured
is not judged, and never counts as a path.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

from orchestrator.model.paths import Diversity, GatewayPaths, Hop, PathState, Shared, Way, WayState
from orchestrator.model.topology import CentreRole, Gateway, Topology

Hops = Mapping[str, Mapping[str, Mapping[str, str | None] | None]]  # gateway or router → centre → {via, dev}, no route
_Kind = Literal["router", "link", "line", "carrier"]
_KINDS: Final[tuple[_Kind, ...]] = ("router", "link", "line", "carrier")
_MOST: Final = 12  # our choice: ways that are looked at together; a gateway and its pair list two centres each


@dataclass(frozen=True)
class Measured:
    """The site, what its devices said, and what was lost at that time."""

    topology: Topology
    hops: Hops
    dead_lines: frozenset[str] = frozenset()
    dead_centres: frozenset[str] = frozenset()
    dead_hosts: frozenset[str] = frozenset()


def diversity(measured: Measured) -> tuple[GatewayPaths, ...]:
    """Of every enabled gateway that lists a production centre, in the order of the inventory. One that only receives is
    left out: multicast does not come by the route that leads to its source.
    """
    topology = measured.topology
    asked = [item for item in topology.gateways if item.enabled and not item.receives_only]
    ways = {item.id: tuple(_ways(measured, item)) for item in asked}
    return tuple(_judged(topology, topology.gateway[name], ways) for name, found in ways.items() if found)


def _judged(topology: Topology, gateway: Gateway, ways: Mapping[str, Sequence[Way]]) -> GatewayPaths:
    own, pair = ways[gateway.id], gateway.pair
    hot = pair if pair and ways.get(pair) and topology.gateway[pair].number != gateway.number else None
    both = [*own, *ways[hot]] if hot else []
    return GatewayPaths(
        gateway=gateway.id, ways=tuple(own), own=judged(own), pair=hot, with_pair=judged(both) if hot else None
    )


def judged(ways: Sequence[Way]) -> Diversity:
    """What some ways come to together."""
    usable = [way for way in ways if way.state is WayState.USABLE]
    unknown = next((way.why for way in ways if way.state is WayState.UNKNOWN), "")
    paths = _apart(usable)
    if paths > 1:
        return Diversity(state=PathState.DIVERSE, paths=paths)
    if unknown:
        return Diversity(state=PathState.NOT_JUDGED, paths=paths, shared=tuple(shared(usable)), why=unknown)
    if not usable:
        return Diversity(state=PathState.NONE, paths=0)
    return Diversity(state=PathState.ONE, paths=1, shared=tuple(shared(usable)))


def shared(ways: Sequence[Way]) -> Iterator[Shared]:
    """What at least two ways have in common, from router to carrier."""
    common = {item for one, other in combinations(ways, 2) for item in one.components & other.components}
    for kind in _KINDS:
        yield from (Shared(kind=kind, name=name) for found, name in sorted(common) if found == kind)


def _apart(ways: Sequence[Way]) -> int:
    """The most ways of which no two have anything in common."""
    distinct = list({way.components: way for way in ways}.values())[:_MOST]
    for count in range(len(distinct), 1, -1):
        for chosen in combinations(distinct, count):
            if all(not one.components & other.components for one, other in combinations(chosen, 2)):
                return count
    return min(1, len(distinct))


def _ways(measured: Measured, gateway: Gateway) -> Iterator[Way]:
    topology = measured.topology
    centres = dict.fromkeys(topology.front[name].centre for name in gateway.servers)
    for centre in centres:
        if topology.centre[centre].role is CentreRole.PRODUCTION:
            yield _way(measured, gateway, centre)


def _way(measured: Measured, gateway: Gateway, centre: str) -> Way:
    """Hop by hop, as each device said it."""
    topology, host = measured.topology, gateway.host
    if host in measured.dead_hosts:
        return Way(centre=centre, state=WayState.DEAD, why=f"host {host} is lost")
    first = _hop(measured, gateway.id, host, centre)
    if isinstance(first, Way):
        return first
    router = next((item.id for item in topology.routers if str(item.site_address) == first.via), None)
    if router is None:
        return _unknown(
            centre, (first,), f"{host}: next hop {first.via or first.device} is no CE router of the topology"
        )
    return _over(measured, centre, router, (first,), ())


def _over(measured: Measured, centre: str, router: str, hops: tuple[Hop, ...], links: tuple[str, ...]) -> Way:
    """On from a router; two that point at each other lead nowhere."""
    topology = measured.topology
    if router in [hop.at for hop in hops]:
        return Way(centre=centre, state=WayState.NO_ROUTE, hops=hops, links=links, why=f"{router}: a loop")
    found = _hop(measured, router, router, centre)
    if isinstance(found, Way):
        return found.model_copy(update={"hops": hops, "links": links})
    hops = (*hops, found)
    line = next(
        (item for item in topology.lines if item.router == router and str(item.remote_address) == found.via), None
    )
    if line is not None:
        dead = line.id in measured.dead_lines or centre in measured.dead_centres
        state = WayState.DEAD if dead else WayState.USABLE
        return Way(centre=centre, state=state, hops=hops, links=links, line=line.id, carrier=line.carrier)
    for link in topology.links:
        if router in link.routers and found.via in {str(address) for address in link.network.hosts()}:
            other = next(name for name in link.routers if name != router)
            return _over(measured, centre, other, hops, (*links, link.id))
    why = f"{router}: next hop {found.via or found.device} is no line and no link of the topology"
    return _unknown(centre, hops, why, links)


def _hop(measured: Measured, asked: str, at: str, centre: str) -> Hop | Way:
    """What a device said; a way that ends here where it has no route or was not heard."""
    said = measured.hops.get(asked, {})
    if centre not in said:
        return _unknown(centre, (), f"{at}: its next hop was not measured")
    found = said[centre]
    if found is None:
        return Way(centre=centre, state=WayState.NO_ROUTE, why=f"{at}: no route")
    return Hop(at=at, via=found.get("via"), device=found.get("dev"))


def _unknown(centre: str, hops: tuple[Hop, ...], why: str, links: Collection[str] = ()) -> Way:
    return Way(centre=centre, state=WayState.UNKNOWN, hops=hops, links=tuple(links), why=why)
