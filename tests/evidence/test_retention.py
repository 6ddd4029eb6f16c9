"""Packs go when their time is over, on the ledger first; nothing else ever goes."""

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.retention import LEAST_DAYS, Fate, Item, due, retain
from orchestrator.model.evidence import LedgerKind
from tests.evidence.years import SITE, Book, moved
from tests.report import record_example as example

REASON = "the time of keeping is over"


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return tmp_path / "reports"


@pytest.fixture
def book(reports: Path) -> Book:
    """An old run, a younger one, one that is open and one that was never sealed."""
    made = Book(reports / "ledger")
    for day in (date(2025, 1, 11), date(2026, 3, 7)):
        _on_disk(reports, made.held(example.observed(), day).run)
    return made


def _on_disk(reports: Path, run: str) -> Path:
    """A run's folder whose list of files has the digest that the ledger sealed (see `Book.close`)."""
    pack = reports / run / "pack"
    pack.mkdir(parents=True)
    (pack / "SHA256SUMS").write_bytes(run.encode())
    (reports / run / "samples.jsonl").write_text("{}\n")
    return reports / run


def _now(book: Book, days: int = 0) -> datetime:
    return datetime.fromtimestamp(book.clock.at, UTC) + timedelta(days=days)


def _items(book: Book, reports: Path, keep: int, later: int = 30) -> list[Item]:
    return due(book.lines, SITE, reports, keep, _now(book, later))


def test_a_pack_goes_after_its_time_and_is_on_the_ledger_before(book: Book, reports: Path) -> None:
    old, young = (line.data["run"] for line in book.lines if line.kind is LedgerKind.RUN_OPENED)
    items = _items(book, reports, 400)
    assert [(item.run, item.fate) for item in items] == [(old, Fate.DELETE), (young, Fate.KEEP)]
    book.clock.at += 30 * 86400
    gone = retain(book.ledger, reports, items, "zhang", REASON)
    assert next(gone).run == old
    last = book.lines[-1]
    assert last.kind is LedgerKind.PACK_DELETED
    assert last.data == {
        "run": old, "sums_sha256": sha256(old.encode()).hexdigest(), "by": "zhang", "reason": REASON
    }  # fmt: skip
    assert list(gone) == []
    assert not (reports / old).exists()
    assert (reports / young / "pack").is_dir()
    assert sorted(item.name for item in reports.iterdir()) == sorted([young, "ledger"])
    assert [item.fate for item in _items(book, reports, 400)] == [Fate.KEEP]


def test_nothing_goes_when_the_ledger_cannot_be_written(book: Book, reports: Path) -> None:
    items = _items(book, reports, 400)
    data = book.ledger.path.read_bytes()
    book.ledger.path.write_bytes(data[: data.rindex(b"\n", 0, -1) + 1])
    with pytest.raises(Refused, match="LEDGER_BROKEN"):
        list(retain(book.ledger, reports, items, "zhang", REASON))
    assert len(list(reports.glob("*/pack"))) == 2


@pytest.mark.parametrize("days", [1, 399, LEAST_DAYS])
def test_nothing_younger_than_400_days_goes_whatever_is_asked(book: Book, reports: Path, days: int) -> None:
    young = book.lines[-1].data["run"]
    at = next(line for line in book.lines if line.kind is LedgerKind.PACK_SEALED and line.data["run"] == young).at
    last_day = datetime.fromisoformat(at) + timedelta(days=LEAST_DAYS)
    (kept,) = [item for item in due(book.lines, SITE, reports, days, last_day) if item.run == young]
    assert (kept.fate, kept.until) == (Fate.KEEP, last_day)


def test_a_run_that_is_open_or_was_never_sealed_is_not_even_listed(book: Book, reports: Path) -> None:
    record = moved(example.observed(), date(2026, 3, 8))
    book.clock.at = record.started_at
    book.open(record)
    _on_disk(reports, record.run)
    assert record.run not in {item.run for item in _items(book, reports, 400, later=399)}


def test_another_sites_runs_are_kept_by_that_sites_own_time(book: Book, reports: Path) -> None:
    assert due(book.lines, "another", reports, 400, _now(book, 399)) == []


def test_a_folder_that_is_not_what_was_sealed_stays_and_is_named(book: Book, reports: Path) -> None:
    old = book.lines[0].data["run"]
    (reports / old / "pack" / "SHA256SUMS").write_text("another")
    item = _items(book, reports, 400)[0]
    assert item.fate is Fate.REFUSE
    assert "expected SHA256SUMS" in item.reason
    (reports / old / "pack" / "SHA256SUMS").unlink()
    assert "found none" in _items(book, reports, 400)[0].reason
    assert list(retain(book.ledger, reports, _items(book, reports, 400), "zhang", REASON)) == []
    assert (reports / old).is_dir()


def test_a_link_in_a_runs_place_is_not_followed(book: Book, reports: Path, tmp_path: Path) -> None:
    old = book.lines[0].data["run"]
    (reports / old).rename(tmp_path / "elsewhere")
    (reports / old).symlink_to(tmp_path / "elsewhere")
    item = _items(book, reports, 400)[0]
    assert (item.fate, item.reason) == (Fate.REFUSE, "expected a folder of its own, found a link or an odd name")
    assert (tmp_path / "elsewhere" / "pack").is_dir()


def test_a_deletion_that_was_cut_off_is_finished_and_not_told_twice(book: Book, reports: Path) -> None:
    old = book.lines[0].data["run"]
    data = {"run": old, "sums_sha256": sha256(old.encode()).hexdigest(), "by": "zhang", "reason": REASON}
    book.ledger.append(LedgerKind.PACK_DELETED, data)
    for leave in (reports / old, reports / f".deleted-{old}"):
        items = _items(book, reports, 400)
        assert items[0].fate is Fate.FINISH
        (reports / old).rename(leave)
        lines = len(book.lines)
        assert [item.run for item in retain(book.ledger, reports, items, "zhang", REASON)] == [old]
        assert not leave.exists()
        assert len(book.lines) == lines
        _on_disk(reports, old)


@pytest.mark.parametrize("days", [-1, LEAST_DAYS + 1, 40_000])
def test_a_clock_that_cannot_be_right_deletes_nothing(book: Book, reports: Path, days: int) -> None:
    with pytest.raises(Refused, match="nothing is deleted by such a clock"):
        _items(book, reports, 400, later=days)


def test_an_empty_ledger_has_nothing_to_delete(reports: Path) -> None:
    assert due(Ledger(reports / "ledger", Book(reports).clock).lines(), SITE, reports, 400, datetime.now(UTC)) == []
