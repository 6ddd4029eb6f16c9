"""The platform's query of gateways and certificates, as CSV or XLSX → PlatformExport (SSE-2.2d).

What its columns are called, and what stands in its cells, is data of the site: the real export is not public.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import DefinitionError, Problem
from orchestrator.model.platform_export import ExportRow, PlatformExport
from orchestrator.model.records import Columns, Export

_LARGEST: Final = 20 * 1024 * 1024  # bytes, our choice: thousands of gateways take less than one megabyte
_INFLATED: Final = 200 * 1024 * 1024  # bytes, our choice: what a workbook may unpack to
_ENCODINGS: Final = ("utf-8-sig", "gb18030")  # in this order: what is UTF-8 is hardly ever anything else
_DAYS: Final = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日", "%Y-%m-%d %H:%M:%S")

Table = Sequence[tuple[int, Sequence[str]]]  # line of the file, cells


def read_export(file: Path, how: Export) -> PlatformExport:
    """Read it. DefinitionError: file, line and column of every problem."""
    table = _workbook(file) if file.suffix.lower() == ".xlsx" else _csv(file)
    if not table:
        raise DefinitionError(f"{file}: expected a line of column names, found an empty table")
    (first, names), *rows = table
    places = _columns(file, first, names, how.columns)
    problems: list[Problem] = []
    found = [_row(file, line, cells, places, how, problems) for line, cells in rows]
    if problems:
        raise DefinitionError(problems)
    if not found:
        raise DefinitionError(f"{file}: expected at least one gateway, found none; export the query again")
    return PlatformExport(name=file.name, rows=tuple(found))


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > _LARGEST:
            raise DefinitionError(f"{file}: expected at most {_LARGEST} bytes, found more; is this the right file?")
        return file.read_bytes()
    except OSError as error:
        raise DefinitionError(f"{file}: expected the platform's export, found: {error.strerror}") from error


def _csv(file: Path) -> Table:
    data = _bytes(file)
    for encoding in _ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return list(_lines(file, text))
    raise DefinitionError(f"{file}: expected a CSV file in UTF-8 or GB18030, or a workbook named .xlsx, found neither")


def _lines(file: Path, text: str) -> Iterator[tuple[int, Sequence[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DefinitionError(f"{file}:{reader.line_num}: expected comma-separated values, found: {error}") from error


def _workbook(file: Path) -> Table:
    """The first sheet. Formulas count as what they came to when the file was saved."""
    from openpyxl import load_workbook  # noqa: PLC0415 - half a second that only a workbook may take

    data = io.BytesIO(_bytes(file))
    try:
        with zipfile.ZipFile(data) as archive:
            if sum(item.file_size for item in archive.infolist()) > _INFLATED:
                raise DefinitionError(f"{file}: expected a table, found a workbook that unpacks to too much")
        book = load_workbook(data, read_only=True, data_only=True)
        rows = [[_cell(cell.value) for cell in row] for row in book.worksheets[0].iter_rows()]
        book.close()
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, IndexError, SyntaxError) as error:
        raise DefinitionError(
            f"{file}: expected an XLSX workbook, found what cannot be read as one: {error}"
        ) from error
    return [(line, cells) for line, cells in enumerate(rows, 1) if any(cells)]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _columns(file: Path, line: int, names: Sequence[str], wanted: Columns) -> dict[str, int]:
    """Our name of each column → where it stands."""
    found = wanted.model_dump()
    missing = [f"{theirs} ({ours})" for ours, theirs in found.items() if theirs not in names]
    if missing:
        raise DefinitionError(
            f"{file}:{line}: expected the columns {', '.join(missing)}, found {', '.join(names)}; correct "
            "platform.export.columns of records.yml"
        )
    return {ours: list(names).index(theirs) for ours, theirs in found.items()}


def _row(
    file: Path, line: int, cells: Sequence[str], places: dict[str, int], how: Export, problems: list[Problem]
) -> ExportRow:
    cell = {name: cells[at] if at < len(cells) else "" for name, at in places.items()}
    where = f"{file}:{line}"
    if not cell["number"]:
        problems.append(Problem((how.columns.number,), "expected a gateway number, found nothing", where))
    if cell["kind"] and cell["kind"] not in how.kinds:
        known = ", ".join(how.kinds)
        message = f"expected one of {known} (platform.export.kinds of records.yml), found {cell['kind']!r}"
        problems.append(Problem((how.columns.kind,), message, where))
    day = _day(cell["valid_to"])
    if cell["valid_to"] and day is None:
        message = f"expected a day as 2028-03-01, found {cell['valid_to']!r}"
        problems.append(Problem((how.columns.valid_to,), message, where))
    return ExportRow(
        number=cell["number"],
        gateway_class=how.kinds.get(cell["kind"]),
        certificate=how.certificates.get(cell["certificate"], cell["certificate"]) or None,
        is_valid=cell["state"] in how.valid_states,
        is_revoked=cell["state"] in how.revoked_states,
        state=cell["state"],
        valid_to=day,
    )


def _day(text: str) -> date | None:
    for form in _DAYS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day, not a moment
        except ValueError:
            continue
    return None
