"""The example site with one thing changed.

Built without validation, because some of what the audit looks for is refused by the model already, and
without the cached look-ups of the original.
"""

from typing import Any

from orchestrator.model.base import Frozen
from orchestrator.model.topology import Topology


def with_(topology: Topology, **parts: object) -> Topology:
    """The topology with whole parts replaced."""
    kept = {name: getattr(topology, name) for name in Topology.model_fields}
    return Topology.model_construct(**{**kept, **parts})


def changed(topology: Topology, kind: str, name: str, **fields: Any) -> Topology:
    """The topology with fields of one item changed, e.g. `changed(t, "lines", "tel-futian", bandwidth_mbps=1)`."""
    items: tuple[Frozen, ...] = getattr(topology, kind)
    hits = [item for item in items if getattr(item, "id") == name]  # noqa: B009 - the items share no base with an id
    assert len(hits) == 1, f"{kind} has no {name}"
    return with_(topology, **{kind: tuple(item.model_copy(update=fields) if item in hits else item for item in items)})


def without(topology: Topology, kind: str, *names: str) -> Topology:
    """The topology without these items."""
    items: tuple[Any, ...] = getattr(topology, kind)
    left = tuple(item for item in items if item.id not in names)
    assert len(left) == len(items) - len(names), f"{kind} does not have all of {names}"
    return with_(topology, **{kind: left})
