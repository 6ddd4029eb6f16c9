"""What a server tells of a site's schedule, audits and unattended runs, as short messages in two languages. Pure.

A message leaves the firm, as those of runs do (`notices.py`): it names no host. So a parameter's value is told for
centres and carriers only, and a name that is made of one goes by its digest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from orchestrator.model.audit import Finding
from orchestrator.model.base import Title
from orchestrator.model.drill import Mode
from orchestrator.model.notify import Notice, NoticeKind
from orchestrator.model.plan import Plan
from orchestrator.report.notices import Saying, in_both
from orchestrator.report.texts import Texts
from orchestrator.rules.audits import clauses_of
from orchestrator.rules.reminders import Reminder
from orchestrator.rules.schedule import Age, Entry, EntryState, Subject

_TOLD: Final = frozenset({"centre", "carrier"})
_DIGITS: Final = 12  # hexadecimal; our choice: two names of a site never meet


@dataclass(frozen=True)
class From:
    """The site that tells, and when; `at` in seconds since the epoch. `operators`: who may begin a drill."""

    site: str
    zone: str
    at: float
    operators: tuple[str, ...] = ()


def name_of(entry: Entry) -> str:
    """An entry's name for files and notices: as safe as an id, and without a parameter's value."""
    return f"{_safe(entry.subject)}-{entry.first}"


def reminder_name(entry: Entry, which: Reminder) -> str:
    """An entry that moves to another day is told again."""
    return f"{name_of(entry)}-{which}-{entry.begins.date()}"


def overdue_name(age: Age) -> str:
    return f"{_safe(age.subject)}-overdue-{age.due}"


def reminder_notice(source: From, entry: Entry, which: Reminder) -> Notice:
    """What comes tomorrow or today, and what is to be done for it."""

    def said(texts: Texts) -> str:
        begins = texts(f"site_notice.{which}", at=_time(entry.begins), zone=source.zone)
        return "".join([begins, _fault(texts, entry.subject), *_to_do(texts, source, entry)])

    return _of_subject(source, reminder_name(entry, which), NoticeKind.SCHEDULED, entry.subject, said)


def hindered_notice(source: From, entry: Entry, name: str, key: str, **values: object) -> Notice:
    """A rehearsal whose time has come did not begin by itself, or came to nothing. `key`: the reason's text."""

    def said(texts: Texts) -> str:
        begins = texts("site_notice.was_due", at=_time(entry.begins), zone=source.zone)
        return begins + _fault(texts, entry.subject) + texts(f"site_notice.{key}", **values)

    return _of_subject(source, name, NoticeKind.SCHEDULED, entry.subject, said)


def missed_notice(source: From, entry: Entry) -> Notice:
    """Its grace time is over without a run."""

    def said(texts: Texts) -> str:
        at = _time(entry.begins)
        return texts("site_notice.missed", at=at, zone=source.zone, last=entry.last) + _fault(texts, entry.subject)

    return _of_subject(source, f"{name_of(entry)}-missed", NoticeKind.MISSED, entry.subject, said)


def overdue_notice(source: From, age: Age) -> Notice:
    """It was not held within its interval."""

    def said(texts: Texts) -> str:
        last = texts("site_notice.last", on=age.last.at.date()) if age.last else texts("site_notice.never")
        due = texts("site_notice.overdue", due=age.due, months=age.subject.rule.every_months)
        return due + last + _fault(texts, age.subject)

    return _of_subject(source, overdue_name(age), NoticeKind.MISSED, age.subject, said)


def audit_notice(source: From, name: str, found: Sequence[Finding], errors: int) -> Notice:
    """Clauses only: where in the inventory it stands names hosts."""

    def said(texts: Texts) -> str:
        clauses = ("、" if texts.language == "zh" else ", ").join(clauses_of(found))
        return texts("site_notice.audit", n=len(found), clauses=clauses, errors=errors)

    title = in_both(lambda texts: texts("site_notice.audit_title", site=source.site))
    return _notice(source, name, NoticeKind.AUDIT, title, in_both(said))


def unattended_notice(source: From, name: str, run: str, plan: Plan, key: str, *, minutes: int, extra: str) -> Notice:
    """A run without an orchestrator, or one for which nobody has come. `key`: which of them; `extra`: a step."""

    def said(texts: Texts) -> str:
        return texts(f"site_notice.{key}", run=run, minutes=minutes, extra=extra)

    def title(texts: Texts) -> str:
        return _title(texts, plan.mode, plan.title, NoticeKind.UNATTENDED)

    found = _notice(source, name, NoticeKind.UNATTENDED, in_both(title), in_both(said))
    return found.model_copy(update={"run": run, "drill": plan.drill, "mode": plan.mode})


def _safe(subject: Subject) -> str:
    value = sha256(subject.name.encode()).hexdigest()[:_DIGITS]
    return f"{subject.rule.id}-{value}" if subject.name != subject.rule.id else subject.rule.id


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _fault(texts: Texts, subject: Subject) -> str:
    told = all(name in _TOLD for name, _ in subject.parameters) and bool(subject.parameters)
    return texts("site_notice.fault", fault=texts.of(subject.fault)) if told else ""


def _to_do(texts: Texts, source: From, entry: Entry) -> list[str]:
    """As `schedule next` has it, without a command that names a host."""
    drill = entry.subject.rule.mode is Mode.DRILL
    found = []
    if entry.state in (EntryState.PROVISIONAL, EntryState.NO_DAY):
        found.append(texts(f"site_notice.{entry.state}"))
    if drill and entry.window is None:
        found.append(texts("site_notice.no_window"))
    operators = ("、" if texts.language == "zh" else ", ").join(source.operators) or texts("people.none")
    found.append(texts("site_notice.by_hand", operators=operators) if drill else texts("site_notice.by_itself"))
    if entry.window:
        found.append(texts("site_notice.latest_return", at=_time(entry.window.latest_return)))
    return [*found, texts("site_notice.more")]


def _title(texts: Texts, mode: Mode, title: Title, kind: NoticeKind) -> str:
    what = texts(f"notice_kind.{kind}")
    return texts("notice.title", mode=texts(f"mode.{mode}"), drill=texts.of(title), what=what)


def _of_subject(source: From, name: str, kind: NoticeKind, subject: Subject, said: Saying) -> Notice:
    rule = subject.rule
    title = in_both(lambda texts: _title(texts, rule.mode, rule.title, kind))
    found = _notice(source, name, kind, title, in_both(said))
    return found.model_copy(update={"drill": rule.drill, "mode": rule.mode})


def _notice(source: From, name: str, kind: NoticeKind, title: Title, text: Title) -> Notice:
    return Notice(
        id=f"{source.site}-{name}",
        kind=kind,
        site=source.site,
        run="",
        drill="",
        mode=Mode.DRILL,
        at=source.at,
        title=title,
        text=text,
    )
