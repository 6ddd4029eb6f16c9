"""The coverage tables of the annual summary, in one language: scenario × gateway × centre × carrier. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from orchestrator.evidence.annual_rows import Sheet, Status
from orchestrator.evidence.coverage import Cell, Scenario


@dataclass(frozen=True)
class ScenarioRow:
    number: str
    drill: str
    fault: str
    held: str
    age: str
    rehearsed: str
    status: Status


def numbered(sheet: Sheet) -> dict[str, str]:
    """Scenario → its number on the page, in the order of their drills."""
    ordered = sorted(sheet.summary.scenarios, key=lambda item: (item.drill, item.key))
    return {item.key: f"S{number}" for number, item in enumerate(ordered, 1)}


def scenario_rows(sheet: Sheet) -> list[ScenarioRow]:
    numbers = numbered(sheet)
    ordered = sorted(sheet.summary.scenarios, key=lambda item: int(numbers[item.key][1:]))
    return [_scenario(sheet, item, numbers[item.key]) for item in ordered]


def _scenario(sheet: Sheet, scenario: Scenario, number: str) -> ScenarioRow:
    """When it was drilled last as a whole; its ways are in the tables below."""
    cells = [cell for cell in sheet.summary.coverage if cell.way.scenario == scenario.key]
    newest = max((cell for cell in cells if cell.held), key=_on, default=None)
    rehearsed = max((cell.rehearsed.on for cell in cells if cell.rehearsed), default=None)
    latest = [cell for cell in cells if newest and cell.held and cell.held.run == (newest.held and newest.held.run)]
    status: Status = sheet.status(sheet.worst(latest)) if latest else ("rehearsed" if rehearsed else "never")
    return ScenarioRow(
        number=number,
        drill=sheet.texts.of(scenario.title),
        fault=sheet.texts.of(scenario.fault),
        held=str(newest.held.on) if newest and newest.held else "—",
        age=str(newest.days(sheet.summary.until)) if newest else "—",
        rehearsed=str(rehearsed or "—"),
        status=status,
    )


def gaps(sheet: Sheet, scenarios: Sequence[ScenarioRow]) -> list[tuple[str, str]]:
    """Scenarios never drilled on the real site, by drill."""
    found: dict[str, list[str]] = {}
    for row in scenarios:
        if row.status in ("never", "rehearsed"):
            only = sheet.texts("coverage.only_rehearsed") if row.status == "rehearsed" else ""
            found.setdefault(row.drill, []).append(f"{row.number} {row.fault}{only}")
    return [(drill, sheet.texts.joined(faults)) for drill, faults in found.items()]


def _on(cell: Cell) -> date:
    return cell.held.on if cell.held else date.min


@dataclass(frozen=True)
class Mark:
    """One cell of the matrix."""

    text: str
    status: Status
    tip: str


@dataclass(frozen=True)
class MatrixRow:
    gateway: str
    title: str
    marks: tuple[Mark | None, ...]


def matrix(sheet: Sheet, scenarios: Sequence[str]) -> list[MatrixRow]:
    """Gateway by gateway, one mark per scenario; None: it is not touched by it."""
    found: dict[tuple[str, str], list[Cell]] = {}
    for cell in sheet.summary.coverage:
        found.setdefault((cell.way.gateway, cell.way.scenario), []).append(cell)
    gateways = dict.fromkeys([*sheet.names.gateways, *(cell.way.gateway for cell in sheet.summary.coverage)])
    rows = [
        MatrixRow(
            gateway=name,
            title=sheet.called(sheet.names.gateways, name),
            marks=tuple(_mark(sheet, found.get((name, scenario), [])) for scenario in scenarios),
        )
        for name in gateways
    ]
    return [row for row in rows if any(row.marks)]


def _mark(sheet: Sheet, cells: Sequence[Cell]) -> Mark | None:
    """Ways that are in nobody's plan any more count only where no other is left."""
    current = [cell for cell in cells if cell.expected] or list(cells)
    if not current:
        return None
    worst = sheet.worst(current)
    status = sheet.status(worst)
    days = worst.days(sheet.summary.until)
    text = str(days) if status in ("fresh", "stale") else sheet.texts(f"mark.{status}")
    return Mark(text, status, f"{way(sheet, worst)} {worst.held.on if worst.held else ''}".strip())


def way(sheet: Sheet, cell: Cell) -> str:
    return " · ".join(_place(sheet, cell))


def _place(sheet: Sheet, cell: Cell) -> tuple[str, ...]:
    texts, names = sheet.texts, sheet.names
    if cell.way.centre is None:
        return (texts("coverage.none_over"),)
    carrier = cell.way.carrier
    line = sheet.called(names.carriers, carrier) if carrier else texts("coverage.unknown_line")
    return (sheet.called(names.centres, cell.way.centre), line)


@dataclass(frozen=True)
class WayRow:
    scenario: str
    gateway: str
    title: str
    centre: str
    carrier: str
    held: str
    age: str
    rehearsed: str
    status: Status


def way_rows(sheet: Sheet) -> list[WayRow]:
    """Every way, by scenario and gateway."""
    numbers = numbered(sheet)
    order = list(sheet.names.gateways)
    ordered = sorted(
        sheet.summary.coverage,
        key=lambda cell: (
            int(numbers[cell.way.scenario][1:]),
            order.index(cell.way.gateway) if cell.way.gateway in order else len(order),
            not cell.expected,
        ),
    )
    return [_way_row(sheet, cell, numbers[cell.way.scenario]) for cell in ordered]


def _way_row(sheet: Sheet, cell: Cell, number: str) -> WayRow:
    place = _place(sheet, cell)
    earlier = "" if cell.expected else sheet.texts("coverage.earlier")
    return WayRow(
        scenario=number,
        gateway=cell.way.gateway,
        title=sheet.called(sheet.names.gateways, cell.way.gateway),
        centre=place[0] + earlier,
        carrier=place[1] if len(place) > 1 else "—",
        held=str(cell.held.on) if cell.held else "—",
        age=str(cell.days(sheet.summary.until)) if cell.held else "—",
        rehearsed=str(cell.rehearsed.on) if cell.rehearsed else "—",
        status=sheet.status(cell),
    )
