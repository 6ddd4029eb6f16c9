"""Which second failure a run in the middle of a switch looks like. Pure.

Every single failure of the site is laid upon what the plan has lost already, and what would then be seen is compared
with what is seen, as `planner/triage.py` does for a first one. It only ever looks like something: nothing is proved.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.errors import DefinitionError
from orchestrator.model.base import Title
from orchestrator.model.topology import Routing, Topology
from orchestrator.planner.failures import Failure, FailureKind, failures, failures_named, lost, title_of
from orchestrator.planner.network import Network, PathKey

_MOST_NAMED = 3  # our choice: more failures that explain the same say nothing
_KINDS = (
    FailureKind.CENTRE,
    FailureKind.CARRIER,
    FailureKind.ROUTER,
    FailureKind.LINE,
    FailureKind.SATELLITE,
    FailureKind.HOST,
    FailureKind.GATEWAY,
)


@dataclass(frozen=True)
class Sight:
    """What is seen. `out`: gateway → the front that it was lost from; `alive`: gateway → the front that it is logged
    in to; `expected` and `found`: the line in use by router and centre, as it was or is planned, and as it is.
    """

    out: Mapping[str, str] = field(default_factory=dict)
    alive: Mapping[str, str] = field(default_factory=dict)
    expected: Mapping[PathKey, str | None] = field(default_factory=dict)
    found: Mapping[PathKey, str | None] = field(default_factory=dict)

    @property
    def changed(self) -> list[PathKey]:
        """Routers that have lost a line towards a centre."""
        return [key for key, line in self.found.items() if key in self.expected and self.expected[key] != line]


@dataclass(frozen=True)
class Suspect:
    """One failure that may be the second one. `contradicted`: gateways that still look as if it were none."""

    failure: Failure
    contradicted: int


def with_failure(network: Network, topology: Topology, failed: Sequence[Failure]) -> Network:
    """The network with these failures laid upon what is dead already."""
    gone = lost(topology, failed)
    return replace(
        network,
        dead_centres=network.dead_centres | frozenset(gone.centres),
        dead_lines=network.dead_lines | frozenset(gone.lines),
        dead_routers=network.dead_routers | frozenset(gone.routers),
    )


def suspects(network: Network, topology: Topology, sight: Sight) -> tuple[Suspect, ...]:
    """The failures that explain most of what is seen, smallest first and equals together; none: nothing explains it.

    A session may be stale for as long as its timeout, so that what still looks alive only decides between equals.
    """
    nothing = _unexplained(network, topology, sight, ())
    ranked: list[tuple[tuple[int, int, int], Suspect]] = []
    for item in failures(topology):
        if item.kind not in _KINDS:
            continue
        left = _unexplained(network, topology, sight, (item,))
        if left < nothing:
            against = sum(_contradictions(network, topology, sight.alive, item))
            ranked.append(((left, against, _size(topology, item)), Suspect(item, against)))
    best = min((rank for rank, _ in ranked), default=None)
    return tuple(item for rank, item in ranked if rank == best)[:_MOST_NAMED]


def _unexplained(network: Network, topology: Topology, sight: Sight, failed: Sequence[Failure]) -> int:
    then = with_failure(network, topology, failed)
    out = sum(not _takes(then, topology, failed, gateway, front) for gateway, front in sight.out.items())
    return out + sum(
        sight.found[router, centre] != then.line_to(router, centre)
        for router, centre in sight.found
        if centre not in then.dead_centres and router not in then.dead_routers
    )


def _takes(then: Network, topology: Topology, failed: Sequence[Failure], gateway: str, front: str) -> bool:
    """Whether a gateway cannot be at a front any more."""
    item = topology.gateway[gateway]
    itself = {Failure(FailureKind.HOST, item.host), Failure(FailureKind.GATEWAY, gateway)} & set(failed)
    return bool(itself) or then.line_of(item, topology.front[front]) is None


def _contradictions(network: Network, topology: Topology, alive: Mapping[str, str], item: Failure) -> Iterator[bool]:
    then = with_failure(network, topology, (item,))
    for gateway, front in alive.items():
        yield _takes(then, topology, (item,), gateway, front) and not _takes(network, topology, (), gateway, front)


def is_over(network: Network, topology: Topology, sight: Sight, suspect: Failure) -> bool:
    """Whether what is seen now speaks against a failure that was suspected: somebody uses what it would have taken."""
    then = with_failure(network, topology, (suspect,))
    used = any(line in then.dead_lines - network.dead_lines for line in sight.found.values())
    return used or any(_contradictions(network, topology, sight.alive, suspect))


def _size(topology: Topology, item: Failure) -> int:
    """Of two that explain the same the smaller one is nearer."""
    gone = lost(topology, (item,))
    behind = sum(host.router == item.name for host in topology.hosts) if item.kind is FailureKind.ROUTER else 0
    return len(gone.centres) + len(gone.lines) + len(gone.routers) + behind + (item.kind is not FailureKind.GATEWAY)


def named(topology: Topology, found: Sequence[Failure]) -> Title:
    """`carrier telecom (sse-tel, tel-futian)`; several that explain the same with "or" between them."""
    if not found:
        return Title(zh="无法归于任何单一故障", en="nothing that a single failure explains")
    return Title(
        zh=" 或 ".join(f"{title_of(topology, item).zh}{_lines(topology, item, zh=True)}" for item in found),
        en=" or ".join(f"{item.kind.value} {item.name}{_lines(topology, item, zh=False)}" for item in found),
    )


def _lines(topology: Topology, item: Failure, *, zh: bool) -> str:
    lines = lost(topology, (item,)).lines
    if item.kind in (FailureKind.LINE, FailureKind.SATELLITE) or not lines:
        return ""
    return f"（{'、'.join(lines)}）" if zh else f" ({', '.join(lines)})"


def failure_of(topology: Topology, text: str) -> Failure | None:
    """`carrier=telecom` as it was noted; None: it is none of this site."""
    try:
        return failures_named(topology, text)[0]
    except DefinitionError:
        return None


def tells(topology: Topology, router: str) -> bool:
    """Whether the routes of a router say something of its lines: a static one does not know that its line is dead."""
    return topology.router[router].routing is Routing.DYNAMIC
