"""Whatever the site looks like: a plan is safe at every prefix, or it is refused with the gateways' names."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.errors import Refused
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import Action, Phase, Plan, Verb
from orchestrator.model.topology import LineKind, Topology
from orchestrator.planner import Request, make_plan
from tests.support.sites import CENTRES, ROOT, RoomSpec, SiteSpec, topology_of

TODAY = date(2026, 11, 22)
DRILLS = ROOT / "drills"
CARRIERS = ("alpha", "beta", "gamma")


@st.composite
def rooms(draw: st.DrawFn) -> RoomSpec:
    lines = draw(
        st.lists(st.tuples(st.sampled_from(CARRIERS), st.sampled_from(CENTRES)), min_size=1, max_size=4, unique=True)
    )
    return RoomSpec(routing=draw(st.sampled_from(("static", "dynamic"))), lines=tuple(lines), far=draw(st.booleans()))


specs = st.builds(
    SiteSpec,
    rooms=st.lists(rooms(), min_size=1, max_size=3).map(tuple),
    carriers=st.just(CARRIERS),
    pairs=st.integers(1, 3),
    outlives=st.booleans(),
    wave=st.integers(1, 4),
)
questions: st.SearchStrategy[tuple[str, dict[str, str]]] = st.one_of(
    st.tuples(st.just("single-centre-failure"), st.sampled_from(CENTRES).map(lambda name: {"centre": name})),
    st.tuples(st.just("single-carrier-failure"), st.sampled_from(CARRIERS).map(lambda name: {"carrier": name})),
    st.tuples(st.just("beijing-dr-cutover"), st.just({})),
)
responses = st.sampled_from(Response)
few = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def plan_for(
    topology: Topology, question: tuple[str, dict[str, str]], response: Response, mode: Mode = Mode.REHEARSAL
) -> Plan:
    drill, parameters = question
    return make_plan(topology, "digest", load_drill(Path(DRILLS), drill), Request(mode, TODAY, parameters, response))


def plan_or_none(
    topology: Topology, question: tuple[str, dict[str, str]], response: Response, mode: Mode = Mode.REHEARSAL
) -> Plan | None:
    try:
        return plan_for(topology, question, response, mode)
    except Refused as refusal:
        refused_by_name(topology, refusal)
        return None


def refused_by_name(topology: Topology, refusal: Refused) -> None:
    assert refusal.code in ("NO_PATH", "NOTHING_AFFECTED")
    assert refusal.code == "NOTHING_AFFECTED" or any(gateway.id in str(refusal) for gateway in topology.gateways)


@few
@given(specs, questions, responses)
def test_nothing_that_failed_is_in_the_new_plan(
    spec: SiteSpec, question: tuple[str, dict[str, str]], response: Response
) -> None:
    topology = topology_of(spec)
    plan = plan_or_none(topology, question, response)
    if plan is None:
        return
    for change in plan.gateways:
        if change.after is None:
            continue
        assert change.after.centre not in plan.fault.centres
        assert change.after.line not in plan.fault.lines
        assert topology.line[change.after.line or ""].carrier not in plan.fault.carriers
        if change.action is Action.REPOINT:
            assert {topology.front[name].centre for name in change.list_after}.isdisjoint(plan.fault.centres)
            assert change.list_after[0] == change.after.front


@few
@given(specs, questions, responses)
def test_no_number_and_no_certificate_is_in_use_twice_at_any_prefix(
    spec: SiteSpec, question: tuple[str, dict[str, str]], response: Response
) -> None:
    topology = topology_of(spec)
    plan = plan_or_none(topology, question, response)
    if plan is None:
        return
    holders = {change.number: change.gateway for change in plan.gateways}
    for step in plan.steps:
        if step.verb not in (Verb.REPOINT, Verb.RESTORE, Verb.RESTART):
            continue
        names = [target.name for target in step.targets]
        assert len(names) == len(set(names)) <= topology.site.max_gateways_per_wave
        for name in names:
            gateway = topology.gateway[name]
            assert gateway.pair not in names, "both members of a pair in one wave"
            assert holders[gateway.number] == name, "a number moves only with the gateway that holds it"
            assert gateway.certificate in gateway.certificates
    used = [topology.gateway[change.gateway].certificate for change in plan.gateways]
    assert len(used) == len(set(used))


@few
@given(specs, questions, responses)
def test_tcp_market_data_stays_on_tcp_and_no_satellite_leads_to_beijing(
    spec: SiteSpec, question: tuple[str, dict[str, str]], response: Response
) -> None:
    topology = topology_of(spec)
    plan = plan_or_none(topology, question, response)
    for change in plan.gateways if plan else ():
        if change.after is None:
            continue
        assert topology.front[change.after.front].service is change.gateway_class
        if change.after.centre == "beijing":
            assert topology.line[change.after.line or ""].kind is LineKind.TERRESTRIAL


@few
@given(specs, questions, responses, st.sampled_from(Mode))
def test_every_change_has_one_step_that_undoes_it_after_the_fault_is_lifted(
    spec: SiteSpec, question: tuple[str, dict[str, str]], response: Response, mode: Mode
) -> None:
    plan = plan_or_none(topology_of(spec), question, response, mode)
    if plan is None:
        return
    order = [step.id for step in plan.steps]
    changing = [
        step for step in plan.steps if step.phase in (Phase.INJECTING, Phase.SWITCHING) and step.verb is not Verb.WAIT
    ]
    undoing = {step.undoes: step for step in plan.steps if step.undoes}
    if mode is Mode.INCIDENT:
        assert not undoing
        assert all(step.verb not in (Verb.INJECT, Verb.HOLD) for step in plan.steps)
        return
    for step in changing:
        back = undoing[step.id]
        assert {target.name for target in back.targets} == {
            target.name for target in step.targets
        } or step.verb is Verb.INJECT
        assert order.index("lift") <= order.index(back.id)


@few
@given(specs, questions)
def test_observe_changes_nothing(spec: SiteSpec, question: tuple[str, dict[str, str]]) -> None:
    plan = plan_or_none(topology_of(spec), question, Response.OBSERVE)
    if plan:
        assert not plan.paths
        assert all(change.list_after == change.list_before for change in plan.gateways)
        assert all(step.verb not in (Verb.REPOINT, Verb.PATH) for step in plan.steps)


@few
@given(specs, questions, responses)
def test_the_same_question_has_the_same_plan(
    spec: SiteSpec, question: tuple[str, dict[str, str]], response: Response
) -> None:
    topology = topology_of(spec)
    first, second = plan_or_none(topology, question, response), plan_or_none(topology, question, response)
    assert (first and first.digest) == (second and second.digest)


def test_the_generator_reaches_plans_and_refusals() -> None:
    topology = topology_of(SiteSpec())
    assert plan_for(topology, ("single-centre-failure", {"centre": "futian"}), Response.REPOINT).affected
    alone = SiteSpec(rooms=(RoomSpec(lines=(("alpha", "futian"),), far=False),))
    with pytest.raises(Refused, match="trading-0-a"):
        plan_for(topology_of(alone), ("single-centre-failure", {"centre": "futian"}), Response.REPOINT)
