"""Which drills a site holds how often: the firm's own policy, as `schedule.yml` has it.

No source says how often 定期 is. So the numbers are the site's, and each rule names the policy that they stand in.
"""

from datetime import date, time
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.errors import Problem
from orchestrator.model.base import Frozen, Id, Title
from orchestrator.model.consistency import InventoryProblems
from orchestrator.model.drill import Mode
from orchestrator.model.hours import Weekday
from orchestrator.model.local_time import LocalTime

AUDIT_EVERY_HOURS = 24.0  # our choice: once a day
WAITING_MINUTES = 30.0  # our choice: nobody has come by then


class ScheduleRule(Frozen):
    """One drill that is held again and again, for each value of one parameter where it names one."""

    id: Id
    title: Title
    drill: Id
    parameters: dict[Id, str] = {}
    for_each: Annotated[
        Id | None, Field(description="A parameter of the drill: one entry for each value that the site has")
    ] = None
    every_months: Annotated[int, Field(ge=1, le=60)]
    mode: Annotated[
        Literal[Mode.DRILL, Mode.REHEARSAL], Field(description="A rehearsal never counts as a drill held")
    ] = Mode.DRILL
    clauses: Annotated[tuple[str, ...], Field(min_length=1, description="Those of the drill that this rule serves")]
    policy: Annotated[str, Field(min_length=1, description="Where the firm says how often")]
    weekday: Weekday = Weekday.SATURDAY  # our choice: the exchanges' tests are on Saturdays
    begins: LocalTime = time(8, 30)  # our choice: when those begin
    expected_h: Annotated[float, Field(gt=0, le=72, description="From the fault to the end of restoration")] = (
        4  # our choice: half of an announced day
    )
    lead_days: Annotated[int, Field(ge=0, le=365, description="How long before it preparation begins")] = (
        30  # our choice: SSCC is asked, people are told
    )
    grace_h: Annotated[float, Field(ge=0, le=8760, description="After which an entry without a run is missed")] = (
        24  # our choice: the day after
    )


class Schedule(Frozen):
    """`schedule.yml` of a site. Periods of every rule are counted from `starts`."""

    starts: Annotated[date, Field(description="When the policy came into force")]
    rules: Annotated[tuple[ScheduleRule, ...], Field(min_length=1)]
    audit_every_hours: Annotated[float, Field(gt=0, le=8760, description="Of `serve`: between two audits")] = (
        AUDIT_EVERY_HOURS
    )
    waiting_minutes: Annotated[
        float, Field(gt=0, le=10080, description="Of `serve`: how long a run waits for a person before it is told")
    ] = WAITING_MINUTES

    @model_validator(mode="after")
    def _each_rule_once(self) -> Self:
        names = [rule.id for rule in self.rules]
        found = [
            Problem(("rules", index, "id"), f"expected each id once, found {name} again")
            for index, name in enumerate(names)
            if name in names[:index]
        ]
        if found:
            raise InventoryProblems(found)
        return self
