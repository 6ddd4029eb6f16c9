"""A drill at 500 gateways in 6 classes and 3 centres, and what a sampler would see of them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final

from orchestrator.loader.drill import load_drill
from orchestrator.model.drill import Mode, Response
from orchestrator.model.event import Event, EventKind, RouteSample, Sample
from orchestrator.model.plan import Action, GatewayChange, Placement, Plan
from orchestrator.model.topology import GatewayClass, Topology
from orchestrator.planner import Request, make_plan
from orchestrator.ports import Observations
from tests.support.sites import ROOT, SiteSpec, site_data, topology_from

GATEWAYS = 500
BEGAN = 1_795_572_000.0  # 10:00 on a trading day in Shanghai; samples and events count from here
_TODAY = date(2026, 11, 22)
# The generator knows three classes. What counts here is what a plan says of a gateway, so half of each goes by another.
_ALSO: Final[Mapping[GatewayClass, GatewayClass]] = {
    GatewayClass.TRADING: GatewayClass.TDGW,
    GatewayClass.MARKET_DATA_TCP: GatewayClass.MDGW,
    GatewayClass.SETTLEMENT: GatewayClass.MARKET_DATA_MULTICAST,
}
_STEM: Final[Mapping[GatewayClass, str]] = {
    GatewayClass.TRADING: "trade",
    GatewayClass.TDGW: "tdgw",
    GatewayClass.MARKET_DATA_TCP: "quote",
    GatewayClass.MDGW: "mdgw",
    GatewayClass.SETTLEMENT: "settle",
    GatewayClass.MARKET_DATA_MULTICAST: "mcast",
}


@cache
def large() -> tuple[Topology, Plan]:
    """The planner's own plan for the loss of futian: what is there is repointed, the rest is not touched."""
    data = site_data(SiteSpec(pairs=-(-GATEWAYS // 6), hosts=20))
    kinds = {item["id"]: _kind(index, item) for index, item in enumerate(data["gateways"])}
    names = {name: f"{_STEM[kind]}-{name.partition('-')[2]}" for name, kind in kinds.items()}
    for item in data["gateways"]:
        item.update(id=names[item["id"]], pair=names[item["pair"]])
    topology = topology_from(data)
    drill = load_drill(ROOT / "drills", "single-centre-failure")
    plan = make_plan(topology, "0" * 64, drill, Request(Mode.REHEARSAL, _TODAY, {}, Response.REPOINT))
    by_name = {names[name]: kind for name, kind in kinds.items()}
    changes = tuple(
        _dealt(change, by_name[change.gateway], index) for index, change in enumerate(plan.gateways[:GATEWAYS])
    )
    return topology, plan.model_copy(update={"gateways": changes})


def _kind(index: int, item: Mapping[str, Any]) -> GatewayClass:
    kind = GatewayClass(item["class"])
    return _ALSO[kind] if index // 2 % 2 else kind


def _dealt(change: GatewayChange, kind: GatewayClass, index: int) -> GatewayChange:
    if index // 4 % 3:
        return change.model_copy(update={"gateway_class": kind})
    place = Placement(front="beijing-trading", centre="beijing", line=None)
    return change.model_copy(
        update={"gateway_class": kind, "before": place, "after": place, "action": Action.NONE, "wave": None}
    )


@dataclass
class Hands:
    """A clock that stands still until it is set."""

    at: float = BEGAN

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at - BEGAN


@dataclass
class Seeing:
    """A sampler's measurement that says what it is told to; it counts how often it was asked."""

    topology: Topology
    plan: Plan
    newest: dict[str, Sample] = field(default_factory=dict)
    asked: int = 0

    def see(self, names: Iterable[str], at: float, front: str | None = None, **fields: Any) -> None:
        """One sample each: logged in to that front, or whatever the fields say."""
        for name in names:
            known: dict[str, Any] = {"gateway": name, "host": self.topology.gateway[name].host, "at": at, "mono": at}
            known |= {"running": True, "logged_in": front is not None}
            known |= {"session": self.topology.front[front].endpoint} if front else {}
            self.newest[name] = Sample(**(known | fields))

    def see_all_well(self, at: float) -> None:
        """Each where the plan found it."""
        for change in self.plan.gateways:
            assert change.before is not None
            self.see([change.gateway], at, change.before.front)

    def latest(self) -> Mapping[str, Sample]:
        self.asked += 1
        return self.newest

    def latest_routes(self) -> Mapping[str, RouteSample]:
        return {}

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        del timeout_s
        return condition()

    def observations(self) -> Observations:
        return Observations([], [], [])

    def stop(self) -> None:
        """Nothing is at work."""

    def detach(self) -> None:
        """Nothing is at work."""


def event(kind: EventKind, when: float, of: str | None = None, **data: Any) -> Event:
    """As the journal would give it; `of`: the step that it is an event of."""
    at = datetime.fromtimestamp(when, UTC).isoformat(timespec="microseconds")
    return Event(run="r", seq=1, at=at, kind=kind, step=of, attempt=1, data=data, previous="", digest="")
