"""Which way each multicast front flows: one tree per source and group. Pure.

A terrestrial front reaches each room over one line, the first multicast line of its router's path, if need be
across the link. A satellite front comes in at every one-way satellite line. No path is taken twice, and no
router has two ways in for one front: the kernel allows one only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from orchestrator.model.topology import Front, Line, LineKind, Router, Topology
from orchestrator.twin.layout import CE, FRONTS, SITE, Layout, centre_space, line_space, router_space


@dataclass(frozen=True)
class Stream:
    """In one namespace: packets of a source and group that come in here go out there."""

    space: str
    source: IPv4Address
    group: IPv4Address
    enters: str
    leaves: tuple[str, ...]


def streams(layout: Layout) -> Iterator[Stream]:
    """Every multicast route of the twin, one per namespace, source and group."""
    seen: set[tuple[IPv4Address, IPv4Address]] = set()
    for front in layout.topology.fronts:
        if front.group is not None and (front.address, front.group) not in seen:
            seen.add((front.address, front.group))
            yield from _tree(layout, front, front.group)


def _tree(layout: Layout, front: Front, group: IPv4Address) -> Iterator[Stream]:
    topology = layout.topology
    entry = _satellite_entries(topology, front) if front.satellite else _entries(topology, front)
    across = {} if front.satellite else _across(topology, front, entry)

    def stream(space: str, enters: str, leaves: list[str]) -> Stream:
        return Stream(space, front.address, group, enters, tuple(leaves))

    rooms = {router.id for router in _one_per_room(topology)} if not front.satellite else set(entry)
    if entry:
        yield stream(centre_space(front.centre), FRONTS, [layout.line_device[line.id] for line in entry.values()])
    for router, line in entry.items():
        yield stream(line_space(line.id), layout.transit[line.id, front.centre].line_device, [CE])
        links = [layout.link_device[link] for by, link in across.values() if by == router]
        room = [SITE] if router in rooms else []
        yield stream(router_space(router), layout.line_device[line.id], [*room, *links])
    for router, (_, link) in across.items():
        yield stream(router_space(router), layout.link_device[link], [SITE])


def _satellite_entries(topology: Topology, front: Front) -> dict[str, Line]:
    receivers = [
        line for line in topology.lines if line.kind is LineKind.SATELLITE_ONE_WAY and front.centre in line.carries
    ]
    return {line.router: line for line in reversed(receivers)}


def _entries(topology: Topology, front: Front) -> dict[str, Line]:
    """Routers at which the front comes in, with the line: their own choice before their neighbours'."""
    chosen = [(router.id, _choice(topology, router, front)) for router in _one_per_room(topology)]
    lines = [(router, line) for router, line in chosen if line is not None]
    foreign = {line.router: line for router, line in reversed(lines) if line.router != router}
    return foreign | {line.router: line for router, line in lines if line.router == router}


def _across(topology: Topology, front: Front, entry: dict[str, Line]) -> dict[str, tuple[str, str]]:
    """Routers that are fed over a link, with the router that feeds them and the link."""
    found = {}
    for router in _one_per_room(topology):
        line = _choice(topology, router, front)
        link = topology.link_between(router.id, line.router) if line else None
        if line and link and router.id not in entry:
            found[router.id] = (line.router, link.id)
    return found


def _choice(topology: Topology, router: Router, front: Front) -> Line | None:
    path = (topology.line[name] for name in router.paths.get(front.centre, ()))
    return next((line for line in path if line.multicast and line.kind is LineKind.TERRESTRIAL), None)


def _one_per_room(topology: Topology) -> Iterator[Router]:
    rooms: set[str] = set()
    for router in topology.routers:
        if router.room not in rooms:
            rooms.add(router.room)
            yield router
