"""Builds the objects: where things lie, and what a run is made of."""

import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.world import SiteWorld, Tools
from orchestrator.engine import Assignment
from orchestrator.engine.run import locks_of
from orchestrator.errors import DefinitionError
from orchestrator.journal import SqliteJournal
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.model.plan import Plan
from orchestrator.twin import Twin

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Places:
    """Where definitions, playbooks, reports and state lie."""

    root: Path = ROOT

    @property
    def drills(self) -> Path:
        return self.root / "drills"

    @property
    def playbooks(self) -> Path:
        return self.root / "playbooks"

    @property
    def reports(self) -> Path:
        return Path(os.environ.get("DRILLCTL_REPORTS") or self.root / "reports")

    def site(self, name: Path) -> LoadedSite:
        """A site by its folder, or by a name under inventory/."""
        tried = [name, self.root / name, self.root / "inventory" / name]
        folder = next((item for item in tried if (item / "topology.yml").is_file()), None)
        if folder is None:
            raise DefinitionError(
                f"--site {name}: expected a folder with topology.yml, found none; `drillctl init NAME` makes one"
            )
        return load_site(folder.resolve())

    def state(self, site: str) -> Path:
        return Path(os.environ.get("DRILLCTL_STATE") or Path.cwd() / ".drillctl" / site)

    def journal(self, site: str) -> SqliteJournal:
        return SqliteJournal(self.state(site) / "journal.db", SystemClock())


def clock() -> SystemClock:
    """The machine's clocks."""
    return SystemClock()


def new_run(places: Places, plan: Plan, timezone: str) -> Path:
    """The folder of a new run; its name is the run's id: start in the site's time, drill, four hex digits."""
    start = datetime.fromtimestamp(SystemClock().now(), ZoneInfo(timezone)).strftime("%Y%m%dT%H%M%S")
    return places.reports / f"{start}-{plan.drill}-{secrets.token_hex(2)}"


def assignment(
    journal: SqliteJournal, site: LoadedSite, plan: Plan, folder: Path, owner: str, where: str
) -> Assignment:
    """Open the run in the journal, with its locks; from here on it is on record. `where` is what holds the things
    that are locked, e.g. one twin: the same number in another twin is another thing.
    """
    locks = [f"{where}: {item}" for item in locks_of(plan, site.topology)]
    epoch = journal.open_run(folder.name, plan, folder, owner, locks)
    folder.mkdir(parents=True)
    return Assignment(folder.name, epoch, plan, site.topology, folder)


def world_on_twin(places: Places, site: LoadedSite, job: Assignment, twin: Twin) -> SiteWorld:
    """The production path's world, with the twin's keys and the twin as the source of the fault."""
    tools = Tools(places.playbooks, places.drills / "checks", consent_tcp=True)
    return SiteWorld(site, tools, twin.ssh_settings(), job, twin)
