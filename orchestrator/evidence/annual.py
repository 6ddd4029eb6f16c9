"""The summary of one year's drills for the local regulator, from the ledger. Pure.

Failed, aborted and cancelled runs are in it like all others; rehearsals stand apart and are never counted as drills
held. What was never drilled is said as well as what was.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.evidence.annual_model import (
    Anchored,
    AnnualSummary,
    Cancelled,
    Counts,
    Form,
    Measured,
    Pack,
    Point,
    Run,
    Trend,
)
from orchestrator.evidence.annual_trials import trials
from orchestrator.evidence.coverage import STALE_DAYS, Cell, Names, Register, Scenario, cells, scenario_of
from orchestrator.evidence.findings import states
from orchestrator.journal.chain import GENESIS
from orchestrator.model.base import Title
from orchestrator.model.drill import Mode
from orchestrator.model.evidence import FindingState, LedgerHead, LedgerKind, LedgerLine
from orchestrator.model.plan import Action

_SEALED = (LedgerKind.PACK_SEALED, LedgerKind.PACK_STAMPED)


@dataclass(frozen=True)
class _Year:
    """What is counted."""

    year: int
    zone: ZoneInfo
    until: date
    runs: Sequence[Run]
    cancelled: Sequence[Cancelled]
    findings: Sequence[FindingState]


def summary(lines: Sequence[LedgerLine], year: int, site: str, timezone: str, register: Register) -> AnnualSummary:
    """The year of one site, in the site's own time zone. A year that is not over is summed up to the last line."""
    zone = ZoneInfo(timezone)
    known = [line for line in lines if _day(line.at, zone).year <= year]
    until = min(date(year, 12, 31), _day(lines[-1].at, zone)) if lines else date(year, 12, 31)
    runs = [run for run in _runs(known, site, zone, register.names) if run.on.year <= year]
    of_year = [run for run in runs if run.on.year == year]
    cancelled = tuple(_cancelled(known, site, year, zone, {run.drill for run in runs} | _drills(register)))
    coverage = cells(register, list(trials(known, runs)))
    scenarios = _scenarios(register, runs)
    findings = tuple(_findings(known, {run.run for run in runs}, year, zone))
    return AnnualSummary(
        year=year,
        site=site,
        site_title=register.names.site,
        timezone=timezone,
        since=date(year, 1, 1),
        until=until,
        ledger=LedgerHead(size=len(lines), digest=lines[-1].digest if lines else GENESIS),
        counts=_counts(_Year(year, zone, until, of_year, cancelled, findings), scenarios, coverage),
        runs=tuple(of_year),
        cancelled=cancelled,
        trends=tuple(_trends(runs)),
        scenarios=scenarios,
        coverage=coverage,
        stale_days=STALE_DAYS,
        findings=findings,
        anchored=tuple(_anchored(known, zone)),
    )


def _day(at: str, zone: ZoneInfo) -> date:
    return datetime.fromisoformat(at).astimezone(zone).date()


# -- runs ---------------------------------------------------------------------------------------------------------


def _runs(lines: Sequence[LedgerLine], site: str, zone: ZoneInfo, names: Names) -> Iterator[Run]:
    """Every run of the site, by its start."""
    closed = {line.data["run"]: line.data for line in lines if line.kind is LedgerKind.RUN_CLOSED}
    packs = _packs(lines, zone)
    opened = [line.data for line in lines if line.kind is LedgerKind.RUN_OPENED and line.data["site"] == site]
    for data in sorted(opened, key=lambda data: str(data["started_at"])):
        yield _run(data, closed.get(data["run"]), packs.get(data["run"]), zone, names)


def _run(opened: dict[str, Any], closed: dict[str, Any] | None, pack: Pack | None, zone: ZoneInfo, names: Names) -> Run:
    end = closed or {}
    title = Title.model_validate(opened["title"])
    drilled = closed and not opened.get("fails_back")
    scenario = scenario_of(opened["drill"], title, end["fault"], names) if drilled else None
    gateways = [item for item in end.get("gateways", ()) if item["action"] != Action.NONE]
    wanted = [item for item in gateways if not Action(item["action"]).stays_down]
    return Run(
        run=opened["run"],
        drill=opened["drill"],
        title=title,
        form=_form(opened),
        on=_day(opened["started_at"], zone),
        started_at=opened["started_at"],
        finished_at=end.get("finished_at"),
        operator=opened["operator"],
        outcome=end.get("outcome", "open"),
        restoration=end.get("restoration"),
        reasons=tuple(Title.model_validate(item) for item in end.get("reasons", ())),
        fault=scenario.fault if scenario else None,
        scenario=scenario.key if scenario else None,
        affected=len(gateways),
        back=sum(bool(item["came_back"]) for item in wanted),
        expected_back=len(wanted),
        objectives=tuple(_measured(item) for item in end.get("objectives", ())),
        findings=tuple(end.get("findings", ())),
        pack=pack,
    )


def _form(opened: dict[str, Any]) -> Form:
    """On a twin it is a rehearsal, whatever path it took."""
    if opened["simulated"] or opened["mode"] == Mode.REHEARSAL:
        return "rehearsal"
    if opened.get("fails_back"):
        return "failback"
    return "incident" if opened["mode"] == Mode.INCIDENT else "drill"


def _measured(item: dict[str, Any]) -> Measured:
    return Measured.model_validate({name: item[name] for name in Measured.model_fields})


def _packs(lines: Sequence[LedgerLine], zone: ZoneInfo) -> dict[str, Pack]:
    """The pack of each run as it is now: later lines complete or end it."""
    found: dict[str, Pack] = {}
    for line in lines:
        data = line.data
        if line.kind in _SEALED:
            names = ("sums_sha256", "signer", "stamped_at")
            found[data["run"]] = Pack.model_validate({name: data[name] for name in names})
        elif line.kind is LedgerKind.PACK_DELETED:
            found[data["run"]] = found[data["run"]].model_copy(update={"deleted_on": _day(line.at, zone)})
    return found


def _cancelled(
    lines: Sequence[LedgerLine], site: str, year: int, zone: ZoneInfo, drills: set[str]
) -> Iterator[Cancelled]:
    """Drills called off in that year. A line that names no site is the site's if the site knows the drill."""
    for line in lines:
        day = _day(line.at, zone)
        if line.kind is not LedgerKind.RUN_CANCELLED or day.year != year:
            continue
        if line.data["site"] == site if "site" in line.data else line.data["drill"] in drills:
            data = {name: line.data[name] for name in ("drill", "title", "reason", "by", "planned_for")}
            yield Cancelled.model_validate({**data, "planned_for": str(data["planned_for"]), "on": day})


def _anchored(lines: Sequence[LedgerLine], zone: ZoneInfo) -> Iterator[Anchored]:
    """The last time at each place outside."""
    last = {line.data["to"]: line for line in lines if line.kind is LedgerKind.ANCHORED}
    for name, line in last.items():
        yield Anchored(to=name, on=_day(line.at, zone), seq=line.data["seq"])


def _drills(register: Register) -> set[str]:
    return {scenario.drill for scenario in register.scenarios}


# -- what they come to ----------------------------------------------------------------------------------------------


def _trends(runs: Sequence[Run]) -> Iterator[Trend]:
    """Per drill and objective, over the years. A run that never began measured nothing."""
    known: dict[tuple[str, str], list[tuple[Run, Measured]]] = {}
    for run in runs:
        for item in run.objectives:
            if run.outcome not in ("not_started", "open"):
                known.setdefault((run.drill, item.id), []).append((run, item))
    for (drill, objective), found in known.items():
        last_run, last = found[-1]
        yield Trend(
            drill=drill,
            drill_title=last_run.title,
            objective=objective,
            title=last.title,
            unit=last.unit,
            points=tuple(_point(run, item) for run, item in found),
        )


def _point(run: Run, item: Measured) -> Point:
    return Point(run=run.run, on=run.on, form=run.form, measured=item.measured, limit=item.limit, state=item.state)


def _scenarios(register: Register, runs: Sequence[Run]) -> tuple[Scenario, ...]:
    """Those of today, and those that were drilled in earlier times."""
    found = {scenario.key: scenario for scenario in register.scenarios}
    for run in runs:
        if run.scenario and run.fault:
            scenario = Scenario(key=run.scenario, drill=run.drill, title=run.title, fault=run.fault)
            found.setdefault(run.scenario, scenario)
    return tuple(found.values())


def _findings(lines: Sequence[LedgerLine], runs: set[str], year: int, zone: ZoneInfo) -> Iterator[FindingState]:
    """Findings of the site that were opened or closed in the year, or were still open in it."""
    opened = {line.data["finding"]["id"]: line.at for line in lines if line.kind is LedgerKind.FINDING_OPENED}
    for state in states(lines):
        if state.finding.run in runs:
            ends = state.closed_at or opened[state.finding.id]
            if state.is_open or _day(ends, zone).year == year or _day(opened[state.finding.id], zone).year == year:
                yield state


def _counts(year: _Year, scenarios: Sequence[Scenario], coverage: Sequence[Cell]) -> Counts:
    runs, findings = year.runs, year.findings
    held = [run for run in runs if run.is_held]
    rehearsals = [run for run in runs if run.form == "rehearsal"]
    of_year = {run.run for run in runs}
    open_ones = [state for state in findings if state.is_open]
    return Counts(
        held=len(held),
        held_by_outcome=dict(Counter(run.outcome for run in held)),
        not_started=sum(run.form == "drill" and run.outcome == "not_started" for run in runs),
        cancelled=len(year.cancelled),
        open=sum(run.outcome == "open" for run in runs),
        incidents=sum(run.form == "incident" for run in runs),
        rehearsals=len(rehearsals),
        rehearsals_by_outcome=dict(Counter(run.outcome for run in rehearsals)),
        findings_opened=sum(state.finding.run in of_year for state in findings),
        findings_closed=sum(_closed_in(state, year) for state in findings),
        findings_open=len(open_ones),
        findings_overdue=sum(date.fromisoformat(state.finding.due) < year.until for state in open_ones),
        scenarios=len(scenarios),
        scenarios_held=len({cell.way.scenario for cell in coverage if cell.held and cell.held.on.year == year.year}),
    )


def _closed_in(state: FindingState, year: _Year) -> bool:
    return state.closed_at is not None and _day(state.closed_at, year.zone).year == year.year
