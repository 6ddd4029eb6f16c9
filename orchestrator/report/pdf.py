"""A report's page → PDF/A-3a, byte for byte the same each time.

Nothing is fetched, no clock is read, and nothing is quietly left out: a warning of the PDF writer, a character without
a glyph in our fonts, and a font that is not installed are errors.
"""

import gc
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from weasyprint import HTML, Attachment, Document
from weasyprint.urls import URLFetcher

from orchestrator.errors import Refused
from orchestrator.model.record import RunRecord
from orchestrator.report.render import make_ready as make_templates_ready
from orchestrator.report.render import render
from orchestrator.report.texts import Language

VARIANT: Final = "pdf/a-3a"  # what the document declares; nothing here validates it
# The families of Debian's fonts-noto-cjk that the style sheets name: one machine's PDF is every machine's.
FAMILIES: Final = frozenset({"Noto Sans CJK SC", "Noto Sans Mono CJK SC"})


@dataclass(frozen=True)
class Embedded:
    """A file inside the PDF. `at`: seconds since the epoch, printed as its date of creation."""

    name: str
    content: bytes
    description: str
    at: float


class MissingGlyphs(Refused):
    """Characters that the fonts of a report do not have."""

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = tuple(characters)
        said = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in self.characters)
        super().__init__(
            "MISSING_GLYPH",
            f"expected every character in {' and '.join(sorted(FAMILIES))}, found none for {said}; "
            "install fonts-noto-cjk, or take these characters out of the site's texts",
        )


def make_ready() -> None:
    """Load now what the first page of a process waits for: fonts, templates and texts."""
    make_templates_ready()
    html_to_pdf(
        '<html lang="zh-CN"><head><title>A</title></head><body style="font-family: Noto Sans CJK SC">A<b>A</b>'
        '<code style="font-family: Noto Sans Mono CJK SC">A</code></body></html>'
    )


def render_pdf(record: RunRecord, language: Language, run_json: bytes, digest: str | None = None) -> bytes:
    """The report as PDF with `run.json` inside.

    What hosts or the site say in characters that no font of ours has is spelled as [U+…]; in a text of our own, such a
    character is an error.
    """
    html = render(record, language, digest, on_paper=True)
    embedded = (Embedded("run.json", run_json, "run.json", record.finished_at),)
    try:
        return html_to_pdf(html, embedded)
    except MissingGlyphs as missing:
        if not all(_said(char, run_json.decode()) for char in missing.characters):
            raise
        return html_to_pdf(html.translate({ord(char): spelled(char) for char in missing.characters}), embedded)


def spelled(char: str) -> str:
    """A character by its code point, for one that cannot be shown."""
    return f"[U+{ord(char):04X}]"


def _said(char: str, text: str) -> bool:
    """Whether a JSON text holds the character, as it is or escaped."""
    return char in text or json.dumps(char)[1:-1] in text


def html_to_pdf(html: str, attachments: Sequence[Embedded] = ()) -> bytes:
    """A page of ours as PDF/A-3a. `attachments` are embedded as its source.

    Refused MISSING_GLYPH: a character without a glyph, or the fonts are not installed.
    """
    with _warnings() as said, _no_collection():
        document = HTML(string=html, url_fetcher=_Nothing()).render(pdf_variant=VARIANT)
        written = _written(document, [_attachment(item) for item in attachments])
    missing = sorted(_missing(document))
    if missing:
        raise MissingGlyphs(missing)
    if said:
        raise RuntimeError(f"the PDF writer is not content with our page: {'; '.join(said)}")
    return written


def _written(document: Document, attachments: Sequence[Attachment]) -> bytes:
    """WeasyPrint 70 leaves the file of its colour profile to be closed by whoever collects it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        return document.write_pdf(pdf_variant=VARIANT, attachments=attachments or None)


class _Nothing(URLFetcher):
    """A report is whole in itself: whatever it asks for beyond its own pictures is a mistake."""

    def fetch(self, url: str, headers: Any = None) -> Any:
        if not url.startswith("data:"):
            raise RuntimeError(f"expected a page that asks for nothing, found that it asks for {url[:200]}")
        return super().fetch(url, headers)


def _attachment(item: Embedded) -> Attachment:
    at = datetime.fromtimestamp(int(item.at), UTC)
    return Attachment(
        string=item.content,
        name=item.name,
        description=item.description,
        created=at,
        modified=at,
        relationship="Source",
    )


def _missing(document: Document) -> set[str]:
    """Characters for which no font of ours has a glyph: drawn as a box, or by whatever else this machine has."""
    boxes = {chr(point) for font in document.fonts.values() for point in font.missing}
    strange = [font for font in document.fonts.values() if font.family not in FAMILIES]
    return boxes | {char for font in strange for text in font.to_unicode.values() for char in text}


@contextmanager
def _no_collection() -> Iterator[None]:
    """A layout is hundreds of thousands of objects that live until it is written: looking for garbage among them is
    about a tenth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the PDF writer says while this lasts. Missing glyphs are told apart from everything else."""
    said: list[str] = []
    handler = _Collector(said)
    logger = logging.getLogger("weasyprint")
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


class _Collector(logging.Handler):
    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        if ".notdef" not in str(record.msg):
            self._said.append(record.getMessage())
