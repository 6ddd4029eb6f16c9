"""What somebody with a key of his own, a colleague's certificate or a clock of his own may do to a seal."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from asn1crypto import cms

from orchestrator.evidence.keys import Keys
from orchestrator.evidence.seal import SIGNATURE, STAMP, SUMS
from orchestrator.evidence.sign import sign_detached
from orchestrator.evidence.stamp import stamped
from tests.evidence.authorities import LONG_AGO, Authority
from tests.evidence.packs import Archive, Office, digest_of_file, sealed, started_at
from tests.evidence.verifying import caught, verified, verify

LATER = timedelta(seconds=45)


def forge(pack: Path) -> None:
    (pack / "versions.json").write_text('{"drillctl": "9"}\n')


def relist(pack: Path) -> None:
    """The lists as they should be: no key is needed for that."""
    for name in ("EVIDENCE.sha256", SUMS):
        lines = [line[66:] for line in (pack / name).read_text().splitlines()]
        (pack / name).write_text("".join(f"{digest_of_file(pack / file)}  {file}\n" for file in lines))


def test_new_lists_without_a_new_signature(pack: Path) -> None:
    forge(pack)
    relist(pack)
    caught(pack, "SHA256SUMS.p7s: expected a signature of this SHA256SUMS, found another")


def test_a_signature_by_another_key_beside_the_old_certificate(pack: Path, office: Office) -> None:
    forge(pack)
    relist(pack)
    (pack / SIGNATURE).write_bytes(sign_detached(office.stranger.keys, (pack / SUMS).read_bytes()))
    caught(pack, "SHA256SUMS.p7s: expected one signature, by certificates/signer.pem", office.stranger.keys.fingerprint)


def resealed(pack: Path, keys: Keys, office: Office, number: int = 1) -> None:
    forge(pack)
    sealed(pack, keys, office.stamper(started_at(number) + LATER), office.tsa_file)


def test_all_sealed_anew_with_another_key_shows_only_to_who_knows_the_signer(pack: Path, office: Office) -> None:
    resealed(pack, office.stranger.keys, office)
    for told in verified(pack):
        assert [note for note in told.notes if note.startswith("no --signer was given")]
    caught(pack, "certificates/signer.pem: expected the signer", options=("--signer", office.keys.fingerprint))


def test_all_sealed_anew_with_another_certificate_of_the_same_authority(pack: Path, office: Office) -> None:
    resealed(pack, office.colleague.keys, office)
    given = ("--signer", office.keys.fingerprint)
    caught(pack, "expected the signer", f"found {office.colleague.keys.fingerprint}", options=given)


def test_the_ledger_knows_who_signed(archive: Archive, office: Office) -> None:
    resealed(archive.pack(1), office.colleague.keys, office)
    caught(archive.folder, "signer.pem: expected the signer", "as the ledger says", archive=True)


def test_a_second_signature_beside_the_first(pack: Path, office: Office) -> None:
    first, second = (
        cms.ContentInfo.load(sign_detached(keys, (pack / SUMS).read_bytes()))
        for keys in (office.keys, office.stranger.keys)
    )
    both = first["content"]
    both["signer_infos"].append(second["content"]["signer_infos"][0])
    for certificate in second["content"]["certificates"]:
        both["certificates"].append(certificate)
    content = cms.ContentInfo({"content_type": "signed_data", "content": both})
    (pack / SIGNATURE).write_bytes(content.dump(force=True))
    caught(pack, "SHA256SUMS.p7s: expected one signature", office.stranger.keys.fingerprint)


def test_the_signature_of_another_pack(archive: Archive) -> None:
    shutil.copy(archive.pack(0) / SIGNATURE, archive.pack(1) / SIGNATURE)
    caught(archive.pack(1), "SHA256SUMS.p7s: expected a signature of this SHA256SUMS, found another")


def test_a_signature_that_is_none(pack: Path) -> None:
    (pack / SIGNATURE).write_bytes(b"signed")
    caught(pack, "SHA256SUMS.p7s: expected a signature of this SHA256SUMS, found another")


def test_the_stamp_of_another_pack(archive: Archive) -> None:
    shutil.copy(archive.pack(0) / STAMP, archive.pack(1) / STAMP)
    caught(archive.pack(1), "SHA256SUMS.p7s.tsr: expected a stamp of this SHA256SUMS.p7s by that authority")


def test_a_stamp_by_an_authority_of_his_own(pack: Path, office: Office) -> None:
    at = office.stamper(started_at(1) + LATER)
    own = type(at)(office.own_tsa, at.at)
    bundle = office.own_tsa.certificate.with_suffix(".bundle")
    bundle.write_bytes(office.own_tsa.bundle)
    (pack / STAMP).write_bytes(stamped(own, (pack / SIGNATURE).read_bytes(), bundle))
    caught(pack, "SHA256SUMS.p7s.tsr: expected a stamp of this SHA256SUMS.p7s by that authority")


def test_an_authority_of_his_own_named_in_the_pack_shows_to_who_knows_the_authority(pack: Path, office: Office) -> None:
    forge(pack)
    bundle = office.own_tsa.certificate.with_suffix(".bundle")
    bundle.write_bytes(office.own_tsa.bundle)
    own = type(office.stamper(started_at(1)))(office.own_tsa, started_at(1) + LATER)
    sealed(pack, office.keys, own, bundle)
    verified(pack)
    caught(pack, "expected a stamp of this SHA256SUMS.p7s by that", options=("--tsa", str(office.tsa_file)))


def test_a_stamp_from_before_the_run(pack: Path, office: Office) -> None:
    sealed(pack, office.keys, office.stamper(started_at(1) - timedelta(days=1)), office.tsa_file)
    caught(pack, "journal/events.jsonl: expected its last event before the stamp")


def test_a_stamp_that_is_none(pack: Path) -> None:
    (pack / STAMP).write_bytes(b"stamped")
    caught(pack, "SHA256SUMS.p7s.tsr: expected a granted time stamp")


def test_a_stamp_without_the_authority_s_certificates(pack: Path, office: Office) -> None:
    at = started_at(1) + LATER
    sealed(pack, office.keys, office.stamper(at), office.tsa_file)
    stamp = (pack / STAMP).read_bytes()
    sealed(pack, office.keys, None, None)
    (pack / STAMP).write_bytes(stamp)
    caught(pack, "SHA256SUMS.p7s.tsr: expected certificates/tsa.pem to say whose stamp it is")


def test_a_certificate_that_had_expired_when_it_signed(pack: Path, office: Office, tmp_path: Path) -> None:
    stale = Authority(tmp_path / "stale", "stale-root").issue("stale", (LONG_AGO, started_at(0)))
    sealed(pack, stale.keys, office.stamper(started_at(1) + LATER), office.tsa_file)
    caught(pack, "certificates/signer.pem: expected a certificate that is valid at the time of the stamp", "expired")


def test_a_certificate_that_has_expired_since_is_good_with_a_stamp_and_not_without(
    pack: Path, office: Office, tmp_path: Path
) -> None:
    valid = (LONG_AGO, started_at(1) + timedelta(days=1))
    since = Authority(tmp_path / "since", "since-root").issue("since", valid)
    sealed(pack, since.keys, office.stamper(started_at(1) + LATER), office.tsa_file)
    verified(pack, "--signer", since.keys.fingerprint)
    (pack / STAMP).unlink()
    caught(pack, "signer.pem: expected a certificate that is valid now, and no stamp says", "expired")


def test_an_authority_that_never_issued_the_signer(pack: Path, office: Office) -> None:
    keys = Keys(office.firm.certificate, str(office.firm.key), office.stranger.chain)
    sealed(pack, keys, office.stamper(started_at(1) + LATER), office.tsa_file)
    caught(pack, "signer.pem: expected a certificate that is valid at the time of the stamp")


def test_a_certificate_that_is_none(pack: Path) -> None:
    (pack / "certificates" / "signer.pem").write_text("nobody\n")
    caught(pack, "certificates/signer.pem: expected a certificate")


def test_a_pack_without_a_stamp_says_so(pack: Path, office: Office) -> None:
    sealed(pack, office.keys, None, office.tsa_file)
    for told in verified(pack):
        assert [note for note in told.notes if note.startswith("SHA256SUMS.p7s has no time stamp")]


def with_sm2(pack: Path, office: Office) -> Path:
    keys = Keys(office.firm.certificate, str(office.firm.key), office.firm.chain, sm2=office.sm2)
    sealed(pack, keys, office.stamper(started_at(1) + LATER), office.tsa_file)
    return pack


def test_an_honest_pack_with_sm2_verifies(pack: Path, office: Office) -> None:
    for told in verified(with_sm2(pack, office)):
        assert [note for note in told.notes if note.startswith("SM3SUMS is signed with SM2 by ")]


def test_a_list_of_sm3_that_says_something_else(pack: Path, office: Office) -> None:
    path = with_sm2(pack, office) / "SM3SUMS"
    path.write_text(path.read_text().replace(path.read_text()[:8], "00000000", 1))
    caught(pack, "changed since it was listed in SM3SUMS")
    caught(pack, "SM3SUMS.sm2: expected an SM2 signature of this SM3SUMS")


def test_a_file_that_is_not_on_the_list_of_sm3(pack: Path, office: Office) -> None:
    path = with_sm2(pack, office) / "SM3SUMS"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    caught(pack, "in the pack, not listed in SM3SUMS")


def test_both_verifiers_say_the_same_of_who_signed(pack: Path, office: Office) -> None:
    product, script = verify(pack, "--signer", office.keys.fingerprint, "--tsa", str(office.tsa_file))
    assert set(product.notes) == set(script.notes)


@pytest.mark.parametrize("name", ["signer.pem", "sm2.pem"])
def test_who_signed_must_be_said(pack: Path, office: Office, name: str) -> None:
    (with_sm2(pack, office) / "certificates" / name).unlink()
    caught(pack, f"certificates/{name}: expected the certificate of who signed, found none")
