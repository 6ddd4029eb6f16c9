"""What people hand in is taken whole or refused by one line, and what they say of D is held to the clock."""

import hashlib
from pathlib import Path

import pytest

from orchestrator.cli import handed_in
from orchestrator.cli.options import disaster_of
from orchestrator.errors import DefinitionError, Refused

KNOWN = "Tr0ub4dor-and-3"


def test_a_file_is_kept_under_a_plain_name_with_its_digest(tmp_path: Path) -> None:
    source = tmp_path / "回执 (final).PDF"
    source.write_bytes(b"%PDF-1.7 seen")
    (kept,) = handed_in.keep(tmp_path / "run", "confirm-live", handed_in.read_all([source, source]))
    digest = hashlib.sha256(b"%PDF-1.7 seen").hexdigest()
    assert (kept.name, kept.sha256, kept.size) == ("回执 (final).PDF", digest, 13)
    assert kept.file == f"confirm-live-{digest[:16]}.pdf"
    assert (tmp_path / "run/confirmations" / kept.file).read_bytes() == b"%PDF-1.7 seen"


def test_what_cannot_be_taken_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    empty, large = tmp_path / "empty.txt", tmp_path / "large.bin"
    empty.touch()
    with large.open("wb") as file:
        file.truncate(handed_in.MOST_BYTES + 1)
    for path, said in (
        (tmp_path / "none.txt", "expected a file, found none"),
        (tmp_path, "expected a file, found a folder"),
        (empty, "bytes, found 0"),
        (large, f"expected 1 to {handed_in.MOST_BYTES} bytes, found {handed_in.MOST_BYTES + 1}"),
    ):
        with pytest.raises(DefinitionError, match=said):
            handed_in.read_all([path])
    with pytest.raises(DefinitionError, match="expected at most 8 files, found 9"):
        handed_in.read_all([empty] * 9)


def test_a_file_with_a_known_secret_is_refused_before_it_is_on_record(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    good.write_text("fills compared", encoding="ascii")
    bad.write_text(f"password: {KNOWN}", encoding="ascii")
    handed_in.refuse_secrets(handed_in.read_all([good]), [KNOWN])
    with pytest.raises(Refused, match=r"bad.txt: expected no known secret, found one at byte 10") as refused:
        handed_in.refuse_secrets(handed_in.read_all([good, bad]), [KNOWN])
    assert KNOWN not in str(refused.value)


def test_d_is_a_time_that_has_passed_and_declared_after_it_occurred() -> None:
    zone = "Asia/Shanghai"
    assert disaster_of(None, None, zone) is None
    found = disaster_of("2026-01-05T03:00", "2026-01-05T04:00:00+08:00", zone)
    assert found is not None
    assert (found.declared_at or 0) - (found.occurred_at or 0) == 3600
    with pytest.raises(DefinitionError, match="--occurred: expected a time as"):
        disaster_of("yesterday", None, zone)
    with pytest.raises(DefinitionError, match="--occurred: expected a time that has passed, found 2099"):
        disaster_of("2099-01-01T00:00", None, zone)
    with pytest.raises(DefinitionError, match="--declared: expected no earlier time than --occurred"):
        disaster_of("2026-01-05T03:00", "2026-01-05T02:00", zone)
