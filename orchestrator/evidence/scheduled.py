"""What the ledger knows of a schedule: runs that count as held, and entries that were missed. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from orchestrator.evidence.closing import moment
from orchestrator.model.drill import Mode
from orchestrator.model.evidence import LedgerKind, LedgerLine
from orchestrator.model.local_time import local
from orchestrator.model.local_time import moment as seconds
from orchestrator.planner.subjects import is_held, scenario_key
from orchestrator.rules.schedule import Entry, Held


def held(lines: Sequence[LedgerLine], site: str, zone: str) -> list[Held]:
    """Runs of the site that began and are over, oldest first. What never started does not count."""
    closed = {line.data["run"]: line.data for line in lines if line.kind is LedgerKind.RUN_CLOSED}
    found = [
        _held(line.data, closed[line.data["run"]], zone)
        for line in lines
        if line.kind is LedgerKind.RUN_OPENED and line.data["site"] == site and line.data["run"] in closed
    ]
    return sorted((item for item in found if item is not None), key=lambda item: item.at)


def _held(opened: dict[str, Any], closed: dict[str, Any], zone: str) -> Held | None:
    mode = is_held(Mode(opened["mode"]), simulated=bool(opened["simulated"]))
    if mode is None or closed["outcome"] == "not_started" or opened.get("fails_back"):
        return None
    fault = closed["fault"]
    failed = [*fault["centres"], *fault["carriers"], *fault["hosts"]] or [*fault["lines"]]
    return Held(opened["run"], scenario_key(opened["drill"], failed), mode, _began(opened, zone), closed["outcome"])


def is_under_way(lines: Sequence[LedgerLine], site: str, zone: str, entry: Entry) -> bool:
    """Whether a run of the entry's drill began in time and is not over: what it is of is told when it closes."""
    closed = {line.data["run"] for line in lines if line.kind is LedgerKind.RUN_CLOSED}
    found = [
        line.data
        for line in lines
        if line.kind is LedgerKind.RUN_OPENED and line.data["site"] == site and line.data["run"] not in closed
    ]
    rule = entry.subject.rule
    return any(
        item["drill"] == rule.drill
        and is_held(Mode(item["mode"]), simulated=bool(item["simulated"])) is rule.mode
        and entry.first <= _began(item, zone).date()
        and _began(item, zone) < entry.missed_at
        for item in found
    )


def _began(opened: dict[str, Any], zone: str) -> datetime:
    return local(datetime.fromisoformat(opened["started_at"]).timestamp(), zone)


def missed_id(site: str, entry: Entry) -> str:
    """What an entry is called on the ledger, which may be that of several sites."""
    return f"{site}:{entry.id}"


def recorded(lines: Sequence[LedgerLine]) -> dict[str, str]:
    """Entries that are on the ledger as missed, with the time of the line."""
    return {str(line.data["id"]): line.at for line in lines if line.kind is LedgerKind.SCHEDULE_MISSED}


def missed_data(site: str, zone: str, entry: Entry, by: str) -> dict[str, Any]:
    """Data of `schedule.missed`. Times are UTC."""
    rule = entry.subject.rule
    return {
        "id": missed_id(site, entry),
        "site": site,
        "rule": rule.id,
        "drill": rule.drill,
        "title": rule.title.model_dump(mode="json"),
        "parameters": dict(entry.subject.parameters),
        "mode": rule.mode.value,
        "clauses": list(rule.clauses),
        "period": [str(entry.first), str(entry.last)],
        "planned_at": moment(seconds(entry.begins, zone)),
        "missed_at": moment(seconds(entry.missed_at, zone)),
        "by": by,
    }
