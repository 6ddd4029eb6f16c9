"""Deletes packs whose time of keeping is over: on the ledger first, and nothing else ever.

A run's folder goes as a whole. Never: a run that is open, one whose pack was not sealed, one that is not what the
ledger sealed, or anything younger than the least time, whatever the settings say.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from orchestrator.errors import Refused
from orchestrator.evidence.disk import folder_to_disk
from orchestrator.evidence.ledger import Ledger
from orchestrator.evidence.manifest import is_name
from orchestrator.model.evidence import LedgerKind, LedgerLine

# SSCC-4.2 asks for at least one year; our choice: with a margin for the day on which a year's summary is filed.
LEAST_DAYS = 400
_PACK, _SUMS = "pack", "SHA256SUMS"
_GONE = ".deleted-"  # a folder on its way out: a kill leaves it, and the next call finishes it


class Fate(StrEnum):
    """What becomes of a run's folder."""

    DELETE = "delete"
    KEEP = "keep"
    FINISH = "finish"  # on the ledger as deleted already, and still there: the deletion was cut off
    REFUSE = "refuse"  # past its time, and it cannot be told that it is what was sealed


@dataclass(frozen=True)
class Item:
    """One sealed run. `until`: the last day of keeping."""

    run: str
    fate: Fate
    until: datetime
    sums_sha256: str
    reason: str = ""


def due(lines: Sequence[LedgerLine], site: str, reports: Path, days: int, now: datetime) -> list[Item]:
    """What of a site would be deleted now, and what is kept until when. Nothing is touched.

    Refused CLOCK: the clock stands before the ledger's last line, or so long after it that it is more likely wrong.
    """
    if lines:
        _need_clock(datetime.fromisoformat(lines[-1].at), now)
    opened = (line.data for line in lines if line.kind is LedgerKind.RUN_OPENED)
    runs = {str(data["run"]) for data in opened if data["site"] == site}
    return [item for item in _items(lines, reports, max(days, LEAST_DAYS), now) if item.run in runs]


def retain(ledger: Ledger, reports: Path, items: Sequence[Item], by: str, reason: str) -> Iterator[Item]:
    """Delete what is to be deleted, each on the ledger before its first file goes. Yields each when it is gone."""
    for item in items:
        if item.fate is Fate.DELETE:
            data = {"run": item.run, "sums_sha256": item.sums_sha256, "by": by, "reason": reason}
            ledger.append(LedgerKind.PACK_DELETED, data)
        if item.fate in (Fate.DELETE, Fate.FINISH):
            _remove(reports / item.run)
            yield item


def _need_clock(last: datetime, now: datetime) -> None:
    if not timedelta() <= now - last <= timedelta(days=LEAST_DAYS):
        raise Refused(
            "CLOCK",
            f"expected a time at most {LEAST_DAYS} days after the last line of the ledger ({last:%Y-%m-%d %H:%M} UTC), "
            f"found {now:%Y-%m-%d %H:%M} UTC; nothing is deleted by such a clock: set it, or write to the ledger with "
            "a run or `drillctl evidence anchor` first",
        )


def _items(lines: Sequence[LedgerLine], reports: Path, days: int, now: datetime) -> Iterator[Item]:
    """Runs in the order in which they were sealed."""
    closed = {str(line.data["run"]): line.at for line in lines if line.kind is LedgerKind.RUN_CLOSED}
    deleted = {str(line.data["run"]) for line in lines if line.kind is LedgerKind.PACK_DELETED}
    for line in lines:
        if line.kind is not LedgerKind.PACK_SEALED:
            continue
        run, sums = str(line.data["run"]), str(line.data["sums_sha256"])
        # kept from whatever came last: a run that was closed long ago may have been sealed only now
        until = datetime.fromisoformat(max(closed[run], line.at)) + timedelta(days=days)
        if run in deleted:
            if _is_there(reports, run):
                yield Item(run, Fate.FINISH, until, sums, "deleted on the ledger, and still there")
        else:
            fate, reason = _fate(reports, run, sums) if now > until else (Fate.KEEP, "")
            yield Item(run, fate, until, sums, reason)


def _is_there(reports: Path, run: str) -> bool:
    return is_name(run) and any((reports / name).exists() for name in (run, f"{_GONE}{run}"))


def _fate(reports: Path, run: str, sums: str) -> tuple[Fate, str]:
    """Whether what lies there is what was sealed."""
    folder = reports / run
    manifest = folder / _PACK / _SUMS
    if not is_name(run) or "/" in run or folder.is_symlink() or folder.resolve().parent != reports.resolve():
        return Fate.REFUSE, "expected a folder of its own, found a link or an odd name"
    if not manifest.is_file():
        return Fate.REFUSE, f"expected the sealed pack {manifest}, found none"
    found = sha256(manifest.read_bytes()).hexdigest()
    return (Fate.DELETE, "") if found == sums else (Fate.REFUSE, f"expected {_SUMS} {sums}, found {found}")


def _remove(folder: Path) -> None:
    """Renamed first, so that a kill leaves no half of a pack under a run's name."""
    gone = folder.with_name(f"{_GONE}{folder.name}")
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(gone, ignore_errors=True)
        folder.rename(gone)
        folder_to_disk(folder.parent)
    shutil.rmtree(gone)
    folder_to_disk(folder.parent)
