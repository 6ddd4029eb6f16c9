"""`calendar.yml` of a site, with the catalogues of trading days and session hours → SiteCalendar.

It is no part of the inventory's digest: an announced window must not void an approval.
"""

from pathlib import Path
from typing import Any

from orchestrator.errors import DefinitionError, Problem
from orchestrator.loader.document import Document, parse, read
from orchestrator.model.calendar import SiteCalendar

FILE = "calendar.yml"
_TRADING_DAYS = "trading-days.yml"
_SESSION_HOURS = "session-hours.yml"


def load_calendar(folder: Path) -> SiteCalendar:
    """Read and check it; without the file no window is open. DefinitionError: file, line and field of every problem."""
    path = folder / FILE
    document = read(path) if path.exists() else Document({})
    catalogue = folder.parent / "catalogue"
    _need_no(document, "trading_days", f"{catalogue / _TRADING_DAYS}, or `days` here")
    _join_sessions(document, read(catalogue / _SESSION_HOURS))
    document.place("trading_days", read(catalogue / _TRADING_DAYS))
    return parse(SiteCalendar, document)


def _need_no(document: Document, field: str, instead: str) -> None:
    if field in document.data:
        raise DefinitionError([document.located(Problem((field,), f"expected no such field; use {instead}"))])


def _join_sessions(document: Document, catalogue: Document) -> None:
    """The catalogue's session hours, but for those that the site gives itself, before the site's own."""
    own = document.data.get("sessions")
    names = {item.get("id") for item in own if isinstance(item, dict)} if isinstance(own, list) else set()
    listed = catalogue.data.get("sessions")
    kept = [index for index, item in enumerate(_items(listed)) if item.get("id") not in names]
    reduced = Document({"sessions": [listed[index] for index in kept]} if isinstance(listed, list) else catalogue.data)
    for new, old in enumerate(kept):
        for field, line in catalogue.lines.items():
            if field[:2] == ("sessions", old):
                reduced.lines[("sessions", new, *field[2:])] = line
    document.merge(reduced)


def _items(listed: Any) -> list[dict[str, Any]]:
    """What may be an entry; anything else is told by the model, with its line."""
    return [item if isinstance(item, dict) else {} for item in listed] if isinstance(listed, list) else []
