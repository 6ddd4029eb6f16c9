"""What stands inside a file that holds others: compressed streams of a PDF, members of a ZIP (XLSX), gzip.

Not opened: encrypted ones, and streams of a PDF that are packed otherwise than by Flate, the only way that ours are.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_DEEPEST = 4  # our choice: an attachment in a PDF in a ZIP is three
MOST = 64 << 20  # bytes of one stream, our choice: a hundred times what a report holds
_STREAM = re.compile(rb"stream\r?\n")
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Part:
    """Bytes to be looked at. `offset` is where they begin, packed, in the file itself; `where` says in what."""

    data: bytes
    offset: int = 0
    where: str = ""


def parts(data: bytes) -> Iterator[Part]:
    """The file itself, then everything inside, however deep."""
    yield from _within(Part(data), 0)


def _within(part: Part, depth: int) -> Iterator[Part]:
    yield part
    if depth == _DEEPEST:
        return
    for inner in _opened(part.data):
        offset = part.offset if part.where else inner.offset
        where = ", ".join(item for item in (part.where, inner.where) if item)
        yield from _within(Part(inner.data, offset, where), depth + 1)


def _opened(data: bytes) -> Iterator[Part]:
    if b"%PDF-" in data[:1024]:
        yield from _of_pdf(data)
    elif data.startswith(b"PK"):
        yield from _of_zip(data)
    elif data.startswith(b"\x1f\x8b"):
        yield from _flate(data, 0, "gzip", _GZIP)


def _of_pdf(data: bytes) -> Iterator[Part]:
    for match in _STREAM.finditer(data):
        yield from _flate(data, match.end(), "a stream of a PDF", zlib.MAX_WBITS)


def _flate(data: bytes, start: int, where: str, window: int) -> Iterator[Part]:
    """Nothing where it is not compressed; what is broken is opened as far as it goes."""
    unpacker, found = zlib.decompressobj(window), b""
    try:
        found = unpacker.decompress(data[start:], MOST)
    except zlib.error:
        return
    yield Part(found, start, where)


def _of_zip(data: bytes) -> Iterator[Part]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                if member.file_size <= MOST:
                    yield Part(archive.read(member), member.header_offset, f"member {member.filename}")
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error):
        return
