"""Configuration of bird for CE routers, lines and centres. Pure: text from the layout.

A route stands only while BFD to its next hop is up. A CE router watches the far side of its own lines by
single-hop BFD. A line on a linked router is worth nothing if only the link lives: so its far side is watched
across the link, by a BGP session with multihop BFD, which offers the centres that the line carries.
Centres watch every line likewise, so that nothing comes back over a dead one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from orchestrator.model.topology import Centre, Line, LineKind, Router, Routing
from orchestrator.twin.layout import CE, Layout, link_addresses, links_of, next_hop, return_targets

_BEST = 200  # bird's preference of the first line of a path; the second has one less
_LINE_AS = 4200000000  # our choice, private range (RFC 6996): autonomous system of the first line
_ROUTER_AS = 4200100000


@dataclass(frozen=True)
class Bird:
    """One bird process: its configuration, and how many BFD sessions it has when all is well."""

    config: str
    sessions: int


@dataclass(frozen=True)
class _Via:
    """Where routes point: a next hop with its rank for each destination."""

    name: str
    next_hop: IPv4Address
    device: str
    rank: dict[IPv4Network, int]


def router_bird(layout: Layout, router: Router) -> Bird:
    """A dynamic CE router's bird. Its kernel routes to centres follow `paths`, live lines only."""
    topology = layout.topology
    ranks = _ranks(layout, router)
    own = [
        _Via(layout.line_device[line.id], line.remote_address, layout.line_device[line.id], rank)
        for line, rank in ranks
        if line.router == router.id
    ]
    far = [(line, rank) for line, rank in ranks if line.router != router.id]
    networks = [centre.network for centre in topology.centres]
    bfd = [*(_interface(via.device, router) for via in own), _multihop(router)]
    parts = [
        _head(router.management_address),
        _bfd(bfd),
        _kernel(networks, ""),
        *(_static(f"own{index}", via) for index, via in enumerate(own)),
        *(_far(layout, router, index, line, rank) for index, (line, rank) in enumerate(far)),
    ]
    return Bird("\n".join(parts), len(own) + len(far))


def line_bird(layout: Layout, line: Line) -> Bird:
    """The carrier's router of a line: answers BFD, and offers its centres to routers across a link."""
    topology = layout.topology
    owner = topology.router[line.router]
    watchers = list(_watchers(layout, line))
    near = [(line.local_address, CE)] if any(router.id == line.router for router in watchers) else []
    near += [
        (layout.transit[line.id, name].centre_address, layout.transit[line.id, name].line_device)
        for name in line.carries
        if any(item.id == line.id for item, _ in _return_ranks(layout, topology.centre[name]))
    ]
    far = [router for router in watchers if router.id != line.router]
    bfd = [_interface("*", owner), *(_multihop(router) for router in far[:1])]
    bfd += [f'neighbor {address} dev "{device}";' for address, device in near]
    routes = [f"route {topology.centre[name].network} blackhole;" for name in line.carries]
    parts = [
        _head(line.remote_address),
        _bfd(bfd),
        f"protocol static carried {{ ipv4; {' '.join(routes)} }}",
        *(_offer(layout, line, index, router) for index, router in enumerate(far)),
    ]
    return Bird("\n".join(parts), len(near) + len(far))


def centre_bird(layout: Layout, centre: Centre) -> Bird:
    """A centre's way back: to each room over live lines in the order of that room's router."""
    ranks = list(_return_ranks(layout, centre))
    via = [
        _Via(line.id, layout.transit[line.id, centre.id].line_address, layout.line_device[line.id], rank)
        for line, rank in ranks
    ]
    owners = [layout.topology.router[line.router] for line, _ in ranks]
    parts = [
        _head(next(iter(centre.network.hosts()), centre.network.network_address)),
        _bfd([_interface(item.device, owner) for item, owner in zip(via, owners, strict=True)]),
        _kernel([network for network, _ in return_targets(layout.topology)], "krt_quickack = 1; "),
        *(_static(f"line{index}", item) for index, item in enumerate(via)),
    ]
    return Bird("\n".join(parts), len(via))


def _ranks(layout: Layout, router: Router) -> list[tuple[Line, dict[IPv4Network, int]]]:
    """Lines that the router uses, each with its rank per centre's network."""
    ranks: dict[str, dict[IPv4Network, int]] = {}
    for centre, path in router.paths.items():
        for index, line in enumerate(path):
            ranks.setdefault(line, {})[layout.topology.centre[centre].network] = index
    return [(layout.topology.line[line], rank) for line, rank in ranks.items()]


def _return_ranks(layout: Layout, centre: Centre) -> Iterator[tuple[Line, dict[IPv4Network, int]]]:
    """Lines that a centre may send back over, each with its rank per network: the router's own order first,
    then whatever else leads to the router or to one that it has a link to.
    """
    ranks: dict[str, dict[IPv4Network, int]] = {}
    for network, router in return_targets(layout.topology):
        for index, line in enumerate(_ways_back(layout, centre, router)):
            ranks.setdefault(line, {})[network] = index
    for line, rank in ranks.items():
        yield layout.topology.line[line], rank


def _ways_back(layout: Layout, centre: Centre, router: Router) -> list[str]:
    path = router.paths.get(centre.id, ())
    near = {router.id, *(other.id for _, other in links_of(layout.topology, router.id))}
    others = [
        line.id
        for line in layout.topology.lines
        if line.router in near and centre.id in line.carries and line.kind is not LineKind.SATELLITE_ONE_WAY
    ]
    return list(dict.fromkeys((*path, *others)))


def _watchers(layout: Layout, line: Line) -> Iterator[Router]:
    """Dynamic routers that use the line."""
    for router in layout.topology.routers:
        if router.routing is Routing.DYNAMIC and any(line.id in path for path in router.paths.values()):
            yield router


def _head(identity: IPv4Address) -> str:
    return f"log stderr {{ warning, error, fatal, bug }};\nrouter id {identity};\nprotocol device {{ scan time 60; }}"


def _bfd(parts: list[str]) -> str:
    return "protocol bfd {\n  " + "\n  ".join(parts) + "\n}"


def _timers(router: Router) -> str:
    interval = f"{router.bfd_interval_ms} ms"
    return f"interval {interval}; multiplier {router.bfd_multiplier}; idle tx interval {interval};"


def _interface(device: str, router: Router) -> str:
    return f'interface "{device}" {{ {_timers(router)} }};'


def _multihop(router: Router) -> str:
    return f"multihop {{ {_timers(router)} }};"


def _kernel(networks: list[IPv4Network], attributes: str) -> str:
    listed = ", ".join(map(str, networks))
    export = f"export filter {{ if net ~ [ {listed} ] then {{ {attributes}accept; }} reject; }};"
    return f"protocol kernel {{ scan time 60; ipv4 {{ import none; {export} }}; }}"


def _rank_filter(rank: dict[IPv4Network, int]) -> str:
    cases = " ".join(
        f"if net = {network} then {{ preference = {_BEST - index}; accept; }}" for network, index in rank.items()
    )
    return f"import filter {{ {cases} reject; }};"


def _static(name: str, via: _Via) -> str:
    routes = "\n  ".join(f"route {network} via {via.next_hop}%'{via.device}' bfd;" for network in via.rank)
    return f"protocol static {name} {{\n  ipv4 {{ {_rank_filter(via.rank)} }};\n  {routes}\n}}"


def _far(layout: Layout, router: Router, index: int, line: Line, rank: dict[IPv4Network, int]) -> str:
    """A line on a linked router: its far side resolves to the link, and lives by its own session."""
    hop = next_hop(layout.topology, router.id, line)
    local = _link_address(layout, router, line)
    route = f"protocol static to_far{index} {{ ipv4; route {line.remote_address}/32 via {hop}; }}"
    session = (
        f"local {local} as {_router_as(layout, router)}; neighbor {line.remote_address} as {_line_as(layout, line)};"
    )
    return f"{route}\n{_bgp(f'far{index}', session, f'{_rank_filter(rank)} export none;')}"


def _offer(layout: Layout, line: Line, index: int, router: Router) -> str:
    far = _link_address(layout, router, line)
    here, there = _line_as(layout, line), _router_as(layout, router)
    session = f"local {line.remote_address} as {here}; neighbor {far} as {there}; passive;"
    return _bgp(f"across{index}", session, 'import none; export where proto = "carried"; next hop self;')


def _bgp(name: str, session: str, channel: str) -> str:
    """Timers as short as bird allows: a line that is back is used again within seconds."""
    timers = "connect delay time 1; connect retry time 1; error wait time 1, 2; error forget time 2;"
    return f"protocol bgp {name} {{ {session} multihop 2; bfd; {timers} ipv4 {{ {channel} }}; }}"


def _link_address(layout: Layout, router: Router, line: Line) -> IPv4Address:
    link = layout.topology.link_between(router.id, line.router)
    if link is None:  # the model refuses such a path
        raise ValueError(f"{router.id} has no link to {line.router}, which holds {line.id}")
    return link_addresses(link)[router.id]


def _line_as(layout: Layout, line: Line) -> int:
    return _LINE_AS + layout.topology.lines.index(line)


def _router_as(layout: Layout, router: Router) -> int:
    return _ROUTER_AS + layout.topology.routers.index(router)
