"""Kills an orchestrator at any of its contacts with the outside, lets another one go on, and examines the truth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.engine.log import Assignment
from orchestrator.engine.progress import Progress
from orchestrator.engine.run import End, Engine, locks_of
from orchestrator.journal import CLOSED, LEASE_S, SqliteJournal, chain_is_valid
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Verb
from orchestrator.model.verdict import Verdict
from orchestrator.ports import Message
from tests.engine.sim import Contacts, Killed
from tests.engine.test_engine import Stage
from tests.support.permits import permit_for

SOON_S, LATE_S = LEASE_S + 1, 200.0  # before and after a fault without its run lifts itself
MOST_RESUMES = 12


class CutJournal:
    """The journal of one orchestrator that may die before and after each write."""

    def __init__(self, journal: SqliteJournal, contacts: Contacts) -> None:
        self._journal, self._contacts = journal, contacts
        self.open_run, self.events = journal.open_run, journal.events

    def append(
        self,
        run: str,
        epoch: int,
        kind: EventKind,
        data: Mapping[str, Any],
        step: str | None = None,
        attempt: int | None = None,
    ) -> Event:
        return self._cut(f"{kind} {step or ''}", lambda: self._journal.append(run, epoch, kind, data, step, attempt))

    def renew(self, run: str, epoch: int) -> None:
        self._cut("renew", lambda: self._journal.renew(run, epoch))

    def waiting(self, run: str) -> list[Message]:
        return self._journal.waiting(run)

    def take(self, run: str, epoch: int, message: Message) -> Event:
        return self._cut(f"take {message.topic}", lambda: self._journal.take(run, epoch, message))

    def _cut[T](self, what: str, act: Callable[[], T]) -> T:
        self._contacts.touch(f"before {what}")
        done = act()
        self._contacts.touch(f"after {what}")
        return done


@dataclass
class Night:
    """One run, from its opening to its end, with as many orchestrators as it takes."""

    stage: Stage
    run: str = "r1"
    kills: int = 0
    killed_at: list[str] = field(default_factory=list)
    decisions: int = 0
    accepted: bool = False  # a person closed it as it was
    end: End | None = None

    def start(self, kill_at: int | str | None = None) -> End | None:
        """None: it was killed."""
        play = self.stage
        locks = locks_of(play.plan, play.topology)
        epoch = play.journal.open_run(self.run, play.plan, play.folder, "tester", locks, {}, permit_for(play.plan))
        return self._go(epoch, kill_at, resumed=False)

    def resume(self, kill_at: int | str | None = None, after_s: float = SOON_S) -> End | None:
        """Another orchestrator, so long after the one before was last heard of."""
        self.stage.world.pass_time(after_s)
        epoch = self.stage.journal.take_over(self.run, "tester")
        return self._go(epoch, kill_at, resumed=True)

    def _go(self, epoch: int, kill_at: int | str | None, *, resumed: bool) -> End | None:
        play, contacts = self.stage, self.stage.world.contacts
        contacts.revive(kill_at)
        play.world.epoch = epoch
        job = Assignment(self.run, epoch, play.plan, play.topology, play.folder)
        journal = CutJournal(play.journal, contacts)
        engine = Engine(job, play.world, journal, play.world.clock, play.listeners, play.stops, resumed)
        try:
            self.end = engine.run()
        except Killed:
            self.kills += 1
            self.killed_at.append(contacts.seen[-1])
            self.end = None
        return self.end

    def abort(self) -> None:
        self.stage.journal.post(self.run, "abort", {"by": "tester", "reason": "enough"}, f"abort {self.run}")

    def decide(self, choice: str) -> None:
        """Answer every question that is open."""
        asked: dict[str, Any] = {}
        for item in self.events:
            if item.kind is EventKind.RESUMED:
                asked.clear()
            elif item.kind is EventKind.WAITING:
                asked[item.data["step"]] = item.data
        self.accepted = self.accepted or choice != "repeat"
        for step in asked:
            self.decisions += 1
            data = {"step": step, "choice": choice, "by": "tester", "reason": "looked at it"}
            self.stage.journal.post(self.run, "decide", data, f"{step} {self.decisions}")

    def finish(self, after_s: float = SOON_S, choice: str = "done") -> Verdict:
        """Resume until it is closed; what asks for a person gets an answer."""
        for _ in range(MOST_RESUMES):
            if self.is_closed():
                self.end = End.CLOSED
            if self.end in (End.CLOSED, End.PAUSED):
                return self.verdict()
            if self.end is End.WAITING:
                self.decide(choice)
            self.resume(after_s=after_s)
        raise AssertionError(f"not closed after {MOST_RESUMES} orchestrators; killed at {self.killed_at}")

    def is_closed(self) -> bool:
        return self.stage.journal.state(self.run).status == CLOSED

    @property
    def events(self) -> list[Event]:
        return self.stage.journal.events(self.run)

    def verdict(self) -> Verdict:
        return self.stage.verdict()

    # -- the truth ------------------------------------------------------------------------------------

    def examine(self) -> None:
        """What must hold at any moment, and what must hold once the run is closed."""
        assert chain_is_valid(self.events)
        assert self.stage.world.duplicates == [], f"logged in twice; killed at {self.killed_at}"
        self._every_effect_had_its_intent()
        self._nothing_was_repeated_unnoticed()
        if self.end is End.CLOSED:
            self._nothing_is_left()

    def _every_effect_had_its_intent(self) -> None:
        begun = {f"{item.step}-{item.attempt}" for item in self.events if item.kind in _INTENTS}
        begun |= {f"late {item.step}" for item in self.events if item.kind in _INTENTS}
        for call, target in self.stage.world.by_call:
            assert call in begun, f"{call} touched {target} without an intent; killed at {self.killed_at}"

    def _nothing_was_repeated_unnoticed(self) -> None:
        """One effect per call and target; a further attempt only after a look, a failure or a person said so."""
        effects = self.stage.world.by_call
        twice = {item for item in effects if effects.count(item) > 1}
        assert not twice, f"{twice} took effect twice; killed at {self.killed_at}"
        known: set[tuple[str, str]] = set()
        for event in self.events:
            key = str(event.step)
            if event.kind in _INTENTS:
                again = {target for target in event.data["targets"] if (key, target) in known}
                assert not again or key in _looking(self.stage), f"{key} was repeated on {again} unnoticed"
                known |= {(key, target) for target in event.data["targets"]}
            if event.kind is EventKind.SETTLED:
                known -= {(key, target) for target in event.data["again"]}
            if event.kind in _DONES:
                failed = [item["target"] for item in event.data["results"] if item["outcome"] == "undo_failed"]
                known -= {(key, target) for target in failed}

    def _nothing_is_left(self) -> None:
        world, progress = self.stage.world, Progress.of(self.stage.plan, self.events)
        assert progress.open() == []
        assert world.fault is None
        assert self.stage.journal.locks(self.run) == []
        assert world.fenced == set()
        assert world.token == 0, f"the token is still on the hosts; killed at {self.killed_at}"
        if self.stage.plan.mode is not Mode.INCIDENT and not self.accepted:
            for gateway in world.topology.gateways:
                assert world.gateways[gateway.id].fronts == gateway.servers, f"killed at {self.killed_at}"


_INTENTS = (EventKind.INTENT, EventKind.UNDO_INTENT)
_DONES = (EventKind.DONE, EventKind.UNDO_DONE)


def _looking(stage: Stage) -> set[str]:
    """Steps that touch nothing, or only what is ours, or are idempotent: they may be done again without a word."""
    verbs = (Verb.ARM, Verb.DISARM, Verb.SNAPSHOT, Verb.CHECK, Verb.PROVE, Verb.WAIT, Verb.HOLD, Verb.LIFT)
    rerun = (Verb.FENCE, Verb.UNFENCE, Verb.GIVE_BACK)  # declared idempotent
    return {step.id for step in stage.plan.steps if step.verb in (*verbs, *rerun)}
