"""Which ways the runs on the ledger went. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.evidence.annual_model import Run
from orchestrator.evidence.coverage import Trial, Way
from orchestrator.model.evidence import LedgerKind, LedgerLine
from orchestrator.model.plan import Action


def trials(lines: Sequence[LedgerLine], runs: Sequence[Run]) -> Iterator[tuple[Way, Trial, bool]]:
    """Every way that a run went, oldest first. An aborted run and an incident prove no way that was planned."""
    closed = {line.data["run"]: line.data for line in lines if line.kind is LedgerKind.RUN_CLOSED}
    for run in runs:
        if run.scenario is None or run.outcome in ("aborted", "not_started") or run.form == "incident":
            continue
        for item in closed[run.run]["gateways"]:
            if item["action"] == Action.NONE:
                continue
            is_down = Action(item["action"]).stays_down
            way = _way(run.scenario, item, is_down=is_down)
            yield way, Trial(on=run.on, run=run.run, came_back=is_down or item["came_back"]), run.is_held


def _way(scenario: str, item: dict[str, Any], *, is_down: bool) -> Way:
    """The way that was gone; for a gateway that did not come back, the one that it was to go."""
    went = "after" if item["came_back"] else "planned"
    return Way(
        scenario=scenario,
        gateway=item["gateway"],
        centre=None if is_down else item[f"centre_{went}"],
        carrier=None if is_down else item[f"carrier_{went}"],
    )
