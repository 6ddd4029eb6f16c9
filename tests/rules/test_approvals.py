"""Four eyes: what lets a plan be carried out, and every name under which it is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.errors import Refused
from orchestrator.model.approval import Kept, Permit, PlanRequest, Signed, Statement, StatementKind, WindowReference
from orchestrator.model.drill import Mode
from orchestrator.model.people import People
from orchestrator.model.plan import Plan
from orchestrator.rules.approvals import Claim, permit, require
from tests.report.record_example import plan_of, site

NOW = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)
WINDOW = WindowReference(
    id="november",
    number="示例〔2026〕9号",
    begins=datetime.fromisoformat("2026-11-28T08:30"),
    ends=datetime.fromisoformat("2026-11-28T17:30"),
    latest_return=datetime.fromisoformat("2026-11-28T15:00"),
)
SHORT = (StatementKind.START, StatementKind.BREAK_GLASS)
PEOPLE = site().topology.people  # chen approves; li and wang operate; zhang commands


def claim(plan: Plan | None = None, *, requester: str = "wang", operator: str = "li") -> Claim:
    plan = plan or plan_of("single-centre-failure", Mode.DRILL)
    request = PlanRequest(by=requester, at=NOW - timedelta(days=1), today="2026-11-27")
    return Claim(Kept(plan=plan, request=request), operator, NOW)


def said(kind: StatementKind, by: str, about: Claim, **change: Any) -> Signed:
    problem = change.pop("problem", "")
    plan = about.plan
    statement = Statement(
        kind=kind,
        site=plan.site,
        drill=plan.drill,
        mode=plan.mode,
        plan=plan.digest,
        by=by,
        requested_by=about.kept.request.by,
        window=WINDOW if kind is StatementKind.APPROVE else None,
        at=NOW - (timedelta(minutes=5) if kind in SHORT else timedelta(hours=1)),
        not_after=NOW + (timedelta(minutes=5) if kind in SHORT else timedelta(hours=1)),
    )
    return Signed(statement=statement.model_copy(update=change), file=f"{kind}-{by}.json", problem=problem)


def whole(about: Claim, approver: str = "chen", **change: Any) -> list[Signed]:
    """Everything that the example's single-centre drill needs."""
    return [
        said(StatementKind.APPROVE, approver, about, **change),
        said(StatementKind.START, about.operator, about),
        said(StatementKind.RELEASE, "wang", about),
    ]


def refusal(about: Claim, signed: list[Signed], people: People = PEOPLE) -> Refused:
    with pytest.raises(Refused) as caught:
        permit(about, people, signed)
    return caught.value


def test_an_approval_by_a_third_person_and_a_signed_start_permit_the_plan_in_its_window() -> None:
    about = claim()
    found = permit(about, PEOPLE, whole(about))
    assert found.bound_to == about.plan.digest
    assert [(item.kind, item.by) for item in found.consents] == [
        (StatementKind.APPROVE, "chen"),
        (StatementKind.START, "li"),
        (StatementKind.RELEASE, "wang"),
    ]
    assert (found.window, found.requested_by, found.operator) == (WINDOW, "wang", "li")


def test_who_asked_for_the_plan_may_operate_it() -> None:
    about = claim(requester="li", operator="li")
    assert permit(about, PEOPLE, whole(about)).operator == "li"


CASES: dict[str, tuple[str, Callable[[Claim], list[Signed]]]] = {
    "nothing was signed": ("NOT_APPROVED", lambda _: []),
    "for an older plan": ("PLAN_CHANGED", lambda about: whole(about, plan="0" * 64)),
    "of another site": ("PLAN_CHANGED", lambda about: whole(about, site="elsewhere")),
    "expired": ("APPROVAL_EXPIRED", lambda about: whole(about, not_after=NOW - timedelta(seconds=1))),
    "not yet": ("APPROVAL_EXPIRED", lambda about: whole(about, at=NOW + timedelta(seconds=61))),
    "forged": ("APPROVAL_FORGED", lambda about: whole(about, problem="expected a signature by chen")),
    "by nobody known": ("NO_RIGHT", lambda about: whole(about, "stranger")),
    "by an operator": ("NO_RIGHT", lambda about: whole(about, "wang")),
}


@pytest.mark.parametrize(("code", "signed"), CASES.values(), ids=CASES)
def test_every_other_approval_is_refused_by_name(code: str, signed: Callable[[Claim], list[Signed]]) -> None:
    about = claim()
    error = refusal(about, signed(about))
    assert error.code == code
    assert about.plan.id in str(error)


def all_may(role: str) -> People:
    """Everybody has this role too, so that only who it is counts."""
    return People.model_validate(
        {
            "people": [
                {**person.model_dump(mode="json"), "roles": sorted({*person.roles, role})} for person in PEOPLE.people
            ]
        }
    )


@pytest.mark.parametrize(("approver", "why"), [("wang", "asked for the plan"), ("li", "operates it")])
def test_nobody_approves_his_own_plan_or_run(approver: str, why: str) -> None:
    about = claim()
    error = refusal(about, whole(about, approver), all_may("approver"))
    assert error.code == "OWN_APPROVAL"
    assert why in str(error)


def test_a_good_approval_counts_whatever_else_is_on_file() -> None:
    about = claim()
    bad = [signed(about)[0] for _, signed in CASES.values() if signed(about)]
    assert permit(about, PEOPLE, [*bad, *whole(about)]).consents[0].by == "chen"


def test_the_nearest_reason_is_named_first() -> None:
    about = claim()
    signed = [*whole(about, problem="not chen's"), *whole(about, not_after=NOW - timedelta(days=1))]
    error = refusal(about, signed)
    assert error.code == "APPROVAL_EXPIRED"
    assert "not chen's" in str(error)


def test_a_start_is_signed_by_who_operates() -> None:
    about = claim()
    signed = [item for item in whole(about) if item.statement.kind is not StatementKind.START]
    assert refusal(about, signed).code == "NOT_SIGNED"
    other = [*signed, said(StatementKind.START, "wang", about)]
    assert refusal(about, other).code == "OWN_APPROVAL"


def test_settlement_moves_only_after_a_named_release() -> None:
    about = claim()
    signed = [item for item in whole(about) if item.statement.kind is not StatementKind.RELEASE]
    error = refusal(about, signed)
    assert error.code == "NOT_RELEASED"
    assert "no transfer in flight" in str(error)


def test_an_incident_may_begin_by_break_glass_and_a_drill_may_not() -> None:
    incident = claim(plan_of("single-centre-failure", Mode.INCIDENT))
    glass = [
        said(StatementKind.BREAK_GLASS, "li", incident, reason="Futian is gone"),
        said(StatementKind.START, "li", incident),
    ]
    found = permit(incident, PEOPLE, glass)
    assert found.consents[0].kind is StatementKind.BREAK_GLASS
    assert found.consents[0].reason == "Futian is gone"
    drill = claim()
    tried = [said(item.statement.kind, "li", drill) for item in glass]
    assert refusal(drill, tried).code == "NOT_APPROVED"


def test_a_plan_for_the_production_path_needs_a_permit_for_itself() -> None:
    about = claim()
    granted = permit(about, PEOPLE, whole(about))
    require(about.plan, granted)
    require(plan_of("single-centre-failure"), None)
    for other in (None, granted.model_copy(update={"bound_to": "0" * 64})):
        with pytest.raises(Refused, match="NOT_APPROVED"):
            require(about.plan, other)


def test_a_permit_survives_the_journal() -> None:
    about = claim()
    granted = permit(about, PEOPLE, whole(about))
    assert Permit.model_validate(granted.model_dump(mode="json")) == granted
