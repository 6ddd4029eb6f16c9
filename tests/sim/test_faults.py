"""Faults of a twin are made and lifted whole, or can be lifted again; and only by who has the run."""

import asyncio
from collections.abc import Callable

import pytest

from orchestrator.errors import Refused
from orchestrator.loader.site import load_site
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault
from orchestrator.twin.epochs import Epochs
from orchestrator.twin.faults import Faults
from orchestrator.twin.freezer import Freezer
from orchestrator.twin.netns import Namespaces
from orchestrator.twin.nft import Nft
from tests.support.sites import ROOT

FAULT = Fault(manner=FaultManner.DARK, centres=("futian", "southern"))


class Rules(Nft):
    """Keeps the tables instead of a kernel; may refuse to delete some of the next ones, or to make those of a space."""

    def __init__(self) -> None:
        super().__init__(Namespaces())
        self.tables: set[str] = set()
        self.refusals = 0
        self.refused_space = ""

    def run(self, space: str, command: str) -> str:
        if "delete table" not in command:
            if space == self.refused_space:
                raise OSError("nft: no memory")
            self.tables.add(space)
            return ""
        if self.refusals:
            self.refusals -= 1
            raise OSError("nft: busy")
        self.tables.discard(space)
        return ""


def faults(rules: Rules) -> Faults:
    return Faults(load_site(ROOT / "inventory/example").topology, rules, lambda *_: None, Freezer({}))


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nobody tells when a dead-man has acted
            await asyncio.sleep(0.01)


def test_a_fault_that_could_be_made_half_only_is_taken_back() -> None:
    async def half(rules: Rules) -> None:
        made = faults(rules)
        rules.refused_space = "centre-southern"
        with pytest.raises(OSError, match="no memory"):
            made.inject(FAULT, 60)
        assert (rules.tables, made.is_on(FAULT), made.describe(), made.lapsed()) == (set(), False, [], [])

    asyncio.run(half(Rules()))


def test_the_dead_man_is_armed_before_the_fault_is_made() -> None:
    """Half a fault that cannot be taken back either is lifted all the same."""

    async def stuck(rules: Rules) -> None:
        made = faults(rules)
        rules.refused_space, rules.refusals = "centre-southern", 1
        with pytest.raises(OSError, match="busy"):
            made.inject(FAULT, 0.01)
        assert rules.tables == {"centre-futian"}
        await wait_for(lambda: not rules.tables)
        assert not made.is_on(FAULT)

    asyncio.run(stuck(Rules()))


def test_a_fault_that_lifted_itself_is_told_from_one_that_was_lifted() -> None:
    async def unattended(rules: Rules) -> None:
        made, other = faults(rules), Fault(manner=FaultManner.DARK, lines=("tel-futian",))
        made.inject(other, 60)
        made.lift(other)
        made.inject(FAULT, 0.01)
        assert made.is_on(FAULT)
        await wait_for(lambda: not made.is_on(FAULT))
        assert [item["fault"] for item in made.lapsed()] == [{"manner": "dark", "centres": ["futian", "southern"]}]
        made.inject(FAULT, 60)
        assert (made.is_on(FAULT), len(made.lapsed())) == (True, 1)
        made.lift(FAULT)

    asyncio.run(unattended(Rules()))


def test_an_orchestrator_that_lost_its_run_is_refused_and_others_are_not() -> None:
    epochs = Epochs()
    epochs.admit("run-a", 1)
    epochs.admit("run-a", 2)
    epochs.admit("run-a", 2)
    epochs.admit("run-b", 1)
    epochs.admit(None, None)
    with pytest.raises(Refused, match="EPOCH: expected epoch 2 of run run-a, found 1"):
        epochs.admit("run-a", 1)


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
        await wait_for(lambda: not rules.tables)
        assert made.describe() == []

    asyncio.run(unattended(Rules()))
