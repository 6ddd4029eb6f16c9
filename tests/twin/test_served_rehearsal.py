"""A rehearsal that begins by itself at its time, on a real twin, and is on the ledger as held."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.command import LONGEST_S, drillctl
from tests.support.sites import ROOT
from tests.support.twins import until

pytestmark = [pytest.mark.twin, pytest.mark.matrix]

SCHEDULE = """\
starts: {starts}
rules:
  - id: tryout
    title: {{zh: 单中心故障仿真预演, en: Rehearsal of a centre's failure}}
    drill: single-centre-failure
    parameters: {{centre: futian}}
    every_months: 1
    mode: rehearsal
    clauses: [SSCC-2.3]
    policy: the test's
    weekday: {weekday}
    begins: "{now:%H:%M}"
    expected_h: 1
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Its one entry is due now: today is no trading day there, and the middle of the entry's period."""
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    folder = tmp_path / "inventory" / "example"
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    day = f"days:\n  - {{day: {now.date()}, state: closed, source: the test}}\n"
    (folder / "calendar.yml").write_text(day, encoding="utf-8")
    weekday = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")[now.weekday()]
    text = SCHEDULE.format(starts=now.date() - timedelta(days=15), weekday=weekday, now=now)
    (folder / "schedule.yml").write_text(text, encoding="utf-8")
    return folder


def test_a_rehearsal_begins_by_itself_and_counts_as_held(tmp_path: Path, site: Path) -> None:
    begun = drillctl("serve", "--once", "--site", str(site), state=tmp_path)
    assert begun.code == 0, begun.err
    assert "its rehearsal has begun" in begun.out
    (folder,) = (tmp_path / "state" / "serve" / "rehearsals").iterdir()
    until((folder / "result").exists, LONGEST_S)
    ended = drillctl("serve", "--once", "--site", str(site), state=tmp_path)
    assert "its rehearsal ended with exit code 0" in ended.out, (folder / "log").read_text(encoding="utf-8")
    assert "has begun" not in ended.out
    (held,) = drillctl("schedule", "due", "--json", "--site", str(site), state=tmp_path).document["drills"]
    assert held["last"]["outcome"] == "passed"
