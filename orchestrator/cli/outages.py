"""Minutes of outage in trading hours for people at a terminal, in the live view and in `status`."""

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from orchestrator.errors import DrillctlError
from orchestrator.loader.calendar import load_calendar
from orchestrator.model.outage import Outage
from orchestrator.model.topology import Site
from orchestrator.rules.outage import Level, TradingHours, level

_MINUTE = 60
_STYLE = {Level.NONE: "", Level.WARNED: "bold black on yellow", Level.REPORTABLE: "bold white on red"}
_WORD = {Level.NONE: "", Level.WARNED: " 接近上报时限 NEAR THE LIMIT ", Level.REPORTABLE: " 须报告 REPORTABLE "}


def hours_of(home: Path, zone: str) -> TradingHours | None:
    """The site's session hours. None: its calendar cannot be read; outage is not counted then."""
    try:
        return TradingHours(load_calendar(home), zone)
    except DrillctlError:
        return None


def outage_lines(found: Sequence[Outage], site: Site) -> list[Text]:
    """One line per class, the number that was out longest named; what nears the limit stands out."""
    return [_line(item, found, site) for item in found if item.number is None]


def worst_outage_lines(found: Sequence[Outage], site: Site, most: int) -> list[Text]:
    """For a small screen: the classes that were out longest, what nears the limit said first. At most `most` lines,
    two or more.
    """
    classes = sorted((item for item in found if item.number is None), key=lambda item: -item.counted_s)
    shown = classes if len(classes) <= most else classes[: most - 1]
    lines = [_short_line(item, site) for item in shown]
    if len(shown) < len(classes):
        lines.append(Text(f"… and {len(classes) - len(shown)} more classes out in trading hours, none longer"))
    return lines


def _short_line(item: Outage, site: Site) -> Text:
    near = level(item, site)
    return Text.assemble(
        (_WORD[near], _STYLE[near]),
        " " if _WORD[near] else "",
        f"{item.gateway_class.value} out ",
        "at least " if item.at_least else "",
        (f"{item.counted_s / _MINUTE:.1f} of {site.reportable_outage_s / _MINUTE:g} min", "bold"),
        " in trading hours",
        ", still out" if item.still_out else "",
    )


def _line(item: Outage, found: Sequence[Outage], site: Site) -> Text:
    numbers = [other for other in found if other.number and other.gateway_class == item.gateway_class]
    worst = max(numbers, key=lambda other: other.counted_s, default=item)
    near = level(item, site)
    return Text.assemble(
        f"outage in trading hours {item.gateway_class.value}: ",
        "at least " if item.at_least else "",
        (f"{item.counted_s / _MINUTE:.1f} of {site.reportable_outage_s / _MINUTE:g} min", "bold"),
        f" ({worst.number or '-'} {worst.counted_s / _MINUTE:.1f} min{', still out' if item.still_out else ''})",
        " a day of which nobody knows counts as a trading day" if item.unknown_day else "",
        " " if _WORD[near] else "",
        (_WORD[near], _STYLE[near]),
    )
