"""Read and change the ordered server list in a vendor's configuration file, byte for byte.

Runs on gateway hosts: Python 3.6 or later, standard library only, nothing else is needed. It opens no
file itself: bytes in, bytes out. `spec` says where the list stands (`ConfigFile` of the topology, with
`{number}` and `{id}` filled in). Everything outside the list keeps its bytes: comments, blank lines,
spacing, byte order mark, line ends, bytes that are not valid in the file's encoding.

An endpoint that stays in the list keeps its entry with whatever else stands there (other attributes);
a new endpoint takes over the entry of one that left, or the form of the last entry. Every error is a
ValueError of one line: what was expected, what was found, and the line.
"""

import codecs
import json
import re
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Pattern, Tuple

Span = Tuple[int, int]

_EOL = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_ENDPOINT = re.compile(r"([A-Za-z0-9_.-]+):([0-9]{1,5})\Z")
_HIGHEST_PORT = 65535
_ADDRESS = r"(?P<address>[A-Za-z0-9_.-]+)"
_PORT = r"(?P<port>[0-9]{1,5})"
_BOMS = (
    (codecs.BOM_UTF8, ("utf-8", "utf_8", "utf-8-sig", "utf_8_sig", "utf8")),
    (codecs.BOM_UTF16_LE, ("utf-16", "utf_16", "utf-16-le", "utf_16_le")),
    (codecs.BOM_UTF16_BE, ("utf-16", "utf_16", "utf-16-be", "utf_16_be")),
)


class Entry(NamedTuple):
    """One entry of the list. `start:end` moves along when the order changes; `cut` goes when it is removed."""

    start: int
    end: int
    address: Span
    port: Span
    cut: Span


class ServerList(NamedTuple):
    """The list as it stands in the text. A further entry goes to `at`, between `lead(index)` and `trail`."""

    entries: List[Entry]
    at: int
    lead: Callable[[int], str]
    trail: str


def read_endpoints(data: bytes, spec: Dict[str, Any]) -> List[str]:
    """The list in force, as "address:port" in order."""
    _, text = decoded(data, spec["encoding"])
    return _endpoints(text, _locate(text, spec))


def list_spans(text: str, spec: Dict[str, Any]) -> List[Span]:
    """Where the list stands in the text: each entry, or its address and its port where more stands in it."""
    whole = spec["format"] not in ("xml", "json")
    spans: List[Span] = []
    for entry in _locate(text, spec).entries:
        if whole:
            spans.append((entry.start, entry.end))
        elif text[entry.start] == '"':
            spans.append((entry.start + 1, entry.end - 1))
        else:
            spans += [entry.address, entry.port]
    return sorted(spans)


def write_endpoints(data: bytes, spec: Dict[str, Any], endpoints: List[str]) -> bytes:
    """The file with this list. The same list gives the same bytes."""
    for endpoint in endpoints:
        _split(endpoint)
    if not endpoints:
        raise ValueError("expected at least one endpoint to write, found an empty list")
    mark, text = decoded(data, spec["encoding"])
    found = _locate(text, spec)
    if _endpoints(text, found) == list(endpoints):
        return data
    changed = _apply(text, _edits(text, found, list(endpoints), spec))
    written = mark + changed.encode(codec_of(mark, spec["encoding"]), "surrogateescape")
    reread = read_endpoints(written, spec)
    if reread != list(endpoints):
        raise ValueError(f"expected to read back {list(endpoints)}, found {reread}: nothing is written")
    return written


# Text and bytes


def codec_of(mark: bytes, encoding: str) -> str:
    """The codec of what stands behind the byte order mark."""
    if mark == codecs.BOM_UTF16_BE:
        return "utf-16-be"
    if encoding.lower().replace("_", "-") in ("utf-16", "utf-16-le"):
        return "utf-16-le"
    return "utf-8" if mark or encoding.lower().replace("_", "-") == "utf-8-sig" else encoding


def decoded(data: bytes, encoding: str) -> Tuple[bytes, str]:
    """(byte order mark, text). Refuses a text that would not come back as the same bytes."""
    mark = next((bom for bom, names in _BOMS if data.startswith(bom) and encoding.lower() in names), b"")
    if not mark and data.startswith(codecs.BOM_UTF8):
        raise ValueError(f"expected a file in {encoding}, found a UTF-8 byte order mark (line 1)")
    body = data[len(mark) :]
    codec = codec_of(mark, encoding)
    try:
        text = body.decode(codec, "surrogateescape")
    except (UnicodeError, LookupError) as error:
        raise ValueError(f"expected a file in {encoding}, found: {error}") from error
    if text.encode(codec, "surrogateescape") != body:
        raise ValueError(f"expected a file in {encoding}, found bytes that have another form in it")
    return mark, text


def _shape(text: str) -> str:
    """What was found, without saying it: it may be a secret, and an error leaves the host."""
    return repr(re.sub(r"[0-9]", "9", re.sub(r"[^\W\d_]", "a", text)))


def _line_number(text: str, position: int) -> int:
    return len(_EOL.findall(text, 0, position)) + 1


def _error(expected: str, found: str, text: str, position: int) -> ValueError:
    return ValueError(f"expected {expected}, found {found} (line {_line_number(text, position)})")


def _split(endpoint: str) -> Tuple[str, str]:
    match = _ENDPOINT.match(endpoint)
    if match is None or not 1 <= int(match.group(2)) <= _HIGHEST_PORT:
        raise ValueError(f"expected an endpoint address:port, found {endpoint!r}")
    return match.group(1), match.group(2)


def _endpoints(text: str, found: ServerList) -> List[str]:
    return [f"{text[slice(*entry.address)]}:{text[slice(*entry.port)]}" for entry in found.entries]


def _locate(text: str, spec: Dict[str, Any]) -> ServerList:
    return {"ini": _keys, "properties": _keys, "xml": _xml, "json": _json, "delimited": _delimited}[spec["format"]](
        text, spec
    )


# Changing


def _edits(text: str, found: ServerList, endpoints: List[str], spec: Dict[str, Any]) -> Iterator[Tuple[int, int, str]]:
    """(start, end, new text), not overlapping."""
    contents = _contents(text, found, endpoints, spec)
    for entry, content in zip(found.entries, contents):
        yield entry.start, entry.end, content
    cut = [entry.cut for entry in found.entries[len(endpoints) :]]
    for start, end in _joined(cut):
        unfinished = end == len(text) and not text.endswith(("\r", "\n"))
        before = re.search(r"(?:\r\n|\r|\n)\Z", text[:start]) if unfinished else None
        yield (before.start() if before else start), end, ""  # a file without a final line end stays without
    added = [found.lead(index) + contents[index] + found.trail for index in range(len(found.entries), len(endpoints))]
    yield found.at, found.at, "".join(added)


def _joined(spans: List[Span]) -> List[Span]:
    """The same spans with neighbours made one."""
    result: List[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def _contents(text: str, found: ServerList, endpoints: List[str], spec: Dict[str, Any]) -> List[str]:
    """What stands in each place of the new list: staying endpoints keep their own entry."""
    free = list(zip(_endpoints(text, found), found.entries))
    kept: List[Optional[Entry]] = []
    for endpoint in endpoints:
        own = next((item for item in free if item[0] == endpoint), None)
        kept.append(own[1] if own else None)
        if own:
            free.remove(own)
    left = [entry for _, entry in free]
    model = found.entries[-1] if found.entries else None
    contents = []
    for endpoint, entry in zip(endpoints, kept):
        contents.append(_filled(text, entry or (left.pop(0) if left else model), endpoint, spec))
    return contents


def _filled(text: str, entry: Optional[Entry], endpoint: str, spec: Dict[str, Any]) -> str:
    """The entry's text with another endpoint."""
    address, port = _split(endpoint)
    if entry is None:
        return str(spec["entry"]).replace("{address}", address).replace("{port}", port)
    holes = [(entry.address[0], entry.address[1], address), (entry.port[0], entry.port[1], port)]
    shifted = [(start - entry.start, end - entry.start, new) for start, end, new in holes]
    return _apply(text[entry.start : entry.end], iter(shifted))


def _apply(text: str, edits: Iterator[Tuple[int, int, str]]) -> str:
    for start, end, new in sorted(edits, key=lambda edit: edit[:2], reverse=True):
        text = text[:start] + new + text[end:]
    return text


# The form of one entry


def _entry_pattern(form: str) -> Pattern[str]:
    if "{address}" not in form or "{port}" not in form:
        raise ValueError(f"expected an entry form with {{address}} and {{port}}, found {form!r}")
    escaped = re.escape(form)
    for name, pattern in (("address", _ADDRESS), ("port", _PORT)):
        escaped = escaped.replace(re.escape("{" + name + "}"), pattern)
    return re.compile(escaped)


def _entry(match: "re.Match[str]", cut: Span) -> Entry:
    return Entry(match.start(), match.end(), match.span("address"), match.span("port"), cut)


# ini and properties


class _Value(NamedTuple):
    """One key of the section: the whole (logical) line with its end, the value inside, the key's number."""

    number: Optional[int]
    line: Span
    value: Span


def _keys(text: str, spec: Dict[str, Any]) -> ServerList:
    values = list(_values(text, spec))
    name = spec["key"] + (" in section [{}]".format(spec["section"]) if spec["format"] == "ini" else "")
    if not values:
        raise ValueError(f"expected key {name}, found none")
    if "{n}" in spec["key"]:
        return _numbered(text, spec, sorted(values, key=lambda value: value.number or 0))
    if len(values) > 1:
        raise _error(f"key {name} once", "it again", text, values[1].line[0])
    return _joined_value(text, spec, values[0])


def _values(text: str, spec: Dict[str, Any]) -> Iterator[_Value]:
    """Every line that sets the key, in the right section."""
    ini = spec["format"] == "ini"
    inside = not ini
    key = re.escape(spec["key"]).replace(re.escape("{n}"), r"(?P<n>[0-9]+)")
    sets = re.compile(r"[ \t]*" + key + (r"[ \t]*[=:][ \t]*" if ini else r"(?:[ \t]*[=:][ \t]*|[ \t]+)"))
    for start, end in logical_lines(text, continued=not ini):
        header = re.match(r"[ \t]*\[([^\]\r\n]*)\]", text[start:end]) if ini else None
        if header:
            inside = header.group(1).strip() == spec["section"]
        match = sets.match(text, start, end) if inside and not header else None
        if match:
            stop = end - len(_eol_of(text, end))
            yield _Value(int(match.group("n")) if "n" in sets.groupindex else None, (start, end), (match.end(), stop))


def logical_lines(text: str, continued: bool) -> Iterator[Span]:
    r"""Lines with their ends; in properties a trailing \ joins the next line, except in a comment."""
    start = 0
    for match in _LINE.finditer(text):
        line = text[start : match.end()]
        bare = line.rstrip("\r\n")
        comment = bare.lstrip(" \t\f").startswith(("#", "!"))
        if continued and not comment and match.end() < len(text) and (len(bare) - len(bare.rstrip("\\"))) % 2:
            continue
        yield start, match.end()
        start = match.end()


def _eol_of(text: str, end: int) -> str:
    """The line end that stands just before `end`, if any."""
    match = re.search(r"(?:\r\n|\r|\n)\Z", text[max(0, end - 2) : end])
    return match.group() if match else ""


def _eol_for_new(text: str, line: Span) -> str:
    return _eol_of(text, line[1]) or _eol_of(text, line[0]) or "\n"


def _numbered(text: str, spec: Dict[str, Any], values: List[_Value]) -> ServerList:
    pattern = _entry_pattern(spec["entry"])
    entries = []
    for index, value in enumerate(values):
        expected = spec["key"].replace("{n}", str(index + 1))
        key = text[value.line[0] : value.value[0]].strip().rstrip("=:").strip()
        if key != expected:
            raise _error(f"key {expected} (numbered from 1 without a gap)", key, text, value.line[0])
        match = pattern.match(text, *value.value)
        quote = re.compile("[\"']").match(text, *value.value)
        if match is None and quote:
            match = pattern.match(text, quote.end(), value.value[1])
        if match is None or not _tail(spec).match(text, match.end(), value.value[1]):
            raise _unreadable(text, value.value, spec)
        entries.append(_entry(match, value.line))
    last = values[-1]
    eol = _eol_for_new(text, last.line)
    finished = bool(_eol_of(text, last.line[1]))
    before, after = text[last.line[0] : entries[-1].start], text[entries[-1].end : last.value[1]]
    closing = after[:1] if after[:1] in ("'", '"') else ""
    last_key = spec["key"].replace("{n}", str(len(values)))

    def lead(index: int) -> str:
        head = before.replace(last_key, spec["key"].replace("{n}", str(index + 1)), 1)
        return head if finished else eol + head

    return ServerList(entries, last.line[1], lead, closing + (eol if finished else ""))


def _joined_value(text: str, spec: Dict[str, Any], value: _Value) -> ServerList:
    pattern = _entry_pattern(spec["entry"])
    blank = r"[ \t]*(?:\\(?:\r\n|\r|\n)[ \t]*)?"  # a value of properties may go on in the next line
    gap = re.compile(blank + re.escape(spec["separator"].strip() or spec["separator"]) + blank)
    position = value.value[0]
    quote = re.compile("[\"']").match(text, *value.value)
    position = quote.end() if quote else position
    start = position
    gaps: List[str] = []
    entries: List[Entry] = []
    match = pattern.match(text, position, value.value[1])
    while match:
        entries.append(_entry(match, (position, match.end())))
        position = match.end()
        between = gap.match(text, position, value.value[1])
        match = pattern.match(text, between.end(), value.value[1]) if between else None
        if between and match:
            gaps.append(between.group())
    if not _tail(spec).match(text, position, value.value[1]):
        raise _unreadable(text, (position, value.value[1]), spec)
    between_new = gaps[-1] if gaps else spec["separator"]
    return ServerList(entries, entries[-1].end if entries else start, lambda index: between_new if index else "", "")


def _tail(spec: Dict[str, Any]) -> Pattern[str]:
    """What may follow the last entry of a value: a separator, a quote, spaces, a comment (ini only)."""
    comment = r"(?:[ \t][;#][^\r\n]*)?" if spec["format"] == "ini" else ""
    return re.compile(r"[ \t]*(?:" + re.escape(spec["separator"].strip()) + r")?[ \t]*[\"']?[ \t]*" + comment + r"\Z")


def _unreadable(text: str, span: Span, spec: Dict[str, Any]) -> ValueError:
    return _error("an entry of the form {}".format(spec["entry"]), _shape(text[slice(*span)][:60]), text, span[0])


# delimited


def _delimited(text: str, spec: Dict[str, Any]) -> ServerList:
    lines = [match.span() for match in _LINE.finditer(text)]
    first, last = _region(text, lines, spec)
    pattern = _entry_pattern(spec["entry"])
    entries = []
    at = lines[first]
    for line in lines[first + 1 : last]:
        content = text[slice(*line)].strip()
        if not content or content.startswith(("#", ";", "//", "!")):
            continue
        indent = len(text[slice(*line)]) - len(text[slice(*line)].lstrip(" \t"))
        match = pattern.match(text, line[0] + indent, line[1])
        if match is None or not re.match(r"[ \t]*(?:[ \t](?:#|;|//).*)?[\r\n]*\Z", text[match.end() : line[1]]):
            raise _unreadable(text, (line[0] + indent, line[0] + len(text[slice(*line)].rstrip())), spec)
        entries.append(_entry(match, line))
        at = line
    indent_new = re.match(r"[ \t]*", text[slice(*at)])
    return ServerList(entries, at[1], lambda _: indent_new.group() if indent_new else "", _eol_for_new(text, at))


def _region(text: str, lines: List[Span], spec: Dict[str, Any]) -> Tuple[int, int]:
    """Indexes of the lines that begin and end the list."""
    begin, end = spec["begin"].strip(), spec["end"].strip()
    bare = [text[slice(*line)].strip() for line in lines]
    firsts = [index for index, line in enumerate(bare) if line == begin]
    if not firsts:
        raise ValueError(f"expected a line {begin!r} before the list, found none")
    lasts = [index for index, line in enumerate(bare) if line == end and index > firsts[0]]
    if not lasts:
        raise _error(f"a line {end!r} after the list", "none below", text, lines[firsts[0]][0])
    if begin != end and len(firsts) > 1:
        raise _error(f"one line {begin!r}", "it again", text, lines[firsts[1]][0])
    return firsts[0], lasts[0]


# xml


class _Elements:
    """Where the container and its items begin and end, in positions of the text."""

    def __init__(self, text: str, spec: Dict[str, Any]) -> None:
        self.containers: List[int] = []
        self.items: List[List[int]] = []
        self._wanted = spec["element"].strip("/").split("/")
        self._item = spec["item"]
        self._path: List[str] = []
        self._utf8 = text.encode("utf-8", "replace")
        from xml.parsers import expat  # noqa: PLC0415 - few files are XML

        # Other encodings than UTF-8 are unknown to expat, so it is told UTF-8 whatever the file declares.
        parser = expat.ParserCreate("utf-8")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        self._parser = parser
        try:
            parser.Parse(self._utf8, True)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise ValueError(f"expected well-formed XML, found: {reason} (line {error.lineno})") from error

    def _position(self) -> int:
        return len(self._utf8[: self._parser.CurrentByteIndex].decode("utf-8"))

    def _start(self, name: str, _attributes: Dict[str, str]) -> None:
        self._path.append(name)
        if self._path == self._wanted:
            self.containers.append(self._position())
        elif self._path == [*self._wanted, self._item]:
            self.items.append([self._position(), -1])

    def _end(self, _name: str) -> None:
        if self._path == [*self._wanted, self._item]:
            self.items[-1][1] = self._position()
        self._path.pop()


_START_TAG = re.compile(r"<[^\s/>]+(?:\s+[^\s=>]+\s*=\s*(?:\"[^\"]*\"|'[^']*'))*\s*/?>")


def _xml(text: str, spec: Dict[str, Any]) -> ServerList:
    elements = _Elements(text, spec)
    if len(elements.containers) != 1:
        count = len(elements.containers) or "none"
        raise ValueError("expected one element {}, found {}".format(spec["element"], count))
    if not elements.items:
        container = elements.containers[0]
        raise _error("at least one {} in {}".format(spec["item"], spec["element"]), "none", text, container)
    entries = [_xml_entry(text, start, end, spec) for start, end in elements.items]
    last = entries[-1]
    before = text[last.cut[0] : last.start]
    return ServerList(entries, last.end, lambda _: before, "")


def _xml_entry(text: str, start: int, end: int, spec: Dict[str, Any]) -> Entry:
    tag = _START_TAG.match(text, start)
    if tag is None:
        raise _error("a start tag of {}".format(spec["item"]), _shape(text[start : start + 40]), text, start)
    stop = tag.end()
    if not tag.group().endswith("/>"):
        closing = re.compile(r"</[^>]*>").match(text, end)
        stop = closing.end() if closing else tag.end()
    holes = [_attribute(text, tag.span(), name, spec) for name in spec["attributes"]]
    _split(f"{text[slice(*holes[0])]}:{text[slice(*holes[1])]}")
    own_line = re.search(r"(?:(?:\r\n|\r|\n)[ \t]*|[ \t]+)\Z", text[:start])
    return Entry(start, stop, holes[0], holes[1], (own_line.start() if own_line else start, stop))


def _attribute(text: str, tag: Span, name: str, spec: Dict[str, Any]) -> Span:
    """Where the attribute's value stands. Walks the attributes, so a value that looks like one is no match."""
    each = re.compile(r"\s+([^\s=>]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
    for match in each.finditer(text, tag[0], tag[1]):
        if match.group(1) == name:
            return match.span(2) if match.group(2) is not None else match.span(3)
    raise _error("attribute {} on {}".format(name, spec["item"]), "none", text, tag[0])


# json

_BLANK = re.compile(r"[ \t\r\n]*")
_SCAN = json.JSONDecoder()


def _json(text: str, spec: Dict[str, Any]) -> ServerList:
    try:
        json.loads(text)
    except ValueError as error:
        raise ValueError(f"expected JSON, found: {error}") from error
    start = pointed(text, spec["pointer"])
    if text[start] != "[":
        raise _error("a list at {}".format(spec["pointer"]), _shape(text[start : start + 20]), text, start)
    entries: List[Entry] = []
    for _, begin, end in _members(text, start):
        entries.append(_json_entry(text, begin, end, entries[-1].end if entries else begin, spec))
    if not entries:
        raise _error("at least one entry at {}".format(spec["pointer"]), "none", text, start)
    between = _json_gap(text, start, entries)
    return ServerList(entries, entries[-1].end, lambda _: between, "")


def _json_gap(text: str, start: int, entries: List[Entry]) -> str:
    """What stands between two entries, or would by the look of the file."""
    if len(entries) > 1:
        return text[entries[-2].end : entries[-1].start]
    before = text[start + 1 : entries[0].start]
    if _EOL.search(before):
        return "," + before
    return ", " if re.search(r"\"[ ]*:[ ]", text) or not re.search(r"\"[ ]*:", text) else ","


def _blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _members(text: str, start: int) -> Iterator[Tuple[str, int, int]]:
    """(key or index, start, end) of every member of the object or list that begins at `start`."""
    named = text[start] == "{"
    position = _blank(text, start + 1)
    index = 0
    while text[position] not in "]}":
        key = str(index)
        if named:
            key, position = _SCAN.raw_decode(text, position)
            position = _blank(text, _blank(text, position) + 1)
        _, end = _SCAN.raw_decode(text, position)
        yield key, position, end
        position = _blank(text, end)
        position = _blank(text, position + 1) if text[position] == "," else position
        index += 1


def pointed(text: str, pointer: str) -> int:
    """Where the value at an RFC 6901 pointer begins."""
    position = _blank(text, 0)
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"expected a JSON pointer that begins with /, found {pointer!r}")
    for raw in pointer.split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        found = [begin for key, begin, _ in _members(text, position) if key == token] if text[position] in "{[" else []
        if len(found) != 1:
            raise _error(f"{token} once on the way to {pointer}", str(len(found) or "none"), text, position)
        position = found[0]
    return position


def _json_entry(text: str, start: int, end: int, previous_end: int, spec: Dict[str, Any]) -> Entry:
    cut = (previous_end, end)
    if text[start] == "{":
        holes = [_json_attribute(text, start, name) for name in spec["attributes"]]
        _split(f"{text[slice(*holes[0])]}:{text[slice(*holes[1])]}")
        return Entry(start, end, holes[0], holes[1], cut)
    match = _entry_pattern(spec["entry"]).match(text, start + 1, end - 1) if text[start] == '"' else None
    if match is None or match.end() != end - 1:
        raise _unreadable(text, (start, end), spec)
    return Entry(start, end, match.span("address"), match.span("port"), cut)


def _json_attribute(text: str, start: int, name: str) -> Span:
    """Where the member's value stands, without quotes."""
    found = [(begin, end) for key, begin, end in _members(text, start) if key == name]
    if len(found) != 1:
        raise _error(f"member {name} once in the entry", str(len(found) or "none"), text, start)
    begin, end = found[0]
    return (begin + 1, end - 1) if text[begin] == '"' else (begin, end)
