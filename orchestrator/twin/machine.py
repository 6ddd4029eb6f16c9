"""Builds the whole twin in this process's namespaces: network, routers, hosts. Everything it needs is in the site."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.loader.site import LoadedSite, inventory_hosts
from orchestrator.model.topology import Host, Router, Topology
from orchestrator.twin import service_shim
from orchestrator.twin.birdconf import Bird
from orchestrator.twin.hosts import HostSpec, begin_host, finish_host
from orchestrator.twin.keys import KeyPair, make_key, write_private
from orchestrator.twin.layout import Layout, host_space, lay_out, router_space
from orchestrator.twin.mroute import MulticastRoutes
from orchestrator.twin.netns import Namespaces
from orchestrator.twin.network import birds, build_network, start_bird
from orchestrator.twin.programs import nursery
from orchestrator.twin.state import KEY, KNOWN_HOSTS, SPACE

_ROOT = "root"
_SSH_PORT = 22


@dataclass(frozen=True)
class BirdAt:
    """A running bird: where it listens, and how many BFD sessions it should have."""

    control: Path
    sessions: int


@dataclass(frozen=True)
class Machine:
    """The twin as built. `processes` is process 1 of each host and router, `specs` what they were made from."""

    layout: Layout
    namespaces: Namespaces
    multicast: MulticastRoutes
    specs: dict[str, HostSpec]
    processes: dict[str, int]
    birds: dict[str, BirdAt]

    @property
    def topology(self) -> Topology:
        return self.layout.topology


def build_machine(site: LoadedSite, folder: Path) -> Machine:
    """Make namespaces and cables, then hosts and routers, then the carriers' and centres' routing."""
    layout, namespaces = lay_out(site.topology), Namespaces()
    multicast = build_network(layout, namespaces)
    routing = birds(layout)
    key = make_key()
    specs = {spec.name: spec for spec in _specs(site, routing, key.public)}
    _write_keys(folder, key, specs)
    (folder / SPACE).mkdir()
    nursery.load(profile.config.encoding for profile in layout.topology.profiles.values())
    starting = [begin_host(spec, namespaces.descriptor(spec.space), folder / SPACE) for spec in specs.values()]
    outside = {space: bird for space, bird in routing.items() if space not in {spec.space for spec in specs.values()}}
    running = {
        space: BirdAt(start_bird(space, bird, namespaces, folder), bird.sessions) for space, bird in outside.items()
    }
    processes = {item.name: finish_host(item) for item in starting}
    for spec in specs.values():
        if spec.bird:
            control = Path(f"/proc/{processes[spec.name]}/root/run/bird/bird.ctl")
            running[spec.space] = BirdAt(control, spec.bird.sessions)
    return Machine(layout, namespaces, multicast, specs, processes, running)


def _specs(site: LoadedSite, routing: dict[str, Bird], authorized: str) -> Iterator[HostSpec]:
    variables = inventory_hosts(site.folder / "hosts.yml")
    topology = site.topology
    for router in topology.routers:
        space = router_space(router.id)
        yield _spec(topology, router, space, variables[router.id][1], authorized, routing.get(space), _nothing)
    for host in topology.hosts:
        software = partial(_install, topology=topology, host=host.id)
        yield _spec(topology, host, host_space(host.id), variables[host.id][1], authorized, None, software)


def _spec(
    topology: Topology,
    item: Host | Router,
    space: str,
    variables: dict[str, Any],
    authorized: str,
    bird: Bird | None,
    furnish: Callable[[Path], list[Path]],
) -> HostSpec:
    user = str(variables.get("ansible_user", _ROOT))
    return HostSpec(
        name=item.id,
        space=space,
        address=str(item.management_address),
        port=int(variables.get("ansible_port", _SSH_PORT)),
        users=(user, _ROOT) if isinstance(item, Router) and user != _ROOT else (user,),
        timezone=topology.site.timezone,
        key=make_key(),
        authorized=authorized,
        bird=bird,
        furnish=furnish,
    )


def _install(root: Path, topology: Topology, host: str) -> list[Path]:
    return service_shim.install(root, topology, host)


def _nothing(_root: Path) -> list[Path]:
    return []


def _write_keys(folder: Path, key: KeyPair, specs: dict[str, HostSpec]) -> None:
    write_private(folder / KEY, key.private)
    lines = []
    for spec in specs.values():
        names = (
            [spec.address, spec.name]
            if spec.port == _SSH_PORT
            else [f"[{spec.address}]:{spec.port}", f"[{spec.name}]:{spec.port}"]
        )
        lines.append(f"{','.join(names)} {spec.key.public}\n")
    (folder / KNOWN_HOSTS).write_text("".join(lines))
