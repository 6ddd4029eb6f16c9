"""What a run waits for a person to confirm: told the same way by `confirm`, `status` and the live view."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.engine.progress import FAULT_TOLD_S, HEARD, RESTORATION, Progress
from orchestrator.errors import DrillctlError
from orchestrator.history import confirmation_of
from orchestrator.journal import CLOSED, RunState
from orchestrator.model.base import Title
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event
from orchestrator.model.people import PersonRole
from orchestrator.model.plan import Step, Target, Verb
from orchestrator.model.record import ConfirmationRecord
from orchestrator.ports import Message
from orchestrator.wiring.places import Place, copy_of

_FAULT = {
    Verb.INJECT: Title(zh="故障已由人员实施", en="the fault has been made"),
    Verb.LIFT: Title(zh="故障已解除，或从未实施", en="the fault has been lifted, or was never made"),
}


@dataclass(frozen=True)
class Awaited:
    """One step that a person has to confirm. `said`: what was said of it and is not carried out yet."""

    step: Step
    attempt: int
    asked_at: float
    said: ConfirmationRecord | None

    @property
    def target(self) -> Target:
        return self.step.targets[0]

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(self.target.arguments["people"])

    @property
    def expected(self) -> Title:
        return Title.model_validate(self.target.arguments["expected"])

    @property
    def needs_evidence(self) -> bool:
        return bool(self.target.arguments["evidence"])

    @property
    def needs_time(self) -> bool:
        """The fault of a real site: all that is measured counts from when it was made and lifted."""
        return self.step.verb in _FAULT

    @property
    def over_at(self) -> float:
        return self.asked_at + self.step.deadline_s


def awaited(state: RunState, events: Sequence[Event], messages: Sequence[Message]) -> Awaited | None:
    """The step that waits for a person now, also while nobody is at work on the run; there is one at most."""
    if state.status == CLOSED:
        return None
    progress = Progress.of(state.plan, events)
    for step in people_steps(state):
        if _waits(progress, step):
            told = progress.confirmed.get(step.id) or _told(progress, step.id, messages)
            attempt = progress.next_attempt(step) - 1
            return Awaited(step, attempt, progress.asked_since(step.id), confirmation_of(told) if told else None)
    return None


def _waits(progress: Progress, step: Step) -> bool:
    """Asked for and not answered. A drill that goes back waits for nobody any more."""
    tried = progress.attempts.get(step.id)
    goes_back = progress.ended is not None and progress.now.mode is not Mode.INCIDENT
    if not tried or (goes_back and step.verb is not Verb.LIFT and not step.by_hand):
        return False
    if progress.restoring() and step.phase not in RESTORATION:
        return False
    found = (tried[-1].results or {}).values()
    return not found or bool(tried[-1].again) or any(item.outcome not in HEARD for item in found)


def _told(progress: Progress, step: str, messages: Sequence[Message]) -> Mapping[str, Any] | None:
    words = (item.data for item in messages if item.topic == "confirm" and item.data["step"] == step)
    return next((item for item in words if progress.counts(item)), None)


def people_steps(state: RunState) -> Iterator[Step]:
    """Every step that a person confirms. On a real site people make and lift the fault, too: an operator says so."""
    on_site = Place.read(state.place).on_site
    for step in state.plan.steps:
        if step.verb is Verb.CONFIRM:
            yield step
        elif on_site and step.verb in _FAULT:
            yield _of_operators(step, state)


def _of_operators(step: Step, state: RunState) -> Step:
    try:
        operators = copy_of(state).topology.people.with_role(PersonRole.OPERATOR)
    except DrillctlError:
        operators = ()
    arguments = {
        "people": [person.id for person in operators],
        "role": PersonRole.OPERATOR.value,
        "expected": _FAULT[step.verb].model_dump(),
        "evidence": False,
    }
    target = Target(kind="person", name=PersonRole.OPERATOR.value, arguments=arguments)
    return step.model_copy(update={"targets": (target,), "deadline_s": FAULT_TOLD_S})
