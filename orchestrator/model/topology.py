"""Everything a drill may touch, read from `inventory/<site>/`. Facts only, no I/O.

Cross-references and the rules of an inventory that can never be right (a certificate on two active
gateways, a satellite line to Beijing) are checked here and raised as `InventoryProblems`, which carry
the field, so that the loader can name file and line. What is legal but unwise is the audit's business.
"""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from orchestrator.errors import Problem
from orchestrator.model.base import Frozen, Id, Seconds, Title
from orchestrator.model.people import People

Port = Annotated[int, Field(ge=1, le=65535)]
GatewayNumber = Annotated[str, Field(pattern=r"^[A-Z]{0,4}[0-9]{3,10}[A-Z]{0,2}$")]


class InventoryProblems(ValueError):
    """Problems of an inventory as a whole; each knows its field."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


class GatewayClass(StrEnum):
    """What a gateway is for; also the service that a front offers."""

    TRADING = "trading"
    MARKET_DATA_TCP = "market-data-tcp"
    MARKET_DATA_MULTICAST = "market-data-multicast"
    SETTLEMENT = "settlement"
    TDGW = "tdgw"
    MDGW = "mdgw"


class Protocol(StrEnum):
    """`gm` is national cryptography (国密): CCNET settlement offers it on a port of its own (SSCC-A.3)."""

    STANDARD = "standard"
    GM = "gm"


class CentreRole(StrEnum):
    PRODUCTION = "production"
    DISASTER_RECOVERY = "disaster-recovery"


class LineKind(StrEnum):
    TERRESTRIAL = "terrestrial"
    SATELLITE_ONE_WAY = "satellite-one-way"
    SATELLITE_TWO_WAY = "satellite-two-way"


class Routing(StrEnum):
    """How a CE router picks its line: `dynamic` by BFD in the order given, `static` only when told to."""

    STATIC = "static"
    DYNAMIC = "dynamic"


class ListFormat(StrEnum):
    """How a vendor's configuration file holds the ordered server list."""

    INI = "ini"
    XML = "xml"
    JSON = "json"
    PROPERTIES = "properties"
    DELIMITED = "delimited"


class ServiceManager(StrEnum):
    SYSTEMD = "systemd"
    COMMAND = "command"


class Source(Frozen):
    """Where a fact comes from and how old it is."""

    document: str
    dated: date | None = None
    note: str = ""


class Site(Frozen):
    """The deployment as a whole."""

    name: Id
    title: Title
    timezone: str = "Asia/Shanghai"
    management_network: Annotated[
        IPv4Network,
        Field(description="Only hosts and routers inside are ever touched (allow-list)"),
    ]
    max_gateways_per_wave: Annotated[int, Field(ge=1)] = 20  # our choice: blast radius (design §5.5)
    sample_interval_ms: Annotated[int, Field(ge=100)] = 500  # our choice: twin; a real site starts at 1000
    switch_deadline_s: Seconds = 60  # our choice: one gateway's move, release time included
    session_timeout_s: Annotated[
        Seconds | None,
        Field(
            description="Silence after which a front forgets a half-open session, unless the front says; "
            "unknown: no assist"
        ),
    ] = None

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"expected an IANA time zone such as Asia/Shanghai, found {value!r}") from error
        return value


class Centre(Frozen):
    """An exchange-side data centre (中心)."""

    id: Id
    title: Title
    operator: Id
    role: CentreRole
    network: IPv4Network
    parity: Annotated[
        str | None,
        Field(pattern="^(even|odd)$", description="Gateway numbers of this parity list the centre first"),
    ] = None


class Front(Frozen):
    """A communication server (通信服务器) of an exchange: one listed endpoint, or one multicast source."""

    id: Id
    centre: Id
    service: GatewayClass
    protocol: Protocol = Protocol.STANDARD
    address: IPv4Address
    port: Port
    group: Annotated[
        IPv4Address | None, Field(description="Multicast group; set exactly for market-data-multicast")
    ] = None
    satellite: Annotated[bool, Field(description="Multicast delivered by the one-way satellite")] = False
    session_timeout_s: Annotated[
        Seconds | None,
        Field(description="Overrides the site's session_timeout_s"),
    ] = None
    source: Source | None = None

    @property
    def endpoint(self) -> str:
        """`address:port` as it stands in a server list (multicast: the group's address)."""
        return f"{self.group or self.address}:{self.port}"


class Carrier(Frozen):
    id: Id
    title: Title


class Room(Frozen):
    """A machine room of the firm (机房)."""

    id: Id
    title: Title
    network: IPv4Network


class Link(Frozen):
    """A link of the firm between the CE routers of two rooms: the first two addresses, in the order of `routers`."""

    id: Id
    routers: tuple[Id, Id]
    network: IPv4Network

    def address_of(self, router: str) -> IPv4Address:
        """The address that one of the two routers has on the link."""
        return self.network[1 + self.routers.index(router)]


class Router(Frozen):
    """A CE router of the firm. `paths` orders, per centre, the lines it uses; a line may hang on a
    router it has a link to.
    """

    id: Id
    room: Id
    title: Title
    management_address: IPv4Address
    site_address: IPv4Address
    routing: Routing
    driver: Annotated[str, Field(description="Which driver the network_path role uses")] = "linux"
    bfd_interval_ms: Annotated[int, Field(ge=50)] = 200
    bfd_multiplier: Annotated[int, Field(ge=2)] = 5
    paths: dict[Id, tuple[Id, ...]]


class Line(Frozen):
    """A line (线路) of a carrier, or a satellite link, from a CE router towards one or more centres."""

    id: Id
    title: Title
    carrier: Id
    kind: LineKind = LineKind.TERRESTRIAL
    router: Id
    into: Annotated[Id, Field(description="The centre where the line ends (SSCC-3.1)")]
    carries: Annotated[tuple[Id, ...], Field(min_length=1, description="Centres reachable over it")]
    network: IPv4Network
    local_address: IPv4Address
    remote_address: IPv4Address
    bandwidth_mbps: Annotated[float, Field(gt=0)]
    routed_port: Annotated[bool, Field(description="SSCC-3.2b: layer 3 port")] = True
    value_added_network: Annotated[bool, Field(description="SSCC-A.2.1")] = False
    multicast: bool = False
    survives_loss_of: Annotated[
        tuple[Id, ...] | None,
        Field(description="Centres whose loss the line outlives; null: not judged"),
    ] = None


class Host(Frozen):
    """A gateway host. Its name is its name in hosts.yml."""

    id: Id
    room: Id
    router: Id
    management_address: IPv4Address
    site_address: IPv4Address


class CertificateKind(StrEnum):
    EKEY = "ekey"
    FILE = "file"


class Certificate(Frozen):
    """A digital certificate of one gateway. An EKey is a physical token on one host (SSE-2.2b)."""

    id: Id
    kind: CertificateKind
    gateway_number: GatewayNumber
    host: Annotated[Id | None, Field(description="Host that holds it; required for an EKey")] = None
    channel: str = "default"
    valid_from: date
    valid_to: date
    tested_on: Annotated[date | None, Field(description="SSE-4.5: used only after its test passed")] = None


class ConfigFile(Frozen):
    """Where and how the vendor's file holds the ordered server list. Data of the site: sample, unverified.

    ini: `section` + `key` (one value, joined by `separator`) or a numbered key holding `{n}`.
    properties: the same without section. xml: `element` is the path of the element whose children
    `item` carry `attributes` address and port. json: `pointer` to a list of "address:port" strings, or of
    objects with `attributes`. delimited: the lines between `begin` and `end`, `entry` is their form.
    """

    path: Annotated[str, Field(pattern=r"^/", description="May hold {number} and {id}")]
    format: ListFormat
    encoding: str = "utf-8"
    section: str | None = None
    key: str | None = None
    separator: str = ","
    element: str | None = None
    item: str | None = None
    pointer: str | None = None
    attributes: tuple[str, str] = ("address", "port")
    begin: str | None = None
    end: str | None = None
    entry: Annotated[str, Field(description="Form of one entry")] = "{address}:{port}"

    @model_validator(mode="after")
    def _has_what_its_format_needs(self) -> Self:
        needed = {
            ListFormat.INI: ("section", "key"),
            ListFormat.PROPERTIES: ("key",),
            ListFormat.XML: ("element", "item"),
            ListFormat.JSON: ("pointer",),
            ListFormat.DELIMITED: ("begin", "end"),
        }[self.format]
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"format {self.format} needs {', '.join(missing)}")
        return self


class Service(Frozen):
    """How the site starts and stops a gateway. `{number}` and `{id}` are filled in."""

    manager: ServiceManager
    unit: str | None = None
    start: tuple[str, ...] | None = None
    stop: tuple[str, ...] | None = None
    process: Annotated[str, Field(description="Found in the process's command line")]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.manager is ServiceManager.SYSTEMD and not self.unit:
            raise ValueError("manager systemd needs unit")
        if self.manager is ServiceManager.COMMAND and not (self.start and self.stop):
            raise ValueError("manager command needs start and stop")
        return self


class StatusFile(Frozen):
    """What the gateway says of itself, in a file of `key=value` lines. Data of the site."""

    path: Annotated[str, Field(pattern=r"^/")]
    logged_in_key: str = "logged_in"
    logged_in_value: str = "yes"
    sequence_key: str | None = None


class LogFile(Frozen):
    """How the gateway's own log stamps a session's life. Data of the site: sample, unverified.

    `line` is the form of a log line: literal text with {time}, {text} and {*} (anything). The events are
    forms of {text}; they may hold {endpoint} (address:port of the front) and {*}. `time_format` is
    strptime's, in the host's local time.
    """

    path: Annotated[str, Field(pattern=r"^/")]
    line: str = "{time} {text}"
    time_format: str = "%Y-%m-%d %H:%M:%S.%f"
    connected: str
    logged_in: str
    lost: str
    logged_out: str
    refused: str


class Profile(Frozen):
    """A kind of gateway software as installed at this site: file, service, status and log."""

    title: Title
    verified: Annotated[bool, Field(description="false: sample, unverified against the vendor's manual")] = False
    config: ConfigFile
    service: Service
    status: StatusFile
    log: LogFile
    heartbeat_s: Seconds = 5
    connect_timeout_s: Seconds | None = 3
    order_port: Annotated[Port | None, Field(description="Where the order system connects: never probed")] = None


class Role(StrEnum):
    PRIMARY = "primary"
    STANDBY = "standby"


class Gateway(Frozen):
    """One gateway: a number, a host, an ordered list of fronts, certificates."""

    id: Id
    title: Title
    number: GatewayNumber
    gateway_class: Annotated[GatewayClass, Field(alias="class")]
    profile: Id
    host: Id
    role: Role
    pair: Annotated[Id | None, Field(description="The other member of the pair")] = None
    enabled: Annotated[bool, Field(description="false: a cold standby, must not run")] = True
    protocol: Protocol = Protocol.STANDARD
    servers: Annotated[tuple[Id, ...], Field(min_length=1, description="Ordered list of fronts")]
    certificates: tuple[Id, ...] = ()
    certificate: Annotated[Id | None, Field(description="The one in use")] = None

    @property
    def is_even(self) -> bool:
        """Parity of the last digit; a trailing letter is skipped (SSCC notice 2020-07-08)."""
        return int(self.number.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")[-1]) % 2 == 0

    @property
    def receives_only(self) -> bool:
        """Multicast is joined, never logged in to."""
        return self.gateway_class is GatewayClass.MARKET_DATA_MULTICAST


class Topology(Frozen):
    """Everything a drill may touch, read from `inventory/<site>/` and its endpoint catalogues."""

    site: Site
    centres: tuple[Centre, ...]
    fronts: tuple[Front, ...]
    carriers: tuple[Carrier, ...]
    rooms: tuple[Room, ...]
    routers: tuple[Router, ...]
    links: tuple[Link, ...] = ()
    lines: tuple[Line, ...]
    hosts: tuple[Host, ...]
    certificates: tuple[Certificate, ...] = ()
    profiles: dict[Id, Profile]
    gateways: Annotated[tuple[Gateway, ...], Field(min_length=1)]
    people: People = People()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        found = list(problems(self))
        if found:
            raise InventoryProblems(found)
        return self

    @cached_property
    def centre(self) -> dict[str, Centre]:
        return {item.id: item for item in self.centres}

    @cached_property
    def front(self) -> dict[str, Front]:
        return {item.id: item for item in self.fronts}

    @cached_property
    def carrier(self) -> dict[str, Carrier]:
        return {item.id: item for item in self.carriers}

    @cached_property
    def room(self) -> dict[str, Room]:
        return {item.id: item for item in self.rooms}

    @cached_property
    def router(self) -> dict[str, Router]:
        return {item.id: item for item in self.routers}

    @cached_property
    def line(self) -> dict[str, Line]:
        return {item.id: item for item in self.lines}

    @cached_property
    def host(self) -> dict[str, Host]:
        return {item.id: item for item in self.hosts}

    @cached_property
    def gateway(self) -> dict[str, Gateway]:
        return {item.id: item for item in self.gateways}

    @cached_property
    def front_at(self) -> dict[str, Front]:
        """Front by its `address:port`, the way a server list and a session name it."""
        return {item.endpoint: item for item in self.fronts}

    def release_s(self, front: Front) -> float | None:
        """Seconds of silence after which this front forgets a half-open session; None: unknown."""
        return front.session_timeout_s or self.site.session_timeout_s

    def link_between(self, one: str, other: str) -> Link | None:
        """The firm's own link between two CE routers, if there is one."""
        return next((link for link in self.links if set(link.routers) == {one, other}), None)

    def config_path(self, gateway: Gateway) -> str:
        """Path on the gateway's host of the file that holds its server list."""
        return fill(self.profiles[gateway.profile].config.path, gateway)


def fill(text: str, gateway: Gateway) -> str:
    """Put the gateway's number and id into a profile's text."""
    return text.replace("{number}", gateway.number).replace("{id}", gateway.id)


def problems(topology: Topology) -> Iterator[Problem]:
    """Everything that makes an inventory wrong as a whole, each with its field."""
    yield from _unique_ids(topology)
    yield from _references(topology)
    yield from _addresses(topology)
    yield from _lines(topology)
    yield from _fronts(topology)
    yield from _gateways(topology)
    yield from _certificates(topology)


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
    numbers: dict[str, Gateway] = {}
    for i, gateway in enumerate(t.gateways):
        other = numbers.get(gateway.number)
        if other is not None and gateway.enabled and other.enabled:
            yield Problem(
                ("gateways", i, "number"),
                f"expected a gateway number of its own (SSCC-2.5), found {gateway.number}, which active "
                f"gateway {other.id} has too",
            )
        if other is None or gateway.enabled:
            numbers[gateway.number] = gateway
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
