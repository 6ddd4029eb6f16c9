"""`run.json`: everything a report says, in one self-contained document. Made by the judge and the engine,
read by `report/`. All times are seconds since the epoch (UTC) unless a name says otherwise.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from orchestrator.model.audit import AuditRecord
from orchestrator.model.base import Frozen, Title, is_empty
from orchestrator.model.event import CheckRecord, Outcome
from orchestrator.model.evidence import Approval, Finding, FindingState, LedgerPlace
from orchestrator.model.outage import Outage
from orchestrator.model.paths import PathProof
from orchestrator.model.plan import FaultSource, Phase, Plan, Verb
from orchestrator.model.topology import Topology
from orchestrator.model.verdict import Verdict


class PhaseTime(Frozen):
    phase: Phase
    started_at: float
    finished_at: float | None


class StepRecord(Frozen):
    """One target of one step: what was done, when, and what it came to."""

    step: str
    phase: Phase
    verb: Verb
    title: Title
    target: str
    attempt: int
    undo: bool
    started_at: float
    finished_at: float | None
    outcome: Outcome
    message: str


class ConfigRecord(Frozen):
    """A gateway's configuration file before, during and after, by digest, with the diff that was made."""

    gateway: str
    host: str
    path: str
    sha256_before: str | None
    sha256_during: str | None
    sha256_after: str | None
    list_before: tuple[str, ...]
    list_during: tuple[str, ...]
    list_after: tuple[str, ...]
    diff: tuple[str, ...] = ()


class InterlockProof(Frozen):
    """SSCC-2.5 for one move of one gateway number: the old login proved gone before the new one.

    `released_by` says why the number was free: `acknowledged` logout, `waited` out the front's release
    time, or `not_logged_in` before.

    Between two hosts `target_host` is where it goes on; all times are on the controller's clock then, `stop_at` is
    when the fence was asked for, `way` how it was made and `proved_at` when it was proved to hold. On the way back
    `start_at` is when the fence was first asked to be taken off.
    """

    gateway: str
    number: str
    certificate: str | None
    host: str
    step: str
    stop_at: float
    process_gone_at: float | None
    sockets_gone_at: float | None
    released_by: Literal["acknowledged", "waited", "not_logged_in"] | None
    waited_s: float
    start_at: float | None
    login_at: float | None
    target_host: str | None = None
    way: Annotated[
        Literal["process", "network", "declared"] | None,
        Field(description="Fence: the process is gone, the network is cut, or two people say so (incident only)"),
    ] = None
    proved_at: float | None = None


class ClauseResult(Frozen):
    """`covered`: exercised by this run; `result` is then passed, failed or unknown."""

    id: str
    text: Title
    source: str
    covered: bool
    result: Literal["passed", "failed", "unknown", "not_covered"]
    by: Annotated[tuple[str, ...], Field(description="Checks, interlocks or steps that exercised it")] = ()


class JournalHead(Frozen):
    events: int
    head: str
    chain_valid: bool


class OpenStep(Frozen):
    """A step that was found open after an interruption, and what told what had become of it.

    `settled_by`: `guard`, `look`, `policy`, `decision` or `never begun`; None: not settled (yet).
    `again`: targets on which another attempt had to do it.
    """

    step: str
    attempt: int
    targets: tuple[str, ...]
    settled_by: str | None
    settled_at: float | None
    again: tuple[str, ...] = ()


class Interruption(Frozen):
    """A time in which no orchestrator was at work on the run.

    `cause`: `lost` it vanished, `waiting` a person had to decide, `stopped` an incident was stopped and held.
    """

    cause: Literal["lost", "waiting", "stopped"]
    silent_since: Annotated[float, Field(description="The last sign of life before")]
    resumed_at: float
    owner_before: str | None
    owner_after: str
    phase: Phase | None
    steps: tuple[OpenStep, ...] = ()

    @property
    def lasted_s(self) -> float:
        return max(0.0, self.resumed_at - self.silent_since)


class DecisionRecord(Frozen):
    """What a person decided of a step. `target` None: of all its targets; `second`: the other one of four eyes."""

    step: str
    target: str | None
    choice: str
    by: str
    second: str | None
    reason: str
    at: float


class Promotion(Frozen):
    """A running drill became an incident (演练转应急): a real fault had happened meanwhile."""

    by: str
    reason: str
    at: float


class AbortRecord(Frozen):
    """Somebody asked for an abort from outside the run."""

    by: str
    reason: str
    at: float


class CallRecord(Frozen):
    """A telephone call, as somebody noted it. `contact`: an id of people.yml; `answered_by`: who was on the phone.

    `at` is when it was noted, also where the run had no orchestrator to hear of it then.
    """

    contact: str
    name: Title
    did: Literal["placed", "answered"]
    by: str
    answered_by: str | None = None
    note: str = ""
    at: float


class EvidenceFile(Frozen):
    """A file that was handed in: `name` as its owner called it, `file` in the run's folder and in the pack."""

    name: str
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,120}$")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    size: int


class ConfirmationRecord(Frozen):
    """A person's word on a step of theirs. `at`: when it was so; `told_at`: when they said it."""

    step: str
    done: bool
    by: str
    at: float
    told_at: float
    note: str = ""
    evidence: tuple[EvidenceFile, ...] = ()


class DeadlineRecord(Frozen):
    """When D+N is over, by calendar days and by trading days. None: the known trading days do not reach so far."""

    days: int
    calendar_at: float
    trading_at: float | None


class MilestoneRecord(Frozen):
    """How a milestone of D+N stands at the end. `planned_at`: the earlier of its two deadlines."""

    id: str
    title: Title
    owner: str
    people: tuple[str, ...]
    due_d: int
    planned_at: float | None
    met_at: float | None
    state: Literal["met", "open", "late"]
    confirmed: Annotated[tuple[ConfirmationRecord, ...], Field(description="What people said of its steps")] = ()


class DisasterRecord(Frozen):
    """The D+N clock of a run. `d_at`: what the site takes D for; None: D never came. `deadline`: the drill's own."""

    definition: Literal["occurred", "declared"]
    day_basis: Literal["calendar", "trading"]
    occurred_at: float | None
    declared_at: float | None
    d_at: float | None
    deadline: DeadlineRecord | None
    milestones: tuple[MilestoneRecord, ...] = ()


class SurpriseRecord(Frozen):
    """A failure that a rehearsal met in its middle (意外故障), by the twin's own record. Its plan knew nothing."""

    text: Annotated[str, Field(description="As it was asked for, e.g. carrier=telecom@switching+5")]
    at: Annotated[float, Field(description="When it was made")]
    lifted_at: Annotated[float | None, Field(description="None: it was still on at the end")] = None


class RunRecord(Frozen):
    """One run, whole."""

    format: Literal[1] = 1
    run: str
    simulated: Annotated[bool, Field(description="On a twin: never counts as a drill held")]
    operator: str
    started_at: float
    finished_at: float
    fault_source: FaultSource
    fault_at: Annotated[float | None, Field(description="When the fault was injected (or declared)")]
    lifted_at: float | None
    plan: Plan
    plan_digest: str
    topology: Topology
    verdict: Verdict
    phases: tuple[PhaseTime, ...]
    steps: tuple[StepRecord, ...]
    interruptions: tuple[Interruption, ...] = ()
    decisions: tuple[DecisionRecord, ...] = ()
    aborts: tuple[AbortRecord, ...] = ()
    promotion: Promotion | None = None
    calls: tuple[CallRecord, ...] = ()
    confirmations: tuple[ConfirmationRecord, ...] = ()
    disaster: Annotated[DisasterRecord | None, Field(description="None: the drill has no D+N")] = None
    checks: tuple[CheckRecord, ...]
    configurations: tuple[ConfigRecord, ...]
    interlocks: tuple[InterlockProof, ...]
    clauses: tuple[ClauseResult, ...]
    clock_offset_s: dict[str, float]
    versions: dict[str, str]
    journal: JournalHead
    approvals: tuple[Approval, ...] = ()
    announcement: Annotated[str | None, Field(description="Number of the exchange's announcement")] = None
    outages: Annotated[
        tuple[Outage, ...] | None,
        Field(description="Outage in trading hours; None: nothing was counted (a rehearsal, or no session hours)"),
    ] = None
    findings: Annotated[tuple[Finding, ...], Field(description="What this run found to be mended")] = ()
    earlier_findings: Annotated[
        tuple[FindingState, ...],
        Field(description="Findings of earlier runs of this drill, as they stood when this run was opened"),
    ] = ()
    path_proofs: Annotated[
        tuple[PathProof, ...],
        Field(
            exclude_if=is_empty,
            description="SSCC-3.1: ways of each gateway before, during and after, as measured; empty: not measured",
        ),
    ] = ()
    ledger: Annotated[LedgerPlace | None, Field(description="None: a run from before there was a ledger")] = None
    audit: Annotated[
        AuditRecord | None,
        Field(exclude_if=is_empty, description="Of the day on which the run began; None: none was made"),
    ] = None
    ground_truth: Annotated[
        dict[str, Any] | None,
        Field(description="Rehearsal only: what the twin's fronts saw; no step or check reads it"),
    ] = None
    surprises: tuple[SurpriseRecord, ...] = Field(
        default=(),
        exclude_if=is_empty,
        description="Rehearsal only: failures made behind the run's back (--surprise); no step or check knew of them",
    )
