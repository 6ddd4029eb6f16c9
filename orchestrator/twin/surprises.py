"""Failures that somebody beside a run has made in the twin, with when: what a report holds the run's own words against.

They end with the twin, or when they are lifted; no run renews or lifts them.
"""

import time
from typing import Any

from orchestrator.model.plan import Fault
from orchestrator.twin.faults import Faults


class Surprises:
    """On record for good, also after they were lifted."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._made: list[tuple[Fault, dict[str, Any]]] = []

    def make(self, fault: Fault, text: str) -> None:
        """Break it. Refused as any fault that has no meaning here; one that is on already stays as it is."""
        if any(known == fault and said["lifted_at"] is None for known, said in self._made):
            return
        self._faults.inject(fault, None)
        self._made.append((fault, {"text": text, "at": time.time(), "lifted_at": None}))

    def lift(self) -> list[str]:
        """Lift all that are on; what each was asked for as."""
        on = [(fault, said) for fault, said in self._made if said["lifted_at"] is None]
        for fault, said in on:
            self._faults.lift(fault)
            said["lifted_at"] = time.time()
        return [said["text"] for _, said in on]

    def truth(self) -> dict[str, Any]:
        """Left out where there is none: what a twin tells of any other run is as it was without."""
        made = [dict(said) for _, said in self._made]
        return {"surprises": made} if made else {}
