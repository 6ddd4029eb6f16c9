"""Plans of a test that an exchange leads: the announcement says what is cut off, and the firm changes nothing."""

from datetime import date

import pytest

from orchestrator.engine.announced import told_by
from orchestrator.errors import Refused
from orchestrator.loader.announcement import load_announced
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import load_site
from orchestrator.model.announcement import Announced, Cut
from orchestrator.model.drill import Mode, Response
from orchestrator.model.local_time import moment
from orchestrator.model.plan import Action, Plan, Verb
from orchestrator.planner import Request, make_plan
from tests.support.sites import ROOT

TODAY = date(2026, 11, 22)
ZONE = "Asia/Shanghai"
SITE = load_site(ROOT / "inventory/example")
TOLD = load_announced(SITE.folder / "announcement.yml", SITE.topology, None)


def of_cut(cut: Cut) -> Announced:
    phases = tuple(
        item.model_copy(update={"cut": cut}) if item.id == TOLD.phase else item for item in TOLD.announcement.phases
    )
    return TOLD.model_copy(update={"announcement": TOLD.announcement.model_copy(update={"phases": phases})})


def made(
    told: Announced | None = TOLD,
    *,
    drill: str = "observe-only",
    mode: Mode = Mode.DRILL,
    response: Response | None = None,
) -> Plan:
    request = Request(mode, TODAY, {}, response, announced=told)
    return make_plan(SITE.topology, SITE.digest, load_drill(ROOT / "drills", drill), request)


@pytest.mark.parametrize(
    ("cut", "field"),
    [(Cut(centre="southern"), "centres"), (Cut(carrier="telecom"), "carriers"), (Cut(line="tel-southern"), "lines")],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_what_is_announced_fails_and_no_list_and_no_path_is_changed(cut: Cut, field: str) -> None:
    plan = made(of_cut(cut))
    assert set(getattr(plan.fault, field)) & {cut.centre, cut.carrier, cut.line}
    assert plan.paths == ()
    assert {item.action for item in plan.affected} <= {Action.OWN_LIST, Action.REROUTED, Action.NO_BUSINESS}
    assert all(item.list_before == item.list_after for item in plan.gateways)
    changing = {Verb.REPOINT, Verb.RESTORE, Verb.PATH, Verb.FENCE, Verb.TAKE_OVER}
    assert not changing & {step.verb for step in plan.steps}


def test_the_plan_is_bound_to_the_announcement() -> None:
    """Another number or another time voids an approval; a plan without one has the digest that it always had."""
    assert made().announced == TOLD
    other = TOLD.announcement.model_copy(update={"number": "another"})
    assert made(TOLD.model_copy(update={"announcement": other})).digest != made().digest
    assert "announced" not in made(None, drill="single-centre-failure").model_dump(mode="json")
    assert Plan.model_validate_json(made().model_dump_json()).digest == made().digest


@pytest.mark.parametrize("response", [Response.REPOINT, Response.ASSIST])
def test_nothing_but_observe_is_planned(response: Response) -> None:
    with pytest.raises(Refused, match="OBSERVE_ONLY"):
        made(response=response)


def test_a_test_is_no_incident_and_needs_its_announcement() -> None:
    with pytest.raises(Refused, match="OBSERVE_ONLY"):
        made(mode=Mode.INCIDENT)
    with pytest.raises(Refused, match="NO_ANNOUNCEMENT"):
        made(None)
    with pytest.raises(Refused, match="ANNOUNCEMENT_NOT_FOR_THIS"):
        made(drill="single-centre-failure", response=Response.OBSERVE)


def test_peoples_word_is_waited_for_until_an_hour_after_the_announced_end() -> None:
    ends = moment(TOLD.observed.ends, ZONE)
    assert told_by(made(), ZONE, ends - 7200) == ends + 3600
    assert told_by(made(), ZONE, ends + 60) == ends + 3660
    assert told_by(made(None, drill="single-centre-failure"), ZONE, 1000) == 4600
