"""Carries out one attempt of one step, whatever its verb. Knows nothing of order, journal of intents or recovery."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from orchestrator.engine import expect, results
from orchestrator.engine.configurations import keep
from orchestrator.engine.log import Assignment, Log
from orchestrator.engine.progress import CHANGING
from orchestrator.engine.waits import Waits
from orchestrator.errors import StepUnknown
from orchestrator.model.event import EventKind, Outcome
from orchestrator.model.plan import Phase, Step, Verb
from orchestrator.ports import Call, Clock, Expectations, Listener, Snapshot, TargetResult, World


class Acts:
    """The engine's hands. `stop` is asked while anything lasts; in restoration it never says stop."""

    def __init__(
        self,
        job: Assignment,
        world: World,
        clock: Clock,
        log: Log,
        stop: Callable[[], bool],
        listeners: Sequence[Listener],
    ) -> None:
        self._job, self._world, self._clock, self._log = job, world, clock, log
        self._stop, self._listeners = stop, listeners
        self.waits = Waits(job.plan, job.topology, stop)
        self.waits.before = lambda: log.progress.before
        self.waits.fault_on = lambda: log.progress.fault_on
        self.waits.lifted_at = lambda: log.progress.lifted_at

    def call(self, step: str, attempt: int) -> Call:
        return Call(step, attempt, self._stop)

    def measure(self) -> None:
        """Start the sampler, or join the one that is at work."""
        self.waits.measurement = measurement = self._world.measure(self._job.folder)
        for listener in self._listeners:
            with suppress(Exception, SystemExit):  # a terminal that is gone must not end the run
                listener.measuring(measurement)

    def carry_out(self, step: Step, attempt: int) -> list[TargetResult]:  # noqa: PLR0911 - one return per verb
        """`step` holds the targets that are to be touched. A call that was begun before is joined."""
        if step.verb in CHANGING:
            progress = self._log.progress
            call = self.call(step.id, attempt)
            return self._world.act(call, step, progress.before, progress.written) if step.targets else []
        match step.verb:
            case Verb.ARM:
                return self._arm(step, attempt)
            case Verb.DISARM:
                return self._world.disarm(self.call(step.id, attempt), self._job.plan)
            case Verb.SNAPSHOT | Verb.PROVE:
                return self._snapshot(step, attempt)
            case Verb.CHECK:
                return self._check(step, attempt)
            case Verb.INJECT:
                return self._inject(step)
            case Verb.LIFT:
                return self._lift(step)
            case Verb.WAIT:
                return self.waits.wait(step)
            case Verb.HOLD:
                self.waits.hold(float(step.targets[0].arguments["hold_s"]))
                return results.ok(step)
            case _:
                raise ValueError(f"{step.verb}: no such verb")

    def _arm(self, step: Step, attempt: int) -> list[TargetResult]:
        armed = self._world.arm(self.call(step.id, attempt), self._job.plan, step.deadline_s)
        if self.waits.measurement is None:
            self.measure()
        return armed

    def _inject(self, step: Step) -> list[TargetResult]:
        asked_at = self._clock.now()  # what breaks while it is being made broke because of it
        self._world.inject(self._job.plan.fault)
        self._log.append(EventKind.FAULT_ON, {"at": asked_at})
        return results.ok(step)

    def _lift(self, step: Step) -> list[TargetResult]:
        asked_at = self._clock.now()  # what comes back while it is being lifted is restoration
        try:
            self._world.lift(self._job.plan.fault)
        except StepUnknown:  # lifted, but for how long it was on before cannot be told
            self._log.append(EventKind.FAULT_OFF, {"at": asked_at})
            raise
        self._log.append(EventKind.FAULT_OFF, {"at": asked_at})
        return results.ok(step)

    def _snapshot(self, step: Step, attempt: int) -> list[TargetResult]:
        self.waits.settle_sampler()
        taken = self._world.snapshot(self.call(step.id, attempt), step.deadline_s)
        self._record(step, taken)
        return results.looked(taken)

    def _record(self, step: Step, taken: Snapshot) -> None:
        when = {Phase.BASELINING: "before", Phase.PROVING_RESTORATION: "after"}.get(step.phase, "during")
        data = {
            "when": when,
            "gateways": {name: dict(state) for name, state in taken.gateways.items()},
            "routers": {name: dict(lines) for name, lines in taken.routers.items()},
            "residue": {name: list(lines) for name, lines in taken.residue.items()},
            "clock_offset_s": dict(taken.clock_offset_s),
            "unreachable": dict(taken.unreachable),
            "configurations": keep(self._job.folder, when, taken.configurations),
        }
        self._log.append(EventKind.SNAPSHOT, data)

    def _check(self, step: Step, attempt: int) -> list[TargetResult]:
        self.waits.settle_sampler()
        call, phase = self.call(step.id, attempt), step.phase.value
        records = self._world.check(call, phase, step.checks, self._expected(step.phase), step.deadline_s)
        data = {
            "records": [record.model_dump(mode="json") for record in records],
            "step": step.id,
            "attempt": attempt,
        }
        self._log.append(EventKind.CHECKS, data)
        if step.checks and not records:
            return [TargetResult(target.name, Outcome.INDETERMINATE, "no check ran") for target in step.targets]
        return results.judged(records)

    def _expected(self, phase: Phase) -> Expectations:
        plan, topology, progress = self._job.plan, self._job.topology, self._log.progress
        if phase is Phase.VERIFYING:
            changed = frozenset(progress.repointed - progress.left_alone)
            return expect.switched(plan, topology, progress.before, changed)
        return expect.baseline(plan, topology, progress.before)
