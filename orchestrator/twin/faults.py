"""Faults that are on in the twin, each with a dead-man that lifts it when nobody renews it."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.model.drill import CertificateCause
from orchestrator.model.plan import Fault
from orchestrator.model.topology import Topology
from orchestrator.twin.effects import Effects, FrontManner, effects, fault_key
from orchestrator.twin.freezer import Freezer
from orchestrator.twin.nft import Nft

SetManner = Callable[[Sequence[str], FrontManner | None], None]
SetCauses = Callable[[Mapping[str, CertificateCause]], None]


@dataclass
class _Armed:
    """`dead_man` is None for a fault that ends with the twin only."""

    fault: Fault
    effects: Effects
    lease_s: float | None
    dead_man: asyncio.TimerHandle | None = None


class Faults:
    """Injects and lifts. Both are idempotent; faults may overlap and are lifted one by one."""

    def __init__(
        self,
        topology: Topology,
        nft: Nft,
        set_manner: SetManner,
        freezer: Freezer,
        set_causes: SetCauses = lambda _: None,
    ) -> None:
        self._topology = topology
        self._nft = nft
        self._set_manner = set_manner
        self._set_causes = set_causes
        self._freezer = freezer
        self._armed: dict[str, _Armed] = {}
        self._lapsed: list[dict[str, Any]] = []

    def inject(self, fault: Fault, lease_s: float | None) -> None:
        """Refused if the fault has no meaning here. The dead-man is armed first; what fails half way is taken
        back, and where that fails too the dead-man takes it back.
        """
        key = fault_key(fault)
        is_new = key not in self._armed
        if is_new:
            self._armed[key] = _Armed(fault, effects(self._topology, fault), lease_s)
        self._armed[key].lease_s = lease_s
        self._arm(key)
        if is_new:
            try:
                self._apply(self._armed[key].effects)
            except BaseException:
                self.lift(fault)
                raise

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
        self._set_certificates(armed.effects)
        still = self.frozen()
        for host in armed.effects.frozen:
            if host not in still:
                self._freezer.thaw_host(host)

    def is_on(self, fault: Fault) -> bool:
        """Whether it was injected, and neither lifted nor lifted by its dead-man since."""
        return fault_key(fault) in self._armed

    def lapsed(self) -> list[dict[str, Any]]:
        """The faults that lifted themselves, oldest first: {fault, at}, at in seconds since the epoch."""
        return [dict(item) for item in self._lapsed]

    def renew(self) -> None:
        for key in self._armed:
            self._arm(key)

    def describe(self) -> list[dict[str, Any]]:
        """What is on, as plain data, with the seconds until each dead-man acts."""
        now = asyncio.get_running_loop().time()
        return [
            {
                **_plain(armed.fault),
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
        self._set_certificates(wanted)
        for host in wanted.frozen:
            self._freezer.freeze_host(host)

    def _arm(self, key: str) -> None:
        armed = self._armed[key]
        if armed.dead_man:
            armed.dead_man.cancel()
        if armed.lease_s is not None:
            armed.dead_man = asyncio.get_running_loop().call_later(armed.lease_s, self._expire, key)

    def _expire(self, key: str) -> None:
        """The dead-man acts. Where that fails it acts again after another lease."""
        self._arm(key)
        fault = self._armed[key].fault
        self.lift(fault)
        self._lapsed.append({"fault": _plain(fault), "at": time.time()})

    def _set_certificates(self, changed: Effects) -> None:
        """Each certificate cannot be used for the cause of the newest fault that is still on."""
        if changed.certificates:
            causes = {name: why for armed in self._armed.values() for name, why in armed.effects.certificates.items()}
            self._set_causes(causes)

    def _set_manners(self, changed: Effects) -> None:
        """Each front takes the manner of the newest fault that is still on."""
        wanted = {front: manner for armed in self._armed.values() for front, manner in armed.effects.fronts.items()}
        manners: tuple[FrontManner | None, ...] = ("hang", "refuse", None)
        for manner in manners:
            fronts = [front for front in changed.fronts if wanted.get(front) == manner]
            if fronts:
                self._set_manner(fronts, manner)


def _plain(fault: Fault) -> dict[str, Any]:
    return {name: value for name, value in fault.model_dump(mode="json").items() if value}
