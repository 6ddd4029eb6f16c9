"""What if: every failure of a site, alone and together, answered by the planner alone. Pure; no host is touched.

Gateways are judged by units (`units`), each form of unit once for each state of the network.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import Action, PathChange, Phase, Policy, Step, Target, Verb
from orchestrator.model.topology import Gateway, Topology
from orchestrator.planner.build import numbered
from orchestrator.planner.failures import SHARED, Failure, Lost, failures, lost
from orchestrator.planner.situation import Fate, Situation, Verdict, healthy, judge, situation
from orchestrator.planner.step import step_of
from orchestrator.planner.steps import switching
from orchestrator.planner.units import Part, Unit, units_of, with_gateways
from orchestrator.planner.waves import in_waves

_ACTS = (Verb.PATH, Verb.REPOINT, Verb.FENCE, Verb.TAKE_OVER, Verb.CONFIRM)


@dataclass(frozen=True)
class Answer:
    """What becomes of a site. `verdicts`: every gateway that is touched, in the order of the inventory. `steps`: what
    has to be done for those that go on after a switch only.
    """

    failed: tuple[Failure, ...]
    of: int
    verdicts: Mapping[str, Verdict]
    paths: tuple[PathChange, ...]
    steps: tuple[Step, ...]

    def having(self, fate: Fate) -> list[str]:
        """Gateways of one fate; those that nothing touches are not named."""
        return [name for name, verdict in self.verdicts.items() if verdict.fate is fate]

    @cached_property
    def counts(self) -> dict[Fate, int]:
        """How many gateways of each fate, the untouched too."""
        found = {fate: len(self.having(fate)) for fate in Fate}
        return found | {Fate.UNTOUCHED: self.of - len(self.verdicts)}

    @property
    def acts(self) -> list[Step]:
        """The steps that change something; waiting is none."""
        return [step for step in self.steps if step.verb in _ACTS]

    @property
    def lost(self) -> list[str]:
        return self.having(Fate.LOST)


class WhatIf:
    """A site, its failures, and what they come to; remembers what it has worked out."""

    def __init__(self, topology: Topology, today: date, down: tuple[str, ...] = ()) -> None:
        """`down`: lines that are out of service already; what fails, fails on top of that."""
        self.topology = topology
        self.today = today
        self.down = down
        self.failures = failures(topology, down)
        self.gone: dict[Failure, Lost] = {item: lost(topology, [item]) for item in self.failures if item.kind in SHARED}
        self.forms: list[list[Unit]] = _alike(units_of(topology, today))
        self._few = with_gateways(topology, [item for form in self.forms for item in form[0].members])
        self._normal = healthy(topology, down)
        self._situations: dict[Lost, Situation] = {}
        self._fates: dict[tuple[int, frozenset[Part], Lost], tuple[Fate, ...]] = {}
        self._having: dict[Failure, list[tuple[int, Unit]]] = {}
        for number, unit in self._numbered():
            for failure in unit.parts:
                self._having.setdefault(failure, []).append((number, unit))

    @cached_property
    def judged(self) -> dict[str, Gateway]:
        """Gateways that work on a normal day."""
        working = {name for form in self.forms for unit in form for name in judge(self._situation(Lost()), unit, ())}
        return {gateway.id: gateway for gateway in self.topology.gateways if gateway.id in working}

    @cached_property
    def idle(self) -> list[str]:
        """Enabled gateways that have no path even on a normal day: no failure takes anything from them."""
        return [item.id for item in self.topology.gateways if item.enabled and item.id not in self.judged]

    def answer(self, failed: Sequence[Failure]) -> Answer:
        """Everything about some failures together."""
        now = self._situation(self.lost(failed))
        found: dict[str, Verdict] = {}
        for number, unit in self._touched(failed):
            own = [item for item in failed if item in unit.parts]
            if any(fate is not Fate.UNTOUCHED for fate in self.fates_of(number, unit, own, now.lost)):
                found |= judge(now, unit, own)
        verdicts = {name: found[name] for name in self.judged if found.get(name, _FINE).fate is not Fate.UNTOUCHED}
        paths = _used(self.topology, now, verdicts.values())
        return Answer(tuple(failed), len(self.judged), verdicts, paths, tuple(_steps(self.topology, verdicts, paths)))

    def fates(self, failed: Sequence[Failure]) -> dict[str, Fate]:
        """The fate of every gateway that is touched; no more than that, and fast."""
        gone, found = self.lost(failed), dict[str, Fate]()
        for number, unit in self._touched(failed):
            own = [item for item in failed if item in unit.parts]
            fates = self.fates_of(number, unit, own, gone)
            if fates.count(Fate.UNTOUCHED) < len(fates):
                found |= {
                    name: fate for name, fate in zip(_enabled(unit), fates, strict=True) if fate is not Fate.UNTOUCHED
                }
        return found

    def fates_of(self, form: int, unit: Unit, own: Sequence[Failure], gone: Lost) -> tuple[Fate, ...]:
        """Of the enabled members of one unit. `own`: failures of its parts. Units of one form share the answer."""
        key = (form, frozenset(unit.parts[item] for item in own), gone)
        if key not in self._fates:
            found = judge(self._situation(gone), unit, own)
            self._fates[key] = tuple(found[name].fate if name in found else Fate.UNTOUCHED for name in _enabled(unit))
        return self._fates[key]

    def lost(self, failed: Sequence[Failure]) -> Lost:
        """What of the network is gone."""
        known = [self.gone[item] for item in failed if item in self.gone]
        if len(known) == 1:
            return known[0]
        return lost(self.topology, [item for item in failed if item in self.gone]) if known else Lost()

    def units_with(self, names: Sequence[str]) -> list[Unit]:
        """The units of some gateways, each once, in the order of their forms."""
        wanted = set(names)
        return [unit for _, unit in self._numbered() if wanted & {item.id for item in unit.members}]

    def having(self, failure: Failure) -> list[tuple[int, Unit]]:
        """The units that have a host, gateway or certificate, each with the number of its form."""
        return self._having.get(failure, [])

    def _situation(self, gone: Lost) -> Situation:
        if gone not in self._situations:
            self._situations[gone] = situation(self._few_or_all(gone), self._normal, gone, self.today, self.down)
        return self._situations[gone]

    def _few_or_all(self, gone: Lost) -> Topology:
        """One unit of each form asks for every path that any asks for; the hosts of all are still to be found."""
        return self._whole_network if gone != Lost() else self.topology

    @cached_property
    def _whole_network(self) -> Topology:
        fields = {name: getattr(self.topology, name) for name in type(self.topology).model_fields}
        return Topology.model_construct(**{**fields, "gateways": self._few.gateways})

    def _touched(self, failed: Sequence[Failure]) -> Iterator[tuple[int, Unit]]:
        """Units that these failures may matter to."""
        if any(item in self.gone for item in failed):
            yield from self._numbered()
            return
        seen: set[int] = set()
        for failure in failed:
            for number, unit in self.having(failure):
                if id(unit) not in seen:
                    seen.add(id(unit))
                    yield number, unit

    def _numbered(self) -> Iterator[tuple[int, Unit]]:
        for number, units in enumerate(self.forms):
            for unit in units:
                yield number, unit


_FINE = Verdict(Fate.UNTOUCHED)


def _enabled(unit: Unit) -> list[str]:
    return [item.id for item in unit.members if item.enabled]


def _alike(units: Sequence[Unit]) -> list[list[Unit]]:
    found: dict[object, list[Unit]] = {}
    for unit in units:
        found.setdefault(unit.form, []).append(unit)
    return list(found.values())


def _used(topology: Topology, now: Situation, verdicts: Iterable[Verdict]) -> tuple[PathChange, ...]:
    """The static routes that have to be moved for those that go on after a switch. A router's way may lead over
    another's, which then has to be moved, too.
    """
    wanted: set[tuple[str, str]] = set()
    for verdict in verdicts:
        for change in verdict.changes if verdict.fate is Fate.SWITCH else ():
            if change.after is not None and change.after.line is not None:
                centre, line = change.after.centre, topology.line[change.after.line]
                wanted |= {(topology.host[change.host].router, centre), (line.router, centre)}
    return tuple(item for item in now.paths if (item.router, item.centre) in wanted)


def _steps(topology: Topology, verdicts: Mapping[str, Verdict], paths: Sequence[PathChange]) -> Iterator[Step]:
    """As a switchover has them; a certificate is changed by hand, behind the paths."""
    after = [verdict for verdict in verdicts.values() if verdict.fate is Fate.SWITCH]
    if not after:
        return
    changes = numbered(topology, tuple(change for verdict in after for change in verdict.changes))
    repointed = in_waves(topology, (change for change in changes if change.action is Action.REPOINT))
    certificates = list(_certificates(topology, verdicts))
    for step in switching(topology, Mode.INCIDENT, Response.REPOINT, changes, repointed, paths):
        if step.verb is not Verb.PATH:
            yield from certificates
            certificates = []
        yield step


def _certificates(topology: Topology, verdicts: Mapping[str, Verdict]) -> Iterator[Step]:
    given = {item.changes[-1].gateway: item for item in verdicts.values() if item.certificate}
    for number, wave in enumerate(in_waves(topology, (item.changes[-1] for item in given.values())), 1):
        targets = [
            Target(kind="gateway", name=item.gateway, arguments={"certificate": given[item.gateway].certificate})
            for item in wave
        ]
        yield step_of(
            f"certificate-{number}",
            Phase.SWITCHING,
            Verb.CONFIRM,
            f"第 {number} 批次人工更换数字证书",
            f"certificate wave {number}, by hand",
            topology.site.switch_deadline_s,
            targets,
            Policy.ASK,
            wave=number,
        )
