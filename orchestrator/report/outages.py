"""Minutes of outage in trading hours, per gateway class and number, against the limit for reporting."""

from dataclasses import dataclass

from orchestrator.model.outage import Outage
from orchestrator.report.context import Context
from orchestrator.report.tones import Tone
from orchestrator.rules.outage import Level, level

_MINUTE = 60
_TONE: dict[Level, Tone] = {Level.NONE: "muted", Level.WARNED: "warn", Level.REPORTABLE: "bad"}


@dataclass(frozen=True)
class OutageRow:
    subject: str
    whole: bool  # the class, not one number of it
    out: str
    counted: str
    state: str
    tone: Tone
    note: str


@dataclass(frozen=True)
class OutageTable:
    """`rows` empty: no gateway was out."""

    limit: str
    rows: tuple[OutageRow, ...]


def outage_table(context: Context) -> OutageTable | None:
    """None: nothing was counted, as in every rehearsal."""
    found = context.record.outages
    if found is None:
        return None
    limit = f"{context.topology.site.reportable_outage_s / _MINUTE:g}"
    return OutageTable(context.texts("outage.note", limit=limit), tuple(_row(context, item) for item in found))


def _row(context: Context, item: Outage) -> OutageRow:
    texts, found = context.texts, level(item, context.topology.site)
    notes = {"at_least": item.at_least, "unknown_day": item.unknown_day, "still_out": item.still_out}
    return OutageRow(
        subject=item.number or texts(f"class.{item.gateway_class}"),
        whole=item.number is None,
        out=_minutes(context, item.out_s),
        counted=_minutes(context, item.counted_s),
        state=texts("outage.none_near" if found is Level.NONE else f"outage.{found}"),
        tone=_TONE[found],
        note=texts.joint.join(texts(f"outage.{name}") for name, holds in notes.items() if holds),
    )


def _minutes(context: Context, seconds: float) -> str:
    return context.texts("outage.minutes", minutes=f"{seconds / _MINUTE:.1f}")
