"""What single addition to a site would cure a failure, proved by planning it again with the addition. Pure.

Cheapest first, our choice of order: what is only written down (a route, an entry of a server list), what has to be
issued (a certificate), what has to be installed (a cold standby), what has to be ordered (a line).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.model.base import Title
from orchestrator.model.consistency import problems
from orchestrator.planner.additions import Addition, CureKind, additions
from orchestrator.planner.failures import Failure
from orchestrator.planner.situation import Fate
from orchestrator.planner.whatif import WhatIf


@dataclass(frozen=True)
class Cure:
    """One addition. `cured`: gateways that are not lost with it; `left`: those that are lost still."""

    kind: CureKind
    text: Title
    cured: tuple[str, ...]
    left: tuple[str, ...]


def cure_of(what_if: WhatIf, failed: Sequence[Failure], names: Sequence[str]) -> Cure | None:
    """The cheapest addition that saves all gateways lost to these failures, else the one that saves most of them;
    None: no single one saves any, or none is lost.
    """
    found: Cure | None = None
    for addition in additions(what_if, failed, names):
        cure = _tried(what_if, addition, failed, names)
        if cure is None:
            continue
        if not cure.left:
            return cure
        if found is None or len(cure.cured) > len(found.cured):
            found = cure
    return found


def _tried(what_if: WhatIf, addition: Addition, failed: Sequence[Failure], names: Sequence[str]) -> Cure | None:
    """Planned again with it: who is lost then. An addition that the inventory would not take is none."""
    topology = addition.changed()
    if next(problems(topology), None) is not None:
        return None
    fates = WhatIf(topology, what_if.today, what_if.down).fates(failed)
    left = {name for name, fate in fates.items() if fate is Fate.LOST}
    cured = tuple(name for name in names if name not in left)
    if not cured or left - set(names):
        return None
    return Cure(addition.kind, addition.text, cured, tuple(name for name in names if name in left))
