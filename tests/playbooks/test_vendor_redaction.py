"""vendor_redaction.py over generated files of every format: the list stays, no value does, every change shows."""

import importlib
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.playbooks.harness import ROOT, Vendor
from tests.playbooks.test_vendor_file import BASE, INI, JSON, LINES, LISTS, XML, File, files
from tests.playbooks.vendor.front import Front

KEY = b"\x01" * 32
NUMBER = "W100200"


def _module() -> Any:
    """The program as it runs on a host, where its neighbours are plain modules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "playbooks/onhost"))
        return importlib.import_module("vendor_redaction")


MODULE = _module()


def redacted(data: bytes, spec: dict[str, Any], key: bytes = KEY) -> str:
    return str(MODULE.redacted(data, spec, NUMBER, key))


def told(text: str) -> str:
    """The text without its first line and its digests."""
    return re.sub(r"hmac:[0-9a-f]{16}", "", text.partition("\n")[2])


SECRETS = st.text(alphabet="aZ9=:;#|\\中文讀乗<>&\"'{}[] /+", min_size=1, max_size=20).map("Tr0ub4dor".__add__)
FORMS = {
    "ini": ("[Main]\npassword = {}\nServer1=1.1.1.1:1\n", {**INI, "section": "Main"}),
    "ini comment": ("; {}\n[M]\nServer1=1.1.1.1:1 ; {}\n", INI),
    "ini line": ("[M]\n{}\nServer1=1.1.1.1:1\n", INI),
    "properties": ("a.pass={}\nk=1.1.1.1:1\n", {**BASE, "format": "properties", "key": "k"}),
    "properties blank": ("a.pass {}\nk 1.1.1.1:1\n", {**BASE, "format": "properties", "key": "k"}),
    "delimited": ("x|{}\nBEGIN\n1.1.1.1:1\nEND\n{}\n", LINES),
    "json": ('{{"a": {{"pw": "{}", "b": ["1.1.1.1:1"]}}}}', JSON),
    "xml attribute": ('<G pw="{}"><U><S ip="1.1.1.1" port="1"/></U></G>', XML),
    "xml text": ('<G><pw>{}</pw><U><S ip="1.1.1.1" port="1"/></U></G>', XML),
    "xml comment": ('<G><!-- {} --><U><S ip="1.1.1.1" port="1"/></U></G>', XML),
    "not as described": ("no such list\n{}\n", XML),
}


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None)
@given(secret=SECRETS)
def test_a_secret_is_in_no_form_of_file_told(form: str, encoding: str, secret: str) -> None:
    text, spec = FORMS[form]
    if form == "ini line":
        secret = re.sub("[=:]", "-", secret)  # what stands before a sign is a name, and names stay
    written = text.replace("{}", secret).replace("{{", "{").replace("}}", "}").encode(encoding)
    found = redacted(written, {**spec, "encoding": encoding})
    assert "Tr0ub4dor" not in found


@settings(deadline=None)
@given(files(), LISTS)
def test_the_list_stays_in_its_order(file: File, endpoints: list[str]) -> None:
    found = told(redacted(file.holding(endpoints), file.spec))
    position = 0
    for address, port in (item.split(":") for item in endpoints):
        at = min(found.find(address, position), found.find(port, position))
        assert at >= position, (address, port, found)
        position = max(found.find(address, position) + len(address), found.find(port, position) + len(port))


@settings(deadline=None)
@given(files(), LISTS, st.text(alphabet="xyz讀", min_size=1, max_size=8))
def test_the_same_file_gives_the_same_text_and_another_head_gives_another(
    file: File, endpoints: list[str], more: str
) -> None:
    first = redacted(file.holding(endpoints), file.spec)
    assert first == redacted(file.holding(endpoints), file.spec)
    comment = f"<!-- {more} -->" if file.spec["format"] == "xml" else f"# {more}\n"
    if file.spec["format"] != "json":
        longer = replace(file, tail=file.tail + ("\n" + comment if file.spec["format"] != "xml" else comment))
        assert first != redacted(longer.holding(endpoints), file.spec)


@settings(deadline=None)
@given(st.text(alphabet="ab1讀", min_size=1), st.text(alphabet="ab1讀", min_size=1))
def test_a_value_shows_its_change_and_nothing_else_changes(old: str, new: str) -> None:
    def lines(value: str) -> list[str]:
        data = f"[M]\nuser = u\npassword = {value}\nServer1=1.1.1.1:1\n".encode()
        return redacted(data, INI).splitlines()

    differ = [index for index, pair in enumerate(zip(lines(old), lines(new), strict=True)) if pair[0] != pair[1]]
    assert differ == ([] if old == new else [3])


def test_names_sections_and_the_gateways_own_number_stay() -> None:
    data = f"; x\n[General]\nuser = {NUMBER}\npassword = {NUMBER}\n[M]\nServer1=1.1.1.1:1\n".encode()
    assert told(redacted(data, INI)) == f"; \n[General]\nuser = {NUMBER}\npassword = \n[M]\nServer1=1.1.1.1:1\n"


def test_one_value_has_another_digest_under_another_name_and_another_key() -> None:
    data = b"[M]\na = same\nb = same\nServer1=1.1.1.1:1\n"
    lines = redacted(data, INI).splitlines()
    other = redacted(data, INI, b"\x02" * 32).splitlines()
    assert len({lines[2].split()[-1], lines[3].split()[-1], other[2].split()[-1]}) == 3


def test_a_digest_is_that_of_openssl_over_name_zero_byte_and_value() -> None:
    """printf 'password\\0hunter2' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0101…01"""
    data = b"[M]\npassword = hunter2\nServer1=1.1.1.1:1\n"
    assert "password = hmac:ebb9402ece0f87c1" in redacted(data, INI)


def test_a_key_pasted_in_as_it_is_becomes_digests_only() -> None:
    body = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\nkey=Zm9vYmFyYmF6=\n-----END PRIVATE KEY-----\n"
    found = told(redacted(b"[M]\n" + body + b"Server1=1.1.1.1:1\n", INI))
    assert found == "[M]\n\n\n\n\nServer1=1.1.1.1:1\n"


def test_encoded_data_is_not_taken_for_a_name() -> None:
    found = told(redacted(b"[M]\ncert = Zm9v\n  QmFyMTIzYmF6OTk=\nempty=\nServer1=1.1.1.1:1\n", INI))
    assert found == "[M]\ncert = \n\nempty=\nServer1=1.1.1.1:1\n"


def test_the_first_line_tells_mark_and_line_ends() -> None:
    data = b"\xef\xbb\xbf[M]\r\nServer1=1.1.1.1:1\n"
    first = redacted(data, INI).splitlines()[0]
    assert first == "drillctl: ini in utf-8, byte order mark efbbbf, lines CRLF 1, LF 1, CR 0"


@pytest.mark.parametrize(
    ("data", "spec"),
    [
        (b'{"a": {"pw": "hunter2", "b": [', JSON),
        (b"<G><pw>hunter2</pw>\n<U>", XML),
        (b'<!DOCTYPE G [<!ENTITY pw "hunter2">]><G><U><S ip="1.1.1.1" port="1"/></U></G>', XML),
        (b"\xff\xfe\x00h\x00unter2", {**INI, "encoding": "utf-16"}),
        ("密码=hunter2".encode("gbk") + b"\x80", {**INI, "encoding": "no-such-encoding"}),
    ],
)
def test_what_cannot_be_read_becomes_one_digest_per_line(data: bytes, spec: dict[str, Any]) -> None:
    found = redacted(data, spec)
    assert found.startswith("drillctl: cannot be read as")
    assert told(found).strip() == ""
    assert len(found.splitlines()) == len(data.splitlines()) + 1


def test_a_file_without_its_list_is_told_apart_all_the_same() -> None:
    assert told(redacted(b"[Other]\npassword = hunter2\n", INI)) == "[Other]\npassword = \n"


def test_a_file_too_large_for_a_configuration_is_one_digest() -> None:
    assert told(redacted(b"x" * (1 << 20) + b"y", INI)) == "\n"


def test_state_returns_the_text_only_where_it_is_asked_for(vendor: Vendor, fronts: list[Front]) -> None:
    asked = vendor.ask("state", redaction_key=KEY.hex())
    assert "redacted" not in vendor.ask("state")
    assert told(asked["redacted"]) == (
        f"; \n[General]\nname = \n[MainStation]\nServer1 = {fronts[0].endpoint}\nServer2 = {fronts[1].endpoint}\n"
    )


def test_state_of_a_file_that_is_not_as_described_fails_and_returns_the_text(vendor: Vendor) -> None:
    vendor.config.write_bytes(b"[MainStation]\nServer1 = hunter2\n")
    asked = vendor.ask("state", redaction_key=KEY.hex())
    assert (asked["outcome"], told(asked["redacted"])) == ("failed", "[MainStation]\nServer1 = \n")
    assert "hunter2" not in str(asked)
