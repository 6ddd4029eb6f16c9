"""Ours: an engine with journal, interlocks and sampler, in a process of its own that stands in the twin.

`python -m benchmarks.ours TWIN SITE SCRATCH [FROZEN DARK]` runs the plan to its end and prints when it did what, as
JSON. Gateways are moved while they are logged in: the fault is declared and nobody makes it, so that what is measured
is ours and not an exchange's release time. FROZEN and DARK are hosts that are lost just before switching begins, when
everything is armed; they are there again when the way back begins.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.ground import Ground, Taken, need, need_inside, taken
from benchmarks.memory import Memory, Peaks
from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.world import SiteWorld, Tools
from orchestrator.engine.run import End, Engine
from orchestrator.history import epoch_s
from orchestrator.journal import SqliteJournal
from orchestrator.model.drill import FaultManner
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Fault, Plan, Verb
from orchestrator.twin import Twin
from orchestrator.wiring.places import Place, Places
from orchestrator.wiring.runs import new_run, open_run

_LONGEST_S = 1200


class Declared:
    """A fault that people have declared and nobody has made. Hosts may be lost beside it."""

    def __init__(self, twin: Twin, lost: Sequence[str]) -> None:
        self._twin = twin
        self._lost = [Fault(manner=manner, hosts=(host,)) for manner, host in zip(_LOST, lost, strict=False)]

    def inject(self, fault: Fault, lease_s: float, run: str, epoch: int) -> None:  # noqa: ARG002 - the port's form
        for lost in self._lost:
            self._twin.inject(lost, _LONGEST_S)

    def lift(self, fault: Fault, run: str, epoch: int) -> None:  # noqa: ARG002 - the port's form
        for lost in self._lost:
            self._twin.lift(lost)

    def renew(self, run: str, epoch: int) -> None: ...

    def is_on(self, fault: Fault, run: str, epoch: int) -> bool:  # noqa: ARG002 - the port's form
        return True


_LOST = (FaultManner.FREEZE, FaultManner.DARK)


@dataclass(frozen=True)
class Ours:
    """`at`: moments in seconds since the epoch. Cold is from `switching`, armed from GO, which in a rehearsal is the
    first intent of a wave; `arm_s` is what arming took before, which opens the connections.
    """

    at: Mapping[str, float]
    end: str
    peaks: Peaks

    @property
    def arm_s(self) -> float:
        return self.at["armed"] - self.at["arming"]

    def cold(self, ground: Ground, without: Sequence[str] = ()) -> Taken:
        return self._since("switching", ground, without)

    def armed(self, ground: Ground, without: Sequence[str] = ()) -> Taken:
        return self._since("go", ground, without)

    def _since(self, moment: str, ground: Ground, without: Sequence[str]) -> Taken:
        """`without`: hosts whose gateways do not count."""
        among = [move for move in ground.moves if move.host not in without]
        return taken(ground, self.at[moment], self.at["back"], among)


def ours(ground: Ground, lost: Sequence[str] = ()) -> Ours:
    """One run to its end."""
    scratch = ground.scratch / f"ours-{len(list(ground.scratch.glob('ours-*')))}"
    scratch.mkdir()
    words = [sys.executable, "-m", "benchmarks.ours", ground.twin.name, str(ground.site.folder), str(scratch), *lost]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    with process, Memory(ground.twin, process.pid) as memory:
        said = process.communicate(timeout=_LONGEST_S)[0]
    need(process.returncode == 0, f"the engine to end, found exit {process.returncode}")
    found = json.loads(said.splitlines()[-1])
    need(bool(lost) or found["end"] == End.CLOSED, f"the run to be closed, found {found['end']}")
    return Ours(found["at"], found["end"], memory.peaks)


# -- the engine's process -----------------------------------------------------------------------------


def main(name: str, folder: Path, scratch: Path, lost: Sequence[str]) -> None:
    ground = Ground.enter(name, folder, scratch)
    clock, places = SystemClock(), Places()
    journal = SqliteJournal(scratch / "journal.db", clock)
    run = scratch / "reports" / new_run(places, ground.plan, "Asia/Shanghai").name
    opened = open_run(journal, ground.site, ground.plan, run, "bench", Place.of(ground.twin, owned=False))
    tools = Tools(places.playbooks, places.drills / "checks", consent_tcp=True)
    settings = ground.twin.ssh_settings(run.name)
    world = SiteWorld(opened.site, tools, settings, opened.job, Declared(ground.twin, lost))
    end = Engine(opened.job, world, journal, clock).run()
    events = journal.events(run.name)
    journal.close()
    need_inside()
    print(json.dumps({"end": end, "at": _moments(events, ground.plan)}))


def _moments(events: Sequence[Event], plan: Plan) -> dict[str, float]:
    """In seconds since the epoch."""
    states = {item.data["state"]: epoch_s(item) for item in events if item.kind is EventKind.STATE}
    arm = next(step.id for step in plan.steps if step.verb is Verb.ARM)
    waves = {step.id for step in plan.steps if step.verb is Verb.REPOINT}
    intents = _first(events, EventKind.INTENT)
    return {
        "arming": intents[arm],
        "armed": _first(events, EventKind.DONE)[arm],
        "switching": states["switching"],
        "go": min(at for step, at in intents.items() if step in waves),
        "back": states["restoring"],
    }


def _first(events: Sequence[Event], kind: EventKind) -> Mapping[str, Any]:
    found: dict[str, float] = {}
    for item in events:
        if item.kind is kind and item.step is not None:
            found.setdefault(item.step, epoch_s(item))
    return found


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
