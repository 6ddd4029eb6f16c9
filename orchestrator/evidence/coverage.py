"""What was drilled, and how long ago: scenario × gateway × centre × carrier. Pure.

What there is to drill comes from the planner, on the site as it is today: every drill with every value of its
parameters, and where each gateway would go. What was drilled comes from the ledger.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from orchestrator.errors import DrillctlError
from orchestrator.model.base import Frozen, Title
from orchestrator.model.drill import Drill, Mode, Response
from orchestrator.model.plan import GatewayChange, Plan
from orchestrator.model.topology import Topology
from orchestrator.planner import Request, make_plan
from orchestrator.planner.subjects import settings

# Our choice: a year, as the yearly report to the regulator (JR/T 0099-2012 7.1.8) has it.
STALE_DAYS = 365


class Scenario(Frozen):
    """A drill with what fails in it. `key` is the same for the plan of today and for a run of years ago."""

    key: str
    drill: str
    title: Title
    fault: Title


class Way(Frozen):
    """One gateway in one scenario, at one centre over one carrier's line (None: it keeps no session over a line)."""

    scenario: str
    gateway: str
    centre: str | None
    carrier: str | None


class Trial(Frozen):
    """When a way was gone last, and whether the gateway came back. Dates are in the site's zone."""

    on: date
    run: str
    came_back: bool


class Cell(Frozen):
    """A way with its last drill and its last rehearsal. `expected`: today's plan goes this way."""

    way: Way
    expected: bool
    held: Trial | None = None
    rehearsed: Trial | None = None

    def days(self, on: date) -> int | None:
        """Age of the last drill; None: never drilled."""
        return (on - self.held.on).days if self.held else None


@dataclass(frozen=True)
class Names:
    """What ids are called. What is not known any more is called by its id."""

    site: Title
    centres: Mapping[str, Title]
    carriers: Mapping[str, Title]
    lines: Mapping[str, Title]
    gateways: Mapping[str, Title]
    people: Mapping[str, Title]


@dataclass(frozen=True)
class Register:
    """What there is to drill."""

    names: Names
    scenarios: tuple[Scenario, ...] = ()
    ways: tuple[Way, ...] = ()


def names_of(topology: Topology) -> Names:
    """Names of a site, as its inventory has them."""
    return Names(
        site=topology.site.title,
        centres={item.id: item.title for item in topology.centres},
        carriers={item.id: item.title for item in topology.carriers},
        lines={item.id: item.title for item in topology.lines},
        gateways={item.id: item.title for item in topology.gateways},
        people={item.id: item.name for item in topology.people.people},
    )


def register_of(topology: Topology, digest: str, drills: Sequence[Drill], today: date) -> Register:
    """Everything that could be drilled on this site today. A fault that touches no gateway is nothing to drill."""
    names = names_of(topology)
    scenarios: dict[str, Scenario] = {}
    ways: dict[Way, None] = {}
    for drill in drills:
        for chosen in settings(topology, drill):
            plan = _plan(topology, digest, drill, today, chosen)
            if plan is None:
                continue
            scenario = scenario_of(drill.drill, drill.title, plan.fault.model_dump(mode="json"), names)
            scenarios.setdefault(scenario.key, scenario)
            ways |= dict.fromkeys(_way(topology, scenario.key, change) for change in plan.affected)
    return Register(names, tuple(scenarios.values()), tuple(ways))


def _plan(topology: Topology, digest: str, drill: Drill, today: date, settings: dict[str, str]) -> Plan | None:
    """As the drill is held; where that cannot be planned, with the lists changed. None: no way at all."""
    for response in (None, Response.REPOINT):
        try:
            return make_plan(topology, digest, drill, Request(Mode.DRILL, today, settings, response))
        except DrillctlError:
            continue
    return None


def _way(topology: Topology, scenario: str, change: GatewayChange) -> Way:
    after = change.after
    line = topology.line.get(after.line or "") if after else None
    return Way(
        scenario=scenario,
        gateway=change.gateway,
        centre=after.centre if after else None,
        carrier=line.carrier if line else None,
    )


def scenario_of(drill: str, title: Title, fault: Mapping[str, Any], names: Names) -> Scenario:
    """How it failed (its manner) makes no scenario of its own; lines count where nothing above them failed."""
    whole = [*fault["centres"], *fault["carriers"], *fault["hosts"]]
    failed = whole or list(fault["lines"])
    return Scenario(key=f"{drill}:{','.join(sorted(failed))}", drill=drill, title=title, fault=_fault(fault, names))


def _fault(fault: Mapping[str, Any], names: Names) -> Title:
    """What fails, in words."""
    parts = [_called(names.centres, item, "{}不可用", "{} unavailable") for item in fault["centres"]]
    parts += [_called(names.carriers, item, "{}线路中断", "{} lines lost") for item in fault["carriers"]]
    parts += [_called({}, item, "主机 {} 故障", "host {} fails") for item in fault["hosts"]]
    parts = parts or [_called(names.lines, item, "{}中断", "{} lost") for item in fault["lines"]]
    return Title(zh="、".join(item.zh for item in parts) or "无", en=", ".join(item.en for item in parts) or "none")


def _called(known: Mapping[str, Title], item: str, zh: str, en: str) -> Title:
    title = known.get(item, Title(zh=item, en=item))
    return Title(zh=zh.format(title.zh), en=en.format(title.en))


def cells(register: Register, trials: Sequence[tuple[Way, Trial, bool]]) -> tuple[Cell, ...]:
    """Every way that there is or was, with its last drill and rehearsal; `trials`: way, trial, whether it counts as a
    drill held, oldest first.
    """
    found = {way: Cell(way=way, expected=True) for way in register.ways}
    for way, trial, is_held in trials:
        known = found.get(way, Cell(way=way, expected=False))
        found[way] = known.model_copy(update={"held" if is_held else "rehearsed": trial})
    return tuple(found.values())
