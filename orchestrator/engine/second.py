"""Notices a second failure in the middle of a switch, by the newest samples and routes. Pure but for its memory.

It knows what the plan is to have lost, and what had come back: what is lost beyond that has another cause.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.engine import expect
from orchestrator.measure import GREENS_IN_A_ROW, front_of
from orchestrator.model.drill import Mode
from orchestrator.model.event import RouteSample, Sample
from orchestrator.model.plan import Action, GatewayChange, Plan
from orchestrator.model.topology import Topology
from orchestrator.planner.failures import Failure
from orchestrator.planner.network import Network, PathKey, under
from orchestrator.planner.second import Sight, named, suspects, tells

# Our choice, each: BFD tells within a third of a second, and a route that flaps is back within one; a gateway that
# logs in again at the same place within 5 s has lost nothing; a host whose samples stop while those of others come
# may have lost its connection to us only, which is made anew in less than 15 s.
_ROUTE_GONE_S = 3.0
_LOST_S = 5.0
_SILENT_S = 15.0


@dataclass(frozen=True)
class Suspicion:
    """A failure that the plan does not know. `what`: what was seen; `failures`: what explains it."""

    what: str
    failures: tuple[Failure, ...]
    looks_like_zh: str
    looks_like_en: str

    @property
    def text(self) -> str:
        """The reason for which the run ends."""
        return f"a failure that the plan does not know: {self.what}; looks like: {self.looks_like_en}"

    def as_data(self, mode: Mode) -> dict[str, Any]:
        """What goes on record beside the reason: for people, and for the way back."""
        holds = mode is Mode.INCIDENT
        end_zh, end_en = ("已停止并保持现状", "stopped and held") if holds else ("已安全中止", "aborted safely")
        return {
            "suspects": [item.id for item in self.failures],
            "zh": f"切换过程中出现预案外故障（疑似：{self.looks_like_zh}），{end_zh}；依据：{self.what}",
            "en": f"a failure that the plan does not know in the middle of the switch "
            f"(looks like: {self.looks_like_en}), {end_en}: {self.what}",
        }


@dataclass
class SecondWatch:
    """Remembers what had come back since the fault, and since when it is lost again."""

    plan: Plan
    topology: Topology
    ups: dict[str, int] = field(default_factory=dict)  # gateway → samples in a row in which it worked
    front: dict[str, str] = field(default_factory=dict)  # gateway → the front where it was seen to work for good
    lost: dict[str, list[float]] = field(default_factory=dict)  # gateway → moments of sampling without it
    seen: dict[str, tuple[float, float]] = field(default_factory=dict)  # gateway → its newest sample, and when it came
    settled: set[PathKey] = field(default_factory=set)  # routes that were seen as the plan has them
    gone_since: dict[PathKey, float] = field(default_factory=dict)

    def look(
        self,
        latest: Mapping[str, Sample],
        routes: Mapping[str, RouteSample],
        now: float,
        busy: frozenset[str] = frozenset(),
    ) -> Suspicion | None:
        """None: nothing that the plan does not explain. `busy`: gateways that the run itself is moving now."""
        what = self._lost_again(latest, now, busy) or self._route_gone(routes, now)
        if what is None:
            return None
        found = tuple(item.failure for item in suspects(self.network, self.topology, self._sight(latest, routes)))
        title = named(self.topology, found)
        return Suspicion(what, found, title.zh, title.en)

    def expect_fault(self) -> None:
        """It is yet to come: what it will touch has not come back from it, and nothing is lost because of it."""
        for change in self.plan.affected:
            self._forget(change.gateway)

    @property
    def network(self) -> Network:
        """As it is to be while the fault lasts."""
        moved = {(item.router, item.centre): item.line_after for item in self.plan.paths}
        return replace(under(self.topology, self.plan.fault, self.plan.out_of_service), moved=moved)

    def _watched(self) -> list[GatewayChange]:
        gone = self.plan.fault.hosts
        return [
            item
            for item in self.plan.gateways
            if item.hands is None and item.after is not None and not item.action.stays_down and item.host not in gone
        ]

    def _lost_again(self, latest: Mapping[str, Sample], now: float, busy: frozenset[str]) -> str | None:
        found: str | None = None
        newest = max((came for _, came in self.seen.values()), default=now)
        for change in self._watched():
            sample = latest.get(change.gateway)
            if sample is None:
                continue
            if change.gateway in busy or self._still_moved(change):
                self._forget(change.gateway)
                continue
            self._see(change, sample, now)
            found = found or self._why(change, sample, newest)
        return found

    def _still_moved(self, change: GatewayChange) -> bool:
        """Rerouted by a static path that is not seen to be moved yet: a session with its front is stale until then."""
        place = change.after
        if change.action is not Action.REROUTED or place is None:
            return False
        key = (self.topology.host[change.host].router, place.centre)
        return key not in self.settled and any((item.router, item.centre) == key for item in self.plan.paths)

    def _forget(self, gateway: str) -> None:
        """It is moved now: what it comes to is another matter, and what was sampled last may be from before."""
        for memory in (self.ups, self.front, self.lost):
            memory.pop(gateway, None)

    def _see(self, change: GatewayChange, sample: Sample, now: float) -> None:
        name = change.gateway
        known = self.seen.get(name)
        if known and known[0] == sample.mono:
            return
        self.seen[name] = (sample.mono, now)
        front = front_of(self.topology, sample)
        if front is not None and expect.is_up(self.plan, self.topology, change, sample):
            self.lost.pop(name, None)
            self.ups[name] = self.ups.get(name, 0) + 1
            if self.ups[name] >= GREENS_IN_A_ROW:
                self.front[name] = front
            return
        self.ups.pop(name, None)
        if name in self.front:
            self.lost.setdefault(name, []).append(sample.mono)

    def _why(self, change: GatewayChange, sample: Sample, newest: float) -> str | None:
        name, lost = change.gateway, self.lost.get(change.gateway, [])
        if len(lost) >= GREENS_IN_A_ROW and lost[-1] - lost[0] >= _LOST_S:
            untouched = change.action is Action.NONE
            which = "which this fault does not touch" if untouched else "which had come back during the fault"
            where = front_of(self.topology, sample)
            found = f"it at {where}" if where else "it without a log-in"
            return f"expected gateway {name} ({change.number}), {which}, at {self.front[name]}, found {found}"
        _, came = self.seen[name]
        if name in self.front and newest - came >= _SILENT_S:
            return f"expected samples of gateway {name} ({change.number}), found none from {change.host} for 15 s"
        return None

    def _route_gone(self, routes: Mapping[str, RouteSample], now: float) -> str | None:
        """What other routes have lost helps to name the failure; only those that gateways need end the run."""
        network, relied_on = self.network, self._relied_on()
        why: str | None = None
        for router, centre in self._routes():
            expected = network.line_to(router, centre)
            if router not in routes or expected is None:
                continue
            found = routes[router].lines.get(centre)
            if found == expected:
                self.settled.add((router, centre))
                self.gone_since.pop((router, centre), None)
            elif (router, centre) in self.settled and (router, centre) in relied_on:
                gone_s = now - self.gone_since.setdefault((router, centre), now)
                said = f"expected {router} to reach {centre} over {expected}, found {found or 'no line'}"
                why = why or (said if gone_s >= _ROUTE_GONE_S else None)
        return why

    def _routes(self) -> list[PathKey]:
        routers = (item for item in self.topology.routers if tells(self.topology, item.id))
        return sorted((item.id, centre) for item in routers for centre in item.paths)

    def _relied_on(self) -> set[PathKey]:
        """Routes that gateways of the plan need while the fault lasts."""
        return {(self.topology.host[item.host].router, item.after.centre) for item in self._watched() if item.after}

    def _sight(self, latest: Mapping[str, Sample], routes: Mapping[str, RouteSample]) -> Sight:
        network = self.network
        _, newest = max(self.seen.values(), key=lambda item: item[1], default=(0.0, 0.0))
        silent = {name for name, (_, came) in self.seen.items() if newest - came >= _SILENT_S}
        out = {name: front for name, front in self.front.items() if name in self.lost or name in silent}
        fronts = {name: front_of(self.topology, sample) for name, sample in latest.items()}
        alive = {name: front for name, front in fronts.items() if front is not None and name not in out}
        keys = [key for key in self.settled if key[0] in routes]
        return Sight(
            out=out,
            alive=alive,
            expected={key: network.line_to(*key) for key in keys},
            found={(router, centre): routes[router].lines.get(centre) for router, centre in keys},
        )
