"""Steps of people in a plan: gates that hold by the order alone, owners, milestones, what a rehearsal leaves out."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.errors import DefinitionError, Refused
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import load_site
from orchestrator.model.drill import CONFIRM, Drill, Gate, ManualStep, Mode
from orchestrator.model.people import People
from orchestrator.model.plan import Phase, Plan, Verb
from orchestrator.planner import Request, make_plan
from tests.support.sites import ROOT

SITE = load_site(ROOT / "inventory/example")
BEIJING = load_drill(ROOT / "drills", "beijing-dr-cutover")
TITLE = {"zh": "甲", "en": "a"}
_ORDER = list(Phase)


def planned(drill: Drill = BEIJING, mode: Mode = Mode.DRILL, people: People | None = None) -> Plan:
    topology = SITE.topology if people is None else SITE.topology.model_copy(update={"people": people})
    return make_plan(topology, SITE.digest, drill, Request(mode, date(2026, 11, 22), {}))


def with_steps(*manual: dict[str, Any]) -> Drill:
    data = BEIJING.model_dump(mode="json") | {"manual": list(manual), "milestones": []}
    return Drill.model_validate(data)


def step(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "title": TITLE, "owner": "commander", "expected": TITLE, **fields}


@pytest.mark.parametrize("mode", [Mode.DRILL, Mode.INCIDENT])
@pytest.mark.parametrize("gate", list(Gate))
@pytest.mark.parametrize("side", ["before", "after"])
def test_at_every_prefix_nothing_behind_a_gate_was_begun_without_it(mode: Mode, gate: Gate, side: str) -> None:
    if side == "after" and gate in (Gate.RESTORING, Gate.CLOSING):
        with pytest.raises(ValidationError, match="expected after injecting, switching, verifying or holding"):
            with_steps(step("one", **{side: gate.value}))
        return
    plan = planned(with_steps(step("one", **{side: gate.value})), mode)
    names = [item.id for item in plan.steps]
    if mode is Mode.INCIDENT and gate in (Gate.HOLDING, Gate.RESTORING):
        assert f"{CONFIRM}one" not in names
        assert any("left out" in note.en for note in plan.notes)
        return
    place = names.index(f"{CONFIRM}one")
    limit = _ORDER.index(Phase(gate))
    later = [_ORDER.index(item.phase) for item in plan.steps[place + 1 :]]
    earlier = [_ORDER.index(item.phase) for item in plan.steps[:place]]
    assert all(item >= limit if side == "before" else item > limit for item in later)
    assert all(item < limit if side == "before" else item <= limit for item in earlier)
    phases = [_ORDER.index(item.phase) for item in plan.steps]
    assert phases == sorted(phases), "a phase is never entered again"


def test_steps_of_one_gate_stand_in_the_order_of_the_definition() -> None:
    drill = with_steps(step("two", after="verifying"), step("one", before="holding"), step("three", after="verifying"))
    names = [item.id for item in planned(drill).steps if item.verb is Verb.CONFIRM]
    assert names == ["confirm-two", "confirm-one", "confirm-three"]


def test_a_rehearsal_has_no_step_of_people_and_says_so() -> None:
    plan = planned(mode=Mode.REHEARSAL)
    assert not any(item.verb is Verb.CONFIRM for item in plan.steps)
    assert [item.id for item in plan.milestones] == ["configured", "network", "logged-in"]
    notes = " ".join(note.en for note in plan.notes)
    assert "steps of people left out (nobody is there in a rehearsal)" in notes
    assert "milestones left out (what they rest on is not in this plan): announcement, business, live" in notes


def test_an_owner_is_everybody_of_the_role_or_the_one_person() -> None:
    drill = with_steps(
        step("role", owner="operator", before="switching"), step("person", owner="chen", before="switching")
    )
    found = {item.id: item.targets[0] for item in planned(drill).steps if item.verb is Verb.CONFIRM}
    assert found["confirm-role"].arguments["people"] == ["li", "wang"]
    assert found["confirm-role"].arguments["role"] == "operator"
    assert (found["confirm-person"].name, found["confirm-person"].arguments["people"]) == ("chen", ["chen"])
    assert "role" not in found["confirm-person"].arguments


def test_a_step_that_nobody_can_confirm_is_refused_by_name() -> None:
    with pytest.raises(
        Refused, match=r"manual step announcement of beijing-dr-cutover: expected somebody .* commander"
    ):
        planned(people=People())
    assert planned(mode=Mode.REHEARSAL).steps


def test_days_that_people_take_do_not_count_for_the_window() -> None:
    alone = with_steps()
    assert planned().longest_s == planned(alone).longest_s
    assert any(item.deadline_s >= 86400 for item in planned().steps)


def test_milestones_rest_on_steps_of_the_plan() -> None:
    found = {item.id: item.steps for item in planned(mode=Mode.INCIDENT).milestones}
    assert found["configured"] == ("repoint-2",)
    assert found["network"] == ("settle",), "no static path moves on this site"
    assert found["live"] == ("confirm-live",)
    wrong = BEIJING.model_dump(mode="json")
    wrong["milestones"][1]["met_by"] = ["switched"]
    with pytest.raises(
        DefinitionError, match=r"milestone configured: expected met_by to be paths, repoint, take-over or"
    ):
        planned(Drill.model_validate(wrong))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "expected one of before and after, found neither"),
        ({"before": "switching", "after": "injecting"}, "expected one of before and after, found both"),
        ({"before": "switching", "modes": ["rehearsal"]}, "nobody is there to confirm"),
        ({"before": "prechecking"}, "Input should be 'injecting'"),
    ],
)
def test_a_wrong_step_says_what_is_wrong(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ManualStep.model_validate(step("one", **fields))


def test_ids_are_told_once_and_milestones_name_steps_that_are_there() -> None:
    with pytest.raises(ValidationError, match="expected each id of manual once, found one again"):
        with_steps(step("one", before="switching"), step("one", before="holding"))
    wrong = BEIJING.model_dump(mode="json")
    wrong["milestones"][0]["met_by"] = ["confirm-nothing"]
    with pytest.raises(ValidationError, match=r"milestone announcement to be a step .*, found confirm-nothing"):
        Drill.model_validate(wrong)
