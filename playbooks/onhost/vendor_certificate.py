"""Read and change the name of the certificate in use in a vendor's configuration file, byte for byte.

Runs on gateway hosts: Python 3.6 or later, standard library only. It opens no file itself: bytes in, bytes out.
`spec` is that of `vendor_file`; its `certificate` says where the name stands (`CertificateSpot` of the topology).
Only the name changes. Every error is a ValueError of one line, and says no value: a PIN may stand nearby.
"""

import json
import re
from typing import Any, Dict, List, Optional, Tuple

import vendor_file

Span = Tuple[int, int]

_START = r"<(?P<name>[^\s/>!?]+)(?P<rest>(?:\s+[^\s=>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*(?P<empty>/?))>"
_XML = re.compile(r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<![^>]*>|</(?P<end>[^>\s]+)\s*>|" + _START, re.DOTALL)
_ATTRIBUTE = re.compile(r"\s+([^\s=>]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def read_certificate(data: bytes, spec: Dict[str, Any]) -> Optional[str]:
    """What names the certificate in use; None: the profile does not say where it stands."""
    if not spec.get("certificate"):
        return None
    _, text = vendor_file.decoded(data, spec["encoding"])
    return text[slice(*_located(text, spec))]


def write_certificate(data: bytes, spec: Dict[str, Any], name: str) -> bytes:
    """The file with this name. The same name gives the same bytes."""
    if not spec.get("certificate"):
        raise ValueError("expected the profile to say how its file names the certificate, found no word of it")
    if not re.match(r"[A-Za-z0-9_.:/@\-]+\Z", name):
        raise ValueError("expected a name of letters, digits and _ . : / @ -, found another sign")
    mark, text = vendor_file.decoded(data, spec["encoding"])
    start, end = _located(text, spec)
    if text[start:end] == name:
        return data
    head, tail = text[:start], text[end:]
    written = mark + (head + name + tail).encode(vendor_file.codec_of(mark, spec["encoding"]), "surrogateescape")
    if read_certificate(written, spec) != name:
        raise ValueError("expected to read the certificate's name back, found another: nothing is written")
    return written


def _located(text: str, spec: Dict[str, Any]) -> Span:
    find = {"ini": _key, "properties": _key, "xml": _xml, "json": _json, "delimited": _line}[spec["format"]]
    spans = find(text, spec, spec["certificate"])
    if len(spans) != 1:
        raise ValueError("expected the certificate's name once in the file, found {}".format(len(spans) or "none"))
    return spans[0]


def _key(text: str, spec: Dict[str, Any], spot: Dict[str, Any]) -> List[Span]:
    """One value: up to the line's end, a remark (ini), or its closing quote."""
    ini = spec["format"] == "ini"
    inside, found = not ini, []  # type: bool, List[Span]
    sets = re.compile(r"[ \t]*" + re.escape(spot["key"]) + r"(?:[ \t]*[=:][ \t]*)(?P<q>[\"']?)")
    for start, end in vendor_file.logical_lines(text, continued=not ini):
        header = re.match(r"[ \t]*\[([^\]\r\n]*)\]", text[start:end]) if ini else None
        if header:
            inside = header.group(1).strip() == spot["section"]
        match = sets.match(text, start, end) if inside and not header else None
        if match:
            stop = end
            while stop > match.end() and text[stop - 1] in "\r\n":
                stop -= 1
            found.append(_value(text, match.end(), stop, match.group("q"), remarks=ini))
    return found


def _value(text: str, start: int, stop: int, quote: str, remarks: bool) -> Span:
    if quote:
        end = text.find(quote, start, stop)
        if end < 0:
            raise ValueError("expected a closing quote after the certificate's name, found none")
        return start, end
    remark = re.compile(r"[ \t]+[;#]").search(text, start, stop) if remarks else None
    end = remark.start() if remark else stop
    return start, start + len(text[start:end].rstrip(" \t"))


def _xml(text: str, _spec: Dict[str, Any], spot: Dict[str, Any]) -> List[Span]:
    wanted = spot["element"].strip("/").split("/")
    path: List[str] = []
    found: List[Span] = []
    for match in _XML.finditer(text):
        if match.group("end"):
            if path:
                path.pop()
        elif match.group("name"):
            path.append(match.group("name"))
            if path == wanted:
                found += _attributes(text, match.span("rest"), spot["attribute"])
            if match.group("empty"):
                path.pop()
    return found


def _attributes(text: str, span: Span, name: str) -> List[Span]:
    """Walks the attributes, so that a value that looks like one is no match."""
    each = (match for match in _ATTRIBUTE.finditer(text, *span) if match.group(1) == name)
    return [match.span(2) if match.group(2) is not None else match.span(3) for match in each]


def _json(text: str, _spec: Dict[str, Any], spot: Dict[str, Any]) -> List[Span]:
    json.loads(text)
    start = vendor_file.pointed(text, spot["pointer"])
    _, end = json.JSONDecoder().raw_decode(text, start)
    if text[start] != '"' or "\\" in text[start:end]:
        raise ValueError("expected a text without escapes that names the certificate, found another value")
    return [(start + 1, end - 1)]


def _line(text: str, _spec: Dict[str, Any], spot: Dict[str, Any]) -> List[Span]:
    lines = (match.span() for match in _LINE.finditer(text))
    begins = [line for line in lines if text.startswith(spot["prefix"], line[0], line[1])]
    return [(start + len(spot["prefix"]), start + len(text[start:end].rstrip("\r\n \t"))) for start, end in begins]
