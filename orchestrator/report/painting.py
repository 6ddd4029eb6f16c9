"""How the shapes of a picture look, as SVG attributes: a browser and a PDF writer read them alike, whereas not every
PDF writer applies a page's style sheet to a picture inside it.

A rule is a shape's name, classes, or both (`text.bad`, `.edge.used`); a later rule wins. `carrier` stands for the
colour of the carrier whose class (c0 … c5) the shape has.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

FONT: Final = "Noto Sans CJK SC, Source Han Sans SC, Microsoft YaHei, PingFang SC, sans-serif"
_MONO: Final = "Noto Sans Mono CJK SC, Consolas, DejaVu Sans Mono, monospace"
_INK, _SOFT, _NAVY, _GOOD, _BAD = "#1d2733", "#55606e", "#1f3b5c", "#1f7a55", "#a8322a"
_CARRIERS: Final = {
    "c0": "#2563a8",
    "c1": "#b4652a",
    "c2": "#7a4aa0",
    "c3": "#0f8288",
    "c4": "#8c6d1f",
    "c5": "#a23b72",
}

_RULES: Final[tuple[tuple[str, Mapping[str, str]], ...]] = (
    ("text", {"font-size": "12", "fill": _INK}),
    (".end", {"text-anchor": "end"}),
    (".middle", {"text-anchor": "middle"}),
    (".grid", {"stroke": "#e4e8ec", "stroke-width": "1"}),
    (".tick", {"fill": _SOFT, "font-size": "11"}),
    (".small", {"fill": _SOFT, "font-size": "11"}),
    (".group", {"fill": _NAVY, "font-weight": "bold"}),
    (".amount", {"fill": _SOFT, "font-size": "11.5"}),
    ("text.bad", {"fill": _BAD, "font-weight": "bold"}),
    (".number", {"font-family": _MONO, "font-size": "11.5"}),
    (".phase", {"fill": "#6f8fb3"}),
    (".fault-span", {"fill": "#f7dedb", "opacity": "0.65"}),
    (".gap", {"fill": "#ffffff", "opacity": "0.55"}),
    (".hatch", {"stroke": "#9aa3ae", "stroke-width": "0.8"}),
    (".marker", {"stroke-width": "1.4", "stroke-dasharray": "4 3"}),
    (".marker.fault", {"stroke": _BAD}),
    (".marker.lift", {"stroke": _GOOD}),
    (".marker-label", {"font-size": "11.5", "font-weight": "bold"}),
    (".marker-label.fault", {"fill": _BAD}),
    (".marker-label.lift", {"fill": _GOOD}),
    (".down", {"fill": "#cf6a5f"}),
    (".absent", {"fill": "#c5cbd2"}),
    (".connecting", {"fill": "#e2b04a"}),
    (".up", {"stroke": "#7fb79d", "stroke-width": "3"}),
    (".box", {"fill": "#fbfcfd", "stroke": "#b9c3ce"}),
    (".box.dead", {"fill": "#eceef0", "stroke": "#b5bac1", "stroke-dasharray": "5 4"}),
    (".title", {"font-size": "13", "font-weight": "bold"}),
    (".role", {"font-size": "11", "fill": _SOFT}),
    (".role.bad", {"fill": _BAD, "font-weight": "bold"}),
    ("text.dead", {"fill": "#959ca5"}),
    (".strike", {"text-decoration": "line-through"}),
    (".host", {"font-size": "11"}),
    (".front", {"font-size": "11"}),
    (".gw", {"font-family": _MONO, "font-size": "10.5"}),
    (".quiet", {"fill": "#6f7a87"}),
    (".strong", {"font-weight": "bold"}),
    (".dot.off", {"fill": "#ccd3da"}),
    (".dot.on", {"fill": _NAVY}),
    (".dot.bad", {"fill": _BAD}),
    (".router", {"fill": "#e6edf5", "stroke": "#6f8fb3"}),
    (".router-kind", {"font-size": "9.5", "fill": _SOFT}),
    (".router-id", {"font-size": "12", "font-weight": "bold"}),
    (".link", {"stroke": "#b9c3ce", "stroke-width": "2"}),
    (".link.used", {"stroke": _INK, "stroke-width": "4"}),
    (".edge", {"fill": "none", "stroke": "carrier", "stroke-width": "1.4", "opacity": "0.5"}),
    (".edge.through", {"stroke-width": "0.9", "opacity": "0.28"}),
    (".edge.used", {"stroke-width": "4", "opacity": "0.95"}),
    (".edge.dashed", {"stroke-dasharray": "7 5"}),
    (".edge.dead", {"stroke": "#b5bac1", "stroke-dasharray": "2 4", "opacity": "0.8"}),
    (".pill", {"fill": "#ffffff", "stroke": "carrier", "stroke-width": "1"}),
    (".pill.used", {"stroke-width": "2"}),
    (".pill.dead", {"fill": "#eceef0", "stroke": "#b5bac1", "stroke-dasharray": "4 3"}),
    (".strip", {"fill": "carrier"}),
    (".strip.dead", {"fill": "#b5bac1"}),
    (".pill-title", {"font-size": "12", "font-weight": "bold"}),
    (".pill-detail", {"font-size": "10", "fill": _SOFT}),
    (".badge", {"fill": _NAVY}),
    (".badge-text", {"fill": "#ffffff", "font-size": "10.5", "font-weight": "bold"}),
    (".cross", {"stroke": _BAD, "stroke-width": "2.6", "stroke-linecap": "round"}),
)


@cache
def look(shape: str, kind: str) -> tuple[tuple[str, str], ...]:
    """The attributes of a shape with these classes."""
    classes = set(kind.split())
    found: dict[str, str] = {}
    for selector, attributes in _RULES:
        tag, *wanted = selector.split(".")
        if tag in ("", shape) and classes.issuperset(wanted):
            found.update(attributes)
    colour = next((_CARRIERS[name] for name in sorted(classes & _CARRIERS.keys())), "#6b7480")
    return tuple((name, colour if value == "carrier" else value) for name, value in found.items())
