"""Certificate authorities, signers and time-stamping authorities made for the tests, with times of our choice."""

import importlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from orchestrator.errors import Refused
from orchestrator.evidence.keys import Keys

LONG_AGO, FAR_AWAY = datetime(2015, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)
Private = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
# Without types of their own, and used here only.
asn1_keys, asn1_pem, asn1_tsp, asn1_x509, timestamps = (
    importlib.import_module(name)
    for name in ("asn1crypto.keys", "asn1crypto.pem", "asn1crypto.tsp", "asn1crypto.x509", "pyhanko.sign.timestamps")
)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, as PEM files."""

    certificate: Path
    key: Path
    chain: Path

    @property
    def keys(self) -> Keys:
        return Keys(self.certificate, str(self.key), self.chain)

    @property
    def bundle(self) -> bytes:
        return self.certificate.read_bytes() + self.chain.read_bytes()


class Authority:
    """A root of its own, that issues whatever it is asked."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.path = folder / f"{name}.pem"
        top = x509.BasicConstraints(ca=True, path_length=None)
        draft = _draft(self._name, self._name, self._key.public_key(), (LONG_AGO, FAR_AWAY))
        made = draft.add_extension(top, critical=True).sign(self._key, hashes.SHA256())
        self.path.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, name: str, valid: tuple[datetime, datetime] = (LONG_AGO, FAR_AWAY), *, stamps: bool = False
    ) -> Issued:
        """`stamps`: with an RSA key, which is all that pyHanko's authority signs with."""
        key: Private = rsa.generate_private_key(65537, 2048) if stamps else ec.generate_private_key(ec.SECP256R1())
        draft = _draft(_named(name), self._name, key.public_key(), valid)
        draft = draft.add_extension(_USAGE, critical=True)
        if stamps:
            draft = draft.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        made = draft.sign(self._key, hashes.SHA256())
        issued = Issued(self.folder / f"{name}.pem", self.folder / f"{name}.key", self.path)
        issued.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        issued.key.write_bytes(_as_pem(key))
        return issued


_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=True,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _draft(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    valid: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
    )


def _as_pem(key: Private) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True)
class StamperAt:
    """An authority whose clock stands at a time of the test's choice."""

    tsa: Issued
    at: datetime

    def stamp(self, query: bytes) -> bytes:
        certificate: Any = asn1_x509.Certificate.load(_der(self.tsa.certificate))
        key: Any = asn1_keys.PrivateKeyInfo.load(_der(self.tsa.key))
        authority = timestamps.DummyTimeStamper(certificate, key, fixed_dt=self.at)
        return bytes(authority.request_tsa_response(asn1_tsp.TimeStampReq.load(query)).dump())


class NoStamper:
    """An authority that does not answer."""

    def stamp(self, query: bytes) -> bytes:
        raise Refused("NO_STAMP", f"expected an answer to {len(query)} bytes, found none")


def _der(path: Path) -> bytes:
    return bytes(asn1_pem.unarmor(path.read_bytes())[2])
