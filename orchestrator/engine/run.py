"""The interpreter of a plan's frozen step list.

INTENT is committed before each effect and DONE after it. Whatever happens between injection and closing,
the restoring steps run: those whose change never began are left out. An abort takes the same way.
"""

import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from orchestrator.engine import expect
from orchestrator.errors import DrillctlError, StepUnknown
from orchestrator.measure import GREENS_IN_A_ROW, front_of
from orchestrator.model.drill import Mode
from orchestrator.model.event import CheckRecord, CheckResult, EventKind, Outcome, Sample
from orchestrator.model.plan import Action, GatewayChange, Phase, Plan, Step, Target, Verb
from orchestrator.model.topology import Topology
from orchestrator.ports import Clock, Expectations, Journal, Listener, Measurement, Snapshot, TargetResult, World

_BEFORE_FAULT = (Phase.PRECHECKING, Phase.BASELINING)
_RESTORATION = (Phase.RESTORING, Phase.PROVING_RESTORATION)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _NotStarted(Exception):
    """The baseline is not met: nothing was touched, nothing is undone."""


class _Abort(Exception):
    """Somebody asked for an abort: go to restoration."""


@dataclass(frozen=True)
class Assignment:
    """What an engine is to run: a plan with its run id, epoch and folder."""

    run: str
    epoch: int
    plan: Plan
    topology: Topology
    folder: Path


class Engine:
    """Runs one plan to its end. What it leaves is the journal and the run's folder; the judge reads those."""

    def __init__(
        self, job: Assignment, world: World, journal: Journal, clock: Clock, listeners: Sequence[Listener] = ()
    ) -> None:
        self._run, self._epoch, self._plan, self._topology, self._folder = (
            job.run,
            job.epoch,
            job.plan,
            job.topology,
            job.folder,
        )
        self._world, self._journal, self._clock = world, journal, clock
        self._listeners = listeners
        self._measurement: Measurement | None = None
        self._before = Snapshot({}, {})
        self._begun: set[str] = set()
        self._repointed: set[str] = set()
        self._left_alone: set[str] = set()  # the host found it working: its list is the old one
        self._abort_asked = False
        self._unwritten: DrillctlError | None = None
        self._phase: Phase | None = None

    def run(self) -> None:
        """Run every step. Returns when the run is closed; the verdict is not the engine's business."""
        heard = [number for number in _SIGNALS if number is not signal.SIGHUP or not _is_ignored(number)]
        previous = {number: signal.signal(number, self._ask_abort) for number in heard}
        try:
            self._interpret()
        finally:
            try:
                self._close()
            finally:
                for number, handler in previous.items():
                    signal.signal(number, handler)

    def _interpret(self) -> None:
        try:
            self._forward(_BEFORE_FAULT)
        except _NotStarted as reason:
            self._note("not_started", str(reason))
            return
        except _Abort as reason:
            self._note("aborted", str(reason))
            return
        try:
            self._forward(phase for phase in Phase if phase not in (*_BEFORE_FAULT, *_RESTORATION))
        except _Abort as reason:
            self._note("aborted", str(reason))
        except Exception as error:  # noqa: BLE001 - whatever it is, what was begun is restored, and it is said
            self._note("error", _said(error))
        finally:
            if self._plan.mode is not Mode.INCIDENT:
                self._restore()

    def _forward(self, phases: Any) -> None:
        wanted = set(phases)
        for step in self._plan.steps:
            if step.phase in wanted:
                if self._abort_asked:
                    raise _Abort(f"abort asked for before step {step.id}")
                self._enter(step.phase)
                self._do(step)
        if self._abort_asked:
            raise _Abort("abort asked for")

    def _restore(self) -> None:
        """Every restoring step is tried, whatever became of the one before."""
        for step in self._plan.steps:
            if step.phase in _RESTORATION and (not step.undoes or step.undoes in self._begun):
                self._try(step.id, partial(self._enter, step.phase))
                self._try(step.id, partial(self._do, step))

    def _try(self, what: str, act: Callable[[], None]) -> None:
        """What goes wrong is noted and keeps nothing after it from being tried. A journal that refuses even
        that ends the run at last, with its locks held.
        """
        try:
            act()
        except Exception as error:  # noqa: BLE001 - restoration and closing go on whatever happened
            try:
                self._note("error", f"{what}: {_said(error)}")
            except DrillctlError as refused:
                self._unwritten = refused

    # -- events ---------------------------------------------------------------------------------------

    def _append(
        self, kind: EventKind, data: dict[str, Any], step: str | None = None, attempt: int | None = None
    ) -> None:
        event = self._journal.append(self._run, self._epoch, kind, data, step, attempt)
        for listener in self._listeners:
            with suppress(Exception, SystemExit):  # a terminal or pipe that is gone must not end the run
                listener.event(event)

    def _note(self, what: str, text: str) -> None:
        self._append(EventKind.NOTE, {"what": what, "text": text})

    def _enter(self, phase: Phase) -> None:
        if phase is not self._phase:
            self._phase = phase
            self._append(EventKind.STATE, {"state": phase.value})

    def _ask_abort(self, _number: int, _frame: FrameType | None) -> None:
        """Signals ask once; the running step ends first, restoration follows."""
        self._abort_asked = True

    def _cut_short(self) -> bool:
        """Whether waiting is to end. Restoration is never cut short by the abort that it follows from."""
        return self._abort_asked and self._phase not in _RESTORATION

    # -- steps ----------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        attempt = 1
        undo = step.undoes is not None
        intent, done = (EventKind.UNDO_INTENT, EventKind.UNDO_DONE) if undo else (EventKind.INTENT, EventKind.DONE)
        chosen, skipped = self._choose(step)
        self._append(intent, {"verb": step.verb.value, "targets": [item.name for item in chosen]}, step.id, attempt)
        self._begun.add(step.id)
        try:
            results = [*self._act(step.model_copy(update={"targets": tuple(chosen)}), attempt), *skipped]
        except Exception as error:
            known = isinstance(error, DrillctlError) and not isinstance(error, StepUnknown)
            outcome = Outcome.FAILED if known else Outcome.INDETERMINATE
            results = [TargetResult(item.name, outcome, _said(error)) for item in chosen] + skipped
            self._append(done, _outcomes([_as_undo(item) for item in results] if undo else results), step.id, attempt)
            raise
        if undo:
            results = [_as_undo(item) for item in results]
        self._append(done, _outcomes(results), step.id, attempt)
        self._gate(step, results)

    def _gate(self, step: Step, results: Sequence[TargetResult]) -> None:
        """Before the fault anything that is not right ends the run: nothing has been touched yet."""
        bad = [item for item in results if item.outcome not in (Outcome.SUCCEEDED, Outcome.SKIPPED, Outcome.UNDONE)]
        if bad and step.phase in _BEFORE_FAULT:
            raise _NotStarted(f"{step.id}: " + "; ".join(f"{item.target}: {item.message}" for item in bad))

    def _choose(self, step: Step) -> tuple[list[Target], list[TargetResult]]:
        """Leave out what a conditional step does not need to touch, each with its reason."""
        chosen: list[Target] = []
        skipped: list[TargetResult] = []
        for target in step.targets:
            reason = self._skip_reason(step, target)
            if reason:
                skipped.append(TargetResult(target.name, Outcome.SKIPPED, reason))
            else:
                chosen.append(target)
        return chosen, skipped

    def _skip_reason(self, step: Step, target: Target) -> str | None:
        if target.kind != "gateway":
            return None
        change, sample = self._change(target.name), self._sample(target.name)
        if step.verb is Verb.RESTORE and target.name not in self._repointed:
            return "its list was never changed"
        if target.arguments.get("only_if_down"):
            if expect.is_up(self._plan, self._topology, change, sample):
                return "logged in by its own list"
            if expect.is_connecting(self._plan, self._topology, change, sample):
                return "still connecting by itself"
        home = target.arguments.get("only_if_elsewhere")
        if home and front_of(self._topology, sample) == home:
            return f"already at {home}"
        return None

    def _act(self, step: Step, attempt: int) -> list[TargetResult]:  # noqa: PLR0911 - one return per verb
        match step.verb:
            case Verb.ARM:
                return self._arm(step)
            case Verb.DISARM:
                return self._world.disarm()
            case Verb.SNAPSHOT:
                return self._snapshot(step)
            case Verb.CHECK:
                return self._check(step)
            case Verb.INJECT:
                asked_at = self._clock.now()  # what breaks while it is being made broke because of it
                self._world.inject(self._plan.fault)
                self._append(EventKind.FAULT_ON, {"at": asked_at})
                return _ok(step)
            case Verb.LIFT:
                return self._lift(step)
            case Verb.WAIT:
                return self._wait(step)
            case Verb.HOLD:
                return self._hold(step)
            case Verb.PROVE:
                return self._prove(step)
            case Verb.REPOINT | Verb.RESTORE | Verb.RESTART | Verb.PATH:
                return self._change_targets(step, attempt)

    def _change_targets(self, step: Step, attempt: int) -> list[TargetResult]:
        if step.verb is Verb.REPOINT:  # before the act: a list whose change was cut off is restored too
            self._repointed |= {target.name for target in step.targets}
        results = self._world.act(step, attempt, self._before) if step.targets else []
        if step.verb is Verb.REPOINT:
            self._left_alone |= {item.target for item in results if item.outcome is Outcome.SKIPPED}
        return results

    def _lift(self, step: Step) -> list[TargetResult]:
        asked_at = self._clock.now()  # what comes back while it is being lifted is restoration
        try:
            self._world.lift(self._plan.fault)
        except StepUnknown:  # lifted, but for how long it was on before cannot be told
            self._append(EventKind.FAULT_OFF, {"at": asked_at})
            raise
        self._append(EventKind.FAULT_OFF, {"at": asked_at})
        return _ok(step)

    def _arm(self, step: Step) -> list[TargetResult]:
        results = self._world.arm(self._plan, step.deadline_s)
        self._measurement = self._world.measure(self._folder)
        for listener in self._listeners:
            listener.measuring(self._measurement)
        return results

    def _snapshot(self, step: Step) -> list[TargetResult]:
        self._settle_sampler()
        taken = self._world.snapshot(step.deadline_s)
        when = "before" if self._phase is Phase.BASELINING else "during"
        if when == "before":
            self._before = taken
        self._record(when, taken)
        return _looked(taken)

    def _prove(self, step: Step) -> list[TargetResult]:
        self._settle_sampler()
        taken = self._world.snapshot(step.deadline_s)
        self._record("after", taken)
        return _looked(taken)

    def _record(self, when: str, taken: Snapshot) -> None:
        data = {
            "when": when,
            "gateways": {name: dict(state) for name, state in taken.gateways.items()},
            "routers": {name: dict(lines) for name, lines in taken.routers.items()},
            "residue": {name: list(lines) for name, lines in taken.residue.items()},
            "clock_offset_s": dict(taken.clock_offset_s),
            "unreachable": dict(taken.unreachable),
        }
        self._append(EventKind.SNAPSHOT, data)

    def _check(self, step: Step) -> list[TargetResult]:
        self._settle_sampler()
        records = self._world.check(step.phase.value, step.checks, self._expected(step.phase), step.deadline_s)
        self._append(EventKind.CHECKS, {"records": [record.model_dump(mode="json") for record in records]})
        if step.checks and not records:
            return [TargetResult(target.name, Outcome.INDETERMINATE, "no check ran") for target in step.targets]
        return _judged(records)

    def _settle_sampler(self) -> None:
        """Snapshots, checks and conditions need at least one sample of every enabled gateway and every router."""
        measurement = self._measurement
        if measurement:
            gateways = {change.gateway for change in self._plan.gateways}
            routers = {router.id for router in self._topology.routers if router.driver == "linux"}
            measurement.wait_for(
                lambda: gateways <= set(measurement.latest()) and routers <= set(measurement.latest_routes()), 10
            )

    def _expected(self, phase: Phase) -> Expectations:
        if phase is Phase.VERIFYING:
            changed = frozenset(self._repointed - self._left_alone)
            return expect.switched(self._plan, self._topology, self._before, changed)
        return expect.baseline(self._plan, self._topology, self._before)

    # -- waiting --------------------------------------------------------------------------------------

    def _wait(self, step: Step) -> list[TargetResult]:
        arguments = step.targets[0].arguments
        timeout_s = float(arguments.get("wait_s", step.deadline_s))
        condition = {
            "own_failover": self._all_up,
            "settled": self._all_up,
            "routes_as_before": self._routes_back,
            "as_before": self._all_back,
        }[arguments["until"]]
        met = self._in_a_row(condition, timeout_s)
        if self._cut_short():
            return [TargetResult(target.name, Outcome.SKIPPED, "an abort was asked for") for target in step.targets]
        if met or arguments["until"] == "own_failover":  # what did not come up by itself is then assisted
            return _ok(step)
        lagging = self._lagging(arguments["until"]) or [target.name for target in step.targets]
        return [TargetResult(name, Outcome.FAILED, f"not reached within {timeout_s:g} s") for name in lagging]

    def _in_a_row(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """True as soon as the condition held at GREENS_IN_A_ROW different moments of sampling in a row."""
        if self._measurement is None:
            return False
        seen: list[float] = []

        def held() -> bool:
            if self._cut_short():
                return True
            newest = max((sample.at for sample in self._latest().values()), default=0.0)
            if not condition():
                seen.clear()
            elif not seen or newest - seen[-1] >= self._topology.site.sample_interval_ms / 1000 * 0.9:
                seen.append(newest)
            return len(seen) >= GREENS_IN_A_ROW

        return self._measurement.wait_for(held, timeout_s)

    def _hold(self, step: Step) -> list[TargetResult]:
        """Hold the switched state; the sampler sees what happens meanwhile."""
        if self._measurement:
            self._measurement.wait_for(lambda: self._abort_asked, float(step.targets[0].arguments["hold_s"]))
        return _ok(step)

    def _latest(self) -> dict[str, Sample]:
        return dict(self._measurement.latest()) if self._measurement else {}

    def _sample(self, gateway: str) -> Sample | None:
        return self._latest().get(gateway)

    def _change(self, gateway: str) -> GatewayChange:
        return next(change for change in self._plan.gateways if change.gateway == gateway)

    def _expected_up(self) -> list[GatewayChange]:
        return [change for change in self._plan.gateways if change.action is not Action.NO_BUSINESS]

    def _all_up(self) -> bool:
        latest = self._latest()
        return all(
            expect.is_up(self._plan, self._topology, item, latest.get(item.gateway)) for item in self._expected_up()
        )

    def _all_back(self) -> bool:
        latest = self._latest()
        return all(expect.is_as_before(self._topology, item, latest.get(item.gateway)) for item in self._plan.gateways)

    def _routes_back(self) -> bool:
        return self._measurement is not None and expect.routes_are(
            self._measurement.latest_routes(), self._before.routers
        )

    def _lagging(self, until: str) -> list[str]:
        """Who keeps a condition from being met, for the message."""
        latest = self._latest()
        if until == "routes_as_before":
            return sorted(self._before.routers)
        if until == "as_before":
            return [
                c.gateway
                for c in self._plan.gateways
                if not expect.is_as_before(self._topology, c, latest.get(c.gateway))
            ]
        return [
            c.gateway
            for c in self._expected_up()
            if not expect.is_up(self._plan, self._topology, c, latest.get(c.gateway))
        ]

    # -- the end --------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Stop measuring, close connections, release the locks. Every part is tried."""
        for part in (partial(self._enter, Phase.CLOSING), self._stop_measuring, self._world.close):
            self._try("closing", part)
        if self._unwritten:
            raise self._unwritten
        self._append(EventKind.STATE, {"state": "closed"})
        self._append(EventKind.CLOSED, {})
        self._journal.release_locks(self._run, self._epoch)

    def _stop_measuring(self) -> None:
        if self._measurement is None:
            return
        self._measurement.stop()
        seen = self._measurement.observations()
        self._append(
            EventKind.MEASURED, {"samples": len(seen.samples), "routes": len(seen.routes), "stamps": len(seen.stamps)}
        )


def locks_of(plan: Plan, topology: Topology) -> list[str]:
    """Everything that must not be in two runs at once: numbers, certificates, hosts, lines."""
    numbers = [f"number:{change.number}" for change in plan.affected]
    hosts = [f"host:{host}" for host in (*(item.host for item in plan.affected), *(item.router for item in plan.paths))]
    used = [topology.gateway[change.gateway].certificate for change in plan.affected]
    lines = [f"line:{line}" for line in plan.fault.lines]
    return sorted({*numbers, *hosts, *lines, *(f"certificate:{item}" for item in used if item)})


def _is_ignored(number: signal.Signals) -> bool:
    """`nohup` lets a run outlive its terminal."""
    return signal.getsignal(number) is signal.SIG_IGN


def _said(error: Exception) -> str:
    """An error in one line; what nobody expected with its type, without which its text says little."""
    ours = isinstance(error, DrillctlError | _NotStarted)
    return str(error) if ours else f"unexpected {type(error).__name__}: {error}"


def _ok(step: Step) -> list[TargetResult]:
    return [TargetResult(target.name, Outcome.SUCCEEDED) for target in step.targets]


def _looked(taken: Snapshot) -> list[TargetResult]:
    seen = [TargetResult(name, Outcome.SUCCEEDED) for name in taken.gateways]
    return seen + [TargetResult(name, Outcome.INDETERMINATE, reason) for name, reason in taken.unreachable.items()]


def _judged(records: Sequence[CheckRecord]) -> list[TargetResult]:
    """One result per target: abnormal is failed, could not look is indeterminate."""
    worst: dict[str, TargetResult] = {}
    for record in records:
        message = f"{record.check}: expected {record.expected}, found {record.found}"
        if record.result is CheckResult.ABNORMAL:
            worst[record.target] = TargetResult(record.target, Outcome.FAILED, message)
        elif record.could_not_look and worst.get(record.target, _FINE).outcome is not Outcome.FAILED:
            worst[record.target] = TargetResult(record.target, Outcome.INDETERMINATE, message)
        else:
            worst.setdefault(record.target, TargetResult(record.target, Outcome.SUCCEEDED))
    return list(worst.values())


_FINE = TargetResult("", Outcome.SUCCEEDED)


def _outcomes(results: Sequence[TargetResult]) -> dict[str, Any]:
    return {
        "results": [
            {"target": item.target, "outcome": item.outcome.value, "message": item.message, "data": dict(item.data)}
            for item in results
        ]
    }


def _as_undo(item: TargetResult) -> TargetResult:
    """An undo that succeeded is `undone`; one that failed, or cannot be told, is `undo_failed`."""
    outcome = {Outcome.SUCCEEDED: Outcome.UNDONE, Outcome.SKIPPED: Outcome.SKIPPED}.get(
        item.outcome, Outcome.UNDO_FAILED
    )
    return TargetResult(item.target, outcome, item.message, item.data)
