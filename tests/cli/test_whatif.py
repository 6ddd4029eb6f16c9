"""`drillctl whatif` as an operator types it."""

from pathlib import Path

import pytest

from tests.support.command import drillctl
from tests.support.sites import RoomSpec, SiteSpec, write_site


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of one room with one line to each centre: its router and its carrier are all that it has."""
    spec = SiteSpec(rooms=(RoomSpec("static", (("alpha", "futian"), ("alpha", "southern")), far=False),), pairs=1)
    return write_site(tmp_path_factory.mktemp("alone"), spec)


def test_the_example_survives_every_single_failure(tmp_path: Path) -> None:
    said = drillctl("whatif", state=tmp_path)
    assert (said.code, said.err) == (0, "")
    assert "EVERY SINGLE FAILURE 单一故障: 61 failures, 14 gateways" in said.out
    assert "No single failure loses a gateway" in said.out
    assert "EVERY TWO TOGETHER 双重故障: 1830 pairs, 115 lose more than their parts" in said.out
    assert "no single addition saves any of them" in said.out
    assert max(len(line) for line in said.out.splitlines() if "lost:" not in line) <= 100
    assert not list(tmp_path.iterdir()), "nothing is kept: no report, no journal"


def test_a_single_failure_that_loses_gateways_is_exit_1_with_its_cure(alone: Path, tmp_path: Path) -> None:
    said = drillctl("whatif", "--singles", "--site", str(alone), state=tmp_path)
    assert said.code == 1
    assert "EVERY TWO TOGETHER" not in said.out
    assert "carrier=alpha" in said.out
    assert "6 lost: trading-0-a, trading-0-b" in said.out
    assert "cure, saves all: one line of Carrier beta from edge0 to Futian" in said.out or "another carrier" in said.out


def test_pairs_alone_keep_the_exit_of_the_singles(alone: Path, tmp_path: Path) -> None:
    said = drillctl("whatif", "--pairs", "--site", str(alone), state=tmp_path)
    assert said.code == 1
    assert "EVERY SINGLE FAILURE" not in said.out


def test_one_combination_in_full(tmp_path: Path) -> None:
    said = drillctl("whatif", "--fail", "centre=futian,centre=southern", "--json", state=tmp_path)
    assert said.code == 0
    assert said.document["counts"]["no-such-business"] == 2
    assert [step["id"] for step in said.document["steps"]] == ["repoint-1", "repoint-2", "settle"]
    assert said.document["gateways"]["nq-trade-1"]["changes"][0]["after"]["centre"] == "beijing"
    shown = drillctl("whatif", "--fail", "line=sse-tel,line=sse-uni", state=tmp_path)
    assert shown.code == 1
    assert "LOST 无法恢复: 4" in shown.out
    assert "cure, saves all: one line of China Telecom" in shown.out
    assert "observe leaves" not in shown.out, "advice that was followed already"


def test_json_has_every_failure_and_every_pair_that_is_worse(tmp_path: Path) -> None:
    said = drillctl("whatif", "--json", state=tmp_path)
    found = said.document
    assert len(found["singles"]) == found["failures"] == 61
    pairs = found["pairs"]
    assert len(pairs["worst"]) + len(pairs["others"]) == pairs["worse_than_their_parts"] == 115
    assert pairs["worst"][0]["failures"] == ["router=ce-a", "router=ce-b"]


def test_the_page_is_written_and_named(tmp_path: Path) -> None:
    page = tmp_path / "map.html"
    said = drillctl("whatif", "--singles", "--html", str(page), state=tmp_path)
    assert said.code == 0
    assert said.out.rstrip().endswith(f"heat map: {page}")
    text = page.read_text(encoding="utf-8")
    assert "故障推演" in text
    assert "router=ce-a + router=ce-b" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fail", "centre=nowhere"), "expected a centre of this site"),
        (("--fail", "x"), "expected KIND=NAME"),
        (("--singles", "--pairs"), "expected --singles or --pairs, found both"),
        (("--fail", "centre=futian", "--pairs"), "expected it without --pairs"),
        (("--fail", "", "--html", "x.html"), "expected it without --html"),
        (("--html", "no/such/folder/map.html"), "expected a file in a folder that is there"),
        (("--down", "no-such"), "expected a line (sat-receive, sat-two-way"),
        (("--fail", "line=sse-tel", "--down", "sse-tel"), "expected a line that --fail does not name"),
        (("--html", "docs"), "expected a file, found a folder"),
    ],
)
def test_wrong_words_are_one_clear_line(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    found = drillctl("whatif", *words, state=tmp_path)
    assert (found.code, found.out) == (2, "")
    assert said in found.err
    assert len(found.err.splitlines()) == 1
