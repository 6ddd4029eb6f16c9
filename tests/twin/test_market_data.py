"""Market data loses TCP on a twin: the other centre's TCP, then multicast, then the satellite, and TCP again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Action, Fault
from orchestrator.model.verdict import Restoration
from orchestrator.twin import Twin
from tests.support.command import drillctl, drillctl_running
from tests.support.sites import ROOT
from tests.support.twins import broken
from tests.twin.test_rehearsals import passed
from tests.twin.test_sabotage import inside

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]

DRILL = "market-data-fallback"
TCP = ("nq-md-1", "nq-md-2")


@pytest.mark.parametrize(
    ("lost", "front"),
    [
        ("terrestrial", "satellite-multicast"),
        pytest.param("tcp", "futian-multicast", marks=pytest.mark.matrix),
        pytest.param("one-tcp", "futian-multicast", marks=pytest.mark.matrix),
    ],
)
def test_the_next_way_carries_it_and_tcp_is_primary_again(tmp_path: Path, lost: str, front: str) -> None:
    record = passed(drillctl("rehearse", DRILL, "--set", f"lost={lost}", "--json", state=tmp_path))
    actions = {item.gateway: item.action for item in record.plan.gateways}
    truth = record.ground_truth
    assert truth is not None
    assert record.fault_at is not None
    assert record.lifted_at is not None
    if lost == "one-tcp":
        assert (actions["nq-md-1"], actions["nq-md-2"]) == (Action.REPOINT, Action.NONE)
    else:
        assert {actions[name] for name in TCP} == {Action.PAIR}
        carrying = {item.standby for item in record.plan.gateways if item.gateway in TCP}
        assert carrying == ({"nq-mc-1"} if lost == "terrestrial" else {"nq-mc-1", "nq-mc-2"})
        numbers = {item.number for item in record.plan.gateways if item.gateway in TCP}
        heard = [item["at"] for item in truth["logins"] if item["number"] in numbers]
        assert not [at for at in heard if record.fault_at <= at < record.lifted_at]
        assert max(heard) > record.lifted_at
    times = {item.gateway: item for item in record.verdict.gateways}
    if lost == "terrestrial":
        assert times["nq-mc-1"].front_during == front
    clause = next(item for item in record.clauses if item.id == "SSCC-2.4")
    assert clause.result == "passed"


@pytest.fixture
def twin() -> Iterator[Twin]:
    made = Twin.up(load_site(ROOT / "inventory/example"))
    yield made
    made.down()


@pytest.mark.matrix
def test_a_gateway_that_does_not_come_back_to_tcp_is_named_and_nothing_is_called_restored(
    tmp_path: Path, twin: Twin
) -> None:
    """SSCC-2.4: whoever stays on multicast has not restored anything."""
    with drillctl_running(*inside(twin, "rehearse", DRILL, "--set", "lost=tcp"), state=tmp_path) as running:
        running.until("== holding")
        one, other = (Fault(manner=FaultManner.DARK, fronts=(f"{name}-market",)) for name in ("futian", "southern"))
        with broken(twin, one, 600), broken(twin, other, 600):
            said = running.finish()
    assert said.code in (1, 5), said.err[-3000:]
    assert said.record.verdict.restoration in (Restoration.NOT_PROVED, Restoration.PENDING)
    assert "nq-md-1" in said.err
    assert twin.truth()["duplicates"] == 0
