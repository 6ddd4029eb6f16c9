"""How a number is fenced, handed to its cold standby, and given back: what is asked of whom, and what it proves."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters import standby
from orchestrator.adapters.deeds import Scene
from orchestrator.engine import guard
from orchestrator.model.event import Outcome
from orchestrator.model.plan import Plan, Step, Verb
from orchestrator.model.topology import Topology
from orchestrator.ports import Call, Fate, Snapshot, TargetResult
from tests.engine.test_world import BEFORE, ORIGINAL, AnsweringWorld, step_of
from tests.guard.commands import shell, swept
from tests.planner.example import TOPOLOGY, changed, planned

DRILL = "gateway-host-failure"
PLAN = planned(TOPOLOGY, DRILL)
FENCE, TAKE_OVER = step_of(PLAN, Verb.FENCE), step_of(PLAN, Verb.TAKE_OVER)
GIVE_BACK, UNFENCE = step_of(PLAN, Verb.GIVE_BACK), step_of(PLAN, Verb.UNFENCE)
CENTRES = sorted(str(centre.network) for centre in TOPOLOGY.centres)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """A host or a router on which everything goes well."""
    good: dict[str, Any] = {"outcome": "succeeded", "message": f"{request['op']} done"}
    if request["op"] == "block":
        return {**good, "blocked": True, "stamps": {"sockets_gone": [100.0, 1.0]}}
    if request["op"] == "fence":
        return {**good, "waited_s": 10.1, "dropped": 3, "stamps": {"proved": [200.0, 2.0], "released": [210.0, 12.0]}}
    return {**good, "stamps": {}}


@pytest.fixture
def world(tmp_path: Path) -> AnsweringWorld:
    made = AnsweringWorld(tmp_path, PLAN)
    made.hosts.hear(answer)
    return made


def two_routers() -> tuple[Topology, Plan]:
    """The example with a second CE router in the failed host's room."""
    data = TOPOLOGY.model_dump(mode="json", by_alias=True)
    beside = {**data["routers"][0], "id": "ce-a2", "title": {"zh": "二", "en": "Second"}, "paths": {}}
    data["routers"].append({**beside, "management_address": "198.18.1.2", "site_address": "198.19.1.2"})
    topology = Topology.model_validate(data)
    return topology, planned(topology, DRILL)


def two_numbers() -> tuple[Topology, Plan]:
    """The example with two fenced numbers on the failed host, one of them slow to be forgotten."""
    data = TOPOLOGY.model_dump(mode="json", by_alias=True)
    by_id = {item["id"]: item for item in data["gateways"]}
    by_id["nq-md-1"]["host"] = "gw-a1"
    data["gateways"].append(
        {
            **by_id["nq-md-1"],
            "id": "nq-md-1-cold",
            "host": "gw-b3",
            "role": "standby",
            "pair": None,
            "enabled": False,
            "standby_for": "nq-md-1",
        }
    )
    next(item for item in data["fronts"] if item["id"] == "southern-market")["session_timeout_s"] = 33
    topology = Topology.model_validate(data)
    return topology, planned(topology, DRILL)


def act(world: AnsweringWorld, step: Step, plan: Plan = PLAN, topology: Topology = TOPOLOGY) -> list[TargetResult]:
    """A fence on a site that is not the example."""
    return standby.FENCE.act(world.hosts, Call(step.id, 1), step, Scene(plan, topology, BEFORE, {}))


def sent(world: AnsweringWorld) -> list[tuple[str, str, str]]:
    """(playbook, host, op) of everything that was asked."""
    return [
        (playbook, host, item["op"])
        for playbook, requests in world.hosts.sent
        for host, items in requests.items()
        for item in items
    ]


# The fence -------------------------------------------------------------------------------------------


def test_a_fence_that_its_host_proves_asks_no_router(world: AnsweringWorld) -> None:
    [result] = world.act(Call("fence-1", 1), FENCE, BEFORE, {})
    assert (result.target, result.outcome) == ("nq-trade-1", Outcome.SUCCEEDED)
    assert (result.data["way"], result.data["proved_at"], result.data["released"]) == ("process", 100.0, True)
    assert sent(world) == [("fence", "gw-a1", "block")]
    assert world.hosts.programs == {"gw-a1": "standby"}


@pytest.mark.parametrize("how", ["silent", "failing"])
def test_a_host_that_does_not_prove_it_is_cut_off_by_its_router(world: AnsweringWorld, how: str) -> None:
    setattr(world.hosts, how, {"gw-a1"})
    [result] = world.act(Call("fence-1", 1), FENCE, BEFORE, {})
    assert result.outcome is Outcome.SUCCEEDED
    assert {key: result.data[key] for key in ("way", "proved_at", "released", "waited_s", "dropped", "routers")} == {
        "way": "network",
        "proved_at": 200.0,
        "released": True,
        "waited_s": 10.1,
        "dropped": 3,
        "routers": ["ce-a"],
    }
    assert result.data["host_said"] in ("unreachable: timed out", "disk full")
    assert sent(world) == [("fence", "gw-a1", "block"), ("fence", "ce-a", "fence")]
    assert world.hosts.programs["ce-a"] == "barrier"


def test_the_router_is_told_every_address_of_the_host_every_centre_and_the_longest_release(
    world: AnsweringWorld,
) -> None:
    world.hosts.silent = {"gw-a1"}
    topology, plan = two_numbers()
    act(world, step_of(plan, Verb.FENCE), plan, topology)
    [item] = world.hosts.sent[1][1]["ce-a"]
    assert item["addresses"] == ["198.19.1.11", "198.18.1.11"]
    assert sorted(item["networks"]) == CENTRES
    assert (item["host"], item["release_s"]) == ("gw-a1", 33)
    assert item["attempt_of"] == {"run": "r1", "step": "fence-1", "attempt": 1}
    assert item["deadline_s"] >= 33


def test_two_numbers_of_one_host_are_cut_off_by_one_fence(world: AnsweringWorld) -> None:
    world.hosts.silent = {"gw-a1"}
    topology, plan = two_numbers()
    results = act(world, step_of(plan, Verb.FENCE), plan, topology)
    assert {item.target: item.outcome for item in results} == {
        "nq-trade-1": Outcome.SUCCEEDED,
        "nq-md-1": Outcome.SUCCEEDED,
    }
    assert sent(world)[-1:] == [("fence", "ce-a", "fence")]


def test_of_two_numbers_only_the_one_that_its_host_did_not_prove_goes_to_the_routers(world: AnsweringWorld) -> None:
    def one_fails(request: dict[str, Any]) -> dict[str, Any]:
        stubborn = request["op"] == "block" and request["gateway"]["id"] == "nq-md-1"
        return {"outcome": "failed", "message": "found it running"} if stubborn else answer(request)

    world.hosts.hear(one_fails)
    topology, plan = two_numbers()
    ways = {item.target: item.data["way"] for item in act(world, step_of(plan, Verb.FENCE), plan, topology)}
    assert ways == {"nq-trade-1": "process", "nq-md-1": "network"}


@pytest.mark.parametrize("how", ["silent", "failing"])
def test_one_router_that_does_not_prove_it_is_enough_to_know_nothing(world: AnsweringWorld, how: str) -> None:
    world.hosts.silent = {"gw-a1"}
    getattr(world.hosts, how).add("ce-a2")
    topology, plan = two_routers()
    [result] = act(world, step_of(plan, Verb.FENCE), plan, topology)
    assert (result.outcome, result.data["released"]) == (Outcome.INDETERMINATE, False)
    assert "not proved to be out: on gw-a1: unreachable: timed out; on router ce-a2: " in result.message


def test_a_router_that_is_not_driven_is_not_asked_and_named(world: AnsweringWorld) -> None:
    topology = changed({"routers": {"ce-a": {"driver": "vendor"}}})
    world.hosts.silent = {"gw-a1"}
    [result] = act(world, FENCE, PLAN, topology)
    assert result.outcome is Outcome.INDETERMINATE
    assert result.message.endswith("on router ce-a: driver vendor, expected linux: fence it by hand")
    assert sent(world) == [("fence", "gw-a1", "block")]


@pytest.mark.parametrize("how", ["silent", "failing"])
def test_an_abort_after_the_host_was_asked_puts_up_no_network_fence(world: AnsweringWorld, how: str) -> None:
    """And what the host did not prove cannot be told, whatever it says."""
    setattr(world.hosts, how, {"gw-a1"})
    [result] = world.act(Call("fence-1", 1, lambda: True), FENCE, BEFORE, {})
    assert result.outcome is Outcome.INDETERMINATE
    assert sent(world) == [("fence", "gw-a1", "block")]


def test_a_fence_is_two_calls_and_is_finished_only_with_what_was_begun(tmp_path: Path) -> None:
    folders = [tmp_path / "steps" / name for name in ("fence-1.host-1", "fence-1.routers-1")]
    with swept(folders[0]), swept(folders[1]):
        world = AnsweringWorld(tmp_path, PLAN)
        guard.start(folders[0], shell("exit 0"))
        list(guard.follow(folders[0], lambda: False))
        assert world.fate(Call("fence-1", 1)) is Fate.FINISHED
        guard.start(folders[1], shell("exec sleep 600"))
        assert world.fate(Call("fence-1", 1)) is Fate.RUNNING


# Taking it down --------------------------------------------------------------------------------------


def test_the_hosts_own_block_goes_first_then_the_routers(world: AnsweringWorld) -> None:
    [result] = world.act(Call("unfence-1", 1), UNFENCE, BEFORE, {})
    assert (result.outcome, result.data["routers"]) == (Outcome.SUCCEEDED, ["ce-a"])
    assert sent(world) == [("unfence", "gw-a1", "unblock"), ("unfence", "ce-a", "unfence")]


@pytest.mark.parametrize(("how", "outcome"), [("silent", Outcome.INDETERMINATE), ("failing", Outcome.FAILED)])
def test_a_host_that_cannot_be_unblocked_keeps_its_network_fence(
    world: AnsweringWorld, how: str, outcome: Outcome
) -> None:
    setattr(world.hosts, how, {"gw-a1"})
    [result] = world.act(Call("unfence-1", 1), UNFENCE, BEFORE, {})
    assert result.outcome is outcome
    assert "so the routers' stays" in result.message
    assert sent(world) == [("unfence", "gw-a1", "unblock")]


@pytest.mark.parametrize(("how", "outcome"), [("silent", Outcome.INDETERMINATE), ("failing", Outcome.FAILED)])
def test_a_router_whose_fence_may_still_stand_is_named(world: AnsweringWorld, how: str, outcome: Outcome) -> None:
    setattr(world.hosts, how, {"ce-a"})
    [result] = world.act(Call("unfence-1", 1), UNFENCE, BEFORE, {})
    assert result.outcome is outcome
    assert result.message.startswith("the network fence is not down: on router ce-a: ")


# The standby -----------------------------------------------------------------------------------------


def test_the_standby_is_told_its_list_and_what_its_file_must_be(world: AnsweringWorld) -> None:
    world.act(Call("take-over-1", 1), TAKE_OVER, BEFORE, {"nq-trade-1-cold": "2" * 64})
    [(playbook, requests)] = world.hosts.sent
    [item] = requests["gw-b2"]
    assert (playbook, item["op"], world.hosts.programs["gw-b2"]) == ("take_over", "take_over", "standby")
    assert item["endpoints"] == ["172.60.101.30:7043", "172.50.101.30:7043"]
    assert (item["expected_sha256"], item["rollback"], item["gateway"]["id"]) == ("2" * 64, True, "nq-trade-1-cold")


def test_giving_back_asks_for_the_file_of_the_snapshot_before(world: AnsweringWorld) -> None:
    world.act(Call("give-back-1", 1), GIVE_BACK, BEFORE, {"nq-trade-1-cold": "2" * 64})
    [(playbook, requests)] = world.hosts.sent
    [item] = requests["gw-b2"]
    assert (playbook, item["op"], item["restore_sha256"]) == ("give_back", "give_back", ORIGINAL)


def test_a_standby_that_the_snapshot_does_not_know_is_not_touched(world: AnsweringWorld) -> None:
    [result] = world.act(Call("take-over-1", 1), TAKE_OVER, Snapshot({}, {}), {})
    assert result.outcome is Outcome.FAILED
    assert world.hosts.sent == []


def test_everything_that_may_be_touched_is_armed_and_the_router_is_asked_for_nft(world: AnsweringWorld) -> None:
    world.arm(Call("arm", 1), PLAN, 10)
    [(_, requests)] = world.hosts.sent
    assert set(requests) == {"gw-a1", "gw-b2", "ce-a"}
    assert world.hosts.programs == {"gw-a1": "gateway", "gw-b2": "gateway", "ce-a": "barrier"}


# Looking ---------------------------------------------------------------------------------------------


def looked(world: AnsweringWorld, step: Step, said: dict[str, dict[str, Any]]) -> TargetResult:
    """`said`: what the program on a gateway host ("standby") and on a router ("barrier") answers."""

    def tell(request: dict[str, Any]) -> dict[str, Any]:
        state = said["router" if "addresses" in request else "host"]
        return {"outcome": "succeeded", "message": "", "stamps": {}, **state}

    world.hosts.hear(tell)
    [result] = world.look(Call("look-fence-1", 1), step, 1, BEFORE)
    assert {op for _, _, op in sent(world)} <= {"standing", "state"}
    return result


DONE = {"outcome": "succeeded", "message": "kept", "stamps": {"proved": [5.0, 1.0]}, "released": True}


@pytest.mark.parametrize(
    ("host", "router", "outcome"),
    [
        ({"blocked": True, "last": DONE}, {"stands": False}, Outcome.SUCCEEDED),
        ({"blocked": False}, {"stands": True, "last": DONE}, Outcome.SUCCEEDED),
        ({"blocked": False}, {"stands": False}, Outcome.FAILED),
        ({"blocked": True}, {"stands": False}, Outcome.INDETERMINATE),  # the release time may not have been waited
        ({"blocked": False}, {"stands": True}, Outcome.INDETERMINATE),
        ({"blocked": False, "busy": True}, {"stands": False}, Outcome.INDETERMINATE),
        ({"outcome": "failed"}, {"stands": False}, Outcome.INDETERMINATE),
    ],
)
def test_what_a_look_at_a_fence_proves(
    world: AnsweringWorld, host: dict[str, Any], router: dict[str, Any], outcome: Outcome
) -> None:
    assert looked(world, FENCE, {"host": host, "router": router}).outcome is outcome


@pytest.mark.parametrize(
    ("host", "router", "outcome"),
    [
        ({"blocked": False}, {"stands": False}, Outcome.SUCCEEDED),
        ({"blocked": True}, {"stands": False}, Outcome.FAILED),
        ({"blocked": False}, {"stands": True}, Outcome.FAILED),
        ({"outcome": "failed"}, {"stands": False}, Outcome.INDETERMINATE),
        ({"blocked": False}, {"outcome": "failed"}, Outcome.INDETERMINATE),
    ],
)
def test_what_a_look_at_a_fence_that_is_to_be_down_proves(
    world: AnsweringWorld, host: dict[str, Any], router: dict[str, Any], outcome: Outcome
) -> None:
    assert looked(world, UNFENCE, {"host": host, "router": router}).outcome is outcome


UP = {"running": [7], "logged_in": True, "session": "172.60.101.30:7043"}
LIST = {"endpoints": ["172.60.101.30:7043", "172.50.101.30:7043"]}


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ({**UP, **LIST}, Outcome.SUCCEEDED),
        ({**UP, "endpoints": []}, Outcome.FAILED),
        ({**UP, **LIST, "logged_in": False}, Outcome.FAILED),
        ({**UP, **LIST, "running": []}, Outcome.FAILED),
    ],
)
def test_a_standby_took_over_where_it_is_logged_in_by_its_list(
    world: AnsweringWorld, state: dict[str, Any], outcome: Outcome
) -> None:
    assert looked(world, TAKE_OVER, {"host": state}).outcome is outcome


def test_that_a_number_is_free_cannot_be_seen_so_it_is_given_back_again(world: AnsweringWorld) -> None:
    stopped = {"running": [], "logged_in": False, "session": None, **LIST}
    assert looked(world, GIVE_BACK, {"host": stopped}).outcome is Outcome.FAILED
