"""What the real world keeps of its promises by itself: leases, tokens, joined calls, and what a look says."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.ansible import Ansible
from orchestrator.adapters.hands import Hands
from orchestrator.adapters.host_result import HostResult
from orchestrator.adapters.player import Player, Requests
from orchestrator.adapters.renewal import Renewal
from orchestrator.adapters.ssh import SshSettings
from orchestrator.adapters.world import SiteWorld, Tools
from orchestrator.engine import guard
from orchestrator.engine.log import Assignment
from orchestrator.errors import Refused, StepUnknown
from orchestrator.loader.site import load_site
from orchestrator.model.event import Outcome
from orchestrator.model.plan import Fault, Plan, Step, Verb
from orchestrator.ports import FAULT_LEASE_S, Call, Fate, Snapshot, TargetResult
from tests.engine.sim import SimClock
from tests.guard.commands import DAEMON_AND_WAIT, alive, first_pid, guard_of, kill_guard, python, shell, swept
from tests.planner.example import planned
from tests.support.sites import ROOT

SITE = load_site(ROOT / "inventory/example")
PLAN = planned(SITE.topology)
CARRIER = planned(SITE.topology, "single-carrier-failure", carrier="unicom")
GATEWAYS = SITE.topology.gateway
ORIGINAL = "0" * 64
BEFORE = Snapshot({name: {"config_sha256": ORIGINAL} for name in GATEWAYS}, {})

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Maker:
    """A fault that is on until it is lifted or no longer renewed; notes what it is asked for."""

    def __init__(self) -> None:
        self.on = False
        self.lifts = True
        self.asked: list[tuple[object, ...]] = []

    def inject(self, fault: Fault, lease_s: float, run: str, epoch: int) -> None:
        del fault
        self.asked.append(("inject", lease_s, run, epoch))
        self.on = True

    def lift(self, fault: Fault, run: str, epoch: int) -> None:
        del fault
        self.asked.append(("lift", run, epoch))
        if not self.lifts:
            raise Refused("NO_TWIN", "expected an answer")
        self.on = False

    def renew(self, run: str, epoch: int) -> None:
        del run, epoch

    def is_on(self, fault: Fault, run: str, epoch: int) -> bool:
        del fault
        self.asked.append(("is_on", run, epoch))
        return self.on


class Answering(Player):
    """Its hosts answer without being asked; those in `failing` do not succeed, those in `silent` say nothing."""

    def hear(self, answer: Answer | None = None) -> None:
        self.answer: Answer = answer or (lambda _: {"outcome": "succeeded", "message": "", "running": [1]})
        self.failing: set[str] = set()
        self.silent: set[str] = set()
        self.sent: list[tuple[str, Requests]] = []
        self.programs: dict[str, str] = {}

    def play(
        self, call: Call, playbook: str, program: Mapping[str, str], requests: Requests, deadline_s: float
    ) -> dict[str, HostResult]:
        del call, deadline_s
        self.sent.append((playbook, requests))
        self.programs.update(program)
        return {host: self._result(host, items) for host, items in requests.items()}

    def send(
        self,
        call: Call,
        what: str,
        program: Mapping[str, str],
        requests: Requests,
        deadline_s: float,
        *,
        leave_silent: bool = False,
    ) -> dict[str, HostResult]:
        assert not (leave_silent and what == "state"), "who is looked at is waited for"
        return self.play(call, what, program, requests, deadline_s)

    def _result(self, host: str, items: list[dict[str, Any]]) -> HostResult:
        if host in self.failing:
            return HostResult(host, Outcome.FAILED, "disk full")
        if host in self.silent:
            return HostResult(host, Outcome.INDETERMINATE, "unreachable: timed out")
        return HostResult(host, Outcome.SUCCEEDED, "", {"results": [self.answer(item) for item in items]})


class AnsweringWorld(SiteWorld):
    def __init__(self, folder: Path, plan: Plan, epoch: int = 1) -> None:
        (folder / "cm").mkdir(exist_ok=True)
        self.maker = Maker()
        self.job = Assignment("r1", epoch, plan, SITE.topology, folder)
        tools = Tools(ROOT / "playbooks", ROOT / "drills/checks", consent_tcp=True)
        ssh = SshSettings(folder / "cm")
        super().__init__(SITE, tools, ssh, self.job, self.maker)
        self._clock = self.time = SimClock()
        ansible, hands = Ansible(SITE.folder, tools.playbooks, ssh), Hands(tools.playbooks, ssh, {})
        self.hosts = Answering(self.job, ansible, hands, self.time, dict)
        self.hosts.hear()
        self._player = self.hosts


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AnsweringWorld]:
    with swept(tmp_path / "steps" / "repoint-1-1"):
        yield AnsweringWorld(tmp_path, PLAN)


def step_of(plan: Plan, verb: Verb) -> Step:
    return next(step for step in plan.steps if step.verb is verb)


# Leases ----------------------------------------------------------------------------------------------


def test_renewing_goes_on_after_an_error_and_tells_how_long_there_was_none() -> None:
    clock, asked = SimClock(), threading.Semaphore(0)

    def renew() -> None:
        asked.release()
        raise Refused("NO_TWIN", "expected an answer")

    renewal = Renewal(renew, 0.03, clock)
    assert asked.acquire(timeout=5)
    assert asked.acquire(timeout=5), "it asks again"
    clock.at += 60
    renewal.stop()
    assert renewal.longest_s == pytest.approx(60)


def test_a_lease_that_was_renewed_late_is_told_too() -> None:
    clock, asked = SimClock(), threading.Semaphore(0)
    renewal = Renewal(asked.release, 0.03, clock)
    clock.at += 60
    renewal.beat()
    assert asked.acquire(timeout=5)
    assert asked.acquire(timeout=5)
    renewal.stop()
    assert renewal.longest_s == pytest.approx(60)


def test_a_run_that_hangs_renews_no_fault() -> None:
    clock, asked = SimClock(), threading.Semaphore(0)
    renewal = Renewal(asked.release, 0.03, clock)
    clock.at += 1
    heard = [asked.acquire(timeout=0.1) for _ in range(5)]
    assert not heard[-1], "at most what was under way"
    renewal.beat()
    assert asked.acquire(timeout=5), "it goes on with the run"
    renewal.stop()


def test_closing_stops_renewing_a_fault_that_could_not_be_lifted(world: AnsweringWorld) -> None:
    world.inject(PLAN.fault)
    assert renewing() == 1
    world.close()
    assert renewing() == 0, "nobody renews it: its dead-man lifts it"


def renewing() -> int:
    """How many threads renew a fault, once those that were told to end have ended."""
    return sum(thread.is_alive() and not _ends(thread) for thread in threading.enumerate() if thread.name == "renewal")


def _ends(thread: threading.Thread) -> bool:
    thread.join(0.5)
    return not thread.is_alive()


def test_a_fault_is_asked_for_in_the_name_of_run_and_epoch_with_its_lease(world: AnsweringWorld) -> None:
    world.inject(PLAN.fault)
    world.lift(PLAN.fault)
    assert world.maker.asked == [("inject", FAULT_LEASE_S, "r1", 1), ("lift", "r1", 1)]


def test_a_fault_that_is_found_on_is_renewed_from_then_on_and_one_that_is_off_is_not(world: AnsweringWorld) -> None:
    assert not world.fault_is_on(PLAN.fault)
    assert renewing() == 0
    world.maker.on = True
    assert world.fault_is_on(PLAN.fault)
    assert world.fault_is_on(PLAN.fault)
    assert renewing() == 1
    world.lift(PLAN.fault)
    assert renewing() == 0
    assert world.maker.asked[0] == ("is_on", "r1", 1)


def test_a_lift_after_a_lease_that_ran_out_is_unknown(world: AnsweringWorld) -> None:
    world.inject(PLAN.fault)
    world.time.at += FAULT_LEASE_S + 1
    with pytest.raises(StepUnknown, match="may have lifted itself"):
        world.lift(PLAN.fault)
    assert not world.maker.on


# Tokens and hosts --------------------------------------------------------------------------------------


def test_what_armed_a_host_is_taken_off_by_any_orchestrator_of_the_run(world: AnsweringWorld, tmp_path: Path) -> None:
    world.arm(Call("arm", 1), PLAN, 10)
    world.hosts.failing = {PLAN.affected[0].host}
    results = world.disarm(Call("disarm", 1), PLAN)
    assert {item.target for item in results if item.outcome is Outcome.FAILED} == {PLAN.affected[0].host}
    later = AnsweringWorld(tmp_path, PLAN, epoch=2)
    assert {item.outcome for item in later.disarm(Call("disarm", 2), PLAN)} == {Outcome.SUCCEEDED}
    armed, _, disarmed = (requests for _, requests in [*world.hosts.sent, *later.hosts.sent])
    assert set(armed) == set(disarmed) == {change.host for change in PLAN.affected}
    assert all(len(items) == 1 and items[0]["op"] == "cleanup" for items in disarmed.values())


def test_a_router_whose_path_is_moved_is_armed_as_a_router(tmp_path: Path) -> None:
    world = AnsweringWorld(tmp_path, CARRIER)
    assert CARRIER.paths
    results = world.arm(Call("arm", 1), CARRIER, 10)
    [(playbook, requests)] = world.hosts.sent
    assert playbook == "arm.yml"
    routers = {path.router for path in CARRIER.paths}
    assert routers < {item.target for item in results}
    assert {world.hosts.programs[router] for router in routers} == {"route"}
    assert {world.hosts.programs[host] for host in set(requests) - routers} <= {"gateway"}


def test_every_change_says_who_asks_for_it_and_which_attempt_it_is(tmp_path: Path) -> None:
    for plan, verb in ((PLAN, Verb.REPOINT), (PLAN, Verb.RESTORE), (PLAN, Verb.RESTART), (CARRIER, Verb.PATH)):
        world, step = AnsweringWorld(tmp_path, plan, epoch=3), step_of(plan, verb)
        world.act(Call(step.id, 7), step, BEFORE, {})
        [(playbook, requests)] = world.hosts.sent
        sent = [item for items in requests.values() for item in items]
        assert len(sent) == len(step.targets)
        assert playbook == verb.value
        assert {item["op"] for item in sent} == {verb.value}
        assert {(item["run"], item["token"], item["deadline_s"]) for item in sent} == {("r1", 3, step.deadline_s)}
        assert {tuple(item["attempt_of"].items()) for item in sent} == {
            (("run", "r1"), ("step", step.id), ("attempt", 7))
        }
        numbers = [item["sequence"] for item in sent]
        assert len(set(numbers)) == len(numbers)


def test_a_file_is_expected_as_this_run_has_left_it(world: AnsweringWorld) -> None:
    step = step_of(PLAN, Verb.RESTORE)
    written = {step.targets[0].name: "1" * 64}
    world.act(Call(step.id, 1), step, BEFORE, written)
    [(_, requests)] = world.hosts.sent
    expected = {item["gateway"]["id"]: item["expected_sha256"] for items in requests.values() for item in items}
    assert expected == {target.name: written.get(target.name, ORIGINAL) for target in step.targets}
    assert {item["restore_sha256"] for items in requests.values() for item in items} == {ORIGINAL}


def test_a_gateway_whose_file_was_never_seen_is_not_touched_and_the_others_are(world: AnsweringWorld) -> None:
    step = step_of(PLAN, Verb.REPOINT)
    unseen = step.targets[0].name
    seen = {name: state for name, state in BEFORE.gateways.items() if name != unseen}
    results = {item.target: item for item in world.act(Call(step.id, 1), step, replace(BEFORE, gateways=seen), {})}
    assert results[unseen].outcome is Outcome.FAILED
    assert "not touched" in results[unseen].message
    assert {item.outcome for name, item in results.items() if name != unseen} == {Outcome.SUCCEEDED}
    asked = [item["gateway"]["id"] for _, requests in world.hosts.sent for items in requests.values() for item in items]
    assert sorted(asked) == sorted({target.name for target in step.targets} - {unseen})


def test_a_step_of_which_nothing_may_be_touched_plays_nothing(world: AnsweringWorld) -> None:
    step = step_of(PLAN, Verb.REPOINT)
    results = world.act(Call(step.id, 1), step, Snapshot({}, {}), {})
    assert {item.outcome for item in results} == {Outcome.FAILED}
    assert world.hosts.sent == []


# What became of a call -----------------------------------------------------------------------------------


def test_a_call_that_was_not_begun_never_will_be(world: AnsweringWorld, tmp_path: Path) -> None:
    assert world.fate(Call("repoint-1", 1)) is Fate.NEVER
    assert guard.begun(tmp_path / "steps" / "repoint-1-1")


def test_of_a_call_that_is_lost_nothing_is_left_at_work_here(world: AnsweringWorld, tmp_path: Path) -> None:
    folder = tmp_path / "steps" / "repoint-1-1"
    guard.start(folder, python(DAEMON_AND_WAIT))
    pid = first_pid(folder)
    kill_guard(folder)
    assert world.fate(Call("repoint-1", 1)) is Fate.LOST
    assert not alive(pid)


def test_closing_takes_the_connections_away(world: AnsweringWorld, tmp_path: Path) -> None:
    world.close()
    assert not (tmp_path / "cm").exists()


def test_closing_leaves_a_call_at_work_its_connections(world: AnsweringWorld, tmp_path: Path) -> None:
    folder = tmp_path / "steps" / "repoint-1-1"
    guard.start(folder, shell("exec sleep 600"))
    assert world.fate(Call("repoint-1", 1)) is Fate.RUNNING
    world.close()
    assert (tmp_path / "cm").exists()
    os.kill(guard_of(folder), signal.SIGTERM)
    list(guard.follow(folder, lambda: False))
    world.close()
    assert not (tmp_path / "cm").exists()


# Looking ---------------------------------------------------------------------------------------------


def test_a_router_that_was_not_seen_is_missing_in_the_snapshot_by_name(world: AnsweringWorld) -> None:
    taken = world.snapshot(Call("snapshot", 1), 10)
    assert set(taken.unreachable) == {router.id for router in SITE.topology.routers}


def test_a_snapshot_tells_who_did_not_answer(world: AnsweringWorld) -> None:
    world.hosts.silent = {GATEWAYS["nq-trade-1"].host}
    taken = world.snapshot(Call("snapshot", 1), 10)
    assert taken.unreachable["nq-trade-1"] == "unreachable: timed out"
    assert "nq-trade-1" not in taken.gateways


def looked(world: AnsweringWorld, step: Step, answer: Answer) -> dict[str, TargetResult]:
    world.hosts.hear(answer)
    return {item.target: item for item in world.look(Call(f"look-{step.id}-2", 5), step, 2, BEFORE)}


def test_a_look_asks_about_the_attempt_and_waits_for_a_request_at_work(world: AnsweringWorld) -> None:
    step = step_of(PLAN, Verb.REPOINT)
    looked(world, step, lambda _: {"outcome": "failed", "message": "x"})
    [(playbook, requests)] = world.hosts.sent
    sent = [item for items in requests.values() for item in items]
    assert playbook == "state"
    assert {(item["op"], item["wait_idle_s"], item["deadline_s"]) for item in sent} == {
        ("state", step.deadline_s, step.deadline_s)
    }
    assert all(item["attempt_of"] == {"run": "r1", "step": step.id, "attempt": 2} for item in sent)
    assert sorted(item["gateway"]["id"] for item in sent) == sorted(target.name for target in step.targets)


def test_the_hosts_own_record_of_the_attempt_goes_before_its_state(world: AnsweringWorld) -> None:
    last = {"outcome": "succeeded", "message": "logged in", "sha256_after": "2" * 64, "stamps": {"written": [1, 2]}}
    found = looked(
        world, step_of(PLAN, Verb.REPOINT), lambda _: {"outcome": "failed", "message": "no file", "last": last}
    )
    for item in found.values():
        assert (item.outcome, item.message) == (Outcome.SUCCEEDED, "logged in")
        assert item.data == {"sha256_after": "2" * 64, "stamps": {"written": [1, 2]}}


@pytest.mark.parametrize(("said", "outcome"), [("failed", "failed"), ("refused", "failed"), ("odd", "indeterminate")])
def test_a_record_of_no_success_is_none(world: AnsweringWorld, said: str, outcome: str) -> None:
    last = {"outcome": said, "message": "why"}
    found = looked(world, step_of(PLAN, Verb.REPOINT), lambda _: {"outcome": "succeeded", "message": "", "last": last})
    assert {(item.outcome.value, item.message) for item in found.values()} == {(outcome, "why")}


def test_a_target_that_is_still_at_work_cannot_be_told(world: AnsweringWorld) -> None:
    step = step_of(PLAN, Verb.RESTORE)
    busy = gateway_state(step, busy=True)
    found = looked(world, step, lambda _: busy)
    assert {item.outcome for item in found.values()} == {Outcome.INDETERMINATE}
    assert all("at work" in item.message for item in found.values())


def test_a_host_that_cannot_be_reached_cannot_be_told_with_the_reason(world: AnsweringWorld) -> None:
    step = step_of(PLAN, Verb.REPOINT)
    world.hosts.hear()
    world.hosts.failing = {GATEWAYS[target.name].host for target in step.targets}
    found = world.look(Call("look", 1), step, 1, BEFORE)
    assert {(item.outcome, item.message) for item in found} == {(Outcome.INDETERMINATE, "could not look: disk full")}


def test_a_step_that_leaves_nothing_to_be_seen_cannot_be_told(world: AnsweringWorld) -> None:
    step = step_of(PLAN, Verb.ARM)
    found = world.look(Call("look", 1), step, 1, BEFORE)
    assert {item.outcome for item in found} == {Outcome.INDETERMINATE}
    assert [item.target for item in found] == [target.name for target in step.targets]


def gateway_state(step: Step, **changes: object) -> dict[str, Any]:
    """Of the step's first target: running and logged in, with the original file."""
    state = {
        "running": [7],
        "logged_in": True,
        "session": "192.0.2.1:7000",
        "endpoints": ["192.0.2.1:7000"],
        "config_sha256": ORIGINAL,
        "busy": False,
        "last": None,
        "sha256_after": ORIGINAL,
    }
    assert not step.targets or set(changes) <= set(state)
    return {"outcome": "succeeded", "message": "", **state, **changes}


def wanted(step: Step) -> list[str]:
    return [SITE.topology.front[name].endpoint for name in step.targets[0].arguments["fronts"]]


def home(step: Step) -> str:
    return SITE.topology.front[step.targets[0].arguments["only_if_elsewhere"]].endpoint


REPOINT, RESTORE, RESTART = (step_of(PLAN, verb) for verb in (Verb.REPOINT, Verb.RESTORE, Verb.RESTART))
OTHER = "3" * 64
DONE, NOT = Outcome.SUCCEEDED, Outcome.FAILED
CASES: dict[str, tuple[Step, dict[str, Any], Outcome, str]] = {
    "list in force": (REPOINT, {"endpoints": wanted(REPOINT), "config_sha256": OTHER}, DONE, "list is in force"),
    "list written, not logged in": (
        REPOINT,
        {"endpoints": wanted(REPOINT), "config_sha256": OTHER, "logged_in": False},
        NOT,
        "not logged in",
    ),
    "list written, not running": (
        REPOINT,
        {"endpoints": wanted(REPOINT), "config_sha256": OTHER, "running": []},
        NOT,
        "not running",
    ),
    "one server more": (
        REPOINT,
        {"endpoints": [*wanted(REPOINT), "192.0.2.9:7000"], "config_sha256": OTHER},
        NOT,
        "half done",
    ),
    "as before": (REPOINT, {}, NOT, "not done: its file is as before"),
    "as before but down": (REPOINT, {"logged_in": False}, NOT, "half done or not at all"),
    "another list": (REPOINT, {"config_sha256": OTHER}, NOT, "list 192.0.2.1:7000"),
    "file is back": (RESTORE, {}, DONE, "file is as before"),
    "file is back, down": (RESTORE, {"running": []}, NOT, "not running"),
    "another file": (RESTORE, {"config_sha256": OTHER}, NOT, "expected its file as before"),
    "at home": (RESTART, {"session": home(RESTART)}, DONE, "logged in"),
    "at home, refused": (RESTART, {"session": home(RESTART), "logged_in": False}, NOT, "not logged in"),
    "elsewhere": (RESTART, {}, NOT, "found list"),
}


@pytest.mark.parametrize("case", CASES)
def test_without_a_record_the_state_tells(world: AnsweringWorld, case: str) -> None:
    step, changes, outcome, message = CASES[case]
    one = step.model_copy(update={"targets": step.targets[:1]})
    [found] = looked(world, one, lambda _: gateway_state(one, **changes)).values()
    assert found.outcome is outcome
    assert message in found.message
    assert "sha256_after" not in found.data, "nobody vouches for a file that this run has not seen itself write"


def test_a_restart_that_says_no_front_cannot_be_told_by_the_state(world: AnsweringWorld) -> None:
    bare = RESTART.targets[0].model_copy(update={"arguments": {}})
    one = RESTART.model_copy(update={"targets": (bare,)})
    [found] = looked(world, one, lambda _: gateway_state(one)).values()
    assert found.outcome is Outcome.INDETERMINATE


@pytest.mark.parametrize(("which", "outcome"), [("line", DONE), ("line_before", NOT), (None, NOT), ("no route", NOT)])
def test_a_path_is_where_the_router_sends_it(tmp_path: Path, which: str | None, outcome: Outcome) -> None:
    world, step = AnsweringWorld(tmp_path, CARRIER), step_of(CARRIER, Verb.PATH)
    world.act(Call(step.id, 1), step, BEFORE, {})
    router = step.targets[0].arguments["router"]
    request = world.hosts.sent[0][1][router][0]
    via = {"line": request["via"], "line_before": request["expected_via"], None: "198.51.100.77"}.get(which)

    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        route = {"via": via} if via else None
        return {"outcome": "succeeded", "message": "", "routes": {asked["network"]: route}, "last": None, "busy": False}

    found = looked(world, step, answer)[step.targets[0].name]
    assert found.outcome is outcome
    assert world.hosts.programs[router] == "route"
