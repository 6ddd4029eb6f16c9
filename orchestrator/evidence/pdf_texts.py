"""The text that a PDF shows. Fonts are embedded in part, so its pages hold numbers of glyphs, not letters.

Made for what WeasyPrint writes: strings of four hex digits a glyph, and a ToUnicode map for each font. Of another
writer's PDF nothing may be found here; its compressed streams are looked through all the same.
"""

import re
import sys
import zlib
from collections.abc import Iterator

from orchestrator.evidence.streams import MOST

_OBJECT = re.compile(rb"(?:^|[\r\n])(\d+) 0 obj\b(.*?)(?:stream\r?\n(.*?)\r?\nendstream|endobj)", re.DOTALL)
_NAMED = re.compile(rb"/([^\s/<>\[\]()]+) (\d+) 0 R")
_FIRST = re.compile(rb"/First (\d+)")
_TO_UNICODE = re.compile(rb"/ToUnicode (\d+) 0 R")
_STEP = re.compile(rb"/([^\s/<>\[\]()]+)\s+[\d.]+\s+Tf|<([0-9A-Fa-f\s]+)>")
_RANGES = re.compile(rb"beginbf(char|range)(.*?)endbf(?:char|range)", re.DOTALL)
_PAIR = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_RANGE = re.compile(rb"<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>\s*<([0-9A-Fa-f]+)>")
_GLYPH = 4  # hex digits
_WIDEST = 0xFFFF

Letters = dict[str, str]


def drawn(pdf: bytes) -> str:
    """What its pages show, each with the letters in the order in which they are drawn, lines joined."""
    heads = {match.group(1): match.group(2) for match in _OBJECT.finditer(pdf)}
    streams = {match.group(1): _unpacked(match.group(3)) for match in _OBJECT.finditer(pdf) if match.group(3)}
    for number in [number for number, head in heads.items() if b"/ObjStm" in head]:
        heads.update(_packed(heads[number], streams.get(number, b"")))
    fonts: dict[bytes, Letters] = {}
    for head in heads.values():
        for name, number in _NAMED.findall(head):
            found = _TO_UNICODE.search(heads.get(number, b""))
            if found and name not in fonts:
                fonts[name] = _letters(streams.get(found.group(1), b""))
    return "\n".join(_read(data, fonts) for data in streams.values() if b" Tf" in data)


def _packed(head: bytes, data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(number, object) of a stream that holds objects: first their numbers and places, then themselves."""
    begin = _FIRST.search(head)
    if begin is None:
        return
    first = int(begin.group(1))
    pairs = data[:first].split()
    if not all(item.isdigit() for item in pairs):
        return
    places = [int(item) for item in pairs[1::2]]
    for number, start, end in zip(pairs[::2], places, [*places[1:], len(data)], strict=False):
        yield number, data[first + start : first + end]


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MOST)
    except zlib.error:
        return data


def _letters(data: bytes) -> Letters:
    found: Letters = {}
    for kind, body in _RANGES.findall(data):
        if kind == b"char":
            found.update((_key(code), _text(letters)) for code, letters in _PAIR.findall(body))
            continue
        for first, last, letters in _RANGE.findall(body):
            found.update(_span(int(first, 16), int(last, 16), _text(letters)))
    return found


def _span(first: int, last: int, text: str) -> Iterator[tuple[str, str]]:
    """Codes that follow each other mean letters that do."""
    for step in range(min(last - first, _WIDEST) + 1 if text else 0):
        yield f"{first + step:04x}", text[:-1] + chr(min(ord(text[-1]) + step, sys.maxunicode))


def _key(code: bytes) -> str:
    return f"{int(code, 16):04x}"


def _text(letters: bytes) -> str:
    digits = letters.decode()
    return bytes.fromhex(digits + "0" * (len(digits) % 2)).decode("utf-16-be", "replace")


def _read(page: bytes, fonts: dict[bytes, Letters]) -> str:
    """Letter by letter with the font that is chosen where they stand."""
    shown: list[str] = []
    font: Letters = {}
    for name, code in _STEP.findall(page):
        if name:
            font = fonts.get(name, {})
        elif code:
            text = "".join(code.decode().split()).lower()
            shown += [font.get(text[at : at + _GLYPH], "") for at in range(0, len(text), _GLYPH)]
    return "".join(shown)
