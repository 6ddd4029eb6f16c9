"""Carries out one attempt of one step, whatever its verb. Knows nothing of order, journal of intents or recovery."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from orchestrator.engine import expect, homeward, results
from orchestrator.engine.announced import announced_times, told_by
from orchestrator.engine.configurations import keep
from orchestrator.engine.log import Assignment, Log
from orchestrator.engine.progress import CHANGING
from orchestrator.engine.waits import Waits
from orchestrator.errors import StepUnknown
from orchestrator.model.event import CheckRecord, EventKind, Outcome
from orchestrator.model.plan import Phase, Plan, Step, Verb
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
        self.waits = Waits(job.plan, job.topology, lambda: stop() or self.is_to_lift_first())
        self.waits.now = lambda: log.progress.now
        self.waits.before = lambda: log.progress.before
        self.waits.left_behind = log.progress.left_behind
        self.waits.fault_on = lambda: log.progress.fault_on
        self.waits.lifted_at = lambda: log.progress.lifted_at

    def is_to_lift_first(self) -> bool:
        """Promoted, and the fault that this run has made is still on. What people have made is theirs to lift."""
        progress = self._log.progress
        return progress.promoted and progress.fault_on and not self._job.declared

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
                return self._world.disarm(self.call(step.id, attempt), self._as_it_came_out())
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
            case Verb.CONFIRM:
                return self._confirm(step)
            case Verb.HOLD:
                self.waits.hold(float(step.targets[0].arguments["hold_s"]))
                return results.ok(step)
            case _:
                raise ValueError(f"{step.verb}: no such verb")

    def _confirm(self, step: Step) -> list[TargetResult]:
        """A person's word, heard by the heed: what was said while nobody was at work counts."""
        progress = self._log.progress
        over_at = progress.asked_since(step.id) + step.deadline_s
        self.waits.answered(lambda: step.id in progress.confirmed or self._clock.now() >= over_at)
        said = progress.confirmed.get(step.id)
        if said is None and (self._stop() or self.is_to_lift_first()):
            return [TargetResult(target.name, Outcome.SKIPPED, results.ABORT) for target in step.targets]
        return results.confirmed(step, said)

    def _as_it_came_out(self) -> Plan:
        """What an incident keeps on its hosts only a failback that has brought everything home takes away."""
        progress = self._log.progress
        home = progress.touched() and not any(progress.undo_failures()) and not progress.given_up
        left = {} if home else {"fails_back": None}
        return self._job.plan.model_copy(update={"mode": progress.now.mode, **left})

    def _arm(self, step: Step, attempt: int) -> list[TargetResult]:
        armed = self._world.arm(self.call(step.id, attempt), self._job.plan, step.deadline_s)
        if self.waits.measurement is None:
            self.measure()
        return armed

    def fault_is_on(self) -> bool:
        """Where people make it, as far as they have said."""
        if self._job.declared:
            return self._log.progress.fault_on
        return self._world.fault_is_on(self._job.plan.fault)

    def fault_is_to_come(self) -> bool:
        """Whether people were asked to make it and have not said yet that they did."""
        plan, is_on = self._job.plan, self._log.progress.fault_on
        return self._job.declared and not is_on and any(step.verb is Verb.INJECT for step in plan.steps)

    def _told(self, step: Step, kind: EventKind, what: str) -> list[TargetResult]:
        """People make and lift the fault of a real site. It counts from when they say that it was."""
        progress = self._log.progress
        over_at = told_by(self._job.plan, self._job.topology.site.timezone, progress.asked_since(step.id))
        what += announced_times(self._job.plan)
        self._say(f"waiting for {what}; then `drillctl confirm {self._job.run} {step.id} --by PERSON --at TIME`")
        self.waits.answered(
            lambda: step.id in progress.confirmed or self._is_called_off(step) or self._clock.now() >= over_at
        )
        said = progress.confirmed.get(step.id)
        if said is None and self._is_called_off(step):
            self._say("the drill has become an incident: tell people not to make the fault any more")
        if said is None and (self._stop() or self._is_called_off(step)):
            return [TargetResult(target.name, Outcome.SKIPPED, results.ABORT) for target in step.targets]
        if said is not None and said["done"] and progress.fault_on is (kind is EventKind.FAULT_OFF):
            self._log.append(kind, {"at": float(said["at"])})
        return results.confirmed(step, said)

    def _is_called_off(self, step: Step) -> bool:
        """Of a drill that was promoted nobody makes the fault any more."""
        return step.verb is Verb.INJECT and self._log.progress.promoted

    def _say(self, text: str) -> None:
        for listener in self._listeners:
            with suppress(Exception, SystemExit):  # a terminal that is gone must not end the run
                listener.said(text)

    def _inject(self, step: Step) -> list[TargetResult]:
        if self._job.declared:
            return self._told(step, EventKind.FAULT_ON, "the fault to be made")
        asked_at = self._clock.now()  # what breaks while it is being made broke because of it
        self._world.inject(self._job.plan.fault)
        self._log.append(EventKind.FAULT_ON, {"at": asked_at})
        return results.ok(step)

    def _lift(self, step: Step) -> list[TargetResult]:
        if self._job.declared:
            return self._told(step, EventKind.FAULT_OFF, "the fault to be lifted, or the word that it was never made")
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
        ready = homeward.not_ready(self._job.plan, self._job.topology, taken) if step.verb is Verb.SNAPSHOT else ()
        return [*results.looked(taken), *ready]

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
            **({"hops": {name: dict(hops) for name, hops in taken.hops.items()}} if taken.hops else {}),
        }
        self._log.append(EventKind.SNAPSHOT, data)

    def _check(self, step: Step, attempt: int) -> list[TargetResult]:
        self.waits.settle_sampler()
        call, phase = self.call(step.id, attempt), step.phase.value
        records = self._world.check(call, phase, step.checks, self._expected(step.phase), step.deadline_s)
        data = {
            "records": [record.model_dump(mode="json") for record in (*records, *self._untested(step))],
            "step": step.id,
            "attempt": attempt,
        }
        self._log.append(EventKind.CHECKS, data)
        if step.checks and not records:
            return [TargetResult(target.name, Outcome.INDETERMINATE, "no check ran") for target in step.targets]
        return results.judged(records)

    def _untested(self, step: Step) -> list[CheckRecord]:
        """Nothing is connected to a host that is not scriptable: what would be checked there is said to be untested."""
        changes = [change for change in self._job.plan.gateways if change.hands]
        return [
            results.untested(step, check, change)
            for change in changes
            for check in step.checks
            if check not in results.OF_ROUTERS
        ]

    def _expected(self, phase: Phase) -> Expectations:
        progress, topology = self._log.progress, self._job.topology
        plan = progress.now
        if phase is Phase.VERIFYING:
            changed = frozenset(progress.repointed - progress.left_alone)
            return expect.switched(plan, topology, progress.before, changed)
        if phase is Phase.BASELINING and plan.fails_back:
            return homeward.fronts_of_home(plan, topology)
        return expect.baseline(plan, topology, progress.before)
