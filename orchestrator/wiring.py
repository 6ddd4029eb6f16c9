"""Builds the objects: where things lie, and what a run is made of."""

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.lever import LeverFile
from orchestrator.adapters.plan_file import PlanFile
from orchestrator.adapters.secrets import NO_MASK, Mask
from orchestrator.adapters.ssh import SshSettings, open_way, settings_on_site, ssh_targets
from orchestrator.adapters.timestamping import HttpStamper
from orchestrator.adapters.world import SiteWorld, Tools
from orchestrator.engine import Assignment
from orchestrator.engine.run import locks_of
from orchestrator.errors import DefinitionError, DrillctlError, NeedsPerson, Refused
from orchestrator.evidence.collect import STATEMENTS
from orchestrator.evidence.disk import folder_to_disk
from orchestrator.evidence.disk import replace as to_disk
from orchestrator.evidence.keys import firm_keys, local_keys, make_local_keys
from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.pack import Seals
from orchestrator.evidence.sign import sign_detached
from orchestrator.evidence.stamp import InternalStamper
from orchestrator.history import permit_of
from orchestrator.journal import Mirror, Room, RunState, SqliteJournal
from orchestrator.loader.document import read
from orchestrator.loader.site import SIGNERS, LoadedSite, load_site
from orchestrator.model.approval import Permit
from orchestrator.model.evidence import EvidenceSettings
from orchestrator.model.plan import Plan
from orchestrator.rules.approvals import require
from orchestrator.twin import Twin

ROOT = Path(__file__).resolve().parent.parent
_COPY = "inventory"  # folder of a run that holds what the site was read from


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
        return Path(os.environ.get("DRILLCTL_REPORTS") or self.root / "reports").absolute()

    def site_folder(self, name: Path) -> Path:
        """A site by its folder, or by a name under inventory/."""
        tried = [name, self.root / name, self.root / "inventory" / name]
        folder = next((item for item in tried if (item / "topology.yml").is_file()), None)
        if folder is None:
            raise DefinitionError(
                f"--site {name}: expected a folder with topology.yml, found none; `drillctl init NAME` makes one"
            )
        return folder.resolve()

    def site(self, name: Path) -> LoadedSite:
        """The site as it stands there now."""
        return load_site(self.site_folder(name))

    def site_name(self, name: Path) -> str:
        """What a site calls itself, also while its inventory is being edited and is wrong as a whole: an operator
        who has to stop a run is not sent to mend a file first.
        """
        folder = self.site_folder(name)
        try:
            return str(read(folder / "topology.yml").data["site"]["name"])
        except (DrillctlError, KeyError, TypeError):
            return folder.name

    def timezone(self, name: Path) -> str:
        """The site's time zone, with the same care."""
        try:
            return self.site(name).topology.site.timezone
        except DrillctlError:
            return "UTC"

    def state(self, site: str) -> Path:
        return Path(os.environ.get("DRILLCTL_STATE") or Path.cwd() / ".drillctl" / site)

    def journal(self, site: str, mask: Mask = NO_MASK) -> SqliteJournal:
        """What `mask` takes out comes into no event. What does is in the second room, where there is one."""
        path, room = self.state(site) / "journal.db", self.second_room(site)
        return SqliteJournal(path, SystemClock(), mask.data, Mirror(room, path) if room else None)

    def second_room(self, site: str) -> Room | None:
        """The folder that is mounted from the second room (or is carried there). None: there is none."""
        home = os.environ.get("DRILLCTL_SECOND_ROOM")
        if home and not Path(home).is_absolute():
            raise DefinitionError(f"DRILLCTL_SECOND_ROOM: expected an absolute path, found {home!r}")
        return Room(Path(home), site) if home else None

    def plans(self, site: LoadedSite) -> PlanFile:
        """Plans on file, with what was signed about them by those who may sign now."""
        return PlanFile(self.state(site.topology.site.name) / "plans", site.folder / SIGNERS)

    def lever(self, site: str) -> LeverFile:
        return LeverFile(self.state(site))

    def keys(self, site: str) -> Path:
        """Local keys, for rehearsals."""
        return self.state(site) / "keys"

    @property
    def ledger(self) -> Path:
        return self.reports / "ledger"


def clock() -> SystemClock:
    """The machine's clocks."""
    return SystemClock()


def new_run(places: Places, plan: Plan, timezone: str) -> Path:
    """The folder of a new run; its name is the run's id: start in the site's time, drill, four hex digits."""
    start = datetime.fromtimestamp(SystemClock().now(), ZoneInfo(timezone)).strftime("%Y%m%dT%H%M%S")
    return places.reports / f"{start}-{plan.drill}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class Place:
    """Where a run happens, as the journal keeps it: one twin, known by its name and process id, or the real site."""

    twin: str  # empty: the real site
    pid: int
    owned: bool  # brought up for this run, and taken down with it

    @classmethod
    def of(cls, twin: Twin | None, *, owned: bool) -> "Place":
        return cls(twin.name, twin.pid, owned) if twin else cls("", 0, owned=False)

    @property
    def on_site(self) -> bool:
        return not self.twin

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Place":
        """A run of an older version does not say where it was: in a twin that is not there any more."""
        return cls(data.get("twin", "unknown"), data.get("twin_pid", 0), bool(data.get("owned")))

    def find(self) -> Twin | None:
        """That very twin, if it lives: another one may have its name by now. None on the real site.

        Refused TWIN_HIDDEN: it lives, but this user, or another DRILLCTL_TWINS, does not see it.
        """
        if self.on_site:
            return None
        found = next((twin for twin in Twin.all() if (twin.name, twin.pid) == (self.twin, self.pid)), None)
        if found is None and self._process_lives():
            raise Refused(
                "TWIN_HIDDEN",
                f"expected to see twin {self.twin}, found only its process {self.pid}; use the user and the "
                "DRILLCTL_TWINS that brought it up (`sudo`)",
            )
        return found

    def _process_lives(self) -> bool:
        """Whether that process is a twin's daemon of this name, by its command line."""
        try:
            words = (Path("/proc") / str(self.pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return False
        return "orchestrator.twin.daemon" in words and self.twin in (Path(word).name for word in words)

    @property
    def locks(self) -> str:
        """What stands before each lock: the same number in another twin is another thing, and its locks end with it."""
        if self.on_site:
            return "site"
        return f"twin {self.twin} {self.pid}"


@dataclass(frozen=True)
class Permission:
    """Why a run on the production path may begin, with what was signed: name of the file → its bytes."""

    permit: Permit
    signed: Mapping[str, bytes]


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
    home = folder / _COPY
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


def copy_of(state: RunState) -> LoadedSite:
    """The inventory as it was when the run began. NeedsPerson: the run's own copy is not that any more."""
    folder = Path(state.place.get("inventory") or state.folder / _COPY)
    try:
        found = load_site(folder)
    except DrillctlError as error:
        raise NeedsPerson(
            f"run {state.run}: expected its own copy of the inventory in {folder}, found: {error}; put it back as it "
            "was when the run began (its digest is in the plan), then resume"
        ) from error
    if found.digest != state.plan.inventory_digest:
        raise NeedsPerson(
            f"run {state.run}: expected its own copy of the inventory in {folder} as it was when the run began, found "
            "it changed; put the old files back, then resume"
        )
    return found


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


def seals_of(places: Places, site: LoadedSite, settings: EvidenceSettings, *, simulated: bool) -> Seals:
    """What a run of this site is signed and stamped with: rehearsals with local keys, made when there are none; runs
    on the real site with what `evidence.yml` names, or not at all.
    """
    name, title = site.topology.site.name, site.topology.site.title.en
    local = local_keys(places.keys(name))
    if not simulated:
        stamping = settings.stamping
        return Seals(
            firm_keys(settings.signing, site.folder, local) if settings.signing else None,
            HttpStamper(stamping.url) if stamping else None,
            Path(stamping.certificates) if stamping else None,
        )
    keys = local or make_local_keys(places.keys(name), title, datetime.now(UTC))
    keys = keys if settings.sm2 else replace(keys, sm2=None)
    return Seals(keys, InternalStamper(keys.tsa) if keys.tsa else None)


def ledger_with(places: Places, seals: Seals, said: Callable[[str], None]) -> Ledger:
    """The ledger of all runs; its head is signed by whoever signs here."""
    keys = seals.keys
    sign = partial(sign_detached, keys) if keys and keys.key else None
    return Ledger(places.ledger, SystemClock(), sign, said)
