"""Hundreds of gateways on one screen: a line per class and centre, then the worst by name. Pure: lines of text.

Whatever does not fit is counted in a line of its own. Columns are counted in cells, of which a Chinese character takes
two; the bar and its key are plain ASCII, so that they say the same without colours and on any terminal.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from orchestrator.cli.live_states import BAD, RANK, Condition, Seen
from orchestrator.model.plan import GatewayChange

WIDE: Final = 110  # our choice: from so many columns on, words are written out and states are told in Chinese too
TALL: Final = 20  # our choice: from so many lines on, there is room for an empty one
LEAST: Final = 4  # lines that say something at all: heading, total, one group or its count, one count
_FEW: Final = 4  # our choice: with fewer lines the worst gateways go without a heading
_BAR: Final = (6, 20)  # our choice: cells of the bar, at least (one for each condition) and at most
_COLUMN: Final = 6  # cells of a number
_WIDE_COLUMN: Final = 9
_OUT: Final = 9  # cells of a span, and two between
_MANY_HOURS: Final = 100
_NAMES: Final = ("GATEWAY", "NUMBER", "HOST")  # a narrow screen goes without the host
_ZH: Final[Mapping[Condition, str]] = {
    Condition.FAILED: "失败",
    Condition.UNKNOWN: "未知",
    Condition.DOWN: "中断",
    Condition.SWITCHING: "切换中",
    Condition.LOGGED_IN: "已登录",
    Condition.BY_PLAN: "按计划停用",
}
_GLYPH: Final[Mapping[Condition, str]] = {
    Condition.LOGGED_IN: "#",
    Condition.SWITCHING: ">",
    Condition.DOWN: "x",
    Condition.UNKNOWN: "?",
    Condition.FAILED: "!",
    Condition.BY_PLAN: ".",
}
_SHORT: Final[Mapping[Condition, str]] = {
    Condition.LOGGED_IN: "IN",
    Condition.SWITCHING: "SWIT",
    Condition.DOWN: "DOWN",
    Condition.UNKNOWN: "UNKN",
    Condition.FAILED: "FAIL",
    Condition.BY_PLAN: "OFF",
}
_STYLE: Final[Mapping[Condition, str]] = {
    Condition.LOGGED_IN: "green",
    Condition.SWITCHING: "yellow",
    Condition.DOWN: "red",
    Condition.UNKNOWN: "bold magenta",
    Condition.FAILED: "bold white on red",
    Condition.BY_PLAN: "dim",
}


@dataclass(frozen=True)
class Group:
    """Gateways of one class at one centre, where the plan found them."""

    gateway_class: str
    centre: str
    counts: Mapping[Condition, int]
    since: float | None  # the outage that has lasted longest

    @property
    def of(self) -> int:
        return sum(self.counts.values())


def groups_of(seen: Iterable[Seen]) -> list[Group]:
    """Worst first: most failed, then most unknown, down, switching; else by name."""
    found: dict[tuple[str, str], list[Seen]] = {}
    for item in seen:
        found.setdefault(_place(item), []).append(item)
    groups = [_group(*place, items) for place, items in found.items()]
    return sorted(groups, key=lambda item: (*(-item.counts[one] for one in RANK if one in BAD), *_name(item)))


def _place(item: Seen) -> tuple[str, str]:
    """A cold standby has no centre before it takes over."""
    placement = item.change.before or item.change.after
    return item.change.gateway_class.value, placement.centre if placement else "standby"


def _group(gateway_class: str, centre: str, items: Sequence[Seen]) -> Group:
    out = [item.since for item in items if item.since is not None and item.condition is not Condition.UNKNOWN]
    return Group(gateway_class, centre, Counter(item.condition for item in items), min(out, default=None))


def _name(group: Group) -> tuple[str, str]:
    return group.gateway_class, group.centre


def worst_of(seen: Iterable[Seen], most: int) -> list[Seen]:
    """By condition, then out longest; what nobody looks at because people move it comes after what should be seen."""
    never = float("inf")
    return nsmallest(
        most,
        (item for item in seen if item.is_bad),
        key=lambda item: (
            RANK[item.condition],
            item.change.hands is not None,
            never if item.since is None else item.since,
            item.change.gateway,
        ),
    )


def overview(seen: Sequence[Seen], why: Callable[[Seen], str], now: float, width: int, height: int) -> list[Text]:
    """At most `height` lines laid out for `width` cells, to be cut there; `height` is LEAST or more."""
    groups, bad = groups_of(seen), sum(item.is_bad for item in seen)
    whole = _total(groups)
    lines, room = _Lines(whole, groups, now, width), height - 2
    gap = [Text()] if bad and room >= TALL else []
    room -= len(gap)
    for_groups = min(len(groups), max(room // 2, room - bad - 1) if bad else room)
    found = [lines.heading(), lines.row(whole, "bold"), *lines.groups(groups, for_groups)]
    if bad:
        found += gap + lines.worst(seen, why, bad, room - for_groups)
    return found


def _total(groups: Sequence[Group]) -> Group:
    counts: Counter[Condition] = Counter()
    for group in groups:
        counts.update(group.counts)
    return Group("all gateways", "", counts, min((item.since for item in groups if item.since), default=None))


class _Lines:
    """Lays out lines for one width."""

    def __init__(self, whole: Group, groups: Sequence[Group], now: float, width: int) -> None:
        self._now, self._width, self._is_wide = now, width, width >= WIDE
        shown = [item for item in _GLYPH if item is not Condition.BY_PLAN or whole.counts[item]]
        self._columns = {item: self._heading_of(item) for item in shown}
        self._class = max(len(self._called(group.gateway_class)) for group in (*groups, whole))
        self._centre = max((len(group.centre) for group in groups), default=0)
        left = width - cell_len(self.heading().plain) - 2
        self._bar = min(left, _BAR[1]) if left >= _BAR[0] else 0

    def _called(self, gateway_class: str) -> str:
        return gateway_class if self._is_wide else gateway_class.replace("market-data-", "md-")

    def _heading_of(self, condition: Condition) -> str:
        """With the key of the bar, as wide as its column."""
        if self._is_wide:
            return f"  {_GLYPH[condition]} {condition.value.upper()}".rjust(_WIDE_COLUMN)
        return f"{_GLYPH[condition]}{_SHORT[condition]}".rjust(_COLUMN)

    def heading(self) -> Text:
        name = f"{'CLASS':<{self._class}} {'CENTRE':<{self._centre}}{'ALL':>{_COLUMN}}"
        return Text("".join((name, *self._columns.values(), f"{'OUT FOR':>{_OUT}}")), "dim")

    def row(self, group: Group, style: str = "") -> Text:
        name = f"{self._called(group.gateway_class):<{self._class}} {group.centre:<{self._centre}}"
        text = Text.assemble((f"{name}{group.of:>{_COLUMN}}", style))
        for item, heading in self._columns.items():
            count = str(group.counts[item] or "-")
            text.append(" " * (len(heading) - len(count))).append(count, _STYLE[item] if count != "-" else "dim")
        text.append(f"{lasted(group.since, self._now):>{_OUT}}", style)
        return text.append("  ").append(_bar(group, self._bar)) if self._bar else text

    def groups(self, groups: Sequence[Group], room: int) -> list[Text]:
        """As many as there is room for; if there are more, the last line counts them."""
        if len(groups) <= room:
            return [self.row(group) for group in groups]
        rest = groups[room - 1 :]
        return [*map(self.row, groups[: room - 1]), self._more(len(rest), "groups", _total(rest).counts)]

    def worst(self, seen: Sequence[Seen], why: Callable[[Seen], str], bad: int, room: int) -> list[Text]:
        """The worst, and how many more there are; under a heading where that costs little."""
        left = room - 1 if room >= _FEW else room
        shown = worst_of(seen, left if bad <= left else left - 1)
        table = [_NAMES, *(_names(item.change) for item in shown)]
        columns = [max(map(len, column)) for column in zip(*table, strict=True)][: 3 if self._is_wide else 2]
        found = [self._worst_heading(columns)] * (room - left)
        found += [self._worst_row(item, columns, why(item)) for item in shown]
        if len(shown) < bad:
            rest = Counter(item.condition for item in seen if item.is_bad)
            rest.subtract(item.condition for item in shown)
            found.append(self._more(bad - len(shown), "gateways", rest))
        return found

    def _more(self, count: int, what: str, counts: Mapping[Condition, int]) -> Text:
        """In words, or with the key's signs where words are too long."""
        there = [item for item in RANK if counts[item]]
        said = f"… and {count} more {what}: "
        words = ", ".join(f"{counts[item]} {item.value}" for item in there)
        if cell_len(said + words) > self._width:
            words = " ".join(f"{_GLYPH[item]}{counts[item]}" for item in there)
        return Text(said + words, "bold" if BAD.intersection(there) else "dim")

    def _worst_heading(self, columns: Sequence[int]) -> Text:
        state = set_cell_size(f"WORST FIRST{' 最差在前' * self._is_wide}", self._state_width)
        names = _padded(_NAMES, columns)
        return Text(f"{state} {names}{'OUT FOR':>{_OUT}}  WHY", "dim")

    @property
    def _state_width(self) -> int:
        return 20 if self._is_wide else 11

    def _worst_row(self, item: Seen, columns: Sequence[int], why: str) -> Text:
        condition = item.condition
        word = f"{condition.value} {_ZH[condition]}" if self._is_wide else condition.value
        return Text.assemble(
            (word, _STYLE[condition]),
            " " * (self._state_width + 1 - cell_len(word)),
            f"{_padded(_names(item.change), columns)}{lasted(item.since, self._now):>{_OUT}}  {why}",
        )


def _names(change: GatewayChange) -> tuple[str, str, str]:
    return change.gateway, change.number, change.host


def _padded(names: Sequence[str], columns: Sequence[int]) -> str:
    return " ".join(f"{name:<{column}}" for name, column in zip(names, columns, strict=False))


def lasted(since: float | None, now: float) -> str:
    """A span in six characters at most; a dash where there is nothing to count."""
    if since is None:
        return "-"
    minutes, seconds = divmod(max(0, int(now - since)), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= _MANY_HOURS:
        return f"{hours}h"
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


def _bar(group: Group, cells: int) -> Text:
    text = Text()
    for condition, size in shares(group.counts, cells).items():
        text.append(_GLYPH[condition] * size, _STYLE[condition])
    return text


def shares(counts: Mapping[Condition, int], cells: int) -> dict[Condition, int]:
    """Cells for each condition: in proportion, and at least one for whatever there is, so that nothing is hidden."""
    there = [item for item in _GLYPH if counts[item]]
    of = sum(counts[item] for item in there)
    found = {item: max(1, counts[item] * cells // of) for item in there}
    while there and (missing := cells - sum(found.values())):
        step = 1 if missing > 0 else -1
        may = [item for item in there if found[item] + step > 0]
        found[max(may, key=lambda item: step * (counts[item] * cells / of - found[item]))] += step
    return found
