"""The second look: who signed the list of files, when by whose clock, and what that proves."""

from datetime import datetime
from pathlib import Path

from cryptography import x509

from orchestrator.errors import DrillctlError
from orchestrator.evidence.keys import certificate_of, fingerprint, is_internal
from orchestrator.evidence.seal import CHAIN, SIGNATURE, SIGNER, SM2, SM2_SIGNER, SM3, STAMP, SUMS, TSA
from orchestrator.evidence.sign import check_chain, signers, subject
from orchestrator.evidence.sm import check_sm2
from orchestrator.evidence.stamp import check_stamp, stamped_at
from orchestrator.evidence.trust import Findings, Trust

_SOLD_AS = "which shows that nothing was changed since, not who holds the certificate"


def look_at_seal(folder: Path, trust: Trust, found: Findings) -> datetime | None:
    """Signature, stamp and SM2 signature of a pack. Returns the time that a right stamp states."""
    if not (folder / SIGNATURE).is_file() or not (folder / SUMS).is_file():
        found.fault(SIGNATURE, f"expected a signature of {SUMS}, found none: the pack is not signed (yet)")
        return None
    at = look_at_stamp(folder, (STAMP, SIGNATURE), _authority(folder, trust), found)
    certificate = _certificate(folder, SIGNER, found)
    if certificate is not None:
        _signature(folder, certificate, trust, at, found)
    if (folder / SM3).exists():
        _sm2(folder, found)
    return at


def _authority(folder: Path, trust: Trust) -> bytes | None:
    if trust.tsa is not None:
        return trust.tsa
    return (folder / TSA).read_bytes() if (folder / TSA).is_file() else None


def _certificate(folder: Path, name: str, found: Findings) -> bytes | None:
    if not (folder / name).is_file():
        found.fault(name, "expected the certificate of who signed, found none")
        return None
    content = (folder / name).read_bytes()
    try:
        certificate_of(content)
    except DrillctlError as error:
        found.fault(name, str(error))
        return None
    return content


def _signature(folder: Path, certificate: bytes, trust: Trust, at: datetime | None, found: Findings) -> None:
    told = signers((folder / SIGNATURE).read_bytes(), (folder / SUMS).read_bytes())
    if not told.certificates:
        found.fault(SIGNATURE, f"expected a signature of this {SUMS}, found another ({told.reason})")
        return
    own = fingerprint(certificate)
    if told.fingerprints != (own,):
        found.fault(SIGNATURE, f"expected one signature, by {SIGNER} ({own}), found: {' '.join(told.fingerprints)}")
        return
    _validity(folder, certificate, at, found)
    if trust.signers and own not in trust.signers:
        found.fault(SIGNER, f"expected the signer {' or '.join(sorted(trust.signers))}, found {own}")
    _who(certificate, trust, found)


def _validity(folder: Path, certificate: bytes, at: datetime | None, found: Findings) -> None:
    chain = folder / CHAIN
    said = check_chain(certificate, chain.read_bytes() if chain.is_file() else None, at)
    when = f"at the time of the stamp ({moment(at)})" if at else "now, and no stamp says that it signed earlier"
    if not said.ok:
        found.fault(SIGNER, f"expected a certificate that is valid {when}, found: {said.reason}")


def _who(certificate: bytes, trust: Trust, found: Findings) -> None:
    who = certificate_of(certificate)
    found.note(f"signed by {subject(who)}, certificate sha256 {fingerprint(certificate)}")
    if is_internal(who):
        found.note("the signing certificate is a local one for rehearsals (internal): nobody vouches for its holder")
    if not trust.signers:
        found.note(
            f"no --signer was given: the pack is checked against the certificate that it brings itself, {_SOLD_AS}; "
            "compare the fingerprint with the one that the firm has published"
        )


def look_at_stamp(folder: Path, names: tuple[str, str], authority: bytes | None, found: Findings) -> datetime | None:
    """`names`: the stamp and what it must be of. Returns its time, where it is right."""
    stamp, stamped = names
    if not (folder / stamp).is_file():
        found.note(f"{stamped} has no time stamp: when it was made is the firm's own word")
        return None
    if authority is None:
        found.fault(stamp, f"expected {TSA} to say whose stamp it is, found none")
        return None
    reply = (folder / stamp).read_bytes()
    at = stamped_at(reply)
    if at is None:
        found.fault(stamp, "expected a granted time stamp (RFC 3161), found something else")
        return None
    said = check_stamp(reply, (folder / stamped).read_bytes(), authority, at)
    if not said.ok:
        found.fault(stamp, f"expected a stamp of this {stamped} by that authority, found another ({said.reason})")
        return None
    _whose(authority, at, stamped, found)
    return at


def _whose(authority: bytes, at: datetime, stamped: str, found: Findings) -> None:
    who = x509.load_pem_x509_certificates(authority)[0]
    kind = " (internal: the firm's own clock)" if is_internal(who) else ""
    found.note(f"{stamped} was stamped at {moment(at)} by {subject(who)}{kind}")


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _sm2(folder: Path, found: Findings) -> None:
    if not (folder / SM2).is_file():
        found.note(f"{SM3} has no SM2 signature yet")
        return
    certificate = _certificate(folder, SM2_SIGNER, found)
    if certificate is None:
        return
    said = check_sm2(certificate, (folder / SM3).read_bytes(), (folder / SM2).read_bytes())
    if not said.ok:
        found.fault(SM2, f"expected an SM2 signature of this {SM3} by {SM2_SIGNER}, found another")
    else:
        found.note(f"{SM3} is signed with SM2 by {subject(certificate_of(certificate))}")
