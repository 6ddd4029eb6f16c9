"""`drillctl audit` as an operator uses it: records, waivers, the platform's query, ages, and the page."""

import json
import shutil
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.command import Said, drillctl
from tests.support.sites import ROOT

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
WAIVER = """\
waivers:
  - {rule: isolation, where: records.isolation.joins_public_network, reason: 割接中, by: 张明, until: %s}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    return tmp_path / "inventory" / "example"


def audit(site: Path, *words: str, at: datetime = NOW) -> Said:
    return drillctl("audit", "--site", str(site), *words, state=site.parents[1], at=at)


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def joined(site: Path) -> None:
    """One error in the records."""
    edit(site / "records.yml", "joins_public_network: false", "joins_public_network: true")


def violated(said: Said) -> list[dict[str, Any]]:
    return [item for item in json.loads(said.out) if item["result"] == "violated"]


def kept(site: Path) -> Path:
    return site.parents[1] / "state/audit-seen.json"


def test_the_example_has_no_error_and_nothing_is_written(site: Path) -> None:
    said = audit(site)
    assert said.code == 0, said.err
    assert "0 violated, 0 not_judged, 1 not_applicable; 0 errors" in said.out
    assert not kept(site).exists()


def test_an_error_ends_with_one_and_is_told_with_what_to_do(site: Path) -> None:
    joined(site)
    said = audit(site)
    assert said.code == 1
    assert "VIOLATED (1)" in said.out
    assert "SSCC-4.1  error  isolation  records.isolation.joins_public_network" in said.out
    assert "→ Cut it off at once." in said.out


def test_findings_know_since_when_they_are_open(site: Path) -> None:
    joined(site)
    assert "first seen 2026-11-22, 0 days" in audit(site).out
    later = audit(site, at=NOW + timedelta(days=21))
    assert "first seen 2026-11-22, 21 days" in later.out
    edit(site / "records.yml", "joins_public_network: true", "joins_public_network: false")
    assert audit(site, at=NOW + timedelta(days=22)).code == 0
    joined(site)
    assert [item["first_seen"] for item in violated(audit(site, "--json", at=NOW + timedelta(days=23)))] == [
        "2026-12-15"
    ]


def test_an_age_file_that_cannot_be_read_or_written_hides_no_finding(site: Path) -> None:
    joined(site)
    kept(site).parent.mkdir()
    kept(site).write_text("{", encoding="utf-8")
    assert "first seen 2026-11-22" in audit(site).out
    shutil.rmtree(kept(site).parent)
    kept(site).parent.write_text("in the way", encoding="utf-8")
    said = audit(site)
    assert said.code == 1
    assert "since when findings are open is not kept" in said.err


def test_a_waived_error_is_waived_and_not_satisfied(site: Path) -> None:
    joined(site)
    with (site / "records.yml").open("a", encoding="utf-8") as file:
        file.write(WAIVER % "2026-11-22")
    said = audit(site)
    assert said.code == 0, said.out
    assert "WAIVED (1)" in said.out
    assert "waived until 2026-11-22 by 张明: 割接中" in said.out
    assert "0 violated" in said.out
    assert "1 waived; 0 errors" in said.out
    (item,) = violated(audit(site, "--json"))
    assert item["waived"]["by"] == "张明"


def test_an_expired_waiver_counts_no_more_and_is_said(site: Path) -> None:
    joined(site)
    with (site / "records.yml").open("a", encoding="utf-8") as file:
        file.write(WAIVER % "2026-11-21")
    said = audit(site, "--json")
    assert said.code == 1
    assert violated(said)[0]["waived"] is None
    assert "expired on 2026-11-21; it counts no more" in said.err


def test_another_query_of_the_platform_may_be_given(site: Path, tmp_path: Path) -> None:
    text = (site / "platform-export.csv").read_text(encoding="utf-8")
    other = tmp_path / "today.csv"
    other.write_bytes(text.replace("sse-td-1-file,有效", "sse-td-1-file,已注销").encode("gb18030"))
    said = audit(site, "--platform", str(other), "--json")
    assert said.code == 1
    assert [item["where"] for item in violated(said)] == ["certificates.sse-td-1-file"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--platform", "none.csv"), "none.csv: expected the platform's export"),
        (("--html", "nowhere/page.html"), "--html nowhere/page.html: expected to write the page there"),
    ],
)
def test_wrong_words_are_refused(site: Path, words: tuple[str, ...], expected: str) -> None:
    said = audit(site, *words)
    assert said.code == 2
    assert expected in said.err


def test_wrong_records_are_refused_and_named(site: Path) -> None:
    edit(site / "records.yml", "kept_months: 60", "kept_months: 0")
    said = audit(site)
    assert said.code == 2
    assert "records.yml:" in said.err
    assert "log_archives.0.kept_months: expected greater than or equal to 1" in said.err


def test_a_new_site_does_not_inherit_records_that_nobody_looked_at() -> None:
    folder = ROOT / "inventory"
    from orchestrator.cli.init import FICTITIOUS  # noqa: PLC0415

    names = sorted(path.name for path in (folder / "example").iterdir())
    assert FICTITIOUS("", names) == {"calendar.yml", "records.yml", "platform-export.csv"}


class Seen(HTMLParser):
    """The texts of a page, and whatever it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_the_page_tells_all_in_both_languages_and_asks_for_nothing(site: Path, tmp_path: Path) -> None:
    joined(site)
    edit(site / "records.yml", "by: 李华}  # SSCC-3.2", "by: <b>李华</b>}")
    page = tmp_path / "audit.html"
    assert audit(site, "--html", str(page)).code == 1
    seen = Seen()
    seen.feed(page.read_text(encoding="utf-8"))
    assert seen.loads == []
    assert "股转通信网络与互联网等公共网络互连。" in seen.texts
    assert "The NEEQ/BSE network is joined to the Internet or another public network." in seen.texts
    assert any("首次发现 2026-11-22" in text for text in seen.texts)
    assert any("<b>李华</b>" in text for text in seen.texts)
    for clause in ("SSCC-2.1", "SSCC-4.3", "SSE-4.5", "SSE-1"):
        assert clause in seen.texts
    again = tmp_path / "again.html"
    audit(site, "--html", str(again))
    assert again.read_bytes() == page.read_bytes()
