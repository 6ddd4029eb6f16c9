"""Every two failures together. Pure.

What two failures do to a gateway differs from what each does only where both can matter to its unit. Those pairs are
planned; the others are put together from the two alone, and are not even listed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from orchestrator.planner.failures import Failure
from orchestrator.planner.situation import Fate
from orchestrator.planner.units import Part, Unit, relevant
from orchestrator.planner.whatif import WhatIf

Pair = tuple[Failure, Failure]


@dataclass(frozen=True)
class Together:
    """What two failures lose that neither loses alone, and what one of them loses alone but not with the other."""

    more: frozenset[str]
    fewer: frozenset[str]


class Pairs:
    """All pairs of a site's failures; `known` are those that differ from their two parts."""

    def __init__(self, what_if: WhatIf) -> None:
        self._what_if = what_if
        self.alone: dict[Failure, frozenset[str]] = {item: _lost(what_if, [item]) for item in what_if.failures}
        self.known: Mapping[Pair, Together] = _known(what_if)

    @property
    def count(self) -> int:
        """How many pairs there are."""
        return len(self._what_if.failures) * (len(self._what_if.failures) - 1) // 2

    def lost(self, one: Failure, other: Failure) -> frozenset[str]:
        """Gateways that two failures lose together."""
        both = self.alone[one] | self.alone[other]
        found = self.known.get((one, other)) or self.known.get((other, one))
        return (both | found.more) - found.fewer if found else both

    @cached_property
    def worse(self) -> list[Pair]:
        """Pairs that lose what neither of the two loses alone: those that lose most of it first, then by what fails."""
        found = [(len(item.more), pair) for pair, item in self.known.items() if item.more]
        order = {failure: place for place, failure in enumerate(self._what_if.failures)}
        return [pair for _, pair in sorted(found, key=lambda item: (-item[0], order[item[1][0]], order[item[1][1]]))]

    @cached_property
    def partners(self) -> dict[Failure, list[Failure]]:
        """Those that make a failure lose more than it does alone."""
        found: dict[Failure, list[Failure]] = {}
        for one, other in self.worse:
            found.setdefault(one, []).append(other)
            found.setdefault(other, []).append(one)
        return found


def _lost(what_if: WhatIf, failed: Sequence[Failure]) -> frozenset[str]:
    return frozenset(name for name, fate in what_if.fates(failed).items() if fate is Fate.LOST)


def _known(what_if: WhatIf) -> dict[Pair, Together]:
    place = {failure: number for number, failure in enumerate(what_if.failures)}
    more: dict[Pair, set[str]] = {}
    fewer: dict[Pair, set[str]] = {}
    for number, units in enumerate(what_if.forms):
        shared = relevant(what_if.topology, units[0], what_if.gone)
        form = _Form(what_if, number, units[0])
        for pair, gained, spared in form.differing([*shared, *units[0].parts]):
            for unit in units:
                both = _in(unit, pair)
                key = both if place[both[0]] < place[both[1]] else (both[1], both[0])
                if gained:
                    more.setdefault(key, set()).update(_names(unit, gained))
                if spared:
                    fewer.setdefault(key, set()).update(_names(unit, spared))
    pairs = dict.fromkeys((*more, *fewer))
    return {pair: Together(frozenset(more.get(pair, ())), frozenset(fewer.get(pair, ()))) for pair in pairs}


_Common = Failure | Part  # a failure of the network, or a part by its place, which every unit of a form has


@dataclass(frozen=True, eq=False)
class _Form:
    """One unit that stands for all of its form."""

    what_if: WhatIf
    number: int
    unit: Unit

    def differing(
        self, failures: Sequence[Failure]
    ) -> Iterator[tuple[tuple[_Common, _Common], tuple[int, ...], tuple[int, ...]]]:
        """Pairs that lose other members than their two parts do: the places of those lost more, and of those fewer."""
        alone = {item: self._lost([item]) for item in failures}
        for one, other in combinations(failures, 2):
            apart, both = alone[one] | alone[other], self._lost([one, other])
            if both != apart:
                yield (
                    (self._common(one), self._common(other)),
                    tuple(sorted(both - apart)),
                    tuple(sorted(apart - both)),
                )

    def _lost(self, failed: Sequence[Failure]) -> frozenset[int]:
        own = [item for item in failed if item in self.unit.parts]
        fates = self.what_if.fates_of(self.number, self.unit, own, self.what_if.lost(failed))
        return frozenset(place for place, fate in enumerate(fates) if fate is Fate.LOST)

    def _common(self, failure: Failure) -> _Common:
        return self.unit.parts.get(failure, failure)


def _in(unit: Unit, pair: tuple[_Common, _Common]) -> Pair:
    """The pair by the names that a unit has for its parts."""
    one, other = (item if isinstance(item, Failure) else unit.named[item] for item in pair)
    return one, other


def _names(unit: Unit, places: Sequence[int]) -> list[str]:
    enabled = [item.id for item in unit.members if item.enabled]
    return [enabled[place] for place in places]
