"""One objective over its runs, as inline SVG: drills and rehearsals are told apart by shape, met and missed by colour
and by word. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup

from orchestrator.evidence.annual_model import Point, Trend

FONT: Final = "Noto Sans CJK SC, Source Han Sans SC, Microsoft YaHei, PingFang SC, sans-serif"
MOST: Final = 10  # our choice: the newest so many; more would not be readable on half a page
_WIDTH, _HEIGHT = 430.0, 176.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 414.0, 28.0, 134.0
_INK, _SOFT, _RULE, _GOOD, _BAD, _NAVY = "#1d2733", "#55606e", "#dbe0e6", "#1f7a55", "#a8322a", "#1f3b5c"
_NICE = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True)
class Words:
    """What the picture says besides figures."""

    title: str
    limit: str
    not_measured: str
    forms: dict[str, str]


@dataclass
class _Picture:
    parts: list[Markup] = field(default_factory=list)

    def shape(self, name: str, tip: str = "", **attributes: object) -> None:
        pairs = Markup(" ").join(
            Markup('{}="{}"').format(key.replace("_", "-"), _plain(value)) for key, value in attributes.items()
        )
        inner = Markup("<title>{}</title>").format(tip) if tip else Markup("")
        self.parts.append(Markup("<{0} {1}>{2}</{0}>").format(Markup(name), pairs, inner))  # noqa: S704 - our own names

    def text(
        self, x: float, y: float, text: str, anchor: str = "middle", fill: str = _SOFT, size: float = 10.5
    ) -> None:
        self.parts.append(
            Markup('<text x="{}" y="{}" text-anchor="{}" fill="{}" font-size="{}">{}</text>').format(
                _plain(x), _plain(y), anchor, fill, size, text
            )
        )


def chart(trend: Trend, words: Words) -> Markup:
    """The newest runs, evenly spaced, with their days underneath."""
    points = trend.points[-MOST:]
    picture, top = _Picture(), _ceiling(points)
    _frame(picture, top, trend.unit)
    _limits(picture, points, top, words)
    places = [(_x(index, len(points)), point) for index, point in enumerate(points)]
    for form in ("rehearsal", "drill"):
        _joined(picture, [(x, point) for x, point in places if point.form == form], top, form)
    for x, point in places:
        _mark(picture, x, point, top, words)
        picture.text(x, _BOTTOM + 16, f"{point.on:%y-%m-%d}", size=9.5)
        picture.text(x, _BOTTOM + 29, words.forms[point.form], size=9.5)
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" font-family="{}" role="img" aria-label="{}">'
        "{}</svg>"
    ).format(f"{_WIDTH:.0f}", f"{_HEIGHT:.0f}", FONT, words.title, Markup("").join(picture.parts))


def _plain(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _ceiling(points: Sequence[Point]) -> float:
    """The upper end of the axis: above everything, with room for a label."""
    highest = max([point.limit for point in points] + [point.measured or 0.0 for point in points]) * 1.12
    scale = 1.0
    while scale * 10 < highest:
        scale *= 10
    while scale > highest:
        scale /= 10
    return next((nice * scale for nice in _NICE if nice * scale >= highest), 10 * scale)


def _x(index: int, count: int) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (index + 0.5) / count


def _y(value: float, top: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * min(value / top, 1.0)


def _frame(picture: _Picture, top: float, unit: str) -> None:
    for share in (0.0, 0.5, 1.0):
        y = _y(top * share, top)
        picture.shape("line", x1=_LEFT, y1=y, x2=_RIGHT, y2=y, stroke=_RULE, stroke_width="1")
        picture.text(_LEFT - 6, y + 3.5, f"{top * share:g}", "end", size=9.5)
    picture.text(_LEFT - 6, _TOP - 12, unit, "end", size=9.5)


def _limits(picture: _Picture, points: Sequence[Point], top: float, words: Words) -> None:
    """The limit in force at each run: it may have changed over the years."""
    half = (_RIGHT - _LEFT) / len(points) / 2
    for index, point in enumerate(points):
        x, y = _x(index, len(points)), _y(point.limit, top)
        picture.shape(
            "line", x1=x - half, y1=y, x2=x + half, y2=y, stroke=_BAD, stroke_width="1.3", stroke_dasharray="5 3"
        )
    picture.text(_RIGHT, _y(points[-1].limit, top) - 5, words.limit.format(f"{points[-1].limit:g}"), "end", _BAD, 9.5)


def _joined(picture: _Picture, places: Sequence[tuple[float, Point]], top: float, form: str) -> None:
    measured = [(x, point.measured) for x, point in places if point.measured is not None]
    path = " ".join(f"{x:.1f},{_y(value, top):.1f}" for x, value in measured)
    if len(measured) > 1:
        dash = {} if form == "drill" else {"stroke_dasharray": "2 3"}
        picture.shape("polyline", points=path, fill="none", stroke=_NAVY, stroke_width="1.4", **dash)


def _mark(picture: _Picture, x: float, point: Point, top: float, words: Words) -> None:
    """A disc for a drill, a ring for a rehearsal, a square for an incident; a cross where nobody measured."""
    colour = {"met": _GOOD, "missed": _BAD, "not_measured": _SOFT}[point.state]
    if point.measured is None:
        for way in (-1.0, 1.0):
            picture.shape(
                "line",
                x1=x - 4,
                y1=_BOTTOM - 6 - 4 * way,
                x2=x + 4,
                y2=_BOTTOM - 6 + 4 * way,
                stroke=colour,
                stroke_width="1.6",
            )
        picture.text(x, _BOTTOM - 14, words.not_measured, fill=colour, size=9.5)
        return
    y = _y(point.measured, top)
    if point.form == "incident":
        picture.shape("rect", point.run, x=x - 4, y=y - 4, width=8.0, height=8.0, fill=colour)
    else:
        fill = "#ffffff" if point.form == "rehearsal" else colour
        picture.shape("circle", point.run, cx=x, cy=y, r=4.2, fill=fill, stroke=colour, stroke_width="1.8")
    picture.text(x, y - 8, _figure(point.measured), fill=_INK if point.state == "met" else colour, size=10)


def _figure(value: float) -> str:
    """Days of a drill are very small numbers."""
    return f"{value:.4f}" if value < 0.1 else f"{value:.1f}"  # noqa: PLR2004 - our choice
