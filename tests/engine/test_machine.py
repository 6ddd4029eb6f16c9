"""Runs, kills, aborts, resumes and decisions in any order: no promise is broken, and every run comes to its end."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from orchestrator.engine.run import End
from orchestrator.model.drill import Mode, Response
from orchestrator.model.verdict import Restoration
from tests.engine.cuts import LATE_S, SOON_S, Night
from tests.engine.test_engine import FUTIAN, Stager

KILLS = st.one_of(st.none(), st.integers(1, 260))
_SCENES = (
    ("single-centre-failure", Response.REPOINT, Mode.REHEARSAL),
    ("single-centre-failure", Response.ASSIST, Mode.REHEARSAL),
    ("single-centre-failure", Response.OBSERVE, Mode.DRILL),
    ("single-carrier-failure", None, Mode.REHEARSAL),
    ("beijing-dr-cutover", None, Mode.REHEARSAL),
    ("gateway-host-failure", None, Mode.REHEARSAL),
    ("single-centre-failure", Response.REPOINT, Mode.INCIDENT),
)


class Nights(RuleBasedStateMachine):
    """One run at a time; the site may be unwilling meanwhile, and is mended at the end."""

    @initialize(scene=st.sampled_from(_SCENES), guard_mode=st.sampled_from(("runs", "dies")), kill_at=KILLS)
    def begin(self, scene: tuple[str, Response | None, Mode], guard_mode: str, kill_at: int | None) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="drillctl-nights-")
        self.stager = Stager(Path(self.folder.name))
        drill, response, mode = scene
        self.night = Night(self.stager(drill, response, mode))
        self.night.stage.world.guard_mode = guard_mode
        self.night.start(kill_at)

    @precondition(lambda self: not self.night.is_closed())
    @rule(kill_at=KILLS, after_s=st.sampled_from((SOON_S, LATE_S)))
    def another_orchestrator(self, kill_at: int | None, after_s: float) -> None:
        self.night.resume(kill_at, after_s)

    @rule()
    def somebody_asks_for_an_abort(self) -> None:
        self.night.abort()

    @precondition(lambda self: self.night.end is End.WAITING)
    @rule(choice=st.sampled_from(("done", "not-done", "repeat")))
    def somebody_decides(self, choice: str) -> None:
        self.night.decide(choice)

    @rule(gateway=st.sampled_from(FUTIAN), unseen=st.booleans())
    def a_host_cannot_be_looked_at(self, gateway: str, unseen: bool) -> None:
        (self.night.stage.world.unseen.add if unseen else self.night.stage.world.unseen.discard)(gateway)

    @rule(gateway=st.sampled_from(FUTIAN), broken=st.booleans())
    def a_disk_is_full(self, gateway: str, broken: bool) -> None:
        restores = self.night.stage.world.broken_restore
        (restores.add if broken else restores.discard)(gateway)

    @rule(gateway=st.sampled_from(FUTIAN), verb=st.sampled_from(("repoint", "restore", "restart")))
    def answers_are_lost(self, gateway: str, verb: str) -> None:
        self.night.stage.world.timing_out ^= {(verb, gateway)}

    @invariant()
    def no_promise_is_broken(self) -> None:
        if hasattr(self, "night"):
            self.night.examine()

    def teardown(self) -> None:
        if not hasattr(self, "night"):
            return
        world = self.night.stage.world
        for broken in (world.unseen, world.broken_restore, world.timing_out):
            broken.clear()
        try:
            verdict = self.night.finish(choice="repeat")
            self.night.examine()
            if self.night.decisions == 0:
                assert verdict.restoration in (Restoration.PROVED, Restoration.NOT_APPLICABLE)
        finally:
            self.stager.close()
            self.folder.cleanup()


class TestNights(Nights.TestCase):  # type: ignore[misc,valid-type] # hypothesis makes the class
    """A few of them every day; `make torture` plays many."""

    settings = settings(
        max_examples=20,
        stateful_step_count=8,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
