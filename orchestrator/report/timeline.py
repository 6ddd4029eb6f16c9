"""Two pictures of time: the phases of the whole run, and what each affected gateway went through.

The second has an axis of its own, because an outage of two seconds is a hair on an axis of two minutes.
"""

from typing import Final

from markupsafe import Markup

from orchestrator.model.plan import Action, Phase
from orchestrator.model.record import PhaseTime
from orchestrator.model.topology import GatewayClass
from orchestrator.model.verdict import GatewayTimes
from orchestrator.report.axis import Axis
from orchestrator.report.context import Context
from orchestrator.report.gateways import held, stands_down
from orchestrator.report.svg import Drawing, fitted

ROWS_SHOWN: Final = 80  # our choice: two printed pages; the table beside it holds every gateway
_WIDTH: Final = 900
_LEFT: Final = 170
_PHASES_LEFT: Final = 130
_RIGHT: Final = 810
_DENSE: Final = 20  # our choice: more rows than this are drawn smaller


def phases(context: Context) -> Markup | None:
    """Phases as bars over the whole run, with the moments of fault and lift. None: no phase was entered."""
    record, texts, moments = context.record, context.texts, context.moments
    if not record.phases:
        return None
    axis = Axis(record.started_at, max(record.finished_at, record.started_at + 0.1), _PHASES_LEFT, _RIGHT)
    drawing = Drawing(_WIDTH, texts("timeline.phases"))
    rows: dict[Phase, list[PhaseTime]] = {}  # a phase that was entered again after an interruption has one row
    for phase in record.phases:
        rows.setdefault(phase.phase, []).append(phase)
    top, height = 40.0, 22.0
    bottom = top + height * len(rows)
    if record.fault_at is not None:
        until = record.lifted_at if record.lifted_at is not None else record.finished_at
        drawing.rect(axis.x(record.fault_at), top, axis.x(until) - axis.x(record.fault_at), bottom - top, "fault-span")
    axis.draw(drawing, moments, top, bottom)
    for index, (name, times) in enumerate(rows.items()):
        y = top + index * height
        drawing.text(_PHASES_LEFT - 12, y + 15, texts(f"phase.{name}"), "label end")
        for phase in times:
            begin, end = axis.x(phase.started_at), axis.x(phase.finished_at or record.finished_at)
            drawing.rect(begin, y + 4, max(end - begin, 2), height - 8, "phase")
        drawing.text(_WIDTH - 8, y + 15, moments.seconds(_lasted(times)), "amount end")
    _gaps(context, drawing, axis, top, bottom)
    _markers(context, drawing, axis, bottom)
    drawing.height = bottom + 24
    return drawing.markup()


def _lasted(times: list[PhaseTime]) -> float | None:
    """All of a phase's time together. None: it has not ended."""
    ended = [item.finished_at - item.started_at for item in times if item.finished_at is not None]
    return sum(ended) if len(ended) == len(times) else None


def _gaps(context: Context, drawing: Drawing, axis: Axis, top: float, bottom: float) -> None:
    """Times in which nobody was at work on the run."""
    moments = context.moments
    for item in context.record.interruptions:
        if item.resumed_at < axis.first or item.silent_since > axis.last:
            continue
        begin, end = axis.x(item.silent_since), axis.x(item.resumed_at)
        tip = f"{moments.stamp(item.silent_since)} → {moments.stamp(item.resumed_at)}"
        drawing.hatched(begin, top, max(end - begin, 2), bottom - top, tip)


def _markers(context: Context, drawing: Drawing, axis: Axis, bottom: float) -> None:
    """Fault and lift as vertical lines, their labels on two heights so that they never meet."""
    record = context.record
    for at, key, y in ((record.fault_at, "timeline.fault", 12.0), (record.lifted_at, "timeline.lift", 28.0)):
        if at is None or not axis.first <= at <= axis.last:
            continue
        x = axis.x(at)
        kind = key.rpartition(".")[2]
        drawing.line(x, y + 3, x, bottom, f"marker {kind}")
        late = x > (axis.left + axis.right) / 2
        label = f"{context.texts(key)} {context.moments.stamp(at)}"
        drawing.text(x - 5 if late else x + 5, y + 4, label, f"marker-label {kind} {'end' if late else ''}".strip())


def affected(context: Context) -> list[GatewayTimes]:
    """Gateways that the fault touches, grouped by class."""
    order = list(GatewayClass)
    touched = [item for item in context.record.verdict.gateways if item.action is not Action.NONE]
    return sorted(touched, key=lambda item: (order.index(item.gateway_class), item.number))


def gateways(context: Context) -> Markup | None:
    """Broken → connection restored → login restored per gateway. None: no connection broke."""
    rows = affected(context)[:ROWS_SHOWN]
    axis = _window(context, rows)
    if axis is None:
        return None
    drawing = Drawing(_WIDTH, context.texts("timeline.gateways"))
    height = 15.0 if len(rows) > _DENSE else 24.0
    classes = list(dict.fromkeys(item.gateway_class for item in rows))
    top = 40.0
    bottom = top + height * len(rows) + 22 * len(classes)
    axis.draw(drawing, context.moments, top, bottom)
    _gaps(context, drawing, axis, top, bottom)
    y = top
    for gateway_class in classes:
        members = [item for item in rows if item.gateway_class is gateway_class]
        drawing.text(8, y + 15, context.texts(f"class.{gateway_class}"), "group")
        drawing.line(8, y + 20, _WIDTH - 8, y + 20, "grid")
        y += 22
        for item in members:
            _bar(context, drawing, axis, item, y, height)
            y += height
    _markers(context, drawing, axis, bottom)
    drawing.height = bottom + 24
    return drawing.markup()


def _window(context: Context, rows: list[GatewayTimes]) -> Axis | None:
    """From the fault to the last login restored, with a margin."""
    stamps = [at for item in rows for at in (item.broken_at, item.connected_at, item.login_at) if at is not None]
    if not any(item.broken_at is not None for item in rows):
        return None
    if context.record.fault_at is not None:
        stamps.append(context.record.fault_at)
    margin = max(0.2, (max(stamps) - min(stamps)) * 0.06)
    return Axis(min(stamps) - margin, max(stamps) + margin, _LEFT, _RIGHT)


def _bar(context: Context, drawing: Drawing, axis: Axis, item: GatewayTimes, y: float, height: float) -> None:
    """One row. What was not measured is not drawn; what did not come back runs to the edge."""
    moments = context.moments
    middle, thick = y + height / 2, height - 8
    known = context.gateway_title(item.gateway)
    drawing.text(20, middle + 4, item.number, "number")
    drawing.text(_LEFT - 12, middle + 4, fitted(item.host, 70, 11), "label small end", known)
    missed = not item.came_back and not item.action.stays_down
    drawing.text(_WIDTH - 8, middle + 4, _came_to(context, item), "amount end bad" if missed else "amount end")
    if item.declared_by:
        return
    if item.broken_at is None:
        drawing.line(axis.left, middle, axis.right, middle, "up")
        return
    start = axis.x(item.broken_at)
    end = axis.right if item.login_at is None else axis.x(item.login_at)
    connected = end if item.connected_at is None else axis.x(item.connected_at)
    drawing.line(axis.left, middle, start, middle, "up")
    gone = "absent" if item.action.stays_down else "down"
    drawing.rect(
        start, middle - thick / 2, connected - start, thick, gone, f"{item.number} {moments.stamp(item.broken_at)}"
    )
    drawing.rect(connected, middle - thick / 2, end - connected, thick, "connecting")
    if item.login_at is not None:
        drawing.line(end, middle, axis.right, middle, "up")


def _came_to(context: Context, item: GatewayTimes) -> str:
    """What stands at the end of a gateway's row."""
    texts = context.texts
    if item.action.stays_down:
        return stands_down(context, item)
    if item.declared_by:
        return texts("value.by_hand" if item.came_back else "value.no_word")
    if not item.came_back:
        return texts("value.not_restored")
    return texts("value.unbroken") if held(item) and item.broken_at is None else context.moments.seconds(item.switch_s)
