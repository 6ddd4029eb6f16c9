"""Which part of the network a picture shows, and its state at one moment: what is dead and which paths are in use."""

from dataclasses import dataclass

from orchestrator.model.topology import Centre, Line, Room, Topology
from orchestrator.report.context import Context


@dataclass(frozen=True)
class UsedPath:
    """Gateway's CE router → line → front, as measured of one gateway."""

    gateway: str
    router: str
    line: str
    front: str
    centre: str


@dataclass(frozen=True)
class NetworkState:
    dead_centres: frozenset[str]
    dead_lines: frozenset[str]
    dead_hosts: frozenset[str]
    paths: tuple[UsedPath, ...]
    affected: frozenset[str]
    down: frozenset[str]  # affected gateways that are not back where the plan expected them

    def over(self, line: str) -> tuple[UsedPath, ...]:
        """Affected gateways' paths over one line."""
        return tuple(path for path in self.paths if path.line == line)


@dataclass(frozen=True)
class Extent:
    """What is drawn: the part of the topology that has to do with the run."""

    rooms: tuple[Room, ...]
    lines: tuple[Line, ...]
    centres: tuple[Centre, ...]
    whole: bool


def before(context: Context) -> NetworkState:
    """Everything alive, except lines that were out of service already."""
    paths = _paths(
        context, [(item.gateway, item.front_before, item.line_before) for item in context.record.verdict.gateways]
    )
    out = frozenset(context.record.plan.out_of_service)
    return NetworkState(frozenset(), out, frozenset(), paths, _affected(context), frozenset())


def during(context: Context) -> NetworkState:
    """As measured while the fault lasted."""
    plan = context.record.plan
    measured = context.record.verdict.gateways
    return NetworkState(
        dead_centres=frozenset(plan.fault.centres),
        dead_lines=frozenset((*plan.fault.lines, *plan.out_of_service)),
        dead_hosts=frozenset(plan.fault.hosts),
        paths=_paths(context, [(item.gateway, item.front_during, item.line_during) for item in measured]),
        affected=_affected(context),
        down=frozenset(item.gateway for item in measured if not item.came_back and not item.action.stays_down),
    )


def _affected(context: Context) -> frozenset[str]:
    return frozenset(item.gateway for item in context.record.plan.affected)


def _paths(context: Context, seen: list[tuple[str, str | None, str | None]]) -> tuple[UsedPath, ...]:
    """Paths of affected gateways that were measured whole; a half-known path is not drawn."""
    topology, affected = context.topology, _affected(context)
    found = []
    for gateway, front, line in seen:
        known = context.front_known(front) if front else None
        if gateway not in affected or gateway not in topology.gateway or known is None or line not in topology.line:
            continue
        router = topology.host[topology.gateway[gateway].host].router
        found.append(UsedPath(gateway, router, line, known.id, known.centre))
    return tuple(found)


def extent(context: Context) -> Extent:
    """Centres of the operators that the run has to do with, every line that carries one of them, every room."""
    topology, plan = context.topology, context.record.plan
    fronts = [place.front for item in plan.affected for place in (item.before, item.after) if place]
    named = {*plan.fault.centres, *(topology.front[name].centre for name in fronts if name in topology.front)}
    operators = {topology.centre[name].operator for name in named if name in topology.centre}
    centres = tuple(item for item in topology.centres if not operators or item.operator in operators)
    chosen = {item.id for item in centres}
    lines = tuple(item for item in _in_order(topology) if chosen.intersection(item.carries))
    whole = len(centres) == len(topology.centres)
    return Extent(topology.rooms, lines, centres, whole)


def _in_order(topology: Topology) -> list[Line]:
    """By router, then by the centre where a line ends, so that few connections cross."""
    routers = [item.id for item in topology.routers]
    centres = [item.id for item in topology.centres]
    return sorted(topology.lines, key=lambda line: (routers.index(line.router), centres.index(line.into), line.id))
