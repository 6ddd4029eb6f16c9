"""What a run is at, and what it needs of people: told the same way by `status`, `resume`, `abort` and a run's end."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.text import Text

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.awaited import Awaited, awaited
from orchestrator.cli.clock_lines import owners
from orchestrator.cli.options import DEFAULT_SITE
from orchestrator.errors import DrillctlError
from orchestrator.evidence.names import LEDGER, PACK
from orchestrator.history import PAUSED_STATE, WAITING_STATE, Question, call_of, phase_of, questions
from orchestrator.journal import CLOSED, RunState, SqliteJournal
from orchestrator.journal.owner import is_gone
from orchestrator.model.people import People
from orchestrator.model.plan import Phase
from orchestrator.model.record import CallRecord
from orchestrator.ports import Message
from orchestrator.wiring.places import copy_of

Word = Literal["closed", "running", "interrupted", "waiting", "paused"]
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_MOST_TARGETS = 6  # our choice: targets of one question that are listed


@dataclass(frozen=True)
class Standing:
    """One run as it stands. `questions`: what a person has to decide first; `abort` and `calls`: asked for, and noted,
    and not yet heard of by an orchestrator.
    """

    state: RunState
    word: Word
    phase: Phase | None
    silent_s: float | None
    questions: tuple[Question, ...] = ()
    abort: str | None = None
    calls: tuple[CallRecord, ...] = ()
    awaited: Awaited | None = None
    owners: str = ""

    @property
    def run(self) -> str:
        return self.state.run


def standing_of(journal: SqliteJournal, run: str, *, leaving: bool = False) -> Standing:
    """How it stands now. `leaving`: the orchestrator that is at work on it is this process, and it ends now."""
    state, now = journal.state(run), SystemClock().now()
    if state.status == CLOSED:
        return Standing(state, "closed", None, None)
    events, messages = journal.events(run), journal.waiting(run)
    asked = [message.data for message in messages if message.topic == "decide"]
    open_ones = tuple(questions(events, asked))
    return Standing(
        state,
        _word(state, open_ones, attended=state.is_attended(now) and not leaving),
        phase_of(events),
        max(0.0, now - state.last_sign_at) if state.lease_until and not leaving else None,
        open_ones,
        _abort(messages),
        tuple(call_of(message.data) for message in messages if message.topic == "call"),
        waits := awaited(state, events, messages),
        owners(waits, _people(state)) if waits else "",
    )


def _people(state: RunState) -> People:
    """Of the run's own copy. Who has to be called is told as far as it is known."""
    try:
        return copy_of(state).topology.people
    except DrillctlError:
        return People()


def _word(state: RunState, open_ones: Sequence[Question], *, attended: bool) -> Word:
    """A run that waits has said so; its orchestrator may still be writing the report."""
    if state.status == WAITING_STATE and open_ones:
        return "waiting"
    if attended:
        return "running"
    return "paused" if state.status == PAUSED_STATE else "interrupted"


def _abort(messages: Sequence[Message]) -> str | None:
    """The abort that was asked for and that no orchestrator has taken yet."""
    data = next((message.data for message in messages if message.topic == "abort"), None)
    return f"{data['by']} asked for an abort: {data['reason']}" if data else None


def said(standing: Standing) -> str:
    """The state in one line."""
    return ": ".join(part for part in (standing.word, detail(standing)) if part)


def detail(standing: Standing) -> str:
    """How far it is, and who is at work on it or since when nobody is."""
    silent = standing.silent_s
    phase = f"in {standing.phase.value.replace('_', ' ')}" if standing.phase else "not begun yet"
    match standing.word:
        case "closed":
            return ""
        case "running":
            return f"{phase}, process {standing.state.process.get('pid')}, renewed {lasting(silent or 0.0)} ago"
        case "waiting":
            return f"{phase}, for a person's decision"
        case "paused":
            return f"{phase}, stopped and held"
        case "interrupted":
            return f"{phase}, nobody at work on it" + (f" for {lasting(silent)}" if silent is not None else "")


def needed(standing: Standing, site: Path) -> Iterator[str]:
    """What people have to do, whom to call, and the very commands. Nothing where nothing is needed."""
    where = on_site(site)
    if is_unsealed(standing.state):
        yield "its evidence is not sealed:"
        yield f"  drillctl evidence seal {standing.run}{where}"
    if standing.awaited and standing.awaited.said is None:
        yield from _to_confirm(standing.awaited, standing, where)
    if standing.word in ("closed", "running"):
        return
    for question in standing.questions if standing.word == "waiting" else ():
        yield from _asked(question, standing.run, where)
    if standing.abort:
        yield f"{standing.abort}; it is carried out by:"
    elif standing.word == "waiting":
        yield "when all is decided:"
    yield f"  drillctl resume {standing.run}{where}"


def is_unsealed(state: RunState) -> bool:
    """A closed run whose orchestrator is gone and that has no pack: it was killed before, or the seal was refused."""
    known = state.status == CLOSED and (state.folder / LEDGER).exists() and not (state.folder / PACK).exists()
    return known and is_gone(state.process)


def _to_confirm(waits: Awaited, standing: Standing, where: str) -> Iterator[str]:
    """A person's step, with whom to call by the run's own copy of people.yml."""
    shown = " with evidence" if waits.needs_evidence else ""
    yield f"{waits.step.id}: {waits.step.title.en} {waits.step.title.zh}; expected{shown}: {waits.expected.en}"
    yield f"call {standing.owners}; once it is so:"
    more = " --evidence FILE" if waits.needs_evidence else " --at TIME" if waits.needs_time else ""
    yield f"  drillctl confirm {standing.run} {waits.step.id} --by PERSON{more}{where}"


def _asked(question: Question, run: str, where: str) -> Iterator[str]:
    for target, why in list(question.targets.items())[:_MOST_TARGETS]:
        yield f"{question.step} on {target}: {why}"
    more = len(question.targets) - _MOST_TARGETS
    if more > 0:
        yield f"{question.step} on {more} more; `drillctl status {run}{where} | less` lists them"
    if question.name:
        yield f"call {question.name.en} {question.name.zh}, {question.phone}; find out which it is, then:"
    yield f"  drillctl decide {run} {question.step} {'|'.join(question.choices)} --reason TEXT{where}"


def show_needs(console: Console, lines: Iterable[str]) -> None:
    """Commands stand out and stay one line, to be copied. What a host has said is never read as markup."""
    for line in lines:
        command = line.lstrip().startswith("drillctl ")
        console.print(Text(line, style="bold cyan" if command else ""), soft_wrap=command)


def as_data(standing: Standing) -> dict[str, Any]:
    """The same for `--json`."""
    state = standing.state
    return {
        "run": state.run,
        "drill": state.plan.drill,
        "mode": state.plan.mode.value,
        "status": state.status,
        "state": standing.word,
        "phase": standing.phase.value if standing.phase else None,
        "folder": str(state.folder),
        "owner": state.owner,
        "pid": state.process.get("pid") if standing.word == "running" else None,
        "silent_s": None if standing.silent_s is None else round(standing.silent_s, 1),
        "abort_asked": standing.abort,
        "questions": [question_as_data(item) for item in standing.questions],
        "to_confirm": _awaited_as_data(standing),
    }


def _awaited_as_data(standing: Standing) -> dict[str, Any] | None:
    waits = standing.awaited
    if waits is None:
        return None
    return {
        "step": waits.step.id,
        "owner": waits.target.name,
        "people": list(waits.people),
        "evidence": waits.needs_evidence,
        "asked_at": waits.asked_at,
        "over_at": waits.over_at,
        "said": waits.said.model_dump(mode="json") if waits.said else None,
    }


def question_as_data(question: Question) -> dict[str, Any]:
    call = {"name": question.name.model_dump(), "phone": question.phone} if question.name else None
    return {
        "step": question.step,
        "targets": dict(question.targets),
        "choices": list(question.choices),
        "call": call,
    }


def lasting(seconds: float) -> str:
    """A span of time as people say it."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR:.0f} h {seconds % _HOUR // _MINUTE:02.0f} min"
    return f"{seconds // _DAY:.0f} d"


def on_site(site: Path) -> str:
    """What a command needs to speak of the same site."""
    return "" if site == DEFAULT_SITE else f" --site {site}"
