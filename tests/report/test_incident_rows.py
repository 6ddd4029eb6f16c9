"""What a report says of outage in trading hours and of a drill that became an incident, where there is any."""

import pytest

from orchestrator.evidence.findings import found
from orchestrator.model.drill import Mode
from orchestrator.model.event import CheckResult, Outcome
from orchestrator.model.evidence import FindingKind
from orchestrator.model.outage import Outage
from orchestrator.model.plan import Phase
from orchestrator.model.record import Promotion, RunRecord
from orchestrator.model.topology import GatewayClass
from orchestrator.report.context import Context
from orchestrator.report.execution import went_by_plan
from orchestrator.report.outages import outage_table
from orchestrator.report.promotion import promotion_lines
from orchestrator.report.render import render
from orchestrator.report.texts import Language, Texts
from tests.report import record_example
from tests.report.record_example import FAULT


def out(counted_s: float, number: str | None = None, *, unknown_day: bool = False) -> Outage:
    return Outage(
        gateway_class=GatewayClass.TRADING,
        number=number,
        out_s=counted_s + 60,
        counted_s=counted_s,
        at_least=True,
        unknown_day=unknown_day,
        still_out=False,
    )


def record(**changes: object) -> RunRecord:
    plain = record_example.passed()
    plan = plain.plan.model_copy(update={"mode": Mode.DRILL})
    return plain.model_copy(update={"plan": plan, **changes})


def test_each_row_says_how_near_it_is_and_what_is_doubtful() -> None:
    rows = (out(301), out(200, "W100200"), out(10, "W<b>", unknown_day=True))
    table = outage_table(Context(record(outages=rows), "en"))
    assert table is not None
    assert [(row.subject, row.counted, row.state, row.tone) for row in table.rows] == [
        ("Trading", "5.0 min", "reportable", "bad"),
        ("W100200", "3.3 min", "near the limit", "warn"),
        ("W<b>", "0.2 min", "below the limit", "muted"),
    ]
    assert "longer in truth" in table.rows[0].note
    assert "nobody knows" in table.rows[2].note
    assert "From 5 min on" in table.limit


@pytest.mark.parametrize(("language", "heading"), [("zh", "交易时段中断"), ("en", "Outage in trading hours")])
def test_it_stands_among_the_objectives_and_not_at_all_where_nothing_was_counted(
    language: Language, heading: str
) -> None:
    html = render(record(outages=(out(301), out(10, "W<b>"))), language)
    section = html.partition('<section id="objectives">')[2].partition("</section>")[0]
    assert f"<h3>{heading}</h3>" in section
    assert "W&lt;b&gt;" in section
    assert heading not in render(record(), language)
    none = render(record(outages=()), language)
    assert f"<h3>{heading}</h3>" in none


def test_a_promotion_shows_both_halves_and_asks_for_a_review() -> None:
    made = record(promotion=Promotion(by="li", reason="a <real> fault", at=FAULT + 1))
    lines = promotion_lines(Context(made, "en"))
    assert "Li Hua (example) (li) promoted this drill" in lines[0]
    assert lines[1].startswith("Before, as a drill: ")
    assert "lifted at" in lines[2]
    before, after = (
        int(line.split(": ")[1].split(" ")[0].strip(".")) if ": " in line else 0 for line in (lines[1], lines[3])
    )
    assert before > 0
    assert after > 0
    for language, heading in (("zh", "演练转应急"), ("en", "The drill became an incident")):
        html = render(made, language)  # type: ignore[arg-type] # both are languages
        assert f"<h3>{heading}</h3>" in html
        assert "a &lt;real&gt; fault" in html
        assert f"<h3>{heading}</h3>" not in render(record(), language)  # type: ignore[arg-type]
    kinds = [(item.kind, item.subject) for item in found(made, 30)]
    assert (FindingKind.REVIEW, "li") in kinds


def test_what_an_incident_finds_before_it_switches_is_no_finding_of_the_firm() -> None:
    plain = record_example.passed()
    check = plain.checks[0].model_copy(update={"phase": Phase.BASELINING.value})
    bad = check.model_copy(update={"result": CheckResult.ABNORMAL, "found": "not logged in"})
    baseline = plain.steps[0].model_copy(update={"phase": Phase.BASELINING})
    failed = baseline.model_copy(update={"outcome": Outcome.FAILED, "message": "login: expected logged in, found none"})
    changes = {"checks": (bad,), "steps": (failed,)}
    incident = record(**changes)
    incident = incident.model_copy(update={"plan": incident.plan.model_copy(update={"mode": Mode.INCIDENT})})
    kinds = (FindingKind.CHECK, FindingKind.STEP)
    assert [item.kind for item in found(record(**changes), 30) if item.kind in kinds] == [
        FindingKind.STEP,
        FindingKind.CHECK,
    ]
    assert [item.kind for item in found(incident, 30) if item.kind in kinds] == []
    assert went_by_plan(Context(incident, "zh"))
    assert not went_by_plan(Context(record(**changes), "zh"))


def test_what_a_step_says_of_a_check_is_one_language() -> None:
    said = Texts("zh").said("login: expected logged in, found not logged in")
    assert said == "登录：预期 已登录，实际 未登录"
