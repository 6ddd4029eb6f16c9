"""What a run is made of: its folder, its copy of the site, its place in the journal, and its hands on the hosts."""

import hashlib
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.secrets import Mask
from orchestrator.adapters.ssh import SshSettings, open_way, settings_on_site, ssh_targets
from orchestrator.adapters.world import SiteWorld, Tools
from orchestrator.engine.log import Assignment
from orchestrator.engine.run import locks_of
from orchestrator.errors import DrillctlError, NeedsPerson, Refused
from orchestrator.evidence.disk import folder_to_disk
from orchestrator.evidence.disk import replace as to_disk
from orchestrator.evidence.names import STATEMENTS
from orchestrator.history import permit_of
from orchestrator.journal import RunState, SqliteJournal
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.model.plan import Plan
from orchestrator.rules.approvals import require
from orchestrator.twin import Twin
from orchestrator.wiring.places import COPY, Permission, Place, Places, copy_of


def new_run(places: Places, plan: Plan, timezone: str) -> Path:
    """The folder of a new run; its name is the run's id: start in the site's time, drill, four hex digits."""
    start = datetime.fromtimestamp(SystemClock().now(), ZoneInfo(timezone)).strftime("%Y%m%dT%H%M%S")
    return places.reports / f"{start}-{plan.drill}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class OpenRun:
    """A run that is on record, with the copy of the site that it goes by."""

    job: Assignment
    site: LoadedSite
    place: Place
    resumed: bool


def open_run(
    journal: SqliteJournal,
    site: LoadedSite,
    plan: Plan,
    folder: Path,
    owner: str,
    place: Place,
    permission: Permission | None = None,
) -> OpenRun:
    """Copy the inventory and what was signed into the run's folder, then open the run in the journal, with its locks.

    From here on the run is on record, and it reads the copy only. Refused leaves nothing.
    """
    try:
        copy = _frozen(site, folder)
        permit = permission.permit if permission else None
        if permission is not None:
            _keep_statements(folder / STATEMENTS, permission)
        locks = [f"{place.locks}: {item}" for item in locks_of(plan, site.topology)]
        kept = {"twin": place.twin, "twin_pid": place.pid, "owned": place.owned, "inventory": str(copy.folder)}
        epoch = journal.open_run(folder.name, plan, folder, owner, locks, kept, permit)
    except BaseException:
        if not _is_on_record(journal, folder.name):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    job = Assignment(folder.name, epoch, plan, copy.topology, folder, declared=place.on_site)
    return OpenRun(job, copy, place, resumed=False)


def _keep_statements(folder: Path, permission: Permission) -> None:
    folder.mkdir(parents=True)
    for name, data in permission.signed.items():
        to_disk(folder / name, data)


def _is_on_record(journal: SqliteJournal, run: str) -> bool:
    """A signal may come just after the journal has it. Where nobody can tell, its folder stays."""
    try:
        journal.state(run)
    except Refused:
        return False
    except DrillctlError:
        return True
    return True


def _frozen(site: LoadedSite, folder: Path) -> LoadedSite:
    """Exactly the files that the site was read from, on the disk before this returns."""
    home = folder / COPY
    for file in site.files:
        target = home / file.relative_to(site.folder.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as copy:
            copy.write(file.read_bytes())
            copy.flush()
            os.fsync(copy.fileno())
    for changed in (*(item for item in home.iterdir() if item.is_dir()), home, folder, folder.parent):
        folder_to_disk(changed)
    found = load_site(home / site.folder.name)
    if found.digest != site.digest:
        raise Refused(
            "SITE_CHANGED", f"expected {site.folder} as it was read a moment ago, found it changed; try again"
        )
    return found


def reopen(journal: SqliteJournal, state: RunState, owner: str) -> OpenRun:
    """Take a run over from an orchestrator that is gone. Its own copy of the inventory is what it goes on with."""
    _must_be_permitted(journal, state)
    epoch = journal.take_over(state.run, owner)
    copy = copy_of(state)
    place = Place.read(state.place)
    job = Assignment(state.run, epoch, state.plan, copy.topology, state.folder, declared=place.on_site)
    return OpenRun(job, copy, place, resumed=True)


def _must_be_permitted(journal: SqliteJournal, state: RunState) -> None:
    """The plan is the one that the run was opened with, and on the production path the one that was permitted."""
    events = journal.events(state.run)
    if state.plan.digest != events[0].data["plan_digest"]:
        raise NeedsPerson(
            f"run {state.run}: expected the plan that it was opened with, found another in the journal; nothing was "
            "done. Look at every gateway, and keep the state folder as it is"
        )
    require(state.plan, permit_of(events))


def world_on_twin(places: Places, run: OpenRun, twin: Twin, mask: Mask) -> SiteWorld:
    """The production path's world, with the twin's keys and the twin as the source of the fault."""
    tools = Tools(places.playbooks, places.drills / "checks", consent_tcp=True, mask=mask)
    return SiteWorld(run.site, tools, twin.ssh_settings(run.job.run), run.job, twin)


def world_on_site(places: Places, run: OpenRun, home: Path, mask: Mask) -> SiteWorld:
    """The production path's world on the real network, by `access.yml`. `home` is the site's own folder.

    Refused: REAL_SITE, NO_ACCESS.
    """
    ssh = ssh_on_site(run.site, home, run.job.run)
    consent = run.site.access is not None and run.site.access.consent_tcp
    return SiteWorld(run.site, Tools(places.playbooks, places.drills / "checks", consent, mask), ssh, run.job, None)


def ssh_on_site(site: LoadedSite, home: Path, what: str) -> SshSettings:
    """How the hosts of the real site are reached. `what`: a run, whose connections are always in the same folder, so
    that whoever goes on with it uses and closes those of the orchestrator before; or anything that is unique.
    """
    name = hashlib.sha256(f"{site.topology.site.name} {what}".encode()).hexdigest()[:8]
    settings = settings_on_site(site, home, Path(tempfile.gettempdir()) / f"drillctl-{os.getuid()}-{name}")
    try:
        open_way(settings, ssh_targets(site, settings.access).values())
    except Refused:
        settings.close(site)
        raise
    return settings
