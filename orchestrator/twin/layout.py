"""Topology → what must exist: namespaces, cables, addresses, kernel routes. Pure: no I/O.

Namespaces: one per centre, line, CE router and gateway host, and `lan` with one switch per room. The
twin's own namespace is the controller's: it holds the management switch and nothing that leads out.
Cables between two routers carry `peer` addresses (/32), so that no network of the site can clash.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network

from orchestrator.errors import Refused
from orchestrator.model.topology import Host, Line, Link, Room, Router, Topology

CONTROLLER = "controller"
LAN = "lan"
MANAGEMENT = "mgmt"  # device and switch of the management network
SITE = "site"  # device of a host or router in its room's network
FRONTS = "fronts"  # device that holds a centre's front addresses and sends its multicast
CE = "ce"  # device of a line towards its CE router

_TRANSIT = IPv4Network("100.64.0.0/16")  # our choice (RFC 6598): between lines and centres
_RESERVED = re.compile(r"(line|link|to|h|r|room)\d+|lo|all|default|mgmt|site|fronts|ce")
_LONGEST_DEVICE_NAME = 15  # IFNAMSIZ - 1


@dataclass(frozen=True)
class Plug:
    """One end of a cable. With `peer` the address is point to point; `switch` is the bridge it is put in."""

    space: str
    device: str
    address: str | None = None
    peer: str | None = None
    switch: str | None = None


@dataclass(frozen=True)
class Cable:
    one: Plug
    other: Plug

    def plugs(self) -> tuple[Plug, Plug]:
        return self.one, self.other


@dataclass(frozen=True)
class Space:
    """One network namespace. `routes` are arguments of `ip route replace`."""

    name: str
    forwards: bool = False
    switches: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Transit:
    """Addresses between a line and a centre that it carries, and the line's device towards the centre."""

    line_address: IPv4Address
    centre_address: IPv4Address
    line_device: str


@dataclass(frozen=True)
class Layout:
    """Everything of the network that follows from the topology alone."""

    topology: Topology
    controller_address: IPv4Address
    transit: dict[tuple[str, str], Transit]  # by (line, centre)
    line_device: dict[str, str]  # device of a line on its CE router and in its centres
    link_device: dict[str, str]
    spaces: tuple[Space, ...] = ()
    cables: tuple[Cable, ...] = ()


def host_space(name: str) -> str:
    """Namespace of a gateway host."""
    return f"host-{name}"


def router_space(name: str) -> str:
    """Namespace of a CE router."""
    return f"router-{name}"


def line_space(name: str) -> str:
    """Namespace of a line: the carrier's router."""
    return f"line-{name}"


def centre_space(name: str) -> str:
    """Namespace of a centre, with all its fronts."""
    return f"centre-{name}"


def lay_out(topology: Topology) -> Layout:
    """Plan the whole network. Raises Refused("TWIN_NETWORKS") if the site's networks cannot be told apart."""
    _tell_networks_apart(topology)
    plan = Layout(
        topology=topology,
        controller_address=_controller_address(topology),
        transit=_transit(topology),
        line_device={line.id: _device(line.id, "line", index) for index, line in enumerate(topology.lines)},
        link_device={link.id: _device(link.id, "link", index) for index, link in enumerate(topology.links)},
    )
    return replace(plan, spaces=tuple(_spaces(plan)), cables=tuple(_cables(plan)))


def return_targets(topology: Topology) -> Iterator[tuple[IPv4Network, Router]]:
    """Networks that a centre routes back to, each with the router whose order of paths holds for it.

    A room's network follows its first router; a host on another router of the room has a route of its own.
    """
    first: dict[str, Router] = {}
    for router in topology.routers:
        if router.room not in first:
            first[router.room] = router
            yield topology.room[router.room].network, router
    for host in topology.hosts:
        own = topology.router[host.router]
        if own.room == host.room and first[host.room].id != own.id:
            yield IPv4Network(host.site_address), own


def link_addresses(link: Link) -> dict[str, IPv4Address]:
    """Address of each router on the link: the first two of its network."""
    addresses = link.network.hosts()
    return {router: next(addresses) for router in link.routers}


def links_of(topology: Topology, router: str) -> Iterator[tuple[Link, Router]]:
    """Links of a router with the router at the other end; of parallel links only the first."""
    seen: set[str] = set()
    for link in topology.links:
        if router in link.routers:
            other = next(name for name in link.routers if name != router)
            if other not in seen:
                seen.add(other)
                yield link, topology.router[other]


def next_hop(topology: Topology, router: str, line: Line) -> IPv4Address:
    """Where a CE router sends what goes over this line: the line's far side, or the router that has it."""
    if line.router == router:
        return line.remote_address
    link = topology.link_between(router, line.router)
    if link is None:  # the model refuses such a path
        raise ValueError(f"{router} has no link to {line.router}, which holds {line.id}")
    return link_addresses(link)[line.router]


def _tell_networks_apart(topology: Topology) -> None:
    management = topology.site.management_network
    rooms = [(f"room {room.id}", room.network) for room in topology.rooms]
    centres = [(f"centre {centre.id}", centre.network) for centre in topology.centres]
    others = [(f"line {line.id}", line.network) for line in topology.lines]
    others += [(f"link {link.id}", link.network) for link in topology.links]
    for name, network in (*rooms, *centres, *others):
        if network.overlaps(management):
            _refuse("the management network", management, name, network)
    for group in (rooms, centres):
        for index, (name, network) in enumerate(group):
            for other, found in group[:index]:
                if network.overlaps(found):
                    _refuse(name, network, other, found)


def _refuse(one: str, network: IPv4Network, other: str, found: IPv4Network) -> None:
    raise Refused(
        "TWIN_NETWORKS",
        f"expected networks that do not overlap, found {one} {network} and {other} {found}; correct topology.yml",
    )


def _controller_address(topology: Topology) -> IPv4Address:
    """The highest address of the management network that nobody has."""
    network = topology.site.management_network
    taken = {host.management_address for host in topology.hosts}
    taken |= {router.management_address for router in topology.routers}
    for number in range(int(network.broadcast_address) - 1, int(network.network_address), -1):
        if IPv4Address(number) not in taken:
            return IPv4Address(number)
    raise Refused("TWIN_NETWORKS", f"expected a free address for the controller in {network}, found none")


def _transit(topology: Topology) -> dict[tuple[str, str], Transit]:
    taken = [topology.site.management_network]
    taken += [centre.network for centre in topology.centres]
    taken += [room.network for room in topology.rooms]
    taken += [line.network for line in topology.lines]
    taken += [link.network for link in topology.links]
    pairs = (pair for pair in _TRANSIT.subnets(new_prefix=31) if not any(pair.overlaps(other) for other in taken))
    return {
        (line.id, centre): Transit(pair[0], pair[1], f"to{index}")
        for line in topology.lines
        for index, (centre, pair) in enumerate(zip(line.carries, pairs, strict=False))
    }


def _device(name: str, prefix: str, index: int) -> str:
    """The id itself where the kernel allows it as a device's name, for people who look."""
    return name if len(name) <= _LONGEST_DEVICE_NAME and not _RESERVED.fullmatch(name) else f"{prefix}{index}"


def _spaces(plan: Layout) -> Iterator[Space]:
    topology = plan.topology
    rooms = range(len(topology.rooms))
    yield Space(LAN, switches=tuple(f"room{index}" for index in rooms))
    for centre in topology.centres:
        yield Space(centre_space(centre.id), forwards=True, routes=(f"224.0.0.0/4 dev {FRONTS}",))
    for line in topology.lines:
        yield Space(line_space(line.id), forwards=True, routes=tuple(_line_routes(plan, line)))
    for router in topology.routers:
        yield Space(router_space(router.id), forwards=True, routes=tuple(_router_routes(plan, router)))
    for host in topology.hosts:
        yield Space(host_space(host.id), routes=tuple(_host_routes(topology, host)))


def _line_routes(plan: Layout, line: Line) -> Iterator[str]:
    for name in line.carries:
        transit = plan.transit[line.id, name]
        yield f"{plan.topology.centre[name].network} via {transit.centre_address} dev {transit.line_device}"
    networks = [room.network for room in plan.topology.rooms] + [link.network for link in plan.topology.links]
    for network in networks:
        yield f"{network} via {line.local_address} dev {CE}"


def _router_routes(plan: Layout, router: Router) -> Iterator[str]:
    """Other rooms and the far sides of their lines over the links; to the centres only if routing is static."""
    topology = plan.topology
    yield quick(topology.site.management_network, MANAGEMENT, router.management_address)
    for link, other in links_of(topology, router.id):
        via = f"via {link_addresses(link)[other.id]} dev {plan.link_device[link.id]}"
        if other.room != router.room:
            yield f"{topology.room[other.room].network} {via}"
        for line in topology.lines:
            if line.router == other.id:
                yield f"{line.remote_address} {via}"
    if router.routing == "static":
        for centre, path in router.paths.items():
            for line_id in path[:1]:
                yield f"{topology.centre[centre].network} via {next_hop(topology, router.id, topology.line[line_id])}"


def _host_routes(topology: Topology, host: Host) -> Iterator[str]:
    room = topology.room[host.room]
    yield quick(topology.site.management_network, MANAGEMENT, host.management_address)
    yield quick(room.network, SITE, host.site_address)
    gateway = _gateway_of(topology, host, room)
    if gateway is not None:
        yield f"default via {gateway.site_address} dev {SITE} quickack 1"


def _gateway_of(topology: Topology, host: Host, room: Room) -> Router | None:
    """The host's own CE router, or, if that is in another room, the first one in its room."""
    own = topology.router[host.router]
    if own.room == room.id:
        return own
    return next((router for router in topology.routers if router.room == room.id), None)


def quick(network: IPv4Network, device: str, source: IPv4Address) -> str:
    """A connected route on which TCP acknowledges at once: Nagle and delayed ACK cost 80 ms per ssh connection."""
    return f"{network} dev {device} proto kernel scope link src {source} quickack 1"


def _cables(plan: Layout) -> Iterator[Cable]:
    topology = plan.topology
    yield from _management_cables(topology)
    yield from _site_cables(topology)
    yield from _line_cables(plan)
    for link in topology.links:
        yield _link_cable(plan, link)
    for centre in topology.centres:
        space = centre_space(centre.id)
        yield Cable(Plug(space, FRONTS), Plug(space, "peer0"))


def _management_cables(topology: Topology) -> Iterator[Cable]:
    length = topology.site.management_network.prefixlen
    for kind, index, space, item in _machines(topology):
        far = Plug(space, MANAGEMENT, f"{item.management_address}/{length}")
        yield Cable(Plug(CONTROLLER, f"{kind}{index}", switch=MANAGEMENT), far)


def _site_cables(topology: Topology) -> Iterator[Cable]:
    switch = {room.id: f"room{index}" for index, room in enumerate(topology.rooms)}
    for kind, index, space, item in _machines(topology):
        far = Plug(space, SITE, f"{item.site_address}/{topology.room[item.room].network.prefixlen}")
        yield Cable(Plug(LAN, f"{kind}{index}", switch=switch[item.room]), far)


def _machines(topology: Topology) -> Iterator[tuple[str, int, str, Host | Router]]:
    for index, host in enumerate(topology.hosts):
        yield "h", index, host_space(host.id), host
    for index, router in enumerate(topology.routers):
        yield "r", index, router_space(router.id), router


def _line_cables(plan: Layout) -> Iterator[Cable]:
    for line in plan.topology.lines:
        device, space = plan.line_device[line.id], line_space(line.id)
        near, far = str(line.local_address), str(line.remote_address)
        yield Cable(Plug(router_space(line.router), device, near, far), Plug(space, CE, far, near))
        for name in line.carries:
            transit = plan.transit[line.id, name]
            near, far = str(transit.line_address), str(transit.centre_address)
            here = Plug(space, transit.line_device, near, far)
            yield Cable(here, Plug(centre_space(name), device, far, near))


def _link_cable(plan: Layout, link: Link) -> Cable:
    one, other = link.routers
    address, device = link_addresses(link), plan.link_device[link.id]
    return Cable(
        Plug(router_space(one), device, str(address[one]), str(address[other])),
        Plug(router_space(other), device, str(address[other]), str(address[one])),
    )
