"""The last look before a pack is sealed: whether a known secret stands in any of its bytes.

Every file is looked through as it stands, then everything that is compressed inside it, and the texts that its PDFs
draw. Who is told of a hit is told the file and the place, never the value.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from orchestrator.errors import Refused
from orchestrator.evidence import forms
from orchestrator.evidence.pdf_texts import drawn
from orchestrator.evidence.streams import Part, parts

_BROKEN = re.compile(rb"[\r\n]|\\[rn]")  # armoured data is broken into lines, in JSON by escapes
_NAMED = 20  # our choice: so many hits are named in a refusal


@dataclass(frozen=True)
class Hit:
    """Where a secret stands. `offset` counts in the file itself, also for what stands packed in it."""

    file: str
    offset: int
    form: str

    def __str__(self) -> str:
        return f"{self.file} at byte {self.offset} ({self.form})"


@dataclass(frozen=True)
class _Wanted:
    """The forms of all secrets: in any bytes, standing alone, and as digits without line ends."""

    plain: tuple[tuple[str, bytes], ...]
    alone: tuple[tuple[str, "re.Pattern[bytes]"], ...]
    coded: tuple[tuple[str, bytes], ...]


def scan(folder: Path, secrets: Iterable[bytes | str]) -> list[Hit]:
    """Every place below the folder where one of them stands, in any form; each form of each secret once a part.

    A value shorter than `forms.LEAST` is not looked for.
    """
    wanted = _wanted(secrets)
    if not (wanted.plain or wanted.alone):
        return []
    found: dict[Hit, None] = {}
    search = _Search(wanted)
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        for hit in _of_file(folder, path, search):
            found[hit] = None
    return list(found)


def require_clean(folder: Path, secrets: Iterable[bytes | str]) -> None:
    """Refused SECRET_FOUND: nothing may be sealed. Names file and place, never the value."""
    hits = scan(folder, secrets)
    if not hits:
        return
    more = f" and {len(hits) - _NAMED} more places" if len(hits) > _NAMED else ""
    places = "; ".join(str(hit) for hit in hits[:_NAMED])
    raise Refused(
        "SECRET_FOUND",
        f"expected no known secret in {folder}, found one in {places}{more}; nothing is sealed. Find out how it came "
        "there, change the secret, then seal again",
    )


def _wanted(secrets: Iterable[bytes | str]) -> _Wanted:
    texts = {item.decode("utf-8", "surrogateescape") if isinstance(item, bytes) else item for item in secrets}
    chosen = sorted(text for text in texts if len(text) >= forms.LEAST)
    numbers = [text for text in chosen if forms.is_number(text)]
    bare = {text.encode() for text in numbers}
    anywhere = (pair for text in chosen for pair in forms.raw_bytes(text) if pair[1] not in bare)
    return _Wanted(
        tuple(_distinct(anywhere)),
        tuple(("raw", _alone(text)) for text in numbers),
        tuple(_distinct((form, text.encode()) for item in chosen for form, text in forms.coded(item).items())),
    )


def _distinct(pairs: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    seen: set[bytes] = set()
    for form, data in pairs:
        if data not in seen:
            seen.add(data)
            yield form, data


def _alone(text: str) -> "re.Pattern[bytes]":
    return re.compile(f"{forms.ALONE_BEFORE}{text}{forms.ALONE_AFTER}".encode())


class _Search:
    """Looks through parts; of those that stand in several files (`run.json`, a font) through one."""

    def __init__(self, wanted: _Wanted) -> None:
        self._wanted = wanted
        self._done: dict[bytes, tuple[tuple[int, str], ...]] = {}

    def __call__(self, data: bytes) -> tuple[tuple[int, str], ...]:
        """(offset, form) of the first place of each form."""
        name = sha256(data).digest()
        if name not in self._done:
            self._done[name] = tuple(_in_part(data, self._wanted))
        return self._done[name]


def _of_file(folder: Path, path: Path, search: _Search) -> Iterator[Hit]:
    name = path.relative_to(folder).as_posix()
    if search(name.encode()):
        yield Hit(f"a name in {path.parent.relative_to(folder).as_posix()}", 0, "name of a file")
        return
    for part in _all_parts(path.read_bytes()):
        for offset, form in search(part.data):
            yield Hit(name, part.offset if part.where else offset, f"{form} in {part.where}" if part.where else form)


def _all_parts(data: bytes) -> Iterator[Part]:
    found = list(parts(data))
    yield from found
    for part in found:
        if b"%PDF-" in part.data[:1024]:
            yield Part(drawn(part.data).encode("utf-8", "replace"), part.offset, "the text that a PDF shows")


def _in_part(whole: bytes, wanted: _Wanted) -> Iterator[tuple[int, str]]:
    """Once for each form."""
    for form, data in wanted.plain:
        at = whole.find(data)
        if at >= 0:
            yield at, form
    for form, pattern in wanted.alone:
        match = pattern.search(whole)
        if match:
            yield match.start(), form
    joined = whole.replace(b"\\r", b"").replace(b"\\n", b"").translate(None, b"\r\n")
    for form, data in wanted.coded:
        at = joined.find(data)
        if at >= 0:
            yield _in_original(whole, at), form


def _in_original(data: bytes, at: int) -> int:
    """Where the byte stood before the line ends were taken out."""
    for match in _BROKEN.finditer(data):
        if match.start() > at:
            break
        at += len(match.group())
    return at
