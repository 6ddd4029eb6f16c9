"""`records.yml`: every problem has its file, line and field, and nothing is judged by a wrong file."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from orchestrator.errors import DefinitionError
from orchestrator.loader.records import load_records
from orchestrator.loader.site import load_site
from orchestrator.model.records import Records
from tests.rules.facts import TODAY
from tests.support.sites import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    return tmp_path / "inventory/example"


def edited(folder: Path, old: str, new: str) -> int:
    """Change one place of records.yml; its line."""
    file = folder / "records.yml"
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


def refused(folder: Path, today: date = TODAY) -> str:
    with pytest.raises(DefinitionError) as told:
        load_records(folder, load_site(folder).topology, today)
    return str(told.value)


def test_without_the_file_nothing_is_on_record(folder: Path) -> None:
    (folder / "records.yml").unlink()
    assert load_records(folder, load_site(folder).topology, TODAY) == Records()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("gateway: nq-trade-4,", "gateway: nq-trade-9,", "expected a gateway of topology.yml"),
        ("[nq-ccnet-1, nq-ccnet-2]", "[nq-ccnet-1, nq-ccnet-9]", "expected a gateway of topology.yml"),
        ("{line: tel-southern, port", "{line: tel-beijing, port", "expected a line of topology.yml"),
        ("{line: sat-receive, number", "{line: tel-futian, number", "expected a satellite line of topology.yml"),
        ("certificate: sse-md-2-file", "certificate: sse-md-9-file", "expected a certificate of topology.yml"),
        ("{person: zhang", "{person: zhou", "expected a person of people.yml"),
        ("where: 日志服务器（示例）", "where: 日志服务器（示例）\n    device: x", "no such field"),
        ("file: platform-export.csv", "file: other.csv", "expected a file"),
        ("stated_on: 2026-03-14", "stated_on: 2062-03-14", "up to today (2026-11-22), found 2062-03-14"),
        ("line: sat-receive, port: routed", "line: sat-receive, port: bridged", "'routed' or 'switched'"),
        ("hosting: {hosted: false}", "hosting: {hosted: false, lines: [tel-futian]}", "expected no lines"),
        ("peak_mbps: 3.1, ", "", "expected peak_mbps and peak_since together"),
        ("person: li,", "person: wang,", "expected each once, found wang again"),
        ("kept_months: 60", "kept_months: sixty", "kept_months"),
        ("kept_months: 60", "kept_months: 60\n    host: gw-a1", "expected host and folder together, found host alone"),
        ("kept_months: 60", "kept_months: 60\n    host: gw-a1\n    folder: logs", "expected folder to begin with /"),
        ("kept_months: 60", "kept_months: 60\n    host: gw-z1\n    folder: /logs", "expected a host or router"),
        ("assessed_on: 2026-04-10", "assessed_on: soon", "assessed_on: expected a valid date"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_with_its_line(folder: Path, old: str, new: str, expected: str) -> None:
    line = edited(folder, old, new)
    told = refused(folder)
    assert expected in told
    assert any(f"{folder / 'records.yml'}:{at}: " in told for at in range(max(1, line - 30), line + 2))


def waiver(folder: Path, **fields: str) -> None:
    given = {"rule": "peak-use", "where": "lines.x", "reason": "ordered", "by": "Zhang", "until": "2026-12-31"} | fields
    said = ", ".join(f"{name}: {value}" for name, value in given.items() if value)
    with (folder / "records.yml").open("a", encoding="utf-8") as file:
        file.write(f"waivers:\n  - {{{said}}}\n")


@pytest.mark.parametrize("field", ["rule", "where", "reason", "by", "until"])
def test_a_waiver_without_one_of_its_fields_is_refused(folder: Path, field: str) -> None:
    waiver(folder, **{field: ""})
    assert f"waivers.0.{field}: expected this field, found nothing" in refused(folder)


def test_a_waiver_with_an_empty_reason_is_refused(folder: Path) -> None:
    waiver(folder, reason='""')
    assert "waivers.0.reason" in refused(folder)


def test_a_waiver_of_no_rule_is_refused(folder: Path) -> None:
    waiver(folder, rule="peak-usage")
    assert "waivers.0.rule: expected a rule of the audit" in refused(folder)


def test_a_whole_waiver_is_read(folder: Path) -> None:
    waiver(folder)
    (read,) = load_records(folder, load_site(folder).topology, TODAY).waivers
    assert (read.rule, read.until) == ("peak-use", date(2026, 12, 31))


def test_an_edit_of_the_records_voids_no_approval_and_is_kept_with_a_run(folder: Path) -> None:
    before = load_site(folder)
    edited(folder, "assessed_on: 2026-04-10", "assessed_on: 2026-04-11")
    after = load_site(folder)
    assert after.digest == before.digest
    assert folder / "records.yml" in after.files
    (folder / "people.yml").write_bytes((folder / "people.yml").read_bytes() + b"# edited\n")
    assert load_site(folder).digest != before.digest
