"""What evidence is made of: lines of the ledger, findings, approvals, and how a site signs and keeps its evidence."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from orchestrator.model.approval import StatementKind
from orchestrator.model.base import Frozen, Id, Title


class LedgerKind(StrEnum):
    """What a line of the ledger (演练台账) says."""

    RUN_OPENED = "run.opened"  # before the first act of a run
    RUN_CLOSED = "run.closed"  # what it came to, with what the annual summary needs
    RUN_CANCELLED = "run.cancelled"  # planned and not held, with the reason
    PACK_SEALED = "pack.sealed"
    PACK_STAMPED = "pack.stamped"  # a time stamp or an external signature came later
    PACK_DELETED = "pack.deleted"  # its time of keeping is over
    FINDING_OPENED = "finding.opened"
    FINDING_CHANGED = "finding.changed"  # owner or due date
    FINDING_CLOSED = "finding.closed"
    SCHEDULE_MISSED = "schedule.missed"  # an entry of the schedule whose time has passed without a run
    ANCHORED = "anchored"  # the head was sent elsewhere
    HEARTBEAT = "heartbeat"  # nothing happened, and the ledger was whole


class LedgerLine(Frozen):
    """One line of `reports/ledger/ledger.jsonl`. `at` is UTC, ISO 8601; `digest` chains over `previous`."""

    seq: int
    at: str
    kind: LedgerKind
    data: dict[str, Any]
    previous: str
    digest: str


class LedgerHead(Frozen):
    """How long the ledger is, and the digest of its last line: whoever has it can tell a ledger that was cut back."""

    size: int
    digest: str


class FindingKind(StrEnum):
    """What a finding (整改问题) comes from."""

    CHECK = "check"
    OBJECTIVE = "objective"
    GATEWAY = "gateway"  # did not come back where the plan expected it
    STEP = "step"
    RESTORATION = "restoration"
    REVIEW = "review"  # done by break-glass, to be looked at by somebody else
    DEVIATION = "deviation"  # the run did not go by its plan: interrupted, decided by a person, stopped


class Finding(Frozen):
    """Something to be mended. `owner` is a person's id of people.yml; `due` a date, ISO 8601, in the site's zone."""

    id: Annotated[str, Field(description="F-<run's start>-<run's four hex>-<number in the run>")]
    run: str
    drill: str
    kind: FindingKind
    subject: Annotated[str, Field(description="What it is about: a check and its target, an objective, a gateway …")]
    title: Title
    detail: Title
    owner: str | None
    due: str


class FindingState(Frozen):
    """A finding as the ledger knows it: open, or closed with a reason or by the run that retested it."""

    finding: Finding
    closed_at: str | None = None
    closed_by: str | None = None
    reason: str | None = None
    retest_run: str | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None


class Approval(Frozen):
    """Who signed what about a plan, bound to its digest. `file`: the signed statement, with its signature beside it."""

    by: str
    role: str
    at: float
    plan_digest: str
    note: str = ""
    kind: StatementKind = StatementKind.APPROVE
    file: str | None = None


class LedgerPlace(Frozen):
    """Where a run stands in the ledger: the number and the digest of its own opening line."""

    seq: int
    digest: str


class Anchor(Frozen):
    """A place outside, to which the ledger's head is sent. One of: a folder, an SFTP folder, a mail address."""

    id: Id
    kind: Literal["directory", "sftp", "mail"]
    to: Annotated[str, Field(description="directory: a path; sftp: user@host:port/folder; mail: an address")]
    server: Annotated[str | None, Field(description="mail: the SMTP server, host:port")] = None
    sender: Annotated[str | None, Field(description="mail: the sender's address")] = None
    key: Annotated[str | None, Field(description="sftp: path of the private key")] = None
    host_key: Annotated[str | None, Field(description="sftp: the server's public key, as in known_hosts")] = None


class SigningSettings(Frozen):
    """The firm's own certificate. `key`: a PEM file, or a `pkcs11:` URI that names no PIN."""

    certificate: str
    key: str | None = None
    chain: str | None = None
    external: Annotated[bool, Field(description="Signed elsewhere (EKey tool of the vendor) and imported")] = False


class StampingSettings(Frozen):
    """A time-stamping authority (RFC 3161)."""

    url: str
    certificates: Annotated[str, Field(description="PEM file of the authority's certificates, to verify with")]


class EvidenceSettings(Frozen):
    """`evidence.yml` of a site; without the file rehearsals are sealed with local keys, labelled internal."""

    signing: SigningSettings | None = None
    stamping: StampingSettings | None = None
    sm2: Annotated[bool, Field(description="Also SM3SUMS with an SM2 signature (国密)")] = False
    anchors: tuple[Anchor, ...] = ()
    retention_days: Annotated[int, Field(ge=400, description="SSCC-4.2: at least one year; our choice: 5 years")] = 1830
    secrets: Annotated[
        tuple[str, ...],
        Field(description="Files outside the site's folder with one secret value a line, looked for before sealing"),
    ] = ()
    finding_due_days: Annotated[int, Field(ge=1, description="Our choice: 30 calendar days")] = 30
