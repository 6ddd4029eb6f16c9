"""Everything of a site that may fail alone, each by a name as `centre=futian`. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orchestrator.errors import DefinitionError
from orchestrator.model.base import Title
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault
from orchestrator.model.topology import Gateway, Line, LineKind, Topology
from orchestrator.planner.network import lines_lost


class FailureKind(StrEnum):
    """What may fail, from what takes most with it to what takes least."""

    CENTRE = "centre"
    CARRIER = "carrier"
    ROOM = "room"
    ROUTER = "router"
    LINE = "line"
    SATELLITE = "satellite"
    HOST = "host"
    GATEWAY = "gateway"
    CERTIFICATE = "certificate"


SHARED = (
    FailureKind.CENTRE,
    FailureKind.CARRIER,
    FailureKind.ROOM,
    FailureKind.ROUTER,
    FailureKind.LINE,
    FailureKind.SATELLITE,
)
"""What many gateways have in common; the other kinds belong to single gateways and to those that stand in for them."""


LINES = (FailureKind.LINE, FailureKind.SATELLITE)


@dataclass(frozen=True, order=True)
class Failure:
    """One thing that fails."""

    kind: FailureKind
    name: str

    @property
    def id(self) -> str:
        return f"{self.kind}={self.name}"


@dataclass(frozen=True)
class Lost:
    """Failures put together, by kind. `lines`: every line that is dead because of them, as in a plan's fault. `hosts`:
    those of rooms that are gone; a host that fails alone belongs to its gateways.
    """

    centres: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    routers: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def fault(self) -> Fault:
        """How it stands in a plan: silent, as a thing that is gone."""
        return Fault(manner=FaultManner.DARK, centres=self.centres, lines=self.lines, hosts=self.hosts)


def failures(topology: Topology, down: Collection[str] = ()) -> tuple[Failure, ...]:
    """Every single failure of a site, in the order of the inventory. `down`: lines that are out of service already."""
    found = (Failure(kind, name) for kind in FailureKind for name in names(topology, kind))
    return tuple(item for item in found if item.kind not in LINES or item.name not in down)


def names(topology: Topology, kind: FailureKind) -> list[str]:
    """What of a kind there is. A certificate that no gateway has is nothing that could fail."""
    used = {name for gateway in topology.gateways for name in gateway.certificates}
    items: dict[FailureKind, Iterable[_Named]] = {
        FailureKind.CENTRE: topology.centres,
        FailureKind.CARRIER: topology.carriers,
        FailureKind.ROOM: topology.rooms,
        FailureKind.ROUTER: topology.routers,
        FailureKind.LINE: (line for line in topology.lines if not _is_satellite(line)),
        FailureKind.SATELLITE: (line for line in topology.lines if _is_satellite(line)),
        FailureKind.HOST: topology.hosts,
        FailureKind.GATEWAY: topology.gateways,
        FailureKind.CERTIFICATE: (item for item in topology.certificates if item.id in used),
    }
    return [item.id for item in items[kind]]


class _Named(Protocol):
    @property
    def id(self) -> str: ...


def _is_satellite(line: Line) -> bool:
    return line.kind is not LineKind.TERRESTRIAL


def failures_named(topology: Topology, text: str) -> tuple[Failure, ...]:
    """`centre=futian,carrier=telecom` as failures; DefinitionError names every part that is none of this site."""
    found, wrong = list[Failure](), list[str]()
    for part in text.split(","):
        try:
            item = _named(topology, part.strip())
        except DefinitionError as error:
            wrong.append(str(error))
            continue
        if item in found:
            wrong.append(f"--fail {text}: expected each failure once, found {item.id} again")
        found.append(item)
    if wrong:
        raise DefinitionError("\n".join(wrong))
    return tuple(found)


def _named(topology: Topology, part: str) -> Failure:
    kinds = [kind.value for kind in FailureKind]
    kind, separator, name = part.partition("=")
    if not separator or kind not in kinds:
        raise DefinitionError(f"--fail {part}: expected KIND=NAME, KIND one of {', '.join(kinds)}, found {part!r}")
    if kind == FailureKind.LINE and name in names(topology, FailureKind.SATELLITE):
        kind = FailureKind.SATELLITE.value
    known = names(topology, FailureKind(kind))
    if name not in known:
        raise DefinitionError(f"--fail {part}: expected a {kind} of this site ({_some(known)}), found {name!r}")
    return Failure(FailureKind(kind), name)


_SHOWN = 20  # our choice: so many names help, a thousand do not


def _some(known: Sequence[str]) -> str:
    more = f", and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return f"{', '.join(known[:_SHOWN]) or 'none'}{more}"


def lost(topology: Topology, failed: Sequence[Failure]) -> Lost:
    """What of the network is gone with these failures."""
    by_kind = {kind: tuple(item.name for item in failed if item.kind is kind) for kind in FailureKind}
    lines = (*by_kind[FailureKind.LINE], *by_kind[FailureKind.SATELLITE])
    rooms = by_kind[FailureKind.ROOM]
    routers = {*by_kind[FailureKind.ROUTER], *(item.id for item in topology.routers if item.room in rooms)}
    return Lost(
        centres=tuple(sorted(by_kind[FailureKind.CENTRE])),
        lines=lines_lost(topology, by_kind[FailureKind.CENTRE], by_kind[FailureKind.CARRIER], lines),
        routers=tuple(sorted(routers)),
        hosts=tuple(item.id for item in topology.hosts if item.room in rooms),
    )


def inside(topology: Topology, failure: Failure) -> list[Failure]:
    """The smaller failures that a carrier, a room or a router takes with it: lines, and hosts behind the router."""
    if failure.kind is FailureKind.ROOM:
        routers = [Failure(FailureKind.ROUTER, item.id) for item in topology.routers if item.room == failure.name]
        hosts = [Failure(FailureKind.HOST, item.id) for item in topology.hosts if item.room == failure.name]
        behind = [item for router in routers for item in inside(topology, router)]
        return list(dict.fromkeys((*routers, *behind, *hosts)))
    what = {FailureKind.CARRIER: "carrier", FailureKind.ROUTER: "router"}.get(failure.kind)
    if what is None:
        return []
    lines = [item for item in topology.lines if getattr(item, what) == failure.name]
    served = [item for item in topology.hosts if failure.kind is FailureKind.ROUTER and item.router == failure.name]
    return [
        *(Failure(FailureKind.SATELLITE if _is_satellite(item) else FailureKind.LINE, item.id) for item in lines),
        *(Failure(FailureKind.HOST, item.id) for item in served),
    ]


def own_parts(gateway: Gateway) -> Iterator[Failure]:
    """The failures that take this gateway itself, wherever the network leads."""
    yield Failure(FailureKind.HOST, gateway.host)
    yield Failure(FailureKind.GATEWAY, gateway.id)
    for name in gateway.certificates:
        yield Failure(FailureKind.CERTIFICATE, name)


def title_of(topology: Topology, failure: Failure) -> Title:
    """What fails, by the name that people know."""
    known: dict[FailureKind, Mapping[str, _Titled]] = {
        FailureKind.CENTRE: topology.centre,
        FailureKind.CARRIER: topology.carrier,
        FailureKind.ROOM: topology.room,
        FailureKind.ROUTER: topology.router,
        FailureKind.LINE: topology.line,
        FailureKind.SATELLITE: topology.line,
    }
    zh, en = _SAID[failure.kind]
    if failure.kind not in known:
        return Title(zh=zh.format(failure.name), en=en.format(failure.name))
    title = known[failure.kind][failure.name].title
    return Title(zh=zh.format(title.zh), en=en.format(title.en))


class _Titled(Protocol):
    @property
    def title(self) -> Title: ...


_SAID = {
    FailureKind.CENTRE: ("{}不可用", "{} lost"),
    FailureKind.CARRIER: ("{}全部线路中断", "every line of {} lost"),
    FailureKind.ROOM: ("{}整体不可用", "{} lost, whole"),
    FailureKind.ROUTER: ("{}故障", "{} fails"),
    FailureKind.LINE: ("{}中断", "{} lost"),
    FailureKind.SATELLITE: ("{}中断", "{} lost"),
    FailureKind.HOST: ("网关主机 {} 故障", "gateway host {} fails"),
    FailureKind.GATEWAY: ("网关 {} 故障", "gateway {} fails"),
    FailureKind.CERTIFICATE: ("数字证书 {} 不可用", "certificate {} cannot be used"),
}
