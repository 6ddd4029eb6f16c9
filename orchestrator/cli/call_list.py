"""How a call list is shown: to be read in the middle of the night, number first."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.sentences import call_in_words
from orchestrator.model.base import Title
from orchestrator.model.record import CallRecord
from orchestrator.report.texts import Texts
from orchestrator.rules.calls import Answering, Callee, CallList

_ZH, _EN = Texts("zh"), Texts("en")
_HEADS: Final = {
    Answering.NOW: ("ANSWER NOW 现在接听", "bold green"),
    Answering.PERHAPS: ("MAY ANSWER 不确定是否接听: call and see", "bold yellow"),
    Answering.LATER: ("DO NOT ANSWER NOW 现在不接听", "dim"),
}
_NUMBER_WIDTH: Final = 14  # of the longest number in the mainland, so that all parts stand in one column
_HOW: Final = {"stated": "as stated", "calendar": "by the calendar", "unknown": "the calendar does not know the day"}
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Asked:
    """The moment that a list is for. `stated`: what somebody says that this day is; else the calendar tells."""

    at: datetime
    stated: bool | None = None
    known: Callable[[date], bool | None] = lambda _day: None

    def working(self, day: date) -> bool | None:
        """None: nobody knows, as past the horizon of the calendar."""
        is_stated = self.stated is not None and day == self.at.date()
        return self.stated if is_stated else self.known(day)

    @property
    def by(self) -> str:
        """Who says so."""
        if self.stated is not None:
            return "stated"
        return "unknown" if self.working(self.at.date()) is None else "calendar"


def as_data(asked: Asked, found: CallList) -> dict[str, Any]:
    """For `--json`."""
    return {
        "at": asked.at.isoformat(timespec="seconds"),
        "zone": str(asked.at.tzinfo),
        "working_day": asked.working(asked.at.date()),
        "working_day_by": asked.by,
        "own": [_callee(item) for item in found.own],
        "contacts": [_callee(item) for item in found.contacts],
    }


def _callee(item: Callee) -> dict[str, Any]:
    return {
        "id": item.id,
        "name": item.name.model_dump(),
        "phones": list(item.phones),
        "roles": [role.value for role in item.roles],
        "kind": item.kind.value if item.kind else None,
        "purpose": item.purpose.model_dump() if item.purpose else None,
        "answering": item.answering.value,
        "answers_next_at": item.next.at.isoformat(timespec="seconds") if item.next else None,
        "answers_next_is_certain": item.next.is_certain if item.next else None,
    }


def show_list(console: Console, asked: Asked, found: CallList, log: dict[str, Any] | None) -> None:
    """Own people, then the contacts by whether they answer, then the calls of the run so far."""
    console.print(_head(asked))
    if log:
        console.print(Text(f"run {log['run']}: {log['state']}", "bold"))
    _part(console, Text("OWN PEOPLE 本公司人员", "bold"), found.own)
    for answering, (title, style) in _HEADS.items():
        _part(console, Text(title, style), found.that(answering))
    if log:
        _calls(console, [CallRecord.model_validate(item) for item in log["calls"]], asked)


def _head(asked: Asked) -> Text:
    day = _DAYS[asked.at.weekday()]
    working = asked.working(asked.at.date())
    kind = {True: "a working day", False: "no working day", None: "a working day or not"}[working]
    when = f"{asked.at:%Y-%m-%d %H:%M} {_EN(f'hours.{day}')} {_ZH(f'hours.{day}')}, {asked.at.tzinfo}"
    return Text.assemble((when, "bold"), (f"; {kind} ({_HOW[asked.by]})", "dim"))


def _part(console: Console, title: Text, callees: Sequence[Callee]) -> None:
    if not callees:
        return
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=_NUMBER_WIDTH)
    table.add_column(overflow="fold")
    for item in callees:
        later = item.answering is Answering.LATER
        phones = Text("\n".join(item.phones), "dim" if later else "bold cyan")
        table.add_row(phones, Text("\n", "dim" if later else "").join(_lines(item)))
    console.print()
    console.print(title)
    console.print(table)


def _lines(item: Callee) -> Iterator[Text]:
    """Who, what for, and what to know of their hours."""
    yield Text.assemble((_both(item.name), "bold" if item.answering is not Answering.LATER else ""), f"  {item.id}")
    if item.purpose:
        yield Text(_both(item.purpose))
    if item.roles:
        yield Text(", ".join(f"{_EN(f'role.{role}').lower()} {_ZH(f'role.{role}')}" for role in item.roles))
    if item.answering is Answering.PERHAPS:
        said = f": {_both(item.hours)}" if item.hours else ""
        yield Text(f"hours unknown{said}" if not item.has_hours else "only on working days", "yellow")
    if item.answering is Answering.LATER:
        yield Text(_next(item))


def _next(item: Callee) -> str:
    if item.next is None:
        return "answers again: not within a month"
    maybe = "" if item.next.is_certain else ", if that is a working day"
    return f"answers again {_EN(f'hours.{_DAYS[item.next.at.weekday()]}')} {item.next.at:%Y-%m-%d %H:%M}{maybe}"


def _both(title: Title) -> str:
    return f"{title.zh}  {title.en}"


def _calls(console: Console, noted: Sequence[CallRecord], asked: Asked) -> None:
    console.print()
    console.print(Text("CALLS OF THIS RUN 通话记录", "bold"))
    zone = asked.at.tzinfo or ZoneInfo("UTC")
    for call in noted:
        at = datetime.fromtimestamp(call.at, zone)
        console.print(Text(f"{at:%m-%d %H:%M}  {call_in_words(call)}"), soft_wrap=True)
    if not noted:
        console.print(Text("none noted yet; `drillctl calls placed RUN CONTACT` notes one", "dim"))
