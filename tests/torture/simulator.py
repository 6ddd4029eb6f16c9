"""Kills the orchestrator at every contact of simulated runs, once and then again while another one recovers."""

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.engine.run import End
from orchestrator.model.drill import Mode, Response
from orchestrator.model.verdict import Restoration, RunOutcome, Verdict
from tests.engine.cuts import LATE_S, SOON_S, Night
from tests.engine.test_engine import Stager

SEED = 20261122  # our choice: a failure can be had again


@dataclass(frozen=True)
class Scene:
    """What is played, and what happens to its orchestrators."""

    drill: str
    response: Response | None
    guard_mode: str  # a guard "runs" on without its orchestrator, or "dies" with it
    after_s: float  # until the next orchestrator
    abort: bool = False  # somebody asks for an abort while nobody is at work
    mode: Mode = Mode.REHEARSAL
    parameters: tuple[tuple[str, str], ...] = ()


@dataclass
class Tally:
    """What came of it. `wrong` holds one line per run that broke a promise."""

    runs: int = 0
    kills: int = 0
    closed: int = 0
    waited: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.runs += other.runs
        self.kills += other.kills
        self.closed += other.closed
        self.waited += other.waited
        self.wrong += other.wrong


def scenes() -> Iterator[Scene]:
    """Every drill, with guards that live and die, and orchestrators that come soon and late."""
    for guard_mode in ("runs", "dies"):
        for after_s in (SOON_S, LATE_S):
            for abort in (False, True):
                yield Scene("single-centre-failure", Response.REPOINT, guard_mode, after_s, abort)
                yield Scene("single-centre-failure", Response.ASSIST, guard_mode, after_s, abort)
                yield Scene("single-carrier-failure", None, guard_mode, after_s, abort)
                yield Scene("beijing-dr-cutover", None, guard_mode, after_s, abort)
                yield Scene("gateway-host-failure", None, guard_mode, after_s, abort)
                yield Scene("single-centre-failure", Response.REPOINT, guard_mode, after_s, abort, Mode.INCIDENT)


def play(scene: Scene, kill_at: int, dice: random.Random, folder: Path) -> Tally:
    """One run killed at one contact, then a few more times at any contact of those who go on with it."""
    stager = Stager(folder)
    night = Night(stager(scene.drill, scene.response, scene.mode, dict(scene.parameters)))
    night.stage.world.guard_mode = scene.guard_mode
    tally = Tally(runs=1)
    try:
        night.start(kill_at)
        night.examine()
        if scene.abort and night.end is None:
            night.abort()
        while night.end is None and dice.random() < 0.4 and not night.is_closed():
            night.resume(dice.randrange(1, 60), scene.after_s)
            night.examine()
        _judge(night.finish(scene.after_s), scene)
        night.examine()
    except AssertionError as error:
        tally.wrong.append(f"{scene} killed at {night.killed_at}: {error}")
    finally:
        stager.close()
    tally.kills, tally.waited = night.kills, night.decisions
    tally.closed = int(night.end in (End.CLOSED, End.PAUSED))
    return tally


def _judge(verdict: Verdict, scene: Scene) -> None:
    assert verdict.restoration in (Restoration.PROVED, Restoration.NOT_APPLICABLE), verdict.restoration
    if not scene.abort and scene.after_s == SOON_S and scene.mode is not Mode.INCIDENT:
        assert verdict.outcome is RunOutcome.PASSED, verdict.reasons


def contacts(scene: Scene) -> int:
    """How many contacts a run without kills has."""
    with tempfile.TemporaryDirectory() as folder:
        stager = Stager(Path(folder))
        night = Night(stager(scene.drill, scene.response, scene.mode, dict(scene.parameters)))
        night.start()
        stager.close()
        return night.stage.world.contacts.count


def torture(kills: int) -> Tally:
    """Runs until that many kills, spread over all scenes and all their contacts."""
    dice, tally, chosen = random.Random(SEED), Tally(), list(scenes())  # noqa: S311 - a seed that can be played again
    totals = {scene: contacts(scene) for scene in chosen}
    with tempfile.TemporaryDirectory(prefix="drillctl-torture-") as folder:
        while tally.kills < kills:
            for scene in chosen:
                kill_at = dice.randrange(1, totals[scene] + 1)
                tally.add(play(scene, kill_at, dice, Path(folder) / str(tally.runs)))
    return tally
