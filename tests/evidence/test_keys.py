"""Keys: local ones that are labelled, the firm's own, and keys on a token that nobody is asked a PIN for."""

import os
import re
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence.keys import Keys, certificate_of, firm_keys, is_internal, local_keys, make_local_keys
from orchestrator.evidence.openssl import Key, openssl
from orchestrator.evidence.sign import as_der, check_chain, sign_detached, sign_raw, signers
from orchestrator.evidence.sm import Sm2, check_sm2, sign_sm2, sm3
from orchestrator.model.evidence import SigningSettings
from tests.evidence.packs import Office
from tests.support.command import drillctl

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MODULES = [Path("/usr/lib/softhsm/libsofthsm2.so"), Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")]
DATA = b"line\nline\r\nline\n"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_local_keys(tmp_path_factory.mktemp("state") / "keys", "Example & Söhne/证券", NOW)


def test_local_keys_say_that_they_are_internal(local: Keys) -> None:
    assert local.tsa
    assert local.sm2
    for path in (local.certificate, local.tsa.certificate, local.tsa.chain, local.sm2.certificate):
        certificate = certificate_of(path.read_bytes())
        assert is_internal(certificate)
        assert "Example & Söhne/证券" in certificate.subject.rfc4514_string()


def test_only_this_user_reads_local_keys_and_the_authority_s_is_thrown_away(local: Keys) -> None:
    folder = local.certificate.parent
    keys = sorted(path.name for path in folder.glob("*.key"))
    assert keys == ["signer.key", "sm2.key", "tsa.key"]
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in keys} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_keys_are_never_written_over(local: Keys) -> None:
    before = local.certificate.read_bytes()
    with pytest.raises(Refused, match="KEYS_EXIST"):
        make_local_keys(local.certificate.parent, "Another", NOW)
    assert local.certificate.read_bytes() == before
    assert not [path for path in local.certificate.parent.parent.iterdir() if path.name.startswith(".keys")]


def test_local_keys_are_found_again(local: Keys, tmp_path: Path) -> None:
    assert local_keys(local.certificate.parent) == local
    assert local_keys(tmp_path) is None


def test_a_fingerprint_is_the_one_that_openssl_prints(local: Keys) -> None:
    said = openssl("x509", "-in", local.certificate, "-noout", "-fingerprint", "-sha256").out.decode()
    assert said.partition("=")[2].strip().replace(":", "").lower() == local.fingerprint


def test_local_keys_sign_and_their_chain_holds_while_they_are_valid(local: Keys) -> None:
    told = signers(sign_detached(local, DATA), DATA)
    assert told.fingerprints == (local.fingerprint,)
    assert local.chain
    chain, signer = local.chain.read_bytes(), local.certificate.read_bytes()
    assert check_chain(signer, chain, NOW + timedelta(days=1)).ok
    assert "expired" in check_chain(signer, chain, NOW + timedelta(days=4000)).reason
    assert "not yet valid" in check_chain(signer, chain, NOW - timedelta(days=1)).reason


def test_a_signature_is_of_every_byte(local: Keys) -> None:
    signature = sign_detached(local, DATA)
    assert signers(signature, DATA.replace(b"\r\n", b"\n")).certificates == ()
    assert signers(signature, DATA).certificates


def test_a_signature_in_pem_is_taken_and_no_other_text(local: Keys) -> None:
    der = sign_detached(local, DATA)
    pem = openssl("cms", "-cmsout", "-inform", "DER", "-outform", "PEM", data=der).out
    assert as_der(pem) == as_der(der)
    with pytest.raises(Refused, match="BAD_SIGNATURE"):
        as_der(b"-----BEGIN CMS-----\nnothing\n-----END CMS-----\n")


# -- the firm's own --------------------------------------------------------------------------------


def test_the_firm_s_certificate_is_found_from_the_site_s_folder(office: Office) -> None:
    folder = office.firm.certificate.parent
    settings = SigningSettings(certificate="firm.pem", key="firm.key", chain="root.pem")
    assert firm_keys(settings, folder).fingerprint == office.keys.fingerprint
    assert firm_keys(settings, folder).key == str(office.firm.key)


def test_a_certificate_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"expected the certificate .*nobody\.pem, found no such file"):
        firm_keys(SigningSettings(certificate="nobody.pem"), tmp_path)


def test_who_signs_elsewhere_does_not_sign_here(office: Office) -> None:
    folder = office.firm.certificate.parent
    keys = firm_keys(SigningSettings(certificate="firm.pem", key="firm.key", external=True), folder)
    assert keys.key is None
    with pytest.raises(Refused, match="NO_KEY"):
        sign_detached(keys, DATA)


def test_a_key_of_somebody_else_does_not_sign(office: Office) -> None:
    wrong = Keys(office.firm.certificate, str(office.stranger.key), office.firm.chain)
    with pytest.raises(Refused, match="NOT_SIGNED"):
        sign_detached(wrong, DATA)


# -- tokens ----------------------------------------------------------------------------------------


@pytest.fixture
def token(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of the firm's key on a token made of software; its PIN is in a file."""
    module = next((path for path in MODULES if path.exists()), None)
    if module is None:
        pytest.skip("expected softhsm2 (`make setup-tests`), found none")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm.conf"))
    _softhsm("--init-token", "--free", "--label", "drill", "--so-pin", "9876", "--pin", "4321")
    _softhsm("--import", office.firm.key, "--token", "drill", "--label", "signer", "--id", "a1", "--pin", "4321")
    (tmp_path / "pin").write_text("4321")
    return f"pkcs11:token=drill;object=signer;type=private?module-path={module}&pin-source=file:{tmp_path}/pin"


def _softhsm(*arguments: str | Path) -> None:
    subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True, env=os.environ)


def test_a_key_on_a_token_signs(office: Office, token: str) -> None:
    keys = Keys(office.firm.certificate, token, office.firm.chain)
    assert signers(sign_detached(keys, DATA), DATA).fingerprints == (keys.fingerprint,)
    public = certificate_of(office.firm.certificate.read_bytes()).public_key()
    assert _verifies(public, sign_raw(keys, DATA))


def test_nobody_is_asked_for_a_pin(office: Office, token: str) -> None:
    keys = Keys(office.firm.certificate, token.partition("&pin-source")[0], office.firm.chain)
    with pytest.raises(Refused, match="NOT_SIGNED"):
        sign_detached(keys, DATA)


def test_a_wrong_pin_is_refused_and_not_repeated(office: Office, token: str, tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("77777777")
    with pytest.raises(Refused, match="NOT_SIGNED") as caught:
        sign_detached(Keys(office.firm.certificate, token, office.firm.chain), DATA)
    assert "77777777" not in str(caught.value)


def test_a_pin_in_the_settings_is_refused_and_not_repeated() -> None:
    with pytest.raises(DefinitionError, match="names no PIN") as caught:
        Key("pkcs11:token=drill?pin-value=4321")
    assert "4321" not in str(caught.value)


def _verifies(public: object, signature: bytes) -> bool:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, DATA, ec.ECDSA(hashes.SHA256()))
    return True


# -- 国密 --------------------------------------------------------------------------------------------


def test_sm3_is_the_standard_s_own_example() -> None:
    """GB/T 32905-2016, annex A.1."""
    assert sm3(b"abc") == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


def test_an_sm2_signature_is_of_these_bytes_and_this_key(local: Keys, office: Office) -> None:
    assert local.sm2
    signature = sign_sm2(local.sm2, DATA)
    own, other = local.sm2.certificate.read_bytes(), office.sm2.certificate.read_bytes()
    assert check_sm2(own, DATA, signature).ok
    assert not check_sm2(own, DATA + b"\n", signature).ok
    assert not check_sm2(other, DATA, signature).ok
    assert not check_sm2(b"nobody", DATA, signature).ok


def test_an_sm2_key_that_is_not_there_is_refused(local: Keys) -> None:
    with pytest.raises(Refused, match="NOT_SIGNED"):
        sign_sm2(Sm2(local.certificate, "/nowhere/sm2.key"), DATA)


# -- the command line ------------------------------------------------------------------------------


def test_keygen_makes_keys_once_and_prints_the_fingerprint(tmp_path: Path) -> None:
    said = drillctl("evidence", "keygen", "--json", state=tmp_path)
    assert said.code == 0, said.err
    keys = local_keys(Path(said.document["folder"]))
    assert keys
    assert keys.fingerprint == said.document["fingerprint"]
    again = drillctl("evidence", "keygen", state=tmp_path)
    assert (again.code, bool(re.search("KEYS_EXIST", again.err))) == (3, True)


def test_certificates_of_local_keys_serve_one_purpose_each(local: Keys) -> None:
    assert local.tsa
    stamping = certificate_of(local.tsa.certificate.read_bytes()).extensions
    assert stamping.get_extension_for_class(x509.ExtendedKeyUsage).critical
    signing = certificate_of(local.certificate.read_bytes()).extensions
    assert signing.get_extension_for_class(x509.KeyUsage).value.content_commitment
