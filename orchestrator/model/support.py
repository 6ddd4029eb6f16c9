"""What a support bundle holds, and what it could not get: its MANIFEST.json (SSCC-2.7). Facts only."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orchestrator.model.base import Frozen, Id, Title


class FileKind(StrEnum):
    CONFIGURATION = "configuration"
    STATUS = "status"
    LOG = "log"
    DATA = "data"


class Limits(Frozen):
    """How much was to be taken at most, in bytes before the archive is compressed."""

    whole: int
    host: int
    file: int
    host_deadline_s: float


class GatheredFile(Frozen):
    """One file of a host. Of one that was cut, the newest part is there: from byte `start` to the end."""

    host: Id
    path: str
    gateway: Id
    kind: FileKind
    name: Annotated[str, Field(description="Its name in the bundle; empty: it is not there, `missing` says why")] = ""
    missing: str = ""
    size: Annotated[int | None, Field(description="Bytes on the host")] = None
    start: Annotated[int, Field(description="Where on the host what is here begins")] = 0
    mode: Annotated[str, Field(description="Permissions on the host, as 0640")] = ""
    changed_at: Annotated[str, Field(description="Last change, in the site's time by the host's clock")] = ""
    bytes: Annotated[int, Field(description="Bytes here")] = 0
    sha256: Annotated[str, Field(description="Of what is here")] = ""
    redaction: Annotated[str, Field(description="What was looked for; the host has replaced it")] = ""
    replaced: Annotated[int, Field(description="Values that the host replaced by keyed digests")] = 0
    masked: Annotated[bool, Field(description="The controller took known secrets out, too")] = False

    @property
    def is_truncated(self) -> bool:
        return self.start > 0


class RunningProcess(Frozen):
    pid: int
    since: Annotated[str, Field(description="In the site's time by the host's clock; empty: unknown")]


class GatheredGateway(Frozen):
    """A gateway as it was when it was looked at; `version` is what the site's command said."""

    id: Id
    number: str
    title: Title
    gateway_class: str
    profile: Id
    verified: bool
    host: Id
    looked: Annotated[bool, Field(description="false: its host could not be looked at; nothing below is known")] = False
    version: str = ""
    version_unknown: str = ""
    processes: tuple[RunningProcess, ...] = ()
    sessions: Annotated[
        tuple[str, ...] | None, Field(description="Far ends of its TCP connections; null: could not be seen")
    ] = None


class HostFacts(Frozen):
    """What the host says of itself. Its wall clock minus ours is `clock_offset_s`, ± `clock_within_s`."""

    hostname: str
    system: str
    kernel: str
    python: str
    timezone: str
    utc_offset_s: int
    up_s: float | None
    load: tuple[float, ...]
    free_bytes: dict[str, int]
    clock_offset_s: float
    clock_within_s: float


class GatheredHost(Frozen):
    """One host; `could_not_look` says why nothing, or not all, is known of it. Empty: all was looked at."""

    id: Id
    room: Id
    address: str
    took_s: float
    could_not_look: str = ""
    facts: HostFacts | None = None


class SupportManifest(Frozen):
    """MANIFEST.json of a support bundle."""

    bundle: str
    made_at: Annotated[str, Field(description="In the site's time")]
    timezone: str
    site: Id
    title: Title
    inventory_digest: str
    simulated: Annotated[bool, Field(description="Gathered from a twin, which is no real site")]
    made_with: str
    by: str
    reason: str
    run: str = ""
    since: str = ""
    leave_out: tuple[str, ...] = ()
    limits: Limits
    hosts: tuple[GatheredHost, ...]
    gateways: tuple[GatheredGateway, ...]
    files: tuple[GatheredFile, ...]

    @property
    def unseen(self) -> tuple[GatheredHost, ...]:
        """Hosts that could not be looked at, or not to the end."""
        return tuple(host for host in self.hosts if host.could_not_look)

    @property
    def taken(self) -> tuple[GatheredFile, ...]:
        return tuple(item for item in self.files if item.name)
