"""What is wrong with an announcement's file is said with its line, and which of its phases is observed."""

import hashlib
from pathlib import Path

import pytest

from orchestrator.errors import DefinitionError
from orchestrator.loader.announcement import FILE, load_announced, load_announcement
from orchestrator.loader.site import load_site
from tests.support.sites import ROOT

SITE = load_site(ROOT / "inventory/example")
EXAMPLE = ROOT / "inventory/example" / FILE
SECOND = """  - id: carrier-cut
    title: {zh: 运营商中断模拟, en: A carrier is cut off}
    kind: cut
    begins: 2026-12-05 15:00
    ends: 2026-12-05 16:00
    cut: {carrier: telecom}
"""


def written(folder: Path, old: str = "", new: str = "", more: str = "") -> Path:
    """The example with one thing changed."""
    text = EXAMPLE.read_text(encoding="utf-8")
    assert old in text
    path = folder / "told.yml"
    path.write_text(text.replace(old, new, 1) + more, encoding="utf-8")
    return path


def test_the_example_has_one_cut_and_its_digest_is_that_of_the_file() -> None:
    found = load_announced(EXAMPLE, SITE.topology, None)
    assert found.observed.cut is not None
    assert found.observed.cut.centre == "southern"
    assert found.digest == hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()


WRONG = [
    ("centre: southern", "centre: northern", 23, "phases.1.cut.centre: expected a centre of this site (futian"),
    ("cut: {centre: southern}", "cut: {}", 23, "expected one of centre, carrier and line, found none"),
    ("    cut: {centre: southern}\n", "", 18, "expected cut in a phase of kind cut and in no other, found none"),
    ("kind: own-scenes", "kind: lunch", 26, "phases.2.kind: expected"),
    ("id: own-scenes", "id: centre-cut", 24, "phases.2.id: expected each id once, found centre-cut again"),
    ("ends: 2026-12-05 10:30", "ends: 2026-12-05 09:00", 22, "expected a time after begins 2026-12-05 09:30"),
    ("begins: 2026-12-05 10:30", "begins: 2026-12-05 10:00", 27, "expected a time from the end of centre-cut on"),
    ("feedback_due: 2026-12-05 18:00", "feedback_due: soon", 10, "expected a day and a time in the site's zone"),
    ("report_index: unknown", "report_index: maybe", 11, "report_index: expected"),
]


@pytest.mark.parametrize(("old", "new", "line", "says"), WRONG, ids=[item[1].strip() or "no cut" for item in WRONG])
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    path = written(tmp_path, old, new)
    with pytest.raises(DefinitionError) as caught:
        load_announcement(path, SITE.topology)
    assert f"{path}:{line}: " in str(caught.value)
    assert says in str(caught.value)


def test_of_several_cuts_one_has_to_be_chosen(tmp_path: Path) -> None:
    path = written(tmp_path, more=SECOND)
    with pytest.raises(
        DefinitionError, match=r"--phase: expected one of centre-cut, carrier-cut .*, found none chosen"
    ):
        load_announced(path, SITE.topology, None)
    assert load_announced(path, SITE.topology, "carrier-cut").phase == "carrier-cut"


def test_a_phase_in_which_nothing_is_cut_off_cannot_be_chosen() -> None:
    with pytest.raises(DefinitionError, match=r"--phase: expected a phase of kind cut .*found 'connectivity'"):
        load_announced(EXAMPLE, SITE.topology, "connectivity")
