"""A gateway host fails: its numbers go on at their standbys, and never at two places at once."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import DefinitionError, Refused
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Drill, Mode, Response
from orchestrator.model.plan import Action, GatewayChange, Phase, Plan, Policy, Step, Target, Verb
from orchestrator.model.topology import Topology
from orchestrator.planner import Request, make_plan
from tests.planner.example import TOPOLOGY, change_of, changed, planned
from tests.planner.test_plan_properties import specs
from tests.planner.test_refusals import refusal
from tests.support.sites import ROOT, SiteSpec, topology_of

DRILL = "gateway-host-failure"
TODAY = date(2026, 11, 22)
few = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def standing(response: Response | None = None, topology: Topology = TOPOLOGY, **parameters: str) -> Plan:
    return planned(topology, DRILL, response, Mode.REHEARSAL, **parameters)


def refused(topology: Topology, **question: Any) -> str:
    return refusal(topology, drill=DRILL, **question)


def step_of(plan: Plan, name: str) -> Step:
    return next(step for step in plan.steps if step.id == name)


# What it means for each gateway ----------------------------------------------------------------------


def test_the_cold_standby_takes_over_with_its_own_certificate_over_its_own_line() -> None:
    plan = standing()
    taken, takes = change_of(plan, "nq-trade-1"), change_of(plan, "nq-trade-1-cold")
    assert (taken.action, taken.standby, taken.after) == (Action.TAKEN_OVER, "nq-trade-1-cold", None)
    assert (takes.action, takes.stands_in_for, takes.before) == (Action.TAKE_OVER, "nq-trade-1", None)
    assert takes.after is not None
    assert (takes.after.front, takes.after.line, takes.after.certificate) == (
        "futian-trading",
        "uni-futian",
        "nq-trade-1-file",
    )
    assert (taken.number, taken.wave) == (takes.number, takes.wave) == ("W100200", 1)
    assert takes.list_after == takes.list_before


def test_a_gateway_with_a_hot_standby_only_is_left_alone() -> None:
    plan = standing(host="gw-a5")
    for name, pair in (("sse-td-1", "sse-td-2"), ("sse-md-1", "sse-md-2")):
        change = change_of(plan, name)
        assert (change.action, change.standby, change.after) == (Action.HOT_STANDBY, pair, None)
        assert change_of(plan, pair).action is Action.NONE
    assert all(step.verb not in (Verb.FENCE, Verb.TAKE_OVER, Verb.REPOINT) for step in plan.steps)


def test_a_hot_standby_on_the_failed_host_needs_nothing_but_its_primary() -> None:
    assert change_of(standing(host="gw-b1"), "nq-trade-2").standby == "nq-trade-1"


def test_only_repoint_starts_a_cold_standby() -> None:
    for response in (Response.OBSERVE, Response.ASSIST):
        assert change_of(standing(response), "nq-trade-1").action is Action.HOT_STANDBY
    alone = changed({"gateways": {"nq-trade-1": {"pair": None}, "nq-trade-2": {"pair": None}}})
    said = refused(alone, response=Response.OBSERVE)
    assert said.startswith("NO_STANDBY: gateway nq-trade-1 (W100200) on gw-a1: ")
    assert "--response repoint" in said


def test_the_standbys_list_begins_with_a_front_that_it_reaches() -> None:
    topology = changed({"routers": {"ce-b": {"paths": {"futian": []}}}})
    takes = change_of(standing(topology=topology), "nq-trade-1-cold")
    assert takes.list_after == ("southern-trading",)
    assert takes.after is not None
    assert takes.after.front == "southern-trading"


def test_a_gateway_without_any_standby_is_refused_by_name() -> None:
    gateways: dict[str, Any] = {"nq-md-1": {"pair": None}, "nq-md-2": {"pair": None}}
    said = refused(changed({"gateways": gateways}), host="gw-a3")
    assert said == (
        "NO_STANDBY: gateway nq-md-1 (W100210) on gw-a3 has no cold standby (standby_for) and no hot one (pair)"
    )


def test_a_standby_that_fails_with_its_primary_is_none() -> None:
    gateways: dict[str, Any] = {"nq-md-2": {"host": "gw-a3"}}
    said = refused(changed({"gateways": gateways}), host="gw-a3")
    assert "nq-md-1 (W100210) on gw-a3: its standbys (nq-md-2 on gw-a3) fail too" in said
    assert "nq-md-2 (W100211) on gw-a3: its standbys (nq-md-1 on gw-a3) fail too" in said


def test_without_a_release_time_nobody_can_say_when_the_number_is_free() -> None:
    said = refused(changed({"site": {"session_timeout_s": None}}))
    assert said.startswith("RELEASE_TIME_UNKNOWN: gateway nq-trade-1 (W100200): ")


@pytest.mark.parametrize(
    ("dates", "found"),
    [({"valid_to": "2026-01-01"}, "to 2026-01-01, not on"), ({"valid_from": "2027-11-23"}, "valid 2027-11-23 to")],
)
def test_a_certificate_that_is_not_valid_today_is_not_used(dates: dict[str, str], found: str) -> None:
    said = refused(changed({"certificates": {"nq-trade-1-file": dates}}))
    assert said.startswith("CERTIFICATE_NOT_VALID: cold standby nq-trade-1-cold: certificate nq-trade-1-file is ")
    assert found in said


def test_another_certificate_that_is_valid_is_named_in_the_refusal() -> None:
    data = topology_data()
    data["certificates"][0]["valid_to"] = "2026-01-01"
    data["certificates"].append({**data["certificates"][0], "id": "nq-trade-1-new", "valid_to": "2029-01-01"})
    data["gateways"][-1]["certificates"].append("nq-trade-1-new")
    assert refused(Topology.model_validate(data)).endswith(
        "; name nq-trade-1-new in the standby's configuration and as its certificate"
    )


def test_a_cold_standby_that_reaches_no_front_is_no_standby() -> None:
    topology = changed(
        {
            "routers": {"ce-b": {"paths": {"southern": []}}},
            "gateways": {"nq-trade-1-cold": {"servers": ["southern-trading"]}},
        }
    )
    assert change_of(standing(topology=topology), "nq-trade-1").action is Action.HOT_STANDBY


def test_a_cold_standby_on_a_host_that_fails_too_is_no_standby() -> None:
    drill = load_drill(ROOT / "drills", DRILL)
    both = drill.model_copy(update={"fault": drill.fault.model_copy(update={"hosts": ("gw-a1", "gw-b2")})})
    plan = make_plan(TOPOLOGY, "digest", both, Request(Mode.REHEARSAL, TODAY, {}))
    assert change_of(plan, "nq-trade-1").action is Action.HOT_STANDBY
    assert plan.fault.hosts == ("gw-a1", "gw-b2")


def test_a_host_or_manner_that_is_none_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"expected a host of this site \(gw-a1, "):
        standing(host="gw-a9")
    with pytest.raises(DefinitionError, match=r"expected a manner of this site \(dark, freeze\), found 'hang'"):
        standing(manner="hang")


def test_a_host_without_gateways_affects_nobody() -> None:
    host = {"id": "gw-idle", "room": "room-a", "router": "ce-a"}
    addresses = {"management_address": "198.18.1.99", "site_address": "198.19.1.99"}
    data = topology_data()
    data["hosts"].append({**host, **addresses})
    assert refused(Topology.model_validate(data), host="gw-idle").startswith("NOTHING_AFFECTED")


def topology_data() -> dict[str, Any]:
    return changed({}).model_dump(mode="json", by_alias=True)


def test_the_definition_refuses_a_host_that_answers_wrongly_or_moves_to_another_centre() -> None:
    drill = load_drill(ROOT / "drills", DRILL).model_dump(mode="json")
    with pytest.raises(ValueError, match="expected manner dark or freeze for a host"):
        Drill.model_validate({**drill, "fault": {**drill["fault"], "manner": "hang"}})
    with pytest.raises(ValueError, match="expected no move_to where a host fails"):
        Drill.model_validate({**drill, "move_to": "beijing"})


def test_a_manner_is_taken_from_a_parameter_of_that_type_only() -> None:
    assert standing(manner="freeze").fault.manner == "freeze"
    drill = load_drill(ROOT / "drills", DRILL)
    wrong = drill.model_copy(update={"fault": drill.fault.model_copy(update={"manner": "$host"})})
    with pytest.raises(DefinitionError, match=r"fault\.manner: expected a parameter of type manner, found \$host"):
        make_plan(changed({}), "digest", wrong, Request(Mode.REHEARSAL, TODAY, {}))


# Order -----------------------------------------------------------------------------------------------


def test_the_fence_stands_before_the_standby_starts_and_until_it_is_out_again() -> None:
    order = [step.id for step in standing().steps]
    wanted = ["inject", "fence-1", "take-over-1", "settle", "hold", "lift", "routes-back", "kept-out-1"]
    wanted += ["give-back-1", "unfence-1", "own-return", "home-1", "settle-back", "disarm", "prove"]
    assert [step for step in order if step in wanted] == wanted


def test_who_rests_on_what() -> None:
    plan = standing()
    needs = {
        (step.id, target.name): target.arguments["requires"]
        for step in plan.steps
        for target in step.targets
        if "requires" in target.arguments
    }
    spared = {"or_never_begun": "take-over-1", "begun_target": "nq-trade-1-cold"}
    fence = {"or_never_begun": "fence-1", "begun_target": "nq-trade-1"}
    assert needs == {
        ("take-over-1", "nq-trade-1-cold"): [{"step": "fence-1", "target": "nq-trade-1"}],
        ("kept-out-1", "nq-trade-1"): [{"step": "fence-1", "target": "nq-trade-1"}],
        ("give-back-1", "nq-trade-1-cold"): [{"step": "kept-out-1", "target": "nq-trade-1"}],
        ("unfence-1", "nq-trade-1"): [{"step": "give-back-1", "target": "nq-trade-1-cold", **spared}],
        ("home-1", "nq-trade-1"): [{"step": "unfence-1", "target": "nq-trade-1", **fence}],
    }


def test_a_fence_is_put_on_every_router_of_the_hosts_room() -> None:
    plan = standing()
    assert plan.fence_routers == ("ce-a",)
    assert step_of(plan, "fence-1").targets[0].arguments["routers"] == ["ce-a"]
    assert step_of(plan, "unfence-1").targets[0].arguments["routers"] == ["ce-a"]
    beside = {**topology_data()["routers"][0], "id": "ce-a2", "title": {"zh": "二", "en": "Second"}}
    data = topology_data()
    data["routers"].append({**beside, "management_address": "198.18.1.2", "site_address": "198.19.1.2", "paths": {}})
    assert standing(topology=Topology.model_validate(data)).fence_routers == ("ce-a", "ce-a2")


def test_a_router_that_cannot_be_fenced_is_refused_in_a_drill_and_noted_in_an_incident() -> None:
    topology = changed({"routers": {"ce-a": {"driver": "vendor"}}})
    said = refused(topology)
    assert said.startswith("FENCE_NOT_POSSIBLE: expected routers with driver linux for a network fence, found ce-a (")
    assert standing(Response.OBSERVE, topology).notes == standing(Response.OBSERVE).notes
    incident = planned(topology, DRILL, mode=Mode.INCIDENT)
    assert any("two people have to declare" in note.en for note in incident.notes)
    assert not any("two people" in note.en for note in planned(drill=DRILL, mode=Mode.INCIDENT).notes)


def test_an_open_fence_is_done_again_and_an_open_start_is_looked_at() -> None:
    plan = standing()
    for name in ("fence-1", "give-back-1", "unfence-1"):
        assert step_of(plan, name).policy is Policy.RERUN
    assert step_of(plan, "take-over-1").policy is Policy.LOOK


def test_the_fence_has_time_for_both_ways_and_for_the_release() -> None:
    topology = changed({"site": {"session_timeout_s": 45, "switch_deadline_s": 80}})
    assert step_of(standing(topology=topology), "fence-1").deadline_s >= 80 + 45


def test_an_incident_fences_and_takes_over_and_stops_there() -> None:
    plan = planned(drill=DRILL, mode=Mode.INCIDENT)
    verbs = [step.verb for step in plan.steps]
    assert verbs.index(Verb.FENCE) < verbs.index(Verb.TAKE_OVER)
    assert {Verb.INJECT, Verb.GIVE_BACK, Verb.UNFENCE, Verb.LIFT}.isdisjoint(verbs)


# At every prefix -------------------------------------------------------------------------------------


@dataclass
class Numbers:
    """Who could be logged in, at worst: a fence that failed holds nobody, a host that is gone may come back at any
    moment, a standby whose start failed may be running, and one whose stop failed still is.
    """

    plan: Plan
    fenced: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)

    def able(self) -> Iterator[GatewayChange]:
        for change in self.plan.gateways:
            cold = change.before is None
            if change.gateway in self.started if cold else change.gateway not in self.fenced:
                yield change

    def check(self, after: str) -> None:
        able = list(self.able())
        numbers = [change.number for change in able]
        assert len(numbers) == len(set(numbers)), f"a number twice after {after}"
        places = [change.before or change.after for change in able]
        certificates = [place.certificate for place in places if place and place.certificate]
        assert len(certificates) == len(set(certificates)), f"a certificate twice after {after}"

    def begin(self, verb: Verb, target: str) -> None:
        if verb is Verb.TAKE_OVER:
            self.started.add(target)
        if verb is Verb.UNFENCE:
            self.fenced.discard(target)
            host = next(change.host for change in self.plan.gateways if change.gateway == target)
            self.fenced -= {change.gateway for change in self.plan.gateways if change.host == host}

    def succeed(self, verb: Verb, target: str) -> None:
        if verb is Verb.FENCE:
            self.fenced.add(target)
        if verb is Verb.GIVE_BACK:
            self.started.discard(target)


@dataclass
class Walk:
    """Carries a plan's steps out as they say: nothing without what it requires, nothing undone that never began."""

    plan: Plan
    failing: frozenset[str]  # "step target"
    begun: set[tuple[str, str]] = field(default_factory=set)
    good: set[tuple[str, str]] = field(default_factory=set)

    def run(self, until: int) -> Numbers:
        """Forward up to the step with this index, then the whole way back."""
        state = Numbers(self.plan)
        state.check("nothing")
        for index, step in enumerate(self.plan.steps):
            back = step.phase in (Phase.RESTORING, Phase.PROVING_RESTORATION)
            if index >= until and not back:
                continue
            if step.undoes and not any(name == step.undoes for name, _ in self.begun):
                continue
            for target in step.targets:
                self._target(state, step, target)
        return state

    def _target(self, state: Numbers, step: Step, target: Target) -> None:
        if not all(self._is_met(need) for need in target.arguments.get("requires", ())):
            return
        self.begun.add((step.id, target.name))
        state.begin(step.verb, target.name)
        state.check(f"the begin of {step.id}")
        if f"{step.id} {target.name}" not in self.failing:
            self.good.add((step.id, target.name))
            state.succeed(step.verb, target.name)
        state.check(step.id)

    def _is_met(self, need: dict[str, str]) -> bool:
        spared = "or_never_begun" in need and (need["or_never_begun"], need["begun_target"]) not in self.begun
        return spared or (need["step"], need["target"]) in self.good


cold_specs = st.builds(
    lambda spec, cold: replace(spec, cold=cold), specs, st.sampled_from(("beside", "spare", "spare", ""))
)


def plan_or_refusal(topology: Topology, host: str, response: Response, mode: Mode = Mode.REHEARSAL) -> Plan | Refused:
    try:
        drill = load_drill(Path(ROOT / "drills"), DRILL)
        return make_plan(topology, "digest", drill, Request(mode, TODAY, {"host": host}, response))
    except Refused as refused:
        return refused


def host_of(topology: Topology, index: int) -> str:
    """A host that runs gateways."""
    busy = sorted({gateway.host for gateway in topology.gateways if gateway.enabled})
    return busy[index % len(busy)]


@few
@given(cold_specs, st.integers(0, 20), st.integers(0, 60), st.data())
def test_at_most_one_of_a_number_can_be_logged_in_whatever_fails_and_wherever_it_ends(
    spec: SiteSpec, index: int, until: int, data: st.DataObject
) -> None:
    topology = topology_of(spec)
    plan = plan_or_refusal(topology, host_of(topology, index), Response.REPOINT)
    if isinstance(plan, Refused):
        return
    every = [f"{step.id} {target.name}" for step in plan.steps for target in step.targets]
    failing = data.draw(st.sets(st.sampled_from(every), max_size=4))
    Walk(plan, frozenset(failing)).run(min(until, len(plan.steps)))


@few
@given(cold_specs, st.integers(0, 20))
def test_where_nothing_fails_every_number_is_at_its_standby_and_then_at_home(spec: SiteSpec, index: int) -> None:
    topology = topology_of(spec)
    plan = plan_or_refusal(topology, host_of(topology, index), Response.REPOINT)
    if isinstance(plan, Refused):
        return
    names = [step.id for step in plan.steps]
    walk = Walk(plan, frozenset())
    state = walk.run(len(names))
    assert {change.gateway for change in state.able()} == {item.gateway for item in plan.gateways if item.before}
    forward = {change.gateway for change in plan.gateways if change.action is Action.TAKE_OVER}
    assert forward == {name for step, name in walk.good if step.startswith("take-over")}


@few
@given(cold_specs, st.integers(0, 20), st.sampled_from(Response))
def test_every_gateway_of_the_host_has_its_standby_or_is_refused_by_name(
    spec: SiteSpec, index: int, response: Response
) -> None:
    topology = topology_of(spec)
    host = host_of(topology, index)
    plan = plan_or_refusal(topology, host, response)
    lost = [gateway for gateway in topology.gateways if gateway.enabled and gateway.host == host]
    if isinstance(plan, Refused):
        assert plan.code in ("NO_STANDBY", "NO_PATH")
        assert any(gateway.id in str(plan) for gateway in (lost if plan.code == "NO_STANDBY" else topology.gateways))
        return
    for gateway in lost:
        change = change_of(plan, gateway.id)
        standby = topology.gateway[change.standby or ""]
        assert standby.host != host
        cold = change.action is Action.TAKEN_OVER
        assert cold == (standby.standby_for == gateway.id) == (standby.number == gateway.number)
        assert (change.action is Action.HOT_STANDBY) == (standby.id == gateway.pair)
        if cold:
            assert response is Response.REPOINT
            place = change_of(plan, standby.id).after
            assert place is not None
            assert place.certificate in standby.certificates
            assert change_of(plan, standby.id).list_after[0] == place.front


@few
@given(cold_specs, st.integers(0, 20))
def test_primary_and_standby_are_never_in_one_wave(spec: SiteSpec, index: int) -> None:
    topology = topology_of(spec)
    plan = plan_or_refusal(topology, host_of(topology, index), Response.REPOINT)
    if isinstance(plan, Refused):
        return
    for step in plan.steps:
        if step.verb not in (Verb.FENCE, Verb.TAKE_OVER, Verb.GIVE_BACK, Verb.UNFENCE, Verb.RESTART):
            continue
        names = [target.name for target in step.targets]
        numbers = [topology.gateway[name].number for name in names]
        assert len(numbers) == len(set(numbers)) <= topology.site.max_gateways_per_wave
        assert all(topology.gateway[name].pair not in names for name in names)


def test_no_fence_of_a_host_comes_down_while_one_of_its_numbers_is_still_at_its_standby() -> None:
    topology = topology_of(SiteSpec(cold="spare", pairs=5, wave=1, classes=("trading",)))
    plan = plan_or_refusal(topology, "node0-trading-0", Response.REPOINT)
    assert isinstance(plan, Plan)
    stuck = step_of(plan, "give-back-2").targets[0].name
    walk = Walk(plan, frozenset({f"give-back-2 {stuck}"}))
    walk.run(len(plan.steps))
    assert not [name for name, _ in walk.begun if name.startswith("unfence")]


def test_the_generator_reaches_take_overs_in_several_waves_and_refusals() -> None:
    topology = topology_of(SiteSpec(cold="spare", pairs=5, wave=1, classes=("trading",)))
    plan = plan_or_refusal(topology, "node0-trading-0", Response.REPOINT)
    assert isinstance(plan, Plan)
    assert [step.id for step in plan.steps if step.verb is Verb.UNFENCE] == ["unfence-1", "unfence-2"]
    order = [step.id for step in plan.steps]
    assert order.index("give-back-2") < order.index("unfence-1"), "a network fence is that of the whole host"
    alone = topology_of(SiteSpec(rooms=(SiteSpec().rooms[0],)))
    assert isinstance(plan_or_refusal(alone, "node0-trading-0", Response.REPOINT), Refused)
