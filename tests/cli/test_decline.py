"""`drillctl schedule decline`: the reason for not taking part is filed once, and shown from then on."""

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from orchestrator.model.evidence import LedgerKind
from tests.support.command import Said, drillctl

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
NUMBER = "示例〔2026〕001号"


def decline(tmp_path: Path, *words: str) -> Said:
    return drillctl("schedule", "decline", *words, state=tmp_path, at=NOW)


def ledger(tmp_path: Path) -> list[dict[str, object]]:
    file = tmp_path / "reports" / "ledger" / "ledger.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def test_the_reason_is_on_the_ledger_and_in_the_list(tmp_path: Path) -> None:
    said = decline(tmp_path, "--reason", "当日核心系统升级", "--by", "zhang")
    assert said.code == 0, said.err
    assert [line["kind"] for line in ledger(tmp_path)] == [LedgerKind.RUN_CANCELLED]
    listed = drillctl("schedule", "list", "--json", state=tmp_path, at=NOW)
    [item] = json.loads(listed.out)["declined"]
    assert (item["announcement"], item["reason"], item["by"]) == (NUMBER, "当日核心系统升级", "zhang")
    shown = drillctl("schedule", "list", state=tmp_path, at=NOW).out
    assert f"not taking part: {NUMBER}, 2026-12-05, by zhang: 当日核心系统升级" in " ".join(shown.split())


def test_it_is_a_drill_not_held_of_the_annual_summary(tmp_path: Path) -> None:
    assert decline(tmp_path, "--reason", "当日核心系统升级", "--by", "zhang").code == 0
    said = drillctl("evidence", "annual", "--year", "2026", "--json", state=tmp_path, at=NOW)
    assert said.code == 0, said.err
    page = next((tmp_path / "reports" / "annual" / "2026").glob("*.json"))
    assert "当日核心系统升级" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--reason", " ", "--by", "zhang"), 2, "--reason: expected one line of text, found nothing"),
        (("--reason", "busy", "--by", "nobody"), 2, "--by: expected a person of people.yml (zhang"),
        (("none.yml", "--reason", "busy", "--by", "zhang"), 2, "none.yml: expected a file, found none"),
    ],
    ids=["no reason", "nobody", "no file"],
)
def test_what_is_wrong_is_one_line_and_nothing_is_filed(
    tmp_path: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    said = decline(tmp_path, *words)
    assert said.code == code
    assert says in said.err
    assert said.err.count("\n") == 1
    assert ledger(tmp_path) == []


def test_it_is_filed_once(tmp_path: Path) -> None:
    assert decline(tmp_path, "--reason", "busy", "--by", "zhang").code == 0
    said = decline(tmp_path, "--reason", "still busy", "--by", "li")
    assert said.code == 3
    assert f"DECLINED_BEFORE: expected no reason filed for {NUMBER}, found that of zhang" in said.err
    assert len(ledger(tmp_path)) == 1
