"""A vendor's configuration file as a text that may leave its host: what changed can be proved, no value is told.

Runs on gateway hosts: Python 3.6 or later, standard library only. It opens no file itself: bytes in, text out.
What stays: the structure, the names (sections, keys, elements, attributes), the list of servers and the gateway's
own number. Every other value, and every comment, becomes `hmac:` and the first 16 hex digits (64 bits; our choice) of
HMAC-SHA256 over its name, a zero byte and itself: the same value under the same name gives the same digest, and
without the key none can be guessed. What is not sure to be a name is taken for a value. A file that cannot be read as
its profile says becomes one digest per line.
"""

import json
import re
from typing import Any, Dict, Iterator, List, Set
from xml.parsers import expat

import vendor_file

_MOST_BYTES = 1 << 20  # our choice: a larger file is no configuration, and becomes one digest
_DIGITS = 16
_NAME = re.compile(r"[\w.:\-\[\]{}]{1,64}\Z")  # our choice: 64 characters, and no blanks
_ASSIGNMENT = re.compile(r"([ \t\f]*)([^=:\s][^=:]*?)([ \t]*[=:][ \t]*)")
_SAYS_SECRET = re.compile(r"pass|pwd|pin|secret|token|credential|key|口令|密码|密钥|授权", re.IGNORECASE)
# Encoded data that goes on in the next line ends in "=", and would be taken for a name without a value.
_ENCODED = re.compile(r"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])(?=\D*\d)[A-Za-z0-9+/]{12,}\Z")
_LONG = 24  # our choice: a name without a value that is longer is taken for a value
_FILLER = " \t\r\n\f,;|:\"'\\"
_EOL = re.compile(r"\r\n|\r|\n")


def redacted(data: bytes, spec: Dict[str, Any], number: str, key: bytes) -> str:
    """The redacted text, one line of its own before those of the file. `spec` as for `vendor_file`."""
    secret = _Keyed(key)
    if len(data) > _MOST_BYTES:
        return f"drillctl: not read, {len(data)} bytes\n{secret.of_bytes(data)}\n"
    try:
        mark, text = vendor_file.decoded(data, spec["encoding"])
        body = _Redaction(text, spec, number, secret).text()
    except ValueError:
        unread = [secret.of_bytes(line) if line else "" for line in re.split(rb"\r\n|\r|\n", data)]
        return "\n".join(["drillctl: cannot be read as {format} in {encoding}".format(**spec), *unread, ""])
    head = "drillctl: {format} in {encoding}, byte order mark ".format(**spec)
    lines = [head + (mark.hex() or "none") + ", " + _line_ends(text), *_EOL.split(body.rstrip("\r\n")), ""]
    return "\n".join(lines)


def _line_ends(text: str) -> str:
    """How its lines end: a change of these alone shows too."""
    found = _EOL.findall(text)
    names = (("CRLF", "\r\n"), ("LF", "\n"), ("CR", "\r"))
    return "lines " + ", ".join(f"{name} {found.count(eol)}" for name, eol in names)


class _Keyed:
    """Digests under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, name: str, value: str) -> str:
        return self._digest(name.encode("utf-8", "surrogateescape"), value.encode("utf-8", "surrogateescape"))

    def of_bytes(self, value: bytes) -> str:
        return self._digest(b"", value)

    def _digest(self, name: bytes, value: bytes) -> str:
        import hashlib  # noqa: PLC0415 - OpenSSL takes longer to load than a look at a gateway
        import hmac  # noqa: PLC0415 - as above

        return "hmac:" + hmac.new(self._key, name + b"\0" + value, hashlib.sha256).hexdigest()[:_DIGITS]


class _Redaction:
    """One file. ValueError: it is not what its profile says."""

    def __init__(self, text: str, spec: Dict[str, Any], number: str, keyed: _Keyed) -> None:
        self._text, self._spec, self._number, self._keyed = text, spec, number, keyed
        self._declared = _declared(spec)
        own = re.escape(str(spec.get("key"))).replace(re.escape("{n}"), "[0-9]+")
        self._own = re.compile(rf"([ \t\f]*)({own})([ \t]*[=:][ \t]*|[ \t\f]+)")  # properties also take a blank
        try:
            self._kept = vendor_file.list_spans(text, spec)
        except ValueError:  # its list is not where it should be; the rest of it may still be told apart
            self._kept = []

    def text(self) -> str:
        return "".join({"xml": self._xml, "json": self._json}.get(self._spec["format"], self._lines)())

    # -- parts ------------------------------------------------------------------------------------------

    def _name(self, name: str) -> str:
        return name if name in self._declared or _NAME.match(name) else self._keyed.of("", name)

    def _value(self, start: int, end: int, name: str) -> str:
        """A value: what of the list stands in it stays, with the separators between."""
        kept = [span for span in self._kept if start <= span[0] and span[1] <= end]
        if not kept:
            return self._piece(start, end, name)
        parts: List[str] = []
        for begin, stop in kept:
            parts += [self._between(start, begin, name), self._text[begin:stop]]
            start = stop
        return "".join([*parts, self._between(start, end, name)])

    def _between(self, start: int, end: int, name: str) -> str:
        text = self._text[start:end]
        return self._piece(start, end, name) if text.strip(_FILLER) else text

    def _piece(self, start: int, end: int, name: str) -> str:
        text = self._text[start:end]
        bare = text.strip()
        if not bare or (bare.strip("\"'") == self._number and not _SAYS_SECRET.search(name)):
            return text
        lead = text[: len(text) - len(text.lstrip())]
        return lead + self._keyed.of(name, bare) + text[len(text.rstrip()) :]

    # -- ini, properties, delimited -----------------------------------------------------------------------

    def _lines(self) -> Iterator[str]:
        """Line by line; in properties a line that goes on in the next is one."""
        continued = self._spec["format"] == "properties"
        armoured = False  # between BEGIN and END of a key or certificate that stands in the file as it is
        for start, end in vendor_file.logical_lines(self._text, continued=continued):
            line = self._text[start:end].rstrip("\r\n")
            begins = "-----BEGIN" in line
            armoured = armoured or begins
            yield self._whole(start, start + len(line)) if armoured else self._line(start, start + len(line))
            armoured = armoured and "-----END" not in line
            yield "\n" if start + len(line) < end else ""

    def _whole(self, start: int, end: int) -> str:
        line = self._text[start:end].strip()
        return self._keyed.of("", line) if line else ""

    def _line(self, start: int, end: int) -> str:
        line = self._text[start:end]
        bare = line.strip()
        if not bare or bare in (str(self._spec.get("begin")).strip(), str(self._spec.get("end")).strip()):
            return line
        if self._spec["format"] == "delimited" and any(start <= begin < end for begin, _ in self._kept):
            return self._value(start, end, "")
        comment = re.match(r"[ \t\f]*(//|[#;!])[ \t]*", line)
        if comment:
            return comment.group() + self._whole(start + comment.end(), end)
        section = re.match(r"([ \t]*\[)([^\]]*)(\])", line) if self._spec["format"] == "ini" else None
        if section:
            rest = self._whole(start + section.end(), end)
            return section.group(1) + self._name(section.group(2)) + section.group(3) + (" " + rest if rest else "")
        return self._assignment(start, end) if self._spec["format"] != "delimited" else self._whole(start, end)

    def _assignment(self, start: int, end: int) -> str:
        """`name = value`; anything else is a value as a whole."""
        match = self._own.match(self._text, start, end) or _ASSIGNMENT.match(self._text, start, end)
        if match is None:
            return self._whole(start, end)
        name, value = match.group(2), self._text[match.end() : end]
        encoded = not value.strip(" \t=") and (len(name) > _LONG or _ENCODED.match(name))
        if value.startswith("=") or encoded:
            return self._whole(start, end)
        return match.group(1) + self._name(name) + match.group(3) + self._value(match.end(), end, name)

    # -- json ---------------------------------------------------------------------------------------------

    def _json(self) -> Iterator[str]:
        json.loads(self._text)
        names: List[str] = [""]  # of the value that stands at each depth
        for match in _JSON_PART.finditer(self._text):
            part = match.group()
            if part in "{[":
                names.append(names[-1])
            elif part in "}]":
                names.pop()
            if not part.strip() or part in "{}[],:":
                yield part
            elif part[0] == '"' and _IS_NAME.match(self._text, match.end()):
                names[-1] = part[1:-1]
                yield '"' + self._name(part[1:-1]) + '"'
            elif part[0] == '"':
                yield '"' + self._value(match.start() + 1, match.end() - 1, names[-1]) + '"'
            else:
                found = self._value(match.start(), match.end(), names[-1])
                yield found if found == part else f'"{found}"'

    # -- xml ----------------------------------------------------------------------------------------------

    def _xml(self) -> Iterator[str]:
        _require_xml(self._text)
        names: List[str] = [""]
        position = 0
        for match in _XML_PART.finditer(self._text):
            if match.start() != position:
                raise ValueError("expected XML of elements, comments and text only")
            position = match.end()
            yield from self._xml_part(match, names)
        if position != len(self._text):
            raise ValueError("expected XML to its end")

    def _xml_part(self, match: "re.Match[str]", names: List[str]) -> Iterator[str]:
        kind = str(match.lastgroup)
        part = match.group()
        if kind == "declaration":
            yield part
        elif kind in _XML_AROUND:
            before, after = _XML_AROUND[kind]
            yield before + self._keyed.of("", part[len(before) : len(part) - len(after)].strip()) + after
        elif kind == "end":
            names.pop()
            yield part
        elif kind == "text":
            yield self._piece(match.start(), match.end(), names[-1])
        else:
            yield from self._tag(match)
            if not part.endswith("/>"):
                names.append(part[1:].split("/")[0].split(">")[0].split()[0])

    def _tag(self, match: "re.Match[str]") -> Iterator[str]:
        position = match.start()
        for attribute in _ATTRIBUTE.finditer(self._text, match.start(), match.end()):
            yield self._text[position : attribute.start(2) + 1]
            yield self._value(attribute.start(2) + 1, attribute.end(2) - 1, attribute.group(1))
            position = attribute.end(2) - 1
        yield self._text[position : match.end()]


def _declared(spec: Dict[str, Any]) -> Set[str]:
    """Names that the profile says itself."""
    pointed = [part.replace("~1", "/").replace("~0", "~") for part in str(spec.get("pointer") or "").split("/")]
    return {str(spec.get("section")), str(spec.get("key")), *pointed, *(spec.get("attributes") or ())}


_JSON_PART = re.compile(r"\s+|[{}\[\],:]|\"(?:[^\"\\]|\\.)*\"|[^\s{}\[\],:\"]+", re.DOTALL)
_IS_NAME = re.compile(r"\s*:")
_XML_NAME = r"[\w.:-]{1,64}"
_XML_PART = re.compile(
    r"(?P<declaration>\A<\?xml(?:\s+(?:version|encoding|standalone)\s*=\s*(?:\"[\w.-]*\"|'[\w.-]*'))+\s*\?>)"
    r"|(?P<comment><!--.*?-->)|(?P<cdata><!\[CDATA\[.*?\]\]>)|(?P<instruction><\?.*?\?>)"
    rf"|(?P<end></{_XML_NAME}\s*>)"
    rf"|(?P<start><{_XML_NAME}(?:\s+{_XML_NAME}\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>)"
    r"|(?P<text>[^<]+)",
    re.DOTALL,
)
_XML_AROUND = {"comment": ("<!--", "-->"), "cdata": ("<![CDATA[", "]]>"), "instruction": ("<?", "?>")}
_ATTRIBUTE = re.compile(rf"\s({_XML_NAME})\s*=\s*(\"[^\"]*\"|'[^']*')")


def _require_xml(text: str) -> None:
    parser = expat.ParserCreate("utf-8")
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        raise ValueError("expected well-formed XML") from error
