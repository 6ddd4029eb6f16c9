"""What surrounds a run on a twin: its locks, and lines that are down only as long as it lasts."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from orchestrator.cli.conduct import out_of_service
from orchestrator.engine.run import locks_of
from orchestrator.errors import Refused
from orchestrator.loader.drill import load_drill
from orchestrator.model.base import Title
from orchestrator.model.drill import Mode
from orchestrator.model.plan import Fault, PathChange
from orchestrator.planner import Request, make_plan
from orchestrator.twin import Twin
from orchestrator.wiring import assignment
from tests.engine.test_engine import SITE, Stager, stage
from tests.support.sites import ROOT

__all__ = ["stage"]


@dataclass(frozen=True)
class Counting(Twin):
    """Only counts the faults that are on."""

    on: list[Fault] = field(default_factory=list)

    def inject(self, fault: Fault, lease_s: float) -> None:
        del lease_s
        self.on.append(fault)

    def lift(self, fault: Fault) -> None:
        self.on.remove(fault)


def test_lines_that_were_down_before_are_up_again_after_the_run_however_it_ends() -> None:
    request = Request(Mode.REHEARSAL, date(2026, 11, 22), {}, out_of_service=("uni-southern",))
    plan = make_plan(SITE.topology, SITE.digest, load_drill(ROOT / "drills", "single-carrier-failure"), request)
    twin = Counting("t", Path(), Path(), "", 1)
    seen: list[Fault] = []

    def run() -> None:
        with out_of_service(plan, twin):
            seen.extend(twin.on)
            raise Refused("LOCKED", "another run")

    with pytest.raises(Refused):
        run()
    assert ([fault.lines for fault in seen], twin.on) == ([("uni-southern",)], [])


def test_a_run_that_was_killed_locks_its_own_twin_only(stage: Stager, tmp_path: Path) -> None:
    play = stage()
    for number, where in enumerate(("twin a 1", "twin b 2", "twin a 3")):
        assignment(play.journal, SITE, play.plan, tmp_path / f"run-{number}", "tester", where)
    with pytest.raises(Refused, match="LOCKED"):
        assignment(play.journal, SITE, play.plan, tmp_path / "again", "tester", "twin a 1")


def test_a_router_whose_path_moves_is_locked(stage: Stager) -> None:
    play, said = stage(), Title(zh="改走", en="moves")
    path = PathChange(router="ce-b", centre="futian", line_before="tel-futian", line_after="uni-futian", reason=said)
    assert "host:ce-b" not in locks_of(play.plan, play.topology)
    assert "host:ce-b" in locks_of(play.plan.model_copy(update={"paths": (path,)}), play.topology)
