"""The verbs as an operator types them: what they say, what they refuse, and what stands on the ledger afterwards.

They run in this process, with the command line's own parser; a process of its own per word would take minutes.
"""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
import typer

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli.app import app
from orchestrator.errors import DrillctlError
from orchestrator.evidence.findings import states
from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.manifest import as_text, sha256
from orchestrator.model.evidence import LedgerKind, LedgerLine
from orchestrator.model.record import RunRecord
from orchestrator.report.render import run_json
from tests.evidence.years import Book, moved
from tests.report import record_example as example
from tests.support.command import Said, drillctl
from tests.support.sites import ROOT


class Desk:
    """A site of its own with reports, and a failed drill on its ledger with a later one that passed."""

    def __init__(self, folder: Path, printed: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._printed = printed
        self.site = folder / "inventory" / "example"
        shutil.copytree(ROOT / "inventory", folder / "inventory")
        self.book = Book(folder / "reports" / "ledger")
        self.failed = self._held(example.failed(), date(2026, 5, 23))
        self.passed = self._held(example.observed(), date(2026, 7, 4))

    def _held(self, record: RunRecord, on: date) -> RunRecord:
        """On the ledger, and with a pack on the disk that has its record."""
        record = moved(record, on)
        self.book.clock.at = record.started_at
        self.book.open(record)
        pack = self.folder / "reports" / record.run / "pack"
        pack.mkdir(parents=True)
        (pack / "run.json").write_text(run_json(record), encoding="utf-8")
        evidence = as_text({"run.json": sha256((pack / "run.json").read_bytes())}).encode()
        (pack / "EVIDENCE.sha256").write_bytes(evidence)
        listed = {name: sha256((pack / name).read_bytes()) for name in ("EVIDENCE.sha256", "run.json")}
        (pack / "SHA256SUMS").write_text(as_text(listed))
        self.book.clock.at = record.finished_at
        self.book.close(record, sums=sha256((pack / "SHA256SUMS").read_bytes()), evidence=sha256(evidence))
        return record

    def says(self, *arguments: str) -> Said:
        site = () if arguments[:2] == ("evidence", "export") or arguments[-1] == "list" else ("--site", str(self.site))
        words = [*(item for item in arguments if item != "list"), *site]
        self._printed.readouterr()
        try:
            code, error = app(words, standalone_mode=False) or 0, ""
        except DrillctlError as wrong:
            code, error = wrong.exit_code, str(wrong)
        except typer.TyperException as wrong:
            code, error = 2, wrong.format_message()
        said = self._printed.readouterr()
        return Said(code, said.out, said.err + error)

    @property
    def lines(self) -> list[LedgerLine]:
        return Ledger(self.folder / "reports" / "ledger", SystemClock()).lines()

    def settings(self, text: str) -> None:
        (self.site / "evidence.yml").write_text(text, encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("DRILLCTL_REPORTS", str(tmp_path / "reports"))
    monkeypatch.setenv("DRILLCTL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "100")
    return Desk(tmp_path, capsys)


# -- findings -----------------------------------------------------------------------------------------------------


def test_findings_are_listed_by_drill_and_as_json(desk: Desk) -> None:
    said = desk.says("findings", "list")
    assert said.code == 0, said.err
    assert f"{len(desk.failed.findings)} open" in said.out
    assert "due 2026-06-22  li  single-centre-failure" in said.out
    listed = json.loads(desk.says("findings", "--json", "--drill", "single-centre-failure", "list").out)
    assert [item["finding"]["id"] for item in listed] == [item.id for item in desk.failed.findings]
    assert json.loads(desk.says("findings", "--json", "--drill", "beijing-dr-cutover", "list").out) == []
    wrong = desk.says("findings", "--drill", "single-center", "list")
    assert (wrong.code, "expected a drill (" in wrong.err) == (2, True)


def test_a_finding_is_assigned_to_a_person_of_the_site_for_a_day_to_come(desk: Desk) -> None:
    first = desk.failed.findings[0].id
    done = desk.says("findings", "assign", first, "--owner", "wang", "--due", "2099-12-31", "--by", "zhang")
    assert (done.code, done.out) == (0, f"{first}: wang answers for it, due 2099-12-31\n")
    assert desk.lines[-1].data == {"id": first, "owner": "wang", "due": "2099-12-31", "by": "zhang"}
    for arguments, expected in (
        (["--owner", "nobody"], "expected a person of people.yml (zhang, li, wang, chen, zhao)"),
        (["--due", "31.12.2099"], "expected a date as 2026-12-31, found '31.12.2099'"),
        (["--due", "2020-01-01"], "expected a day that is still to come"),
        ([], "expected --owner, --due or both, found neither"),
    ):
        said = desk.says("findings", "assign", first, *arguments)
        assert said.code == 2
        assert expected in said.err
    assert desk.says("findings", "assign", "F-1", "--owner", "wang").code == 2


def test_a_finding_is_closed_once_with_a_reason_that_stands_on_the_ledger(desk: Desk) -> None:
    first = desk.failed.findings[0].id
    assert desk.says("findings", "close", first, "--reason", "  ").code == 2
    assert desk.says("findings", "close", first).code == 2
    assert desk.says("findings", "close", first, "--reason", "a", "--retest", desk.passed.run).code == 2
    done = desk.says("findings", "close", first, "--reason", "网卡已更换", "--by", "chen", "--json")
    assert done.code == 0, done.err
    assert (done.document["open"], done.document["reason"]) == (False, "网卡已更换")
    again = desk.says("findings", "close", first, "--reason", "again")
    assert again.code == 3
    assert "FINDING_CLOSED" in again.err
    kept = desk.says("findings", "--all", "list").out
    assert "网卡已更换 (chen)" in kept
    assert f"{len(desk.failed.findings) - 1} open, 1 closed" in kept


def test_a_retest_closes_a_finding_only_if_it_passed_and_its_pack_is_what_was_sealed(desk: Desk) -> None:
    first = desk.failed.findings[0].id
    before = len(desk.lines)
    own = desk.says("findings", "close", first, "--retest", desk.failed.run)
    assert own.code == 3
    assert "expected a run that was opened after the finding, found an earlier one" in own.err
    record = desk.folder / "reports" / desk.passed.run / "pack" / "run.json"
    honest = record.read_bytes()
    record.write_bytes(honest.replace(b'"met"', b'"met" ', 1))
    forged = desk.says("findings", "close", first, "--retest", desk.passed.run)
    assert forged.code == 3
    assert "PACK_CHANGED" in forged.err
    assert len(desk.lines) == before
    record.write_bytes(honest)
    done = desk.says("findings", "close", first, "--retest", desk.passed.run)
    assert (done.code, done.out) == (0, f"{first}: closed by the retest {desk.passed.run}\n")
    state = next(item for item in states(desk.lines) if item.finding.id == first)
    assert (state.is_open, state.retest_run) == (False, desk.passed.run)


# -- anchor, retain, export, annual -------------------------------------------------------------------------------


def test_the_head_goes_to_every_anchor_and_each_outcome_is_said(desk: Desk) -> None:
    none = desk.says("evidence", "anchor")
    assert (none.code, "expected anchors to send the ledger's head to, found none" in none.err) == (2, True)
    (desk.folder / "heads").mkdir()
    lost = "{id: lost, kind: directory, to: ../../nowhere}"
    mail = "{id: mail, kind: mail, to: a@b.example, server: '127.0.0.1:1', sender: c@d.example}"
    desk.settings(f"anchors: [{{id: disk, kind: directory, to: ../../heads}}, {lost}, {mail}]\n")
    said = desk.says("evidence", "anchor", "--json")
    assert said.code == 1
    results = {item["anchor"]: item["result"] for item in said.document["anchors"]}
    assert results == {"disk": "anchored", "lost": "failed", "mail": "failed"}
    line = desk.lines[-1]
    assert (line.kind, line.data["to"]) == (LedgerKind.ANCHORED, "disk")
    assert f"{line.data['seq']}:{line.data['digest']}" == said.document["head"]
    assert len(list((desk.folder / "heads").glob("head-*.json"))) == 1
    assert len(list((desk.folder / "reports" / "outbox" / "mail").glob("*.eml"))) == 1
    alone = desk.says("evidence", "anchor", "--only", "disk")
    assert alone.code == 0, alone.err
    assert [item.kind for item in desk.lines[-2:]] == [LedgerKind.HEARTBEAT, LedgerKind.ANCHORED]
    assert desk.says("evidence", "anchor", "--only", "nobody").code == 2
    offline = desk.says("evidence", "anchor", "--offline", "--only", "mail", "--only", "disk")
    assert offline.code == 0, offline.err
    assert "to be carried to a@b.example" in offline.out


def test_a_ledger_that_was_rolled_back_is_told_by_the_anchor_and_nothing_is_anchored(desk: Desk) -> None:
    (desk.folder / "heads").mkdir()
    desk.settings("anchors: [{id: disk, kind: directory, to: ../../heads}]\n")
    assert desk.says("evidence", "anchor").code == 0
    ledger = desk.folder / "reports" / "ledger"
    kept = (ledger / "ledger.jsonl").read_bytes().splitlines(keepends=True)[:-4]
    shutil.rmtree(ledger)
    ledger.mkdir()
    (ledger / "ledger.jsonl").write_bytes(b"".join(kept))
    said = desk.says("evidence", "anchor")
    assert said.code == 1
    assert "disk (directory): contradicted: expected at least" in said.out
    assert desk.lines[-1].kind is not LedgerKind.ANCHORED


def test_what_is_past_its_time_is_said_first_and_then_deleted(desk: Desk) -> None:
    dry = desk.says("evidence", "retain", "--dry-run")
    assert (dry.code, "0 would be deleted, 2 kept for 1830 days" in dry.out) == (0, True)
    desk.settings("retention_days: 399\n")
    assert desk.says("evidence", "retain").code == 2
    assert len(list((desk.folder / "reports").glob("*/pack"))) == 2


def test_a_run_is_exported_by_its_name_and_into_a_new_file_only(desk: Desk) -> None:
    target = desk.folder / "one.zip"
    done = desk.says("evidence", "export", desk.passed.run, "--to", str(target), "--json")
    assert done.code == 0, done.err
    assert done.document["sha256"] == sha256(target.read_bytes())
    for arguments, expected in (
        ((desk.passed.run, "--to", str(target)), "it is not overwritten"),
        (("nobodys-run", "--to", "x.zip"), "expected a run in"),
        (("../ledger", "--to", "x.zip"), "expected a run in"),
        (("ledger", "--to", str(desk.folder / "x.zip")), "NOT_SEALED"),
        ((desk.passed.run,), "--to"),
    ):
        said = desk.says("evidence", "export", *arguments)
        assert said.code in (2, 3)
        assert expected in said.err


def test_the_years_summary_is_written_in_both_languages_and_three_forms(desk: Desk) -> None:
    done = desk.says("evidence", "annual", "--year", "2026", "--to", str(desk.folder / "summary"))
    assert done.code == 0, done.err
    names = {f"annual.{language}.{form}" for language in ("zh", "en") for form in ("html", "pdf")} | {"annual.json"}
    assert {item.name for item in (desk.folder / "summary").iterdir()} == names
    assert {Path(line).name for line in done.out.splitlines()} == names
    counts = json.loads((desk.folder / "summary" / "annual.json").read_text())["counts"]
    assert (counts["held"], counts["held_by_outcome"]) == (2, {"failed": 1, "passed": 1})
    for year, expected in (("1999", "expected a year from 2000"), ("9999", "found 9999"), ("x", "valid integer")):
        said = desk.says("evidence", "annual", "--year", year)
        assert (said.code, expected in said.err) == (2, True)
    (desk.folder / "file").write_text("")
    assert desk.says("evidence", "annual", "--year", "2025", "--to", str(desk.folder / "file")).code == 2


def test_a_process_of_its_own_ends_with_the_exit_code_and_one_line(desk: Desk) -> None:
    said = drillctl("findings", "close", "F-1", "--reason", "x", "--site", str(desk.site), state=desk.folder)
    assert (said.code, said.out, len(said.err.splitlines())) == (2, "", 1)
    assert said.err.startswith("drillctl: expected a finding of the ledger, found none called F-1")
