"""Hosts that are not scriptable in a plan: who does what, in which order, and what is refused."""

from datetime import date

import pytest

from orchestrator.errors import Refused
from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import Action, Phase, Plan, Step, Verb
from orchestrator.model.topology import Topology
from orchestrator.planner import Request, make_plan
from orchestrator.report.runbook import render
from orchestrator.report.runbook_model import Login
from tests.planner.example import TOPOLOGY, changed
from tests.support.sites import ROOT

WINDOWS = ("gw-a2", "gw-b2", "gw-a3")
BY_HAND = {"scriptable": False, "hands": "wang"}
_CHANGING = (Verb.ARM, Verb.REPOINT, Verb.RESTORE, Verb.RESTART, Verb.FENCE, Verb.TAKE_OVER, Verb.UNFENCE)


def site(*hosts: str) -> Topology:
    return changed({"hosts": dict.fromkeys(hosts, BY_HAND)})


def planned(
    topology: Topology,
    drill: str = "single-centre-failure",
    mode: Mode = Mode.DRILL,
    response: Response | None = Response.REPOINT,
    **settings: str,
) -> Plan:
    definition = load_drill(ROOT / "drills", drill).model_copy(update={"manual": (), "milestones": ()})
    return make_plan(topology, "0" * 64, definition, Request(mode, date(2026, 11, 22), settings, response))


def moves(plan: Plan, phase: Phase) -> list[Step]:
    return [step for step in plan.steps if step.moves_by_hand and step.phase is phase]


@pytest.mark.parametrize("mode", list(Mode))
def test_a_site_without_such_hosts_has_the_plans_that_it_had(mode: Mode) -> None:
    plan = planned(TOPOLOGY, mode=mode)
    assert not any(step.by_hand for step in plan.steps)
    assert "hands" not in plan.model_dump_json()


def test_a_rehearsal_does_it_itself_and_says_who_would() -> None:
    with_hands, without = planned(site(*WINDOWS), mode=Mode.REHEARSAL), planned(TOPOLOGY, mode=Mode.REHEARSAL)
    assert with_hands.steps == without.steps
    assert with_hands.gateways == without.gateways
    assert any("on the site a person does and confirms it" in note.en for note in with_hands.notes)


@pytest.mark.parametrize("centre", ["futian", "southern"])
@pytest.mark.parametrize("mode", [Mode.DRILL, Mode.INCIDENT])
def test_no_step_of_ours_has_a_target_there_and_every_move_has_its_person(centre: str, mode: Mode) -> None:
    topology = site(*WINDOWS)
    plan = planned(topology, mode=mode, centre=centre)
    theirs = {item.id for item in topology.gateways if item.host in WINDOWS}
    ours = [target.name for step in plan.steps if step.verb in _CHANGING for target in step.targets]
    assert not theirs & set(ours)
    wanted = {item.gateway for item in plan.gateways if item.action is Action.REPOINT and item.gateway in theirs}
    assert {name for step in moves(plan, Phase.SWITCHING) for name in step.by_hand} == wanted != set()


@pytest.mark.parametrize("centre", ["futian", "southern"])
def test_every_way_there_has_its_way_back_one_gateway_at_a_time(centre: str) -> None:
    plan = planned(site(*WINDOWS, "gw-b1", "gw-a4"), centre=centre)
    there, back = moves(plan, Phase.SWITCHING), moves(plan, Phase.RESTORING)
    assert {step.undoes for step in back} == {step.id for step in there}
    assert all(len(step.by_hand) == 1 for step in (*there, *back))
    waves = [step.wave or 0 for step in there]
    assert waves == sorted(waves)
    assert [step.wave or 0 for step in back] == sorted(waves, reverse=True)


def test_the_members_of_a_pair_are_never_in_one_wave() -> None:
    topology = site("gw-a1", "gw-b3")
    plan = planned(topology, "beijing-dr-cutover")
    waves: dict[int, set[str]] = {}
    for step in plan.steps:
        if step.phase is Phase.SWITCHING and (step.verb is Verb.REPOINT or step.moves_by_hand):
            names = step.by_hand or tuple(target.name for target in step.targets)
            waves.setdefault(step.wave or 0, set()).update(names)
    assert sum(map(len, waves.values())) > len(waves)
    for wave in waves.values():
        assert not wave & {topology.gateway[name].pair for name in wave}


def test_what_is_asked_is_exact_in_both_languages() -> None:
    topology = site("gw-a2")
    step = moves(planned(topology), Phase.SWITCHING)[0]
    change = next(item for item in planned(topology).gateways if item.gateway == "nq-trade-3")
    said = step.targets[0].arguments["expected"]
    listed = " ".join(topology.front[name].endpoint for name in change.list_after)
    release = topology.longest_release_s(topology.gateway["nq-trade-3"])
    for text in (said["zh"], said["en"]):
        assert listed in text
        assert f"{release:g}" in text
        assert change.after
        assert change.after.front in text
    assert step.targets[0].arguments["people"] == ["wang"]


def test_before_and_after_are_told_by_the_person_in_a_drill_only() -> None:
    drill, incident = planned(site("gw-a2")), planned(site("gw-a2"), mode=Mode.INCIDENT)
    names = [step.id for step in drill.steps]
    assert names.index("confirm-before-wang") < names.index("inject")
    assert names.index("settle-back") < names.index("confirm-after-wang") < names.index("prove")
    assert not {"confirm-before-wang", "confirm-after-wang"} & {step.id for step in incident.steps}


def test_gateways_that_fail_over_by_themselves_are_one_question_to_their_person() -> None:
    plan = planned(site("gw-a1", "gw-a2"), response=Response.OBSERVE)
    asked = [step for step in plan.steps if step.id == "confirm-logged-in-wang"]
    assert [step.by_hand for step in asked] == [("nq-trade-1", "nq-trade-3")]
    assert asked[0].phase is Phase.VERIFYING
    assert not moves(plan, Phase.SWITCHING)


@pytest.mark.parametrize("mode", [Mode.DRILL, Mode.INCIDENT])
@pytest.mark.parametrize("host", ["gw-a1", "gw-b2"])
def test_a_fence_on_such_a_host_is_refused_by_name(mode: Mode, host: str) -> None:
    with pytest.raises(Refused, match=f"FENCE_NOT_POSSIBLE.*{host}, on which wang works by hand"):
        planned(site(host), "gateway-host-failure", mode)


def test_everything_by_hand_is_a_plan_too() -> None:
    plan = planned(site(*TOPOLOGY.host))
    assert not any(step.verb in (Verb.REPOINT, Verb.RESTORE, Verb.RESTART) for step in plan.steps)
    assert next(step for step in plan.steps if step.verb is Verb.ARM).targets[0].kind == "site"


def test_the_runbook_has_the_same_text() -> None:
    topology = site("gw-a2")
    plan = planned(topology)
    names = [*(host.id for host in topology.scriptable_hosts), *topology.router]
    page = render(plan, topology, {name: Login(name, "root", 22) for name in names}, date(2026, 11, 22), "en")
    listed = moves(plan, Phase.SWITCHING)[0].targets[0].arguments["expected"]["en"]
    assert listed in page
