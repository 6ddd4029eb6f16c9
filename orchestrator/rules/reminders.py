"""When people are told of an entry of the schedule before it begins, and when next something is to be done. Pure."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final

from orchestrator.rules.schedule import Entry

_TOLD_AT: Final = time(7, 30)  # our choice: before anybody is at work
_BEFORE: Final = timedelta(hours=1)  # our choice: at the latest so long before it begins


class Reminder(StrEnum):
    """Which of the two it is."""

    EVE = "eve"
    TODAY = "today"


def reminder(entry: Entry, now: datetime) -> Reminder | None:
    """Which one is to be told now. One that nobody could tell in its time is not told after it. `now` is local."""
    eve, today = _times(entry)
    if eve <= now < today:
        return Reminder.EVE
    return Reminder.TODAY if today <= now < entry.begins else None


def next_moment(entries: Iterable[Entry], now: datetime) -> datetime | None:
    """When something of them is to be done next; `now` and the answer are local."""
    moments = (at for entry in entries for at in (*_times(entry), entry.begins, entry.missed_at) if at > now)
    return min(moments, default=None)


def _times(entry: Entry) -> tuple[datetime, datetime]:
    """The day before and the day itself."""
    today = min(datetime.combine(entry.begins.date(), _TOLD_AT), entry.begins - _BEFORE)
    eve = datetime.combine(entry.begins.date() - timedelta(days=1), _TOLD_AT)
    return min(eve, today), today
