"""Faults that are on in the twin, each with a dead-man that lifts it when nobody renews it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.model.plan import Fault
from orchestrator.model.topology import Topology
from orchestrator.twin.effects import Effects, FrontManner, effects, fault_key
from orchestrator.twin.nft import Nft
from orchestrator.twin.processes import freeze, thaw

SetManner = Callable[[Sequence[str], FrontManner | None], None]


@dataclass
class _Armed:
    """`dead_man` is None for a fault that ends with the twin only."""

    fault: Fault
    effects: Effects
    lease_s: float | None
    dead_man: asyncio.TimerHandle | None = None


class Faults:
    """Injects and lifts. Both are idempotent; faults may overlap and are lifted one by one."""

    def __init__(self, topology: Topology, nft: Nft, set_manner: SetManner, processes: dict[str, int]) -> None:
        self._topology = topology
        self._nft = nft
        self._set_manner = set_manner
        self._processes = processes
        self._armed: dict[str, _Armed] = {}

    def inject(self, fault: Fault, lease_s: float | None) -> None:
        """Refused if the fault has no meaning here. What fails half way is taken back."""
        key = fault_key(fault)
        if key not in self._armed:
            self._armed[key] = _Armed(fault, effects(self._topology, fault), lease_s)
            try:
                self._apply(self._armed[key].effects)
            except BaseException:
                self.lift(fault)
                raise
        self._armed[key].lease_s = lease_s
        self._arm(key)

    def lift(self, fault: Fault) -> None:
        armed = self._armed.get(fault_key(fault))
        if armed is None:
            return
        for space in armed.effects.rules:
            # `add` first: deleting succeeds whether or not the table stands
            self._nft.run(space, f"add table inet {armed.effects.table}\ndelete table inet {armed.effects.table}")
        del self._armed[fault_key(fault)]  # not before: what fails half way can be lifted again
        if armed.dead_man:
            armed.dead_man.cancel()
        self._set_manners(armed.effects)
        still = {host for other in self._armed.values() for host in other.effects.frozen}
        for host in armed.effects.frozen:
            if host not in still:
                thaw(self._processes[host])

    def renew(self) -> None:
        for key in self._armed:
            self._arm(key)

    def describe(self) -> list[dict[str, Any]]:
        """What is on, as plain data, with the seconds until each dead-man acts."""
        now = asyncio.get_running_loop().time()
        return [
            {
                **{name: value for name, value in armed.fault.model_dump(mode="json").items() if value},
                "lifts_in_s": round(armed.dead_man.when() - now, 1) if armed.dead_man else None,
            }
            for armed in self._armed.values()
        ]

    def frozen(self) -> set[str]:
        return {host for armed in self._armed.values() for host in armed.effects.frozen}

    def _apply(self, wanted: Effects) -> None:
        for space, rules in wanted.rules.items():
            self._nft.run(space, rules)
        self._set_manners(wanted)
        for host in wanted.frozen:
            freeze(self._processes[host])

    def _arm(self, key: str) -> None:
        armed = self._armed[key]
        if armed.dead_man:
            armed.dead_man.cancel()
        if armed.lease_s is not None:
            armed.dead_man = asyncio.get_running_loop().call_later(armed.lease_s, self._expire, key)

    def _expire(self, key: str) -> None:
        """The dead-man acts. Where that fails it acts again after another lease."""
        self._arm(key)
        self.lift(self._armed[key].fault)

    def _set_manners(self, changed: Effects) -> None:
        """Each front takes the manner of the newest fault that is still on."""
        wanted = {front: manner for armed in self._armed.values() for front, manner in armed.effects.fronts.items()}
        manners: tuple[FrontManner | None, ...] = ("hang", "refuse", None)
        for manner in manners:
            fronts = [front for front in changed.fronts if wanted.get(front) == manner]
            if fronts:
                self._set_manner(fronts, manner)
