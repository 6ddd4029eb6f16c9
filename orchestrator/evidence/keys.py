"""With what evidence is signed: the firm's own certificate, or local keys for rehearsals, labelled internal.

The key of the local authority is thrown away once it has signed its certificates: nobody can ask it for another one.
"""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence.openssl import Key
from orchestrator.evidence.sm import Sm2, make_sm2
from orchestrator.model.evidence import SigningSettings

# In the subject of every certificate of local keys; both verifiers say so where they see it.
INTERNAL = "drillctl internal"
# Our choice: local keys outlive the time of keeping of what they sign at first (1830 days).
_VALID = timedelta(days=3653)


@dataclass(frozen=True)
class Tsa:
    """An internal time-stamping authority: it proves order on one machine, not time to a third party."""

    certificate: Path
    key: Path
    chain: Path


@dataclass(frozen=True)
class Keys:
    """Who signs. `key` None: signed elsewhere, and imported. `chain`: certificates above the signer's."""

    certificate: Path
    key: str | None
    chain: Path | None = None
    internal: bool = False
    tsa: Tsa | None = None
    sm2: Sm2 | None = None

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(self.certificate.read_bytes())


def fingerprint(pem: bytes) -> str:
    """sha256 of the first certificate (DER), in hex."""
    return certificate_of(pem).fingerprint(hashes.SHA256()).hex()


def certificate_of(pem: bytes) -> x509.Certificate:
    """The first certificate. DefinitionError: there is none."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise DefinitionError(f"expected a certificate (PEM), found what cannot be read as one: {error}") from error


def is_internal(certificate: x509.Certificate) -> bool:
    """Whether local keys made it."""
    units = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    return any(str(unit.value).startswith(INTERNAL) for unit in units)


def firm_keys(settings: SigningSettings, folder: Path, local: Keys | None = None) -> Keys:
    """The firm's certificate as `evidence.yml` names it, paths from `folder`. Local SM2 keys stay beside it."""
    certificate = folder / settings.certificate
    chain = folder / settings.chain if settings.chain else None
    for file in filter(None, (certificate, chain)):
        if not file.is_file():
            raise DefinitionError(f"signing: expected the certificate {file}, found no such file")
    key = None if settings.external or settings.key is None else settings.key
    if key is not None and not Key(key).is_token:
        key = str(folder / key)
    return Keys(certificate, key, chain, sm2=local.sm2 if local else None)


def local_keys(folder: Path) -> Keys | None:
    """Local keys that `make_local_keys` made. None: there are none."""
    if not (folder / "signer.pem").is_file():
        return None
    tsa = Tsa(folder / "tsa.pem", folder / "tsa.key", folder / "ca.pem")
    sm2 = Sm2(folder / "sm2.pem", str(folder / "sm2.key")) if (folder / "sm2.pem").is_file() else None
    return Keys(folder / "signer.pem", str(folder / "signer.key"), folder / "ca.pem", internal=True, tsa=tsa, sm2=sm2)


def make_local_keys(folder: Path, organisation: str, now: datetime) -> Keys:
    """A local authority, a signer, a stamping key and an SM2 key, all there or none. Refused: there are keys."""
    if folder.exists():
        raise Refused(
            "KEYS_EXIST", f"expected no keys in {folder} yet, found some; move them away before making others"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(prefix=".keys-", dir=folder.parent))
    _fill(draft, organisation, now)
    draft.rename(folder)
    made = local_keys(folder)
    assert made is not None  # noqa: S101 - just made
    return made


def _fill(folder: Path, organisation: str, now: datetime) -> None:
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = _subject(organisation, "drillctl local authority")
    top = x509.BasicConstraints(ca=True, path_length=0)
    root = _certificate(issuer, issuer, authority.public_key(), now).add_extension(top, critical=True)
    root = root.add_extension(_usage(authority=True), critical=True)
    _write(folder / "ca.pem", root.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), 0o644)
    stamps = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    for name, title, purpose in (
        ("signer", "drillctl evidence signer", None),
        ("tsa", "drillctl internal time stamp", stamps),
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        draft = _certificate(_subject(organisation, title), issuer, key.public_key(), now)
        draft = draft.add_extension(_usage(authority=False), critical=True)
        draft = draft.add_extension(purpose, critical=True) if purpose else draft
        signed = draft.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        _write(folder / f"{name}.pem", signed, 0o644)
        _write(folder / f"{name}.key", _as_pem(key), 0o600)
    make_sm2(folder, organisation, INTERNAL, _VALID.days)


def _subject(organisation: str, name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{INTERNAL}, rehearsals only"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    since = now - timedelta(minutes=5)  # our choice: a verifier's clock may be a little behind
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _as_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
