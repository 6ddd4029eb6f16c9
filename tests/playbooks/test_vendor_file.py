"""vendor_file.py over generated files of every format: only the list changes, and it changes back."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.onhost.vendor_file import read_endpoints, write_endpoints

BASE = {"encoding": "utf-8", "separator": ",", "entry": "{address}:{port}", "attributes": ["ip", "port"]}
ADDRESSES = st.builds("172.{}.101.{}".format, st.integers(50, 70), st.integers(1, 254))
ENDPOINTS = st.builds("{}:{}".format, ADDRESSES, st.integers(1, 65535))
LISTS = st.lists(ENDPOINTS, min_size=2, max_size=5, unique=True)
# GBK's second bytes include | \ { } [ ] and letters: 讀 ends in |, 乗 in \, 亄 in {.
NOISE = st.text(alphabet="ab=|中文讀乗亄亇股转;#", max_size=12)


@dataclass(frozen=True)
class File:
    """A kind of file: what stands around the list, and how one entry looks."""

    head: str
    form: Callable[[int, str, str], str]  # (index from 1, address, port) → entry
    between: str
    tail: str
    spec: dict[str, Any]
    mark: bytes = b""

    def holding(self, endpoints: list[str]) -> bytes:
        """The file with this list, made without the code under test."""
        entries = [self.form(index, *item.split(":")) for index, item in enumerate(endpoints, 1)]
        text = self.head + self.between.join(entries) + self.tail
        return self.mark + text.encode(self.spec["encoding"])


@st.composite
def files(draw: st.DrawFn) -> File:
    eol = draw(st.sampled_from(["\n", "\r\n"]))
    encoding = draw(st.sampled_from(["utf-8", "gbk", "gb18030"]))
    kind = draw(st.sampled_from([_numbered, _joined, _properties, _xml, _json_texts, _json_objects, _delimited]))
    made = kind(eol, f"# {draw(NOISE)}{eol}", draw)
    mark = b"\xef\xbb\xbf" if encoding == "utf-8" and draw(st.booleans()) else b""
    tail = made.tail + draw(st.sampled_from(["", eol]))
    return replace(made, tail=tail, spec={**BASE, "encoding": encoding, **made.spec}, mark=mark)


def _spacing(draw: st.DrawFn) -> str:
    return draw(st.sampled_from(["=", " = ", "= ", "\t=\t"]))


def _numbered(eol: str, noise: str, draw: st.DrawFn) -> File:
    spacing, indent = _spacing(draw), draw(st.sampled_from(["", "  "]))
    head = f"{noise}[Other]{eol}Server1=1.1.1.1:1{eol}[Main]{eol}{noise}"
    tail = draw(st.sampled_from(["", f"{eol}{noise}[Last]{eol}Server9=2.2.2.2:2"]))
    spec = {"format": "ini", "section": "Main", "key": "Server{n}"}
    return File(head, lambda i, a, p: f"{indent}Server{i}{spacing}{a}:{p}", eol, tail, spec)


def _joined(eol: str, noise: str, draw: st.DrawFn) -> File:
    head = f"{noise}[Main]{eol}other=1{eol}list{_spacing(draw)}"
    tail = draw(st.sampled_from(["", "  ; remark", f"{eol}{noise}after=1"]))
    return File(head, lambda _, a, p: f"{a}:{p}", ",", tail, {"format": "ini", "section": "Main", "key": "list"})


def _properties(eol: str, noise: str, draw: st.DrawFn) -> File:
    head = f"{noise}a.list.b=3.3.3.3:3{eol}a.list{_spacing(draw)}"
    spec = {"format": "properties", "key": "a.list", "separator": ";"}
    return File(head, lambda _, a, p: f"{a}:{p}", ";", f"{eol}{noise}", spec)


def _xml(eol: str, noise: str, draw: st.DrawFn) -> File:
    q = draw(st.sampled_from(["'", '"']))
    ends = draw(st.sampled_from(["/>", " ></Server>"]))
    remark = f"<!-- {noise.strip()} <Server ip='9.9.9.9' port='9'/> -->"
    head = f'<?xml version="1.0" encoding="gbk"?>{eol}<G>{remark}{eol}  <Up name="x">{eol}    '
    tail = f'{eol}  </Up>{eol}  <Down><Server ip="8.8.8.8" port="8"/></Down>{eol}</G>'
    spec = {"format": "xml", "element": "G/Up", "item": "Server"}
    return File(head, lambda _, a, p: f"<Server w={q}9{q} ip={q}{a}{q} port={q}{p}{q}{ends}", f"{eol}    ", tail, spec)


def _json_texts(eol: str, noise: str, draw: st.DrawFn) -> File:  # noqa: ARG001 - all kinds are called alike
    head = f'{{{eol}  "text": {json.dumps(noise, ensure_ascii=False)},{eol}  "a/b": {{"list": [{eol}    '
    spec = {"format": "json", "pointer": "/a~1b/list"}
    return File(head, lambda _, a, p: f'"{a}:{p}"', f",{eol}    ", f'{eol}  ], "n": 1.50e1}}{eol}}}', spec)


def _json_objects(eol: str, noise: str, draw: st.DrawFn) -> File:
    q = draw(st.sampled_from(["", '"']))
    head = f'[0, {{"list": [ {json.dumps(noise, ensure_ascii=False)} ], "up":[ {eol} '
    spec = {"format": "json", "pointer": "/1/up"}
    return File(head, lambda _, a, p: f'{{"port" : {q}{p}{q}, "w": [1], "ip":"{a}"}}', f",{eol} ", f" ]}}]{eol}", spec)


def _delimited(eol: str, noise: str, draw: st.DrawFn) -> File:
    indent = draw(st.sampled_from(["", "\t"]))
    head = f"{noise}1.1.1.1|1{eol}# BEGIN{eol}{eol}{noise}"
    spec = {"format": "delimited", "begin": "# BEGIN", "end": "# END", "entry": "{address}|{port}"}
    return File(head, lambda _, a, p: f"{indent}{a}|{p}", eol, f"{eol}  # END{eol}{noise}", spec)


@given(files(), LISTS)
def test_the_list_is_read_and_the_same_list_gives_the_same_bytes(file: File, endpoints: list[str]) -> None:
    data = file.holding(endpoints)
    assert read_endpoints(data, file.spec) == endpoints
    assert write_endpoints(data, file.spec, endpoints) == data


@given(files(), LISTS, st.data())
def test_a_new_list_gives_the_file_with_that_list_and_no_other_byte_changed(
    file: File, old: list[str], data: st.DataObject
) -> None:
    new = data.draw(st.lists(st.one_of(ENDPOINTS, st.sampled_from(old)), min_size=1, max_size=7, unique=True))
    assert write_endpoints(file.holding(old), file.spec, new) == file.holding(new)


@given(files(), LISTS, st.data())
def test_another_list_and_then_the_old_one_give_the_old_bytes(file: File, old: list[str], data: st.DataObject) -> None:
    """Down to two entries: with one left, nothing in the file tells how entries were separated."""
    new = data.draw(st.lists(st.one_of(ENDPOINTS, st.sampled_from(old)), min_size=2, max_size=7, unique=True))
    written = write_endpoints(file.holding(old), file.spec, new)
    assert write_endpoints(written, file.spec, old) == file.holding(old)


def test_comments_spacing_and_mixed_line_ends_inside_the_list_stay() -> None:
    data = b"[M]\nServer1 = 1.1.1.1:1 ; main\r\n\r\n; between\n  Server2=2.2.2.2:2   \n"
    spec = {**BASE, "format": "ini", "section": "M", "key": "Server{n}"}
    expected = b"[M]\nServer1 = 3.3.3.3:33 ; main\r\n\r\n; between\n  Server2=1.1.1.1:1   \n"
    assert write_endpoints(data, spec, ["3.3.3.3:33", "1.1.1.1:1"]) == expected


def test_bytes_that_are_not_valid_in_the_encoding_stay() -> None:
    data = b"[M]\n; \xff\xfe \x81\nlist = 1.1.1.1:1\n"
    spec = {**BASE, "format": "ini", "section": "M", "key": "list"}
    assert write_endpoints(data, spec, ["2.2.2.2:2"]) == data.replace(b"1.1.1.1:1", b"2.2.2.2:2")


def test_an_endpoint_that_stays_keeps_its_other_attributes() -> None:
    data = b'<G><S ip="1.1.1.1" port="1" name="futian"/> <S port="2" name="southern" ip="2.2.2.2"/></G>'
    spec = {**BASE, "format": "xml", "element": "G", "item": "S"}
    expected = b'<G><S port="2" name="southern" ip="2.2.2.2"/> <S ip="3.3.3.3" port="3" name="futian"/></G>'
    assert write_endpoints(data, spec, ["2.2.2.2:2", "3.3.3.3:3"]) == expected


def test_a_json_port_stays_what_it_was() -> None:
    data = b'{"s":[{"ip":"1.1.1.1","port":"1"},{"ip":"2.2.2.2","port":2}]}'
    spec = {**BASE, "format": "json", "pointer": "/s"}
    expected = b'{"s":[{"ip":"3.3.3.3","port":"3"},{"ip":"4.4.4.4","port":4}]}'
    assert write_endpoints(data, spec, ["3.3.3.3:3", "4.4.4.4:4"]) == expected


def test_a_value_of_properties_may_go_on_in_the_next_line() -> None:
    data = b"x = y \\\na.list=9.9.9.9:9\na.list = 1.1.1.1:1, \\\n    2.2.2.2:2\n"
    spec = {**BASE, "format": "properties", "key": "a.list"}
    assert read_endpoints(data, spec) == ["1.1.1.1:1", "2.2.2.2:2"]
    expected = data.replace(b"1.1.1.1:1", b"3.3.3.3:3").replace(b"2.2.2.2:2", b"4.4.4.4:4")
    assert write_endpoints(data, spec, ["3.3.3.3:3", "4.4.4.4:4"]) == expected


INI = {**BASE, "format": "ini", "section": "M", "key": "Server{n}"}
ONE = {**BASE, "format": "ini", "section": "M", "key": "list"}
XML = {**BASE, "format": "xml", "element": "G/U", "item": "S"}
JSON = {**BASE, "format": "json", "pointer": "/a/b"}
LINES = {**BASE, "format": "delimited", "begin": "BEGIN", "end": "END"}


@pytest.mark.parametrize(
    ("data", "spec", "said"),
    [
        (b"[N]\nServer1=1.1.1.1:1\n", INI, r"expected key Server\{n\} in section \[M\], found none"),
        (b"[M]\nServer1=1.1.1.1:1\nServer3=1.1.1.1:1\n", INI, r"expected key Server2 .*, found Server3 \(line 3\)"),
        (b"[M]\nServer0=1.1.1.1:1\n", INI, r"expected key Server1 .*, found Server0 \(line 2\)"),
        (b"[M]\nServer1=unknown\n", INI, r"expected an entry of the form .*, found 'aaaaaaa' \(line 2\)"),
        (b"[M]\nlist=1.1.1.1:1,oops\n", ONE, r"expected an entry .*, found ',aaaa' \(line 2\)"),
        (b"[M]\nlist=1.1.1.1:1\nlist=2.2.2.2:2\n", ONE, r"expected key list .* once, found it again \(line 3\)"),
        (b"\xef\xbb\xbf[M]\nlist=1.1.1.1:1\n", {**ONE, "encoding": "gbk"}, r"found a UTF-8 byte order mark \(line 1\)"),
        (b"<G>\n<U>", XML, r"expected well-formed XML, found: no element found \(line 2\)"),
        (b"<G><U/></G>", XML, r"expected at least one S in G/U, found none \(line 1\)"),
        (b"<G><U/><U/></G>", XML, r"expected one element G/U, found 2"),
        (b"<G><U>\n<S ip='1.1.1.1'/></U></G>", XML, r"expected attribute port on S, found none \(line 2\)"),
        (b'{"a": {}}', JSON, r"expected b once on the way to /a/b, found none \(line 1\)"),
        (b'{"a": {"b": []}}', JSON, r"expected at least one entry at /a/b, found none"),
        (b'{"a": {"b": 7}}', JSON, r"expected a list at /a/b"),
        (b'{"a": ', JSON, r"expected JSON, found"),
        (b"1.1.1.1:1\nEND\n", LINES, r"expected a line 'BEGIN' before the list, found none"),
        (b"BEGIN\n1.1.1.1:1\n", LINES, r"expected a line 'END' after the list, found none below \(line 1\)"),
        (b"BEGIN\n1.1.1.1 1\nEND\n", LINES, r"expected an entry .*, found '9.9.9.9 9' \(line 2\)"),
    ],
)
def test_a_file_that_is_not_as_described_is_refused_in_one_line(data: bytes, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        write_endpoints(data, spec, ["5.5.5.5:5"])
    assert "\n" not in str(caught.value)
