"""What must be seen of each gateway in each phase, and whether it is seen. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.measure import allowed_fronts, front_of
from orchestrator.model.event import CheckResult, RouteSample, Sample
from orchestrator.model.plan import Action, GatewayChange, Placement, Plan
from orchestrator.model.topology import Topology
from orchestrator.planner.network import under
from orchestrator.ports import Expectations, GatewayExpectation, Snapshot


def is_up(plan: Plan, topology: Topology, change: GatewayChange, sample: Sample | None) -> bool:
    """Whether a gateway works during the fault. A session with a front that is dead is stale, never up."""
    return front_of(topology, sample) in allowed_fronts(plan, topology, change)


def is_connecting(plan: Plan, topology: Topology, change: GatewayChange, sample: Sample | None) -> bool:
    """Whether a gateway is on its way by itself to a front that it can reach: assist leaves it alone."""
    if sample is None or not sample.running or sample.connecting is None:
        return False
    front = topology.front_at.get(sample.connecting)
    return front is not None and front.id in allowed_fronts(plan, topology, change)


def home_of(plan: Plan, change: GatewayChange) -> tuple[Placement | None, tuple[str, ...]]:
    """Where a gateway belongs, and its list there. A failback is seen from where the incident has put it."""
    if plan.fails_back:
        return change.after, change.list_after
    return change.before, change.list_before


def is_as_before(plan: Plan, topology: Topology, change: GatewayChange, sample: Sample | None) -> bool:
    """Whether a gateway is back at the front where the baseline had it; a cold standby: that it does not run."""
    home, _ = home_of(plan, change)
    if home is None:
        return sample is not None and sample.running is False
    return front_of(topology, sample) == home.front


def routes_are(routes: Mapping[str, RouteSample], wanted: Mapping[str, Mapping[str, str | None]]) -> bool:
    """Whether every router uses the line towards each centre that it used before."""
    return all(router in routes and dict(routes[router].lines) == dict(lines) for router, lines in wanted.items())


def baseline(plan: Plan, topology: Topology, before: Snapshot) -> Expectations:
    """Before the fault, and again after restoration: every gateway at its first reachable front."""
    homes = {change.gateway: home_of(plan, change) for change in plan.gateways if change.hands is None}
    gateways = [
        GatewayExpectation(
            gateway=name,
            fronts=fronts,
            sessions=(home.front,) if home else (),
            line=home.line if home and not topology.gateway[name].receives_only else None,
            config_sha256=before.gateways.get(name, {}).get("config_sha256"),
            running=home is not None,
        )
        for name, (home, fronts) in homes.items()
    ]
    return Expectations(gateways, before.routers)


def switched(plan: Plan, topology: Topology, before: Snapshot, repointed: frozenset[str]) -> Expectations:
    """While the fault lasts. `repointed` are the gateways whose list really was changed (assist: only some)."""
    gateways = []
    for change in plan.gateways:
        if change.hands or change.host in plan.fault.hosts:  # nobody can look at it from here
            continue
        changed = change.gateway in repointed or change.action is Action.TAKE_OVER
        unmeasured = plan.is_promoted or change.after is None or topology.gateway[change.gateway].receives_only
        gateways.append(
            GatewayExpectation(
                gateway=change.gateway,
                fronts=change.list_after if changed else change.list_before,
                sessions=allowed_fronts(plan, topology, change),
                line=None if unmeasured or change.after is None else change.after.line,
                config_sha256=None
                if changed and (change.list_before != change.list_after or change.action is Action.CERTIFICATE)
                else before.gateways.get(change.gateway, {}).get("config_sha256"),
                certificate=change.after.certificate if change.action is Action.CERTIFICATE and change.after else None,
                result=CheckResult.NO_SUCH_BUSINESS if change.action is Action.NO_BUSINESS else CheckResult.NORMAL,
            )
        )
    return Expectations(gateways, _routes(plan, topology))


def _routes(plan: Plan, topology: Topology) -> dict[str, dict[str, str | None]]:
    """The line of every router towards every centre that is still there, as the plan has it. Of a drill that was
    promoted nobody can say.
    """
    if plan.is_promoted:
        return {}
    moved = {(item.router, item.centre): item.line_after for item in plan.paths}
    network = replace(under(topology, plan.fault, plan.out_of_service), moved=moved)
    found: dict[str, dict[str, str | None]] = {}
    for router in topology.routers:
        lines = {centre: network.line_to(router.id, centre) for centre in router.paths}
        found[router.id] = {centre: line for centre, line in lines.items() if line is not None}
    return found
