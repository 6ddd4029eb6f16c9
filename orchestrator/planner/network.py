"""Which line carries a router's traffic to a centre, given what is dead. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from orchestrator.model.plan import Fault
from orchestrator.model.topology import Front, Gateway, GatewayClass, LineKind, Routing, Topology

PathKey = tuple[str, str]  # (router id, centre id)


@dataclass(frozen=True)
class Network:
    """The firm's network under a fault. `moved` holds static paths that were told to use another line, `host_routes`
    single addresses that were.
    """

    topology: Topology
    dead_centres: frozenset[str] = frozenset()
    dead_lines: frozenset[str] = frozenset()
    moved: Mapping[PathKey, str] = field(default_factory=dict)
    dead_routers: frozenset[str] = frozenset()
    dead_fronts: frozenset[str] = frozenset()
    host_routes: Mapping[tuple[str, str], str] = field(default_factory=dict)  # (router id, address) → line

    def line_to(self, router: str, centre: str, _seen: frozenset[str] = frozenset()) -> str | None:
        """The line in use from a CE router to a centre, or None where nothing gets through.

        A path over a linked router holds only if that router itself uses the line in question, because it
        forwards by its own table.
        """
        if centre in self.dead_centres or router in self.dead_routers or router in _seen:
            return None
        seen = _seen | {router}
        order = self.topology.router[router].paths.get(centre, ())
        if self.topology.router[router].routing is Routing.STATIC:
            order = (self.moved.get((router, centre), order[0]),) if order else ()
        return next((line for line in order if self._usable(router, centre, line, seen)), None)

    def candidates(self, router: str, centre: str) -> list[str]:
        """Lines that a router could use to a centre now, in its own order."""
        if centre in self.dead_centres or router in self.dead_routers:
            return []
        order = self.topology.router[router].paths.get(centre, ())
        return [line for line in order if self._usable(router, centre, line, frozenset({router}))]

    def _usable(self, router: str, centre: str, line: str, seen: frozenset[str]) -> bool:
        if line in self.dead_lines:
            return False
        owner = self.topology.line[line].router
        return owner == router or self.line_to(owner, centre, seen) == line

    def line_of(self, gateway: Gateway, front: Front) -> str | None:
        """The line over which this gateway reaches (or hears) this front; None: it does not."""
        if front.id in self.dead_fronts:
            return None
        router = self.topology.host[gateway.host].router
        if front.service is GatewayClass.MARKET_DATA_MULTICAST:
            return self._multicast_line(router, front)
        single = self.host_routes.get((router, str(front.address)))
        if single is not None:  # its owner is the router itself
            gone = single in self.dead_lines or front.centre in self.dead_centres or router in self.dead_routers
            return None if gone else single
        return self.line_to(router, front.centre)

    def _multicast_line(self, router: str, front: Front) -> str | None:
        """Multicast is routed statically over one designated line per router; it does not fail over."""
        line = designated_line(self.topology, router, front)
        if line is None or line in self.dead_lines or front.centre in self.dead_centres:
            return None
        return None if {router, self.topology.line[line].router} & self.dead_routers else line


def designated_line(topology: Topology, router: str, front: Front) -> str | None:
    """The line that brings a multicast front's group to a router's room, fault or no fault."""
    if front.satellite:
        return next(
            (
                line.id
                for line in topology.lines
                if line.kind is LineKind.SATELLITE_ONE_WAY and line.router == router and front.centre in line.carries
            ),
            None,
        )
    order = topology.router[router].paths.get(front.centre, ())
    return next(
        (line for line in order if topology.line[line].multicast and topology.line[line].kind is LineKind.TERRESTRIAL),
        None,
    )


def under(topology: Topology, fault: Fault, out_of_service: Collection[str], routers: Collection[str] = ()) -> Network:
    """The network while the fault lasts. `routers`: those that fail with it."""
    dead_lines = frozenset(fault.lines) | frozenset(out_of_service)
    return Network(
        topology,
        frozenset(fault.centres),
        dead_lines,
        dead_routers=frozenset(routers),
        dead_fronts=frozenset(fault.fronts),
    )


def lines_lost(
    topology: Topology, centres: Collection[str], carriers: Collection[str], lines: Collection[str]
) -> tuple[str, ...]:
    """Every line that is dead because of a fault.

    A line ends in one centre; whether it outlives that centre is declared. Not declared means "not judged",
    and a plan does not rely on it (SSCC-A.2.1).
    """
    return tuple(
        line.id
        for line in topology.lines
        if line.id in lines
        or line.carrier in carriers
        or (line.into in centres and line.into not in (line.survives_loss_of or ()))
    )
