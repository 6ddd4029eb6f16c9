"""A drill definition: data only, read from `drills/*.yml`."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from orchestrator.model.base import AtLeastOne, Frozen, Id, Seconds, Title, is_empty
from orchestrator.model.topology import CentreRole, GatewayClass

CONFIRM = "confirm-"  # what the id of a person's step begins with


class Mode(StrEnum):
    """`drill` and `incident` are on the real site; `rehearsal` is on the twin, stamped SIMULATED."""

    REHEARSAL = "rehearsal"
    DRILL = "drill"
    INCIDENT = "incident"


class Response(StrEnum):
    """observe: change nothing, measure. assist: wait, then repoint only what is down. repoint: change the lists."""

    OBSERVE = "observe"
    ASSIST = "assist"
    REPOINT = "repoint"


class FaultManner(StrEnum):
    """How a component fails. `dark`: silent, nothing refuses. `hang`: accepts and never answers.
    `grey`: drops forwarded traffic only, so routing and BFD see nothing. `refuse`: answers with RST.
    `freeze`: a host stops without closing anything.
    """

    DARK = "dark"
    HANG = "hang"
    GREY = "grey"
    REFUSE = "refuse"
    FREEZE = "freeze"


class ParameterType(StrEnum):
    CENTRE = "centre"
    CARRIER = "carrier"
    LINE = "line"
    HOST = "host"
    MANNER = "manner"
    CERTIFICATE = "certificate"
    CAUSE = "cause"
    MARKET_DATA = "market-data"


class CertificateCause(StrEnum):
    """Why a certificate cannot be used. An EKey that is locked is unlocked by its own procedure (SSE-5.2); one that is
    expired, lost or damaged is issued again, which revokes the old one (SSE-5.3).
    """

    EKEY_LOCKED = "ekey_locked"
    EXPIRED = "expired"
    LOST = "lost"
    DAMAGED = "damaged"
    REISSUE = "reissue"


class MarketDataLoss(StrEnum):
    """How far market data is lost (SSCC-2.4): TCP at one centre; at all of them; terrestrial multicast too."""

    ONE_TCP = "one-tcp"
    TCP = "tcp"
    TERRESTRIAL = "terrestrial"


class Parameter(Frozen):
    """A value the operator sets with `--set NAME=VALUE`. `type` says what it must name."""

    type: ParameterType
    title: Title
    default: str
    operator: Annotated[Id | None, Field(description="Only centres of this operator")] = None
    role: Annotated[CentreRole | None, Field(description="Only centres of this role")] = None


Reference = Annotated[str, Field(pattern=r"^\$?[a-z0-9][a-z0-9-]*$", description="An id, or $parameter")]
MannerReference = Annotated[str, Field(pattern=r"^\$[a-z0-9][a-z0-9-]*$", description="$parameter")]
HOST_MANNERS = (FaultManner.DARK, FaultManner.FREEZE)  # one that answers wrongly is no failed host


class FaultSpec(Frozen):
    """What fails, in ids or `$parameter` references."""

    manner: FaultManner | MannerReference = FaultManner.DARK
    centres: tuple[Reference, ...] = ()
    carriers: tuple[Reference, ...] = ()
    lines: tuple[Reference, ...] = ()
    hosts: Annotated[tuple[Reference, ...], Field(description="Gateway hosts")] = ()
    # Left out of what is stored where they are not used, so that the digest of any other drill is as it was.
    certificates: tuple[Reference, ...] = Field(default=(), exclude_if=is_empty, description="Digital certificates")
    cause: CertificateCause | MannerReference | None = Field(
        default=None, exclude_if=is_empty, description="Why they cannot be used"
    )
    market_data: MarketDataLoss | MannerReference | None = Field(
        default=None,
        exclude_if=is_empty,
        description="How far the market data of the centres' operator is lost; one-tcp: at `centres` only",
    )
    terrestrial_of: Id | None = Field(
        default=None,
        exclude_if=is_empty,
        description="Every terrestrial line to the production centres of this operator",
    )
    suspended_by: Id | None = Field(
        default=None,
        exclude_if=is_empty,
        description="This operator has suspended the firm's access: all of its centres fall silent",
    )
    announced: bool = Field(
        default=False, exclude_if=is_empty, description="What an announced test cuts off, by its announcement's file"
    )

    @model_validator(mode="after")
    def _something_fails(self) -> Self:
        named = (self.centres, self.carriers, self.lines, self.hosts, self.certificates)
        if not any((*named, self.market_data, self.terrestrial_of, self.suspended_by, self.announced)):
            raise ValueError("expected at least one centre, carrier, line, host or certificate that fails, found none")
        return self

    @model_validator(mode="after")
    def _hosts_fail_silently(self) -> Self:
        if self.hosts and isinstance(self.manner, FaultManner) and self.manner not in HOST_MANNERS:
            raise ValueError(f"expected manner dark or freeze for a host that fails, found {self.manner}")
        return self


class Metric(StrEnum):
    """What an objective limits; measured per gateway at the gateway (design §7)."""

    SWITCH_TIME = "switch_time_s"  # connection broken → login restored, the largest of the class
    RECOVERY_TIME = "recovery_time_s"  # fault (or GO) → last gateway of the class logged in
    DATA_GAP = "data_gap_s"  # last market-data sequence before → first after, the largest
    DR_DEADLINE = "dr_deadline_d"  # days from D to the last milestone; without any, to the last gateway logged in


class Objective(Frozen):
    """A limit that the run is measured against."""

    id: Id
    title: Title
    metric: Metric
    classes: Annotated[tuple[GatewayClass, ...], Field(description="Empty: every class")] = ()
    limit: Annotated[float, Field(gt=0)]
    unit: Annotated[str, Field(pattern="^(s|d)$")]
    source: str

    @model_validator(mode="after")
    def _whole_days(self) -> Self:
        """D+N is counted in days of a calendar."""
        if self.metric is Metric.DR_DEADLINE and self.limit % 1:
            raise ValueError(f"expected a whole number of days for {self.metric}, found {self.limit:g}")
        return self


class Check(StrEnum):
    """The suites in `drills/checks/` and which rung of the verification ladder they are."""

    PATH = "path"
    TCP = "tcp"
    PROCESS = "process"
    CONFIGURATION = "configuration"
    SESSION = "session"
    LOGIN = "login"
    DATA = "data"
    ISOLATION = "isolation"
    ROUTED_PORT = "routed-port"


class Checks(Frozen):
    """Which checks run in which phase."""

    baseline: tuple[Check, ...]
    after_switch: tuple[Check, ...]
    after_restoration: tuple[Check, ...]


class Watched(StrEnum):
    """What the sampler can tell of a gateway all the time."""

    PROCESS = "process"
    LOGIN = "login"


class StopConditions(Frozen):
    """What ends a run by itself: it goes back as after an abort; an incident stops and holds."""

    outage_s: Annotated[Seconds | None, Field(description="A gateway that is to work is out for longer than this")] = (
        None
    )
    never_fail: Annotated[
        tuple[Watched, ...], Field(description="What a gateway that the fault does not touch must never lose")
    ] = ()


class Gate(StrEnum):
    """The phases between which people's steps stand; `Phase` of the plan has the same words."""

    INJECTING = "injecting"
    SWITCHING = "switching"
    VERIFYING = "verifying"
    HOLDING = "holding"
    RESTORING = "restoring"
    CLOSING = "closing"


REAL = (Mode.DRILL, Mode.INCIDENT)
_NO_GATE = "expected one of before and after, found neither"


class ManualStep(Frozen):
    """What a person does and then confirms. A gate: the phase after it does not begin before it is confirmed."""

    id: Id
    title: Title
    owner: Annotated[Id, Field(description="A role of people.yml, or a person's id")]
    before: Annotated[Gate | None, Field(description="The phase that does not begin without it")] = None
    after: Annotated[Gate | None, Field(description="The phase after which it stands")] = None
    expected: Annotated[Title, Field(description="What has to be so when it is confirmed")]
    evidence: Annotated[bool, Field(description="A file has to be handed in with it")] = False
    due_d: Annotated[int, Field(ge=1, le=30, description="Days after it was asked for")] = 3  # our choice
    modes: Annotated[tuple[Mode, ...], Field(min_length=1, description="Where it stands; never in a rehearsal")] = REAL

    @model_validator(mode="after")
    def _stands_somewhere(self) -> Self:
        if (self.before is None) is (self.after is None):
            raise ValueError("expected one of before and after, found both" if self.before else _NO_GATE)
        if self.after in (Gate.RESTORING, Gate.CLOSING):
            raise ValueError(f"expected after injecting, switching, verifying or holding, found {self.after}")
        if Mode.REHEARSAL in self.modes:
            raise ValueError("expected modes drill and incident, found rehearsal: nobody is there to confirm")
        return self


class MilestoneSpec(Frozen):
    """Something that has to be reached by D+N. `met_by`: `paths`, `repoint` or `take-over` for the last of its waves,
    or the id of a step, as `settle` or `confirm-live`.
    """

    id: Id
    title: Title
    owner: Annotated[Id, Field(description="A role of people.yml, or a person's id")]
    met_by: Annotated[tuple[Id, ...], AtLeastOne, Field(description="It is met once all of these are done")]
    due_d: Annotated[int, Field(ge=1, le=30, description="D+N")]


class Drill(Frozen):
    """A drill: what fails, how the firm responds, what must hold."""

    drill: Id
    title: Title
    purpose: Title
    clauses: Annotated[tuple[str, ...], Field(min_length=1)]
    parameters: dict[Id, Parameter] = {}
    fault: FaultSpec
    move_to: Annotated[
        Id | None, Field(description="A DR centre to move to; empty: the live fronts of each gateway's own list")
    ] = None
    classes: Annotated[tuple[GatewayClass, ...], Field(description="Classes moved; empty: all")] = ()
    responses: Annotated[dict[Mode, Response], Field(description="Default response per mode")]
    hold_s: Annotated[Seconds, Field(description="How long the switched state is held")] = 3
    objectives: tuple[Objective, ...] = ()
    stop: StopConditions = StopConditions()
    checks: Checks
    manual: Annotated[tuple[ManualStep, ...], Field(description="What people do and confirm")] = ()
    milestones: Annotated[tuple[MilestoneSpec, ...], Field(description="What has to be reached by D+N")] = ()

    @model_validator(mode="after")
    def _references_are_parameters(self) -> Self:
        for field in ("manner", "centres", "carriers", "lines", "hosts", "certificates", "cause", "market_data"):
            found = getattr(self.fault, field) or ()
            for value in (found,) if isinstance(found, str) else found:
                if value.startswith("$") and value[1:] not in self.parameters:
                    known = ", ".join(sorted(self.parameters)) or "none declared"
                    raise ValueError(f"expected fault.{field} to use a declared parameter ({known}), found {value}")
        if self.fault.terrestrial_of and self.move_to:
            raise ValueError(
                f"expected no move_to with terrestrial_of, found {self.move_to}: trading goes on over the satellite, "
                "and satellite users cannot reach the remote DR centre (SSCC-A.2.1)"
            )
        if self.fault.hosts and self.move_to:
            raise ValueError("expected no move_to where a host fails: its standby is at the same centres")
        missing = [mode for mode in Mode if mode not in self.responses]
        if missing:
            raise ValueError(f"expected a default response for every mode, missing {', '.join(missing)}")
        return self

    @model_validator(mode="after")
    def _each_step_of_people_once(self) -> Self:
        for field, names in (
            ("manual", [item.id for item in self.manual]),
            ("milestones", [item.id for item in self.milestones]),
        ):
            twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
            if twice:
                raise ValueError(f"expected each id of {field} once, found {twice} again")
        return self

    @model_validator(mode="after")
    def _milestones_rest_on_what_is_confirmed(self) -> Self:
        """Steps of people are known here; the others only once there is a plan."""
        known = {f"{CONFIRM}{item.id}" for item in self.manual}
        for item in self.milestones:
            wrong = next((name for name in item.met_by if name.startswith(CONFIRM) and name not in known), None)
            if wrong:
                named = ", ".join(sorted(known)) or "none: manual is empty"
                raise ValueError(f"expected met_by of milestone {item.id} to be a step ({named}), found {wrong}")
        return self

    def canonical(self) -> dict[str, Any]:
        """As plain data, for the digest and the run's folder."""
        return self.model_dump(mode="json")
