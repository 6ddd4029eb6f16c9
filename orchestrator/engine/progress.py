"""What a run has come to, told by its events alone: a new orchestrator knows as much as the one before. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.history import as_promoted, epoch_s
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind, Outcome
from orchestrator.model.plan import Phase, Plan, Step, Target, Verb
from orchestrator.ports import Snapshot, TargetResult

FAULT_TOLD_S = 3600.0  # our choice: people who have not made or lifted the fault by then are asked otherwise
BEFORE_FAULT = (Phase.PRECHECKING, Phase.BASELINING)
RESTORATION = (Phase.RESTORING, Phase.PROVING_RESTORATION)
# Verbs that change something on a gateway's host or a router.
CHANGING = (
    Verb.PATH,
    Verb.REPOINT,
    Verb.RESTORE,
    Verb.RESTART,
    Verb.FENCE,
    Verb.TAKE_OVER,
    Verb.GIVE_BACK,
    Verb.UNFENCE,
)
# Verbs whose end a person may say; on a real site people make and lift the fault.
ANSWERED = (Verb.CONFIRM, Verb.INJECT, Verb.LIFT)
# How an attempt ends that a person has answered, or had the time to.
HEARD = (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNDONE, Outcome.UNDO_FAILED)
# Notes that end the way forward.
_ENDING = ("not_confirmed", "not_started", "aborted", "error", "stop_condition", "fault_lapsed", "twin_gone")


@dataclass
class Attempt:
    """One attempt of one step. `results` None: it is open, nobody knows yet what became of it."""

    step: Step
    number: int
    targets: tuple[str, ...]
    asked_at: float
    results: dict[str, TargetResult] | None = None
    again: frozenset[str] = frozenset()  # settled as not in force: another attempt has to do them
    never_begun: bool = False
    settled: tuple[TargetResult, ...] | None = None  # on record, but the attempt is not closed yet
    elsewhere: bool = False  # begun, or supposed to be, by a controller that is gone with its guards


@dataclass(frozen=True)
class Decision:
    """What a person decided of one attempt."""

    attempt: int
    choice: str  # done | not-done | repeat
    by: str
    reason: str
    second: str | None = None

    @property
    def said(self) -> str:
        named = self.by if self.second is None else f"{self.by} and {self.second}"
        return f"decided {self.choice} by {named}: {self.reason}"


@dataclass
class Progress:
    """Folded from events, one at a time; the same whether they were just written or read again."""

    plan: Plan
    attempts: dict[str, list[Attempt]] = field(default_factory=dict)
    decisions: dict[tuple[str, int, str | None], Decision] = field(default_factory=dict)
    asked: dict[str, tuple[str, ...]] = field(default_factory=dict)  # step → targets of its newest question
    accepted: dict[str, set[str]] = field(default_factory=dict)  # step → targets that a person has left as they are
    before: Snapshot = field(default_factory=lambda: Snapshot({}, {}))  # how it has to be again
    inherited: dict[str, str] = field(default_factory=dict)  # failback: digests that the incident left
    fault_on: bool = False
    lifted_at: float = 0.0
    ended: str | None = None  # why the way forward ended
    silent_since: float | None = None
    armed: bool = False
    interrupted: set[tuple[str, int]] = field(default_factory=set)
    confirmed: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # step → what a person said of it
    alarmed: set[int] = field(default_factory=set)  # days after D that were told
    promoted: bool = False  # a drill that became an incident
    copied: bool = False  # goes on from the copy in the second room, which cannot prove that it is whole
    known: set[str] = field(default_factory=set)  # copied: steps that were looked at or begun since

    @classmethod
    def of(cls, plan: Plan, events: Sequence[Event]) -> "Progress":
        progress = cls(plan)
        for event in events:
            progress.apply(event)
        return progress

    def apply(self, event: Event) -> None:
        """Fold one event in."""
        data = event.data
        match event.kind:
            case EventKind.INTENT | EventKind.UNDO_INTENT:
                self._begin(event)
            case EventKind.DONE | EventKind.UNDO_DONE:
                self._end(event)
            case EventKind.SETTLED:
                self._settle(event)
            case EventKind.INTERRUPTED:
                self.interrupted.add((str(event.step), event.attempt or 1))
            case EventKind.SNAPSHOT if data["when"] == "before":
                self._take_before(data)
            case EventKind.FAULT_ON | EventKind.FAULT_OFF:
                self.fault_on = event.kind is EventKind.FAULT_ON
                self.lifted_at = 0.0 if self.fault_on else data["at"]
            case _:
                self._apply_rare(event)

    def _apply_rare(self, event: Event) -> None:
        """What changes the course of the run."""
        data = event.data
        match event.kind:
            case EventKind.NOTE if data["what"] in _ENDING:
                self.ended = self.ended or data["what"]
            case EventKind.MESSAGE if data["topic"] == "decide":
                self._decide(data)
            case EventKind.MESSAGE if data["topic"] == "promote":
                self.promoted = self.promoted or self.may_promote()
            case EventKind.MESSAGE if data["topic"] == "confirm" and self.counts(data):
                self.confirmed.setdefault(data["step"], data)
            case EventKind.ALARM:
                self.alarmed.add(data["day"])
            case EventKind.RESUMED:
                self.silent_since = data["silent_since"]
                if "copied" in data:
                    self._go_on_elsewhere()
                if self.now.mode is Mode.INCIDENT:  # it was stopped and held: going on is what was asked for
                    self.ended = None
            case EventKind.WAITING:
                self.asked[data["step"]] = tuple(data["targets"])
            case _:
                pass

    def _take_before(self, data: Mapping[str, Any]) -> None:
        """A failback goes back to before the incident; what it finds is what that has left."""
        back = self.plan.fails_back
        self.before = snapshot_of(back.over(data) if back else data)
        self.inherited = back.still_left(data) if back else {}

    # -- folding --------------------------------------------------------------------------------------

    def _begin(self, event: Event) -> None:
        step = self.step(str(event.step))
        attempt = Attempt(step, event.attempt or 1, tuple(event.data["targets"]), epoch_s(event))
        attempt.elsewhere = bool(event.data.get("supposed"))
        self.attempts.setdefault(step.id, []).append(attempt)
        if not attempt.elsewhere:
            self.known.add(step.id)
        if step.verb in (Verb.ARM, Verb.DISARM):
            self.armed = True  # until a disarm is known to have succeeded

    def _end(self, event: Event) -> None:
        attempt = self.attempts[str(event.step)][-1]
        attempt.results = {item.target: item for item in results_of(event.data)}
        if attempt.step.verb in ANSWERED and not self._is_cut_off(attempt):
            self.confirmed.pop(attempt.step.id, None)  # it is used up: asked again, it has to be said again
        if attempt.step.verb is Verb.DISARM:
            self.armed = any(item.outcome is not Outcome.SUCCEEDED for item in attempt.results.values())

    def counts(self, word: Mapping[str, Any]) -> bool:
        """Whether what a person said of a step may answer it: a word on an attempt that has its answer says nothing of
        a later one. Of an attempt that was cut off it counts for the next.
        """
        answered = (item for item in self.attempts.get(word["step"], ()) if item.results is not None)
        return all(self._is_cut_off(item) or item.number < word["attempt"] for item in answered)

    @staticmethod
    def _is_cut_off(attempt: Attempt) -> bool:
        """Nobody was there to hear the answer, or an abort came first: what was said counts for the next attempt."""
        return bool(attempt.again) or any(item.outcome not in HEARD for item in (attempt.results or {}).values())

    def _settle(self, event: Event) -> None:
        attempt = self.attempts[str(event.step)][-1]
        attempt.again = frozenset(event.data["again"])
        attempt.never_begun = event.data["by"] == "never begun"
        attempt.settled = tuple(results_of(event.data))
        self.known.add(attempt.step.id)

    def _go_on_elsewhere(self) -> None:
        """Guards and their results stayed where the run was before; steps after the last that is known may be begun."""
        self.copied, self.known = True, set()
        for attempt in self.open():
            attempt.elsewhere = True

    def _decide(self, data: Mapping[str, Any]) -> None:
        step, tried = data["step"], self.attempts.get(data["step"])
        if not tried:
            return
        attempt = int(data.get("attempt") or tried[-1].number)
        self.decisions[step, attempt, data.get("target")] = Decision(
            attempt, data["choice"], data["by"], data["reason"], data.get("second")
        )
        named = {data["target"]} if data.get("target") else set(data.get("targets") or self.asked.get(step, ()))
        if data["choice"] == "repeat":
            self.accepted.get(step, set()).difference_update(named)
        else:
            self.accepted.setdefault(step, set()).update(named)

    # -- asking ---------------------------------------------------------------------------------------

    def step(self, name: str) -> Step:
        return next(step for step in self.plan.steps if step.id == name)

    def open(self) -> list[Attempt]:
        """Attempts whose end is not on record."""
        return [tried[-1] for tried in self.attempts.values() if tried[-1].results is None]

    def left_behind(self) -> set[str]:
        """Gateways whose hosts were silent when they were last to be switched."""
        found: dict[str, bool] = {}
        for tried in self.attempts.values():
            for attempt in tried:
                if attempt.step.verb is Verb.REPOINT and attempt.results is not None:
                    found |= {name: bool(item.data.get("silent")) for name, item in attempt.results.items()}
        return {name for name, is_silent in found.items() if is_silent}

    def is_lifting(self) -> bool:
        """Whether somebody was cut off while the fault was being lifted: what became of that, its settling tells."""
        return any(attempt.step.verb is Verb.LIFT for attempt in self.open())

    def may_be_begun(self, step: Step) -> bool:
        """Whether a controller that is gone may have begun it, or begun it once more, unheard of by the copy."""
        return self.copied and step.id not in self.known and step.verb in (*CHANGING, Verb.INJECT)

    def next_attempt(self, step: Step) -> int:
        return len(self.attempts.get(step.id, ())) + 1

    def begun(self, step: str) -> bool:
        """Whether anything of it may have happened. An attempt that left out every target touched nothing."""
        return any(attempt.targets and not attempt.never_begun for attempt in self.attempts.get(step, ()))

    def begun_on(self, step: str, target: str) -> bool:
        """Whether anything of it may have happened to one target."""
        return any(not item.never_begun and target in item.targets for item in self.attempts.get(step, ()))

    def touched(self) -> bool:
        """Whether something was changed, or may have been, that has to be put back."""
        return any(self.begun(step) for step in self.plan.touching)

    def is_to_undo(self, step: Step) -> bool:
        """Whether there is something that a restoring step undoes; what a failback undoes the incident has done."""
        return not step.undoes or self.plan.fails_back is not None or self.begun(step.undoes)

    @property
    def now(self) -> Plan:
        """The plan by which the run goes on: once it is promoted, as an incident reads it."""
        if not self.promoted:
            return self.plan
        fences = [step for step in self.plan.steps if step.verb is Verb.FENCE]
        fenced = {item.name for step in fences for item in step.targets if self.begun_on(step.id, item.name)}
        return as_promoted(self.plan, fenced)

    def may_promote(self) -> bool:
        """Only a drill that still goes forward can become an incident (`history.promotion` reads the same)."""
        drill = self.plan.mode is Mode.DRILL and self.plan.fails_back is None
        return drill and self.ended is None and not self.restoring()

    def restoring(self) -> bool:
        """Whether the way back has begun. It is never left again. Promoted, a run has none: it only lifts its fault."""
        way_back = (step.id for step in self.plan.steps if step.phase in RESTORATION)
        return not self.promoted and any(step in self.attempts for step in way_back)

    def latest(self, step: str) -> dict[str, TargetResult]:
        """The newest result of each target of a step, with what a person has decided of it."""
        found: dict[str, TargetResult] = {}
        for attempt in self.attempts.get(step, ()):
            found |= attempt.results or {}
        return {name: self._decided(step, item) for name, item in found.items()}

    def _decided(self, step: str, item: TargetResult) -> TargetResult:
        decision = self.decision(step, item.target)
        if decision is None or decision.choice == "repeat" or item.outcome in _FINAL:
            return item
        undo = self.step(step).undoes is not None
        done, not_done = (Outcome.UNDONE, Outcome.IGNORED) if undo else (Outcome.SUCCEEDED, Outcome.FAILED)
        outcome = done if decision.choice == "done" else not_done
        return TargetResult(item.target, outcome, decision.said, {**item.data, "decided_by": decision.by})

    def decision(self, step: str, target: str) -> Decision | None:
        """What was decided of the newest attempt; what was decided of an earlier one says nothing of it."""
        newest = self.next_attempt(self.step(step)) - 1
        return self.decisions.get((step, newest, target)) or self.decisions.get((step, newest, None))

    def pending(self, step: Step) -> list[Target]:
        """Targets that are still to be done: all of them at first, later those that another attempt has to do."""
        tried = self.attempts.get(step.id)
        if not tried:
            return list(step.targets)
        if tried[-1].results is None:
            return []
        if step.verb is Verb.CONFIRM and step.phase not in RESTORATION and not self.is_confirmed(step):
            return list(step.targets)  # an incident that was held asks again: nothing behind it begins without it
        again = set(tried[-1].again)
        ours = step.verb in CHANGING or step.by_hand
        failed = _FAILED if step.phase in RESTORATION and ours else (Outcome.UNDO_FAILED,)
        again |= {name for name, item in self.latest(step.id).items() if item.outcome in failed}
        again |= {name for name in tried[-1].targets if self._is_to_repeat(step.id, name)}
        return [target for target in step.targets if target.name in again]

    def is_confirmed(self, step: Step) -> bool:
        found = self.latest(step.id).values()
        return bool(found) and all(item.outcome is Outcome.SUCCEEDED for item in found)

    def asked_since(self, step: str) -> float:
        """When a person's step was asked for first, since it was last answered or its time was over."""
        since = 0.0
        for attempt in self.attempts[step]:
            since = since or attempt.asked_at
            if attempt.results and not self._is_cut_off(attempt):
                since = 0.0
        return since

    def _is_to_repeat(self, step: str, target: str) -> bool:
        decision = self.decision(step, target)
        return decision is not None and decision.choice == "repeat"

    def undo_failures(self) -> Iterator[tuple[Step, TargetResult]]:
        """Everything whose undoing failed, or cannot be told."""
        for step in self.plan.steps:
            if step.undoes:
                for item in self.latest(step.id).values():
                    if item.outcome is Outcome.UNDO_FAILED:
                        yield step, item

    @property
    def given_up(self) -> set[str]:
        """Targets whose undoing a person has given up: they are known not to be as before."""
        return {
            name
            for step in self.plan.steps
            if step.undoes
            for name, item in self.latest(step.id).items()
            if item.outcome is Outcome.IGNORED
        }

    @property
    def repointed(self) -> set[str]:
        """Gateways whose list was changed, or may have been: a change that was cut off counts."""
        return set(self.plan.fails_back.left if self.plan.fails_back else ()) | {
            name
            for step in self.plan.steps
            if step.verb is Verb.REPOINT
            for attempt in self.attempts.get(step.id, ())
            if not attempt.never_begun
            for name in attempt.targets
        }

    @property
    def left_alone(self) -> set[str]:
        """Gateways that the host found working: their list is the old one."""
        return {
            name
            for step in self.plan.steps
            if step.verb is Verb.REPOINT
            for name, item in self.latest(step.id).items()
            if item.outcome is Outcome.SKIPPED and name in self.repointed
        }

    @property
    def written(self) -> dict[str, str]:
        """Gateway → digest of its file as this run, or the incident that it brings home, left it."""
        return self.inherited | {
            name: item.data["sha256_after"]
            for tried in self.attempts.values()
            for attempt in tried
            for name, item in (attempt.results or {}).items()
            if item.data.get("sha256_after")
        }


_FAILED = (Outcome.UNDO_FAILED, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.INDETERMINATE)
_FINAL = (Outcome.SUCCEEDED, Outcome.UNDONE, Outcome.SKIPPED)


def results_of(data: Mapping[str, Any]) -> list[TargetResult]:
    """The results that an event holds."""
    return [
        TargetResult(item["target"], Outcome(item["outcome"]), item["message"], item["data"])
        for item in data["results"]
    ]


def snapshot_of(data: Mapping[str, Any]) -> Snapshot:
    """The snapshot that an event holds."""
    return Snapshot(
        gateways=data["gateways"],
        routers=data["routers"],
        residue=data["residue"],
        clock_offset_s=data["clock_offset_s"],
        unreachable=data["unreachable"],
        hops=data.get("hops", {}),
    )
