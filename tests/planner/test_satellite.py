"""Trading goes on over the two-way satellite once every terrestrial line is lost, and nothing else does (SSCC-3.2c)."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.errors import DefinitionError, Refused
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Drill, Mode, Response
from orchestrator.model.plan import Action, Plan, Verb
from orchestrator.model.topology import LineKind, Topology
from orchestrator.planner import Request, make_plan
from tests.planner.example import TOPOLOGY, change_of, changed
from tests.support.sites import ROOT

TODAY = date(2026, 11, 21)  # the day of the other plans of the tests
NAME = "satellite-fallback"
DRILL = load_drill(ROOT / "drills", NAME)
SATELLITE = "sat-two-way"


def steps_of(plan: Plan, verb: Verb) -> list[dict[str, Any]]:
    return [target.arguments for step in plan.steps if step.verb is verb for target in step.targets]


def asked(
    topology: Topology = TOPOLOGY, drill: Drill = DRILL, settings: dict[str, str] | None = None, **more: Any
) -> Plan:
    return make_plan(topology, "0" * 64, drill, Request(Mode.REHEARSAL, TODAY, settings or {}, **more))


def test_what_becomes_of_each_gateway() -> None:
    actions = {change.gateway: change.action for change in asked().affected}
    assert actions == {
        "nq-trade-1": Action.PAIR,
        "nq-trade-2": Action.REROUTED,
        "nq-trade-3": Action.PAIR,
        "nq-trade-4": Action.REROUTED,
        "nq-md-1": Action.NO_BUSINESS,
        "nq-md-2": Action.NO_BUSINESS,
        "nq-mc-1": Action.OWN_LIST,
        "nq-mc-2": Action.PAIR,
        "nq-ccnet-1": Action.NO_BUSINESS,
        "nq-ccnet-2": Action.NO_BUSINESS,
    }


def test_only_addresses_of_trading_fronts_go_over_the_satellite() -> None:
    plan = asked()
    trading = {str(item.address) for item in TOPOLOGY.fronts if item.service == "trading"}
    assert {item.address for item in plan.paths} == {"172.50.101.30", "172.60.101.30"} < trading
    assert {item.line_after for item in plan.paths} == {SATELLITE}
    used = {change.gateway for change in plan.affected if change.after and change.after.line == SATELLITE}
    assert {TOPOLOGY.gateway[name].gateway_class.value for name in used} == {"trading"}
    assert "backs up trading only" in change_of(plan, "nq-ccnet-1").reason.en


def test_every_host_route_is_put_and_taken_away_again() -> None:
    there, back = asked().steps, [step for step in asked().steps if step.undoes == "paths"]
    put = next(step for step in there if step.id == "paths").targets
    assert [target.name for target in put] == [target.name for target in back[0].targets]
    assert len({target.name for target in put}) == len(put) == 2
    for on, off in zip(put, back[0].targets, strict=True):
        assert (on.arguments["line"], on.arguments["line_before"]) == (SATELLITE, None)
        assert (off.arguments["line"], off.arguments["line_before"]) == (None, SATELLITE)


@pytest.mark.parametrize(
    ("drill", "settings"),
    [
        *(("single-centre-failure", {"centre": name}) for name in ("futian", "southern")),
        *(("single-carrier-failure", {"carrier": name}) for name in ("telecom", "unicom")),
        ("single-line-failure", {"line": "tel-southern"}),
        ("beijing-dr-cutover", {}),
    ],
)
def test_no_other_drill_ever_takes_a_satellite(drill: str, settings: dict[str, str]) -> None:
    try:
        plan = asked(drill=load_drill(ROOT / "drills", drill), settings=settings)
    except Refused:
        return  # no way is left without it: still not taken
    kinds = {TOPOLOGY.line[item.line_after].kind for item in plan.paths}
    kinds |= {TOPOLOGY.line[item.after.line].kind for item in plan.affected if item.after and item.after.line}
    assert LineKind.SATELLITE_TWO_WAY not in kinds


def without(what: dict[str, Any]) -> Topology:
    return changed({"routers": {"ce-b": {"last_resort": what}}})


def test_without_a_two_way_satellite_it_is_refused_by_name() -> None:
    with pytest.raises(Refused, match=r"NO_SATELLITE: .*towards sscc.*found none"):
        asked(without({}))
    with pytest.raises(Refused, match=r"NO_SATELLITE: .*found sat-two-way, which is down"):
        asked(out_of_service=(SATELLITE,))


def test_trading_without_a_pair_that_has_the_satellite_is_refused() -> None:
    lone = changed({"gateways": {"nq-trade-1": {"pair": None}, "nq-trade-2": {"pair": None}}})
    with pytest.raises(Refused, match=r"NO_PATH: gateway nq-trade-1 .*no two-way satellite as last_resort of ce-a"):
        asked(lone)


def test_observe_is_refused_because_nobody_would_put_the_routes() -> None:
    with pytest.raises(Refused, match=r"NO_PATH: .*--response repoint"):
        asked(response=Response.OBSERVE)


def test_an_operator_that_is_not_there_is_told() -> None:
    fault = DRILL.fault.model_copy(update={"terrestrial_of": "szse"})
    with pytest.raises(DefinitionError, match=r"fault.terrestrial_of: expected an operator .*\(sscc, sse\), found"):
        asked(drill=DRILL.model_copy(update={"fault": fault}))


def test_no_drill_takes_the_satellite_to_beijing() -> None:
    with pytest.raises(ValidationError, match=r"expected no move_to with terrestrial_of, found beijing.*SSCC-A.2.1"):
        Drill.model_validate(DRILL.model_dump(mode="json") | {"move_to": "beijing"})


@pytest.mark.parametrize(
    ("last_resort", "said"),
    [
        ({"beijing": [SATELLITE]}, r"expected a production centre, found beijing.*SSCC-A\.2\.1"),
        ({"southern": ["tel-southern"]}, "expected a line of kind satellite-two-way, found tel-southern"),
        ({"southern": ["sat-receive"]}, "expected a line of kind satellite-two-way, found sat-receive"),
        ({"southern": ["sat-receive"]}, "expected a line on ce-b, found sat-receive on ce-a"),
        ({"sse-one": [SATELLITE]}, "expected a line that carries sse-one, found sat-two-way"),
        ({"southern": ["sat-three"]}, r"expected a known line \(.*\), found 'sat-three'"),
        ({"eastern": [SATELLITE]}, r"expected a known centre \(.*\), found 'eastern'"),
    ],
)
def test_a_last_resort_that_can_never_be_right_is_told(last_resort: dict[str, list[str]], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        without(last_resort)
