"""What the real world keeps of its promises by itself: leases, clean-up, and a snapshot that lacks nothing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.adapters.ssh import SshSettings
from orchestrator.adapters.world import Names, Renewal, Requests, SiteWorld, Tools
from orchestrator.engine import Assignment
from orchestrator.errors import Refused, StepFailed
from orchestrator.model.event import Outcome
from orchestrator.model.plan import Fault
from orchestrator.ports import TargetResult
from tests.engine.sim import SimClock
from tests.engine.test_engine import SITE, Stager, stage
from tests.support.sites import ROOT

__all__ = ["stage"]


class Maker:
    """A fault that is on until it is lifted or no longer renewed."""

    def __init__(self) -> None:
        self.on = False
        self.lifts = True

    def inject(self, fault: Fault, lease_s: float) -> None:
        del fault, lease_s
        self.on = True

    def lift(self, fault: Fault) -> None:
        del fault
        if not self.lifts:
            raise Refused("NO_TWIN", "expected an answer")
        self.on = False

    def renew(self) -> None:
        pass


class Answering(SiteWorld):
    """Its hosts answer without being asked; those in `failing` do not succeed."""

    failing: frozenset[str] = frozenset()
    played: int = 0

    def _play(self, playbook: str, requests: Requests, names: Names, deadline_s: float) -> Iterator[TargetResult]:
        del playbook, deadline_s
        self.played += 1
        for host in requests:
            outcome = Outcome.FAILED if host in self.failing else Outcome.SUCCEEDED
            yield from (TargetResult(name, outcome, "disk full", {"running": [1]}) for name in names[host])


@pytest.fixture
def world(stage: Stager, tmp_path: Path) -> Answering:
    (tmp_path / "cm").mkdir()
    play = stage()
    job = Assignment("r1", 1, play.plan, SITE.topology, tmp_path)
    tools = Tools(ROOT / "playbooks", ROOT / "drills/checks", consent_tcp=True)
    return Answering(SITE, tools, SshSettings(tmp_path / "cm"), job, Maker())


def test_renewing_goes_on_after_an_error_and_tells_how_long_there_was_none() -> None:
    clock, asked = SimClock(), threading.Semaphore(0)

    def renew() -> None:
        asked.release()
        raise Refused("NO_TWIN", "expected an answer")

    renewal = Renewal(renew, 0.03, clock)
    assert asked.acquire(timeout=5)
    assert asked.acquire(timeout=5), "it asks again"
    clock.at += 60
    renewal.stop()
    assert renewal.longest_s == pytest.approx(60)


def test_a_lease_that_was_renewed_late_is_told_too() -> None:
    clock, asked = SimClock(), threading.Semaphore(0)
    renewal = Renewal(asked.release, 0.03, clock)
    clock.at += 60
    assert asked.acquire(timeout=5)
    assert asked.acquire(timeout=5)
    renewal.stop()
    assert renewal.longest_s == pytest.approx(60)


def test_closing_stops_renewing_a_fault_that_could_not_be_lifted(world: Answering, stage: Stager) -> None:
    fault = stage().plan.fault
    before = threading.active_count()
    world.inject(fault)
    assert threading.active_count() == before + 1
    world.close()
    assert until_threads(before), "nobody renews it: its dead-man lifts it"


def until_threads(wanted: int) -> bool:
    for thread in threading.enumerate():
        if thread.name == "renewal":
            thread.join(5)
    return threading.active_count() == wanted


def test_closing_leaves_no_folder_of_control_sockets(world: Answering, tmp_path: Path) -> None:
    world.close()
    assert not (tmp_path / "cm").exists()


def test_what_could_not_be_cleaned_up_is_tried_again_and_told(world: Answering, stage: Stager) -> None:
    plan = stage().plan
    world.arm(plan, 10)
    world.failing = frozenset({plan.affected[0].host})
    assert Outcome.FAILED in {item.outcome for item in world.disarm()}
    with pytest.raises(StepFailed, match=plan.affected[0].host):
        world.close()
    world.failing = frozenset()
    assert [item.target for item in world.disarm()] == [plan.affected[0].host]
    assert world.disarm() == []


def test_a_router_that_was_not_seen_is_missing_in_the_snapshot_by_name(world: Answering) -> None:
    taken = world.snapshot(10)
    assert set(taken.unreachable) == {router.id for router in SITE.topology.routers}
