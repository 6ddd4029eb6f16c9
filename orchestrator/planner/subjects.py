"""What the rules of a schedule come to on a site: one subject for each value of a rule's parameter. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import product

from orchestrator.errors import DrillctlError
from orchestrator.model.base import Title
from orchestrator.model.drill import Drill, Mode, Parameter, Response
from orchestrator.model.plan import Plan
from orchestrator.model.schedule import Schedule, ScheduleRule
from orchestrator.model.topology import Topology
from orchestrator.planner.build import Request, make_plan, parts_of
from orchestrator.rules.schedule import Subject


@dataclass(frozen=True)
class NoSubject:
    """A value of a rule that cannot be drilled on this site, and why."""

    name: str
    reason: str


def subjects(
    schedule: Schedule, drills: Mapping[str, Drill], topology: Topology, today: date
) -> tuple[list[Subject], list[NoSubject]]:
    """Every subject of every rule, in their order, and what is none: a fault that cannot be planned is not drilled."""
    found: list[Subject] = []
    refused: list[NoSubject] = []
    for rule in schedule.rules:
        own = [_subject(rule, drills[rule.drill], topology, today, value) for value in _values(rule, drills, topology)]
        refused += [item for item in own if isinstance(item, NoSubject)]
        good = [item for item in own if isinstance(item, Subject)]
        found += [replace(item, number=number, of=len(good)) for number, item in enumerate(good)]
    return found, refused


def _values(rule: ScheduleRule, drills: Mapping[str, Drill], topology: Topology) -> list[str | None]:
    if rule.for_each is None:
        return [None]
    return [*values(topology, drills[rule.drill].parameters[rule.for_each])]


def settings(topology: Topology, drill: Drill) -> Iterator[dict[str, str]]:
    """Every combination of what a drill may be set to; how something fails stays at its default."""
    known = {name: values(topology, parameter) for name, parameter in drill.parameters.items()}
    for chosen in product(*known.values()):
        yield dict(zip(known, chosen, strict=True))


def values(topology: Topology, parameter: Parameter) -> list[str]:
    """Everything on this site that may be named by a parameter; how something fails stays at its default."""
    return parts_of(topology, parameter) or [parameter.default]


def _subject(
    rule: ScheduleRule, drill: Drill, topology: Topology, today: date, value: str | None
) -> Subject | NoSubject:
    settings = dict(rule.parameters)
    if rule.for_each and value is not None:
        settings[rule.for_each] = value
    plan = _plan(topology, drill, Request(rule.mode, today, settings))
    if isinstance(plan, str):
        return NoSubject(f"{rule.id}/{value}" if value else rule.id, plan)
    if not plan.affected:
        return NoSubject(f"{rule.id}/{value}" if value else rule.id, "expected a gateway that it touches, found none")
    fault = plan.fault
    named = [*fault.centres, *fault.carriers, *fault.hosts, *fault.fronts, *fault.certificates]
    failed = named or [*fault.lines]
    return Subject(rule, tuple(settings.items()), scenario_key(rule.drill, failed), _fault(topology, failed))


def _plan(topology: Topology, drill: Drill, request: Request) -> Plan | str:
    """As it is held, else with the lists changed; or why there is no plan at all."""
    try:
        return make_plan(topology, "", drill, request)
    except DrillctlError as error:
        reason = str(error)
    try:
        return make_plan(topology, "", drill, replace(request, response=Response.REPOINT))
    except DrillctlError:
        return reason


def scenario_key(drill: str, failed: list[str]) -> str:
    """The same for a plan of today and for a run of years ago; how something failed makes no scenario of its own."""
    return f"{drill}:{','.join(sorted(failed))}"


def _fault(topology: Topology, failed: list[str]) -> Title:
    """What fails, by the names that people know."""
    known = {item.id: item.title for item in topology.centres}
    known |= {item.id: item.title for item in topology.carriers} | {item.id: item.title for item in topology.lines}
    titles = [known.get(name) or Title(zh=name, en=name) for name in failed] or [Title(zh="无", en="none")]
    return Title(zh="、".join(item.zh for item in titles), en=", ".join(item.en for item in titles))


def is_held(mode: Mode, *, simulated: bool) -> Mode | None:
    """As what a run counts: on a twin as a rehearsal, whatever path it took; an incident counts as neither."""
    if simulated or mode is Mode.REHEARSAL:
        return Mode.REHEARSAL
    return Mode.DRILL if mode is Mode.DRILL else None
