"""Everything a drill may touch, read from `inventory/<site>/`. Facts only, no I/O.

What the parts of an inventory must be to each other is checked by `consistency`, whenever a Topology is made.
"""

import re
from datetime import date
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, field_validator, model_validator

from orchestrator.model.base import Frozen, Id, Seconds, Title, is_empty
from orchestrator.model.disaster import DisasterSettings
from orchestrator.model.people import People

Port = Annotated[int, Field(ge=1, le=65535)]
GatewayNumber = Annotated[str, Field(pattern=r"^[A-Z]{0,4}[0-9]{3,10}[A-Z]{0,2}$")]


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
    reportable_outage_s: Annotated[
        Seconds, Field(description="Outage in trading hours from which an incident is to be reported (须报告)")
    ] = 300  # rule on incident reporting of 2012: trading wholly or partly down for 5 minutes or more
    outage_warning_share: Annotated[
        float, Field(gt=0, le=1, description="Of reportable_outage_s: from there on a run warns")
    ] = 0.6  # our choice: at five minutes two of them are left
    flapping_switches: Annotated[
        int, Field(ge=1, description="Runs that have switched a gateway: from so many on it counts as flapping")
    ] = 2  # our choice
    flapping_minutes: Annotated[float, Field(gt=0, description="The time that they are counted over")] = (
        60  # our choice
    )
    disaster: Annotated[DisasterSettings, Field(description="How D+N is read")] = DisasterSettings()

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
    last_resort: dict[Id, tuple[Id, ...]] = Field(
        default={},
        exclude_if=is_empty,
        description="Per centre, its two-way satellite lines: for trading, once every terrestrial line is lost",
    )


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
    scriptable: Annotated[
        bool, Field(description="false (Windows, a console): never connected to; `hands` does what has to be done")
    ] = True
    hands: Annotated[Id | None, Field(description="The operator of people.yml; required if not scriptable")] = None

    @model_validator(mode="after")
    def _somebody_works_on_it(self) -> Self:
        if self.scriptable is (self.hands is not None):
            wanted = "no hands, because it is scriptable" if self.scriptable else "hands, because it is not scriptable"
            raise ValueError(f"expected {wanted}, found {self.hands or 'none'}")
        return self


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


class CertificateSpot(Frozen):
    """Where and how the vendor's file names the certificate in use; the format is that of the file. Data of the site.

    ini: `section` + `key`. properties: `key`. xml: `element` is the path of one element, `attribute` on it. json:
    `pointer` to a text. delimited: the one line that begins with `prefix`. What is written there is `ekey` or `file`,
    by the kind of the certificate, with `{certificate}` filled in by its id.
    """

    section: str | None = None
    key: str | None = None
    element: str | None = None
    attribute: str | None = None
    pointer: str | None = None
    prefix: str | None = None
    ekey: Annotated[str, Field(description="What names an EKey; holds {certificate}")] = "{certificate}"
    file: Annotated[str, Field(description="What names a file certificate; holds {certificate}")] = "{certificate}"

    @model_validator(mode="after")
    def _tells_certificates_apart(self) -> Self:
        for name in ("ekey", "file"):
            if "{certificate}" not in getattr(self, name):
                raise ValueError(f"expected {{certificate}} in {name}, found {getattr(self, name)!r}")
        return self


_NAMED_BY = {
    ListFormat.INI: ("section", "key"),
    ListFormat.PROPERTIES: ("key",),
    ListFormat.XML: ("element", "attribute"),
    ListFormat.JSON: ("pointer",),
    ListFormat.DELIMITED: ("prefix",),
}


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
    certificate: Annotated[
        CertificateSpot | None, Field(description="How the file names the certificate in use; unknown: never changed")
    ] = None

    @model_validator(mode="after")
    def _names_its_certificate_as_its_format_does(self) -> Self:
        if self.certificate:
            missing = [name for name in _NAMED_BY[self.format] if getattr(self.certificate, name) is None]
            if missing:
                raise ValueError(f"certificate: format {self.format} needs {', '.join(missing)}")
        return self

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
    disable: Annotated[
        tuple[str, ...] | None,
        Field(description="Keeps watchdog and boot from starting it while it is fenced, beside its file moved aside"),
    ] = None
    enable: Annotated[tuple[str, ...] | None, Field(description="Undoes disable")] = None
    process: Annotated[str, Field(description="Found in the process's command line")]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.manager is ServiceManager.SYSTEMD and not self.unit:
            raise ValueError("manager systemd needs unit")
        if self.manager is ServiceManager.COMMAND and not (self.start and self.stop):
            raise ValueError("manager command needs start and stop")
        if bool(self.disable) != bool(self.enable):
            raise ValueError("expected disable and enable together, found one of them")
        return self


class StatusFile(Frozen):
    """What the gateway says of itself, in a file of `key=value` lines. Data of the site."""

    path: Annotated[str, Field(pattern=r"^/")]
    logged_in_key: str = "logged_in"
    logged_in_value: str = "yes"
    certificate_key: Annotated[
        str | None, Field(description="Says with which certificate it logs in, as its configuration file names it")
    ] = None
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


def _a_pattern(value: str) -> str:
    """Wildcards stand below a folder that is fixed: a host is never searched as a whole."""
    folder = re.split(r"[*?\[]", value)[0].rpartition("/")[0]
    if not re.match(r"/[^/]", folder) or ".." in value.split("/") or "**" in value:
        raise ValueError(
            f"expected an absolute path below a folder without wildcards, as /opt/gw/{{id}}/log/*.log, found {value!r}"
        )
    return value


HostFiles = Annotated[str, AfterValidator(_a_pattern)]


class Support(Frozen):
    """What helps to find a fault of this software (SSCC-2.7), beside its configuration, status and log.

    Paths may hold {number}, {id} and the wildcards *, ? and [ ]. Data of the site: sample, unverified.
    """

    logs: tuple[HostFiles, ...] = ()
    data: tuple[HostFiles, ...] = ()
    version: Annotated[
        tuple[str, ...] | None,
        Field(min_length=1, description="Says the installed version and does nothing else; run without a shell"),
    ] = None


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
    support: Support = Support()

    @model_validator(mode="after")
    def _asking_the_version_starts_nothing(self) -> Self:
        """A start may spend one of an EKey's six attempts at its PIN (SSE-5.2)."""
        service, asked = self.service, self.support.version
        others = [service.start, service.stop, service.disable, service.enable]
        if asked is not None and (asked in others or {"start", "stop", "restart"} & set(asked)):
            raise ValueError(
                f"support.version: expected a command that only says the version, found {' '.join(asked)}, which "
                "starts or stops something"
            )
        return self


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
    standby_for: Annotated[
        Id | None, Field(description="The gateway whose number a cold standby shares and goes on with")
    ] = None
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
        from orchestrator.model.consistency import require  # noqa: PLC0415 - it is written in terms of these models

        require(self)
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
    def scriptable_hosts(self) -> tuple[Host, ...]:
        """The hosts that are ever connected to: whatever lists hosts to reach takes them from here."""
        return tuple(host for host in self.hosts if host.scriptable)

    @cached_property
    def scriptable_gateways(self) -> tuple[Gateway, ...]:
        """The gateways that are looked at and moved by this program; people do the others."""
        return tuple(item for item in self.gateways if self.hands_of(item.host) is None)

    def hands_of(self, host: str) -> str | None:
        """Who works on a host that is not scriptable; None: it is."""
        found = self.host.get(host)
        return found.hands if found else None

    def as_simulated(self) -> "Topology":
        """As the twin has it, where every host is scriptable."""
        if len(self.scriptable_hosts) == len(self.hosts):
            return self
        hosts = tuple(host.model_copy(update={"scriptable": True, "hands": None}) for host in self.hosts)
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | {"hosts": hosts})

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

    def longest_release_s(self, gateway: Gateway) -> float | None:
        """Seconds after which the number is certainly free once the gateway is silent; None: unknown.

        The longest of any front that it could be logged in to, listed now or not: after a move the session stands
        at a front outside the everyday list.
        """
        kind = (gateway.gateway_class, gateway.protocol)
        times = [self.release_s(front) for front in self.fronts if (front.service, front.protocol) == kind]
        known = [time for time in times if time is not None]
        return max(known) if known and len(known) == len(times) else None

    def cold_standbys(self, gateway: str) -> list[Gateway]:
        """Gateways that share this one's number and start only when it is proved to be out."""
        return [item for item in self.gateways if item.standby_for == gateway]

    def link_between(self, one: str, other: str) -> Link | None:
        """The firm's own link between two CE routers, if there is one."""
        return next((link for link in self.links if set(link.routers) == {one, other}), None)

    def config_path(self, gateway: Gateway) -> str:
        """Path on the gateway's host of the file that holds its server list."""
        return fill(self.profiles[gateway.profile].config.path, gateway)


def certificate_text(profile: Profile, certificate: Certificate) -> str | None:
    """What names the certificate in the vendor's file; None: nobody has said how."""
    spot = profile.config.certificate
    if spot is None:
        return None
    form = spot.ekey if certificate.kind is CertificateKind.EKEY else spot.file
    return form.replace("{certificate}", certificate.id)


def fill(text: str, gateway: Gateway) -> str:
    """Put the gateway's number and id into a profile's text."""
    return text.replace("{number}", gateway.number).replace("{id}", gateway.id)
