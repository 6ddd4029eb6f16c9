"""The year as the regulator reads it: nothing that failed is left out, no rehearsal counts, what was never drilled is
said.
"""

import io
import json
import re
from datetime import date
from pathlib import Path

import pytest
from pypdf import PdfReader

from orchestrator.evidence.annual import summary
from orchestrator.evidence.annual_chart import Words, chart
from orchestrator.evidence.annual_coverage import gaps, matrix, numbered, scenario_rows
from orchestrator.evidence.annual_model import AnnualSummary, Run
from orchestrator.evidence.annual_page import as_json, as_pdf, render
from orchestrator.evidence.annual_rows import Sheet
from orchestrator.evidence.annual_texts import AnnualTexts, catalogue
from orchestrator.evidence.coverage import Cell, Register, names_of
from orchestrator.evidence.ledger import closing_data
from orchestrator.model.evidence import LedgerKind
from orchestrator.report.texts import Language
from tests.evidence.years import SITE, Book, Hand, aborted, moved, register, two_years
from tests.report import record_example as example
from tests.report.page import Page

ZONE = "Asia/Shanghai"
LANGUAGES: tuple[Language, ...] = ("zh", "en")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Book:
    return two_years(tmp_path_factory.mktemp("years") / "ledger")


@pytest.fixture(scope="module")
def known() -> Register:
    return register()


@pytest.fixture(scope="module")
def year(book: Book, known: Register) -> AnnualSummary:
    return summary(book.lines, 2026, SITE, ZONE, known)


def _form(year: AnnualSummary, form: str) -> list[Run]:
    return [run for run in year.runs if run.form == form]


def _sheet(year: AnnualSummary, known: Register, language: Language = "zh") -> Sheet:
    return Sheet(year, known.names, AnnualTexts(language))


def _cell(year: AnnualSummary, scenario: str, gateway: str) -> Cell:
    found = [cell for cell in year.coverage if (cell.way.scenario, cell.way.gateway) == (scenario, gateway)]
    (cell,) = [cell for cell in found if cell.expected]
    return cell


# -- what is counted ----------------------------------------------------------------------------------------------


def test_failed_and_aborted_drills_are_held_and_what_never_began_was_cancelled_or_rehearsed_is_not(
    year: AnnualSummary,
) -> None:
    counts = year.counts
    assert counts.held == 5
    assert counts.held_by_outcome == {"passed": 3, "failed": 1, "aborted": 1}
    assert (counts.not_started, counts.cancelled, counts.incidents, counts.rehearsals) == (1, 1, 1, 2)
    assert [run.outcome for run in _form(year, "drill")] == [
        "passed", "failed", "not_started", "aborted", "passed", "passed"
    ]  # fmt: skip
    assert all(not run.is_held for run in _form(year, "rehearsal") + _form(year, "incident"))


def test_a_drill_mode_run_on_a_twin_is_a_rehearsal(tmp_path: Path, known: Register) -> None:
    book = Book(tmp_path)
    record = moved(example.observed(), date(2026, 3, 7)).model_copy(update={"simulated": True})
    book.clock.at = record.started_at
    book.open(record)
    book.close(record)
    found = summary(book.lines, 2026, SITE, ZONE, known)
    assert (found.counts.held, found.counts.rehearsals) == (0, 1)


def test_each_year_has_its_own_runs_and_no_other(book: Book, known: Register, year: AnnualSummary) -> None:
    before = summary(book.lines, 2025, SITE, ZONE, known)
    assert {run.on.year for run in before.runs} == {2025}
    assert (before.counts.held, before.counts.rehearsals, before.counts.findings_opened) == (2, 1, 0)
    assert (before.until, year.until) == (date(2025, 12, 31), date(2026, 11, 14))
    assert not {run.run for run in before.runs} & {run.run for run in year.runs}
    empty = summary(book.lines, 2024, SITE, ZONE, known)
    assert (empty.runs, empty.trends, empty.counts.held) == ((), (), 0)


def test_new_years_eve_is_the_sites_own(tmp_path: Path, known: Register) -> None:
    book = Book(tmp_path)
    record = moved(example.observed(), date(2026, 12, 31))
    late = record.model_copy(update={"started_at": record.started_at + 15.5 * 3600})  # 17:00 UTC: 2027 in Shanghai
    book.clock.at = late.finished_at + 15.5 * 3600
    book.open(late)
    book.close(late)
    assert summary(book.lines, 2026, SITE, ZONE, known).runs == ()
    assert len(summary(book.lines, 2027, SITE, ZONE, known).runs) == 1
    assert len(summary(book.lines, 2026, SITE, "UTC", known).runs) == 1


def test_a_run_that_has_not_ended_is_listed_and_counts_for_nothing(tmp_path: Path, known: Register) -> None:
    book = Book(tmp_path)
    record = moved(example.observed(), date(2026, 3, 7))
    book.clock.at = record.started_at
    book.open(record)
    found = summary(book.lines, 2026, SITE, ZONE, known)
    assert [(run.outcome, run.is_held) for run in found.runs] == [("open", False)]
    assert (found.counts.open, found.counts.held) == (1, 0)
    assert "统计时有 1 次运行尚未结束" in render(found, known.names, "zh")


def test_another_sites_runs_and_findings_are_not_in_it(book: Book, known: Register) -> None:
    found = summary(book.lines, 2026, "another", ZONE, known)
    assert (found.runs, found.findings) == ((), ())


def test_findings_are_counted_as_they_stood_when_the_year_ended(known: Register, tmp_path: Path) -> None:
    own = Book(tmp_path, Hand())
    failed = own.held(example.failed(), date(2025, 5, 24))
    own.clock.move_to(date(2026, 2, 2))
    closing = {"id": failed.findings[0].id, "by": "chen", "reason": "mended", "retest_run": None}
    own.ledger.append(LedgerKind.FINDING_CLOSED, closing)
    first = summary(own.lines, 2025, SITE, ZONE, known).counts
    second = summary(own.lines, 2026, SITE, ZONE, known).counts
    count = len(failed.findings)
    assert (first.findings_opened, first.findings_closed, first.findings_open) == (count, 0, count)
    assert first.findings_overdue == count
    assert (second.findings_opened, second.findings_closed, second.findings_open) == (0, 1, count - 1)


# -- trends -------------------------------------------------------------------------------------------------------


def test_each_objective_has_its_runs_over_the_years_drills_and_rehearsals_apart(year: AnnualSummary) -> None:
    trend = next(item for item in year.trends if (item.drill, item.objective) == (
        "single-centre-failure", "trading-switch"
    ))  # fmt: skip
    assert [(point.on.year, point.form) for point in trend.points] == [
        (2025, "rehearsal"), (2025, "drill"), (2026, "rehearsal"), (2026, "drill"), (2026, "drill"),
        (2026, "incident"), (2026, "drill"),
    ]  # fmt: skip
    assert [point.state for point in trend.points].count("missed") == 1
    words = Words("t", "上限 {}", "未测得", {"drill": "实操", "rehearsal": "预演", "incident": "应急"})
    picture = str(chart(trend, words))
    assert picture.count("<circle") == 6
    assert picture.count("<rect") == 1
    assert picture.count("<polyline") == 2
    assert picture.count('fill="#ffffff"') == 2
    unmeasured = trend.points[0].model_copy(update={"measured": None, "state": "not_measured"})
    assert "未测得" in str(chart(trend.model_copy(update={"points": (unmeasured,)}), words))


# -- coverage -----------------------------------------------------------------------------------------------------


def test_every_scenario_is_in_it_with_its_age_and_what_was_never_drilled_is_named(
    year: AnnualSummary, known: Register
) -> None:
    rows = {row.fault: row for row in scenario_rows(_sheet(year, known))}
    assert (rows["福田中心不可用"].held, rows["福田中心不可用"].age, rows["福田中心不可用"].status) == (
        "2026-10-24", "21", "fresh"
    )  # fmt: skip
    assert rows["福田中心不可用、南方中心不可用"].status == "stale"
    assert rows["南方中心不可用"].status == "never"
    assert (rows["主机 gw-a1 故障"].held, rows["主机 gw-a1 故障"].status) == ("—", "rehearsed")
    named = dict(gaps(_sheet(year, known), list(rows.values())))
    assert named["单中心故障演练"].endswith("南方中心不可用")
    assert "主机 gw-a1 故障（仅预演）" in named["网关主机故障演练"]
    assert "北京异地灾备切换演练" not in named


def test_a_way_is_a_gateway_at_a_centre_over_a_carrier(year: AnnualSummary) -> None:
    cell = _cell(year, "single-centre-failure:futian", "nq-trade-1")
    assert (cell.way.centre, cell.way.carrier) == ("southern", "unicom")
    assert cell.held is not None
    assert cell.rehearsed is not None
    assert (cell.held.on, cell.rehearsed.on) == (date(2026, 10, 24), date(2026, 3, 14))
    never = _cell(year, "single-centre-failure:southern", "nq-trade-2")
    assert (never.held, never.rehearsed) == (None, None)


def test_a_rehearsal_never_counts_as_coverage(year: AnnualSummary, known: Register) -> None:
    sheet = _sheet(year, known)
    cell = _cell(year, "gateway-host-failure:gw-a1", "nq-trade-1-cold")
    assert cell.held is None
    assert cell.rehearsed is not None
    assert sheet.status(cell) == "rehearsed"
    assert year.counts.scenarios_held == 2


def test_an_aborted_run_covers_nothing(tmp_path: Path, known: Register) -> None:
    book = Book(tmp_path)
    book.held(aborted(), date(2026, 7, 11))
    found = summary(book.lines, 2026, SITE, ZONE, known)
    assert all(cell.held is None for cell in found.coverage)
    assert found.counts.held == 1


def test_a_gateway_that_did_not_come_back_is_marked_where_it_was_to_go(tmp_path: Path, known: Register) -> None:
    book = Book(tmp_path)
    book.held(example.failed(), date(2026, 5, 23))
    found = summary(book.lines, 2026, SITE, ZONE, known)
    sheet = _sheet(found, known)
    cell = _cell(found, "single-centre-failure:futian", "nq-trade-3")
    assert sheet.status(cell) == "failed"
    assert all(cell.expected for cell in found.coverage)
    key = "single-centre-failure:futian"
    marks = {row.gateway: row.marks[0] for row in matrix(sheet, [key])}
    assert marks["nq-trade-3"] is not None
    assert marks["nq-trade-3"].text == "未恢复"
    assert "nq-trade-2" not in marks
    assert scenario_rows(sheet)[int(numbered(sheet)[key][1:]) - 1].status == "failed"


def test_a_drill_a_year_and_a_day_ago_is_stale(tmp_path: Path, known: Register) -> None:
    book = Book(tmp_path)
    book.held(example.observed(), date(2025, 3, 1))
    for day, status in ((date(2026, 3, 1), "fresh"), (date(2026, 3, 2), "stale")):
        book.clock.move_to(day)
        book.ledger.append(LedgerKind.HEARTBEAT, {})
        found = summary(book.lines, 2026, SITE, ZONE, known)
        sheet = _sheet(found, known)
        assert sheet.status(_cell(found, "single-centre-failure:futian", "nq-trade-1")) == status


def test_what_there_is_to_drill_is_every_drill_with_every_value_that_can_be_planned(known: Register) -> None:
    keys = {scenario.key for scenario in known.scenarios}
    assert {"single-centre-failure:futian", "single-centre-failure:southern", "single-carrier-failure:unicom"} <= keys
    assert "single-carrier-failure:satcom" not in keys  # no gateway uses it
    assert len([key for key in keys if key.startswith("gateway-host-failure:")]) == 10


def test_a_run_says_on_the_ledger_where_each_gateway_was_and_was_to_go() -> None:
    data = closing_data(example.failed())
    by_gateway = {item["gateway"]: item for item in data["gateways"]}
    assert by_gateway["nq-trade-1"]["centre_before"] == "futian"
    assert (by_gateway["nq-trade-1"]["centre_after"], by_gateway["nq-trade-1"]["carrier_after"]) == (
        "southern", "unicom"
    )  # fmt: skip
    lost = by_gateway["nq-trade-3"]
    assert (lost["came_back"], lost["centre_planned"], lost["carrier_planned"]) == (False, "southern", "unicom")
    assert json.loads(json.dumps(data)) == data


# -- the page -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_the_same_each_time_and_asks_for_nothing(
    year: AnnualSummary, known: Register, language: Language
) -> None:
    page = render(year, known.names, language)
    assert page == render(year, known.names, language)
    policies = [found["content"] for tag, found in Page.of(page).elements if tag == "meta" and "content" in found]
    assert any(policy.startswith("default-src 'none'") for policy in policies)
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import|<script""", page)
    assert Page.of(page).text


def test_the_page_has_every_run_finding_and_pack_and_keeps_rehearsals_apart(
    year: AnnualSummary, known: Register
) -> None:
    page = render(year, known.names, "zh")
    parts = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', page, re.DOTALL))
    for run in year.runs:
        home = {"drill": "drills", "rehearsal": "rehearsals", "incident": "incidents"}[run.form]
        assert run.run in parts[home]
        assert all(run.run not in parts[other] for other in ("drills", "rehearsals", "incidents") if other != home)
        assert run.pack is not None
        assert run.pack.sums_sha256 in parts["evidence"]
    assert all(state.finding.id in parts["findings"] for state in year.findings)
    assert "深证通通知测试延期" in parts["drills"]
    assert "尚未将台账末行另存" in parts["evidence"]


def test_a_year_without_anything_says_so_and_has_every_section(known: Register, tmp_path: Path) -> None:
    found = summary([], 2026, SITE, ZONE, known)
    page = render(found, known.names, "zh")
    assert "本单位未举行实操演练" in page
    assert page.count("<h2>") == 8
    assert found.counts.scenarios == 23
    assert Book(tmp_path / "none").lines == []


def test_where_the_head_was_sent_last_is_said(known: Register, tmp_path: Path) -> None:
    own = Book(tmp_path)
    own.held(example.observed(), date(2026, 3, 7))
    own.ledger.append(LedgerKind.ANCHORED, {"to": "archive", "seq": 3, "digest": own.lines[-1].digest})
    page = render(summary(own.lines, 2026, SITE, ZONE, known), known.names, "zh")
    assert "2026-03-07（archive，第 3 行）" in page
    assert "尚未将台账末行另存" not in page


def test_hostile_words_stay_words(tmp_path: Path, known: Register) -> None:
    book = Book(tmp_path)
    hostile = "<script>alert(1)</script>{{ 7*7 }}"
    record = moved(example.failed(), date(2026, 3, 7)).model_copy(update={"operator": hostile})
    book.clock.at = record.started_at
    book.open(record)
    book.close(record)
    data = {"drill": record.plan.drill, "title": {"zh": hostile, "en": hostile}, "reason": hostile, "by": hostile}
    book.ledger.append(LedgerKind.RUN_CANCELLED, {**data, "planned_for": hostile})
    page = render(summary(book.lines, 2026, SITE, ZONE, known), known.names, "zh")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "{{ 7*7 }}" in page


def test_chinese_pages_hold_no_english_sentence(year: AnnualSummary, known: Register) -> None:
    text = re.sub(r"<[^>]+>", " ", render(year, known.names, "zh").partition("</style>")[2])
    english = {title.en for title in catalogue().values() if " " in title.en and title.en != title.zh}
    assert not [sentence for sentence in english if "{" not in sentence and sentence in text]


def test_every_text_is_in_both_languages_with_the_same_placeholders() -> None:
    for key, title in catalogue().items():
        assert set(re.findall(r"\{\w*\}", title.zh)) == set(re.findall(r"\{\w*\}", title.en)), key


def test_the_json_reads_back_and_is_inside_the_pdf_which_is_the_same_each_time(known: Register, tmp_path: Path) -> None:
    own = Book(tmp_path)
    own.held(example.observed(), date(2026, 3, 7))
    found = summary(own.lines, 2026, SITE, ZONE, known)
    document = as_json(found).encode()
    assert AnnualSummary.model_validate_json(document) == found
    page = render(found, known.names, "zh").replace("示例证券", "示例证券🀄")  # nobody's font has it
    pdf = as_pdf(page, document, found)
    assert pdf == as_pdf(page, document, found)
    reader = PdfReader(io.BytesIO(pdf))
    assert reader.attachments["annual.json"] == [document]
    text = "".join(one.extract_text() for one in reader.pages)
    assert "灾备演练情况汇总" in text
    assert "[U+1F004]" in text


def test_names_that_nobody_knows_any_more_are_shown_as_they_were(year: AnnualSummary) -> None:
    topology = example.site().topology
    fewer = names_of(topology.model_construct(**{**topology.__dict__, "centres": (), "carriers": ()}))
    page = render(year, fewer, "zh")
    assert "southern" in page
    assert "unicom" in page


def test_incidents_have_a_section_only_where_there_was_one(book: Book, known: Register) -> None:
    assert 'id="incidents"' not in render(summary(book.lines, 2025, SITE, ZONE, known), known.names, "zh")
