"""`drillctl schedule` as an operator has it: a year, the next drill, what is due, calendars and units."""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from orchestrator.evidence.keys import local_keys
from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.scheduled import held
from orchestrator.model.drill import Mode
from tests.evidence.verifying import by_product, by_script
from tests.evidence.years import Book
from tests.report import record_example
from tests.support.command import Said, drillctl
from tests.support.sites import ROOT

ZONE = "Asia/Shanghai"
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=ZoneInfo(ZONE))
TODAY = NOW.date()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The example, with a policy that came into force two years ago."""
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    folder = tmp_path / "inventory" / "example"
    file = folder / "schedule.yml"
    starts = (TODAY - timedelta(days=740)).isoformat()
    file.write_text(
        file.read_text(encoding="utf-8").replace("starts: 2026-12-01", f"starts: {starts}"), encoding="utf-8"
    )
    return folder


def schedule(tmp_path: Path, site: Path, *words: str) -> Said:
    return drillctl("schedule", *words, "--site", str(site), state=tmp_path, at=NOW)


def document(said: Said) -> Any:
    return json.loads(said.out)


def test_the_examples_year_serves_the_clauses_that_have_a_drill(tmp_path: Path) -> None:
    said = drillctl("schedule", "list", "--from", "2026-12-01", "--json", state=tmp_path, at=NOW)
    assert said.code == 0, said.err
    served = {item["clause"]: (item["served"], item["rules"]) for item in said.document["coverage"]}
    assert served["SSCC-2.3"] == (True, ["centre"])
    assert served["SSCC-3.1"] == (True, ["carrier"])
    assert served["SSCC-A.1"] == (True, ["remote-dr"])
    windows = {item["rule"]: item["window"]["id"] for item in said.document["entries"] if item["window"]}
    assert windows == {"centre": "example-full-market-2026-12-05", "remote-dr": "example-recovery-drill-2027-03-13"}
    provisional = [item for item in said.document["entries"] if item["state"] == "provisional"]
    assert provisional
    assert all(item["begins"] > "2027" for item in provisional)


def test_a_list_marks_what_is_provisional_and_says_what_no_rule_serves(tmp_path: Path) -> None:
    said = drillctl("schedule", "list", "--from", "2026-12-01", state=tmp_path, at=NOW)
    assert "待定" in said.out
    assert "not drilled: carrier/satcom" in said.out
    rules = drillctl("schedule", "list", "--from", "2026-12-01", "--json", state=tmp_path, at=NOW).document["coverage"]
    for item in rules:
        line = next(line for line in said.out.splitlines() if line.startswith(item["clause"] + " "))
        assert ("no rule serves it" in line) is (not item["rules"])


def test_the_next_drill_tells_what_to_do(tmp_path: Path, site: Path) -> None:
    said = schedule(tmp_path, site, "next")
    assert said.code == 0, said.err
    assert "drillctl " in said.out
    found = document(schedule(tmp_path, site, "next", "--json"))
    assert found["begins"][:10] >= str(TODAY - timedelta(days=1))
    assert found["hindered"]["code"] in ("SCHEDULE_NOT_DUE", "SCHEDULE_PROVISIONAL", "OUTSIDE_WINDOW")
    assert found["to_do"]


def test_what_was_missed_is_recorded_once_and_both_verifiers_accept_it(tmp_path: Path, site: Path) -> None:
    before = document(schedule(tmp_path, site, "due", "--json"))
    names = {item["id"] for item in before["missed"]}
    assert {item["recorded_at"] for item in before["missed"]} == {None}
    said = schedule(tmp_path, site, "due", "--record", "--json")
    assert said.code == 1
    assert f"{len(names)} missed entries recorded" in said.err
    assert all(item["recorded_at"] for item in document(said)["missed"])
    ledger = Ledger(tmp_path / "reports" / "ledger", Book(tmp_path).clock)
    lines = [line for line in ledger.lines() if line.kind == "schedule.missed"]
    assert {line.data["id"] for line in lines} == {f"example:{name}" for name in names}
    again = schedule(tmp_path, site, "due", "--record")
    assert "recorded" not in again.err
    assert len(ledger.lines()) == len(lines)
    keys = local_keys(tmp_path / "state" / "keys")
    assert keys is not None
    for verify in (by_product, by_script):
        assert verify(tmp_path / "reports", "--signer", keys.fingerprint, archive=True).faults == ()


def test_the_annual_summary_is_made_of_a_ledger_with_missed_entries(tmp_path: Path, site: Path) -> None:
    schedule(tmp_path, site, "due", "--record")
    to = tmp_path / "annual"
    said = drillctl(
        "evidence", "annual", "--year", str(TODAY.year), "--to", str(to), "--site", str(site), state=tmp_path, at=NOW
    )
    assert said.code == 0, said.err
    assert json.loads((to / "annual.json").read_text(encoding="utf-8"))["counts"]["held"] == 0


def test_a_drill_that_was_held_is_not_overdue_and_a_rehearsal_is_none(tmp_path: Path, site: Path) -> None:
    book = Book(tmp_path / "reports" / "ledger")
    book.held(record_example.carrier(), TODAY - timedelta(days=40), mode=Mode.REHEARSAL)
    book.held(record_example.passed(), TODAY - timedelta(days=30))
    found = {item["name"]: item for item in document(schedule(tmp_path, site, "due", "--json"))["drills"]}
    (fault,) = record_example.passed().plan.fault.centres
    assert (found[f"centre/{fault}"]["days"], found[f"centre/{fault}"]["overdue"]) == (30, False)
    (carrier,) = record_example.carrier().plan.fault.carriers
    assert (found[f"carrier/{carrier}"]["last"], found[f"carrier/{carrier}"]["overdue"]) == (None, True)
    modes = [item.mode for item in held(book.lines, "example", ZONE)]
    assert modes == [Mode.REHEARSAL, Mode.DRILL]
    assert held(book.lines, "another", ZONE) == []


ONE = """\
starts: {starts}
rules:
  - id: centre
    title: {{zh: 单中心故障演练, en: Single-centre failure}}
    drill: single-centre-failure
    parameters: {{centre: {centre}}}
    every_months: 12
    clauses: [SSCC-2.3]
    policy: the test's
"""


def test_what_was_missed_in_a_period_that_is_over_stays_listed_and_raises_no_alarm(tmp_path: Path, site: Path) -> None:
    (centre,) = record_example.passed().plan.fault.centres
    text = ONE.format(starts=TODAY - timedelta(days=740), centre=centre)
    (site / "schedule.yml").write_text(text, encoding="utf-8")
    before = schedule(tmp_path, site, "due", "--json")
    assert (before.code, [item["standing"] for item in document(before)["missed"]]) == (1, ["missed", "missed"])
    Book(tmp_path / "reports" / "ledger").held(record_example.passed(), TODAY - timedelta(days=30))
    after = schedule(tmp_path, site, "due", "--json")
    assert (after.code, [item["standing"] for item in document(after)["missed"]]) == (0, ["missed", "held_late"])


def test_what_never_started_is_no_drill_held(tmp_path: Path) -> None:
    book = Book(tmp_path / "ledger")
    book.held(record_example.not_started(), TODAY - timedelta(days=30))
    book.held(record_example.incident(), TODAY - timedelta(days=20), mode=Mode.INCIDENT)
    assert held(book.lines, "example", ZONE) == []


def test_a_calendar_is_read_back_as_the_list_has_it(tmp_path: Path) -> None:
    listed = drillctl("schedule", "list", "--from", "2026-12-01", "--json", state=tmp_path, at=NOW).document["entries"]
    said = drillctl("schedule", "ics", "--from", "2026-12-01", state=tmp_path, at=NOW)
    events = Calendar.from_ical(said.out).walk("VEVENT")
    assert [str(item["uid"]) for item in events] == [
        f"{item['id'].replace('/', '-')}@example.drillctl" for item in listed
    ]
    for event, item in zip(events, listed, strict=True):
        assert event.decoded("dtstart") == datetime.fromtimestamp(item["begins_at"], UTC)
        assert str(event["status"]) == ("CONFIRMED" if item["state"] == "in_window" else "TENTATIVE")
        assert item["fault"]["zh"] in str(event["summary"])
        assert item["policy"] in str(event["description"])
    assert all(len(line.encode()) <= 75 for line in said.out.splitlines())


def test_a_calendar_is_written_where_it_is_told(tmp_path: Path) -> None:
    said = drillctl("schedule", "ics", "--to", str(tmp_path / "year.ics"), "--json", state=tmp_path, at=NOW)
    events = Calendar.from_ical((tmp_path / "year.ics").read_bytes()).walk("VEVENT")
    assert said.document == {"entries": len(events)}
    refused = drillctl("schedule", "ics", "--to", str(tmp_path / "none" / "year.ics"), state=tmp_path, at=NOW)
    assert (refused.code, refused.out) == (2, "")
    assert "expected a file that can be written" in refused.err


def test_units_are_printed_and_written_only_where_one_says(tmp_path: Path, site: Path) -> None:
    printed = document(schedule(tmp_path, site, "install", "--json"))
    assert set(printed) == {"drillctl-serve-example.service"}
    to = tmp_path / "units"
    assert schedule(tmp_path, site, "install", "--to", str(to)).code == 2
    to.mkdir()
    assert schedule(tmp_path, site, "install", "--to", str(to)).code == 0
    assert {item.name: item.read_text(encoding="utf-8") for item in to.iterdir()} == printed


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path, site: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    schedule(tmp_path, site, "install", "--to", str(tmp_path))
    unit = tmp_path / "drillctl-serve-example.service"
    done = subprocess.run((analyze, "verify", unit), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    unit.write_text(unit.read_text(encoding="utf-8").replace("KillMode=process", "KillMode=gently"), encoding="utf-8")
    done = subprocess.run((analyze, "verify", unit), capture_output=True, text=True, timeout=60, check=False)
    assert "kill mode" in done.stderr


def test_the_crontabs_line_does_what_it_says(tmp_path: Path, site: Path) -> None:
    line = document(schedule(tmp_path, site, "install", "--cron", "--json"))["drillctl-serve-example.cron"]
    *when, command = line.rstrip("\n").split(" ", 5)
    assert when == ["*"] * 5
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DRILLCTL")}
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "was missed; it is on the ledger" in done.stdout
    assert (tmp_path / "reports" / "ledger" / "ledger.jsonl").is_file()


@pytest.mark.parametrize("verb", ["list", "next", "due", "ics"])
def test_a_site_without_a_schedule_is_told_in_one_line(tmp_path: Path, site: Path, verb: str) -> None:
    (site / "schedule.yml").unlink()
    said = schedule(tmp_path, site, verb)
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert "expected the site's schedule, found none" in said.err


def test_a_wrong_day_is_told(tmp_path: Path) -> None:
    said = drillctl("schedule", "list", "--from", "tomorrow", state=tmp_path, at=NOW)
    assert (said.code, said.err) == (2, "drillctl: --from tomorrow: expected a day as 2026-12-01, found 'tomorrow'\n")
