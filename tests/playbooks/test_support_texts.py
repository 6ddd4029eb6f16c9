"""support_texts.py: what its name calls a secret does not leave the host, and everything else does, byte for byte."""

import importlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.playbooks.harness import ROOT

KEY = b"\x01" * 32
DIGEST = re.compile(rb"hmac:[0-9a-f]{16}")


def _module() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "playbooks/onhost"))
        return importlib.import_module("support_texts")


MODULE = _module()


def redacted(data: bytes, key: bytes = KEY) -> tuple[bytes, int]:
    found: tuple[bytes, int] = MODULE.redacted(data, key)
    return found


FORMS = [
    "password={}",
    "Passwd : {}",
    "2026-11-21 08:30:00 DEBUG userPin={} accepted",
    'request {{"password": "{}", "user": "gw"}}',
    "<password>{}</password>",
    "<login pwd='{}' user='x'/>",
    "口令：{}",
    "数据库密码={}",
    "api_key => {}",
    "session-token={};path=/",
    "connecting to ftp://gw:{}@198.19.1.9/in",
]
SECRETS = st.text("aZ9+/_%$#中文é-", min_size=1, max_size=20).map("Tr0ub4dor".__add__)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@given(secret=SECRETS)
def test_a_named_value_becomes_a_digest(form: str, encoding: str, secret: str) -> None:
    line = form.format(secret)
    data = f"before 前\n{line}\nafter 后\n".encode(encoding)
    told, replaced = redacted(data)
    assert replaced == 1
    assert b"Tr0ub4dor" not in told
    assert len(DIGEST.findall(told)) == 1
    assert (told.splitlines()[0], told.splitlines()[2]) == (data.splitlines()[0], data.splitlines()[2])


@given(st.binary(max_size=300))
def test_bytes_that_name_nothing_stay_as_they_are(data: bytes) -> None:
    plain = re.sub(rb"[=:>]", b" ", data).replace("：".encode(), b" ").replace("：".encode("gb18030"), b" ")
    assert redacted(plain) == (plain, 0)


@pytest.mark.parametrize(
    "line",
    ["shipping=1", "mapping: 3", "sequence_key=7", "connected to 172.60.101.30:7043", "logon refused: wrong password"],
)
def test_what_only_looks_like_a_name_is_told(line: str) -> None:
    assert redacted(line.encode()) == (line.encode(), 0)


def test_the_same_value_under_the_same_name_has_the_same_digest_and_only_under_the_same_key() -> None:
    one, again = (redacted(f"{lead}pwd=hunter2".encode())[0] for lead in ("", "once more: "))
    other, elsewhere = redacted(b"pwd=hunter3")[0], redacted(b"pwd=hunter2", b"\x02" * 32)[0]
    assert DIGEST.findall(one) == DIGEST.findall(again)
    assert len({*DIGEST.findall(one), *DIGEST.findall(other), *DIGEST.findall(elsewhere)}) == 3
