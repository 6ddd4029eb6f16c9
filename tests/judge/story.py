"""Journals and observations written by hand: what the engine and the sampler would have left.

All times are seconds after T0. The fault lasts from 10 to 30, the run from 0 to 40, and a sample is taken every 0.5 s.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from orchestrator.journal.chain import GENESIS, link
from orchestrator.judge import judge
from orchestrator.model.drill import Mode, Response
from orchestrator.model.event import CheckRecord, CheckResult, Event, EventKind, LogStamp, Outcome, RouteSample, Sample
from orchestrator.model.plan import Action, GatewayChange, Phase, Plan, Step, Verb
from orchestrator.model.topology import Topology
from orchestrator.model.verdict import Verdict
from orchestrator.ports import Observations
from tests.report.record_example import plan_of, site

T0 = 1_800_000_000.0
FAULT, LIFT, END = 10.0, 30.0, 40.0
INTERVAL = 0.5
_WHEN = {
    Phase.BASELINING: ("before", 2.0),
    Phase.VERIFYING: ("during", 20.0),
    Phase.PROVING_RESTORATION: ("after", 38.0),
}
_BEGIN = {phase: float(index) for index, phase in enumerate((Phase.PRECHECKING, Phase.BASELINING))} | {
    Phase.INJECTING: 9.0,
    Phase.SWITCHING: 11.0,
    Phase.VERIFYING: 20.0,
    Phase.HOLDING: 25.0,
    Phase.RESTORING: 29.0,
    Phase.PROVING_RESTORATION: 38.0,
    Phase.CLOSING: 39.0,
}


@cache
def plan(drill: str = "single-centre-failure", mode: Mode = Mode.REHEARSAL, response: Response | None = None) -> Plan:
    """A plan of the example site with the drill's own parameters."""
    return plan_of(drill, mode, response)


def topology() -> Topology:
    return site().topology


def change_of(made: Plan, gateway: str) -> GatewayChange:
    return next(change for change in made.gateways if change.gateway == gateway)


# What the sampler saw -------------------------------------------------------------------------------


def sample(gateway: str, at: float, front: str | None, sequence: int | None = None, **more: Any) -> Sample:
    """One sample: logged in to a front, or (None) running and logged in nowhere."""
    found = topology().front[front].endpoint if front else None
    fields = {"running": True, "session": found, "logged_in": front is not None, "sequence": sequence, **more}
    return Sample(gateway=gateway, host=topology().gateway[gateway].host, at=T0 + at, mono=at, **fields)


def track(gateway: str, *spells: tuple[float, float, str | None], moving: bool = False) -> list[Sample]:
    """Samples of one gateway: for each spell (from, to) the front where it is. `moving`: data comes while logged in."""
    found: list[Sample] = []
    sequence = 0
    for begin, end, front in spells:
        for index in range(round((end - begin) / INTERVAL)):
            sequence += front is not None
            found.append(sample(gateway, begin + index * INTERVAL, front, sequence if moving else None))
    return found


def data(gateway: str, front: str, *spells: tuple[float, float]) -> list[Sample]:
    """Samples of a gateway that is at one front all the time; its sequence moves on within the spells only."""
    found: list[Sample] = []
    sequence = 100
    for index in range(round(END / INTERVAL)):
        at = index * INTERVAL
        sequence += any(begin <= at < end for begin, end in spells)
        found.append(sample(gateway, at, front, sequence))
    return found


def stamp(gateway: str, at: float, event: str) -> LogStamp:
    return LogStamp(gateway=gateway, at=T0 + at, event=event)


def route(router: str, at: float, lines: Mapping[str, str | None]) -> RouteSample:
    return RouteSample(router=router, at=T0 + at, mono=at, lines=dict(lines))


def journey(made: Plan, gateway: str, down_s: float = 2.0) -> list[Sample]:
    """A gateway that goes where the plan wants it, `down_s` after the fault, and home when the fault is lifted."""
    change = change_of(made, gateway)
    away = change.after.front if change.after else None
    home = change.before.front if change.before else None
    if change.action is Action.REROUTED:
        return track(gateway, (0, END, home), moving=True)
    return track(
        gateway,
        (0, FAULT, home),
        (FAULT, FAULT + down_s, None),
        (FAULT + down_s, LIFT, away),
        (LIFT, END, home),
        moving=True,
    )


def observed(
    made: Plan,
    instead: Mapping[str, Sequence[Sample]] | None = None,
    stamps: Iterable[LogStamp] = (),
    routes: Iterable[RouteSample] = (),
) -> Observations:
    """Every affected gateway as planned, except for those given."""
    samples = [
        item for change in made.affected for item in (instead or {}).get(change.gateway, journey(made, change.gateway))
    ]
    return Observations(samples, list(routes), list(stamps))


# What the engine wrote ------------------------------------------------------------------------------


def record(
    phase: Phase, check: str, target: str, result: CheckResult = CheckResult.NORMAL, blind: bool = False
) -> CheckRecord:
    return CheckRecord(
        phase=phase,
        check=check,
        target=target,
        host=target,
        result=result,
        could_not_look=blind,
        expected="this",
        found="that",
        duration_s=0.1,
    )


def state_of(gateway: str) -> dict[str, Any]:
    """A gateway in a snapshot, at home."""
    found = topology().gateway[gateway]
    endpoints = [topology().front[name].endpoint for name in found.servers]
    return {
        "running": True,
        "endpoints": endpoints,
        "config_sha256": f"sha of {gateway}",
        "owner": "ops:ops",
        "mode": "0640",
        "session": endpoints[0],
        "logged_in": True,
    }


def routes_of() -> dict[str, dict[str, str | None]]:
    return {router.id: {centre: lines[0] for centre, lines in router.paths.items()} for router in topology().routers}


Line = tuple[float, EventKind, dict[str, Any], str | None, int | None]  # at, kind, data, step, attempt


def attempt(step: str, number: int, at: float, results: Mapping[str, Outcome] | None, undo: bool = False) -> list[Line]:
    """An intent of a step on these targets, and its end; `results` of None on every target: it was cut off."""
    intent, done = (EventKind.UNDO_INTENT, EventKind.UNDO_DONE) if undo else (EventKind.INTENT, EventKind.DONE)
    verb = next(item.verb for item in plan().steps if item.id == step)
    named = list(results) if results else []
    found: list[Line] = [(at, intent, {"verb": verb, "targets": named}, step, number)]
    if results:
        items = [
            {"target": name, "outcome": outcome, "message": "as told", "data": {}} for name, outcome in results.items()
        ]
        found.append((at + 0.5, done, {"results": items}, step, number))
    return found


def resumed(at: float, silent_since: float, owner: str = "li") -> Line:
    return (at, EventKind.RESUMED, {"owner": owner, "silent_since": T0 + silent_since}, None, None)


def interrupted(
    step: str, number: int, at: float, targets: Sequence[str], by: str, again: Sequence[str] = ()
) -> list[Line]:
    """An attempt that was found open, and what told what had become of it."""
    return [
        (at, EventKind.INTERRUPTED, {"targets": list(targets)}, step, number),
        (at + 0.1, EventKind.SETTLED, {"by": by, "again": list(again), "results": []}, step, number),
    ]


def decided(step: str, choice: str, at: float, target: str | None = None, **more: str) -> Line:
    data = {"topic": "decide", "key": "k", "step": step, "choice": choice, "by": "zhang", "reason": "seen", **more}
    return (at, EventKind.MESSAGE, data | ({"target": target} if target else {}), None, None)


def waiting(step: str, at: float, *targets: str) -> Line:
    call = {"name": {"zh": "张明", "en": "Zhang Ming"}, "phone": "021-5550 0101"}
    data = {
        "step": step,
        "targets": dict.fromkeys(targets, "cannot be told"),
        "call": call,
        "choices": ["done", "repeat"],
    }
    return (at, EventKind.WAITING, data, None, None)


@dataclass
class Story:
    """A run that goes well, but for what is said otherwise."""

    plan: Plan = field(default_factory=plan)
    outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)  # (step, target) → outcome
    returned: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # (step, target) → data
    cut_off: frozenset[str] = frozenset()  # steps whose end is missing
    never_begun: frozenset[str] = frozenset()  # steps
    checks: dict[Phase, list[CheckRecord]] = field(default_factory=dict)
    snapshots: dict[str, dict[str, Any]] = field(default_factory=dict)  # when → what is different in it
    notes: tuple[tuple[str, str], ...] = ()
    after: Mapping[str, Sequence[Line]] = field(default_factory=dict)  # step → what happened after it
    closed: bool = True

    def events(self) -> list[Event]:
        found: list[Event] = []
        for at, kind, content, step, number in self._lines():
            body = {
                "run": "r1",
                "seq": len(found) + 1,
                "at": datetime.fromtimestamp(T0 + at, UTC).isoformat(timespec="microseconds"),
                "kind": kind,
                "step": step,
                "attempt": number,
                "data": content,
                "previous": found[-1].digest if found else GENESIS,
            }
            found.append(Event.model_validate({**body, "digest": link(str(body["previous"]), body)}))
        return found

    def verdict(self, seen: Observations | None = None, chain_valid: bool = True) -> Verdict:
        return judge(self.plan, topology(), self.events(), seen or observed(self.plan), chain_valid)

    def _lines(self) -> Iterator[Line]:
        yield 0.0, EventKind.OPENED, {"owner": "wang"}, None, None
        phase: Phase | None = None
        for step in self.plan.steps:
            if step.id in self.never_begun:
                continue
            if step.phase is not phase:
                phase = step.phase
                yield _BEGIN[phase], EventKind.STATE, {"state": phase.value}, None, None
            yield from self._step(step)
            yield from self.after.get(step.id, ())
        for what, text in self.notes:
            yield 39.0, EventKind.NOTE, {"what": what, "text": text}, None, None
        if self.closed:
            if phase is not Phase.CLOSING:
                yield 39.5, EventKind.STATE, {"state": "closing"}, None, None
            yield 39.6, EventKind.CLOSED, {}, None, None

    def _step(self, step: Step) -> Iterator[Line]:
        undo, at = step.undoes is not None, _BEGIN[step.phase]
        intent, done = (EventKind.UNDO_INTENT, EventKind.UNDO_DONE) if undo else (EventKind.INTENT, EventKind.DONE)
        yield at, intent, {"verb": step.verb, "targets": [item.name for item in step.targets]}, step.id, 1
        if step.id in self.cut_off:
            return
        yield from self._effects(step)
        good = Outcome.UNDONE if undo else Outcome.SUCCEEDED
        results = [
            {
                "target": item.name,
                "outcome": self.outcomes.get((step.id, item.name), good),
                "message": "as told",
                "data": self.returned.get((step.id, item.name), {}),
            }
            for item in step.targets
        ]
        yield at + 0.5, done, {"results": results}, step.id, 1

    def _effects(self, step: Step) -> Iterator[Line]:
        match step.verb:
            case Verb.INJECT:
                yield FAULT, EventKind.FAULT_ON, {"at": T0 + FAULT}, None, None
            case Verb.LIFT:
                yield LIFT, EventKind.FAULT_OFF, {"at": T0 + LIFT}, None, None
            case Verb.SNAPSHOT | Verb.PROVE:
                when, at = _WHEN[step.phase]
                yield at, EventKind.SNAPSHOT, self._snapshot(when), None, None
            case Verb.CHECK:
                records = self.checks.get(step.phase)
                if records is None:
                    records = [record(step.phase, check, step.targets[0].name) for check in step.checks]
                listed = [item.model_dump(mode="json") for item in records]
                yield (
                    _BEGIN[step.phase] + 0.4,
                    EventKind.CHECKS,
                    {"records": listed, "step": step.id, "attempt": 1},
                    None,
                    None,
                )
            case _:
                pass

    def _snapshot(self, when: str) -> dict[str, Any]:
        return {
            "when": when,
            "gateways": {change.gateway: state_of(change.gateway) for change in self.plan.gateways},
            "routers": routes_of(),
            "residue": {},
            "clock_offset_s": {},
            "unreachable": {},
            **self.snapshots.get(when, {}),
        }
