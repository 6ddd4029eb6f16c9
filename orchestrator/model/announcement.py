"""A test that an exchange or SSCC leads on a weekend (SSCC-3.5), as it was announced: phases, times, feedback.

The firm changes nothing of its own then. It measures, answers and reports, or it files why it does not take part.
"""

from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from orchestrator.errors import Problem
from orchestrator.model.base import AtLeastOne, Frozen, Id, Title
from orchestrator.model.consistency import InventoryProblems
from orchestrator.model.drill import FaultManner
from orchestrator.model.local_time import LocalMoment


class PhaseKind(StrEnum):
    """What is done in a phase of an announced test."""

    CONNECTIVITY = "connectivity"  # 连通性测试: everybody logs in
    CUT = "cut"  # 故障模拟: the exchange cuts something off
    OWN_SCENES = "own-scenes"  # 自选场景: each firm tests what it likes
    RESTORE_CHECK = "restore-check"  # 恢复验证: as on a trading day again


class Cut(Frozen):
    """What the exchange cuts off. Exactly one of centre, carrier and line."""

    centre: Id | None = None
    carrier: Id | None = None
    line: Id | None = None
    manner: FaultManner = FaultManner.DARK

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        named = [field for field in ("centre", "carrier", "line") if getattr(self, field)]
        if len(named) != 1:
            raise ValueError(f"expected one of centre, carrier and line, found {' and '.join(named) or 'none'}")
        return self


class AnnouncedPhase(Frozen):
    """One phase of an announced test, in the site's time."""

    id: Id
    title: Title
    kind: PhaseKind
    begins: LocalMoment
    ends: LocalMoment
    cut: Annotated[Cut | None, Field(description="Of kind cut: what is cut off")] = None

    @field_validator("ends")
    @classmethod
    def _after_it_begins(cls, ends: datetime, info: ValidationInfo) -> datetime:
        begins = info.data.get("begins")
        if begins and ends <= begins:
            raise ValueError(f"expected a time after begins {begins:%Y-%m-%d %H:%M}, found {ends:%Y-%m-%d %H:%M}")
        return ends

    @model_validator(mode="after")
    def _cut_where_something_is_cut(self) -> Self:
        if (self.kind is PhaseKind.CUT) is (self.cut is None):
            found = "none" if self.cut is None else f"one in a phase of kind {self.kind}"
            raise ValueError(f"expected cut in a phase of kind cut and in no other, found {found}")
        return self


class Announcement(Frozen):
    """What was announced. Times are local to the site's zone."""

    id: Id
    issuer: Annotated[str, Field(min_length=1)]
    number: Annotated[str, Field(min_length=1)]
    title: Title
    issued_on: date
    contact: Annotated[str, Field(min_length=1, description="Whom to ask, with a telephone number")]
    feedback_due: Annotated[LocalMoment, Field(description="When the feedback form has to be in")]
    report_index: Annotated[
        Literal["required", "forbidden", "unknown"],
        Field(description="Whether report index numbers are to be set back for the test"),
    ] = "unknown"
    phases: Annotated[tuple[AnnouncedPhase, ...], AtLeastOne]

    @model_validator(mode="after")
    def _each_phase_once_and_in_order(self) -> Self:
        names = [item.id for item in self.phases]
        found = [
            Problem(("phases", index, "id"), f"expected each id once, found {name} again")
            for index, name in enumerate(names)
            if name in names[:index]
        ]
        for index, item in enumerate(self.phases[1:], 1):
            before = self.phases[index - 1]
            if item.begins < before.ends:
                text = f"expected a time from the end of {before.id} on ({before.ends:%Y-%m-%d %H:%M}), found "
                found.append(Problem(("phases", index, "begins"), f"{text}{item.begins:%Y-%m-%d %H:%M}"))
        if found:
            raise InventoryProblems(found)
        return self

    @cached_property
    def cuts(self) -> tuple[AnnouncedPhase, ...]:
        """Phases in which something is cut off; each is a run of its own."""
        return tuple(item for item in self.phases if item.kind is PhaseKind.CUT)


class Announced(Frozen):
    """The cut phase of an announcement that one run observes, as its plan carries it."""

    announcement: Announcement
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="sha256 of the announcement's file")]
    phase: Id

    @property
    def observed(self) -> AnnouncedPhase:
        """The phase itself."""
        return next(item for item in self.announcement.phases if item.id == self.phase)
