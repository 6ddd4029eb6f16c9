"""What if: the planner's own answers, for every failure of a site and for any of them together."""

from collections.abc import Mapping
from datetime import date
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import DefinitionError, Refused
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Drill, FaultSpec, Mode, Response
from orchestrator.model.plan import Action, Plan, Verb
from orchestrator.model.topology import Topology
from orchestrator.planner import Request, make_plan
from orchestrator.planner.failures import FailureKind, failures_named
from orchestrator.planner.situation import Fate
from orchestrator.planner.subjects import settings as settings_of
from orchestrator.planner.whatif import Answer, WhatIf
from tests.planner.example import TOPOLOGY, changed, planned
from tests.planner.test_whatif_pairs import specs
from tests.support.sites import CENTRES, ROOT, RoomSpec, SiteSpec, topology_of

TODAY = date(2026, 11, 22)
few = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ACTS = (Verb.PATH, Verb.REPOINT, Verb.FENCE, Verb.TAKE_OVER)


def drill_of(name: str) -> Drill:
    return load_drill(ROOT / "drills", name)


@cache
def of_example() -> WhatIf:
    return WhatIf(TOPOLOGY, TODAY)


def answer(text: str, topology: Topology = TOPOLOGY) -> Answer:
    what_if = of_example() if topology is TOPOLOGY else WhatIf(topology, TODAY)
    return what_if.answer(failures_named(topology, text))


def counted(text: str, topology: Topology = TOPOLOGY) -> dict[str, int]:
    return {fate.value: count for fate, count in answer(text, topology).counts.items() if count}


def acts(text: str, topology: Topology = TOPOLOGY) -> list[str]:
    return [step.id for step in answer(text, topology).acts]


REPOINTED = ["repoint-1", "repoint-2"]

# The example site ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failed", "counts", "steps"),
    [
        ("centre=futian", {"untouched": 9, "itself": 5}, []),
        ("centre=beijing", {"untouched": 14}, []),
        ("carrier=telecom", {"untouched": 2, "itself": 12}, []),
        ("carrier=unicom", {"untouched": 12, "switch": 2}, ["paths"]),
        ("line=tel-southern", {"untouched": 9, "itself": 5}, []),
        ("line=sse-uni", {"untouched": 12, "switch": 2}, ["paths"]),
        ("satellite=sat-receive", {"untouched": 14}, []),
        ("room=room-a", {"untouched": 7, "pair": 6, "switch": 1}, ["fence-1", "take-over-1"]),
        ("room=room-b", {"untouched": 7, "pair": 7}, []),
        ("room=room-a,room=room-b", {"lost": 14}, []),
        ("router=ce-a", {"untouched": 7, "pair": 6, "switch": 1}, ["fence-1", "take-over-1"]),
        ("router=ce-b", {"untouched": 7, "pair": 7}, []),
        ("host=gw-a1", {"untouched": 13, "switch": 1}, ["fence-1", "take-over-1"]),
        ("host=gw-a5", {"untouched": 12, "pair": 2}, []),
        ("gateway=nq-trade-1", {"untouched": 13, "switch": 1}, ["fence-1", "take-over-1"]),
        ("gateway=nq-trade-1-cold", {"untouched": 14}, []),
        ("certificate=sse-td-1-ekey", {"untouched": 13, "switch": 1}, ["certificate-1"]),
        ("certificate=sse-td-1-file", {"untouched": 14}, []),
        ("certificate=nq-md-1-file", {"untouched": 13, "pair": 1}, []),
        ("centre=futian,centre=southern", {"untouched": 4, "switch": 8, "no-such-business": 2}, REPOINTED),
        ("line=sse-tel,line=sse-uni", {"untouched": 10, "lost": 4}, []),
        ("router=ce-a,router=ce-b", {"lost": 14}, []),
        ("host=gw-a1,host=gw-b2", {"untouched": 12, "pair": 2}, []),
        ("host=gw-a1,host=gw-b1", {"untouched": 12, "switch": 2}, ["fence-1", "take-over-1"]),
    ],
)  # fmt: skip
def test_the_example_is_as_known(failed: str, counts: dict[str, int], steps: list[str]) -> None:
    assert counted(failed) == counts
    assert acts(failed) == steps


def test_no_single_failure_of_the_example_loses_a_gateway() -> None:
    lost = {failure.id: answer(failure.id).lost for failure in of_example().failures}
    assert len(lost) == 61
    assert not any(lost.values())


KIND_OF = {"centre": "centre", "carrier": "carrier", "host": "host"}


@pytest.mark.parametrize(
    ("drill", "plans"), [("single-centre-failure", 4), ("single-carrier-failure", 3), ("gateway-host-failure", 20)]
)
def test_the_drills_say_the_same(drill: str, plans: int) -> None:
    """What goes on by itself is what `observe` says; what has to be switched is what `repoint` says."""
    compared = 0
    for chosen in settings_of(TOPOLOGY, drill_of(drill)):
        failed = ",".join(f"{KIND_OF[name]}={value}" for name, value in chosen.items() if name in KIND_OF)
        for response in (Response.OBSERVE, Response.REPOINT):
            plan = plan_or_none(drill, response, chosen)
            if plan:
                compared += 1
                says_the_same(answer(failed), plan, response)
    assert compared == plans


def plan_or_none(drill: str, response: Response, chosen: Mapping[str, str]) -> Plan | None:
    try:
        return planned(TOPOLOGY, drill, response, Mode.INCIDENT, **chosen)
    except Refused:
        return None


def says_the_same(found: Answer, plan: Plan, response: Response) -> None:
    for change in plan.gateways:
        if change.stands_in_for:
            continue
        verdict = found.verdicts.get(change.gateway)
        own = verdict.changes[0].action if verdict else Action.NONE
        joined = TOPOLOGY.gateway[change.gateway].receives_only  # has no list to repoint
        if response is Response.REPOINT and own is Action.OWN_LIST and not joined:
            own = Action.REPOINT  # `repoint` changes lists that would go on by themselves
        if response is Response.OBSERVE and own is Action.TAKEN_OVER:
            own = Action.HOT_STANDBY  # `observe` starts no cold standby
        assert change.action is own, change.gateway
    if response is Response.REPOINT and not any(change.action is Action.REPOINT for change in plan.gateways):
        assert [step.id for step in found.acts] == [step.id for step in plan.steps if step.verb in ACTS]
        there = [target for step in plan.steps if step.verb in ACTS for target in step.targets]
        assert all(target in there for step in found.acts for target in step.targets)  # of the paths those needed


def test_beijing_is_as_in_its_drill() -> None:
    plan, found = planned(drill="beijing-dr-cutover", mode=Mode.INCIDENT), answer("centre=futian,centre=southern")
    assert [step.id for step in found.acts] == [step.id for step in plan.steps if step.verb in ACTS]
    for change in plan.affected:
        assert found.verdicts[change.gateway].changes[-1].after == change.after


# Any site --------------------------------------------------------------------------------------------


@few
@given(specs, st.sampled_from(CENTRES), st.integers(0, 5))
def test_what_goes_on_by_itself_is_what_a_plan_that_changes_nothing_says(
    spec: SiteSpec, centre: str, line: int
) -> None:
    topology = topology_of(spec)
    dead = topology.lines[line % len(topology.lines)].id
    found = answer(f"centre={centre},line={dead}", topology)
    by_itself = {
        name for name in of(topology).judged if name not in found.verdicts or found.verdicts[name].fate is Fate.ITSELF
    }
    drill = observed(FaultSpec(centres=(centre,), lines=(dead,)))
    try:
        plan = make_plan(topology, "", drill, Request(Mode.REHEARSAL, TODAY, {}, Response.OBSERVE))
    except Refused as refusal:
        if refusal.code == "NO_PATH" and not of(topology).idle:
            named = {name for name in of(topology).judged if f"gateway {name} " in str(refusal)}
            assert named == set(of(topology).judged) - by_itself
        return
    assert by_itself == set(of(topology).judged)
    assert set(found.verdicts) == {change.gateway for change in plan.affected}


def of(topology: Topology) -> WhatIf:
    return WhatIf(topology, TODAY)


def observed(fault: FaultSpec) -> Drill:
    return drill_of("single-centre-failure").model_copy(update={"fault": fault, "parameters": {}})


# What a failure leaves -------------------------------------------------------------------------------


def test_a_static_site_with_both_lines_dead_is_lost() -> None:
    alone = topology_of(SiteSpec(rooms=(RoomSpec("static", (("alpha", "futian"), ("beta", "southern")), far=False),)))
    assert counted("line=w00-alpha-futian", alone) == {"untouched": 3, "itself": 3}
    assert counted("line=w00-alpha-futian,line=w01-beta-southern", alone) == {"lost": 6}
    assert (
        "no live route over"
        in answer("line=w00-alpha-futian,line=w01-beta-southern", alone).verdicts["trading-0-a"].why
    )


def test_a_certificate_that_was_never_tested_or_is_over_is_not_relied_on() -> None:
    for fields in ({"tested_on": None}, {"valid_to": "2026-01-01"}, {"host": "gw-b5"}):
        topology = changed({"certificates": {"sse-td-1-file": fields}})
        assert counted("certificate=sse-td-1-ekey", topology) == {"untouched": 13, "pair": 1}


def test_a_cold_standby_is_given_another_certificate_where_its_own_is_lost() -> None:
    """Its file names the one that fails; another of the same number is valid, tested and there."""
    one, other = "sse-td-1-ekey", "sse-td-1-file"
    cold = {
        "standby_for": "sse-td-1",
        "number": "T50010",
        "class": "tdgw",
        "profile": "sse-tdgw",
        "servers": ["sse-one-trading", "sse-two-trading"],
        "certificates": [one, other],
        "certificate": one,
    }
    topology = changed({"certificates": {one: {"kind": "file", "host": None}}, "gateways": {"nq-trade-1-cold": cold}})
    found = answer(f"host=gw-a5,host=gw-b5,certificate={one}", topology)
    assert [step.id for step in found.acts] == ["certificate-1", "fence-1", "take-over-1"]
    assert found.steps[0].targets[0].name == "nq-trade-1-cold"
    assert [step.targets[0].arguments["certificate"] for step in found.acts if step.verb is Verb.TAKE_OVER] == [other]
    assert found.lost == ["sse-md-1", "sse-md-2"]


def test_a_room_takes_its_hosts_with_it_wherever_their_router_stands() -> None:
    """The host is served by the other room's router, which lives on."""
    topology = changed({"hosts": {"gw-b5": {"room": "room-a", "site_address": "198.19.1.25"}}})
    assert counted("router=ce-a", topology)["untouched"] == 7
    found = answer("room=room-a", topology)
    assert set(found.lost) == {"sse-td-1", "sse-td-2", "sse-md-1", "sse-md-2"}
    assert "its host gw-b5 fails" in found.verdicts["sse-td-2"].why


def test_a_line_that_is_out_already_is_the_normal_day_that_a_failure_comes_on_top_of() -> None:
    out = WhatIf(TOPOLOGY, TODAY, ("sse-tel",))
    failed = failures_named(TOPOLOGY, "line=sse-uni")
    assert out.answer(failed).lost == answer("line=sse-tel,line=sse-uni").lost != []
    assert answer("line=sse-uni").lost == []
    assert [item.id for item in WhatIf(TOPOLOGY, TODAY).failures if item not in out.failures] == ["line=sse-tel"]


def test_beside_a_line_that_is_out_the_drill_says_the_same() -> None:
    found = WhatIf(TOPOLOGY, TODAY, ("sse-tel",)).answer(failures_named(TOPOLOGY, "centre=sse-one"))
    drill = observed(FaultSpec(centres=("sse-one",)))
    plan = make_plan(TOPOLOGY, "", drill, Request(Mode.REHEARSAL, TODAY, {}, Response.OBSERVE, ("sse-tel",)))
    assert {name: item.changes[0] for name, item in found.verdicts.items()} == {
        item.gateway: item for item in plan.affected
    }


def test_a_gateway_without_a_path_before_is_said_and_not_counted() -> None:
    topology = changed({"routers": {"ce-a": {"paths": {"sse-one": [], "sse-two": []}}}})
    assert of(topology).idle == ["sse-td-1", "sse-md-1"]
    assert sum(counted("router=ce-b", topology).values()) == 12


def test_the_fast_way_and_the_full_answer_agree() -> None:
    for failure in of_example().failures:
        fates = {name: verdict.fate for name, verdict in of_example().answer([failure]).verdicts.items()}
        assert of_example().fates([failure]) == fates


# What is asked ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("futian", "expected KIND=NAME, KIND one of centre, carrier, room, router"),
        ("building=a", "expected KIND=NAME"),
        ("centre=", "expected a centre of this site (futian, southern, beijing"),
        ("centre=futain", "found 'futain'"),
        ("", "found ''"),
        ("centre=futian,centre=futian", "expected each failure once, found centre=futian again"),
        ("certificate=none", "expected a certificate of this site"),
    ],
)
def test_what_is_no_failure_of_the_site_is_refused(text: str, said: str) -> None:
    with pytest.raises(DefinitionError) as refusal:
        failures_named(TOPOLOGY, text)
    assert said in str(refusal.value)


def test_every_wrong_part_is_named_at_once() -> None:
    with pytest.raises(DefinitionError) as refusal:
        failures_named(TOPOLOGY, "centre=x, line=y")
    assert len(str(refusal.value).splitlines()) == 2


def test_a_satellite_line_may_be_called_a_line() -> None:
    assert failures_named(TOPOLOGY, "line=sat-receive")[0].kind is FailureKind.SATELLITE
