"""The plan that brings an incident home: made of what its journal says, refused by name, and safe in its order."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.run import locks_of
from orchestrator.errors import Refused
from orchestrator.loader.drill import load_drill, load_drills
from orchestrator.model.drill import Drill, Mode
from orchestrator.model.event import EventKind
from orchestrator.model.plan import Action, Plan, Verb, digest_of
from orchestrator.model.topology import Topology
from orchestrator.planner.failback import Past, make_failback
from orchestrator.planner.subjects import settings
from tests.engine.test_engine import SITE, Stager
from tests.engine.test_failback import CENTRE, HOST, STUCK, TODAY, after_incident, past_of
from tests.planner.example import changed, planned
from tests.support.sites import ROOT


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stager]:
    stager = Stager(tmp_path)
    yield stager
    stager.close()


def definition(drill: str) -> Drill:
    return load_drill(ROOT / "drills", drill)


def made(past: Past, topology: Topology = SITE.topology, today: date = TODAY) -> Plan:
    return make_failback(topology, SITE.digest, definition(past.plan.drill), past, today)


def all_incidents() -> list[Any]:
    """Every fault of the example site whose way home is planned (a certificate's is people's: CERTIFICATE_BY_HAND)."""
    return [
        pytest.param(drill.drill, chosen, id=f"{drill.drill}-{'-'.join(chosen.values())}")
        for drill in load_drills(ROOT / "drills")
        for chosen in settings(SITE.topology, drill)
        if not drill.fault.certificates
    ]


@pytest.mark.parametrize(("drill", "chosen"), all_incidents())
def test_the_way_home_is_safe_at_every_step(stage: Stager, drill: str, chosen: dict[str, str]) -> None:
    try:
        play = stage(drill, mode=Mode.INCIDENT, parameters=chosen)
    except Refused:
        pytest.skip("no switchover of this fault can be planned")
    play.world.fault = play.plan.fault
    play.play()
    plan = made(past_of(play))
    order, topology = [step.id for step in plan.steps], SITE.topology
    for step in plan.steps:
        assert step.verb not in (Verb.INJECT, Verb.LIFT, Verb.REPOINT, Verb.FENCE, Verb.TAKE_OVER, Verb.HOLD)
        names = [target.name for target in step.targets]
        for target in step.targets:
            for need in target.arguments.get("requires", ()):
                assert order.index(need["step"]) < order.index(step.id)
                assert "or_never_begun" not in need, "what the incident has begun is never taken for not begun"
        if step.verb in (Verb.RESTORE, Verb.RESTART):
            assert len(names) <= topology.site.max_gateways_per_wave
            assert not {topology.gateway[name].pair for name in names} & set(names), "both of a pair in one wave"
    untouched = {change.gateway for change in plan.gateways if change.action is Action.NONE}
    assert untouched.isdisjoint(target.name for step in plan.steps for target in step.targets)
    for change in plan.affected:
        assert change.after or change.action is Action.GIVE_BACK
        assert change.list_after == topology.gateway[change.gateway].servers


def test_a_plan_that_brings_nothing_home_keeps_the_digest_that_it_had() -> None:
    plan = planned()
    assert "fails_back" not in plan.model_dump(mode="json")
    assert plan.digest == digest_of({k: v for k, v in plan.model_dump(mode="json").items() if k != "fails_back"})


def test_a_failback_is_read_back_as_it_was_written(stage: Stager) -> None:
    plan = made(past_of(after_incident(stage, CENTRE, STUCK)))
    assert Plan.model_validate_json(plan.model_dump_json()).digest == plan.digest


def refused(past: Past, code: str, what: str, topology: Topology = SITE.topology, today: date = TODAY) -> None:
    with pytest.raises(Refused, match=what) as found:
        made(past, topology, today)
    assert found.value.code == code


def test_only_an_incident_that_is_over_fails_back(stage: Stager) -> None:
    past = past_of(after_incident(stage, CENTRE, STUCK))
    refused(replace(past, plan=planned()), "NOT_AN_INCIDENT", "goes back by itself")
    still_open = [event for event in past.events if event.kind is not EventKind.CLOSED]
    refused(replace(past, events=still_open), "RUN_NOT_CLOSED", "drillctl status r1")


def test_home_is_where_the_incident_found_it(stage: Stager) -> None:
    past = past_of(after_incident(stage, CENTRE, STUCK))
    turned = list(reversed(SITE.topology.gateway["nq-trade-1"].servers))
    edited = changed({"gateways": {"nq-trade-1": {"servers": turned}}})
    refused(past, "SITE_CHANGED", "nq-trade-1", edited)


def test_a_certificate_that_is_over_starts_nothing(stage: Stager) -> None:
    past = past_of(after_incident(stage, CENTRE, STUCK))
    refused(past, "CERTIFICATE_NOT_VALID", "nq-trade-1", today=date(2099, 1, 1))


def test_what_the_incident_left_alone_is_not_restored(stage: Stager) -> None:
    past = past_of(after_incident(stage, CENTRE, STUCK))
    restored = {target.name for step in made(past).steps if step.verb is Verb.RESTORE for target in step.targets}
    assert restored == set(STUCK)


def test_a_standby_that_never_started_is_not_stopped(stage: Stager) -> None:
    past = past_of(after_incident(stage, HOST))
    fenced_only = [event for event in past.events if event.step != "take-over-1"]
    steps = {step.verb for step in made(replace(past, events=fenced_only)).steps}
    assert Verb.GIVE_BACK not in steps
    assert Verb.UNFENCE in steps


def test_routers_that_a_failback_lets_a_host_through_again_are_armed_and_locked(stage: Stager) -> None:
    plan = made(past_of(after_incident(stage, HOST)))
    [step] = [step for step in plan.steps if step.verb is Verb.UNFENCE]
    routers = {router for target in step.targets for router in target.arguments["routers"]}
    assert routers
    assert set(plan.fence_routers) == routers
    assert {f"host:{router}" for router in routers} <= set(locks_of(plan, SITE.topology))
