"""Events worth telling as short messages in two languages. Pure.

A message leaves the firm: it names the run, the drill, the step and what a person said, and no host, address, gateway
number or telephone number. Whoever needs more looks at the run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args
from zoneinfo import ZoneInfo

from orchestrator.history import PAUSED_STATE, epoch_s
from orchestrator.judge import unproved
from orchestrator.model.base import Title
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind, Outcome
from orchestrator.model.notify import Notice, NoticeKind
from orchestrator.model.plan import Phase, Plan, Verb
from orchestrator.model.verdict import ObjectiveState, Verdict
from orchestrator.report.texts import Language, Texts

# Notes that end the way forward, and so the run's aim.
_ENDING: Final = ("not_confirmed", "aborted", "stop_condition", "error", "not_started", "fault_lapsed", "twin_gone")
_ONCE: Final = frozenset(
    {
        NoticeKind.OPENED,
        NoticeKind.FAULT_ON,
        NoticeKind.SWITCHED,
        NoticeKind.RESTORED,
        NoticeKind.CLOSED,
    }
)

Saying = Callable[[Texts], str]


@dataclass(frozen=True)
class About:
    """What every message of a run says."""

    run: str
    plan: Plan
    timezone: str


def notice_of(about: About, event: Event, before: Sequence[Event]) -> Notice | None:
    """What to tell of this event, or None. `before`: the run's events up to it."""
    if event.kind is EventKind.ALARM:
        data = event.data
        return alarm_notice(about, data["day"], data["milestones"], data["owners"], data["passed_at"])
    told = _told(about.plan, event, before)
    if told is None:
        return None
    kind, said = told
    name = f"{about.run}-{kind}" + ("" if kind in _ONCE else f"-{event.seq}")
    return _notice(about, name, kind, epoch_s(event), said)


def verdict_notice(about: About, verdict: Verdict, at: float) -> Notice:
    """How the run ended; an event alone cannot say it."""
    states = [item.state for item in verdict.objectives]
    count = {f"{state}": states.count(state) for state in ObjectiveState}

    def said(texts: Texts) -> str:
        objectives = texts("objective_meaning.counts", **count) if states else texts("objective_meaning.none")
        return texts(
            "notice.closed",
            outcome=texts(f"outcome.{verdict.outcome}"),
            restoration=texts(f"restoration.{verdict.restoration}"),
            integrity=texts(f"integrity.{verdict.integrity}"),
            objectives=objectives,
        )

    return _notice(about, f"{about.run}-{NoticeKind.CLOSED}", NoticeKind.CLOSED, at, said)


def trial_notice(site: str, at: float, token: str) -> Notice:
    """To see whether the channels work."""
    return Notice(
        id=f"test-{site}-{token}",
        kind=NoticeKind.TEST,
        site=site,
        run="",
        drill="",
        mode=Mode.REHEARSAL,
        at=at,
        title=in_both(_saying("notice.test_title", site=site)),
        text=in_both(_saying("notice.test")),
    )


def _told(plan: Plan, event: Event, before: Sequence[Event]) -> tuple[NoticeKind, Saying] | None:
    data = event.data
    found: tuple[NoticeKind, Saying] | None = None
    match event.kind:
        case EventKind.OPENED:
            found = NoticeKind.OPENED, _saying("notice.opened", owner=data["owner"])
        case EventKind.FAULT_ON:
            found = NoticeKind.FAULT_ON, _saying("notice.fault_on")
        case EventKind.MESSAGE if data["topic"] == "promote":
            found = NoticeKind.PROMOTED, lambda texts: texts("notice.promoted", by=data["by"], reason=data["reason"])
        case EventKind.WAITING:
            found = NoticeKind.WAITING, _waiting(plan, event)
        case EventKind.NOTE if data["what"] in _ENDING:
            found = NoticeKind.ABORTED, lambda texts: texts("notice.aborted", reason=_reason(texts, event))
        case EventKind.NOTE if data["what"] == "second_room_behind":
            found = NoticeKind.SECOND_ROOM, _saying("notice.second_room")
        case EventKind.INTENT | EventKind.UNDO_INTENT if data["verb"] == Verb.CONFIRM:
            found = NoticeKind.WAITING, _to_confirm(plan, event)
        case EventKind.DONE | EventKind.UNDO_DONE if _is_late(event):
            found = NoticeKind.LATE, _late(plan, event)
        case EventKind.OUTAGE if data["level"] != "counted":
            found = NoticeKind.OUTAGE, _outage(event)
        case EventKind.STATE:
            found = _of_state(plan, event, before)
        case _:
            pass
    return found


def _saying(key: str, **values: object) -> Saying:
    return lambda texts: texts(key, **values)


def _of_state(plan: Plan, event: Event, before: Sequence[Event]) -> tuple[NoticeKind, Saying] | None:
    state = event.data["state"]
    if state == Phase.VERIFYING:
        return NoticeKind.SWITCHED, _saying("notice.switched")
    if state == PAUSED_STATE:
        return NoticeKind.WAITING, _saying("notice.held")
    if state == Phase.CLOSING and not unproved(plan, before):
        return NoticeKind.RESTORED, _saying("notice.restored")
    return None


def _reason(texts: Texts, event: Event) -> str:
    """What was found on hosts stays in the report; what a person or a stop condition said is told."""
    if "suspects" in event.data:
        return texts.of(Title(zh=event.data["zh"], en=event.data["en"]))
    what, text = event.data["what"], " ".join(str(event.data["text"]).split())
    return texts.said(text) if what in {"aborted", "stop_condition"} else texts(f"notice.{what}")


def _is_late(event: Event) -> bool:
    return any(item["outcome"] == Outcome.TIMED_OUT for item in event.data["results"])


def _late(plan: Plan, event: Event) -> Saying:
    limit = next((step.deadline_s for step in plan.steps if step.id == event.step), 0.0)
    return lambda texts: texts("notice.late", step=_step(texts, plan, str(event.step)), limit=f"{limit:g}")


def _waiting(plan: Plan, event: Event) -> Saying:
    data = event.data
    count = len(data["targets"])
    call = data.get("call") or {}
    name = Title.model_validate(call["name"]) if call.get("name") else None

    def said(texts: Texts) -> str:
        whom = texts.of(name) if name else texts("people.none")
        return texts("notice.waiting", step=_step(texts, plan, data["step"]), n=count, whom=whom)

    return said


def _outage(event: Event) -> Saying:
    data = event.data
    row, limit = data["rows"][0], f"{data['limit_s'] / 60:g}"
    minutes = f"{row['counted_s'] / 60:.1f}"
    return lambda texts: texts(
        f"notice.outage_{data['level']}", what=texts(f"class.{row['gateway_class']}"), minutes=minutes, limit=limit
    )


def alarm_notice(about: About, day: int, milestones: Sequence[str], owners: Sequence[str], at: float) -> Notice:
    """D+N has passed at `at` with these milestones (ids of the plan) open: names of their owners, no telephone. The
    same for each (run, day), whoever tells it.
    """
    titles = [item.title for item in about.plan.milestones if item.id in milestones]

    def said(texts: Texts) -> str:
        named = texts.joined(texts.of(title) for title in titles)
        return texts("notice.alarm", day=day, open=named, people=texts.joined(owners))

    return _notice(about, f"{about.run}-{NoticeKind.ALARM}-d{day}", NoticeKind.ALARM, at, said)


def _to_confirm(plan: Plan, event: Event) -> Saying:
    owner = next((step.targets[0].name for step in plan.steps if step.id == event.step), "")
    return lambda texts: texts(
        "notice.to_confirm", step=_step(texts, plan, str(event.step)), owner=texts.named("role", owner)
    )


def _step(texts: Texts, plan: Plan, name: str) -> str:
    return next((texts.of(step.title) for step in plan.steps if step.id == name), name)


def _notice(about: About, name: str, kind: NoticeKind, at: float, said: Saying) -> Notice:
    plan = about.plan
    local = datetime.fromtimestamp(at, ZoneInfo(about.timezone))

    def title(texts: Texts) -> str:
        what = texts(f"notice_kind.{kind}")
        return texts("notice.title", mode=texts(f"mode.{plan.kind}"), drill=texts.of(plan.title), what=what)

    def text(texts: Texts) -> str:
        when = f"{local:%Y-%m-%d %H:%M:%S}"
        return said(texts) + texts("notice.of_run", run=about.run, at=when, zone=about.timezone)

    return Notice(
        id=name,
        kind=kind,
        site=plan.site,
        run=about.run,
        drill=plan.drill,
        mode=plan.mode,
        at=at,
        title=in_both(title),
        text=in_both(text),
    )


def in_both(say: Saying) -> Title:
    """A text in every language."""
    return Title(**{language: say(Texts(language)) for language in get_args(Language)})
