"""The exchange's feedback form: switch times per class, times per seat and line, results in four values.

As a workbook and as CSV, the same bytes each time. Nothing from a host or a site is ever a formula.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO, StringIO
from typing import Final

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from orchestrator.model.event import CheckRecord, CheckResult
from orchestrator.model.plan import Action
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import GatewayTimes
from orchestrator.report.context import Context
from orchestrator.report.gateways import held
from orchestrator.report.headline import headline
from orchestrator.report.preparation import announcement
from orchestrator.report.texts import Language

LONGEST: Final = 500  # characters of a text in the exchanges' forms
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for one at the start of a cell
_WIDEST: Final = 60.0  # our choice: width of a column of texts, in characters
_ORDER: Final = (CheckResult.ABNORMAL, CheckResult.NOT_TESTED, CheckResult.NORMAL, CheckResult.NO_SUCH_BUSINESS)

Cell = str | float | None


@dataclass(frozen=True)
class Sheet:
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


def workbook(record: RunRecord, language: Language = "zh") -> bytes:
    """The form as XLSX: one sheet a table."""
    context, written = Context(record, language), BytesIO()
    book = Workbook(written, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    made_at = datetime.fromtimestamp(int(record.finished_at), UTC).replace(tzinfo=None)
    book.set_properties({"title": context.texts("feedback.title"), "created": made_at, "comments": record.run})
    head = book.add_format({"bold": True, "bg_color": "#E6EDF5", "border": 1, "text_wrap": True, "valign": "vcenter"})
    cell = book.add_format({"border": 1, "text_wrap": True, "valign": "top"})
    seconds = book.add_format({"border": 1, "valign": "top", "num_format": "0.000"})
    for sheet in sheets(context):
        _fill(book.add_worksheet(sheet.title), sheet, head, cell, seconds)
    book.close()
    return written.getvalue()


def _fill(page: Worksheet, sheet: Sheet, head: Format, cell: Format, seconds: Format) -> None:
    page.set_landscape()
    page.fit_to_pages(1, 0)
    page.freeze_panes(1, 0)
    page.repeat_rows(0)
    for column, title in enumerate(sheet.columns):
        page.write_string(0, column, title, head)
        page.set_column(column, column, _width([title, *(row[column] for row in sheet.rows)]))
    for line, row in enumerate(sheet.rows, 1):
        for column, value in enumerate(row):
            if isinstance(value, str):
                page.write_string(line, column, value, cell)
            elif value is None:
                page.write_blank(line, column, None, cell)
            else:
                page.write_number(line, column, value, cell if isinstance(value, int) else seconds)


def _width(values: Sequence[Cell]) -> float:
    """Wide characters take two columns."""
    lengths = (sum(2 if ord(char) > 0x2E7F else 1 for char in str(value)) for value in values if value is not None)  # noqa: PLR2004 - CJK begins there
    return min(_WIDEST, 2.0 + max(lengths, default=8))


def table(record: RunRecord, language: Language = "zh") -> bytes:
    """The form as CSV, UTF-8 with its mark so that Excel reads it; each table has its title in a line of its own."""
    written = StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    for index, sheet in enumerate(sheets(Context(record, language))):
        if index:
            writer.writerow([])
        writer.writerow([sheet.title])
        writer.writerow(sheet.columns)
        writer.writerows([_plain(value) for value in row] for row in sheet.rows)
    return b"\xef\xbb\xbf" + written.getvalue().encode()


def _plain(value: Cell) -> str:
    """No cell begins as a formula does."""
    if isinstance(value, float):
        return f"{value:.3f}"
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def sheets(context: Context) -> tuple[Sheet, ...]:
    return (_general(context), _classes(context), _seats(context), _checks(context))


def _columns(context: Context, *names: str) -> tuple[str, ...]:
    return tuple(context.texts(f"feedback.{name}") for name in names)


def _general(context: Context) -> Sheet:
    texts, record = context.texts, context.record
    head = headline(context)
    rows: list[tuple[Cell, ...]] = [
        (texts("feedback.site"), texts.of(context.topology.site.title)),
        (texts("feedback.drill"), texts.of(record.plan.title)),
        (texts("feedback.form"), texts(f"form.{record.plan.kind}")),
        (texts("feedback.run"), record.run),
        (texts("feedback.announcement"), announcement(context)),
        (texts("feedback.started"), context.moments.full(record.started_at)),
        (texts("feedback.finished"), context.moments.full(record.finished_at)),
        (texts("feedback.zone"), context.moments.zone),
        *((texts(f"field.{tile.field}"), tile.value) for tile in head.tiles),
        (texts("feedback.remark"), shortened(texts.joint.join(head.reasons))),
        (texts("feedback.filled_by"), None),
        (texts("feedback.phone"), None),
    ]
    return Sheet(texts("feedback.general"), _columns(context, "item", "content"), tuple(rows))


def _classes(context: Context) -> Sheet:
    texts, verdict = context.texts, context.record.verdict
    rows = tuple(
        (
            texts(f"class.{item.gateway_class}"),
            item.count,
            item.measured,
            item.shortest_s,
            item.longest_s,
            item.average_s,
        )
        for item in verdict.classes
        if item.count
    )
    names = ("class", "count", "measured", "shortest", "longest", "average")
    return Sheet(texts("feedback.classes"), _columns(context, *names), rows)


def _seats(context: Context) -> Sheet:
    names = (
        *("number", "gateway", "class", "line_before", "line_during", "front_during"),
        *("broken", "connected", "login", "switch", "result", "remark"),
    )
    order = {gateway.id: index for index, gateway in enumerate(context.topology.gateways)}
    times = sorted(context.record.verdict.gateways, key=lambda item: order.get(item.gateway, len(order)))
    rows = tuple(_seat(context, item) for item in times)
    return Sheet(context.texts("feedback.seats"), _columns(context, *names), rows)


def _seat(context: Context, item: GatewayTimes) -> tuple[Cell, ...]:
    texts = context.texts
    return (
        context.number(item.gateway),
        context.gateway_title(item.gateway),
        texts(f"class.{item.gateway_class}"),
        context.line(item.line_before),
        context.line(item.line_during),
        context.front(item.front_during),
        _at(context, item.broken_at),
        _at(context, item.connected_at),
        _at(context, item.login_at),
        item.switch_s,
        texts(f"check_result.{result_of(context, item)}"),
        shortened(texts(f"action.{item.action}")),
    )


def _at(context: Context, at: float | None) -> str | None:
    """Date and time to the millisecond; empty where nothing was measured."""
    return None if at is None else context.moments.local(at).isoformat(sep=" ", timespec="milliseconds")[:23]


def result_of(context: Context, item: GatewayTimes) -> CheckResult:
    """A gateway in the four values of the forms."""
    if item.action is Action.NO_BUSINESS:
        return CheckResult.NO_SUCH_BUSINESS
    if item.action is Action.SUSPENDED:
        return CheckResult.NORMAL if item.front_during is None else CheckResult.ABNORMAL
    if item.action.stays_down:
        change = context.changes.get(item.gateway)
        standby = context.times.get(change.standby) if change and change.standby else None
        return CheckResult.NORMAL if standby is None or standby.came_back else CheckResult.ABNORMAL
    if item.came_back:
        return CheckResult.NORMAL
    unseen = item.broken_at is None and item.login_at is None and item.front_during is None and not held(item)
    return CheckResult.NOT_TESTED if unseen else CheckResult.ABNORMAL


def _checks(context: Context) -> Sheet:
    texts = context.texts
    kinds = {(item.phase, item.check): None for item in context.record.checks}
    names = ("phase", "check", "result", *(str(result) for result in CheckResult), "remark")
    rows = tuple(_check(context, phase, check) for phase, check in kinds)
    return Sheet(texts("feedback.checks"), _columns(context, *names), rows)


def _check(context: Context, phase: str, check: str) -> tuple[Cell, ...]:
    texts = context.texts
    made = [item for item in context.record.checks if (item.phase, item.check) == (phase, check)]
    results = [item.result for item in made]
    worst = min(results, key=_ORDER.index)
    said = texts.joint.join(_remark(context, item) for item in made if item.result is CheckResult.ABNORMAL)
    return (
        texts.named("phase", phase),
        texts.named("check", check),
        texts(f"check_result.{worst}"),
        *(results.count(result) for result in CheckResult),
        shortened(said) or None,
    )


def _remark(context: Context, item: CheckRecord) -> str:
    found = context.texts.said(item.found) or context.texts("value.not_measured")
    return f"{context.number(item.target)} {found}"


def shortened(text: str) -> str:
    """As long as the forms allow."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
