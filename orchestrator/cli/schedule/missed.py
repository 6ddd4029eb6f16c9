"""Entries whose time has passed without a run: found the same way, and put on the ledger each once, by whoever asks."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.cli.evidence.keeping import writing
from orchestrator.cli.options import Site
from orchestrator.cli.schedule.reading import Book
from orchestrator.evidence.scheduled import is_under_way, missed_data, missed_id, recorded
from orchestrator.model.evidence import LedgerKind
from orchestrator.rules.schedule import Entry, Standing, standing


@dataclass(frozen=True)
class Missed:
    """An entry whose time has passed without a run. `line_at`: when it came on the ledger; None: it is not."""

    entry: Entry
    standing: Standing
    run: str | None
    line_at: str | None

    def is_open(self, known: Book) -> bool:
        """Whether it can still be made good. In a period that is over it stays on the list, and is nobody's alarm."""
        return self.standing is Standing.MISSED and known.now.date() <= self.entry.last


def missed_of(known: Book) -> list[Missed]:
    """Since the policy began, those that were held later in their period too. What was begun in time and is still
    under way is not missed.
    """
    on_record = recorded(known.lines)
    found = []
    for entry in known.planned(known.schedule.starts, known.now.date()):
        state, run = standing(entry, known.held, known.now)
        if state in (Standing.MISSED, Standing.LATE) and not is_under_way(known.lines, known.name, known.zone, entry):
            found.append(Missed(entry, state, run.run if run else None, on_record.get(missed_id(known.name, entry))))
    return found


def put_on_record(known: Book, site: Site, missed: Sequence[Missed]) -> list[Entry]:
    """Those that are not on the ledger yet, put there together: after a kill all of them are there, or none."""
    by = getpass.getuser()
    new = [item.entry for item in missed if item.line_at is None]
    if new:
        writing(known.places, site).append_all(
            [(LedgerKind.SCHEDULE_MISSED, missed_data(known.name, known.zone, entry, by)) for entry in new]
        )
    return new
