"""The papers of a run: who approved it, what came of earlier findings, who signs, and how its evidence is verified."""

import re

import pytest

from orchestrator.model.event import CheckResult, Outcome
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import Integrity
from orchestrator.report.checks import summary
from orchestrator.report.configurations import IN_FULL_ON_PAPER
from orchestrator.report.context import Context
from orchestrator.report.deadline import deadline
from orchestrator.report.evaluation import evaluation_rows, no_duplicate_login
from orchestrator.report.execution import deviation_rows, step_rows
from orchestrator.report.improvements import earlier_rows
from orchestrator.report.preparation import preparation
from orchestrator.report.render import render
from orchestrator.report.restoration import restored
from orchestrator.report.sections import ANNEXES, MAIN
from orchestrator.report.texts import Language
from tests.report import record_example
from tests.report.conftest import Rendered, rendered
from tests.report.page import Page

DIGEST = "5e" * 32


def section_of(html: str, name: str) -> str:
    return html.partition(f'<section id="{name}">')[2].partition("</section>")[0]


def text_of(html: str, name: str) -> str:
    return re.sub(r"<[^>]+>", " ", section_of(html, name))


def test_every_section_is_in_every_report_in_its_order(report: Rendered) -> None:
    found = [item["id"] for tag, item in report.page.elements if tag == "section"]
    annexes = [name for name in ANNEXES if name != "truth" or report.record.ground_truth is not None]
    assert found == [*MAIN, *annexes]


def test_the_contents_name_every_section(report: Rendered) -> None:
    named = re.findall(r'<a href="#([a-z]+)">', report.html)
    assert named == [item["id"] for tag, item in report.page.elements if tag == "section"]


def test_an_approval_of_another_plan_is_said_to_be_one() -> None:
    rows = preparation(Context(rendered("documented", "zh").record, "zh")).approvals
    assert [(row.by, row.bound) for row in rows] == [
        ("陈静（示例） (chen)", "与本预案一致"),
        ("张明（示例） (zhang)", "与本预案不符"),
    ]


@pytest.mark.parametrize(
    ("variant", "said"), [("passed", "无需审批"), ("observed", "未附审批记录"), ("incident", "须事后补批")]
)
def test_a_run_without_approvals_says_what_that_means_in_its_mode(variant: str, said: str) -> None:
    assert said in text_of(rendered(variant, "zh").html, "preparation")


def judged(record: RunRecord, aspect: str) -> str:
    return {row.aspect: row.judgement for row in evaluation_rows(Context(record, "en"))}[aspect]


def test_an_approval_counts_only_for_this_plan_and_by_somebody_else() -> None:
    record = rendered("documented", "en").record
    assert judged(record, "Approval") == "conforms"
    assert judged(record.model_copy(update={"operator": "chen"}), "Approval") == "does not"
    assert judged(record.model_copy(update={"approvals": record.approvals[1:]}), "Approval") == "does not"
    assert judged(rendered("passed", "en").record, "Approval") == "n/a"


@pytest.mark.parametrize(
    ("variant", "aspect", "judgement"),
    [
        ("passed", "Switching", "conforms"),
        ("failed", "Switching", "does not"),
        ("not_started", "Switching", "n/a"),
        ("failed", "Objectives", "does not"),
        ("failed", "Restoration", "does not"),
        ("incident", "Restoration", "n/a"),
        ("interrupted", "Execution", "does not"),
        ("carrier", "Execution", "conforms"),
        ("not_started", "Records", "does not"),
    ],
)
def test_the_evaluation_says_what_the_record_says(variant: str, aspect: str, judgement: str) -> None:
    assert judged(rendered(variant, "en").record, aspect) == judgement


@pytest.mark.parametrize(
    ("language", "said"), [("zh", "本地未见重复登录"), ("en", "no duplicate login was seen locally")]
)
def test_restoration_speaks_of_single_login_as_far_as_every_link_was_seen(language: Language, said: str) -> None:
    for variant in ("passed", "beijing", "host"):
        assert said in no_duplicate_login(Context(rendered(variant, language).record, language)), variant
        assert said in section_of(rendered(variant, language).html, "restoration")
    unproved = rendered("failed", language).record
    assert said not in no_duplicate_login(Context(unproved, language))
    assert judged(unproved, "Single login") == "unknown"


def test_findings_stand_with_owner_due_date_and_what_they_came_from() -> None:
    text = text_of(rendered("documented", "zh").html, "findings")
    for word in (
        "F-20261121T093000-7f3a-1",
        "目标未达成",
        "实测 72.100 秒，限值 60 秒",
        "李华（示例） (li)",
        "2026-12-21",
    ):
        assert word in text


def test_an_earlier_finding_that_is_open_after_its_due_date_is_overdue_and_comes_first() -> None:
    rows = earlier_rows(Context(rendered("documented", "zh").record, "zh"))
    assert [(row.issue.id[-1], row.state, row.issue.owner) for row in rows] == [
        ("1", "逾期未整改", "待指定"),
        ("2", "已关闭", "待指定"),
    ]
    assert rows[1].closed == "2026-07-01 由 王芳（示例） (wang) 关闭，复测运行 20260701T093000-x"


def test_a_report_without_findings_says_that_there_are_none() -> None:
    text = text_of(rendered("passed", "en").html, "findings")
    assert "This run registered no finding." in text
    assert "no finding of an earlier run" in text


def test_three_people_sign_and_everybody_signs_in() -> None:
    record = rendered("documented", "zh").record
    section = section_of(rendered("documented", "zh").html, "signoff")
    signers, attendance = re.findall(r'<table class="blanks">.*?</table>', section, re.DOTALL)
    assert [role for role in ("演练总指挥", "评估人", "首席信息官") if role not in signers] == []
    assert signers.count("&nbsp;") >= 3 * 3
    assert [item.name.zh for item in record.topology.people.people if item.name.zh not in attendance] == []
    assert "2026-118" in section


def test_the_cover_has_the_announcement_and_the_ledger_has_its_place() -> None:
    html = rendered("documented", "en").html
    assert "2026-118" in html.partition("<nav>")[0]
    assert "line 42, written before the first act" in text_of(html, "preparation")
    assert "ab" * 32 in text_of(html, "preparation")


def test_d_plus_3_is_said_by_calendar_days_and_not_judged_by_trading_days() -> None:
    record = rendered("beijing", "en").record
    found = deadline(Context(record, "en"))
    assert found is not None
    assert found.d.startswith("2026-11-21 09:30:06")
    assert found.calendar == "2026-11-24 09:30:06"
    assert "not judged" in found.trading
    assert deadline(Context(rendered("passed", "en").record, "en")) is None
    assert deadline(Context(record.model_copy(update={"fault_at": None}), "en")) is None


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_report_of_a_pack_prints_the_digest_and_the_commands(language: Language) -> None:
    html = render(record_example.passed(), language, DIGEST)
    text = text_of(html, "evidence")
    commands = (
        "sha256sum --check",
        "openssl cms -verify",
        "openssl ts -verify",
        "drillctl evidence verify",
        "verify.sh",
    )
    assert [command for command in commands if command not in text] == []
    assert DIGEST in text
    assert DIGEST in html.partition("<nav>")[0]
    assert not re.search(r"\b(None|Undefined)\b", Page.of(html).text)


@pytest.mark.parametrize(("language", "said"), [("zh", "不属于已封存"), ("en", "not part of a sealed evidence pack")])
def test_a_report_without_a_pack_gives_no_commands(language: Language, said: str) -> None:
    text = text_of(rendered("passed", language).html, "evidence")
    assert said in text
    assert "openssl" not in text


def test_sealed_says_how_to_verify_and_claims_nothing_itself() -> None:
    record = record_example.passed()
    assert record.verdict.integrity is Integrity.SEALED
    assert "可按“证据与核验方法”独立核验" in render(record, "zh", DIGEST)


def test_the_english_report_of_a_pack_has_no_chinese() -> None:
    text = Page.of(render(record_example.documented(), "en", DIGEST)).text
    assert re.findall(r"[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]+", text) == []


def test_on_paper_long_lists_are_left_out_and_said_to_be_elsewhere() -> None:
    record = record_example.passed()
    paper, screen = render(record, "zh", on_paper=True), render(record, "zh")
    assert paper.count("<tr") < screen.count("<tr") - len(record.steps)
    assert "JUnit 文件" in text_of(paper, "verification")
    assert "<svg" not in paper
    assert paper.count('<img alt="') == screen.count("<svg") == 4


def test_every_mode_has_its_form_of_a_drill() -> None:
    assert "仿真预演：" in text_of(rendered("passed", "zh").html, "scope")
    assert "实操演练：" in text_of(rendered("documented", "zh").html, "scope")
    assert "应急处置：" in text_of(rendered("incident", "zh").html, "scope")


@pytest.mark.parametrize(
    ("change", "word"),
    [({"attempt": 2}, "attempt 2"), ({"outcome": Outcome.FAILED}, "failed")],
    ids=["again", "failed"],
)
def test_a_step_that_failed_or_was_done_again_is_a_deviation(change: dict[str, object], word: str) -> None:
    record = record_example.carrier()
    odd = record.steps[3].model_copy(update=change)
    record = record.model_copy(update={"steps": (*record.steps[:3], odd, *record.steps[4:])})
    assert judged(record, "Execution") == "does not"
    text = text_of(render(record, "en"), "deviations")
    assert "The run went by its plan" not in text
    assert word in text


def test_a_step_that_came_off_at_its_second_attempt_succeeded_in_the_end() -> None:
    record = record_example.carrier()
    first = record.steps[3].model_copy(update={"outcome": Outcome.FAILED})
    second = record.steps[3].model_copy(update={"attempt": 2})
    context = Context(record.model_copy(update={"steps": (first, second)}), "en")
    assert [row.outcome for row in step_rows(context)] == ["succeeded"]
    assert [row.outcome for row in deviation_rows(context)] == ["failed", "succeeded"]


def test_many_configuration_files_have_one_row_each_on_paper() -> None:
    record = record_example.large()
    assert len(record.configurations) > IN_FULL_ON_PAPER
    paper = section_of(render(record, "zh", on_paper=True), "network")
    assert "<article" not in paper
    assert [item.path for item in record.configurations if item.path not in paper] == []
    assert section_of(render(record, "zh"), "network").count("<article") == len(record.configurations)


def test_files_that_were_not_seen_before_and_after_are_not_said_to_be_the_same() -> None:
    record = record_example.passed()
    unseen = tuple(
        item.model_copy(update={"sha256_before": None, "sha256_after": None}) for item in record.configurations
    )
    files = len(record.configurations)
    assert f"the same, byte for byte, as before: {files}" in restored(Context(record, "en"))[1]
    blind = record.model_copy(update={"configurations": unseen})
    assert "the same, byte for byte, as before: 0" in restored(Context(blind, "en"))[1]


def test_the_checks_of_all_phases_stand_in_one_table_on_paper_with_what_is_abnormal() -> None:
    context = Context(record_example.failed(), "zh")
    table = summary(context)
    wrong = [item for item in context.record.checks if item.result is CheckResult.ABNORMAL]
    assert wrong
    last, phase = table.rows[-1], table.phases.index(context.texts.named("phase", wrong[0].phase))
    made = [item for item in context.record.checks if item.phase == wrong[0].phase]
    abnormal = sum(item.result is CheckResult.ABNORMAL for item in made)
    assert last.check == "合计"
    assert f"异常 {abnormal}" in last.cells[phase].text
    assert last.cells[phase].tone == "bad"
    paper = section_of(render(context.record, "zh", on_paper=True), "verification")
    assert all(row.check in paper for row in table.rows)


def test_on_paper_only_logins_to_be_looked_at_are_listed() -> None:
    record = record_example.passed()
    assert record.ground_truth is not None
    plain = {**record.ground_truth["logins"][0], "kind": "login", "source": "192.0.2.1"}
    odd = {**plain, "kind": "half_open_retry", "source": "192.0.2.2"}
    truth = {**record.ground_truth, "logins": [plain, odd]}
    paper = section_of(render(record.model_copy(update={"ground_truth": truth}), "en", on_paper=True), "truth")
    assert "192.0.2.2" in paper
    assert "192.0.2.1" not in paper
    assert "all (2)" in paper


def test_on_paper_clauses_that_were_not_exercised_are_named_by_document() -> None:
    record = record_example.passed()
    paper = section_of(render(record, "zh", on_paper=True), "clauses")
    assert all(item.id in paper for item in record.clauses if not item.covered)
    assert not any(item.text.zh in paper for item in record.clauses)
