"""One orchestrator of a run whose site is simulated, in a process of its own: it can be killed at any moment.

    python -m tests.support.waiting_run RUN CLOCK OCCURRED DECLARED

The journal on disk, the engine, the evidence and the reports are the real ones. The site is `tests.engine.sim`, built
anew as the journal says that it was left. `CLOCK` holds what the wall clock is put by, in seconds: a test moves days
by writing it. Waiting takes real, short looks, so that messages and the clock are heard of.
"""

import sys
import threading
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.recording import Recording, read_observations
from orchestrator.cli.closing import Keeping
from orchestrator.cli.days import note_days
from orchestrator.engine.log import Assignment
from orchestrator.engine.progress import Progress
from orchestrator.engine.run import Engine
from orchestrator.evidence.collect import SIGNERS
from orchestrator.journal import SqliteJournal
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import LoadedSite
from orchestrator.model.approval import Permit
from orchestrator.model.disaster import Disaster
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event
from orchestrator.model.plan import Plan
from orchestrator.planner import Request, make_plan
from orchestrator.ports import Observations
from orchestrator.wiring.places import Permission, Place, Places, copy_of
from orchestrator.wiring.runs import open_run
from tests.engine.sim import SimClock, SimWorld
from tests.support.clocked import put_by
from tests.support.permits import permit_for
from tests.support.sites import ROOT

SITE = ROOT / "inventory/example"
_LOOK_S = 0.05  # a real moment between two looks


class LiveClock(SimClock):
    """The wall clock as the test has put it; the simulated site cannot move it."""

    def now(self) -> float:
        return SystemClock().now()

    def monotonic(self) -> float:
        return time.monotonic()

    def __getattribute__(self, name: str) -> object:
        return SystemClock().now() if name == "at" else super().__getattribute__(name)


class WaitingWorld(SimWorld):
    """Its samples go to the run's folder as they are taken: a killed orchestrator loses none."""

    recording: Recording | None = None

    def measure(self, folder: Path) -> "WaitingWorld":
        self.recording = Recording(folder)
        super().measure(folder)
        return self

    def _tick(self) -> None:
        super()._tick()
        assert self.recording is not None
        for sample in self.samples:
            self.recording.add(sample=sample.model_dump(mode="json"))
        self.samples.clear()
        self.routes.clear()
        threading.Event().wait(_LOOK_S)

    def observations(self) -> Observations:
        assert self.recording is not None
        return read_observations(self.recording.path)


def plan_of(site: LoadedSite) -> Plan:
    request = Request(Mode.INCIDENT, date(2026, 10, 12), {})
    return make_plan(site.topology, site.digest, load_drill(ROOT / "drills", "beijing-dr-cutover"), request)


def opened(journal: SqliteJournal, places: Places, run: str, said: Disaster) -> Assignment:
    site = places.site(SITE)
    plan = plan_of(site)
    permit = permit_for(plan)
    assert isinstance(permit, Permit)
    names = [name for item in permit.consents for name in (item.file, f"{item.file}.sig")]
    signed = dict.fromkeys([*names, SIGNERS], b"how it came to be permitted is not played here\n")
    permission = Permission(permit.model_copy(update={"disaster": said}), signed)
    return open_run(journal, site, plan, places.reports / run, "tester", Place("none", 1, owned=False), permission).job


def taken_over(journal: SqliteJournal, run: str) -> Assignment:
    state = journal.state(run)
    epoch = journal.take_over(run, "tester")
    return Assignment(run, epoch, state.plan, copy_of(state).topology, state.folder)


def world_of(job: Assignment, events: Sequence[Event]) -> WaitingWorld:
    """Futian and Southern are lost; what the run has repointed so far is repointed."""
    world = WaitingWorld(job.topology, LiveClock())
    world.epoch, world.fault = job.epoch, job.plan.fault
    repointed = Progress.of(job.plan, events).repointed
    for change in job.plan.gateways:
        if change.gateway in repointed:
            world.gateways[change.gateway].fronts = change.list_after
    world.fail_over()  # the site is made as it was left
    return world


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main(run: str, clock: Path, occurred_at: float, declared_at: float) -> None:
    put_by(clock)
    places = Places()
    journal = places.journal("example")
    begun = any(item["run"] == run for item in journal.runs())
    said = Disaster(occurred_at=occurred_at, declared_at=declared_at)
    job = taken_over(journal, run) if begun else opened(journal, places, run, said)
    keeping = Keeping.of(places, places.site(SITE), _say)
    keeping.open(job, journal.events(run))
    note_days(journal, job, SITE, _say)
    world = world_of(job, journal.events(run))
    end = Engine(job, world, journal, LiveClock(), resumed=begun).run()
    left = keeping.leave(job, journal.events(run), closed=journal.state(run).status == "closed")
    _say(f"end {end.value}: {left.record.verdict.outcome.value}; {left.said}")
    journal.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
