"""The platform's query, as people save it: two encodings, a workbook, and files that are none of them."""

import shutil
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from orchestrator.errors import DefinitionError
from orchestrator.loader.platform_export import read_export
from orchestrator.model.records import Columns, Export
from orchestrator.model.topology import GatewayClass
from tests.rules.facts import EXAMPLE, FOLDER

TEXT = (FOLDER / "platform-export.csv").read_text(encoding="utf-8")


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "export.csv"
    file.write_bytes(text.encode(encoding))
    return file


def workbook(folder: Path, rows: list[list[object]]) -> Path:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    file = folder / "export.xlsx"
    book.save(file)
    return file


def refused(file: Path, how: Export | None = None) -> str:
    with pytest.raises(DefinitionError) as told:
        read_export(file, how or Export())
    return str(told.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_is_read_in_each_encoding(tmp_path: Path, encoding: str) -> None:
    assert EXAMPLE.platform is not None
    assert read_export(written(tmp_path, TEXT, encoding), Export()).rows == EXAMPLE.platform.rows


def test_a_workbook_says_the_same(tmp_path: Path) -> None:
    assert EXAMPLE.platform is not None
    rows: list[list[object]] = [list(line.split(",")) for line in TEXT.splitlines()]
    assert read_export(workbook(tmp_path, rows), Export()).rows == EXAMPLE.platform.rows


def test_cells_of_a_workbook_may_be_numbers_and_days(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["网关号", "网关类型", "证书编号", "证书状态", "证书有效期至"],
        [50010, "TDGW", 77.0, "有效", datetime(2028, 3, 1)],  # noqa: DTZ001 - a workbook knows no zone
    ]
    (row,) = read_export(workbook(tmp_path, rows), Export(certificates={"77": "sse-td-1-ekey"})).rows
    assert (row.number, row.certificate, row.valid_to) == ("50010", "sse-td-1-ekey", date(2028, 3, 1))
    assert row.gateway_class is GatewayClass.TDGW


def test_columns_have_the_names_that_the_site_says_and_any_order(tmp_path: Path) -> None:
    how = Export(
        columns=Columns(number="Gateway", kind="Kind", certificate="Serial", state="State", valid_to="End"),
        kinds={"T": GatewayClass.TDGW},
        valid_states=("ok",),
        revoked_states=("gone",),
    )
    file = written(tmp_path, "Note,End,State,Serial,Kind,Gateway\n,2028/03/01,gone,s1,T,T50010\n\n")
    (row,) = read_export(file, how).rows
    assert (row.number, row.certificate, row.is_valid, row.is_revoked) == ("T50010", "s1", False, True)
    assert row.valid_to == date(2028, 3, 1)


def test_a_missing_column_is_named_with_where_to_say_its_name(tmp_path: Path) -> None:
    told = refused(written(tmp_path, TEXT.replace("证书状态", "状态")))
    assert "export.csv:1: expected the columns 证书状态 (state), found" in told
    assert "platform.export.columns of records.yml" in told


def test_every_wrong_cell_is_named_with_its_line(tmp_path: Path) -> None:
    text = TEXT.replace("T50011,交易网关,sse-td-2-file", ",交易网关,sse-td-2-file").replace(
        "M60011,行情网关,sse-md-2-file,有效,2028-03-01", "M60011,转发网关,sse-md-2-file,有效,soon"
    )
    told = refused(written(tmp_path, text)).splitlines()
    assert len(told) == 3
    assert "export.csv:5: 网关号: expected a gateway number, found nothing" in told[0]
    assert "export.csv:9: 网关类型: expected one of TDGW, MDGW" in told[1]
    assert "export.csv:9: 证书有效期至: expected a day as 2028-03-01, found 'soon'" in told[2]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"", "found an empty table"),
        ("a.csv", "网关号,网关类型,证书编号,证书状态,证书有效期至\n".encode(), "at least one gateway"),
        ("a.csv", b"\xff\xfe\x00\xff\xff", "CSV file in UTF-8 or GB18030"),
        ("a.csv", b'a,"b\n', "comma-separated values"),
        ("a.xlsx", b"PK\x03\x04 not a workbook", "expected an XLSX workbook"),
        ("a.xlsx", b"", "expected an XLSX workbook"),
    ],
)
def test_what_is_no_export_is_refused_in_one_line(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    told = refused(file)
    assert words in told
    assert "\n" not in told


def test_no_file_is_refused(tmp_path: Path) -> None:
    assert "expected the platform's export" in refused(tmp_path / "none.csv")


def test_a_workbook_with_a_broken_inside_is_refused(tmp_path: Path) -> None:
    file = workbook(tmp_path, [["x"]])
    broken = tmp_path / "broken.xlsx"
    shutil.copy(file, broken)
    data = broken.read_bytes()
    broken.write_bytes(data[: len(data) // 2])
    assert "expected an XLSX workbook" in refused(broken)
