"""Where things lie: definitions, sites, reports, state. Every verb begins here, so it stands on little."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.lever import LeverFile
from orchestrator.errors import DefinitionError, DrillctlError, NeedsPerson, Refused
from orchestrator.journal import Mirror, Room, RunState, SqliteJournal
from orchestrator.loader.document import read
from orchestrator.model.approval import Permit

if TYPE_CHECKING:  # a verb that needs no site, no plan and no twin waits for none of them
    from orchestrator.adapters.plan_file import PlanFile
    from orchestrator.adapters.secrets import Mask
    from orchestrator.loader.site import LoadedSite
    from orchestrator.twin import Twin

ROOT = Path(__file__).resolve().parents[2]
COPY = "inventory"  # folder of a run that holds what the site was read from


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

    def site(self, name: Path) -> "LoadedSite":
        """The site as it stands there now."""
        from orchestrator.loader.site import load_site  # noqa: PLC0415 - see above

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

    def journal(self, site: str, mask: "Mask | None" = None) -> SqliteJournal:
        """What `mask` takes out comes into no event. What does is in the second room, where there is one."""
        path, room = self.state(site) / "journal.db", self.second_room(site)
        hidden = mask.data if mask is not None else lambda data: data
        return SqliteJournal(path, SystemClock(), hidden, Mirror(room, path) if room else None)

    def second_room(self, site: str) -> Room | None:
        """The folder that is mounted from the second room (or is carried there). None: there is none."""
        home = os.environ.get("DRILLCTL_SECOND_ROOM")
        if home and not Path(home).is_absolute():
            raise DefinitionError(f"DRILLCTL_SECOND_ROOM: expected an absolute path, found {home!r}")
        return Room(Path(home), site) if home else None

    def plans(self, site: "LoadedSite") -> "PlanFile":
        """Plans on file, with what was signed about them by those who may sign now."""
        from orchestrator.adapters.plan_file import PlanFile  # noqa: PLC0415 - see above
        from orchestrator.loader.site import SIGNERS  # noqa: PLC0415

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


@dataclass(frozen=True)
class Place:
    """Where a run happens, as the journal keeps it: one twin, known by its name and process id, or the real site."""

    twin: str  # empty: the real site
    pid: int
    owned: bool  # brought up for this run, and taken down with it

    @classmethod
    def of(cls, twin: "Twin | None", *, owned: bool) -> "Place":
        return cls(twin.name, twin.pid, owned) if twin else cls("", 0, owned=False)

    @property
    def on_site(self) -> bool:
        return not self.twin

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> "Place":
        """A run of an older version does not say where it was: in a twin that is not there any more."""
        return cls(data.get("twin", "unknown"), data.get("twin_pid", 0), bool(data.get("owned")))

    def find(self) -> "Twin | None":
        """That very twin, if it lives: another one may have its name by now. None on the real site.

        Refused TWIN_HIDDEN: it lives, but this user, or another DRILLCTL_TWINS, does not see it.
        """
        if self.on_site:
            return None
        from orchestrator.twin import Twin  # noqa: PLC0415 - see above

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


def copy_of(state: RunState) -> "LoadedSite":
    """The inventory as it was when the run began. NeedsPerson: the run's own copy is not that any more."""
    from orchestrator.loader.site import load_site  # noqa: PLC0415 - see above

    folder = Path(state.place.get("inventory") or state.folder / COPY)
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


@dataclass(frozen=True)
class Permission:
    """Why a run on the production path may begin, with what was signed: name of the file → its bytes."""

    permit: Permit
    signed: Mapping[str, bytes]
