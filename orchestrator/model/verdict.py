"""What a run came to: four fields, never one light, and the times measured at the gateways."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orchestrator.model.base import Frozen, Title
from orchestrator.model.plan import Action
from orchestrator.model.topology import GatewayClass


class RunOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    ABORTED = "aborted"
    NOT_STARTED = "not_started"


class Restoration(StrEnum):
    PROVED = "proved"
    NOT_PROVED = "not_proved"
    PENDING = "pending"
    NOT_APPLICABLE = "not_applicable"


class ObjectiveState(StrEnum):
    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not_measured"


class Integrity(StrEnum):
    SEALED = "sealed"
    UNSEALED = "unsealed"
    BROKEN = "broken"


class ObjectiveResult(Frozen):
    id: str
    title: Title
    state: ObjectiveState
    limit: float
    measured: float | None
    unit: str
    source: str


class GatewayTimes(Frozen):
    """What was measured of one gateway.

    Times are seconds since the epoch on the controller's clock (host stamps corrected by the measured offset);
    durations in seconds. None: not measured (or, for `broken_at`, the connection never broke).
    """

    gateway: str
    number: str
    gateway_class: GatewayClass
    host: str
    action: Action
    broken_at: float | None  # 连接中断
    connected_at: float | None  # 连接恢复
    login_at: float | None  # 登录恢复
    switch_s: Annotated[float | None, Field(description="broken_at → login_at")]
    gap_s: Annotated[float | None, Field(description="Gap in the market data")]
    resolution_s: Annotated[float, Field(description="± of the sampler; 0 where stamped at the gateway")]
    front_before: str | None
    front_during: str | None
    front_after: str | None
    line_before: str | None
    line_during: str | None
    line_after: str | None
    list_changed: bool
    came_back: Annotated[bool, Field(description="Logged in (receiving) where the plan expected it")]
    # Left out of what is stored where it is none, as every other gateway's times are what was measured.
    declared_by: str | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Nothing was measured: this person has confirmed it, or was to confirm it",
    )


class ClassTimes(Frozen):
    """min / max / average switch time of a class, in seconds."""

    gateway_class: GatewayClass
    count: int
    measured: int
    shortest_s: float | None
    longest_s: float | None
    average_s: float | None


class Difference(Frozen):
    """One thing that is not as in the snapshot taken before."""

    target: str
    field: str
    before: str
    after: str


class Verdict(Frozen):
    outcome: RunOutcome
    restoration: Restoration
    objectives: tuple[ObjectiveResult, ...]
    integrity: Integrity
    reasons: tuple[Title, ...] = ()
    gateways: tuple[GatewayTimes, ...] = ()
    classes: tuple[ClassTimes, ...] = ()
    differences: tuple[Difference, ...] = ()
    lists_changed: int = 0

    @property
    def exit_code(self) -> int:
        """Exit code of the command line for this verdict (design §6)."""
        if self.outcome is RunOutcome.NOT_STARTED:
            return 3
        if self.outcome is RunOutcome.ABORTED:
            return 4
        missed = any(item.state is ObjectiveState.MISSED for item in self.objectives)
        restored = self.restoration in (Restoration.PROVED, Restoration.NOT_APPLICABLE)
        return 0 if self.outcome is RunOutcome.PASSED and restored and not missed else 1
