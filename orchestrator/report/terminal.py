"""The short summary at the end of a run, for a terminal. The report says the rest."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.model.record import RunRecord
from orchestrator.report.context import Context
from orchestrator.report.gateways import gateway_rows
from orchestrator.report.headline import headline
from orchestrator.report.interruptions import in_one_line
from orchestrator.report.texts import Language
from orchestrator.report.tones import Tone

_STYLE: dict[Tone, str] = {"good": "green", "bad": "bold red", "warn": "yellow", "unknown": "magenta", "muted": "dim"}


def summary(record: RunRecord, language: Language = "en") -> RenderableType:
    """The four fields of the verdict, its reasons, and a row per affected gateway."""
    context = Context(record, language)
    head, texts = headline(context), context.texts
    parts: list[RenderableType] = [_title(context, head.document)]
    fields = Table.grid(padding=(0, 2))
    for tile in head.tiles:
        fields.add_row(
            texts(f"field.{tile.field}"), Text(tile.value, style=_STYLE[tile.tone]), Text(tile.meaning, style="dim")
        )
    parts.append(fields)
    parts.extend(Text(f"- {reason}") for reason in head.reasons)
    interrupted = in_one_line(context).strip()
    if interrupted:
        parts.append(Text(interrupted, style="yellow"))
    rows = gateway_rows(context)
    if any(row.affected for row in rows):
        parts.append(_gateways(context))
    untouched = sum(not row.affected for row in rows)
    if untouched:
        parts.append(Text(texts("terminal.others", n=untouched), style="dim"))
    return Group(*parts)


def _title(context: Context, document: str) -> Text:
    texts, record = context.texts, context.record
    title = Text(texts("terminal.title", document=document, drill=texts.of(record.plan.title)), style="bold")
    title.append(f"\n{record.run}", style="dim")
    if record.simulated:
        title.append(f"  {texts('stamp.running')}", style="bold red")
    return title


def _gateways(context: Context) -> Table:
    """Cells are Text, so that nothing from the site is read as markup."""
    columns = ("number", "class", "broken", "login", "switch", "result")
    table = Table(*(context.texts(f"column.{name}") for name in columns), box=None, header_style="dim", padding=(0, 1))
    for row in gateway_rows(context):
        if row.affected:
            cells = (row.number, row.gateway_class, row.broken, row.login, row.switch)
            table.add_row(*(Text(cell) for cell in cells), Text(row.result, style=_STYLE[row.tone]))
    return table
