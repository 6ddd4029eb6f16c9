"""The path-diversity proof of SSCC-3.1: by which ways each gateway reaches its production centres, as measured."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from orchestrator.model.base import Frozen, Id


class PathState(StrEnum):
    """What the ways of a gateway come to. Two that share a router, link, line or carrier are one path."""

    DIVERSE = "diverse"
    ONE = "one"
    NONE = "none"
    NOT_JUDGED = "not_judged"


class WayState(StrEnum):
    """`dead`: the way leads to a line or centre that is lost; it is measured, and does not count."""

    USABLE = "usable"
    DEAD = "dead"
    NO_ROUTE = "no_route"
    UNKNOWN = "unknown"


class Hop(Frozen):
    """Next hop and egress interface of one device. `via` None: on the device itself."""

    at: Annotated[Id, Field(description="The gateway's host, or a CE router")]
    via: str | None
    device: str | None


class Way(Frozen):
    """From a gateway's host to one centre. `line` and `carrier` None: it was not followed to a line; `why` says so."""

    centre: Id
    state: WayState
    hops: tuple[Hop, ...] = ()
    links: tuple[Id, ...] = ()
    line: Id | None = None
    carrier: Id | None = None
    why: str = ""

    @property
    def routers(self) -> tuple[str, ...]:
        """The CE routers that it leads over; the first hop is the gateway's host."""
        return tuple(hop.at for hop in self.hops[1:])

    @property
    def components(self) -> frozenset[tuple[str, str]]:
        """Everything that takes this way with it when it fails."""
        named = [("router", name) for name in self.routers] + [("link", name) for name in self.links]
        ends = [("line", self.line), ("carrier", self.carrier)]
        return frozenset([*named, *((kind, name) for kind, name in ends if name)])


class Shared(Frozen):
    """A component that several ways have in common."""

    kind: Literal["router", "link", "line", "carrier"]
    name: Id


class Diversity(Frozen):
    """Some ways together. `paths`: how many of them share nothing with each other."""

    state: PathState
    paths: int
    shared: tuple[Shared, ...] = ()
    why: str = ""


class GatewayPaths(Frozen):
    """One gateway at one time, alone and together with the hot standby that goes on for it (`pair`)."""

    gateway: Id
    ways: tuple[Way, ...]
    own: Diversity
    pair: Id | None = None
    with_pair: Diversity | None = None


class PathProof(Frozen):
    """Every gateway that lists a production centre, at one time of a run."""

    when: Literal["before", "during", "after"]
    gateways: tuple[GatewayPaths, ...]
