"""The engine on a simulated site that counts effects: what was touched, what was not, and what is left."""

import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.heed import Stops
from orchestrator.engine.log import Assignment
from orchestrator.engine.run import End, Engine, locks_of
from orchestrator.errors import JournalFailed, Refused, StepUnknown, Superseded
from orchestrator.history import epoch_s
from orchestrator.journal import LEASE_S, SqliteJournal, chain_is_valid
from orchestrator.judge import judge
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import load_site
from orchestrator.measure import GREENS_IN_A_ROW
from orchestrator.model.drill import Mode, Response, StopConditions
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan, Step, Verb
from orchestrator.model.topology import Topology
from orchestrator.model.verdict import ObjectiveState, Restoration, RunOutcome, Verdict
from orchestrator.planner import Request, make_plan
from orchestrator.planner.steps import SETTLE_S
from orchestrator.ports import Journal, Listener, Measurement
from tests.engine.sim import STEP_S, SimClock, SimWorld
from tests.support.permits import permit_for
from tests.support.sites import ROOT

SITE = load_site(ROOT / "inventory/example")
FUTIAN = ("nq-trade-1", "nq-trade-3", "nq-md-1", "nq-ccnet-1")


@dataclass
class Stage:
    """A plan, a simulated site, and a journal on disk."""

    topology: Topology
    plan: Plan
    world: SimWorld
    journal: SqliteJournal
    folder: Path

    listeners: tuple[Listener, ...] = ()
    stops: Stops = field(default_factory=Stops)
    end: End | None = None

    def play(self, journal: Journal | None = None) -> Verdict:
        """Open the run and run it to its end."""
        locks = locks_of(self.plan, self.topology)
        epoch = self.journal.open_run("r1", self.plan, self.folder, "tester", locks, {}, permit_for(self.plan))
        self.end = self._engine(epoch, journal or self.journal, resumed=False).run()
        return self.verdict()

    def resume(self) -> Verdict:
        """Another orchestrator takes the run over."""
        self.end = self._engine(self.take_over(), self.journal, resumed=True).run()
        return self.verdict()

    def take_over(self) -> int:
        """Once the lease of the one before has ended: in this test it is the same process, which lives."""
        self.world.clock.at += LEASE_S + 1
        self.world.epoch = self.journal.take_over("r1", "tester")
        return self.world.epoch

    def _engine(self, epoch: int, journal: Journal, *, resumed: bool) -> Engine:
        job = Assignment("r1", epoch, self.plan, self.topology, self.folder)
        return Engine(job, self.world, journal, self.world.clock, self.listeners, self.stops, resumed)

    def verdict(self) -> Verdict:
        return judge(self.plan, self.topology, self.events, self.world.observations(), chain_is_valid(self.events))

    @property
    def events(self) -> list[Event]:
        return self.journal.events("r1")

    def touched(self, verb: str) -> list[str]:
        return sorted(target for found, target in self.world.effects if found == verb)


class Stager:
    """Makes stages and closes their journals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journals: list[SqliteJournal] = []

    def close(self) -> None:
        for journal in self.journals:
            journal.close()

    def journal(self, clock: SimClock) -> SqliteJournal:
        self.journals.append(SqliteJournal(self.folder / "journal.db", clock))
        return self.journals[-1]

    def __call__(
        self,
        drill: str = "single-centre-failure",
        response: Response | None = None,
        mode: Mode = Mode.REHEARSAL,
        parameters: dict[str, str] | None = None,
        stop: StopConditions | None = None,
        *,
        people: bool = False,
    ) -> Stage:
        """`people`: with the steps that they have to confirm, which nobody here does by himself."""
        topology, clock = SITE.topology, SimClock()
        request = Request(mode, date(2026, 11, 22), parameters or {}, response)
        alone = {} if people else {"manual": (), "milestones": ()}
        definition = load_drill(ROOT / "drills", drill).model_copy(update={"stop": stop or StopConditions(), **alone})
        plan = make_plan(topology, SITE.digest, definition, request)
        return Stage(topology, plan, SimWorld(topology, clock), self.journal(clock), self.folder)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stager]:
    stager = Stager(tmp_path)
    yield stager
    stager.close()


@pytest.mark.parametrize(
    ("drill", "parameters"),
    [
        ("single-centre-failure", {"centre": "futian"}),
        ("single-centre-failure", {"centre": "southern"}),
        ("single-carrier-failure", {"carrier": "telecom"}),
        ("single-carrier-failure", {"carrier": "unicom"}),
        ("beijing-dr-cutover", {}),
        ("gateway-host-failure", {}),
        ("gateway-host-failure", {"manner": "freeze"}),
    ],
)
def test_every_drill_passes_and_is_restored(stage: Stager, drill: str, parameters: dict[str, str]) -> None:
    play = stage(drill, parameters=parameters)
    lists = {name: state.fronts for name, state in play.world.gateways.items()}
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration, verdict.reasons) == (RunOutcome.PASSED, Restoration.PROVED, ())
    assert verdict.exit_code == 0
    assert {name: state.fronts for name, state in play.world.gateways.items()} == lists
    assert play.world.fault is None
    assert chain_is_valid(play.events)


def test_repoint_changes_each_affected_list_once_and_puts_it_back_once(stage: Stager) -> None:
    play = stage()
    verdict = play.play()
    assert play.touched("repoint") == play.touched("restore") == sorted(FUTIAN)
    assert verdict.lists_changed == len(FUTIAN)
    assert play.world.effects.count(("inject", "fault")) == play.world.effects.count(("lift", "fault")) == 1


def test_observe_changes_no_list(stage: Stager) -> None:
    play = stage(response=Response.OBSERVE)
    verdict = play.play()
    assert (play.touched("repoint"), play.touched("restore"), verdict.lists_changed) == ([], [], 0)
    assert verdict.outcome is RunOutcome.PASSED


def test_assist_changes_only_what_stays_down(stage: Stager) -> None:
    play = stage(response=Response.ASSIST)
    play.world.gateways["nq-trade-3"].stuck = True
    verdict = play.play()
    assert play.touched("repoint") == play.touched("restore") == ["nq-trade-3"]
    assert (verdict.lists_changed, verdict.outcome, verdict.restoration) == (1, RunOutcome.PASSED, Restoration.PROVED)


def test_a_gateway_that_never_comes_back_fails_the_run_and_the_others_are_restored(stage: Stager) -> None:
    play = stage()

    def kill(step: Step) -> None:
        if step.verb is Verb.REPOINT:
            play.world.gateways["nq-md-1"].dead = True

    play.world.before_act = kill
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration, verdict.exit_code) == (RunOutcome.FAILED, Restoration.NOT_PROVED, 1)
    assert any("nq-md-1" in reason.en for reason in verdict.reasons)
    assert {item.target for item in verdict.differences} == {"nq-md-1"}
    assert play.touched("restore") == sorted(FUTIAN)
    assert play.end is End.WAITING, "its undo failed: a person is called, and the locks stay"


def test_a_baseline_that_is_not_met_touches_nothing(stage: Stager) -> None:
    play = stage()
    play.world.abnormal["baselining"] = "nq-trade-1"
    verdict = play.play()
    assert play.world.effects == []
    assert (verdict.outcome, verdict.restoration, verdict.exit_code) == (
        RunOutcome.NOT_STARTED,
        Restoration.NOT_APPLICABLE,
        3,
    )


def test_a_host_that_cannot_be_armed_touches_nothing(stage: Stager) -> None:
    play = stage()
    play.world.unreachable["nq-ccnet-1"] = "no route"
    assert play.play().outcome is RunOutcome.NOT_STARTED
    assert play.world.effects == []


def test_an_undo_that_fails_leaves_restoration_unproved(stage: Stager) -> None:
    play = stage()
    play.world.broken_restore.add("nq-trade-1")
    verdict = play.play()
    assert (verdict.restoration, verdict.exit_code, play.end) == (Restoration.NOT_PROVED, 1, End.WAITING)
    assert [item.target for item in verdict.differences if item.field == "endpoints"] == ["nq-trade-1"]
    asked = [event.data for event in play.events if event.kind is EventKind.WAITING]
    assert [(item["step"], item["targets"]) for item in asked] == [("restore-1", {"nq-trade-1": "disk full"})]
    assert asked[0]["call"]["phone"]
    with pytest.raises(Refused, match="LOCKED"):
        play.journal.open_run("next", play.plan, play.folder, "tester", locks_of(play.plan, play.topology))


def test_an_abort_undoes_what_began_and_nothing_else(stage: Stager) -> None:
    play = stage("beijing-dr-cutover")

    def abort(step: Step, _target: str) -> None:
        if step.id == "repoint-1":
            signal.raise_signal(signal.SIGTERM)

    play.world.after_target = abort
    verdict = play.play()
    first = next(step for step in play.plan.steps if step.id == "repoint-1").targets[0].name
    assert play.touched("repoint") == play.touched("restore") == [first]
    assert (verdict.outcome, verdict.restoration, verdict.exit_code) == (RunOutcome.ABORTED, Restoration.PROVED, 4)
    assert play.world.fault is None


def test_restoration_after_an_abort_waits_as_long_as_any_other(stage: Stager) -> None:
    play = stage("beijing-dr-cutover")

    def abort(step: Step) -> None:
        if step.id == "repoint-1":
            signal.raise_signal(signal.SIGINT)

    play.world.before_act = abort
    play.play()
    for name in ("routes-back", "settle-back"):
        began, ended = (epoch_s(event) for event in play.events if event.step == name)
        assert ended - began >= STEP_S * (GREENS_IN_A_ROW - 1), f"{name} waits for samples in a row"


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_host_that_was_lost_in_the_switch_keeps_nobody_from_being_verified(stage: Stager, comes_back: bool) -> None:
    play = stage(response=Response.REPOINT)
    host = play.topology.gateway["nq-trade-1"].host
    play.world.lost, play.world.gateways["nq-trade-1"].stuck = {host}, True
    lost = {item.gateway for item in play.plan.gateways if item.host == host}
    since: list[float] = []

    def thaw() -> None:
        since.append(play.world.clock.at)
        if comes_back and play.world.clock.at - since[0] > 3:
            play.world.last_words.clear()
            play.world.lost.clear()

    play.world.before_act = lambda step: since.clear() if step.verb is Verb.REPOINT else None
    play.world.while_waiting = thaw
    play.play()
    began, ended = (event for event in play.events if event.step == "settle")
    took_s = epoch_s(ended) - epoch_s(began)
    failed = {item["target"]: item["message"] for item in ended.data["results"] if item["outcome"] == "failed"}
    assert lost >= set(failed)
    assert "nq-trade-1" in failed
    assert all(("not waited for" in text) != comes_back for text in failed.values())
    assert (took_s > SETTLE_S) is comes_back, "who is there again may still come up"


@dataclass
class OnState:
    """Does something when the run enters a state, and may be a terminal that is gone."""

    state: str
    act: Callable[[], object]

    def event(self, event: Event) -> None:
        if event.kind is EventKind.STATE and event.data["state"] == self.state:
            self.act()

    def measuring(self, measurement: Measurement) -> None:
        pass

    def said(self, text: str) -> None:
        pass


def test_an_abort_during_the_last_step_before_restoration_is_no_pass(stage: Stager) -> None:
    play = stage()
    play.listeners = (OnState("holding", lambda: signal.raise_signal(signal.SIGHUP)),)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under `nohup` it is ignored, here and in the run
    try:
        verdict = play.play()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.ABORTED, Restoration.PROVED)


@pytest.mark.parametrize("state", ["switching", "restoring", "closing"])
@pytest.mark.parametrize("error", [BrokenPipeError, SystemExit])  # rich ends the process where its pipe is gone
def test_a_listener_that_fails_does_not_end_the_run(stage: Stager, state: str, error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    play = stage()
    play.listeners = (OnState(state, fail),)
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED)
    assert play.world.closed == 1


@pytest.mark.parametrize("error", [ValueError("x"), OSError("x"), KeyError("x"), StepUnknown("x")])
@pytest.mark.parametrize("broken", ["repoint-1", "restore-1"])
def test_no_error_of_an_act_skips_the_rest_of_restoration(stage: Stager, broken: str, error: Exception) -> None:
    play = stage()

    def fail(step: Step) -> None:
        if step.id == broken:
            raise error

    play.world.before_act = fail
    verdict = play.play()
    assert (play.world.fault, play.world.closed, play.world.stopped) == (None, 1, 1)
    ends = {event.step for event in play.events if event.kind in (EventKind.DONE, EventKind.UNDO_DONE)}
    begun = {event.step for event in play.events if event.kind in (EventKind.INTENT, EventKind.UNDO_INTENT)}
    assert begun == ends
    assert {"lift", "prove", "check-after-restoration"} <= ends
    if broken == "repoint-1":
        assert (play.end, verdict.outcome) == (End.CLOSED, RunOutcome.FAILED)
        assert play.journal.open_run("next", play.plan, play.folder, "tester", locks_of(play.plan, play.topology)) == 1
    else:
        assert (play.end, verdict.restoration) == (End.WAITING, Restoration.NOT_PROVED)


class Refusing:
    """A journal that refuses some writes, by their kind and state."""

    def __init__(self, journal: SqliteJournal, refused: Callable[[EventKind, str | None], bool]) -> None:
        self._journal, self._refused = journal, refused
        self.open_run, self.events, self.renew = journal.open_run, journal.events, journal.renew
        self.waiting, self.take = journal.waiting, journal.take

    def append(
        self,
        run: str,
        epoch: int,
        kind: EventKind,
        data: Mapping[str, Any],
        step: str | None = None,
        attempt: int | None = None,
    ) -> Event:
        if self._refused(kind, data.get("state")):
            raise JournalFailed("the journal cannot be written")
        return self._journal.append(run, epoch, kind, data, step, attempt)


@pytest.mark.parametrize("state", ["switching", "verifying", "restoring", "closing"])
def test_a_journal_that_refuses_a_write_stops_the_run_before_the_effect(stage: Stager, state: str) -> None:
    play, refusals = stage(), iter([True])
    journal = Refusing(play.journal, lambda _, found: found == state and next(refusals, False))
    with pytest.raises(JournalFailed):
        play.play(journal)
    effects = list(play.world.effects)
    assert (play.world.closed, play.world.stopped) == (0, 0), "what is at work is left for who goes on with the run"
    with pytest.raises(Refused, match="LOCKED"):
        play.journal.open_run("next", play.plan, play.folder, "tester", locks_of(play.plan, play.topology))
    verdict = play.resume()
    assert play.world.effects[: len(effects)] == effects
    assert (verdict.outcome, verdict.restoration, play.end) == (RunOutcome.PASSED, Restoration.PROVED, End.CLOSED)
    assert play.world.effects.count(("lift", "fault")) == 1


def test_a_sampler_that_dies_is_no_recovery(stage: Stager) -> None:
    play = stage("single-carrier-failure", parameters={"carrier": "telecom"})

    def die() -> None:
        play.world.go_deaf()
        play.world.clock.at += 30

    play.listeners = (OnState("holding", die),)
    verdict = play.play()
    assert verdict.outcome is RunOutcome.INCONCLUSIVE
    assert verdict.restoration is Restoration.NOT_PROVED
    assert not any(item.state is ObjectiveState.MET for item in verdict.objectives)


def test_checks_that_give_no_result_are_no_success(stage: Stager) -> None:
    play = stage()
    play.world.unchecked.add("verifying")
    verdict = play.play()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.INCONCLUSIVE, Restoration.PROVED)


def test_a_baseline_without_checks_is_not_met(stage: Stager) -> None:
    play = stage()
    play.world.unchecked.add("baselining")
    assert play.play().outcome is RunOutcome.NOT_STARTED
    assert play.world.effects == []


def test_a_gateway_that_its_host_left_alone_keeps_its_own_list_in_the_checks(stage: Stager) -> None:
    play = stage(response=Response.ASSIST)
    play.world.gateways["nq-trade-3"].stuck = True
    play.world.works_by_itself.add("nq-trade-3")
    play.play()
    found = next(item for item in play.world.asked["verifying"].gateways if item.gateway == "nq-trade-3")
    assert found.fronts == play.topology.gateway["nq-trade-3"].servers


def test_an_incident_injects_nothing_and_puts_nothing_back(stage: Stager) -> None:
    play = stage(mode=Mode.INCIDENT)
    verdict = play.play()
    assert play.touched("inject") == play.touched("lift") == play.touched("restore") == []
    assert verdict.restoration is Restoration.NOT_APPLICABLE


def test_the_intent_is_on_disk_before_each_effect(stage: Stager) -> None:
    play = stage()
    seen: list[bool] = []
    other = stage.journal(play.world.clock)

    def look(step: Step) -> None:
        seen.append(
            any(
                event.step == step.id and event.kind in (EventKind.INTENT, EventKind.UNDO_INTENT)
                for event in other.events("r1")
            )
        )

    play.world.before_act = look
    play.play()
    assert len(seen) >= 2
    assert all(seen)


def test_two_runs_never_hold_the_same_gateway(stage: Stager) -> None:
    play = stage()
    locks = locks_of(play.plan, play.topology)
    play.journal.open_run("other", play.plan, play.folder, "tester", locks)
    with pytest.raises(Refused, match=r"LOCKED: .* is held by run other"):
        play.play()
    assert play.world.effects == []


def test_locks_are_free_after_a_run_is_closed(stage: Stager) -> None:
    play = stage()
    play.play()
    assert play.journal.open_run("next", play.plan, play.folder, "tester", locks_of(play.plan, play.topology)) == 1


def test_an_orchestrator_that_lost_its_epoch_can_write_no_more(stage: Stager) -> None:
    play = stage()
    epoch = play.journal.open_run("r1", play.plan, play.folder, "tester", [])
    with pytest.raises(Superseded):
        play.journal.append("r1", epoch - 1, EventKind.NOTE, {"what": "error", "text": "late"})
    assert len(play.events) == 1


def test_a_changed_event_breaks_the_chain(stage: Stager) -> None:
    play = stage()
    play.play()
    events = play.events
    changed = events[3].model_copy(update={"data": {**events[3].data, "forged": True}})
    assert chain_is_valid(events)
    assert not chain_is_valid([*events[:3], changed, *events[4:]])
    assert not chain_is_valid([*events[:3], *events[4:]])


def test_a_state_that_is_not_as_before_is_not_closed_by_itself(stage: Stager) -> None:
    play = stage()
    play.world.abnormal["proving_restoration"] = "nq-trade-1"
    assert play.play().restoration is Restoration.NOT_PROVED
    assert [play.end] == [End.WAITING]
    asked = [event.data for event in play.events if event.kind is EventKind.WAITING]
    assert [(item["step"], list(item["targets"])) for item in asked] == [("prove", ["nq-trade-1"])]
    proofs = [event for event in play.events if (event.kind, event.step) == (EventKind.INTENT, "prove")]
    assert len(proofs) == 2, "what could not be seen at first is looked at once more"
    play.world.abnormal.clear()
    assert play.resume().restoration is Restoration.PROVED
    assert play.end is End.CLOSED
