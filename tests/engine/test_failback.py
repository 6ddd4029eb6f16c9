"""The way home of an incident on a simulated site: what was moved goes back, proved, and nothing else is touched."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from orchestrator.engine.heed import Stops
from orchestrator.engine.run import End
from orchestrator.history import epoch_s
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Action, Phase, Verb
from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.planner.failback import Past, make_failback
from tests.engine.cuts import Night
from tests.engine.test_engine import SITE, Stage, Stager
from tests.support.sites import ROOT

TODAY = date(2026, 11, 22)
BEIJING, HOST = "beijing-dr-cutover", "gateway-host-failure"
CENTRE, CARRIER = "single-centre-failure", "single-carrier-failure"
# Where the gateways' own lists go on by themselves an incident moves nothing; one that hangs on is repointed.
STUCK = ("nq-trade-1", "nq-md-1")


@dataclass
class Home(Stage):
    """The failback of an incident, on the same simulated site."""

    @property
    def events(self) -> list[Event]:
        return self.journal.events("r2")


@pytest.fixture
def stage(tmp_path: Any) -> Iterator[Stager]:
    stager = Stager(tmp_path)
    yield stager
    stager.close()


def after_incident(stager: Stager, drill: str, stuck: tuple[str, ...] = ()) -> Stage:
    """The fault happens behind the product's back, and a switchover answers it."""
    play = stager(drill, mode=Mode.INCIDENT)
    for name in stuck:
        play.world.gateways[name].stuck = True
    play.world.fault = play.plan.fault
    play.world.pass_time(20)
    assert play.play().outcome is RunOutcome.PASSED
    for name in stuck:
        play.world.gateways[name].stuck = False
    return play


def past_of(play: Stage) -> Past:
    return Past("r1", play.plan, play.events)


def homeward(play: Stage, *, repaired: bool = True) -> Home:
    """The fault is repaired behind the product's back, and its failback is planned."""
    world = play.world
    if repaired:
        world.fault = None
        world.pass_time(20)
    definition = load_drill(ROOT / "drills", play.plan.drill)
    plan = make_failback(SITE.topology, SITE.digest, definition, past_of(play), TODAY)
    world.effects.clear()
    world.by_call.clear()
    world.guards.clear()
    world.epoch, world.token, world.fault_epoch = 1, 0, 0
    return Home(play.topology, plan, world, play.journal, play.folder)


def night_of(home: Home) -> Night:
    return Night(home, run="r2")


def is_home(home: Home) -> bool:
    """Every gateway where it was before anything happened, by the truth of the simulated site."""
    world = home.world
    for change in home.plan.gateways:
        state = world.gateways[change.gateway]
        wanted = change.after.front if change.after else None
        if (state.front, state.fronts) != (wanted, change.list_after) or state.running is not (wanted is not None):
            return False
    paths = all(world.moved.get((path.router, path.centre)) == path.line_before for path in home.plan.paths)
    return paths and not world.fenced


CASES = [(CENTRE, STUCK), (CENTRE, ()), (CARRIER, ()), (BEIJING, ()), (HOST, ())]


@pytest.mark.parametrize(("drill", "stuck"), CASES)
def test_a_failback_brings_everything_home_and_proves_it(stage: Stager, drill: str, stuck: tuple[str, ...]) -> None:
    home = homeward(after_incident(stage, drill, stuck))
    night, takes_away = night_of(home), takes_away_of(home)
    assert not is_home(home)
    assert night.start() is End.CLOSED
    assert takes_away == [True]
    verdict = night.verdict()
    night.examine()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED), verdict.reasons
    assert is_home(home)
    assert all(item.came_back for item in verdict.gateways if item.action is Action.HOME)
    restored = {target.name for step in home.plan.steps if step.verb is Verb.RESTORE for target in step.targets}
    assert restored == set(home.touched("restore"))
    untouched = {change.gateway for change in home.plan.gateways if change.action is Action.NONE}
    assert untouched.isdisjoint(target for _, target in home.world.effects)


@pytest.mark.parametrize("guard_mode", ["runs", "dies"])
@pytest.mark.parametrize(("drill", "stuck"), [(CENTRE, STUCK), (BEIJING, ()), (HOST, ())])
def test_a_failback_that_is_killed_anywhere_comes_home(
    stage: Stager, drill: str, stuck: tuple[str, ...], guard_mode: str
) -> None:
    """A stride that is prime to everything spreads the cuts."""
    whole = night_of(homeward(after_incident(stage, drill, stuck)))
    assert whole.start() is End.CLOSED
    total = whole.stage.world.contacts.count
    for kill_at in range(1 + 3 * (guard_mode == "dies"), total, 13):
        folder = stage.folder / f"{kill_at}"
        folder.mkdir()
        stager = Stager(folder)
        home = homeward(after_incident(stager, drill, stuck))
        night = night_of(home)
        home.world.guard_mode = guard_mode
        assert night.start(kill_at) is None
        night.examine()
        verdict = night.finish()
        night.examine()
        assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED), night.killed_at
        assert is_home(home), night.killed_at
        stager.close()


def takes_away_of(home: Home) -> list[bool]:
    """Of each time that hosts are cleared: whether what the incident kept there goes with it."""
    found: list[bool] = []
    disarm = home.world.disarm

    def seen(call: Any, plan: Any) -> Any:
        found.append(plan.fails_back is not None)
        return disarm(call, plan)

    home.world.disarm = seen  # type: ignore[method-assign]
    return found


def refused(home: Home, *what: str) -> None:
    """It was not begun, by that name, and nothing was touched."""
    night, takes_away = night_of(home), takes_away_of(home)
    assert night.start() is End.CLOSED
    assert takes_away == [False], "what the next failback needs stays on the hosts"
    assert night.verdict().outcome is RunOutcome.NOT_STARTED
    assert night.verdict().restoration is Restoration.NOT_APPLICABLE
    assert home.world.effects == []
    notes = [item.data["text"] for item in home.events if item.kind is EventKind.NOTE]
    assert len(notes) == 1
    assert [word for word in what if word not in notes[0]] == [], notes


@pytest.mark.parametrize(("drill", "stuck"), [(CENTRE, STUCK), (CARRIER, ()), (BEIJING, ()), (HOST, ())])
def test_nothing_begins_while_the_fault_is_still_there(stage: Stager, drill: str, stuck: tuple[str, ...]) -> None:
    seen = "arm: nq-trade-1: unreachable" if drill == HOST else "snapshot: "
    refused(homeward(after_incident(stage, drill, stuck), repaired=False), f"FAULT_STILL_THERE: {seen}")


def test_a_front_that_does_not_answer_is_a_fault_that_is_still_there(stage: Stager) -> None:
    home = homeward(after_incident(stage, CENTRE, STUCK))
    home.world.abnormal["baselining"] = "nq-trade-1"
    refused(home, "FAULT_STILL_THERE: check-fault-gone: nq-trade-1")
    asked = home.world.asked["baselining"].gateways
    receiving = {item.id for item in SITE.topology.gateways if item.receives_only}
    assert {item.gateway for item in asked} == {item.gateway for item in home.plan.affected} - receiving
    assert all(item.config_sha256 is None for item in asked), "its file is still the incident's"


def test_what_is_written_is_held_against_what_the_incident_left_and_found(stage: Stager) -> None:
    """The host refuses a file that is not as it was left, and puts back none but the original."""
    home = homeward(after_incident(stage, CENTRE, STUCK))
    found: list[tuple[str | None, str | None]] = []
    act = home.world.act

    def seen(call: Any, step: Any, before: Any, written: Any) -> Any:
        if step.verb is Verb.RESTORE:
            found.append((before.gateways["nq-trade-1"]["config_sha256"], written.get("nq-trade-1")))
        return act(call, step, before, written)

    home.world.act = seen  # type: ignore[method-assign]
    left = home.world.gateways["nq-trade-1"].digest
    assert night_of(home).start() is End.CLOSED
    assert found == [(original(home, "nq-trade-1"), left)]
    assert left != original(home, "nq-trade-1")


def test_a_file_that_somebody_edited_since_is_never_written_over(stage: Stager) -> None:
    home = homeward(after_incident(stage, CENTRE, STUCK))
    home.world.gateways["nq-trade-1"].digest = "digest of an edit"
    refused(home, "nq-trade-1: CHANGED_SINCE_INCIDENT: ")


def test_a_file_that_somebody_has_put_back_already_is_home(stage: Stager) -> None:
    home = homeward(after_incident(stage, CENTRE, STUCK))
    state = home.world.gateways["nq-trade-1"]
    state.fronts, state.digest = SITE.topology.gateway["nq-trade-1"].servers, str(original(home, "nq-trade-1"))
    assert night_of(home).start() is End.CLOSED
    assert home.verdict().restoration is Restoration.PROVED


def original(home: Home, gateway: str) -> str | None:
    assert home.plan.fails_back is not None
    return home.plan.fails_back.original(gateway)


def test_a_window_that_is_shut_keeps_it_from_beginning_and_never_from_ending(stage: Stager) -> None:
    home = homeward(after_incident(stage, CENTRE, STUCK))
    home.stops = Stops(window=lambda: "OUTSIDE_WINDOW: it is shut")
    refused(home, "OUTSIDE_WINDOW")

    other = Stager(stage.folder / "other")
    other.folder.mkdir()
    home = homeward(after_incident(other, CENTRE, STUCK))
    home.stops = Stops(window=lambda: "OUTSIDE_WINDOW: it is shut" if home.world.effects else None)
    assert night_of(home).start() is End.CLOSED
    assert is_home(home)
    other.close()


def test_an_abort_does_not_leave_a_failback_half_way(stage: Stager) -> None:
    home = homeward(after_incident(stage, BEIJING))
    night = night_of(home)
    home.world.after_target = lambda *_: night.abort() if len(home.world.effects) == 1 else None
    assert night.start() is End.CLOSED
    assert is_home(home)
    assert night.verdict().restoration is Restoration.PROVED


def test_an_abort_before_anything_moved_ends_it(stage: Stager) -> None:
    home = homeward(after_incident(stage, CENTRE, STUCK))
    night = night_of(home)
    original_snapshot = home.world.snapshot

    def snapshot(*words: Any, **more: Any) -> Any:
        night.abort()
        return original_snapshot(*words, **more)

    home.world.snapshot = snapshot  # type: ignore[method-assign]
    assert night.start() is End.CLOSED
    assert night.verdict().outcome is RunOutcome.ABORTED
    assert home.world.effects == []


def test_what_cannot_be_brought_home_calls_a_person(stage: Stager) -> None:
    home = homeward(after_incident(stage, CENTRE, STUCK))
    home.world.broken_restore.add("nq-trade-1")
    night = night_of(home)
    assert night.start() is End.WAITING
    asked = [item.data for item in home.events if item.kind is EventKind.WAITING]
    assert ([item["step"] for item in asked], list(asked[0]["targets"])) == (["restore-1"], ["nq-trade-1"])
    home.world.broken_restore.clear()
    night.decide("repeat")
    assert night.resume() is End.CLOSED
    assert night.verdict().restoration is Restoration.PROVED
    assert is_home(home)


def test_the_standby_is_out_before_the_fence_comes_down(stage: Stager) -> None:
    home = homeward(after_incident(stage, HOST))
    assert night_of(home).start() is End.CLOSED
    order = [verb for verb, _ in home.world.effects]
    assert order.index("give_back") < order.index("unfence")
    assert home.world.duplicates == []


def test_a_fence_stays_where_its_standby_could_not_be_stopped(stage: Stager) -> None:
    home = homeward(after_incident(stage, HOST))
    home.world.timing_out.add(("give_back", "nq-trade-1-cold"))
    home.world.unseen.add("nq-trade-1-cold")
    assert night_of(home).start() is End.WAITING
    assert home.touched("unfence") == []
    assert home.world.fenced == {"gw-a1"}


def test_it_is_measured_from_its_command_on(stage: Stager) -> None:
    home = homeward(after_incident(stage, BEIJING))
    assert night_of(home).start() is End.CLOSED
    verdict = home.verdict()
    begun = next(epoch_s(item) for item in home.events if item.data.get("state") == Phase.RESTORING.value)
    changes = {change.gateway: change for change in home.plan.gateways}
    moved = [item for item in verdict.gateways if item.list_changed]
    assert len(moved) == verdict.lists_changed == len(home.touched("restore"))
    for item in moved:
        change = changes[item.gateway]
        assert change.before
        assert change.after
        assert (item.front_before, item.front_during) == (change.before.front, change.after.front)
        assert begun <= (item.broken_at or 0.0) <= (item.login_at or 0.0)


def test_an_incident_does_not_wait_for_a_host_that_it_has_lost_to_be_cleaned(stage: Stager) -> None:
    """What it has of ours, if anything, goes with its way home."""
    play = stage(HOST, mode=Mode.INCIDENT)
    play.world.fault = play.plan.fault
    play.play()
    assert play.end is End.CLOSED
    left = [item for event in play.events if event.step == "disarm" for item in event.data.get("results", ())]
    assert {item["target"] for item in left if item["outcome"] == "failed"} == set(play.plan.fault.hosts)
