"""A report says everything that the record holds, in one language, safely, and the same way each time."""

import re
from xml.etree import ElementTree as ET  # our own output

import pytest

from orchestrator import judge
from orchestrator.model.drill import Check
from orchestrator.model.plan import Action
from orchestrator.report.checks import checked_phases
from orchestrator.report.context import Context
from orchestrator.report.gateways import class_rows, gateway_rows
from orchestrator.report.headline import headline
from orchestrator.report.limits import limits
from orchestrator.report.objectives import objective_rows
from orchestrator.report.render import CONTENT_POLICY, render
from orchestrator.report.texts import catalogue
from tests.report.conftest import VARIANTS, Rendered, rendered
from tests.report.page import Page

PLAIN = [name for name in VARIANTS if name != "hostile"]
CHINESE = re.compile(r"[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]+")
WORD = re.compile(r"[A-Za-z]{2,}")
# Names of products, protocols and units that Chinese texts use as they are.
NAMES = {
    "SIMULATED",
    "TCP",
    "CCNET",
    "EKey",
    "TDGW",
    "MDGW",
    "SSCC",
    "SSE",
    "NEEQ",
    "UTC",
    "Asia",
    "Shanghai",
    "run",
    "json",
    "sha",
    "SHA",
    "Mbps",
    "Binary",
    "STEP",
    "RSA",
    "VPN",
    "CA",
    "GB",
    "JR",
    "ms",
}


def section_of(html: str, name: str) -> str:
    return html.partition(f'<section id="{name}">')[2].partition("</section>")[0]


def test_every_gateway_of_the_plan_stands_in_the_report(report: Rendered) -> None:
    text = report.page.text
    assert [item.number for item in report.record.plan.gateways if item.number not in text] == []


def test_every_timed_gateway_has_a_row_with_its_three_times(report: Rendered) -> None:
    rows = re.findall(r'<tr class="[^"]*" data-gateway="([^"]+)">', report.html)
    assert rows == [item.gateway for item in report.record.verdict.gateways]


def test_the_four_fields_of_the_verdict_stand_apart(report: Rendered) -> None:
    fields = [found["data-field"] for _, found in report.page.elements if "data-field" in found]
    assert fields == ["outcome", "restoration", "objectives", "integrity"]


def test_only_a_run_on_the_twin_is_stamped_simulated(report: Rendered) -> None:
    stamped = 'class="stamp"' in report.html
    assert stamped is report.record.simulated
    assert ("SIMULATED" in report.page.text) is report.record.simulated


def test_nothing_is_blank_or_a_python_value(report: Rendered) -> None:
    page = report.page
    assert not re.search(r"\b(None|nan|inf|Undefined|True|False)\b", page.text)
    assert not re.search(r"<td[^>]*>\s*</td>|<dd[^>]*>\s*</dd>", report.html)
    assert report.variant == "hostile" or not re.search(r"[{}]", "".join(page.words))


def test_the_page_asks_for_nothing_and_runs_nothing(report: Rendered) -> None:
    page = report.page
    policies = [
        found["content"] for tag, found in page.elements if found.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == [CONTENT_POLICY] == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    loading = {"src", "href", "srcset", "data", "action", "poster", "background"}
    assert [
        (tag, name)
        for tag, found in page.elements
        for name, value in found.items()
        if (name in loading and not (tag == "a" and value.startswith("#"))) or name.startswith("on")
    ] == []
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "link", "iframe", "object", "embed", "base", "form"})
    style = report.html.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_every_picture_is_well_formed_and_inside_its_frame(report: Rendered) -> None:
    pictures = re.findall(r"<svg.*?</svg>", report.html, re.DOTALL)
    assert len(pictures) == (1 if report.record.fault_at is None else 4)
    for picture in pictures:
        root = ET.fromstring(picture)  # noqa: S314 - our own output
        width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
        for shape in root.iter():
            for name, limit in (
                ("x", width),
                ("y", height),
                ("x1", width),
                ("x2", width),
                ("y1", height),
                ("y2", height),
            ):
                assert 0 <= float(shape.attrib.get(name, 0)) <= limit, ET.tostring(shape)


def test_the_same_record_gives_the_same_bytes(report: Rendered) -> None:
    again = type(report.record).model_validate_json(report.record.model_dump_json(by_alias=True))
    assert render(again, report.language) == report.html


def test_a_clause_that_was_not_exercised_is_said_to_be_not_covered(report: Rendered) -> None:
    label = "本次未覆盖" if report.language == "zh" else "not covered by this run"
    for clause in report.record.clauses:
        section = section_of(report.html, "basis" if clause.covered else "clauses")
        row = next(row for row in re.findall(r"<tr.*?</tr>", section) if f">{clause.id}<" in row)
        assert (label in row) is (not clause.covered), clause.id


def test_abnormal_checks_stand_with_what_was_expected_and_found(report: Rendered) -> None:
    abnormal = sum(item.result == "abnormal" for item in report.record.checks)
    section = section_of(report.html, "verification").partition('<h3 id="checks">')[2]
    label = "异常" if report.language == "zh" else "abnormal"
    assert section.count(f'<span class="chip bad">{label}</span>') == abnormal


@pytest.mark.parametrize("variant", PLAIN)
def test_an_english_report_has_no_chinese(variant: str) -> None:
    assert CHINESE.findall(rendered(variant, "en").page.text) == []


@pytest.mark.parametrize("variant", PLAIN)
def test_a_chinese_report_has_no_english_but_names(variant: str) -> None:
    found = rendered(variant, "zh")
    topology = found.record.topology
    named = [
        item.id for group in (topology.lines, topology.hosts, topology.routers, topology.gateways) for item in group
    ]
    ids = set(WORD.findall(" ".join([found.record.run, *named])))
    words = set(WORD.findall("\n".join(found.page.words)))
    assert words - NAMES - ids == set()


def test_a_hostile_text_stays_text() -> None:
    for language in ("zh", "en"):
        html = rendered("hostile", language).html
        assert "<script" not in html
        assert "<img" not in html
        assert "alert(1)" in Page.of(html).text
        assert html.count("</style>") == 1


def test_a_service_that_does_not_exist_there_is_neither_restored_nor_lost() -> None:
    found = rendered("beijing", "zh")
    absent = [item.gateway for item in found.record.plan.affected if item.action is Action.NO_BUSINESS]
    assert absent == ["nq-mc-1", "nq-mc-2"]
    for gateway in absent:
        row = re.search(rf'<tr [^>]*data-gateway="{gateway}">.*?</tr>', found.html)
        assert row is not None
        assert "无此业务" in row[0]
        assert "未恢复" not in row[0]


def test_a_gateway_that_did_not_come_back_is_named_in_the_conclusion() -> None:
    conclusion = section_of(rendered("failed", "zh").html, "conclusion")
    assert "未恢复的网关：W100300。" in conclusion
    assert "应恢复 5 个、已恢复 4 个" in conclusion
    assert "未通过" in conclusion


def test_gateways_that_were_not_timed_are_named_and_not_called_measured() -> None:
    untouched = [item.number for item in rendered("passed", "zh").record.plan.gateways if item.action is Action.NONE]
    note = f"另有 {len(untouched)} 个网关不受影响，未计切换时间，其状态见检查结果：{'、'.join(untouched)}。"
    assert len(untouched) == 9
    assert note in rendered("passed", "zh").page.text


def test_the_fault_is_said_as_people_say_it() -> None:
    assert "福田中心不可用（南方中心单中心运行）" in rendered("passed", "zh").html
    assert "Futian unavailable (single-centre operation at Southern)" in rendered("passed", "en").html
    assert "福田中心、南方中心均不可用" in rendered("beijing", "zh").html
    assert "运营商中国电信故障（3 条线路中断）" in rendered("carrier", "zh").html


def test_local_evidence_claims_no_more_than_it_can(report: Rendered) -> None:
    expected = "本地未见重复登录" if report.language == "zh" else "no duplicate login was seen locally"
    assert expected in report.page.text


def test_who_never_lost_the_connection_is_not_said_to_have_come_back() -> None:
    record = rendered("carrier", "zh").record
    whole = {"broken_at": None, "connected_at": None, "login_at": None, "switch_s": None, "resolution_s": 0.5}
    times = tuple(
        item.model_copy(update={**whole, "front_during": item.front_before}) for item in record.verdict.gateways
    )
    objectives = tuple(item.model_copy(update={"measured": 0.0}) for item in record.verdict.objectives)
    verdict = record.verdict.model_copy(update={"gateways": times, "objectives": objectives})
    context = Context(record.model_copy(update={"verdict": verdict}), "zh")
    assert {row.result for row in gateway_rows(context)} == {"保持登录", "持续接收"}
    assert "最长切换时间无（连接均未中断）" in headline(context).paragraph.replace(" ", "")
    assert f"上述已恢复的网关中，{len(times)} 个连接始终未中断。" in headline(context).paragraph
    assert {row.longest for row in class_rows(context)} == {"未中断"}
    assert any("未记录到连接中断" in text for text in limits(context))
    assert {row.measured for row in objective_rows(context)} == {"未中断（计为 0.000 秒）"}


def test_the_longest_switch_is_never_that_of_a_service_that_does_not_exist_there() -> None:
    found = rendered("beijing", "zh")
    waiting = [item for item in found.record.verdict.gateways if item.action is Action.NO_BUSINESS]
    late = tuple(
        item.model_copy(update={"switch_s": 400.0}) if item in waiting else item
        for item in found.record.verdict.gateways
    )
    verdict = found.record.verdict.model_copy(update={"gateways": late})
    head = headline(Context(found.record.model_copy(update={"verdict": verdict}), "zh"))
    assert waiting
    assert "400" not in head.paragraph
    assert all("400" not in figure.value for figure in head.figures)


def test_a_receiver_receives_again_and_everybody_else_logs_in_again() -> None:
    results = {item.number: item.result for item in gateway_rows(Context(rendered("passed", "en").record, "en"))}
    assert results["W100200"] == "logged in again"
    assert results["W100220"] == "receiving again"


def test_a_check_that_a_target_does_not_have_is_not_called_untested() -> None:
    found = rendered("passed", "zh")
    asked = {(item.target, item.check) for item in found.record.checks}
    missing = [(gateway, "data") for gateway, check in asked if check == "login" and (gateway, "data") not in asked]
    cells = [
        cell
        for phase in checked_phases(Context(found.record, "zh"))
        for matrix in phase.matrices
        for row in matrix.rows
        for cell in row.cells
    ]
    assert ("—" in {cell.text for cell in cells}) == bool(missing)


def test_a_covered_clause_claims_no_more_than_this_run(report: Rendered) -> None:
    text = report.page.text
    if any(item.covered for item in report.record.clauses):
        assert ("不等于认定本公司已符合" if report.language == "zh" else "does not say that the firm meets") in text
    assert ("stands neither for a drill held" in text or "不能代替实操演练" in text) == (
        report.record.simulated and any(item.covered for item in report.record.clauses)
    )


def test_the_reasons_call_the_checks_as_the_report_does() -> None:
    assert {name: catalogue()[f"check.{name}"].zh for name in judge.CHECK_ZH} == judge.CHECK_ZH
    assert set(judge.CHECK_ZH) == {str(check) for check in Check}
