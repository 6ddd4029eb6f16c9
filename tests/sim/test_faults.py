"""Faults of a twin are lifted whole, or can be lifted again."""

import asyncio

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault
from orchestrator.twin.faults import Faults
from orchestrator.twin.netns import Namespaces
from orchestrator.twin.nft import Nft
from tests.support.sites import ROOT

FAULT = Fault(manner=FaultManner.DARK, centres=("futian", "southern"))


class Rules(Nft):
    """Keeps the tables instead of a kernel; may refuse to delete some of the next ones."""

    def __init__(self) -> None:
        super().__init__(Namespaces())
        self.tables: set[str] = set()
        self.refusals = 0

    def run(self, space: str, command: str) -> str:
        if "delete table" not in command:
            self.tables.add(space)
            return ""
        if self.refusals:
            self.refusals -= 1
            raise OSError("nft: busy")
        self.tables.discard(space)
        return ""


def faults(rules: Rules) -> Faults:
    return Faults(load_site(ROOT / "inventory/example").topology, rules, lambda *_: None, {})


def test_a_fault_that_could_not_be_lifted_can_be_lifted_again() -> None:
    rules = Rules()
    made = faults(rules)
    made.inject(FAULT, None)
    rules.refusals = 1
    with pytest.raises(OSError, match="busy"):
        made.lift(FAULT)
    assert rules.tables
    made.lift(FAULT)
    assert not rules.tables


def test_a_dead_man_that_fails_acts_again() -> None:
    async def unattended(rules: Rules) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        made = faults(rules)
        made.inject(FAULT, 0.01)
        rules.refusals = 1
        async with asyncio.timeout(5):
            while rules.tables:  # noqa: ASYNC110 - nobody tells when a dead-man has acted
                await asyncio.sleep(0.01)
        assert made.describe() == []

    asyncio.run(unattended(Rules()))
