"""Whether a failback may begin: the fault is gone, and no file was edited since the incident. Pure."""

from collections.abc import Iterator, Sequence

from orchestrator.model.event import Outcome
from orchestrator.model.plan import Phase, Plan, Step
from orchestrator.model.topology import Topology
from orchestrator.planner.failback import can_ask
from orchestrator.planner.network import Network
from orchestrator.ports import Expectations, GatewayExpectation, Snapshot, TargetResult

_EDITED = "CHANGED_SINCE_INCIDENT"
_STILL_THERE = "FAULT_STILL_THERE"


def not_ready(plan: Plan, topology: Topology, taken: Snapshot) -> Iterator[TargetResult]:
    """What keeps it from beginning, by a snapshot that was taken just now: routers that do not use the lines of home,
    and files that are neither as the incident left them nor as they were before it.
    """
    if plan.fails_back is None:
        return
    for name, why in plan.fails_back.edited_since({"gateways": taken.gateways}).items():
        yield TargetResult(name, Outcome.FAILED, f"{_EDITED}: {why}; see who changed it, and put one of the two back")
    for router, centre, home, found in _elsewhere(plan, topology, taken):
        yield TargetResult(router, Outcome.FAILED, f"expected line {home} towards {centre}, found {found or 'none'}")


def _elsewhere(plan: Plan, topology: Topology, taken: Snapshot) -> Iterator[tuple[str, str, str, str | None]]:
    """A static path that the incident moved says nothing of its old line: it stays where it was put."""
    moved = {(path.router, path.centre): path.line_after for path in plan.paths}
    network = Network(topology, dead_lines=frozenset(plan.out_of_service), moved=moved)
    homes = plan.fails_back.routers if plan.fails_back else {}
    for router, lines in taken.routers.items():
        for centre, home in homes.get(router, {}).items():
            now = network.line_to(router, centre)
            if centre in lines and lines[centre] not in (now, home):
                yield router, centre, now or home, lines[centre]


def fronts_of_home(plan: Plan, topology: Topology) -> Expectations:
    """Every front that a gateway is to go back to, as the planner has it that somebody asks for."""
    gateways = [
        GatewayExpectation(
            gateway=change.gateway,
            fronts=change.list_after,
            sessions=(change.after.front,),
            line=None,
            config_sha256=None,
        )
        for change in plan.affected
        if change.after and can_ask(topology, change)
    ]
    return Expectations(gateways, {})


def refusal(plan: Plan, step: Step, bad: Sequence[TargetResult]) -> str:
    """Why it does not begin, by name. A host that had failed and does not answer is still gone."""
    edited = [f"{item.target}: {item.message}" for item in bad if item.message.startswith(_EDITED)]
    if edited:
        return "; ".join(edited)
    said = "; ".join(f"{item.target}: {item.message}" for item in bad)
    gone = {change.gateway for change in plan.gateways if change.host in plan.fault.hosts}
    is_there = step.phase is Phase.BASELINING or not gone.isdisjoint(item.target for item in bad)
    return f"{_STILL_THERE}: {step.id}: {said}" if is_there else f"{step.id}: {said}"
