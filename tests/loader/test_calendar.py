"""A site's calendar: what is read, and one clear line for whatever is wrong in it."""

from datetime import date
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from orchestrator.errors import DefinitionError
from orchestrator.loader.calendar import load_calendar
from orchestrator.loader.site import load_site
from orchestrator.model.calendar import Trading
from tests.loader.test_bad_input import edit, site
from tests.support.sites import ROOT
from tools import trading_days

__all__ = ["site"]


def message(folder: Path) -> str:
    with pytest.raises(DefinitionError) as caught:
        load_calendar(folder)
    assert len(caught.value.problems) == 1, str(caught.value)
    return str(caught.value)


def test_the_example_has_windows_and_the_catalogues_hours(site: Path) -> None:
    known = load_calendar(site)
    assert [item.id for item in known.windows] == [
        "example-full-market-2026-12-05",
        "example-recovery-drill-2027-03-13",
    ]
    assert [item.id for item in known.sessions] == ["neeq-bse", "shanghai", "settlement"]
    assert known.trading(date.fromisoformat("2026-10-01")) is Trading.NOT_TRADING


def test_without_the_file_no_window_is_open(site: Path) -> None:
    (site / "calendar.yml").unlink()
    known = load_calendar(site)
    assert known.windows == ()
    assert len(known.sessions) == 3


def test_an_announcement_voids_no_approval(site: Path) -> None:
    before = load_site(site).digest
    edit(site / "calendar.yml", "latest_return: 2026-12-05 15:00", "latest_return: 2026-12-05 14:00")
    assert load_site(site).digest == before


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        (
            "ends: 2026-12-05 17:30",
            "ends: 2026-12-04 17:30",
            "windows.0.ends",
            "expected a time after begins 2026-12-05 08:30, found 2026-12-04 17:30",
        ),
        (
            "latest_return: 2026-12-05 15:00",
            "latest_return: 2026-12-05 18:00",
            "windows.0.latest_return",
            "expected a time in the window, 2026-12-05 08:30 to 2026-12-05 17:30, found 2026-12-05 18:00",
        ),
        (
            "begins: 2026-12-05 08:30",
            "begins: 2026-12-05",
            "windows.0.begins",
            "expected a day and a time in the site's zone, as 2026-12-05 08:30, found 2026-12-05",
        ),
        (
            "begins: 2026-12-05 08:30",
            "begins: 2026-12-05T08:30:00+09:00",
            "windows.0.begins",
            "expected a day and a time in the site's zone, as 2026-12-05 08:30, found 2026-12-05 08:30:00+09:00",
        ),
        (
            "id: example-recovery-drill-2027-03-13",
            "id: example-full-market-2026-12-05",
            "windows.1.id",
            "expected each id once, found example-full-market-2026-12-05 again",
        ),
        ("last: 2027-01-03", "last: 2026-01-03", "blocked.0.last", "expected a day from first 2026-12-28 on, found"),
        ("state: closed", "state: shut", "days.0.state", "expected 'open' or 'closed', found 'shut'"),
        ("kind: recovery-drill", "kind: party", "windows.1.kind", "found 'party'"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_field(site: Path, old: str, new: str, field: str, said: str) -> None:
    line = edit(site / "calendar.yml", old, new)
    text = message(site)
    assert f"calendar.yml:{line}: {field}: " in text
    assert said in text


def test_a_window_names_its_number(site: Path) -> None:
    edit(site / "calendar.yml", "    number: 示例〔2026〕001号\n", "")
    assert "windows.0.number: expected this field, found nothing" in message(site)


def test_a_window_in_trading_hours_may_be_written(site: Path) -> None:
    """What is announced is written down as it is; the gate refuses."""
    edit(site / "calendar.yml", "begins: 2026-12-05 08:30", "begins: 2026-12-02 08:30")
    assert len(load_calendar(site).windows) == 2


OWN = """\
sessions:
  - id: settlement
    title: {zh: 结算, en: settlement}
    classes: [settlement]
    begins: "08:30"
    ends: "20:00"
    source: told by SSCC
"""


def test_a_sites_own_hours_stand_in_place_of_the_catalogues(site: Path) -> None:
    (site / "calendar.yml").write_text(OWN, encoding="utf-8")
    known = {item.id: item for item in load_calendar(site).sessions}
    assert set(known) == {"neeq-bse", "shanghai", "settlement"}
    assert known["settlement"].source == "told by SSCC"


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ('ends: "20:00"', "ends: 20:00", "ends", 'expected a time of day in quotes, as "09:15", found 1200'),
        ('ends: "20:00"', 'ends: "08:00"', "ends", "expected a time after begins 08:30, found 08:00"),
        ("[settlement]", "[settling]", "classes.0", "found 'settling'"),
    ],
)
def test_a_line_of_the_sites_own_hours_is_that_of_its_file(
    site: Path, old: str, new: str, field: str, said: str
) -> None:
    (site / "calendar.yml").write_text(OWN, encoding="utf-8")
    line = edit(site / "calendar.yml", old, new)
    text = message(site)
    assert f"calendar.yml:{line}: sessions.2.{field}: " in text
    assert said in text


def test_a_line_of_the_catalogues_is_that_of_the_catalogue(site: Path) -> None:
    line = edit(site.parent / "catalogue/session-hours.yml", 'ends: "22:00"', 'ends: "02:00"')
    assert f"session-hours.yml:{line}: sessions.2.ends: expected a time after begins 08:30" in message(site)
    edit(site.parent / "catalogue/session-hours.yml", 'ends: "02:00"', 'ends: "22:00"')
    line = edit(site.parent / "catalogue/trading-days.yml", "horizon: 2026-12-31", "horizon: 2019-12-31")
    assert f"trading-days.yml:{line}: trading_days.horizon: expected a day from first_day" in message(site)


def test_trading_days_do_not_stand_in_a_sites_calendar(site: Path) -> None:
    edit(site / "calendar.yml", "windows:", "trading_days: {}\nwindows:")
    assert "trading_days: expected no such field; use " in message(site)


def test_a_missing_catalogue_is_said(site: Path) -> None:
    (site.parent / "catalogue/trading-days.yml").unlink()
    assert "trading-days.yml: expected a file, found none" in message(site)


@pytest.mark.skipif(
    find_spec("exchange_calendars") is None or find_spec("chinese_calendar") is None,
    reason="needs exchange-calendars and chinesecalendar (development only)",
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of pandas, inside the library
def test_the_catalogue_is_what_the_libraries_say() -> None:
    found = yaml.safe_load((ROOT / "inventory/catalogue/trading-days.yml").read_text(encoding="utf-8"))
    expected = trading_days.calendar()
    for document in (found, expected):
        document.pop("source")
        for year in document["office_days"]:
            year.pop("source")
    known = found["horizon"]
    assert [day for day in expected["closed_weekdays"] if day <= known] == found["closed_weekdays"]
    assert [year for year in expected["office_days"] if year["year"] <= known.year] == found["office_days"]
    assert found["first_day"] == expected["first_day"]
    assert known <= expected["horizon"]
