"""What became of the steps that an orchestrator left open when it was lost. Looks, joins, asks; never repeats blindly.

Each open attempt is settled exactly once: by its guard's own result, by a read-only look, by its declared
policy, or by a person. Only then is anything new begun.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.engine import results
from orchestrator.engine.acts import Acts
from orchestrator.engine.log import Assignment, Log
from orchestrator.engine.progress import CHANGING, Attempt
from orchestrator.errors import JournalFailed, Superseded
from orchestrator.model.drill import Mode
from orchestrator.model.event import EventKind, Outcome
from orchestrator.model.people import PersonRole
from orchestrator.model.plan import Policy, Step, Target, Verb
from orchestrator.ports import FAULT_LEASE_S, Clock, Fate, TargetResult, World

CHOICES = ("done", "not-done", "repeat")


class WaitsForPerson(Exception):
    """A person has to decide before the run can go on. The WAITING event is written."""


class Recovery:
    """Settles open attempts, and whatever else a call left unknown."""

    def __init__(self, job: Assignment, world: World, log: Log, acts: Acts, clock: Clock) -> None:
        self._job, self._world, self._log, self._acts, self._clock = job, world, log, acts, clock
        self._armed = job.epoch == 1  # the first orchestrator's own arming is a step of the plan

    def settle(self) -> None:
        """Every open attempt, joined ones first: they still work under the token they began with."""
        fates: list[tuple[Attempt, Fate]] = []
        for attempt in self._log.progress.open():
            self._note_interrupted(attempt)
            if attempt.settled is not None:  # the orchestrator before came as far as that
                self._end(attempt, results.as_data(attempt.settled))
            elif attempt.step.verb in (Verb.INJECT, Verb.LIFT):
                self._settle_fault(attempt)
            elif attempt.step.verb in (Verb.WAIT, Verb.HOLD, Verb.CONFIRM):
                self._close(attempt, "policy", self._unfinished(attempt, "cut off while it waited"))
            else:
                fates.append((attempt, self._fate(attempt)))
        for attempt, fate in sorted(fates, key=lambda item: item[1] is Fate.LOST):
            self._settle_guarded(attempt, fate)

    def _fate(self, attempt: Attempt) -> Fate:
        """Of a guard on another machine nothing is here: asked here, it would seem never to have begun."""
        if attempt.elsewhere:
            return Fate.LOST
        return self._world.fate(self._acts.call(attempt.step.id, attempt.number))

    # -- from the copy in the second room ---------------------------------------------------------------

    def account(self) -> None:
        """Before a run goes back from its copy: every step that has something to be undone, whatever the copy says."""
        progress, plan = self._log.progress, self._job.plan
        if not progress.copied or progress.ended is None or progress.restoring() or progress.now.mode is Mode.INCIDENT:
            return
        undone = {step.undoes for step in plan.steps if step.undoes}
        for step in plan.steps:
            by_people = step.verb is Verb.INJECT and self._job.declared
            unheard = (step.verb in CHANGING or by_people) and not progress.begun(step.id)
            if step.id in undone and unheard and progress.may_be_begun(step):
                self._suppose(step, step.targets)

    def not_in_force(self, step: Step, targets: Sequence[Target]) -> list[Target]:
        """Of what is to be done, what really has to be: after the copy's end it may have been done already."""
        progress = self._log.progress
        if step.verb not in CHANGING or not targets or not progress.may_be_begun(step):
            return list(targets)
        self._suppose(step, targets)
        return progress.pending(step)

    def account_for_fault(self) -> None:
        """A fault that the copy has not heard of may have been made, and be gone since: none is made anew. Where even
        the baseline is missing, nothing is begun at all.
        """
        progress = self._log.progress
        step = next((item for item in self._job.plan.steps if item.verb is Verb.INJECT), None)
        if step is None or progress.begun(step.id) or not progress.may_be_begun(step) or not self._may_go_forward():
            return
        if not progress.before.gateways and not self._acts.fault_is_on():
            self._log.note("not_started", "the copy in the second room ends before the baseline")
        elif not self._job.declared:
            self._suppose(step, step.targets)

    def _may_go_forward(self) -> bool:
        progress, plan = self._log.progress, self._job.plan
        is_drill = progress.now.mode is not Mode.INCIDENT and plan.fails_back is None
        return is_drill and progress.ended is None and not progress.restoring()

    def _suppose(self, step: Step, targets: Sequence[Target]) -> None:
        """As if it had been begun and lost: put on record, then settled as such a step is, by a look."""
        if step.verb in CHANGING:
            self.rearm()
        number = self._log.progress.next_attempt(step)
        intent = EventKind.UNDO_INTENT if step.undoes else EventKind.INTENT
        data = {"verb": step.verb.value, "targets": [item.name for item in targets], "supposed": True}
        self._log.append(intent, data, step.id, number)
        attempt = self._log.progress.attempts[step.id][-1]
        self._note_interrupted(attempt)
        if step.verb is Verb.INJECT:
            self._settle_fault(attempt)
        else:
            self._settle_supposed(attempt)

    def _settle_supposed(self, attempt: Attempt) -> None:
        """Without a baseline in the copy, what is not found in force has not been begun."""
        found = self.look(self._of(attempt), attempt.number)
        nothing = all(item.outcome is Outcome.FAILED for item in found)
        early = not self._log.progress.before.gateways
        self._close(attempt, "never begun" if nothing and early else "look", found)

    def _note_interrupted(self, attempt: Attempt) -> None:
        if (attempt.step.id, attempt.number) not in self._log.progress.interrupted:
            targets = {"targets": list(attempt.targets)}
            self._log.append(EventKind.INTERRUPTED, targets, attempt.step.id, attempt.number)

    def _settle_fault(self, attempt: Attempt) -> None:
        """Making and lifting a fault are idempotent, and one look tells which it is."""
        if self._job.declared:
            self._settle_told(attempt)
            return
        is_on = self._acts.fault_is_on()
        wanted = attempt.step.verb is Verb.INJECT
        if wanted and not is_on and (attempt.elsewhere or self._may_have_lapsed()):
            self._log.append(EventKind.FAULT_ON, {"at": attempt.asked_at})
            self.note_lapse("the fault may have been made, and has lifted itself since")
            self._close(attempt, "look", [TargetResult(name, Outcome.SUCCEEDED) for name in attempt.targets])
            return
        if is_on is not wanted:
            self._close(attempt, "look", self._unfinished(attempt, "cut off before it took effect"))
            return
        if self._log.progress.fault_on is not is_on:  # it took effect at once when it was asked for
            kind = EventKind.FAULT_ON if is_on else EventKind.FAULT_OFF
            self._log.append(kind, {"at": attempt.asked_at})
        self._close(attempt, "look", [TargetResult(name, Outcome.SUCCEEDED) for name in attempt.targets])

    def _settle_told(self, attempt: Attempt) -> None:
        """Where people make and lift it, nothing but their word on record tells; without it they are asked again."""
        progress = self._log.progress
        lifted = progress.lifted_at > 0 and not progress.fault_on
        if progress.fault_on if attempt.step.verb is Verb.INJECT else lifted:
            self._close(attempt, "look", [TargetResult(name, Outcome.SUCCEEDED) for name in attempt.targets])
        else:
            self._close(attempt, "policy", self._unfinished(attempt, "cut off before anybody had said so"))

    def _may_have_lapsed(self) -> bool:
        """Silent for less than its lease, a fault that is off was never made; after that nobody can say."""
        since = self._log.progress.silent_since
        return since is not None and self._clock.now() - since >= FAULT_LEASE_S

    def note_lapse(self, text: str) -> None:
        """From the last sign of life on nobody can say for how long it was still on. The run goes back."""
        progress = self._log.progress
        self._log.append(EventKind.FAULT_OFF, {"at": progress.silent_since, "lapsed": True})
        if progress.ended is None and not progress.restoring() and not progress.promoted:
            self._log.note("fault_lapsed", text)

    def _settle_guarded(self, attempt: Attempt, fate: Fate) -> None:
        step = self._of(attempt)
        match fate:
            case Fate.NEVER:
                self._close(attempt, "never begun", self._unfinished(attempt, "cut off before it was begun"))
            case Fate.RUNNING | Fate.FINISHED:
                self._close(attempt, "guard", self.tell(step, attempt.number, self._join(step, attempt.number)))
            case Fate.LOST if step.policy is Policy.LOOK:
                self._close(attempt, "look", self.look(step, attempt.number))
            case Fate.LOST if step.policy is Policy.RERUN:
                self._close(attempt, "policy", self._unfinished(attempt, "cut off; it may be done again"))
            case Fate.LOST:
                reason = "cut off, and nothing tells how far it came"
                self._close(attempt, "look", [TargetResult(n, Outcome.INDETERMINATE, reason) for n in attempt.targets])

    def _join(self, step: Step, attempt: int) -> list[TargetResult]:
        try:
            return self._acts.carry_out(step, attempt)
        except (JournalFailed, Superseded):
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the attempt gets an end
            return results.broken_off(step.targets, error)

    def rearm(self) -> None:
        """The token of this epoch on every host, so that a script of an earlier one changes nothing any more.

        A host that cannot be reached keeps the older token; what was asked of it cannot be told then, and is asked.
        """
        step = next(step for step in self._job.plan.steps if step.verb is Verb.ARM)
        progress = self._log.progress
        if self._armed or any(attempt.step.verb is Verb.ARM for attempt in progress.open()):
            return
        attempt = progress.next_attempt(step)
        names = [target.name for target in step.targets]
        self._log.append(EventKind.INTENT, {"verb": step.verb.value, "targets": names}, step.id, attempt)
        armed = self._join(step, attempt)
        self._log.append(EventKind.DONE, {"results": results.as_data(armed)}, step.id, attempt)
        self._armed = True

    def look(self, step: Step, attempt: int) -> list[TargetResult]:
        """One read-only look per orchestrator at what an attempt of a step has come to."""
        self.rearm()
        call = self._acts.call(f"look-{step.id}-{attempt}", self._job.epoch)
        return self._world.look(call, step, attempt, self._log.progress.before)

    def tell(self, step: Step, attempt: int, found: Sequence[TargetResult]) -> list[TargetResult]:
        """What a call left unknown, settled by a look where the step's policy allows one. A host that the call has
        left behind as silent would only be waited for once more.
        """
        unknown = {item.target for item in found if item.outcome in results.UNKNOWN and not item.data.get("silent")}
        if not unknown or step.policy is not Policy.LOOK:
            return list(found)
        asked = step.model_copy(update={"targets": tuple(item for item in step.targets if item.name in unknown)})
        looked = {item.target: item for item in self.look(asked, attempt)}
        return [looked.get(item.target, item) if item.target in unknown else item for item in found]

    def _unfinished(self, attempt: Attempt, reason: str) -> list[TargetResult]:
        return [TargetResult(name, Outcome.FAILED, reason) for name in attempt.targets]

    def _close(self, attempt: Attempt, by: str, found: Sequence[TargetResult]) -> None:
        """SETTLED says how it was told and what has to be done again; DONE closes the attempt."""
        step, decided = attempt.step, [self._decided(attempt.step, item) for item in found]
        unknown = {item.target: item.message for item in decided if item.outcome in results.UNKNOWN}
        if unknown and not self._may_rerun(step):
            self.ask(step, unknown)
        again = {item.target for item in decided if self._is_to_do_again(item, by)} | unknown.keys()
        # A disarm that is done again speaks of hosts, not of the site: nothing would ever settle what is unknown here.
        settles_itself = by == "never begun" or step.verb is Verb.DISARM
        cut_off = Outcome.SKIPPED if settles_itself else Outcome.INDETERMINATE
        shown = [replace(item, outcome=cut_off) if item.target in again else item for item in decided]
        final = results.as_data(results.recorded(step, [*shown, *self._left_out(attempt)]))
        by = "decision" if any("decided_by" in item.data for item in decided) else by
        settled = {"by": by, "again": sorted(again), "results": final}
        self._log.append(EventKind.SETTLED, settled, step.id, attempt.number)
        self._end(attempt, final)

    def _end(self, attempt: Attempt, final: Sequence[Mapping[str, Any]]) -> None:
        done = EventKind.UNDO_DONE if attempt.step.undoes else EventKind.DONE
        self._log.append(done, {"results": list(final)}, attempt.step.id, attempt.number)

    def _may_rerun(self, step: Step) -> bool:
        """In an incident even what may be done again is a person's business once nobody can tell what it came to."""
        return step.policy is Policy.RERUN and self._log.progress.now.mode is not Mode.INCIDENT

    @staticmethod
    def _is_to_do_again(item: TargetResult, by: str) -> bool:
        """What its guard calls failed has failed. What is found not in force is done again, unless a person says no."""
        if item.data.get("decided_by"):
            return item.data.get("choice") == "repeat"
        return item.outcome is Outcome.FAILED and by != "guard"

    @staticmethod
    def _left_out(attempt: Attempt) -> list[TargetResult]:
        known = set(attempt.targets)
        reason = "left out when the step was begun"
        return [
            TargetResult(target.name, Outcome.SKIPPED, reason)
            for target in attempt.step.targets
            if target.name not in known and attempt.number == 1 and target.kind == "gateway"
        ]

    def _decided(self, step: Step, item: TargetResult) -> TargetResult:
        decision = self._log.progress.decision(step.id, item.target)
        if decision is None or item.outcome not in results.UNKNOWN:
            return item
        not_done = Outcome.IGNORED if step.undoes else Outcome.FAILED
        outcome = {"done": Outcome.SUCCEEDED, "not-done": not_done, "repeat": Outcome.FAILED}[decision.choice]
        data = {**item.data, "decided_by": decision.by, "choice": decision.choice}
        return TargetResult(item.target, outcome, decision.said, data)

    def ask(self, step: Step, unknown: Mapping[str, str]) -> None:
        """Call a person by name; the run waits, its locks stay held. Raises WaitsForPerson."""
        self.call_for({step.id: unknown})

    def call_for(self, questions: Mapping[str, Mapping[str, str]]) -> None:
        """One question per step: its targets, each with why nobody can tell. Raises WaitsForPerson."""
        people = self._job.topology.people.with_role(PersonRole.COMMANDER)
        call = {"name": people[0].name.model_dump(), "phone": people[0].phone} if people else None
        for step, targets in questions.items():
            data = {"step": step, "targets": dict(targets), "call": call, "choices": list(CHOICES)}
            self._log.append(EventKind.WAITING, data)
        raise WaitsForPerson(", ".join(questions))

    @staticmethod
    def _of(attempt: Attempt) -> Step:
        chosen: tuple[Target, ...] = tuple(item for item in attempt.step.targets if item.name in attempt.targets)
        return attempt.step.model_copy(update={"targets": chosen})
