"""Snapshots → path-diversity proof: what was lost at each time is laid upon what was measured. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from orchestrator.model.paths import PathProof
from orchestrator.model.plan import Plan
from orchestrator.model.topology import Topology
from orchestrator.rules.diversity import Measured, diversity

_WHEN: Final[tuple[Literal["before", "during", "after"], ...]] = ("before", "during", "after")


def path_proofs(plan: Plan, topology: Topology, taken: Mapping[str, Mapping[str, Any]]) -> Iterator[PathProof]:
    """Before, during and after, as far as there is a snapshot that asked for next hops: older ones did not."""
    for when in _WHEN:
        hops = taken.get(when, {}).get("hops")
        if hops:
            yield PathProof(when=when, gateways=diversity(_measured(plan, topology, when, hops)))


def _measured(plan: Plan, topology: Topology, when: str, hops: Mapping[str, Any]) -> Measured:
    out = frozenset(plan.out_of_service)
    if when != "during" or plan.fails_back:
        return Measured(topology, hops, out)
    fault = plan.fault
    return Measured(topology, hops, out | set(fault.lines), frozenset(fault.centres), frozenset(fault.hosts))
