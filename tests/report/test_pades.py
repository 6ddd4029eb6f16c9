"""A signed report: the bytes that were rendered, a signature over all of them, a stamp where an authority answers."""

import shutil
import subprocess
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from orchestrator.errors import Refused
from orchestrator.evidence.keys import Keys, make_local_keys
from orchestrator.evidence.pades import FIELD, sign_pdf
from orchestrator.evidence.stamp import InternalStamper
from orchestrator.report.pdf import html_to_pdf

PAGE = """<!doctype html><html lang=en><title>x</title>
<style>body { font-family: "Noto Sans CJK SC" }</style><body>A report</body></html>"""
STAMP = bytes.fromhex("060b2a864886f70d010910020e")  # id-aa-signatureTimeStampToken, DER


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_local_keys(tmp_path_factory.mktemp("keys") / "local", "Example Securities", datetime.now(UTC))


@pytest.fixture(scope="module")
def plain() -> bytes:
    return html_to_pdf(PAGE)


class Silent:
    """An authority that does not answer."""

    def stamp(self, query: bytes) -> bytes:
        raise Refused("NO_STAMP", f"expected a reply to {len(query)} bytes, found none")


class Broken:
    """An authority that must not be asked again in another way."""

    def stamp(self, query: bytes) -> bytes:
        raise Refused("BAD_STAMP", f"expected a stamp of {len(query)} bytes, found one of something else")


def stamper(keys: Keys) -> InternalStamper:
    assert keys.tsa is not None
    return InternalStamper(keys.tsa)


def signature(pdf: bytes) -> tuple[bytes, bytes]:
    """The CMS and the bytes that it covers, read by hand from /ByteRange."""
    root: Any = PdfReader(BytesIO(pdf)).trailer["/Root"]
    (field,) = root["/AcroForm"]["/Fields"]
    value = field.get_object()["/V"]
    assert field.get_object()["/T"] == FIELD
    assert value["/SubFilter"] == "/ETSI.CAdES.detached"
    first, size, second, rest = (int(number) for number in value["/ByteRange"])
    assert (first, second + rest) == (0, len(pdf)), "the whole file is covered"
    cms = bytes.fromhex(pdf[first + size : second].strip(b"<>").decode())
    return cms, pdf[:size] + pdf[second:]


def verified(folder: Path, cms: bytes, covered: bytes, keys: Keys) -> subprocess.CompletedProcess[bytes]:
    """By openssl, which knows nothing of PDF. The zeros after the signature are room that was not needed."""
    (folder / "cms").write_bytes(cms)
    (folder / "covered").write_bytes(covered)
    options = ["-binary", "-inform", "DER", "-in", f"{folder}/cms", "-content", f"{folder}/covered"]
    trust = ["-CAfile", str(keys.chain), "-purpose", "any", "-out", "/dev/null"]
    return subprocess.run(["openssl", "cms", "-verify", *options, *trust], capture_output=True, check=False)


@pytest.mark.parametrize("answers", [True, False])
def test_openssl_verifies_the_signature_over_the_whole_file(
    tmp_path: Path, plain: bytes, keys: Keys, answers: bool
) -> None:
    signed = sign_pdf(plain, keys, stamper(keys) if answers else None)
    done = verified(tmp_path, *signature(signed), keys)
    assert done.returncode == 0, done.stderr.decode()
    assert (STAMP in signature(signed)[0]) is answers


def test_the_rendered_bytes_stay_as_they_were(plain: bytes, keys: Keys) -> None:
    assert sign_pdf(plain, keys).startswith(plain)


def test_a_changed_byte_is_noticed(tmp_path: Path, plain: bytes, keys: Keys) -> None:
    cms, covered = signature(sign_pdf(plain, keys))
    at = len(plain) // 2
    changed = covered[:at] + bytes([covered[at] ^ 1]) + covered[at + 1 :]
    assert verified(tmp_path, cms, changed, keys).returncode != 0


def test_an_authority_that_is_silent_is_done_without(tmp_path: Path, plain: bytes, keys: Keys) -> None:
    signed = sign_pdf(plain, keys, Silent())
    assert verified(tmp_path, *signature(signed), keys).returncode == 0
    assert STAMP not in signature(signed)[0]


def test_an_authority_that_answers_wrongly_is_an_error(plain: bytes, keys: Keys) -> None:
    with pytest.raises(Refused, match="BAD_STAMP"):
        sign_pdf(plain, keys, Broken())


def test_a_certificate_that_signs_elsewhere_signs_no_report(plain: bytes, keys: Keys) -> None:
    with pytest.raises(Refused, match="NO_KEY"):
        sign_pdf(plain, Keys(certificate=keys.certificate, key=None))


def test_another_reader_finds_it_valid(tmp_path: Path, plain: bytes, keys: Keys) -> None:
    assert shutil.which("pdfsig"), "expected poppler-utils; `make setup-tests`"
    (tmp_path / "report.pdf").write_bytes(sign_pdf(plain, keys, stamper(keys)))
    done = subprocess.run(["pdfsig", "-nocert", tmp_path / "report.pdf"], capture_output=True, text=True, check=False)
    assert "Signature is Valid." in done.stdout
    assert "Total document signed" in done.stdout
