"""Which failures are tried, and what the planner's what-if predicts of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault
from orchestrator.model.topology import Gateway, Topology
from orchestrator.planner.failures import Failure, FailureKind, lost
from orchestrator.planner.situation import Fate, Verdict
from orchestrator.planner.subjects import settings
from orchestrator.planner.whatif import WhatIf
from tests.support.sites import ROOT

# Drill → its parameter that names what fails. What fails together with others is not a single failure.
DRILLS = {
    "single-centre-failure": "centre",
    "single-carrier-failure": "carrier",
    "single-line-failure": "line",
    "gateway-host-failure": "host",
    "certificate-failover": "certificate",
}
INJECTED = (
    FailureKind.CENTRE,
    FailureKind.CARRIER,
    FailureKind.ROOM,
    FailureKind.ROUTER,
    FailureKind.LINE,
    FailureKind.SATELLITE,
    FailureKind.HOST,
    FailureKind.GATEWAY,
)


@dataclass(frozen=True)
class Case:
    """One failure, made by a drill that also switches (`rehearse`), or only made, with nothing switched (`inject`)."""

    how: Literal["rehearse", "inject"]
    failure: Failure
    drill: str = ""

    @property
    def name(self) -> str:
        return f"{self.how} {self.drill + ' ' if self.drill else ''}{self.failure.id}"


@dataclass(frozen=True)
class Predicted:
    """What becomes of one gateway. `front`, `line`: where it is afterwards; None: it is not logged in anywhere.

    `by`: the gateway that goes on with its number. `moved`: its session has to be a new one, else it may be.
    """

    gateway: str
    number: str
    fate: Fate
    front: str | None
    line: str | None
    by: str


def cases(topology: Topology) -> Iterator[Case]:
    """Every single failure that a drill can rehearse, then every one that can be made on a twin without a drill."""
    for drill, parameter in DRILLS.items():
        if (ROOT / "drills" / f"{drill}.yml").exists():
            named = (chosen[parameter] for chosen in settings(topology, load_drill(ROOT / "drills", drill)))
            for name in dict.fromkeys(named):
                yield Case("rehearse", _failure(topology, parameter, name), drill)
    for failure in WhatIf(topology, date.min).failures:
        if failure.kind in INJECTED and (failure.kind is not FailureKind.GATEWAY or _runs(topology, failure.name)):
            yield Case("inject", failure)


def _failure(topology: Topology, parameter: str, name: str) -> Failure:
    kind = FailureKind(parameter)
    satellites = {item.id for item in topology.lines if item.kind != "terrestrial"}
    return Failure(FailureKind.SATELLITE if kind is FailureKind.LINE and name in satellites else kind, name)


def _runs(topology: Topology, name: str) -> bool:
    gateway = topology.gateway[name]
    return gateway.enabled and gateway.standby_for is None


def fault_of(topology: Topology, failure: Failure) -> Fault:
    """What the twin is told to break. A router takes its lines with it, and cuts the hosts behind it off."""
    gone = lost(topology, [failure])
    behind = [item.id for item in topology.lines if item.router in gone.routers]
    cut = [item.id for item in topology.hosts if item.router in gone.routers]
    own = [failure.name] if failure.kind is FailureKind.HOST else []
    return Fault(
        manner=FaultManner.DARK,
        centres=gone.centres,
        lines=tuple(dict.fromkeys((*gone.lines, *behind))),
        hosts=tuple(dict.fromkeys((*gone.hosts, *cut, *own))),
    )


def predictions(topology: Topology, failure: Failure, today: date, *, switched: bool) -> list[Predicted]:
    """Of every gateway that works on a normal day. Not `switched`: what needs a switch stays down."""
    what_if = WhatIf(topology, today)
    normal = what_if.answer([])
    verdicts = what_if.answer([failure]).verdicts
    assert not normal.verdicts, "nothing fails, and something is touched"
    return [_predicted(topology, item, verdicts.get(name), switched) for name, item in what_if.judged.items()]


def _predicted(topology: Topology, gateway: Gateway, verdict: Verdict | None, switched: bool) -> Predicted:
    if verdict is None:
        return Predicted(gateway.id, gateway.number, Fate.UNTOUCHED, None, None, gateway.id)
    goes_on = verdict.fate is Fate.ITSELF or (verdict.fate is Fate.SWITCH and switched)
    last = verdict.changes[-1] if verdict.changes else None
    stays = last is None or last.after is None or topology.gateway[last.gateway].number != gateway.number
    if not goes_on or stays:
        return Predicted(gateway.id, gateway.number, verdict.fate, None, None, gateway.id)
    assert last is not None
    assert last.after is not None
    return Predicted(gateway.id, gateway.number, verdict.fate, last.after.front, last.after.line, last.gateway)
