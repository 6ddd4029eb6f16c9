"""The interpreter of a plan's frozen step list.

INTENT is committed before each effect and DONE after it. Everything the engine knows it knows from the
journal, so that a run goes on from any point. Whatever happens between injection and closing, the
restoring steps run: those whose change never began are left out. An abort takes the same way; in an
incident it stops and holds. Without a journal, or once another orchestrator has the run, nothing is done.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from orchestrator.engine import homeward, results
from orchestrator.engine.acts import Acts
from orchestrator.engine.alarms import Alarms
from orchestrator.engine.barred import Barred
from orchestrator.engine.choose import Chooser
from orchestrator.engine.heed import Heed, Stops
from orchestrator.engine.log import Assignment, Log
from orchestrator.engine.outages import OutageLog
from orchestrator.engine.progress import BEFORE_FAULT, CHANGING, RESTORATION
from orchestrator.engine.recover import Recovery, WaitsForPerson
from orchestrator.engine.second import SecondWatch, Suspicion
from orchestrator.engine.stops import StopWatch
from orchestrator.errors import JournalFailed, Superseded
from orchestrator.judge import unproved
from orchestrator.model.drill import Mode
from orchestrator.model.event import EventKind, Outcome, Sample
from orchestrator.model.plan import Action, Phase, Plan, Step, Target, Verb
from orchestrator.model.topology import Topology
from orchestrator.ports import Clock, Journal, Listener, TargetResult, World

_FATAL = (JournalFailed, Superseded)
_REST_S = 30.0  # our choice: a gateway that tries its list again every few seconds is back by then
_DISARMS = 3  # our choice: a host that was just restarted is back by then
_LOOKING = (Verb.WAIT, Verb.CHECK, Verb.SNAPSHOT, Verb.PROVE)
_GOOD = (Outcome.SUCCEEDED, Outcome.SKIPPED, Outcome.UNDONE)


class End(StrEnum):
    """How an engine leaves its run."""

    CLOSED = "closed"
    WAITING = "waiting"  # for a person's decision; what the run has locked stays locked
    PAUSED = "paused"  # an incident that was stopped and is held


class _NotStarted(Exception):
    """The baseline is not met: nothing was touched, nothing is undone."""


class _NotConfirmed(Exception):
    """A person has not confirmed their step: nothing behind it begins."""


class _Abort(Exception):
    """Somebody or something asked for an abort: go to restoration."""


class _Held(Exception):
    """An incident stops where it is."""


class Engine:
    """Runs one plan to its end. What it leaves is the journal and the run's folder; the judge reads those."""

    def __init__(
        self,
        job: Assignment,
        world: World,
        journal: Journal,
        clock: Clock,
        listeners: Sequence[Listener] = (),
        stops: Stops | None = None,
        resumed: bool = False,
    ) -> None:
        self._plan, self._world, self._clock, self._resumed = job.plan, world, clock, resumed
        self._log = Log(job, journal, listeners)
        self._heed = Heed(journal, job.run, job.epoch, clock, stops or Stops(), listeners)
        self._acts = Acts(job, world, clock, self._log, self._cut_short, listeners)
        self._recovery = Recovery(job, world, self._log, self._acts, clock)
        waits, topology = self._acts.waits, job.topology
        barred = Barred(topology, self._log.progress, waits.latest, waits.latest_routes, self._log.events)
        self._chooser = Chooser(job.plan, topology, self._log.progress, waits.latest, barred.why)
        self._watch, self._second = StopWatch(job.plan, topology), SecondWatch(job.plan, topology)
        self._suspicion: Suspicion | None = None
        self._heed.taken, self._heed.condition = self._log.heard, self._stop_condition
        self._alarms = Alarms(job, clock, self._log)
        self._outages = OutageLog(job, clock, self._log, stops.hours if stops else None)
        self._heed.alive = self._beat
        self._heed.may_promote = lambda: not self._going_back and self._log.progress.may_promote()
        self._heed.promoted = lambda: self._log.progress.promoted
        self._going_back = False
        self._done_here: set[str] = set()
        self._hosts = {item.gateway: item.host for item in job.plan.gateways}

    def _beat(self) -> None:
        self._world.beat()
        self._alarms.look()
        self._outages.look(self._acts.waits.latest, self._acts.waits.seen)

    def run(self) -> End:
        """Run every step. The verdict is not the engine's business.

        JournalFailed and Superseded go up, and nothing more has been done.
        """
        with self._heed.listening():
            try:
                return self._to_the_end()
            except _FATAL:
                if self._acts.waits.measurement:
                    self._acts.waits.measurement.detach()
                raise

    def _to_the_end(self) -> End:
        try:
            if self._resumed:
                self._recover()
            self._there_and_back()
            self._close()
        except WaitsForPerson:
            return self._leave("waiting_for_operator", End.WAITING)
        except _Held:
            return self._leave("paused", End.PAUSED)
        return End.CLOSED

    def _there_and_back(self) -> None:
        progress = self._log.progress
        if progress.ended is None and not progress.restoring():
            self._forward()
        self._going_back = True  # from here on a promotion comes too late: it would find nothing that goes forward
        self._recovery.account()
        if self._log.progress.now.mode is Mode.INCIDENT:
            if progress.ended not in (None, "not_started"):
                raise _Held
        elif progress.touched() or self._is_to_bring_home():
            self._restore()

    def _is_to_bring_home(self) -> bool:
        """A failback is all way back. Once it has begun nothing ends it but its own end."""
        return self._plan.fails_back is not None and self._log.progress.ended is None

    # -- after an interruption ------------------------------------------------------------------------

    def _recover(self) -> None:
        """Know the true state before anything new is done."""
        progress = self._log.progress
        self._log.enter("recovering")
        self._heed.take_decisions()
        self._heed.beat()
        self._going_back = progress.ended is not None or progress.restoring() or self._heed.reason is not None
        if progress.fault_on and not progress.is_lifting() and not self._acts.fault_is_on():
            self._recovery.note_lapse("the fault lifted itself while the run was without an orchestrator")
        if progress.attempts:
            self._acts.measure()
        self._recovery.settle()
        self._recovery.account_for_fault()
        self._going_back = self._going_back or progress.ended is not None

    # -- the way forward ------------------------------------------------------------------------------

    def _forward(self) -> None:
        try:
            for step in self._plan.steps:
                if step.phase not in (*RESTORATION, Phase.CLOSING):
                    self._advance(step)
            self._cut()
            self._lift_first()
            if self._plan.fails_back and not self._heed.may_change():
                raise _NotStarted(str(self._heed.reason))  # noqa: TRY301 - as where a step finds its window closed
        except _NotStarted as reason:
            self._log.note("not_started", str(reason))
        except _NotConfirmed as reason:
            self._log.note("not_confirmed", str(reason))
        except _Abort:
            self._log.note(self._heed.kind, str(self._heed.reason), self._suspected())
        except (*_FATAL, WaitsForPerson):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, what was begun is restored, and it is said
            self._log.note("error", results.said(error))

    def _advance(self, step: Step) -> None:
        self._cut()
        self._lift_first()
        targets = self._needed(step)
        if targets:
            self._must_be_open(step)
            self._look_once_more(step)
            self._log.enter(step.phase.value)
            found = self._do(step, targets)
            if self._lift_first() and step.verb is Verb.CONFIRM:
                found = self._do(step, targets)  # a gate still holds: it was left for the lift only
            self._gate(step, found)

    def _lift_first(self) -> bool:
        """A drill that was promoted lifts the fault that it has made, before anything else, and lets what comes back
        by itself come back. No fence is lifted. Whether there was one to lift.
        """
        if not self._acts.is_to_lift_first():
            return False
        lift = next(step for step in self._plan.steps if step.verb is Verb.LIFT)
        self._do(lift, lift.targets)
        self._acts.waits.come_to_rest(_REST_S)
        return True

    def _look_once_more(self, step: Step) -> None:
        """A drill makes no fault beside one that came since the baseline: together they may leave no way at all."""
        progress = self._log.progress
        if step.verb is not Verb.INJECT or progress.touched() or progress.now.mode is Mode.INCIDENT:
            return
        found = self._acts.waits.unlike_before()
        self._cut()
        if found:
            raise _NotStarted(f"{step.id}: since the baseline something has failed: {'; '.join(found)}")

    def _must_be_open(self, step: Step) -> None:
        """Asked again before each step that injects or switches: a window may close, or be taken back, meanwhile. What
        a person does and confirms is neither.
        """
        if step.verb is Verb.CONFIRM or step.phase not in (Phase.INJECTING, Phase.SWITCHING) or self._heed.may_change():
            return
        if not self._log.progress.touched():
            raise _NotStarted(str(self._heed.reason))
        raise _Abort

    def _cut(self) -> None:
        if self._heed.beat():
            raise _Abort

    def _cut_short(self) -> bool:
        """Whether what lasts is to end. Restoration is never cut short by the abort that it follows from."""
        return self._heed.beat() and not self._going_back

    def _stop_condition(self) -> str | None:
        progress = self._log.progress
        if self._going_back or progress.promoted:  # why it is met is why it was promoted
            return None
        latest, now = self._acts.waits.latest(), self._clock.monotonic()
        second = self._second_failure(latest, now)
        if not progress.touched():
            return None
        to_come = self._acts.fault_is_to_come()
        return self._watch.reason(latest, now, fault_is_to_come=to_come) or second

    def _second_failure(self, latest: Mapping[str, Sample], now: float) -> str | None:
        """What the plan does not explain, from when its fault holds on. Before that it is learned what works."""
        progress = self._log.progress
        moving = (item for item in progress.open() if item.step.verb in CHANGING)
        busy = frozenset(name for item in moving for name in item.targets)
        found = self._second.look(latest, self._acts.waits.latest_routes(), now, busy)
        if progress.now.mode is Mode.INCIDENT:
            return None  # what is moved there is moved because it is down: nothing that is found keeps the rest down
        if not progress.fault_on:
            self._second.expect_fault()
            return None
        self._suspicion = found
        return found.text if found else None

    def _suspected(self) -> dict[str, Any] | None:
        """What goes on record where a second failure is why the way forward ends."""
        found = self._suspicion
        return found.as_data(self._plan.mode) if found and found.text == self._heed.reason else None

    def _gate(self, step: Step, found: Sequence[TargetResult]) -> None:
        """Before the fault anything that is not right ends the run: nothing has been touched yet. In an incident it is
        on record, and the run goes on: what is wrong is why there is one.
        """
        self._need_confirmed(step, found)
        if self._log.progress.now.mode is Mode.INCIDENT:
            return
        bad = [item for item in found if item.outcome not in _GOOD]
        if bad and step.phase in BEFORE_FAULT and self._heed.reason is None:
            raise _NotStarted(self._why_not(step, bad))

    def _why_not(self, step: Step, bad: Sequence[TargetResult]) -> str:
        if self._plan.fails_back:
            return homeward.refusal(self._plan, step, bad)
        return f"{step.id}: " + "; ".join(f"{item.target}: {item.message}" for item in bad)

    def _need_confirmed(self, step: Step, found: Sequence[TargetResult]) -> None:
        """A gate holds in an incident too: it stops and holds, and asks again once it is resumed."""
        bad = [item for item in found if item.outcome not in _GOOD] if step.verb in (Verb.CONFIRM, Verb.INJECT) else []
        if bad and (step.phase not in BEFORE_FAULT or self._log.progress.now.mode is Mode.INCIDENT):
            raise _NotConfirmed(f"{step.id}: " + "; ".join(item.message for item in bad))

    # -- the way back ---------------------------------------------------------------------------------

    def _restore(self) -> None:
        """Every restoring step is tried, whatever became of the one before. What cannot be undone calls a person."""
        self._going_back = True
        progress = self._log.progress
        for step in self._plan.steps:
            if step.verb is Verb.CONFIRM and not step.by_hand and progress.ended is not None:
                continue  # what people do at the end belongs to a run that came there
            if step.phase in RESTORATION and progress.is_to_undo(step):
                self._try(step)
        self._call_for_failures()
        self._insist_on_proof()

    def _call_for_failures(self) -> None:
        progress = self._log.progress
        failures: dict[str, dict[str, str]] = {}
        for step, item in progress.undo_failures():
            failures.setdefault(step.id, {})[item.target] = item.message
        if failures:
            self._recovery.call_for(failures)

    def _insist_on_proof(self) -> None:
        """Proved, or a person is asked. What could not be seen at first is looked at once more."""
        last = [step for step in self._plan.steps if step.phase is Phase.PROVING_RESTORATION]
        proving = [step for step in last if step.verb is not Verb.CONFIRM]
        if unproved(self._plan, self._log.events()):
            for step in proving:
                self._try(step, step.targets)
        known = self._log.progress.given_up.union(*(self._accepted(step) for step in proving))
        gaps = {name: self._told(name, why) for name, why in unproved(self._plan, self._log.events()).items()}
        gaps = {name: why for name, why in gaps.items() if name not in known}
        if gaps and proving:
            self._recovery.call_for({proving[0].id: gaps})

    def _told(self, name: str, why: str) -> str:
        """What has left its place by itself is nobody's to move here: the plan does not touch it."""
        untouched = any(item.gateway == name and item.action is Action.NONE for item in self._plan.gateways)
        return f"{why}; this plan does not move it: bring it home by hand, then resume" if untouched else why

    def _accepted(self, step: Step) -> set[str]:
        """Targets that a person has accepted as they are; whatever else is found is asked about."""
        return self._log.progress.accepted.get(step.id, set())

    def _try(self, step: Step, targets: Sequence[Target] = ()) -> None:
        """What goes wrong is noted and keeps nothing after it from being tried."""
        try:
            self._heed.beat()  # the lease; and a second signal gets its answer
            targets = targets or self._needed(step)
            if targets:
                self._log.enter(step.phase.value)
                self._do(step, targets)
        except _FATAL:
            raise
        except Exception as error:  # noqa: BLE001 - restoration goes on whatever happened
            self._log.note("error", f"{step.id}: {results.said(error)}")

    # -- steps ----------------------------------------------------------------------------------------

    def _needed(self, step: Step) -> list[Target]:
        """Targets that this step still has to be done on: none where the journal says that it was."""
        progress = self._log.progress
        if progress.promoted and step.verb in (Verb.INJECT, Verb.HOLD):
            return []  # an incident makes no fault and holds nothing
        if step.verb is Verb.DISARM:  # what an undo that failed needs once more stays on its host
            return list(step.targets) if progress.armed and not any(progress.undo_failures()) else []
        pending = progress.pending(step)
        if not pending and self._resumed and step.id not in self._done_here and self._is_taken_again(step):
            return list(step.targets)
        return pending

    def _is_taken_again(self, step: Step) -> bool:
        """Proofs from before an interruption are worth nothing after it: the baseline while nothing is touched,
        what was verified, and all that proves the way back. A person's word stands.
        """
        if step.verb is Verb.CONFIRM:
            return False
        if step.phase in BEFORE_FAULT:
            return not self._log.progress.touched()
        wanted = step.phase in (Phase.VERIFYING, *RESTORATION) and step.verb in _LOOKING
        wanted = wanted or (step.verb is Verb.FENCE and not self._is_declared(step))
        return wanted and not any(self._log.progress.begun(other) for other in self._resting_on({step.id}))

    def _is_declared(self, step: Step) -> bool:
        """A fence that was proved may be gone, with a router that was started again; a person's word stands."""
        return any("decided_by" in item.data for item in self._log.progress.latest(step.id).values())

    def _resting_on(self, steps: set[str]) -> set[str]:
        """Later steps that need these, or need one that does: once begun, what these showed has changed on purpose."""
        found = {
            other.id
            for other in self._plan.steps
            for target in other.targets
            for need in target.arguments.get("requires", ())
            if need["step"] in steps
        }
        return found if found <= steps else found | self._resting_on(steps | found)

    def _do(self, step: Step, targets: Sequence[Target]) -> list[TargetResult]:
        targets = self._recovery.not_in_force(step, targets)
        if not targets:
            return []
        if step.verb in CHANGING:
            self._recovery.rearm()
        self._done_here.add(step.id)
        undo = step.undoes is not None
        intent, done = (EventKind.UNDO_INTENT, EventKind.UNDO_DONE) if undo else (EventKind.INTENT, EventKind.DONE)
        attempt = self._log.progress.next_attempt(step)
        chosen, left = self._chooser.choose(step, self._as_in_an_incident(step, targets))
        names = [item.name for item in chosen]
        self._log.append(intent, {"verb": step.verb.value, "targets": names}, step.id, attempt)
        act = step.model_copy(update={"targets": tuple(chosen)})
        try:
            found = [*self._carry_out(act, attempt), *left]
        except (*_FATAL, WaitsForPerson):
            raise
        except Exception as error:
            broken = results.recorded(step, [*results.broken_off(chosen, error), *left])
            self._log.append(done, {"results": results.as_data(broken)}, step.id, attempt)
            raise
        found = results.recorded(step, found)
        self._log.append(done, {"results": results.as_data(found)}, step.id, attempt)
        return found

    def _as_in_an_incident(self, step: Step, targets: Sequence[Target]) -> Sequence[Target]:
        """After a promotion the host itself leaves alone what works, and a list that failed is not put back."""
        if not self._log.progress.promoted or step.verb is not Verb.REPOINT:
            return targets
        more = {"only_if_down": True, "promoted": True}
        return [item.model_copy(update={"arguments": {**item.arguments, **more}}) for item in targets]

    def _carry_out(self, step: Step, attempt: int) -> list[TargetResult]:
        """What a call leaves unknown is looked at; after an abort the way back begins at once instead."""
        found = self._acts.carry_out(step, attempt)
        if step.verb not in CHANGING or self._cut_short():
            return found
        found = self._recovery.tell(step, attempt, found)
        unknown = {item.target: item.message for item in found if item.outcome in results.UNKNOWN}
        if unknown and self._log.progress.now.mode is Mode.INCIDENT:
            self._recovery.ask(step, unknown)
        return found

    # -- the end --------------------------------------------------------------------------------------

    def _leave(self, state: str, end: End) -> End:
        """Stop measuring and close connections; locks, folder and the hosts stay as they are."""
        self._part("leaving", self._stop_measuring)
        self._part("leaving", self._world.close)
        self._log.enter(state)
        return end

    def _close(self) -> None:
        """Leave nothing on the hosts, stop measuring, close connections, and release the locks with the last event."""
        self._going_back = True
        self._log.enter(Phase.CLOSING.value)
        for part in (self._disarm, self._stop_measuring, self._world.close):
            self._part("closing", part)
        self._heed.take_calls()
        self._log.append(EventKind.CLOSED, {})

    def _part(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
        except (*_FATAL, WaitsForPerson):
            raise
        except Exception as error:  # noqa: BLE001 - every part of the end is tried
            self._log.note("error", f"{what}: {results.said(error)}")

    def _disarm(self) -> None:
        """What the plan's own step has not taken off the hosts, or a run that ended early has left there. Nobody waits
        for a host that was never reached, or that an incident has lost: whoever brings it home takes away what it has.
        """
        step = next(item for item in self._plan.steps if item.verb is Verb.DISARM)
        if not self._log.progress.armed:
            return
        left: dict[str, str] = {}
        for _ in range(_DISARMS):
            found = self._do(step, step.targets)
            left = {item.target: item.message for item in found if item.outcome is not Outcome.SUCCEEDED}
            if left.keys() <= self._accepted(step) | self._lost_hosts() | self._never_reached():
                return
        self._recovery.call_for({step.id: left})

    def _lost_hosts(self) -> set[str]:
        now = self._log.progress.now
        return set(now.fault.hosts) if now.mode is Mode.INCIDENT else set()

    def _never_reached(self) -> set[str]:
        """Hosts of which arming was told that no connection was ever made."""
        arm = next(item for item in self._plan.steps if item.verb is Verb.ARM)
        took: dict[str, bool] = {}
        for name, result in self._log.progress.latest(arm.id).items():
            host = self._hosts.get(name, name)
            never = result.outcome is Outcome.FAILED and result.message.startswith("unreachable")
            took[host] = took.get(host, False) or not never
        return {host for host, reached in took.items() if not reached}

    def _stop_measuring(self) -> None:
        measurement = self._acts.waits.measurement
        if measurement is None:
            return
        measurement.stop()
        seen = measurement.observations()
        counts = {"samples": len(seen.samples), "routes": len(seen.routes), "stamps": len(seen.stamps)}
        self._log.append(EventKind.MEASURED, counts)
        self._outages.conclude(seen)


def locks_of(plan: Plan, topology: Topology) -> list[str]:
    """Everything that must not be in two runs at once: numbers, those of their pairs, certificates, hosts, lines."""
    numbers = [f"number:{change.number}" for change in plan.affected]
    pairs = (topology.gateway[change.gateway].pair for change in plan.affected)
    numbers += [f"number:{topology.gateway[pair].number}" for pair in pairs if pair]
    routers = (*(item.router for item in plan.paths), *plan.fence_routers)
    hosts = [f"host:{host}" for host in (*(item.host for item in plan.affected), *routers, *plan.fault.hosts)]
    used = [topology.gateway[change.gateway].certificate for change in plan.affected]
    used += [change.after.certificate for change in plan.affected if change.after]
    lines = [f"line:{line}" for line in plan.fault.lines]
    return sorted({*numbers, *hosts, *lines, *(f"certificate:{item}" for item in used if item)})
