"""Whether the parts of an inventory fit together. Facts only, no I/O.

Cross-references and the rules of an inventory that can never be right (a certificate on two active
gateways, a satellite line to Beijing) are raised as `InventoryProblems`, which carry the field, so that
the loader can name file and line. What is legal but unwise is the audit's business.
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from orchestrator.errors import Problem
from orchestrator.model.people import PersonRole
from orchestrator.model.topology import (
    CentreRole,
    CertificateKind,
    Gateway,
    GatewayClass,
    Line,
    LineKind,
    Role,
    Topology,
)


class InventoryProblems(ValueError):
    """Problems of an inventory as a whole; each knows its field."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


def require(topology: Topology) -> None:
    """InventoryProblems names everything that is wrong."""
    found = list(problems(topology))
    if found:
        raise InventoryProblems(found)


def problems(topology: Topology) -> Iterator[Problem]:
    """Everything that makes an inventory wrong as a whole, each with its field."""
    yield from _unique_ids(topology)
    yield from _references(topology)
    yield from _hands(topology)
    yield from _addresses(topology)
    yield from _lines(topology)
    yield from _last_resorts(topology)
    yield from _fronts(topology)
    yield from _gateways(topology)
    yield from _numbers(topology)
    yield from _cold_standbys(topology)
    yield from _certificates(topology)
    yield from _certificates_of_standbys(topology)


def _unique_ids(t: Topology) -> Iterator[Problem]:
    for kind in (
        "centres",
        "fronts",
        "carriers",
        "rooms",
        "routers",
        "links",
        "lines",
        "hosts",
        "certificates",
        "gateways",
    ):
        seen: dict[str, int] = {}
        for index, item in enumerate(getattr(t, kind)):
            if item.id in seen:
                yield Problem(
                    (kind, index, "id"),
                    f"expected a unique id, found {item.id!r} again (first at {kind}.{seen[item.id]})",
                )
            seen.setdefault(item.id, index)


def _unknown(path: tuple[str | int, ...], what: str, name: str, known: set[str]) -> Iterator[Problem]:
    if name not in known:
        yield Problem(path, f"expected a known {what} ({', '.join(sorted(known)) or 'none defined'}), found {name!r}")


def _references(t: Topology) -> Iterator[Problem]:
    """Every name that points at something points at something that is there."""
    centres, lines, routers, hosts, fronts = set(t.centre), set(t.line), set(t.router), set(t.host), set(t.front)
    certificates = {item.id for item in t.certificates}
    table: tuple[tuple[str, str, str, set[str]], ...] = (
        ("fronts", "centre", "centre", centres),
        ("routers", "room", "room", set(t.room)),
        ("links", "routers", "router", routers),
        ("lines", "carrier", "carrier", set(t.carrier)),
        ("lines", "router", "router", routers),
        ("lines", "into", "centre", centres),
        ("lines", "carries", "centre", centres),
        ("lines", "survives_loss_of", "centre", centres),
        ("hosts", "room", "room", set(t.room)),
        ("hosts", "router", "router", routers),
        ("certificates", "host", "host", hosts),
        ("gateways", "profile", "profile", set(t.profiles)),
        ("gateways", "host", "host", hosts),
        ("gateways", "pair", "gateway", set(t.gateway)),
        ("gateways", "standby_for", "gateway", set(t.gateway)),
        ("gateways", "servers", "front", fronts),
        ("gateways", "certificates", "certificate", certificates),
    )
    for kind, field, what, known in table:
        for i, item in enumerate(getattr(t, kind)):
            value = getattr(item, field)
            if isinstance(value, tuple):
                for j, name in enumerate(value):
                    yield from _unknown((kind, i, field, j), what, name, known)
            elif value is not None:
                yield from _unknown((kind, i, field), what, value, known)
    for i, router in enumerate(t.routers):
        for centre, path in router.paths.items():
            yield from _unknown(("routers", i, "paths", centre), "centre", centre, centres)
            for j, line in enumerate(path):
                yield from _unknown(("routers", i, "paths", centre, j), "line", line, lines)
    for i, gateway in enumerate(t.gateways):
        if gateway.certificate is not None:
            where = ("gateways", i, "certificate")
            yield from _unknown(where, "certificate of its own list", gateway.certificate, set(gateway.certificates))


_OPERATORS = (PersonRole.OPERATOR, PersonRole.GATEWAY_OPERATOR)


def _hands(t: Topology) -> Iterator[Problem]:
    """Who works on a host that is not scriptable is there, and an operator."""
    known = sorted(person.id for person in t.people.people if set(_OPERATORS) & set(person.roles))
    for index, host in enumerate(t.hosts):
        if host.hands is not None and host.hands not in known:
            yield Problem(
                ("hosts", index, "hands"),
                f"expected an operator of people.yml ({', '.join(known) or 'it has none'}), found {host.hands!r}",
            )


def _inside(
    path: tuple[str | int, ...], address: IPv4Address, network: IPv4Network | None, name: str
) -> Iterator[Problem]:
    if network is not None and address not in network:
        yield Problem(path, f"expected an address inside {network} ({name}), found {address}")


def _addresses(t: Topology) -> Iterator[Problem]:
    management = t.site.management_network
    networks = {room.id: room.network for room in t.rooms}
    taken: dict[IPv4Address, str] = {}

    def once(path: tuple[str | int, ...], address: IPv4Address) -> Iterator[Problem]:
        field = ".".join(map(str, path))
        if address in taken:
            yield Problem(path, f"expected an address of its own, found {address}, which {taken[address]} has too")
        taken.setdefault(address, field)

    for kind in ("routers", "hosts"):
        for i, item in enumerate(getattr(t, kind)):
            yield from _inside(
                (kind, i, "management_address"), item.management_address, management, "management network"
            )
            yield from _inside(
                (kind, i, "site_address"), item.site_address, networks.get(item.room), f"room {item.room}"
            )
            yield from once((kind, i, "management_address"), item.management_address)
            yield from once((kind, i, "site_address"), item.site_address)
    for i, line in enumerate(t.lines):
        yield from _inside(("lines", i, "local_address"), line.local_address, line.network, "the line's network")
        yield from _inside(("lines", i, "remote_address"), line.remote_address, line.network, "the line's network")
        yield from once(("lines", i, "local_address"), line.local_address)
        yield from once(("lines", i, "remote_address"), line.remote_address)
    for i, front in enumerate(t.fronts):
        centre = t.centre.get(front.centre)
        yield from _inside(
            ("fronts", i, "address"), front.address, centre.network if centre else None, f"centre {front.centre}"
        )


def _lines(t: Topology) -> Iterator[Problem]:
    for i, line in enumerate(t.lines):
        for j, name in enumerate(line.carries):
            centre = t.centre.get(name)
            if centre and centre.role is CentreRole.DISASTER_RECOVERY and line.kind is not LineKind.TERRESTRIAL:
                yield Problem(
                    ("lines", i, "carries", j),
                    f"expected no satellite line towards {name}: satellite users cannot reach the remote DR "
                    "centre (SSCC-A.2.1)",
                )
            if centre and centre.role is CentreRole.DISASTER_RECOVERY and not line.value_added_network:
                yield Problem(
                    ("lines", i, "carries", j),
                    f"expected value_added_network: true on a line that carries {name} (SSCC-A.2.1), found false",
                )
    for i, router in enumerate(t.routers):
        for centre_id, path in router.paths.items():
            for j, name in enumerate(path):
                step = t.line.get(name)
                if step is None:
                    continue
                where = ("routers", i, "paths", centre_id, j)
                if centre_id not in step.carries:
                    yield Problem(
                        where,
                        f"expected a line that carries {centre_id}, found {name}, which carries "
                        f"{', '.join(step.carries)}",
                    )
                if step.router != router.id and t.link_between(step.router, router.id) is None:
                    yield Problem(
                        where,
                        f"expected a line on {router.id} or on a router linked to it, found {name} on {step.router}",
                    )


def _last_resorts(t: Topology) -> Iterator[Problem]:
    """SSCC-3.2c: a two-way satellite of the router's own; satellite users cannot reach the remote DR centre."""
    for i, router in enumerate(t.routers):
        for centre_id, lines in router.last_resort.items():
            where: tuple[str | int, ...] = ("routers", i, "last_resort", centre_id)
            yield from _unknown(where, "centre", centre_id, set(t.centre))
            centre = t.centre.get(centre_id)
            if centre and centre.role is CentreRole.DISASTER_RECOVERY:
                yield Problem(
                    where,
                    f"expected a production centre, found {centre_id}: satellite users cannot reach the remote DR "
                    "centre (SSCC-A.2.1)",
                )
            for j, name in enumerate(lines):
                yield from _unknown((*where, j), "line", name, set(t.line))
                line = t.line.get(name)
                if line:
                    yield from _satellite((*where, j), line, router.id, centre_id)


def _satellite(where: tuple[str | int, ...], line: Line, router: str, centre: str) -> Iterator[Problem]:
    if line.kind is not LineKind.SATELLITE_TWO_WAY:
        yield Problem(where, f"expected a line of kind satellite-two-way, found {line.id}, which is {line.kind}")
    if line.router != router:
        yield Problem(where, f"expected a line on {router}, found {line.id} on {line.router}")
    if centre not in line.carries:
        yield Problem(
            where, f"expected a line that carries {centre}, found {line.id}, which carries {', '.join(line.carries)}"
        )


def _fronts(t: Topology) -> Iterator[Problem]:
    endpoints: dict[str, str] = {}
    for i, front in enumerate(t.fronts):
        multicast = front.service is GatewayClass.MARKET_DATA_MULTICAST
        if multicast != (front.group is not None):
            yield Problem(("fronts", i, "group"), "expected a group exactly for a market-data-multicast front")
        if front.group is not None and not front.group.is_multicast:
            yield Problem(("fronts", i, "group"), f"expected a multicast group (224.0.0.0/4), found {front.group}")
        if front.endpoint in endpoints:
            yield Problem(
                ("fronts", i, "port"),
                f"expected an endpoint of its own, found {front.endpoint}, which {endpoints[front.endpoint]} has too",
            )
        endpoints.setdefault(front.endpoint, front.id)


def _gateways(t: Topology) -> Iterator[Problem]:
    for i, gateway in enumerate(t.gateways):
        pair = t.gateway.get(gateway.pair or "")
        if pair is not None and (pair.pair != gateway.id or pair.role is gateway.role):
            yield Problem(
                ("gateways", i, "pair"),
                f"expected a pair of one primary and one standby that name each other, found {pair.id} "
                f"with pair {pair.pair} and role {pair.role}",
            )
        for j, name in enumerate(gateway.servers):
            front = t.front.get(name)
            if front and (front.service, front.protocol) != (gateway.gateway_class, gateway.protocol):
                yield Problem(
                    ("gateways", i, "servers", j),
                    f"expected a front for {gateway.gateway_class} ({gateway.protocol}), found {name} for "
                    f"{front.service} ({front.protocol})",
                )
            if name in gateway.servers[:j]:
                yield Problem(("gateways", i, "servers", j), f"expected each front once, found {name} again")


def _numbers(t: Topology) -> Iterator[Problem]:
    """SSCC-2.5: one number, one active gateway; who shares it says whose cold standby it is."""
    active: dict[str, str] = {}
    for i, gateway in enumerate(t.gateways):
        if gateway.enabled and gateway.number in active:
            yield Problem(
                ("gateways", i, "number"),
                f"expected a gateway number of its own (SSCC-2.5), found {gateway.number}, which active "
                f"gateway {active[gateway.number]} has too",
            )
        if gateway.enabled:
            active.setdefault(gateway.number, gateway.id)
    for i, gateway in enumerate(t.gateways):
        if not gateway.enabled and gateway.standby_for is None and gateway.number in active:
            yield Problem(
                ("gateways", i, "number"),
                f"expected standby_for: {active[gateway.number]}, or a gateway number of its own (SSCC-2.5), found "
                f"{gateway.number}, which active gateway {active[gateway.number]} has too",
            )


def _cold_standbys(t: Topology) -> Iterator[Problem]:
    """A cold standby shares number and class, runs elsewhere, and is not running until it has to."""
    for i, gateway in enumerate(t.gateways):
        primary = t.gateway.get(gateway.standby_for or "")
        if primary is None:
            continue
        table = (
            ("enabled", "false on a cold standby", gateway.enabled, gateway.enabled),
            ("role", "standby", gateway.role, gateway.role is not Role.STANDBY),
            ("number", f"{primary.number} as {primary.id}", gateway.number, gateway.number != primary.number),
            (
                "class",
                f"{primary.gateway_class} as {primary.id}",
                gateway.gateway_class,
                _kind(gateway) != _kind(primary),
            ),
            ("host", f"another host than that of {primary.id}", gateway.host, gateway.host == primary.host),
            ("standby_for", "a gateway that is no cold standby itself", primary.id, primary.standby_for is not None),
        )
        for field, expected, found, wrong in table:
            if wrong:
                yield Problem(("gateways", i, field), f"expected {expected}, found {_shown(found)}")


def _kind(gateway: Gateway) -> tuple[str, str]:
    return gateway.gateway_class, gateway.protocol


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _certificates(t: Topology) -> Iterator[Problem]:
    by_id = {item.id: item for item in t.certificates}
    users: dict[str, str] = {}
    for i, certificate in enumerate(t.certificates):
        if certificate.kind is CertificateKind.EKEY and certificate.host is None:
            yield Problem(("certificates", i, "host"), "expected the host that holds the EKey, found none")
        if certificate.valid_to <= certificate.valid_from:
            yield Problem(
                ("certificates", i, "valid_to"),
                f"expected a date after valid_from {certificate.valid_from}, found {certificate.valid_to}",
            )
    for i, gateway in enumerate(t.gateways):
        for j, name in enumerate(gateway.certificates):
            item = by_id.get(name)
            if item and item.gateway_number != gateway.number:
                yield Problem(
                    ("gateways", i, "certificates", j),
                    f"expected a certificate of gateway number {gateway.number}, found {name} of {item.gateway_number}",
                )
        used = by_id.get(gateway.certificate or "")
        if used is None or not gateway.enabled:
            continue
        if used.id in users:
            yield Problem(
                ("gateways", i, "certificate"),
                f"expected a certificate that no other active gateway uses (SSE-2.2c), found {used.id}, "
                f"which {users[used.id]} uses",
            )
        users.setdefault(used.id, gateway.id)
        if used.kind is CertificateKind.EKEY and used.host is not None and used.host != gateway.host:
            yield Problem(
                ("gateways", i, "certificate"),
                f"expected an EKey on host {gateway.host}, found {used.id} on {used.host}",
            )


def _certificates_of_standbys(t: Topology) -> Iterator[Problem]:
    """A cold standby uses certificates that are there when it starts (SSE-5.3), and says which one its file names."""
    by_id = {item.id: item for item in t.certificates}
    for i, gateway in enumerate(t.gateways):
        if gateway.standby_for is None:
            continue
        for j, name in enumerate(gateway.certificates):
            item = by_id.get(name)
            if item and item.host not in (None, gateway.host):
                yield Problem(
                    ("gateways", i, "certificates", j),
                    f"expected a certificate that is on host {gateway.host}, found {item.kind} {name} on {item.host}",
                )
        if gateway.certificates and gateway.certificate is None:
            yield Problem(
                ("gateways", i, "certificates"),
                "expected certificate: the one that the standby's own configuration names, found none",
            )
