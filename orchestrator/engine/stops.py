"""The stop conditions of a drill, told by the newest samples. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestrator.engine import expect
from orchestrator.measure import GREENS_IN_A_ROW, front_of
from orchestrator.model.drill import Watched
from orchestrator.model.event import Sample
from orchestrator.model.plan import Action, GatewayChange, Plan
from orchestrator.model.topology import Topology

_LOST_S = 5.0  # our choice: a gateway that logs in again at the same place within this has lost nothing


@dataclass
class StopWatch:
    """Remembers since when each gateway is out, and which samples in a row said so."""

    plan: Plan
    topology: Topology
    out_since: dict[str, float] = field(default_factory=dict)
    lost: dict[str, list[float]] = field(default_factory=dict)  # gateway → moments of sampling without it

    def reason(self, latest: Mapping[str, Sample], now: float, *, fault_is_to_come: bool = False) -> str | None:
        """Why the run has to stop; None: go on. `now` is monotonic, in seconds. `fault_is_to_come`: people have yet to
        make it; nobody is out because of it, and what it does not touch is watched all the same.
        """
        return (None if fault_is_to_come else self._outage(latest, now)) or self._unaffected(latest)

    def _outage(self, latest: Mapping[str, Sample], now: float) -> str | None:
        limit_s = self.plan.stop.outage_s
        if limit_s is None:
            return None
        for change in self.plan.affected:
            sample = latest.get(change.gateway)
            if change.action is Action.NO_BUSINESS or change.after is None or sample is None:
                continue
            if expect.is_up(self.plan, self.topology, change, sample):
                self.out_since.pop(change.gateway, None)
                continue
            out_s = now - self.out_since.setdefault(change.gateway, now)
            if out_s > limit_s:
                return (
                    f"stop condition: expected gateway {change.gateway} ({change.number}) out for at most "
                    f"{limit_s:g} s, found {out_s:.0f} s"
                )
        return None

    def _unaffected(self, latest: Mapping[str, Sample]) -> str | None:
        for change in self.plan.gateways:
            sample = latest.get(change.gateway)
            if change.action is not Action.NONE or sample is None:
                continue
            missing = next((what for what in self.plan.stop.never_fail if not self._has(what, change, sample)), None)
            if missing is None:
                self.lost.pop(change.gateway, None)
                continue
            seen = self.lost.setdefault(change.gateway, [])
            if not seen or sample.mono > seen[-1]:
                seen.append(sample.mono)
            if len(seen) >= GREENS_IN_A_ROW and seen[-1] - seen[0] >= _LOST_S:
                return (
                    f"stop condition: expected gateway {change.gateway} ({change.number}), which this fault does not "
                    f"touch, to keep its {missing}, found it without"
                )
        return None

    def _has(self, what: Watched, change: GatewayChange, sample: Sample) -> bool:
        known: dict[Watched, Callable[[], bool]] = {
            Watched.PROCESS: lambda: sample.running is not False,
            Watched.LOGIN: lambda: change.before is None or front_of(self.topology, sample) is not None,
        }
        return known[what]()
