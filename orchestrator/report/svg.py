"""A small writer of inline SVG. Every text and attribute is escaped; `painting` says how a class looks."""

from dataclasses import dataclass, field
from unicodedata import east_asian_width

from markupsafe import Markup

from orchestrator.report.painting import FONT, look


def text_width(text: str, size: float) -> float:
    """Estimated width in pixels: wide characters take one em, others about 0.54."""
    return size * sum(1.0 if east_asian_width(char) in "WF" else 0.54 for char in text)


def fitted(text: str, width: float, size: float) -> str:
    """The text, cut with an ellipsis where it would be wider than `width`."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


_HATCH = 7  # our choice: pixels between the strokes of a hatched band


@dataclass
class Drawing:
    """Shapes in the order in which they are painted. `kind` names the CSS classes."""

    width: float
    title: str
    height: float = 0
    _parts: list[Markup] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, kind: str, tip: str = "") -> None:
        radius = 3 if min(width, height) > 8 else 1  # noqa: PLR2004 - our choice: small bars look blunt with more
        self._add("rect", kind, tip, x=x, y=y, width=max(width, 0), height=height, rx=radius)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self._add("line", kind, "", x1=x1, y1=y1, x2=x2, y2=y2)

    def hatched(self, x: float, y: float, width: float, height: float, tip: str) -> None:
        """A band of slanted strokes, for a span of time of which nothing is known."""
        self.rect(x, y, width, height, "gap", tip)
        for start in range(0, int(width + height), _HATCH):
            left, right = max(0.0, start - height), min(width, float(start))
            if left < right:
                self.line(x + left, y + start - left, x + right, y + start - right, "hatch")

    def curve(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        """An S-shaped connection from left to right."""
        bend = (x2 - x1) / 2
        points = f"M{x1:.1f} {y1:.1f} C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
        self._parts.append(Markup('<path class="{}"{} d="{}"/>').format(kind, _look("path", kind), points))

    def text(self, x: float, y: float, content: str, kind: str, tip: str = "") -> None:
        where = (f"{x:.1f}", f"{y:.1f}")
        text = Markup('<text class="{}"{} x="{}" y="{}">{}</text>').format(kind, _look("text", kind), *where, content)
        self._parts.append(Markup("<g><title>{}</title>{}</g>").format(tip, text) if tip else text)

    def cross(self, x: float, y: float, half: float) -> None:
        """The mark of something that is dead."""
        self.line(x - half, y - half, x + half, y + half, "cross")
        self.line(x - half, y + half, x + half, y - half, "cross")

    def _add(self, name: str, kind: str, tip: str, **numbers: float) -> None:
        attributes = Markup(" ").join(Markup('{}="{}"').format(key, f"{value:.1f}") for key, value in numbers.items())
        tag = Markup('<{} class="{}"{} {}').format(Markup(name), kind, _look(name, kind), attributes)  # noqa: S704 - names are our own
        end = Markup("><title>{}</title></{}>").format(tip, Markup(name)) if tip else Markup("/>")  # noqa: S704
        self._parts.append(tag + end)

    def markup(self) -> Markup:
        return Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" font-family="{}" role="img" aria-label="{}">'
            "<title>{}</title>{}</svg>"
        ).format(f"{self.width:.0f}", f"{self.height:.0f}", FONT, self.title, self.title, Markup("").join(self._parts))


def _look(shape: str, kind: str) -> Markup:
    return Markup("").join(Markup(' {}="{}"').format(name, value) for name, value in look(shape, kind))
