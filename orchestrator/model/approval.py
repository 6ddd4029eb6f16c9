"""Who may do what: a plan that somebody asked for, what people sign about it, and the permit that a run begins with."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from orchestrator.model.announcement import Announced
from orchestrator.model.base import Frozen, Id, is_empty
from orchestrator.model.disaster import Disaster
from orchestrator.model.drill import Mode
from orchestrator.model.plan import Plan, canonical_json


class StatementKind(StrEnum):
    """What a signed statement says."""

    APPROVE = "approve"  # this plan may be carried out, in this window, until then
    START = "start"  # the operator's own: I begin it now
    RELEASE = "release"  # settlement gateways may move: clearing is done, nothing is in flight
    BREAK_GLASS = "break-glass"  # an incident that cannot wait for a second person
    REVIEW = "review"  # what was done by break-glass was looked at afterwards


def namespace(kind: StatementKind) -> str:
    """Of `ssh-keygen -Y sign -n`: who may say what can be held by the list of keys itself."""
    return f"drillctl-{kind.value}"


class WindowReference(Frozen):
    """The announced window that an approval is for, in the site's time: its times are bound, not only its name."""

    id: Id
    number: str
    begins: datetime
    ends: datetime
    latest_return: datetime


class Statement(Frozen):
    """What one person signs. Its canonical JSON with a line end is what the signature is over."""

    version: Literal[1] = 1
    kind: StatementKind
    site: Id
    drill: Id
    mode: Mode
    plan: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="Digest of the plan")]
    run: Annotated[str | None, Field(description="review: the run that was looked at")] = None
    by: Annotated[Id, Field(description="A person of people.yml; who signs")]
    requested_by: Annotated[Id | None, Field(description="Who asked for the plan")] = None
    window: WindowReference | None = None
    reason: str = ""
    at: AwareDatetime
    not_after: AwareDatetime

    def canonical(self) -> bytes:
        """The bytes that are signed."""
        return canonical_json(self.model_dump(mode="json")) + b"\n"


class PlanRequest(Frozen):
    """Who asked for a plan, and with which words, so that it can be made again and compared."""

    by: Id
    at: datetime
    parameters: dict[str, str] = {}
    response: str | None = None
    down: tuple[str, ...] = ()
    today: Annotated[str, Field(description="The day that the plan was made for (certificates)")]
    announced: Announced | None = Field(
        default=None, exclude_if=is_empty, description="The announced test that is observed"
    )


class Kept(Frozen):
    """A plan on file, with who asked for it."""

    plan: Plan
    request: PlanRequest


class Signed(Frozen):
    """A statement as it was found, and what became of its signature. `problem`: empty where it holds."""

    statement: Statement
    file: str
    problem: str = ""


class Consent(Frozen):
    """A statement that counted, as the run's journal and its report keep it."""

    kind: StatementKind
    by: Id
    at: datetime
    not_after: datetime
    reason: str = ""
    file: str


class Permit(Frozen):
    """Why a run on the production path may begin, bound to its plan."""

    bound_to: Annotated[str, Field(description="Digest of the plan")]
    requested_by: Id
    operator: Id
    consents: tuple[Consent, ...]
    window: WindowReference | None = None
    latest_return_at: Annotated[float | None, Field(description="Seconds since the epoch; then restoration begins")] = (
        None
    )
    again: Annotated[str, Field(description="Why gateways were switched although they were switched too often")] = ""
    disaster: Annotated[Disaster | None, Field(description="What D is counted from, as the operator said")] = None


def whole_seconds(moment: float) -> datetime:
    """UTC, as statements have it."""
    return datetime.fromtimestamp(int(moment), UTC)
