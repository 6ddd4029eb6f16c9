"""Gateways that answer for each other, and which of these units behave alike. Pure.

A unit is a gateway with its pair and its cold standbys: what becomes of one depends on the others, and on nothing else
but the network. Two units of the same form differ in names only, so that one answer holds for both.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from orchestrator.model.topology import Gateway, Topology
from orchestrator.planner.failures import Failure, FailureKind, Lost, own_parts

Part = tuple[FailureKind, int]  # a host, gateway or certificate by its place in the unit


@dataclass(frozen=True, eq=False)
class Unit:
    """`members` in the order of the inventory. `topology` holds these gateways only, beside the whole network."""

    members: tuple[Gateway, ...]
    topology: Topology
    form: Hashable = field(compare=False)

    @cached_property
    def parts(self) -> dict[Failure, Part]:
        """Every failure that takes something of this unit itself."""
        found = dict[FailureKind, list[str]]()
        for member in self.members:
            for failure in own_parts(member):
                names = found.setdefault(failure.kind, [])
                if failure.name not in names:
                    names.append(failure.name)
        return {Failure(kind, name): (kind, index) for kind, names in found.items() for index, name in enumerate(names)}

    @cached_property
    def named(self) -> dict[Part, Failure]:
        """What a part is called here."""
        return {part: failure for failure, part in self.parts.items()}


def units_of(topology: Topology, today: date) -> list[Unit]:
    """Every unit, in the order of the inventory."""
    return [_unit(topology, members, today) for members in _groups(topology)]


def _groups(topology: Topology) -> list[tuple[Gateway, ...]]:
    leader: dict[str, str] = {gateway.id: gateway.id for gateway in topology.gateways}

    def root(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for gateway in topology.gateways:
        for other in (gateway.pair, gateway.standby_for):
            if other:
                leader[root(gateway.id)] = root(other)
    groups: dict[str, list[Gateway]] = {}
    for gateway in topology.gateways:
        groups.setdefault(root(gateway.id), []).append(gateway)
    return [tuple(members) for members in groups.values()]


def with_gateways(topology: Topology, members: Sequence[Gateway]) -> Topology:
    """The same network with these gateways only; nothing is checked anew."""
    hosts, names = {item.host for item in members}, {name for item in members for name in item.certificates}
    fields = {name: getattr(topology, name) for name in type(topology).model_fields}
    fields |= {
        "gateways": tuple(members),
        "hosts": tuple(host for host in topology.hosts if host.id in hosts),
        "certificates": tuple(item for item in topology.certificates if item.id in names),
    }
    return Topology.model_construct(**fields)


def _unit(topology: Topology, members: tuple[Gateway, ...], today: date) -> Unit:
    own = with_gateways(topology, members)
    hosts = _places(item.host for item in members)
    numbers, ids = _places(item.number for item in members), _places(item.id for item in members)
    held = {item.id: item for item in own.certificates}
    certificates = _places(name for item in members for name in item.certificates)
    form = tuple(
        (
            (item.gateway_class, item.protocol, item.enabled, item.servers),
            (own.host[item.host].router, own.host[item.host].room, hosts[item.host], numbers[item.number]),
            (ids.get(item.pair or ""), ids.get(item.standby_for or "")),
            (own.longest_release_s(item) is None, certificates.get(item.certificate or "")),
            tuple(
                (
                    certificates[name],
                    held[name].kind,
                    held[name].host and hosts.get(str(held[name].host), -1),
                    held[name].valid_from <= today <= held[name].valid_to,
                    held[name].tested_on is not None,
                )
                for name in item.certificates
            ),
        )
        for item in members
    )
    return Unit(members, own, form)


def _places(names: Iterator[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in names:
        found.setdefault(name, len(found))
    return found


def relevant(topology: Topology, unit: Unit, gone: Mapping[Failure, Lost]) -> list[Failure]:
    """Failures of the network that can matter to a unit: centres of the operators that it lists, for one of them may
    take over from the others,
    and the routers and lines by which any of its hosts can come there. `gone`: each failure of the network.
    """
    centres = _centres(topology, unit)
    routers = _routers(topology, {unit.topology.host[item.host].router for item in unit.members})
    hosts = {item.host for item in unit.members}
    lines = {line.id for line in topology.lines if line.router in routers and centres & set(line.carries)}
    return [
        failure
        for failure, what in gone.items()
        if centres & set(what.centres)
        or routers & set(what.routers)
        or lines & set(what.lines)
        or hosts & set(what.hosts)
    ]


def _routers(topology: Topology, own: set[str]) -> set[str]:
    """With those over whose lines they may go, however far."""
    reached: set[str] = set()
    while own - reached:
        reached |= own
        names = {name for router in own for path in topology.router[router].paths.values() for name in path}
        own = own | {topology.line[name].router for name in names}
    return reached


def _centres(topology: Topology, unit: Unit) -> set[str]:
    listed = {unit.topology.front[name].centre for item in unit.members for name in item.servers}
    operators = {topology.centre[name].operator for name in listed}
    return {centre.id for centre in topology.centres if centre.operator in operators}
