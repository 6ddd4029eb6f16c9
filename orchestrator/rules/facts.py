"""What audit rules judge by: the inventory, the firm's records, the day, and what was read from the platform or hosts.

A rule that misses a part says "not judged", never "satisfied". The day is a fact: no rule looks at a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from orchestrator.model.platform_export import PlatformExport
from orchestrator.model.records import Records
from orchestrator.model.topology import Topology

SOON_DAYS: Final = 60  # our choice: an order, an assessment or a certificate takes weeks


@dataclass(frozen=True)
class LiveGateway:
    """`sessions`: far ends as `address:port`; None: the account may not see them. `version`: None: it does not say.
    `endpoints`: the list in its file; None: not read, and `unread` says why.
    """

    running: bool
    sessions: tuple[str, ...] | None = ()
    version: str | None = None
    endpoints: tuple[str, ...] | None = None
    unread: str = ""


@dataclass(frozen=True)
class LivePort:
    """Where a line's address is. `driver`: as the kernel says; `bridge`: a switched port; empty: it does not say."""

    device: str
    driver: str


@dataclass(frozen=True)
class LiveArchive:
    """When its oldest and its newest file were last written, in seconds since the epoch."""

    oldest_at: float
    newest_at: float


@dataclass(frozen=True)
class LiveHost:
    """A gateway host or CE router. `default_routes`: next hops, or the device, of IPv4 and IPv6; `gateways`: by id."""

    clock_offset_s: float = 0.0  # its clock minus ours, as far as it is certain
    default_routes: tuple[str, ...] = ()
    gateways: Mapping[str, LiveGateway] = field(default_factory=dict)
    forwards: tuple[str, ...] = ()  # "IPv4", "IPv6": what it hands on between networks
    ports: Mapping[str, LivePort] = field(default_factory=dict)  # by address of a line
    archives: Mapping[str, LiveArchive | None] = field(default_factory=dict)  # by folder; None: no file was read there


@dataclass(frozen=True)
class Live:
    """What was read from the hosts themselves. It goes before what is declared."""

    versions: Mapping[str, str] = field(default_factory=dict)  # gateway → version that its software says
    read_at: str = ""  # in the site's time, ISO 8601
    hosts: Mapping[str, LiveHost] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)  # host → why


@dataclass(frozen=True)
class Facts:
    """`today`: in the site's time. `platform`, `live`: None: nobody looked."""

    topology: Topology
    today: date
    records: Records = field(default_factory=Records)
    platform: PlatformExport | None = None
    live: Live | None = None

    def is_stale(self, day: date) -> bool:
        """Longer ago than the firm looks at such statements again."""
        return months_after(day, self.records.review_months) < self.today

    def ends_soon(self, day: date) -> bool:
        """Within the next weeks, and not over yet."""
        return 0 <= (day - self.today).days <= SOON_DAYS


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or that month's last one."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for back in range(4):
        try:
            return date(year, month + 1, day.day - back)
        except ValueError:
            continue
    raise AssertionError(f"no day {day} in month {month + 1} of {year}")
