"""The heat map of a site's failures: one self-contained page, Chinese first, English beside it. Reads no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.model.base import Title
from orchestrator.model.topology import GatewayClass
from orchestrator.planner.failures import Failure, title_of
from orchestrator.planner.situation import Fate, worst
from orchestrator.planner.survey import Row, Survey
from orchestrator.report.render import CONTENT_POLICY
from orchestrator.report.texts import catalogue

_ROWS: Final = 60  # our choice: singles on the page
_MAP: Final = 44  # our choice: so many failures by as many fit the width of a page
_PAIRS: Final = 20  # our choice
_NAMED: Final = 5  # our choice: names told of a row of several
_LEVELS: Final = 5  # our choice: shades, from one gateway to all

# The letter that stands in a cell, and what it says: colour never stands alone.
FATES: Final = {
    Fate.UNTOUCHED: ("·", Title(zh="不受影响", en="untouched")),
    Fate.ITSELF: ("自", Title(zh="自行恢复", en="by itself: the network or its own list")),
    Fate.PAIR: ("备", Title(zh="热备承接", en="out; its hot standby goes on")),
    Fate.SWITCH: ("切", Title(zh="切换后恢复", en="after a switch")),
    Fate.NO_BUSINESS: ("无", Title(zh="无此业务", en="no such business where the others go")),
    Fate.LOST: ("断", Title(zh="无法恢复", en="lost")),
}


@dataclass(frozen=True)
class Cell:
    """What becomes of a class: the worst fate gives the colour; each fate with its number of gateways, worst first."""

    fate: Fate
    counts: tuple[tuple[str, int], ...]
    tip: str


@dataclass(frozen=True)
class Single:
    id: str
    title: Title
    alike: int
    cells: tuple[Cell, ...]
    steps: int
    lost: int


@dataclass(frozen=True)
class Spot:
    """What two failures lose together. `level` 0: nothing, 5: everything that is judged."""

    lost: int
    level: int
    tip: str


@dataclass(frozen=True)
class Line:
    id: str
    title: Title
    spots: tuple[Spot, ...]


def render(survey: Survey) -> str:
    """The page. The same site and day give the same bytes."""
    what_if, topology = survey.what_if, survey.what_if.topology
    mapped, shown = _mapped(survey), survey.worst_pairs(_PAIRS)
    return (
        _environment()
        .get_template("whatif.html.j2")
        .render(
            policy=CONTENT_POLICY,
            style=_style("report.css"),
            own_style=_style("whatif.css"),
            survey=survey,
            site=topology.site.title,
            on=what_if.today.isoformat(),
            fates=FATES,
            classes=[(_class(kind), count) for kind, count in survey.classes.items()],
            singles=[_single(survey, row) for row in survey.rows[:_ROWS]],
            singles_hidden=max(0, len(survey.rows) - _ROWS),
            switching=sum(len(row.alike) for row in survey.rows if row.answer.counts[Fate.SWITCH]),
            lines=[_line(survey, failure, mapped) for failure in mapped],
            mapped=mapped,
            map_hidden=len(set(survey.pairs.partners) | {loss.failed[0] for loss in survey.losing}) - len(mapped),
            losing=survey.losing[:_PAIRS],
            losing_hidden=max(0, len(survey.losing) - _PAIRS),
            worst=shown,
            worst_hidden=len(survey.pairs.worse) - len(shown),
            title_of=lambda failure: title_of(topology, failure),
            levels=range(1, _LEVELS + 1),
        )
    )


def _class(kind: GatewayClass) -> Title:
    return catalogue()[f"class.{kind}"]


def _single(survey: Survey, row: Row) -> Single:
    named, hidden = ", ".join(item.name for item in row.alike[:_NAMED]), len(row.alike) - _NAMED
    return Single(
        id=f"{row.alike[0].kind}={named}{f' +{hidden}' if hidden > 0 else ''}",
        title=title_of(survey.what_if.topology, row.alike[0]),
        alike=len(row.alike),
        cells=tuple(_cell(survey, row, kind) for kind in survey.classes),
        steps=len(row.answer.acts),
        lost=len(row.answer.lost),
    )


def _cell(survey: Survey, row: Row, kind: GatewayClass) -> Cell:
    """Of a row of several the first, which the others are like."""
    judged = survey.what_if.judged
    fates = {name: item.fate for name, item in row.answer.verdicts.items() if judged[name].gateway_class is kind}
    found = list(fates.values())
    counts = tuple((FATES[fate][0], found.count(fate)) for fate in reversed(Fate) if fate in found)
    named = "\n".join(f"{name} {FATES[item][1].zh} {item}" for name, item in fates.items())
    return Cell(worst(found), counts, named)


def _mapped(survey: Survey) -> list[Failure]:
    """The failures of the map, in the order of the inventory: those that lose alone, then those of the worst pairs."""
    place = {failure: number for number, failure in enumerate(survey.what_if.failures)}
    alone = [failure for loss in survey.losing for failure in loss.failed]
    found = dict.fromkeys((*alone, *(failure for pair in survey.pairs.worse for failure in pair)))
    return sorted([*found][:_MAP], key=place.__getitem__)


def _line(survey: Survey, failure: Failure, mapped: Sequence[Failure]) -> Line:
    spots = tuple(_spot(survey, failure, other) for other in mapped)
    return Line(failure.id, title_of(survey.what_if.topology, failure), spots)


def _spot(survey: Survey, one: Failure, other: Failure) -> Spot:
    """On the diagonal stands what a failure loses alone."""
    names = survey.pairs.alone[one] if one == other else survey.pairs.lost(one, other)
    level = -(-len(names) * _LEVELS // max(1, len(survey.what_if.judged)))
    shown = ", ".join(sorted(names))
    return Spot(len(names), level, f"{one.id} + {other.id}: {shown}" if names else "")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("orchestrator.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style(name: str) -> Markup:
    return Markup(files("orchestrator.report").joinpath("templates", name).read_text(encoding="utf-8"))  # noqa: S704 - our own file
