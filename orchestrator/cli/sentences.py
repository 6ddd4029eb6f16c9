"""Events of a run as lines for people. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from orchestrator.cli.needs import lasting
from orchestrator.history import call_of, confirmation_of, epoch_s
from orchestrator.model.event import Event, EventKind
from orchestrator.model.plan import Plan
from orchestrator.model.record import CallRecord, ConfirmationRecord

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
    "REPORTABLE",
    "PROMOTED",
    "WARNING",
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
    named = [target.name for target in step.targets if target.kind in ("gateway", "router", "person")]
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


def _note(event: Event) -> str:
    """A second failure is told in both languages: whoever stands by has to know at once that the run goes back."""
    line = f"   {event.data['what']}: {event.data['text']}"
    return f"{line}\n   {event.data['zh']}" if "suspects" in event.data else line


def _resumed(event: Event) -> str:
    silent = lasting(max(0.0, epoch_s(event) - event.data["silent_since"]))
    copied = event.data.get("copied")
    more = f", from the copy in the second room, as {copied['by']} said: {copied['reason']}" if copied else ""
    return f"== taken over by {event.data['owner']} after {silent} without an orchestrator{more}"


def _settled(event: Event) -> str:
    by, again = str(event.data["by"]), event.data.get("again")
    more = f"; to do again: {names(again)}" if again else ""
    return f"   {event.step}: attempt {event.attempt} settled, {_BY.get(by, by)}{more}"


def _message(event: Event) -> str:
    """An abort or a decision that somebody asked for, or a call that was made."""
    data = event.data
    if data["topic"] == "call":
        return f"   {call_in_words(call_of(data))}"
    if data["topic"] == "confirm":
        return f"   {confirmation_in_words(confirmation_of(data))}"
    if data["topic"] == "promote":
        return f"   PROMOTED 演练转应急 by {data['by']}: {data['reason']}"
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


def confirmation_in_words(said: ConfirmationRecord) -> str:
    """One line."""
    word = "confirmed" if said.done else "said not to be done"
    files = f", {len(said.evidence)} files" if said.evidence else ""
    return f"{said.step} {word} by {said.by}{files}" + (f": {' '.join(said.note.split())}" if said.note else "")


def _waiting(event: Event) -> str:
    targets: Mapping[str, str] = event.data["targets"]
    told = ((name, " ".join(why.split())) for name, why in targets.items())
    return "\n".join(f"   {event.data['step']}: {name} waits for a person: {why}" for name, why in told)


def _outage(event: Event) -> str | None:
    """What was counted in the end stands in the report."""
    data = event.data
    if data["level"] == "counted":
        return None
    row = data["rows"][0]
    said = f"{row['gateway_class']} out for {row['counted_s'] / 60:.1f} min of trading hours, limit "
    said += f"{data['limit_s'] / 60:g} min"
    return f"   REPORTABLE 须报告: {said}" if data["level"] == "reportable" else f"   WARNING 接近上报时限: {said}"


_TELL: Final[Mapping[EventKind, Callable[[Event], str | None]]] = {
    EventKind.STATE: lambda event: f"== {event.data['state']}",
    EventKind.CLOSED: lambda _: "== closed",
    EventKind.DONE: _done,
    EventKind.UNDO_DONE: _done,
    EventKind.FAULT_ON: lambda _: "   fault is on",
    EventKind.FAULT_OFF: lambda event: f"   fault {'has lifted itself' if event.data.get('lapsed') else 'is lifted'}",
    EventKind.NOTE: _note,
    EventKind.RESUMED: _resumed,
    EventKind.INTERRUPTED: lambda event: (
        f"   {event.step}: attempt {event.attempt} was cut off ({names(event.data['targets'])})"
    ),
    EventKind.SETTLED: _settled,
    EventKind.MESSAGE: _message,
    EventKind.WAITING: _waiting,
    EventKind.OUTAGE: _outage,
    EventKind.ALARM: lambda event: f"   D+{event.data['day']} has passed, open: {', '.join(event.data['milestones'])}",
}


def names(found: Sequence[str]) -> str:
    """The first few, and how many more."""
    more = f" and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else ""
    return f"{', '.join(found[:MOST_NAMES]) or 'nothing'}{more}"
