"""The network as a picture: rooms with their gateways, CE routers, lines, centres with their fronts.

Made from any topology. A line has its carrier's colour; paths of affected gateways are drawn thick; what is
dead is grey and crossed out.
"""

from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup

from orchestrator.model.topology import Centre, CentreRole, Front, Line, LineKind, Room
from orchestrator.report.context import Context
from orchestrator.report.network_state import Extent, NetworkState
from orchestrator.report.svg import Drawing, fitted, text_width

_WIDTH: Final = 900
_ROOM: Final = (2.0, 272.0)  # left, width
_ROUTER: Final = (208.0, 58.0, 46.0)  # left, width, height
_LINE: Final = (350.0, 182.0, 36.0)
_CENTRE: Final = (614.0, 284.0)
_ROW: Final = 18.0
_HEAD: Final = 30.0
_GAP: Final = 16.0
_HOSTS_SHOWN: Final = 14  # our choice: a room with more hosts is drawn by class
_COLOURS: Final = 6  # carriers c0 … c5 in the style sheet


@dataclass
class _Canvas:
    """Where things stand, found out while the boxes are placed and used by the connections."""

    context: Context
    state: NetworkState
    extent: Extent
    drawing: Drawing
    routers: dict[str, float] = field(default_factory=dict)
    lines: dict[str, float] = field(default_factory=dict)
    centres: dict[str, float] = field(default_factory=dict)

    def colour(self, line: Line) -> str:
        order = [item.id for item in self.context.topology.carriers]
        return f"c{order.index(line.carrier) % _COLOURS}"


def network_map(context: Context, state: NetworkState, extent: Extent, title: str) -> Markup:
    """One picture of one moment."""
    drawing = Drawing(_WIDTH, title)
    canvas = _Canvas(context, state, extent, drawing)
    rooms = [_room_rows(canvas, room) for room in extent.rooms]
    room_heights = [max(_HEAD + _ROW * len(rows) + 12, _ROUTER[2] + _HEAD + 16) for rows in rooms]
    fronts = [_fronts(context, centre) for centre in extent.centres]
    centre_heights = [_HEAD + _ROW * len(items) + 10 for items in fronts]
    line_height = _LINE[2] + 12
    tallest = max(_stack(room_heights), line_height * len(extent.lines), _stack(centre_heights))
    tops = _tops(room_heights, tallest)
    line_tops = [
        (tallest - line_height * len(extent.lines)) / 2 + line_height * i + 6 for i in range(len(extent.lines))
    ]
    centre_tops = _tops(centre_heights, tallest)
    _place(canvas, tops, room_heights, line_tops, list(zip(centre_tops, centre_heights, strict=True)))
    _connections(canvas)
    for room, rows, top, height in zip(extent.rooms, rooms, tops, room_heights, strict=True):
        _room(canvas, room, rows, top, height)
    for line in extent.lines:
        _line(canvas, line)
    for centre, items, top, height in zip(extent.centres, fronts, centre_tops, centre_heights, strict=True):
        _centre(canvas, centre, items, top, height)
    drawing.height = tallest + 4
    return drawing.markup()


def _stack(heights: list[float]) -> float:
    return sum(heights) + _GAP * (len(heights) - 1)


def _tops(heights: list[float], available: float) -> list[float]:
    """Boxes in a column, the free space shared between them."""
    free = (available - sum(heights)) / (len(heights) + 1)
    tops, y = [], 2.0
    for height in heights:
        y += free
        tops.append(y)
        y += height
    return tops


def _place(
    canvas: _Canvas, tops: list[float], heights: list[float], line_tops: list[float], centres: list[tuple[float, float]]
) -> None:
    for room, top, height in zip(canvas.extent.rooms, tops, heights, strict=True):
        routers = [item for item in canvas.context.topology.routers if item.room == room.id]
        for index, router in enumerate(routers):
            canvas.routers[router.id] = top + _HEAD / 2 + height * (index + 1) / (len(routers) + 1)
    for line, top in zip(canvas.extent.lines, line_tops, strict=True):
        canvas.lines[line.id] = top + _LINE[2] / 2
    for centre, (top, height) in zip(canvas.extent.centres, centres, strict=True):
        canvas.centres[centre.id] = top + height / 2


def _connections(canvas: _Canvas) -> None:
    """First everything that exists, then what is in use on top of it."""
    for link in canvas.context.topology.links:
        one, other = (canvas.routers[name] for name in link.routers)
        x = _ROUTER[0] + _ROUTER[1] / 2
        used = any(
            {path.router, canvas.context.topology.line[path.line].router} == set(link.routers)
            for path in canvas.state.paths
        )
        canvas.drawing.line(x, one, x, other, "link used" if used else "link")
    for used in (False, True):
        for line in canvas.extent.lines:
            _connect(canvas, line, used=used)


def _connect(canvas: _Canvas, line: Line, *, used: bool) -> None:
    paths = canvas.state.over(line.id)
    if used and not paths:
        return
    state = "dead" if line.id in canvas.state.dead_lines else canvas.colour(line)
    dash = "" if line.kind is LineKind.TERRESTRIAL else " dashed"
    kind = f"edge {state}{dash}{' used' if used else ''}"
    y = canvas.lines[line.id]
    canvas.drawing.curve(_ROUTER[0] + _ROUTER[1], canvas.routers[line.router], _LINE[0], y, kind)
    for centre in line.carries:
        if centre not in canvas.centres or (used and all(path.centre != centre for path in paths)):
            continue
        through = "" if centre == line.into or used else " through"
        dead = centre in canvas.state.dead_centres and not used
        shown = kind.replace(state, "dead") if dead else kind
        canvas.drawing.curve(_LINE[0] + _LINE[1], y, _CENTRE[0], canvas.centres[centre], shown + through)


@dataclass(frozen=True)
class _Row:
    """One line of text in a room: a host with its gateways, or a class with its count."""

    name: str
    gateways: tuple[str, ...]
    text: str
    dead: bool = False


def _room_rows(canvas: _Canvas, room: Room) -> list[_Row]:
    topology = canvas.context.topology
    hosts = [item for item in topology.hosts if item.room == room.id]
    if len(hosts) > _HOSTS_SHOWN:
        return _class_rows(canvas, room)
    rows = []
    for host in hosts:
        members = tuple(item for item in topology.gateways if item.host == host.id)
        numbers = " ".join(item.number for item in members)
        rows.append(_Row(host.id, tuple(item.id for item in members), numbers, host.id in canvas.state.dead_hosts))
    return rows


def _class_rows(canvas: _Canvas, room: Room) -> list[_Row]:
    topology, texts = canvas.context.topology, canvas.context.texts
    grouped: dict[str, list[str]] = {}
    for item in topology.gateways:
        if topology.host[item.host].room == room.id:
            grouped.setdefault(texts(f"class.{item.gateway_class}"), []).append(item.id)
    return [_Row(f"{len(ids)} ×", tuple(ids), name) for name, ids in grouped.items()]


def _room(canvas: _Canvas, room: Room, rows: list[_Row], top: float, height: float) -> None:
    drawing, texts = canvas.drawing, canvas.context.texts
    drawing.rect(_ROOM[0], top, _ROOM[1], height, "box")
    drawing.text(_ROOM[0] + 12, top + 20, texts.of(room.title), "title")
    for index, row in enumerate(rows):
        y = top + _HEAD + _ROW * index + 13
        affected = [name for name in row.gateways if name in canvas.state.affected]
        down = [name for name in row.gateways if name in canvas.state.down]
        kind = "dead strike" if row.dead else "bad strong" if down else "strong" if affected else "quiet"
        drawing.rect(_ROOM[0] + 12, y - 9, 4, 10, "dot " + ("bad" if down else "on" if affected else "off"))
        drawing.text(_ROOM[0] + 22, y, fitted(row.name, 52, 11), "host " + kind)
        drawing.text(_ROOM[0] + 72, y, fitted(row.text, 132, 12), "gw " + kind)
    for router in canvas.context.topology.routers:
        if router.room == room.id:
            y = canvas.routers[router.id]
            drawing.rect(_ROUTER[0], y - _ROUTER[2] / 2, _ROUTER[1], _ROUTER[2], "router", texts.of(router.title))
            drawing.text(_ROUTER[0] + _ROUTER[1] / 2, y - 3, texts("map.router"), "router-kind middle")
            drawing.text(_ROUTER[0] + _ROUTER[1] / 2, y + 13, fitted(router.id, _ROUTER[1] - 6, 12), "router-id middle")


def _line(canvas: _Canvas, line: Line) -> None:
    """A line's pill: title, carrier, bandwidth; how many affected gateways use it."""
    drawing, context = canvas.drawing, canvas.context
    dead = line.id in canvas.state.dead_lines
    left, width, height = _LINE
    top = canvas.lines[line.id] - height / 2
    count = len(canvas.state.over(line.id))
    state = "dead" if dead else canvas.colour(line)
    drawing.rect(left, top, width, height, f"pill {state}{' used' if count else ''}", line.id)
    drawing.rect(left, top, 5, height, f"strip {state}")
    room = width - (52 if count or dead else 24)
    drawing.text(
        left + 14, top + 15, fitted(context.line(line.id), room, 12), "pill-title dead strike" if dead else "pill-title"
    )
    terrestrial = line.kind is LineKind.TERRESTRIAL
    owner = context.carrier(line.carrier) if terrestrial else context.texts(f"line_kind.{line.kind}")
    detail = f"{owner} · {line.bandwidth_mbps:g} Mbps"
    drawing.text(left + 14, top + 29, fitted(detail, room, 10), "pill-detail")
    if dead:
        drawing.cross(left + width - 18, top + height / 2, 7)
    elif count:
        _badge(drawing, left + width - 30, top + height / 2, count)


def _badge(drawing: Drawing, x: float, y: float, count: int) -> None:
    """How many affected gateways."""
    drawing.rect(x, y - 8, 24, 15, "badge")
    drawing.text(x + 12, y + 3.5, str(count), "badge-text middle")


def _fronts(context: Context, centre: Centre) -> list[Front]:
    return [front for front in context.topology.fronts if front.centre == centre.id]


def _centre(canvas: _Canvas, centre: Centre, fronts: list[Front], top: float, height: float) -> None:
    drawing, texts = canvas.drawing, canvas.context.texts
    dead = centre.id in canvas.state.dead_centres
    left, width = _CENTRE
    drawing.rect(left, top, width, height, "box dead" if dead else "box")
    marked = dead or centre.role is CentreRole.DISASTER_RECOVERY
    title = fitted(texts.of(centre.title), width - (110 if marked else 28), 13)
    drawing.text(left + 14, top + 20, title, "title dead strike" if dead else "title")
    if dead:
        drawing.cross(left + text_width(title, 13) + 30, top + 16, 7)
        drawing.text(left + width - 12, top + 20, texts("map.unavailable"), "role bad end")
    elif centre.role is CentreRole.DISASTER_RECOVERY:
        drawing.text(left + width - 12, top + 20, texts("map.disaster_recovery"), "role end")
    for index, front in enumerate(fronts):
        y = top + _HEAD + _ROW * index + 13
        count = sum(path.front == front.id for path in canvas.state.paths)
        kind = "dead" if dead else "strong" if count else "quiet"
        drawing.text(left + 14, y, fitted(_service(canvas, front), 100, 11), "front " + kind)
        drawing.text(left + 116, y, front.endpoint, "gw " + kind)
        if count and not dead:
            _badge(drawing, left + width - 34, y - 4, count)


def _service(canvas: _Canvas, front: Front) -> str:
    texts = canvas.context.texts
    name = texts(f"service.{front.service}")
    if front.satellite:
        return texts("service.satellite")
    return texts("service.gm_of", service=name) if front.protocol == "gm" else name
