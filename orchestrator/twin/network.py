"""Builds the network of a layout: namespaces, cables, addresses, routes, bird and multicast."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from orchestrator.model.topology import Routing
from orchestrator.twin.birdconf import Bird, centre_bird, line_bird, router_bird
from orchestrator.twin.layout import (
    CONTROLLER,
    FRONTS,
    MANAGEMENT,
    Layout,
    Plug,
    Space,
    centre_space,
    line_space,
    quick,
    router_space,
)
from orchestrator.twin.mroute import MulticastRoutes
from orchestrator.twin.netns import Namespaces
from orchestrator.twin.streams import streams


def build_network(layout: Layout, namespaces: Namespaces) -> MulticastRoutes:
    """Everything but bird. The result holds the multicast routes: keep it."""
    for space in layout.spaces:
        namespaces.create(space.name, forwards=space.forwards)
    cables = [_link_command(cable.one, cable.other, namespaces) for cable in layout.cables]
    namespaces.ip(CONTROLLER, [f"link add name {MANAGEMENT} type bridge mcast_snooping 0", *cables])
    plugs: dict[str, list[Plug]] = {}
    for cable in layout.cables:
        for plug in cable.plugs():
            plugs.setdefault(plug.space, []).append(plug)
    namespaces.ip(CONTROLLER, ["link set lo up", *_up(plugs[CONTROLLER]), *_controller(layout)])
    for space in layout.spaces:
        namespaces.ip(space.name, list(_space_commands(layout, space, plugs.get(space.name, []))))
    multicast = MulticastRoutes(namespaces)
    multicast.add(streams(layout))
    return multicast


def birds(layout: Layout) -> dict[str, Bird]:
    """Bird's configuration by namespace. Routers' run inside their hosts, the others beside them."""
    topology = layout.topology
    found = {line_space(line.id): line_bird(layout, line) for line in topology.lines}
    found |= {centre_space(centre.id): centre_bird(layout, centre) for centre in topology.centres}
    dynamic = (router for router in topology.routers if router.routing is Routing.DYNAMIC)
    found |= {router_space(router.id): router_bird(layout, router) for router in dynamic}
    return found


def start_bird(space: str, bird: Bird, namespaces: Namespaces, folder: Path) -> Path:
    """Start bird in a namespace; returns its control socket."""
    config, socket = folder / f"{space}.conf", folder / f"{space}.ctl"
    config.write_text(bird.config)
    with namespaces.inside(space), (folder / f"{space}.log").open("wb") as log:
        run_bird(config, socket, log.fileno())
    return socket


def run_bird(config: Path, socket: Path, log: int) -> None:
    """Returns once bird has accepted its configuration and gone to the background."""
    subprocess.run(
        ["bird", "-c", str(config), "-s", str(socket)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True
    )


def _link_command(one: Plug, other: Plug, namespaces: Namespaces) -> str:
    far = f"peer name {other.device} netns {namespaces.path(other.space)}"
    return f"link add name {one.device} netns {namespaces.path(one.space)} type veth {far}"


def _space_commands(layout: Layout, space: Space, plugs: list[Plug]) -> Iterator[str]:
    yield "link set lo up"
    for switch in space.switches:
        yield f"link add name {switch} type bridge mcast_snooping 0"
        yield f"link set {switch} up"
    yield from _up(plugs)
    for centre in layout.topology.centres:
        if centre_space(centre.id) == space.name:
            fronts = {front.address for front in layout.topology.fronts if front.centre == centre.id}
            yield from (f"addr add {address}/32 dev {FRONTS}" for address in sorted(fronts))
    yield from (f"route replace {route}" for route in space.routes)


def _up(plugs: list[Plug]) -> Iterator[str]:
    for plug in plugs:
        if plug.address:
            yield f"addr add {plug.address}{f' peer {plug.peer}' if plug.peer else ''} dev {plug.device}"
        if plug.switch:
            yield f"link set {plug.device} up master {plug.switch}"
        else:
            yield f"link set {plug.device} up"


def _controller(layout: Layout) -> Iterator[str]:
    network, address = layout.topology.site.management_network, layout.controller_address
    yield f"addr add {address}/{network.prefixlen} dev {MANAGEMENT}"
    yield f"link set {MANAGEMENT} up"
    yield f"route replace {quick(network, MANAGEMENT, address)}"
