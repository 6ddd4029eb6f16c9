"""What a plan refuses by name, and what a fault means for each gateway of the example."""

from datetime import date
from typing import Any

import pytest

from orchestrator.errors import DefinitionError, Refused
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import Action, Plan, Verb
from orchestrator.model.topology import Topology
from orchestrator.planner import Request, make_plan
from orchestrator.planner.steps import MARGIN_S, observation_s
from tests.planner.example import TOPOLOGY, change_of, changed, planned
from tests.support.sites import ROOT

TODAY = "2026-11-21"  # the day of the plans of tests.report.record_example


def refusal(topology: Topology = TOPOLOGY, **question: Any) -> str:
    with pytest.raises(Refused) as caught:
        planned(topology, **question)
    return str(caught.value)


# Certificates --------------------------------------------------------------------------------------


def certificate(**fields: str) -> Topology:
    return changed({"certificates": {"nq-trade-1-file": fields}})


@pytest.mark.parametrize(
    "fields", [{"valid_to": "2026-11-20"}, {"valid_from": "2026-11-22"}], ids=["expired", "not yet valid"]
)
def test_a_gateway_whose_certificate_is_not_valid_is_not_moved(fields: dict[str, str]) -> None:
    said = refusal(certificate(**fields))
    assert said.startswith("CERTIFICATE_NOT_VALID: gateway nq-trade-1: certificate nq-trade-1-file")
    assert TODAY in said


@pytest.mark.parametrize("fields", [{"valid_to": TODAY}, {"valid_from": TODAY}])
def test_a_certificate_is_valid_on_its_first_and_its_last_day(fields: dict[str, str]) -> None:
    assert change_of(planned(certificate(**fields)), "nq-trade-1").action is Action.REPOINT


def test_the_certificate_of_a_gateway_that_stays_does_not_matter() -> None:
    old = certificate(valid_to="2026-11-20")
    assert change_of(planned(old, centre="southern"), "nq-trade-1").action is Action.NONE
    assert change_of(planned(old, response=Response.OBSERVE), "nq-trade-1").action is Action.OWN_LIST


def ekey() -> Topology:
    return changed({"certificates": {"nq-trade-3-file": {"kind": "ekey", "host": "gw-a2"}}})


def test_an_ekey_gateway_is_not_moved_because_each_start_may_spend_a_pin_attempt() -> None:
    said = refusal(ekey())
    assert said.startswith("EKEY_START_LIMIT: gateway nq-trade-3: ")
    assert "nq-trade-3-file" in said


def test_an_ekey_gateway_may_fail_over_by_its_own_list() -> None:
    assert change_of(planned(ekey(), response=Response.OBSERVE), "nq-trade-3").action is Action.OWN_LIST


def test_an_expired_ekey_is_refused_as_expired() -> None:
    topology = changed(
        {"certificates": {"nq-trade-3-file": {"kind": "ekey", "host": "gw-a2", "valid_to": "2026-01-01"}}}
    )
    assert refusal(topology).startswith("CERTIFICATE_NOT_VALID")


# Assist --------------------------------------------------------------------------------------------


def test_assist_is_refused_while_a_fronts_session_timeout_is_unknown() -> None:
    said = refusal(changed({"site": {"session_timeout_s": None}}), response=Response.ASSIST)
    assert said.startswith("ASSIST_TIME_UNKNOWN: gateway nq-trade-1: ")


def test_assist_is_refused_while_a_gateways_connect_timeout_is_unknown() -> None:
    said = refusal(changed({"profiles": {"nq-trading": {"connect_timeout_s": None}}}), response=Response.ASSIST)
    assert said.startswith("ASSIST_TIME_UNKNOWN: gateway nq-trade-1: ")


@pytest.mark.parametrize("response", [Response.OBSERVE, Response.REPOINT])
def test_only_assist_needs_to_know_how_long_to_wait(response: Response) -> None:
    assert planned(changed({"site": {"session_timeout_s": None}}), response=response).affected


def test_assist_waits_for_the_longest_own_failover() -> None:
    """Session timeout + list length x connect timeout + margin; a front's own timeout goes before the site's."""
    topology = changed({"fronts": {"southern-trading": {"session_timeout_s": 30}}})
    plan = planned(topology, response=Response.ASSIST)
    trading, market = change_of(plan, "nq-trade-1"), change_of(plan, "nq-md-1")
    connect_s = topology.profiles["nq-trading"].connect_timeout_s or 0
    assert observation_s(topology, trading) == 30 + 2 * connect_s + MARGIN_S
    assert observation_s(topology, market) == 10 + 2 * connect_s + MARGIN_S
    wait = next(step for step in plan.steps if step.id == "observe")
    assert wait.targets[0].arguments["wait_s"] == observation_s(topology, trading)
    assert wait.deadline_s > wait.targets[0].arguments["wait_s"]


def test_assist_waits_before_it_changes_and_changes_only_what_is_down() -> None:
    plan = planned(response=Response.ASSIST)
    order = [step.id for step in plan.steps]
    assert order.index("inject") < order.index("observe") < order.index("repoint-1")
    repoint = next(step for step in plan.steps if step.id == "repoint-1")
    assert all(target.arguments["only_if_down"] for target in repoint.targets)
    plain = next(step for step in planned(response=Response.REPOINT).steps if step.id == "repoint-1")
    assert not any(target.arguments["only_if_down"] for target in plain.targets)


@pytest.mark.parametrize(
    ("mode", "response", "gently"),
    [
        (Mode.INCIDENT, Response.REPOINT, True),
        (Mode.REHEARSAL, Response.REPOINT, False),
        (Mode.REHEARSAL, Response.ASSIST, True),
    ],
)
def test_an_incident_leaves_alone_what_came_up_by_itself(mode: Mode, response: Response, gently: bool) -> None:
    repoint = next(step for step in planned(response=response, mode=mode).steps if step.id == "repoint-1")
    assert {target.arguments["only_if_down"] for target in repoint.targets} == {gently}


# Paths ---------------------------------------------------------------------------------------------


def plan_with(drill: str, response: Response, down: tuple[str, ...], topology: Topology = TOPOLOGY) -> Plan:
    request = Request(Mode.REHEARSAL, date.fromisoformat(TODAY), {}, response, down)
    return make_plan(topology, "digest", load_drill(ROOT / "drills", drill), request)


def test_every_gateway_without_a_path_is_named() -> None:
    with pytest.raises(Refused) as caught:
        plan_with("single-centre-failure", Response.REPOINT, ("uni-southern", "tel-southern", "sat-receive"))
    assert caught.value.code == "NO_PATH"
    for name in ("nq-trade-1", "nq-trade-3", "nq-md-1", "nq-ccnet-1", "nq-mc-1"):
        assert f"gateway {name} (" in str(caught.value)
    assert "sse-td-1" not in str(caught.value)


def test_a_line_that_is_down_already_must_be_one_of_the_site() -> None:
    with pytest.raises(DefinitionError, match="--down: expected a line"):
        plan_with("single-centre-failure", Response.REPOINT, ("no-such",))


def test_a_static_router_is_told_to_use_a_live_line_and_told_back() -> None:
    topology = changed(
        {"routers": {"ce-b": {"paths": {"southern": ["tel-southern", "uni-southern"], "futian": ["uni-futian"]}}}}
    )
    plan = planned(topology, "single-carrier-failure")
    (path,) = plan.paths
    assert (path.router, path.centre, path.line_before, path.line_after) == (
        "ce-b",
        "southern",
        "tel-southern",
        "uni-southern",
    )
    steps = {step.id: step for step in plan.steps if step.verb is Verb.PATH}
    there, back = steps["paths"].targets[0].arguments, steps["paths-back"].targets[0].arguments
    assert (there["line"], there["line_before"]) == ("uni-southern", "tel-southern")
    assert (back["line"], back["line_before"]) == ("tel-southern", "uni-southern")
    assert steps["paths-back"].undoes == "paths"
    assert change_of(plan, "nq-trade-2").action is Action.REROUTED


def test_observe_tells_no_router() -> None:
    topology = changed({"routers": {"ce-b": {"paths": {"southern": ["tel-southern", "uni-southern"]}}}})
    assert planned(topology, "single-carrier-failure", Response.REPOINT).paths
    plan = planned(topology, "single-carrier-failure", Response.OBSERVE)
    assert plan.paths == ()
    assert change_of(plan, "nq-trade-2").action is Action.OWN_LIST


# What a fault means --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drill", "gateway", "action", "front", "line"),
    [
        ("single-centre-failure", "nq-trade-1", Action.REPOINT, "southern-trading", "uni-southern"),
        ("single-centre-failure", "nq-trade-2", Action.NONE, "southern-trading", "tel-southern"),
        ("single-centre-failure", "nq-mc-1", Action.OWN_LIST, "southern-multicast", "uni-southern"),
        ("single-centre-failure", "sse-td-1", Action.NONE, "sse-one-trading", "sse-tel"),
        ("single-carrier-failure", "nq-trade-1", Action.REROUTED, "futian-trading", "uni-futian"),
        ("single-carrier-failure", "nq-trade-2", Action.REPOINT, "futian-trading", "uni-futian"),
        ("beijing-dr-cutover", "nq-trade-1", Action.REPOINT, "beijing-trading", "tel-futian"),
        ("beijing-dr-cutover", "nq-mc-1", Action.NO_BUSINESS, None, None),
    ],
)
def test_what_the_fault_means_for_a_gateway(
    drill: str, gateway: str, action: Action, front: str | None, line: str | None
) -> None:
    change = change_of(planned(drill=drill), gateway)
    assert (change.action, change.after and change.after.front, change.after and change.after.line) == (
        action,
        front,
        line,
    )


def test_a_new_list_holds_live_fronts_only_and_every_other_list_stays() -> None:
    plan = planned()
    assert change_of(plan, "nq-trade-1").list_after == ("southern-trading",)
    for change in plan.gateways:
        if change.action is not Action.REPOINT:
            assert change.list_after == change.list_before


def test_a_gateway_in_national_cryptography_moves_to_fronts_that_speak_it() -> None:
    found = change_of(planned(drill="beijing-dr-cutover"), "nq-ccnet-2").list_after
    assert found
    assert {TOPOLOGY.front[name].protocol for name in found} == {"gm"}


def test_a_cold_standby_is_left_alone() -> None:
    topology = changed({"gateways": {"nq-trade-1": {"enabled": False}}})
    assert all(change.gateway != "nq-trade-1" for change in planned(topology).gateways)


def test_a_setting_must_be_a_parameter_and_one_of_its_values() -> None:
    with pytest.raises(DefinitionError, match="expected a parameter"):
        planned(center="futian")
    with pytest.raises(DefinitionError, match=r"expected a centre of this site \(futian, southern\)"):
        planned(centre="beijing")


def test_a_fault_that_nobody_uses_is_refused() -> None:
    assert refusal(drill="single-carrier-failure", carrier="satcom").startswith("NOTHING_AFFECTED")


# Order ---------------------------------------------------------------------------------------------


def test_restoration_lifts_the_fault_before_it_puts_anything_back() -> None:
    topology = changed({"routers": {"ce-b": {"paths": {"futian": ["tel-futian", "uni-futian"]}}}})
    order = [step.id for step in planned(topology, "beijing-dr-cutover").steps]
    wanted = ["inject", "repoint-1", "repoint-2", "settle", "check-after-switch", "hold", "lift", "routes-back"]
    wanted += ["restore-2", "restore-1", "home-1", "home-2", "settle-back", "disarm", "prove"]
    assert [step for step in order if step in wanted] == wanted
    assert order[-1] == "check-after-restoration"
    assert order[:3] == ["arm", "snapshot", "check-baseline"]


def test_every_undo_names_its_step_and_carries_the_list_before() -> None:
    plan = planned()
    steps = {step.id: step for step in plan.steps}
    assert (steps["lift"].undoes, steps["restore-1"].undoes) == ("inject", "repoint-1")
    for target in steps["restore-1"].targets:
        assert tuple(target.arguments["fronts"]) == change_of(plan, target.name).list_before
    for target in steps["repoint-1"].targets:
        assert tuple(target.arguments["fronts"]) == change_of(plan, target.name).list_after
