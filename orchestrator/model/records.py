"""What a firm keeps on record for the audit (登记资料): versions, licences, assessments, tests, accounts, waivers.

`records.yml` of a site. It drives no plan, so it is no part of the inventory's digest: a new assessment voids no
approval. What the topology says already is not said here again. Dates ending in `_on` and `since` are of the past.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.errors import Problem
from orchestrator.model.base import AtLeastOne, Frozen, Id, Title, is_empty
from orchestrator.model.consistency import InventoryProblems
from orchestrator.model.topology import GatewayClass

RECORDS = "records.yml"
Words = Annotated[str, Field(min_length=1)]
Months = Annotated[int, Field(ge=1, le=120)]


class ApprovedVersion(Frozen):
    """A version that may be used for a class of gateways (SSCC-2.1), as SSCC announced it."""

    gateway_class: Annotated[GatewayClass, Field(alias="class")]
    version: Words
    valid_from: date
    valid_to: Annotated[date | None, Field(description="Last day of use; None: no end is announced")] = None
    source: Words

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.valid_to and self.valid_to < self.valid_from:
            raise ValueError(f"expected valid_to from {self.valid_from} on, found {self.valid_to}")
        return self


class InstalledVersion(Frozen):
    """What is installed for a gateway (SSCC-2.1), as declared."""

    gateway: Id
    version: Words
    installed_on: date


class Software(Frozen):
    approved: tuple[ApprovedVersion, ...] = ()
    installed: tuple[InstalledVersion, ...] = ()


class Installation(Frozen):
    """Gateways held against their notes and manual (SSCC-2.2): 可用性、完整性、安全性."""

    gateways: Annotated[tuple[Id, ...], AtLeastOne]
    document: Words
    edition: Words
    checked_on: date
    by: Words
    deviations: Annotated[tuple[Title, ...], Field(description="Where they differ; empty: nowhere")] = ()


class Publisher(StrEnum):
    """Who publishes data interface specifications (SSCC-2.6)."""

    NEEQ = "neeq"  # 全国股转公司
    BSE = "bse"  # 北交所
    CHINA_CLEAR = "china-clear"  # 中国结算


class Specification(Frozen):
    """A data interface specification: the version in use, and the latest that is published (SSCC-2.6)."""

    id: Id
    publisher: Publisher
    title: Title
    in_use: Words
    latest: Words
    latest_from: Annotated[date, Field(description="Day from which the latest version is in force")]
    looked_up_on: date


class PortKind(StrEnum):
    ROUTED = "routed"  # layer 3
    SWITCHED = "switched"  # layer 2


class LineRecord(Frozen):
    """What was looked at on a line: its port towards SSCC (SSCC-3.2b), and its peak use of the last year."""

    line: Id
    port: PortKind
    port_checked_on: date
    peak_mbps: Annotated[float | None, Field(ge=0)] = None
    peak_since: Annotated[date | None, Field(description="First day that the peak is of")] = None

    @model_validator(mode="after")
    def _peak_has_its_time(self) -> Self:
        if (self.peak_mbps is None) != (self.peak_since is None):
            raise ValueError("expected peak_mbps and peak_since together, found one of them")
        return self


class AccessPlan(Frozen):
    """SSCC's standard access plan (用户标准接入方案) that the network follows (SSCC-3.2). The plan is not public."""

    edition: Words
    checked_on: date
    by: Words
    deviations: tuple[Title, ...] = ()


class Hosting(Frozen):
    """Whether the firm's systems stand in SSCC's data centre, and by which lines they reach the hosting network."""

    hosted: bool
    lines: tuple[Id, ...] = ()

    @model_validator(mode="after")
    def _lines_of_who_is_hosted(self) -> Self:
        if self.lines and not self.hosted:
            raise ValueError("expected no lines where hosted is false, found some")
        return self


class RadioLicence(Frozen):
    """Licence of a radio station (无线电台执照, SSCC-3.4)."""

    line: Id
    number: Words
    valid_to: date
    filed_on: Annotated[date | None, Field(description="Filed with the radio authority; None: not yet")] = None


class AnnouncedTest(Frozen):
    """A test or construction work that SSCC announced (SSCC-3.5)."""

    id: Id
    title: Title
    day: date
    took_part: bool | None = None
    reason: Annotated[str | None, Field(min_length=1, description="Why the firm did not take part")] = None
    source: Words


class Isolation(Frozen):
    """How the NEEQ/BSE network is kept apart (SSCC-4.1)."""

    separated_by: Annotated[Title | None, Field(description="Means of separation; None: there is none")]
    joins_public_network: bool
    stated_on: date
    by: Words


class LogArchive(Frozen):
    """Where the logs of devices and terminals are backed up, since when and for how long (SSCC-4.2)."""

    id: Id
    devices: Annotated[tuple[Id, ...], AtLeastOne, Field(description="Hosts and routers of topology.yml")]
    where: Words
    since: date
    kept_months: Months
    host: Annotated[
        Id | None, Field(exclude_if=is_empty, description="A host or router of topology.yml that reads it for --live")
    ] = None
    folder: Annotated[
        Words | None, Field(exclude_if=is_empty, description="Where the archive is on that host, an absolute path")
    ] = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.host is None) is not (self.folder is None):
            found = "host alone" if self.host else "folder alone"
            raise ValueError(f"expected host and folder together, found {found}")
        if self.folder is not None and not self.folder.startswith("/"):
            raise ValueError(f"expected folder to begin with /, found {self.folder}")
        return self


class Assessment(Frozen):
    """A classified-protection assessment (等保测评) and what it covered (SSCC-4.3)."""

    id: Id
    title: Title
    level: Annotated[int, Field(ge=1, le=5)]
    devices: Annotated[tuple[Id, ...], AtLeastOne, Field(description="Hosts and routers of topology.yml")]
    assessed_on: date
    every_months: Months
    by: Words


class CertificateTest(Frozen):
    """The firm's record of a certificate's test (SSE-4.5). The last one of a certificate counts."""

    certificate: Id
    tested_on: date
    passed: bool
    by: Words


class PlatformRole(StrEnum):
    """Roles on the market technology platform (SSE-1)."""

    ADMIN = "admin"  # 机构管理员
    GATEWAY_OPERATOR = "gateway-operator"  # 网关操作岗
    OTHER = "other"


class PlatformAccount(Frozen):
    """A person's account on the platform: no password and no code, ever."""

    person: Id
    roles: Annotated[tuple[PlatformRole, ...], AtLeastOne]
    vpn: Annotated[bool, Field(description="Has a VPN account of their own")]
    phone_checked_on: Annotated[date | None, Field(description="When the number for the SMS code was last right")] = (
        None
    )


class Columns(Frozen):
    """What the columns of the platform's export are called. The real ones are not public: our choice, correct them."""

    number: Words = "网关号"
    kind: Words = "网关类型"
    certificate: Words = "证书编号"
    state: Words = "证书状态"
    valid_to: Words = "证书有效期至"


class Export(Frozen):
    """The platform's query of gateways and certificates (SSE-2.2d), as CSV or XLSX beside this file.

    `kinds` and the states: what stands in the cells. The certificate is known by our id of it, or as `certificates`
    translates.
    """

    file: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\.(csv|xlsx)$")] = None
    exported_on: date | None = None
    columns: Columns = Columns()
    kinds: Annotated[dict[str, GatewayClass], Field(description="Cell → class of gateway")] = {
        "TDGW": GatewayClass.TDGW,
        "MDGW": GatewayClass.MDGW,
        "交易网关": GatewayClass.TDGW,
        "行情网关": GatewayClass.MDGW,
    }
    valid_states: tuple[Words, ...] = ("有效", "正常")
    revoked_states: tuple[Words, ...] = ("已注销", "注销", "已撤销")
    certificates: Annotated[dict[str, Id], Field(description="The platform's number of a certificate → our id")] = {}

    @model_validator(mode="after")
    def _file_has_its_day(self) -> Self:
        if (self.file is None) != (self.exported_on is None):
            raise ValueError("expected file and exported_on together, found one of them")
        return self


class Platform(Frozen):
    """The market technology platform (市场技术服务平台)."""

    accounts: tuple[PlatformAccount, ...] = ()
    export: Export = Export()


class Waiver(Frozen):
    """A violation that the firm knows and bears until a day. It is shown as waived, never as satisfied."""

    rule: Id
    where: Annotated[str, Field(min_length=1, description="As `drillctl audit` shows it")]
    reason: Words
    by: Words
    until: Annotated[date, Field(description="Last day; then it counts no more")]


class Records(Frozen):
    """`records.yml` of a site. What is left out is not judged."""

    software: Software = Software()
    installations: tuple[Installation, ...] = ()
    specifications: tuple[Specification, ...] = ()
    lines: tuple[LineRecord, ...] = ()
    access_plan: AccessPlan | None = None
    hosting: Hosting | None = None
    radio_licences: tuple[RadioLicence, ...] = ()
    announced_tests: tuple[AnnouncedTest, ...] = ()
    isolation: Isolation | None = None
    log_archives: tuple[LogArchive, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    certificate_tests: tuple[CertificateTest, ...] = ()
    platform: Platform | None = None
    review_months: Annotated[Months, Field(description="After so long a statement is to be looked at again")] = (
        12  # our choice: neither source gives a number
    )
    waivers: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        """An entry is found by its id, or by the thing it is about."""
        problems = [
            Problem((*kind.split("."), index), f"expected each once, found {name} again")
            for kind, names in self._names()
            for index, name in enumerate(names)
            if name in names[:index]
        ]
        if problems:
            raise InventoryProblems(problems)
        return self

    def _names(self) -> list[tuple[str, list[str]]]:
        return [
            ("software.installed", [item.gateway for item in self.software.installed]),
            ("specifications", [item.id for item in self.specifications]),
            ("lines", [item.line for item in self.lines]),
            ("radio_licences", [item.line for item in self.radio_licences]),
            ("announced_tests", [item.id for item in self.announced_tests]),
            ("log_archives", [item.id for item in self.log_archives]),
            ("assessments", [item.id for item in self.assessments]),
            ("platform.accounts", [item.person for item in self.platform.accounts] if self.platform else []),
            ("waivers", [f"{item.rule} at {item.where}" for item in self.waivers]),
        ]
