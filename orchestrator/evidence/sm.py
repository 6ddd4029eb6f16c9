"""国密: SM3 digests and a raw SM2 signature beside the RSA or ECDSA one, all by the openssl command line.

OpenSSL 3.0 makes no CMS with SM2 (measured), so the signature is the plain one of GB/T 32918.2 (DER), with the
default user id of GM/T 0009.
"""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from orchestrator.evidence.openssl import Key, Said, Words, laid_out, made, openssl

USER_ID = "distid:1234567812345678"  # GM/T 0009-2012, 10
_DAYS = "-days"


@dataclass(frozen=True)
class Sm2:
    """An SM2 certificate and its key (PEM file or `pkcs11:` URI)."""

    certificate: Path
    key: str


def sm3(content: bytes) -> str:
    """SM3 digest, in hex."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(content)
    return digest.finalize().hex()


def make_sm2(folder: Path, organisation: str, unit: str, days: int) -> Sm2:
    """`sm2.key` and the self-signed `sm2.pem` in that folder."""
    key, certificate = folder / "sm2.key", folder / "sm2.pem"
    key.touch(mode=0o600)
    made("NOT_SIGNED", "an SM2 key", "genpkey", "-algorithm", "SM2", "-out", key)
    subject = f"/O={_escaped(organisation)}/OU={unit}, rehearsals only/CN=drillctl SM2 signer"
    options = ["-subj", subject, "-utf8", _DAYS, str(days), "-sigopt", USER_ID, "-out", str(certificate)]
    made("NOT_SIGNED", "an SM2 certificate", "req", "-x509", "-new", "-key", key, "-sm3", *options)
    return Sm2(certificate, str(key))


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("/", r"\/").replace("+", r"\+")


def sign_sm2(keys: Sm2, data: bytes) -> bytes:
    """A raw SM2 signature with SM3 (DER)."""
    key = Key(keys.key)
    options = ["-sigopt", USER_ID, *key.options("-sign")]
    return made("NOT_SIGNED", "an SM2 signature", "dgst", "-sm3", *options, data=data, extra=key.environment)


def check_sm2(certificate: bytes, data: bytes, signature: bytes) -> Said:
    """Whether the signature fits, in openssl's words."""
    with laid_out(certificate=certificate, data=data, signature=signature) as folder:
        public = openssl("x509", "-in", folder / "certificate", "-noout", "-pubkey")
        if not public.ok:
            return public
        (folder / "public").write_bytes(public.out)
        options: Words = [
            "-sigopt",
            USER_ID,
            "-verify",
            folder / "public",
            "-signature",
            folder / "signature",
        ]
        return openssl("dgst", "-sm3", *options, folder / "data")
