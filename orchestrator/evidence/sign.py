"""Detached CMS signatures (RFC 5652, DER) by openssl, with the key where it is: a file or a token."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence.keys import Keys, fingerprint
from orchestrator.evidence.openssl import Key, Said, Words, laid_out, made, openssl

# The verifier's own machine vouches for nothing: only what it is given, or what the pack brings, counts.
_OWN_STORE = ("-no-CApath", "-no-CAstore")


def _key_of(keys: Keys) -> Key:
    if keys.key is None:
        raise Refused(
            "NO_KEY",
            "expected a key to sign with, found a certificate that signs elsewhere; `drillctl evidence import`",
        )
    return Key(keys.key)


def sign_raw(keys: Keys, data: bytes) -> bytes:
    """The bare signature of sha256 of the data: ECDSA (DER) or RSA PKCS #1 v1.5, as the key is."""
    key = _key_of(keys)
    return made("NOT_SIGNED", "a signature", "dgst", "-sha256", *key.options("-sign"), data=data, extra=key.environment)


def sign_detached(keys: Keys, data: bytes) -> bytes:
    """CMS SignedData without its content, with the signer's certificate and its chain inside (CAdES-BES)."""
    key = _key_of(keys)
    chain = ["-certfile", str(keys.chain)] if keys.chain else []
    options = ["-binary", "-outform", "DER", "-md", "sha256", "-nosmimecap", "-cades"]
    options += ["-signer", str(keys.certificate), *chain, *key.options("-inkey")]
    return made("NOT_SIGNED", "a signature", "cms", "-sign", *options, data=data, extra=key.environment)


@dataclass(frozen=True)
class Signers:
    """Who signed, by the certificates inside the signature; empty where it does not fit the data."""

    certificates: tuple[bytes, ...]
    reason: str

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(fingerprint(pem) for pem in self.certificates)


_END = b"-----END CERTIFICATE-----\n"


def signers(signature: bytes, data: bytes) -> Signers:
    """Whether every signature inside fits the data, and whose they are. Says nothing of trust."""
    with laid_out(signature=signature, data=data) as folder:
        options: Words = ["-inform", "DER", "-in", folder / "signature", "-content", folder / "data"]
        said = openssl(
            "cms", "-verify", "-binary", "-noverify", *options, "-signer", folder / "who", "-out", folder / "out"
        )
        found = (folder / "who").read_bytes() if said.ok and (folder / "who").exists() else b""
    blocks = tuple(part + _END for part in found.split(_END) if part.strip())
    return Signers(blocks, "" if said.ok else said.reason)


def check_chain(certificate: bytes, chain: bytes | None, at: datetime | None) -> Said:
    """Whether the certificate was valid at that time (None: now), by the chain that is given."""
    with laid_out(certificate=certificate, chain=chain or certificate) as folder:
        time = ["-attime", str(int(at.timestamp()))] if at else []
        return openssl(
            "verify", *_OWN_STORE, "-partial_chain", "-CAfile", folder / "chain", *time, folder / "certificate"
        )


def as_der(content: bytes) -> bytes:
    """A CMS signature as DER, from DER or PEM. Refused BAD_SIGNATURE: it is none."""
    form = "PEM" if content.lstrip().startswith(b"-----BEGIN") else "DER"
    return made(
        "BAD_SIGNATURE",
        "a CMS signature (DER or PEM)",
        "cms",
        "-cmsout",
        "-inform",
        form,
        "-outform",
        "DER",
        data=content,
    )


def subject(certificate: x509.Certificate) -> str:
    """Who it is, as one line."""
    return certificate.subject.rfc4514_string()


def read_signer(folder: Path) -> bytes | None:
    """The certificate that a pack says signed it. None: it says none."""
    path = folder / "certificates" / "signer.pem"
    return path.read_bytes() if path.is_file() else None


def signer_of(folder: Path) -> str | None:
    """Its fingerprint. None: the pack says none, or what it says is no certificate."""
    certificate = read_signer(folder)
    try:
        return fingerprint(certificate) if certificate else None
    except DefinitionError:
        return None
