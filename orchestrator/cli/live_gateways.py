"""The gateways of the live view, in the space there is: each with a line of its own, or groups and the worst by name.

Groups are of one class and one way (the centre that it comes from and the one that it goes to), worst first. Whatever
finds no place is counted: nothing leaves the screen unsaid.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from orchestrator.model.plan import GatewayChange, Placement
from orchestrator.model.topology import Topology
from orchestrator.planner.waves import PRIORITY

_BAR = 8  # cells
_LEAST_NAMED = 3  # our choice: lines kept for gateways by name, however many groups there are
_AROUND = 4  # the lines of two headings and of two counts


class Standing(IntEnum):
    """How well a gateway stands now, worst first. GOOD: as the plan wants it at this moment, which may be down."""

    DOWN = 0
    CONNECTING = 1
    UNSEEN = 2
    ELSEWHERE = 3
    GOOD = 4


_WORDS = {  # in a sentence, over a column, and in what colour
    Standing.DOWN: ("down", "DOWN", "red"),
    Standing.CONNECTING: ("connecting", "CONN", "yellow"),
    Standing.UNSEEN: ("no sample", "UNSEEN", "dim"),
    Standing.ELSEWHERE: ("at another front", "OTHER", "yellow"),
    Standing.GOOD: ("as planned", "AS PLANNED", "green"),
}
_WHOLE = {"GATEWAY": 15, "NUMBER": 7, "STATE": 13}  # the longest state; our choice of the others
_COUNTED = (Standing.DOWN, Standing.CONNECTING, Standing.UNSEEN, Standing.ELSEWHERE)


@dataclass(frozen=True)
class Seen:
    """One gateway now. `state` is what is said of it; `out_s`: since when it is not as planned, in seconds."""

    change: GatewayChange
    standing: Standing
    state: Text
    front: str | None
    out_s: float | None


def gateways(rows: Sequence[Seen], topology: Topology, lines: int) -> RenderableType:
    """In at most so many lines. What fits is as the plan lists it; of what does not the worst comes first."""
    if len(rows) < lines:
        return _by_name(rows)
    groups = sorted(_groups(rows, topology), key=lambda group: group.rank)
    left = max(lines - _AROUND, _LEAST_NAMED + 1)
    bad = sorted((row for row in rows if row.standing is not Standing.GOOD), key=_rank)
    shown = groups[: max(1, left - min(len(bad), max(_LEAST_NAMED, left // 2)))]
    named = bad[: left - len(shown)]
    return Group(
        _by_group(shown),
        *_rest(groups[len(shown) :], "group", lambda group: group.counts),
        *([_by_name(named)] if named else []),
        *_rest(bad[len(named) :], "gateway", lambda row: Counter([row.standing])),
    )


def _by_name(rows: Iterable[Seen]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("GATEWAY", "NUMBER", "CLASS", "STATE", "FRONT", "PLANNED"):  # a narrow terminal cuts the others
        table.add_column(column, no_wrap=True, min_width=_WHOLE.get(column))
    for row in rows:
        change = row.change
        planned = "-" if change.after is None else change.after.front
        table.add_row(change.gateway, change.number, change.gateway_class.value, row.state, row.front or "-", planned)
    return table


def _table(*columns: str) -> Table:
    """A narrow terminal cuts these columns."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, no_wrap=True)
    return table


@dataclass(frozen=True)
class _Group:
    """Gateways of one class on one way."""

    gateway_class: str
    way: str
    counts: Counter[Standing]
    longest_s: float | None
    rank: tuple[object, ...]


def _groups(rows: Iterable[Seen], topology: Topology) -> list[_Group]:
    members: dict[tuple[int, str], list[Seen]] = {}
    for row in rows:
        key = PRIORITY.index(row.change.gateway_class), _way(row.change, topology)
        members.setdefault(key, []).append(row)
    return [_group(key, found) for key, found in members.items()]


def _group(key: tuple[int, str], rows: Sequence[Seen]) -> _Group:
    priority, way = key
    counts = Counter(row.standing for row in rows)
    longest_s = max((row.out_s for row in rows if row.out_s is not None), default=None)
    rank = (*(-counts[standing] for standing in _COUNTED), priority, way)
    return _Group(PRIORITY[priority].value, way, counts, longest_s, rank)


def _way(change: GatewayChange, topology: Topology) -> str:
    before, after = (_centre(place, topology) for place in (change.before, change.after))
    return before if before == after else f"{before}→{after}"


def _centre(place: Placement | None, topology: Topology) -> str:
    return "-" if place is None else topology.front[place.front].centre


def _by_group(groups: Sequence[_Group]) -> Table:
    digits = max(len(str(group.counts.total())) for group in groups)
    table = _table("CLASS", "CENTRE")
    table.add_column("AS PLANNED", no_wrap=True, min_width=2 * digits + 2 + _BAR)
    for heading in (*(_WORDS[standing][1] for standing in _COUNTED), "OUT"):
        table.add_column(heading, no_wrap=True, min_width=max(5, len(heading)), justify="right")
    for group in groups:
        counts = (_count(group.counts[standing], _WORDS[standing][2]) for standing in _COUNTED)
        longest = "" if group.longest_s is None else f"{group.longest_s:.0f} s"
        good = _bar(group.counts[Standing.GOOD], group.counts.total(), digits)
        table.add_row(group.gateway_class, group.way, good, *counts, longest)
    return table


def _count(number: int, style: str) -> Text:
    return Text(str(number) if number else "·", style=style if number else "dim")


def _bar(good: int, total: int, digits: int) -> Text:
    """Full only where all are good, empty only where none is."""
    full = _BAR if good == total else min(_BAR - 1, max(1, good * _BAR // total)) if good else 0
    style = "green" if good == total else "yellow"
    return Text.assemble(
        (f"{good:>{digits}}/{total:<{digits}} ", style), ("█" * full, style), ("░" * (_BAR - full), "dim")
    )


def _rank(row: Seen) -> tuple[object, ...]:
    priority = PRIORITY.index(row.change.gateway_class)
    return row.standing, -(row.out_s or 0.0), priority, row.change.gateway


def _rest[T](items: Sequence[T], noun: str, counted: Callable[[T], Counter[Standing]]) -> list[Text]:
    """What is not shown, in one line."""
    if not items:
        return []
    counts: Counter[Standing] = Counter()
    for item in items:
        counts += counted(item)
    said = ", ".join(f"{counts[standing]} {_WORDS[standing][0]}" for standing in Standing if counts[standing])
    return [Text(f"… and {len(items)} more {noun}{'s' if len(items) > 1 else ''}: {said}", style="dim")]
