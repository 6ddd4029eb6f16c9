"""The exchange's feedback form: the record's own numbers, texts that fit, and no formula."""

import csv
from io import BytesIO, StringIO
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook

from orchestrator.model.event import CheckResult
from orchestrator.model.record import RunRecord
from orchestrator.report.context import Context
from orchestrator.report.feedback import LONGEST, result_of, sheets, shortened, table, workbook
from tests.report import record_example

Rows = list[list[str | float | None]]


def rows_of(record: RunRecord, sheet: str) -> Rows:
    book = load_workbook(BytesIO(workbook(record)))
    return [[cell.value for cell in row] for row in book[sheet].iter_rows()]


def lines_of(record: RunRecord) -> list[list[str]]:
    content = table(record)
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(StringIO(content.decode("utf-8-sig"), newline="")))


def test_the_classes_have_the_shortest_longest_and_average_of_the_verdict() -> None:
    record = record_example.passed()
    rows = rows_of(record, "各类切换时间")
    assert rows[0][3:] == ["最短切换时间（秒）", "最长切换时间（秒）", "平均切换时间（秒）"]
    wanted = [[one.shortest_s, one.longest_s, one.average_s] for one in record.verdict.classes if one.count]
    assert len(rows) == 1 + len(wanted)
    for row, times in zip(rows[1:], wanted, strict=True):
        assert row[3:] == pytest.approx(times, abs=1e-9)


def test_each_seat_has_its_three_times_its_lines_and_a_result() -> None:
    record = record_example.failed()
    rows = {row[0]: row for row in rows_of(record, "席位与线路")[1:]}
    assert list(rows) == [item.number for item in record.verdict.gateways]
    whole, lost = rows["W100200"], rows["W100300"]
    assert whole[3:5] == ["电信至福田专线", "联通至南方专线"]
    assert all(str(at).startswith("2026-11-21 09:30:") for at in whole[6:9])
    assert whole[10] == "正常"
    assert lost[8:11] == [None, None, "异常"]


def test_a_service_that_does_not_exist_there_is_no_such_business() -> None:
    record = record_example.beijing()
    found = {item.gateway: result_of(Context(record, "zh"), item) for item in record.verdict.gateways}
    assert found["nq-mc-1"] is CheckResult.NO_SUCH_BUSINESS
    assert found["nq-trade-1"] is CheckResult.NORMAL


def test_a_gateway_of_which_nothing_was_seen_is_not_tested() -> None:
    record = record_example.passed()
    blank = dict.fromkeys(("broken_at", "connected_at", "login_at", "switch_s", "front_during"), None)
    unseen = record.verdict.gateways[0].model_copy(update={**blank, "came_back": False})
    assert result_of(Context(record, "zh"), unseen) is CheckResult.NOT_TESTED


def test_the_results_of_checks_are_counted_in_four_values() -> None:
    record = record_example.failed()
    rows = rows_of(record, "检查结果")
    assert rows[0][3:7] == ["正常", "异常", "未测", "无此业务"]
    counted = sum(number for row in rows[1:] for number in row[3:7] if not isinstance(number, str | None))
    assert counted == len(record.checks)
    abnormal = [row for row in rows[1:] if row[2] == "异常"]
    assert abnormal
    assert all("W100300" in str(row[7]) for row in abnormal)


@pytest.mark.parametrize("length", [LONGEST - 1, LONGEST, LONGEST + 1, 5000])
def test_no_text_is_longer_than_the_forms_allow(length: int) -> None:
    text = shortened("长" * length)
    assert len(text) == min(length, LONGEST)
    assert text.endswith("…") is (length > LONGEST)


def test_long_remarks_are_cut_in_the_form() -> None:
    record = record_example.failed()
    checks = tuple(item.model_copy(update={"found": "x" * 700}) for item in record.checks)
    form = sheets(Context(record.model_copy(update={"checks": checks}), "zh"))
    remarks = [row[-1] for sheet in form for row in sheet.rows]
    assert max(len(text) for text in remarks if isinstance(text, str)) == LONGEST


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_nothing_that_a_site_says_is_a_formula(start: str) -> None:
    text = f"{start}HYPERLINK(1)"
    record = record_example.passed().model_copy(update={"run": text})
    book = load_workbook(BytesIO(workbook(record)))
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row if cell.value == text]
    assert [cell.data_type for cell in cells] == ["s"]
    assert [f"'{text}"] == [line[1] for line in lines_of(record) if line[:1] == ["运行编号"]]


def test_workbook_and_csv_say_the_same() -> None:
    record = record_example.failed()
    lines = [line for line in lines_of(record) if line]
    wanted = [[sheet.title, *sheet.columns] for sheet in sheets(Context(record, "zh"))]
    titles = [line[0] for line in lines if len(line) == 1]
    assert titles == [title for title, *_ in wanted]
    assert len(lines) == sum(2 + len(sheet.rows) for sheet in sheets(Context(record, "zh")))


@pytest.mark.parametrize("variant", ["passed", "not_started", "hostile", "documented"])
def test_the_same_record_gives_the_same_bytes(variant: str) -> None:
    record: RunRecord = getattr(record_example, variant)()
    again = RunRecord.model_validate_json(record.model_dump_json(by_alias=True))
    assert workbook(record) == workbook(again)
    assert table(record) == table(again)


def test_a_workbook_is_dated_by_its_run_and_by_no_clock() -> None:
    record = record_example.passed()
    content = workbook(record)
    created = load_workbook(BytesIO(content)).properties.created
    assert created.isoformat() == "2026-11-21T01:30:41"
    with ZipFile(BytesIO(content)) as archive:
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
