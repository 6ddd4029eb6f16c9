"""Events of a run as lines for people. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from orchestrator.cli.needs import lasting
from orchestrator.history import call_of, epoch_s
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan
from orchestrator.model.record import CallRecord

MOST_NAMES = 4  # our choice: targets named in one line
_GOOD = ("succeeded", "undone", "skipped")
_BAD = (
    "failed",
    "indeterminate",
    "timed_out",
    "error",
    "abort",
    "not_started",
    "stop_condition",
    "lifted itself",
    "cut off",
    "waits for a person",
    "taken over",
)
# What told what had become of an attempt that was cut off.
_BY: Final[Mapping[str, str]] = {
    "guard": "by its own result",
    "look": "by a look",
    "policy": "by its policy",
    "decision": "by a person",
    "never begun": "never begun",
}


def sentence(event: Event, plan: Plan) -> str | None:
    """One line of what happened (more where several targets went wrong), or None where nobody needs to see it."""
    if event.kind in (EventKind.INTENT, EventKind.UNDO_INTENT):
        return f"   {event.step}: {_what(event, plan)}"
    tell = _TELL.get(event.kind)
    return tell(event) if tell else None


def is_bad(text: str) -> bool:
    """Whether a line is to stand out, and to stay."""
    return any(word in text for word in _BAD)


def _what(event: Event, plan: Plan) -> str:
    """What a step is about to do, and to whom."""
    step = next(step for step in plan.steps if step.id == event.step)
    named = [target.name for target in step.targets if target.kind in ("gateway", "router")]
    chosen = [name for name in named if name in event.data["targets"]]
    if not chosen:
        return step.title.en if not named else f"{step.title.en}: nothing to do"
    again = f", attempt {event.attempt}" if (event.attempt or 1) > 1 else ""
    return f"{step.title.en}{again} ({names(chosen)})"


def _done(event: Event) -> str:
    bad = [item for item in event.data["results"] if item["outcome"] not in _GOOD]
    if not bad:
        return f"   {event.step}: done"
    told = ((item["target"], item["outcome"], " ".join(item["message"].split())) for item in bad)
    return "\n".join(f"   {event.step}: {target} {outcome}: {message}" for target, outcome, message in told)


def _resumed(event: Event) -> str:
    silent = lasting(max(0.0, epoch_s(event) - event.data["silent_since"]))
    return f"== taken over by {event.data['owner']} after {silent} without an orchestrator"


def _settled(event: Event) -> str:
    by, again = str(event.data["by"]), event.data.get("again")
    more = f"; to do again: {names(again)}" if again else ""
    return f"   {event.step}: attempt {event.attempt} settled, {_BY.get(by, by)}{more}"


def _message(event: Event) -> str:
    """An abort or a decision that somebody asked for, or a call that was made."""
    data = event.data
    if data["topic"] == "call":
        return f"   {call_in_words(call_of(data))}"
    if data["topic"] == "abort":
        return f"   abort asked for by {data['by']}: {data['reason']}"
    on = f" on {data['target']}" if data.get("target") else ""
    second = f" and {data['second']}" if data.get("second") else ""
    return f"   {data['step']}{on}: {data['choice']}, decided by {data['by']}{second}: {data['reason']}"


def call_in_words(call: CallRecord) -> str:
    """One line."""
    whom = f"{call.name.en} {call.name.zh} ({call.contact})"
    said = f"answered by {call.answered_by}, noted by {call.by}" if call.did == "answered" else f"called by {call.by}"
    return f"{whom}: {said}" + (f": {' '.join(call.note.split())}" if call.note else "")


def _waiting(event: Event) -> str:
    targets: Mapping[str, str] = event.data["targets"]
    told = ((name, " ".join(why.split())) for name, why in targets.items())
    return "\n".join(f"   {event.data['step']}: {name} waits for a person: {why}" for name, why in told)


_TELL: Final[Mapping[EventKind, Callable[[Event], str]]] = {
    EventKind.STATE: lambda event: f"== {event.data['state']}",
    EventKind.CLOSED: lambda _: "== closed",
    EventKind.DONE: _done,
    EventKind.UNDO_DONE: _done,
    EventKind.FAULT_ON: lambda _: "   fault is on",
    EventKind.FAULT_OFF: lambda event: f"   fault {'has lifted itself' if event.data.get('lapsed') else 'is lifted'}",
    EventKind.NOTE: lambda event: f"   {event.data['what']}: {event.data['text']}",
    EventKind.RESUMED: _resumed,
    EventKind.INTERRUPTED: lambda event: (
        f"   {event.step}: attempt {event.attempt} was cut off ({names(event.data['targets'])})"
    ),
    EventKind.SETTLED: _settled,
    EventKind.MESSAGE: _message,
    EventKind.WAITING: _waiting,
}


def names(found: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else ""
    return f"{', '.join(found[:MOST_NAMES]) or 'nothing'}{more}"
