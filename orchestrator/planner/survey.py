"""What is told of a site's failures: singles worst first, pairs that lose more, and what would cure them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, product

from orchestrator.model.topology import GatewayClass
from orchestrator.planner.cures import Cure, cure_of
from orchestrator.planner.failures import SHARED, Failure, inside
from orchestrator.planner.pairs import Pairs
from orchestrator.planner.situation import Fate
from orchestrator.planner.whatif import Answer, WhatIf

_WORST_FIRST = tuple(reversed([fate for fate in Fate if fate is not Fate.UNTOUCHED]))


@dataclass(frozen=True)
class Loss:
    """Failures that lose gateways, and the cheapest single addition that would save them."""

    failed: tuple[Failure, ...]
    lost: tuple[str, ...]
    cure: Cure | None


@dataclass(frozen=True)
class Row:
    """Single failures that come to the same; those of the network stand alone."""

    alike: tuple[Failure, ...]
    answer: Answer


@dataclass(frozen=True)
class Heat:
    """How much of each class failures lose at most together with one more."""

    alike: tuple[Failure, ...]
    lost: tuple[int, ...]


class Survey:
    """Everything is worked out when it is first asked for."""

    def __init__(self, what_if: WhatIf) -> None:
        self.what_if = what_if

    @cached_property
    def singles(self) -> list[Answer]:
        """Every single failure, the worst first."""
        found = [self.what_if.answer([failure]) for failure in self.what_if.failures]
        return sorted(found, key=lambda item: tuple(-item.counts[fate] for fate in _WORST_FIRST))

    @cached_property
    def rows(self) -> list[Row]:
        """The singles that touch anything, what comes to the same in one row."""
        found: dict[object, Row] = {}
        for answer in self.singles:
            failure = answer.failed[0]
            if answer.verdicts:
                key = failure if failure.kind in SHARED else (failure.kind, self._shape(answer))
                known = found.get(key)
                found[key] = Row((*known.alike, failure), known.answer) if known else Row((failure,), answer)
        return list(found.values())

    def _shape(self, answer: Answer) -> tuple[object, ...]:
        """The same for answers that differ in names only."""
        judged = self.what_if.judged
        fates = sorted((judged[name].gateway_class.value, item.fate.value) for name, item in answer.verdicts.items())
        return tuple(fates), tuple(step.verb for step in answer.acts)

    @property
    def harmless(self) -> list[Failure]:
        """Singles that touch no gateway."""
        return [answer.failed[0] for answer in self.singles if not answer.verdicts]

    @cached_property
    def losing(self) -> list[Loss]:
        """Singles that lose gateways."""
        return [self._loss(answer.failed, answer.lost) for answer in self.singles if answer.lost]

    @cached_property
    def pairs(self) -> Pairs:
        return Pairs(self.what_if)

    def worst_pairs(self, most: int) -> list[Loss]:
        """The first of those that lose more than their two parts, each with its cure. A carrier or a router that does
        no more than one line or host of it would do is left out: the smaller pair says it.
        """
        telling = (pair for pair in self.pairs.worse if not self._said_by_smaller(*pair))
        return [self._loss(pair, self._ordered(self.pairs.lost(*pair))) for pair in islice(telling, most)]

    @cached_property
    def _parts(self) -> dict[Failure, list[Failure]]:
        return {failure: inside(self.what_if.topology, failure) for failure in self.what_if.failures}

    def _said_by_smaller(self, one: Failure, other: Failure) -> bool:
        smaller = product((one, *self._parts[one]), (other, *self._parts[other]))
        lost = self.pairs.lost(one, other)
        return any(lost <= self.pairs.lost(*pair) for pair in smaller if pair != (one, other) and pair[0] != pair[1])

    @cached_property
    def classes(self) -> dict[GatewayClass, int]:
        """How many gateways of each class are judged."""
        found = [item.gateway_class for item in self.what_if.judged.values()]
        return {kind: found.count(kind) for kind in GatewayClass if kind in found}

    @cached_property
    def heat(self) -> list[Heat]:
        """Failures that lose something together with one more, the worst first; what comes to the same in one row."""
        found: dict[object, Heat] = {}
        for failure, partners in self.pairs.partners.items():
            lost = self._most(failure, partners)
            key = failure if failure.kind in SHARED else (failure.kind, lost)
            known = found.get(key)
            found[key] = Heat((*known.alike, failure) if known else (failure,), lost)
        order = list(self.what_if.failures)
        return sorted(found.values(), key=lambda item: (-sum(item.lost), order.index(item.alike[0])))

    def _most(self, failure: Failure, partners: Sequence[Failure]) -> tuple[int, ...]:
        judged = self.what_if.judged
        counted = []
        for partner in partners:
            kinds = [judged[name].gateway_class for name in self.pairs.lost(failure, partner)]
            counted.append([kinds.count(kind) for kind in self.classes])
        return tuple(max(column) for column in zip(*counted, strict=True))

    def loss(self, answer: Answer) -> Loss:
        """What an answer loses, with its cure."""
        return self._loss(answer.failed, answer.lost)

    def _loss(self, failed: tuple[Failure, ...], names: Sequence[str]) -> Loss:
        return Loss(failed, tuple(names), cure_of(self.what_if, failed, names))

    def _ordered(self, names: frozenset[str]) -> list[str]:
        return [name for name in self.what_if.judged if name in names]
