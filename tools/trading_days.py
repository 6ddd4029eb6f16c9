"""Writes `inventory/catalogue/trading-days.yml` from two libraries that only development needs.

`python tools/trading_days.py` once a year, when the exchanges have published the next year's closed days: weekdays on
which Shanghai is closed come from exchange-calendars (XSHG), days on which offices work all the same from
chinesecalendar. Both are compiled
by hand from the notices: compare the file with the exchanges' own notices before you commit it.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).resolve().parent.parent / "inventory" / "catalogue" / "trading-days.yml"
FIRST = date(2020, 1, 1)
_SATURDAY = 5
_HEAD = """\
# Trading days of the exchanges in mainland China. Written by tools/trading_days.py: do not edit, run it again; what a
# site knows better stands in its own calendar.yml. Every weekday from first_day to horizon is a trading day, but for
# those listed. After the horizon nothing is known, weekends neither: unknown is never "not a trading day".
"""


def calendar() -> dict[str, Any]:
    """The document, from the libraries as they are installed. ImportError: one of them is not."""
    shanghai = import_module("exchange_calendars").get_calendar("XSHG", start=FIRST)
    horizon = shanghai.last_session.date()
    open_days = {session.date() for session in shanghai.sessions}
    days = [FIRST + timedelta(days=number) for number in range((horizon - FIRST).days + 1)]
    closed = [day for day in days if day not in open_days]
    return {
        "first_day": FIRST,
        "horizon": horizon,
        "source": f"exchange-calendars {version('exchange-calendars')} (XSHG)",
        "closed_weekdays": [day for day in closed if day.weekday() < _SATURDAY],
        "office_days": _office_days(closed),
    }


def _office_days(closed: Sequence[date]) -> list[dict[str, Any]]:
    """By year, as the library has them; a year without any is not published."""
    notices = import_module("chinese_calendar.constants")
    workdays, holidays = notices.workdays, notices.holidays
    published = {day.year for day in workdays}
    found = [day for day in closed if day in workdays or (day.weekday() < _SATURDAY and day not in holidays)]
    return [
        {
            "year": year,
            "days": [day for day in found if day.year == year],
            "source": f"国务院办公厅关于{year}年部分节假日安排的通知, by chinesecalendar {version('chinesecalendar')}",
        }
        for year in sorted({day.year for day in found} & published)
    ]


class _Indented(yaml.SafeDumper):
    """Lists stand deeper than their key, as in the other files."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - as the library has it
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as above
        """A day that stands in two lists is written twice."""
        return True


def main() -> None:
    """Write the file."""
    text = yaml.dump(calendar(), Dumper=_Indented, allow_unicode=True, sort_keys=False, width=1000)
    FILE.write_text(_HEAD + text, encoding="utf-8")


if __name__ == "__main__":
    main()
