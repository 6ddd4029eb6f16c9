"""What the journal says of a run: attempts with their results, interruptions, questions, decisions. Pure.

It reads events only and judges nothing: `judge` makes the verdict of it, the command line and the reports show it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal

from orchestrator.model.approval import Permit
from orchestrator.model.base import Title
from orchestrator.model.disaster import Disaster, KnownDays, Milestone
from orchestrator.model.drill import CONFIRM, Mode
from orchestrator.model.event import CheckRecord, Event, EventKind, Outcome
from orchestrator.model.outage import Outage
from orchestrator.model.plan import Action, Fault, GatewayChange, Phase, Plan, Verb
from orchestrator.model.record import (
    AbortRecord,
    CallRecord,
    ConfirmationRecord,
    DecisionRecord,
    Interruption,
    OpenStep,
    Promotion,
)

# Notes that end the way forward.
ENDING = ("not_started", "not_confirmed", "aborted", "error", "stop_condition", "fault_lapsed", "twin_gone")
WAITING_STATE = "waiting_for_operator"
PAUSED_STATE = "paused"
_INTENTS = (EventKind.INTENT, EventKind.UNDO_INTENT)
_ENDS = (EventKind.DONE, EventKind.UNDO_DONE)
_FINAL = (Outcome.SUCCEEDED, Outcome.UNDONE, Outcome.SKIPPED)
_PHASES = frozenset(phase.value for phase in Phase)
# How an orchestrator leaves a run that is not closed; whatever else was its last state, it vanished.
_CAUSES: dict[str, Literal["waiting", "stopped"]] = {WAITING_STATE: "waiting", PAUSED_STATE: "stopped"}


@dataclass(frozen=True)
class StepResult:
    """What the journal says of one attempt of one step on one target.

    `settled_by`: the attempt was cut off, and this is what its guard, a look, a person … found afterwards;
    `again`: found not in force, so that another attempt had to do it: the interruption's doing, no failure.
    """

    step: str
    attempt: int
    undo: bool
    started_at: float
    finished_at: float | None
    target: str
    outcome: Outcome
    message: str
    data: Mapping[str, Any]
    settled_by: str | None = None
    again: bool = False


@dataclass(frozen=True)
class Question:
    """What a person has to decide of one step: per target why it cannot be told, in one line."""

    step: str
    targets: Mapping[str, str]
    choices: tuple[str, ...]
    name: Title | None  # None: people.yml names no commander
    phone: str
    at: float


def epoch_s(event: Event) -> float:
    """When an event was committed, in seconds since the epoch."""
    return datetime.fromisoformat(event.at).timestamp()


def step_results(events: Sequence[Event]) -> list[StepResult]:
    """Every attempt of every step on every target; an intent without its end is indeterminate."""
    ends = {(event.step, event.attempt): event for event in events if event.kind in _ENDS}
    settled = {(event.step, event.attempt): event.data for event in events if event.kind is EventKind.SETTLED}
    found: list[StepResult] = []
    for event in events:
        if event.kind in _INTENTS and event.step is not None:
            key = (event.step, event.attempt)
            found += _attempt(event, ends.get(key), settled.get(key, {}))
    return found


def _attempt(begin: Event, end: Event | None, settled: Mapping[str, Any]) -> Iterator[StepResult]:
    cut_off = {"outcome": Outcome.INDETERMINATE, "message": "cut off", "data": {}}
    items = end.data["results"] if end else [{"target": name, **cut_off} for name in begin.data["targets"]]
    for item in items:
        yield StepResult(
            step=str(begin.step),
            attempt=begin.attempt or 1,
            undo=begin.kind is EventKind.UNDO_INTENT,
            started_at=epoch_s(begin),
            finished_at=epoch_s(end) if end else None,
            target=item["target"],
            outcome=Outcome(item["outcome"]),
            message=item["message"],
            data=item["data"],
            settled_by=settled.get("by"),
            again=item["target"] in settled.get("again", ()),
        )


def standing(events: Sequence[Event]) -> list[StepResult]:
    """What each step came to on each target in the end: its newest attempt, with what a person decided of it."""
    newest: dict[tuple[str, str], StepResult] = {}
    for item in step_results(events):
        newest[item.step, item.target] = item
    decided = _decisions_by_attempt(events)
    return [_decided(item, decided) for item in newest.values()]


def _decisions_by_attempt(events: Sequence[Event]) -> dict[tuple[str, int, str | None], DecisionRecord]:
    """(step, attempt, target or None for all) → decision. A decision speaks of the attempt that was the newest then."""
    found: dict[tuple[str, int, str | None], DecisionRecord] = {}
    newest: dict[str, int] = {}
    for event in events:
        if event.kind in _INTENTS:
            newest[str(event.step)] = event.attempt or 1
        elif _is_message(event, "decide"):
            decision = _decision(event)
            found[decision.step, newest.get(decision.step, 1), decision.target] = decision
    return found


def _decided(item: StepResult, decided: Mapping[tuple[str, int, str | None], DecisionRecord]) -> StepResult:
    """A person's word for what could not be told; what was told stands."""
    key = (item.step, item.attempt)
    decision = decided.get((*key, item.target)) or decided.get((*key, None))
    if decision is None or decision.choice == "repeat" or item.outcome in _FINAL:
        return item
    done, not_done = (Outcome.UNDONE, Outcome.IGNORED) if item.undo else (Outcome.SUCCEEDED, Outcome.FAILED)
    return replace(item, outcome=done if decision.choice == "done" else not_done)


def permit_of(events: Sequence[Event]) -> Permit | None:
    """Why the run was allowed to begin. None: a rehearsal, or a run from before there were permits."""
    data = events[0].data.get("permit") if events else None
    return None if data is None else Permit.model_validate(data)


def operator_of(events: Sequence[Event]) -> str:
    """The person who signed the start; of a rehearsal the user who began it."""
    permit = permit_of(events)
    return permit.operator if permit else str(events[0].data["owner"])


def disaster_of(plan: Plan, events: Sequence[Event]) -> Disaster:
    """What D may be. Where nobody has said when, a drill's is the moment of its fault; an incident was declared when
    its switchover was begun, and did not occur later than that.
    """
    permit = permit_of(events)
    said = (permit.disaster if permit else None) or Disaster()
    if plan.mode is Mode.INCIDENT:
        declared = epoch_s(events[0]) if said.declared_at is None and events else said.declared_at
    else:
        fault = next((event.data["at"] for event in events if event.kind is EventKind.FAULT_ON), None)
        declared = fault if said.declared_at is None else said.declared_at
    return Disaster(occurred_at=declared if said.occurred_at is None else said.occurred_at, declared_at=declared)


def known_days(events: Sequence[Event]) -> KnownDays | None:
    """The trading days as they were known when the run was opened. None: nobody could tell then."""
    data = next((event.data for event in events if event.kind is EventKind.DAYS), None)
    return None if data is None else KnownDays.model_validate(data)


def met_at(milestone: Milestone, events: Sequence[Event]) -> float | None:
    """When all that a milestone rests on was done first; of what a person confirmed, when they say that it was so. What
    was looked at once more, after an interruption, was reached before.
    """
    found = [_reached_at(step, events) for step in milestone.steps]
    reached = [at for at in found if at is not None]
    return max(reached) if reached and len(reached) == len(found) else None


def _reached_at(step: str, events: Sequence[Event]) -> float | None:
    """When all targets of a step were good together, or a person's decision has made the last of them so."""
    tried = [item for item in step_results(events) if item.step == step]
    latest: dict[str, StepResult] = {}
    for attempt in sorted({item.attempt for item in tried}):
        latest |= {item.target: item for item in tried if item.attempt == attempt}
        if all(_is_reached(item) for item in latest.values()):
            return _last_of(latest.values())
    decided = [item for item in standing(events) if item.step == step]
    return _last_of(decided) if decided and all(_is_reached(item) for item in decided) else None


def _last_of(found: Iterable[StepResult]) -> float:
    return max(float(item.data.get("at", item.finished_at)) for item in found)


def _is_reached(item: StepResult) -> bool:
    """A gateway that needed nothing is where it should be; a person who was not waited for has confirmed nothing."""
    good = (Outcome.SUCCEEDED,) if item.step.startswith(CONFIRM) else _FINAL
    return item.finished_at is not None and item.outcome in good


def confirmations(events: Sequence[Event]) -> Iterator[ConfirmationRecord]:
    """What people said of their steps, as the run took it."""
    return (confirmation_of(event.data) for event in events if _is_message(event, "confirm"))


def confirmation_of(data: Mapping[str, Any]) -> ConfirmationRecord:
    """Of an event's data, or of a message that no orchestrator has taken yet."""
    return ConfirmationRecord.model_validate(
        {name: data[name] for name in ConfirmationRecord.model_fields if name in data}
    )


def open_intents(events: Sequence[Event]) -> list[Event]:
    """Intents whose end is not on record."""
    ended = {(event.step, event.attempt) for event in events if event.kind in _ENDS}
    return [event for event in events if event.kind in _INTENTS and (event.step, event.attempt) not in ended]


def check_records(events: Sequence[Event]) -> list[CheckRecord]:
    """Every check of every phase; of the proof of restoration only the newest attempt: it is taken again."""
    proof = Phase.PROVING_RESTORATION.value
    found: list[CheckRecord] = []
    for event in events:
        if event.kind is not EventKind.CHECKS:
            continue
        records = [CheckRecord.model_validate(item) for item in event.data["records"]]
        latest = _is_of_the_newest_attempt(event, events)
        found += [record for record in records if latest or record.phase != proof]
    return found


def _is_of_the_newest_attempt(event: Event, events: Sequence[Event]) -> bool:
    """An old journal does not say which attempt took it; there is but one then."""
    step = event.data.get("step")
    tried = [item.attempt or 1 for item in events if item.kind in _INTENTS and item.step == step]
    return step is None or int(event.data["attempt"]) == max(tried, default=1)


def snapshots(events: Sequence[Event]) -> dict[str, dict[str, Any]]:
    """The newest snapshot of each `when`: before, during, after. A proof that was begun again voids the one before."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.kind in _INTENTS and event.data["verb"] == Verb.PROVE:
            found.pop("after", None)
        elif event.kind is EventKind.SNAPSHOT:
            found[event.data["when"]] = event.data
    return found


def interruptions(events: Sequence[Event]) -> Iterator[Interruption]:
    """Each time that another orchestrator took the run over, with what it found open."""
    taken = [index for index, event in enumerate(events) if event.kind is EventKind.RESUMED]
    for index, until in pairwise([*taken, len(events)]):
        event, before = events[index], events[:index]
        yield Interruption(
            cause=_cause(before),
            silent_since=event.data["silent_since"],
            resumed_at=epoch_s(event),
            owner_before=_owner(before),
            owner_after=event.data["owner"],
            phase=phase_of(before),
            steps=tuple(_open_steps(events[index:until], events)),
        )


def _cause(before: Sequence[Event]) -> Literal["lost", "waiting", "stopped"]:
    """Why nobody was at work: it vanished, a person had to decide, or an incident was stopped and held."""
    last = next((event.data["state"] for event in reversed(before) if event.kind is EventKind.STATE), None)
    return _CAUSES.get(str(last), "lost")


def _owner(before: Sequence[Event]) -> str | None:
    kinds = (EventKind.OPENED, EventKind.RESUMED)
    return next((event.data.get("owner") for event in reversed(before) if event.kind in kinds), None)


def phase_of(events: Sequence[Event]) -> Phase | None:
    """The last phase that was entered."""
    states = (event.data["state"] for event in reversed(events) if event.kind is EventKind.STATE)
    return next((Phase(state) for state in states if state in _PHASES), None)


def _open_steps(since: Sequence[Event], events: Sequence[Event]) -> Iterator[OpenStep]:
    """What was found open then, with how it was settled, then or after a further interruption."""
    settled = {(event.step, event.attempt): event for event in events if event.kind is EventKind.SETTLED}
    for event in since:
        if event.kind is EventKind.INTERRUPTED and event.step is not None:
            end = settled.get((event.step, event.attempt))
            yield OpenStep(
                step=event.step,
                attempt=event.attempt or 1,
                targets=tuple(event.data["targets"]),
                settled_by=end.data["by"] if end else None,
                settled_at=epoch_s(end) if end else None,
                again=tuple(end.data.get("again", ())) if end else (),
            )


def decisions(events: Sequence[Event]) -> Iterator[DecisionRecord]:
    """What people decided, in the order in which the run took it."""
    return (_decision(event) for event in events if _is_message(event, "decide"))


def promotion(plan: Plan, events: Sequence[Event]) -> Promotion | None:
    """When a drill became an incident, and by whom. On its way back, or ended, it cannot become one any more."""
    restoring = {step.id for step in plan.steps if step.phase in (Phase.RESTORING, Phase.PROVING_RESTORATION)}
    for event in events:
        if event.kind in _INTENTS and event.step in restoring:
            return None
        if event.kind is EventKind.NOTE and event.data["what"] in ENDING:
            return None
        if _is_message(event, "promote") and plan.mode is Mode.DRILL and plan.fails_back is None:
            return Promotion(by=event.data["by"], reason=event.data["reason"], at=epoch_s(event))
    return None


def as_promoted(plan: Plan, fenced: Collection[str] = ()) -> Plan:
    """How the rules of an incident read the plan of a drill that was promoted: the fault that was made is lifted, and
    a gateway that nobody has begun to fence needs no standby. `fenced`: those on which it was begun.
    """
    gateways = tuple(found for item in plan.gateways if (found := _undisturbed(item, fenced)) is not None)
    fault = Fault(manner=plan.fault.manner)
    made = {name: getattr(plan, name) for name in type(plan).model_fields}
    return type(plan).model_construct(**{**made, "mode": Mode.INCIDENT, "fault": fault, "gateways": gateways})


def _undisturbed(change: GatewayChange, fenced: Collection[str]) -> GatewayChange | None:
    """None: a cold standby that stays what it is."""
    if change.action is Action.TAKE_OVER and change.stands_in_for not in fenced:
        return None
    if change.action is Action.TAKEN_OVER and change.gateway not in fenced:
        return change.model_copy(update={"action": Action.NONE, "after": change.before})
    return change


def fenced_in(plan: Plan, events: Sequence[Event]) -> set[str]:
    """Gateways that somebody has begun to keep out."""
    fences = {step.id for step in plan.steps if step.verb is Verb.FENCE}
    begun = [event.data["targets"] for event in events if event.kind in _INTENTS and event.step in fences]
    return {name for names in begun for name in names}


def plan_now(plan: Plan, events: Sequence[Event]) -> Plan:
    """The plan by which a run goes on and is judged. Whoever asks for its mode asks here."""
    return plan if promotion(plan, events) is None else as_promoted(plan, fenced_in(plan, events))


def aborts(events: Sequence[Event]) -> Iterator[AbortRecord]:
    """Who asked for an abort, from outside."""
    for event in events:
        if _is_message(event, "abort"):
            yield AbortRecord(by=event.data["by"], reason=event.data["reason"], at=epoch_s(event))


def outages(events: Sequence[Event]) -> tuple[Outage, ...] | None:
    """What was counted in the end; None: nothing was counted."""
    kept = [event.data for event in events if event.kind is EventKind.OUTAGE and event.data["level"] == "counted"]
    return tuple(Outage.model_validate(item) for item in kept[-1]["rows"]) if kept else None


def calls(events: Sequence[Event]) -> Iterator[CallRecord]:
    """Calls that people have noted, as the run took them."""
    return (call_of(event.data) for event in events if _is_message(event, "call"))


def call_of(data: Mapping[str, Any]) -> CallRecord:
    """Of an event's data, or of a message that no orchestrator has taken yet."""
    fields = ("contact", "name", "did", "by", "answered_by", "note", "at")
    return CallRecord.model_validate({name: data[name] for name in fields if name in data})


def _is_message(event: Event, topic: str) -> bool:
    return event.kind is EventKind.MESSAGE and event.data["topic"] == topic


def _decision(event: Event) -> DecisionRecord:
    data = event.data
    return DecisionRecord(
        step=data["step"],
        target=data.get("target"),
        choice=data["choice"],
        by=data["by"],
        second=data.get("second"),
        reason=data["reason"],
        at=epoch_s(event),
    )


def questions(events: Sequence[Event], asked: Sequence[Mapping[str, Any]] = ()) -> list[Question]:
    """What waits for a person. `asked`: decisions that were made and that no orchestrator has taken yet."""
    found: dict[str, Question] = {}
    for event in events:
        if event.kind is EventKind.WAITING:
            found[event.data["step"]] = _question(event)
        elif _is_message(event, "decide"):
            _answer(found, event.data)
        elif event.step in found and event.kind in (*_INTENTS, *_ENDS, EventKind.SETTLED):
            del found[event.step]
        elif event.kind is EventKind.CLOSED:
            found.clear()
    for data in asked:
        _answer(found, data)
    return list(found.values())


def _question(event: Event) -> Question:
    data, call = event.data, event.data.get("call") or {}
    return Question(
        data["step"],
        {name: " ".join(why.split()) for name, why in data["targets"].items()},
        tuple(data.get("choices") or ("done", "not-done", "repeat")),
        Title.model_validate(call["name"]) if call.get("name") else None,
        str(call.get("phone") or ""),
        epoch_s(event),
    )


def _answer(found: dict[str, Question], data: Mapping[str, Any]) -> None:
    question = found.pop(data["step"], None)
    target = data.get("target")
    if question and target is not None:
        left = {name: why for name, why in question.targets.items() if name != target}
        if left:
            found[question.step] = replace(question, targets=left)
