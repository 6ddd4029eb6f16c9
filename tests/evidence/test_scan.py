"""The last look before sealing finds a value in every form and inside every kind of file, and never says it."""

import base64
import gzip
import html
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape

from orchestrator.errors import Refused
from orchestrator.evidence.checks_junit import junit
from orchestrator.evidence.pdf_texts import drawn
from orchestrator.evidence.scan import Hit, require_clean, scan
from orchestrator.model.plan import Phase
from orchestrator.report.pdf import Embedded, html_to_pdf
from tests.judge.story import record

SECRET = 'Tr0ub4dor"&3/密码+x'  # noqa: S105 - of nothing
FORMS: dict[str, Callable[[str], bytes]] = {
    "raw": str.encode,
    "gbk": lambda text: text.encode("gbk"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "json": lambda text: json.dumps({"a": text}, ensure_ascii=False).encode(),
    "json ascii": lambda text: json.dumps({"a": text}).encode(),
    "json in json": lambda text: json.dumps(json.dumps({"a": text}, ensure_ascii=False), ensure_ascii=False).encode(),
    "python": lambda text: repr({"a": text}).encode(),
    "url": lambda text: quote(text, safe="").encode(),
    "url path": lambda text: quote(text).encode(),
    "url form": lambda text: quote_plus(text).encode(),
    "url lower": lambda text: re.sub("%[0-9A-F]{2}", lambda code: code.group().lower(), quote(text, safe="")).encode(),
    "html": lambda text: str(escape(text)).encode(),
    "xml": lambda text: html.escape(text, quote=False).encode(),
    "xml attribute": lambda text: html.escape(text, quote=False).replace('"', "&quot;").encode(),
    "xml digits": lambda text: html.escape(text, quote=False).encode("ascii", "xmlcharrefreplace"),
    "hex": lambda text: text.encode().hex().encode(),
    "HEX": lambda text: text.encode().hex().upper().encode(),
    "HEX of GBK": lambda text: text.encode("gbk").hex().upper().encode(),
    "hex of utf-16": lambda text: text.encode("utf-16-be").hex().encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_found_with_file_and_place(form: str, tmp_path: Path) -> None:
    made = FORMS[form](SECRET)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.txt").write_bytes(b"0123456789" + made + b"\n")
    hits = scan(tmp_path, [SECRET])
    assert {hit.file for hit in hits} == {"a/x.txt"}
    assert 10 <= hits[0].offset < 10 + len(made)
    assert scan(tmp_path, ["another value"]) == []


def test_what_our_own_junit_makes_of_a_value_is_found(tmp_path: Path) -> None:
    secret = "Tr0u'b4\"d<o>r&3"  # noqa: S105 - of nothing
    (tmp_path / "x.xml").write_bytes(junit("p", [record(Phase.VERIFYING, secret, "t")]))
    assert scan(tmp_path, [secret])


@pytest.mark.parametrize("wrapped", [False, True], ids=["one line", "in lines"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", [0, 1, 2, 3, 50])
def test_base64_is_found_wherever_the_value_begins(
    before: int, encode: Callable[[bytes], bytes], wrapped: bool, tmp_path: Path
) -> None:
    data = encode(b"\xfb" * before + SECRET.encode() + b"\xfbafter")
    if wrapped:
        data = b"\r\n".join(data[at : at + 8] for at in range(0, len(data), 8))
    (tmp_path / "x").write_bytes(b"x: " + data)
    assert scan(tmp_path, [SECRET]) != []


@settings(deadline=None)
@given(st.text(min_size=6, max_size=30), st.sampled_from(sorted(FORMS)), st.binary(max_size=20), st.binary(max_size=20))
def test_whatever_the_value_and_its_surroundings(
    tmp_path_factory: pytest.TempPathFactory, secret: str, form: str, before: bytes, after: bytes
) -> None:
    try:
        made = FORMS[form](secret)
        made.decode("utf-8" if "16" not in form and "gbk" not in form else "latin-1")
    except UnicodeError:  # no such text in that encoding
        return
    if secret.isascii() and secret.isdigit():
        before = after = b"-"
    folder = tmp_path_factory.mktemp("f")
    (folder / "x").write_bytes(before + made + after)
    assert scan(folder, [secret]) != [], (secret, made)


def test_a_value_in_hex_that_goes_on_in_the_next_line_is_found_at_its_first_byte(tmp_path: Path) -> None:
    digits = b"secret-value".hex()
    (tmp_path / "x").write_text(f"ab\ncd\n{digits[:9]}\n{digits[9:]}\n")
    assert scan(tmp_path, ["secret-value"]) == [Hit("x", 6, "hex of utf-8")]


def test_a_number_counts_where_it_stands_alone_and_not_within_another(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a1234567 0.123456 2026-01-01T00:00:00.123456 deadbeef123456 123456.5")
    assert scan(tmp_path, ["123456"]) == []
    (tmp_path / "y").write_text('pin="123456", PIN 123456.')
    assert [hit.file for hit in scan(tmp_path, ["123456"])] == ["y"]


def test_values_too_short_to_be_told_from_chance_are_not_looked_for(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("root admin")
    assert scan(tmp_path, ["root", "admin", ""]) == []


def test_bytes_are_taken_as_values_too(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes("密码一二三四".encode())
    assert scan(tmp_path, ["密码一二三四".encode()]) != []


def xlsx(text: str) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    book.add_worksheet("x").write_string(0, 0, text, book.add_format({}))
    book.close()
    return file.getvalue()


FONT = '"Noto Sans CJK SC"'


def pdf(body: str, attachment: bytes = b"", title: str = "x") -> bytes:
    """As the reports are made."""
    style = f"<style>@page {{ font-family: {FONT} }} body {{ font-family: {FONT} }}</style>"
    page = (
        f"<!doctype html><html lang='zh'><head><title>{escape(title)}</title>{style}</head><body>{body}</body></html>"
    )
    return html_to_pdf(page, [Embedded("run.json", attachment, "run.json", 0.0)] if attachment else [])


def zipped(data: bytes, name: str = "x") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return file.getvalue()


INSIDE: dict[str, Callable[[], bytes]] = {
    "a cell of a workbook": lambda: xlsx(SECRET),
    "an attachment of a PDF": lambda: pdf("hello", json.dumps({"a": SECRET}).encode()),
    "a title of a PDF": lambda: pdf("hello", title=SECRET),
    "a text that a PDF shows": lambda: pdf("<h1>see</h1><p>密码一二三: Tr0ub4dor<b>99</b> indeed</p>"),
    "a workbook in a PDF": lambda: pdf("hello", xlsx(SECRET)),
    "a PDF in an archive": lambda: zipped(pdf("hello", SECRET.encode())),
    "gzip": lambda: gzip.compress(SECRET.encode()),
}


@pytest.mark.parametrize("kind", INSIDE)
def test_what_is_packed_inside_is_opened(kind: str, tmp_path: Path) -> None:
    data = INSIDE[kind]()
    secret = "Tr0ub4dor99" if "shows" in kind else SECRET
    assert secret.encode() not in data
    (tmp_path / "x.bin").write_bytes(data)
    hits = scan(tmp_path, [secret])
    assert hits, kind
    assert all(0 <= hit.offset < len(data) for hit in hits)
    assert scan(tmp_path, ["Tr0ub4dor98"]) == []


def test_the_place_of_a_packed_value_is_that_of_its_stream(tmp_path: Path) -> None:
    packed = zlib.compress(b"the secret-value is here")
    head = b"%PDF-1.7\n1 0 obj<</Filter/FlateDecode>>stream\n"
    (tmp_path / "x.pdf").write_bytes(head + packed + b"\nendstream endobj")
    assert scan(tmp_path, ["secret-value"]) == [Hit("x.pdf", len(head), "raw in utf-8 in a stream of a PDF")]


def test_a_file_that_is_broken_inside_is_looked_at_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = zipped(b"secret-value")
    (tmp_path / "a.zip").write_bytes(whole[: len(whole) // 2] + b"secret-value")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.7\nstream\nno flate secret-value")
    assert {hit.file for hit in scan(tmp_path, ["secret-value"])} == {"a.zip", "b.pdf"}


@cache
def whole() -> tuple[bytes, bytes]:
    return pdf("<h1>see</h1><p>text", b"{}"), xlsx("text")


@settings(deadline=None)
@given(st.integers(0, 1), st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6)), max_size=6), st.floats(0.1, 1))
def test_whatever_is_broken_in_it_a_file_is_looked_through(
    tmp_path_factory: pytest.TempPathFactory, kind: int, harm: list[tuple[float, bytes]], length: float
) -> None:
    data = bytearray(whole()[kind])
    for place, instead in harm:
        at = int(place * len(data))
        data[at : at + len(instead)] = instead
    folder = tmp_path_factory.mktemp("broken")
    (folder / "x").write_bytes(bytes(data[: int(length * len(data))]) + b" secret-value")
    assert scan(folder, ["secret-value"])


CMAPS = st.binary(max_size=30) | st.sampled_from(
    [
        b"beginbfrange <0> <ffffffff> <0041> endbfrange",
        b"beginbfchar <1> <1> endbfchar",
        b"beginbfrange <0> <9> <dfff> endbfrange",
    ]
)


@settings(deadline=None)
@given(CMAPS, st.binary(max_size=30), st.sampled_from([b"/First 9", b"/First 0", b"/First 99999", b""]))
def test_whatever_a_pdf_says_of_its_fonts_its_text_is_read_or_left(cmap: bytes, packed: bytes, first: bytes) -> None:
    objects = [
        b"1 0 obj <</F 2 0 R>> endobj",
        b"2 0 obj <</ToUnicode 3 0 R>> endobj",
        b"3 0 obj <<>>stream\n" + cmap + b"\nendstream endobj",
        b"4 0 obj <<>>stream\n/F 1 Tf <0000000100410> \nendstream endobj",
        b"5 0 obj <</Type/ObjStm " + first + b">>stream\n" + zlib.compress(packed) + b"\nendstream endobj",
    ]
    drawn(b"%PDF-1.7\n" + b"\n".join(objects)).encode("utf-8", "replace")


def test_a_name_of_a_file_is_looked_at_and_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "secret-value.txt").write_text("x")
    [hit] = scan(tmp_path, ["secret-value"])
    assert "secret-value" not in str(hit)


def test_the_refusal_names_file_and_place_and_not_the_value(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(json.dumps({"password": SECRET}))
    require_clean(tmp_path, ["another value"])
    with pytest.raises(Refused, match=r"SECRET_FOUND: .*x\.json at byte 14 ") as caught:
        require_clean(tmp_path, [SECRET])
    assert not any(form(SECRET).decode("latin-1") in str(caught.value) for form in FORMS.values())
    assert "Tr0ub" not in str(caught.value)
