"""Seals a pack: manifests, a detached signature over them, a time stamp over the signature, SM3 and SM2 beside it.

What cannot be done now (no key here, no authority that answers) is left out, said in `pending`, and added later
without changing a signed byte. Nothing of a sealed pack is ever written again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Final

from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence import manifest
from orchestrator.evidence.disk import replace
from orchestrator.evidence.keys import Keys, fingerprint
from orchestrator.evidence.sign import as_der, check_chain, read_signer, sign_detached, signer_of, signers
from orchestrator.evidence.sm import check_sm2, sign_sm2, sm3
from orchestrator.evidence.stamp import stamped, stamped_at
from orchestrator.ports import Stamper

EVIDENCE: Final = "EVIDENCE.sha256"
SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.p7s"
STAMP: Final = "SHA256SUMS.p7s.tsr"
SM3: Final = "SM3SUMS"
SM2: Final = "SM3SUMS.sm2"
SIGNER: Final = "certificates/signer.pem"
CHAIN: Final = "certificates/chain.pem"
TSA: Final = "certificates/tsa.pem"
SM2_SIGNER: Final = "certificates/sm2.pem"
SEALS: Final = (SUMS, SIGNATURE, STAMP, SM3, SM2)
NOT_EVIDENCE: Final = ("report/*", EVIDENCE, *SEALS)
NOT_SM3: Final = (SIGNATURE, STAMP, SM3, SM2)


@dataclass(frozen=True)
class Sealed:
    """What a pack's seal is. `stamped_at`: UTC, ISO 8601, by the authority. `pending`: what is still to come."""

    sums_sha256: str
    evidence_sha256: str
    signer: str | None
    stamped_at: str | None
    pending: tuple[str, ...]


def put_certificates(folder: Path, keys: Keys | None, tsa: Path | None) -> None:
    """Write `certificates/` before the evidence is listed: whoever signs and stamps, now or later. `tsa`: the
    certificates of the authority; without it those of the keys' own internal one.
    """
    for name, content in _certificates(keys, tsa).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        replace(folder / name, content)


def _certificates(keys: Keys | None, tsa: Path | None) -> dict[str, bytes]:
    found = {TSA: tsa.read_bytes()} if tsa else {}
    if keys is None:
        return found
    found[SIGNER] = keys.certificate.read_bytes()
    if keys.chain:
        found[CHAIN] = keys.chain.read_bytes()
    if keys.tsa and not tsa:
        found[TSA] = keys.tsa.certificate.read_bytes() + keys.tsa.chain.read_bytes()
    if keys.sm2:
        found[SM2_SIGNER] = keys.sm2.certificate.read_bytes()
    return found


def evidence_manifest(folder: Path) -> str:
    """List everything that the reports rest on in EVIDENCE.sha256; its sha256 is what they print."""
    content = manifest.as_text(manifest.listing(folder, NOT_EVIDENCE)).encode()
    replace(folder / EVIDENCE, content)
    return manifest.sha256(content)


def seal(folder: Path, keys: Keys | None, stamper: Stamper | None) -> Sealed:
    """List everything, sign the list, stamp the signature. Refused SEALED: it is sealed already."""
    if (folder / SUMS).exists():
        raise Refused(
            "SEALED", f"expected a pack that is not sealed, found {folder / SUMS}; a seal is never made again"
        )
    content = manifest.as_text(manifest.listing(folder, SEALS)).encode()
    if keys is not None and _signs_here(folder, keys):
        replace(folder / SIGNATURE, sign_detached(keys, content))
    if (folder / SIGNATURE).exists() and stamper is not None:
        _stamp(folder, stamper)
    if keys is not None and keys.sm2:
        _sm2(folder, keys, content)
    replace(folder / SUMS, content)  # last: a pack without it was never sealed
    return state(folder)


def _signs_here(folder: Path, keys: Keys) -> bool:
    if read_signer(folder) != keys.certificate.read_bytes():
        raise Refused("OTHER_SIGNER", f"expected {folder / SIGNER} to be {keys.certificate}, found another or none")
    return keys.key is not None


def _stamp(folder: Path, stamper: Stamper) -> bool:
    """False: no authority answers, or the pack does not say whose stamps it takes."""
    if not (folder / TSA).is_file():
        return False
    try:
        reply = stamped(stamper, (folder / SIGNATURE).read_bytes(), folder / TSA)
    except Refused as error:
        if error.code != "NO_STAMP":
            raise
        return False
    replace(folder / STAMP, reply)
    return True


def _sm2(folder: Path, keys: Keys, sums: bytes) -> None:
    listed = {**manifest.listing(folder, SEALS, sm3), SUMS: sm3(sums)}
    content = manifest.as_text(listed).encode()
    replace(folder / SM3, content)
    if keys.sm2 and keys.sm2.key:
        replace(folder / SM2, sign_sm2(keys.sm2, content))


def complete(folder: Path, stamper: Stamper) -> Sealed:
    """Add the time stamp that was not to be had when the pack was sealed. Refused NO_STAMP: again no answer."""
    _sealed(folder)
    if not (folder / SIGNATURE).exists():
        raise Refused("NOT_SIGNED", f"expected {folder / SIGNATURE} to stamp, found none; `drillctl evidence import`")
    if not (folder / TSA).is_file():
        raise Refused(
            "NO_TSA",
            f"expected {folder / TSA} to say whose stamps this pack takes, found none: it was sealed without a "
            "time-stamping authority, and nothing of a sealed pack is changed",
        )
    if not (folder / STAMP).exists():
        replace(folder / STAMP, stamped(stamper, (folder / SIGNATURE).read_bytes(), folder / TSA))
    return state(folder)


def import_signature(folder: Path, file: Path, *, sm2: bool = False) -> Sealed:
    """Add a signature that was made elsewhere: a CMS one (DER or PEM) of SHA256SUMS, or with `sm2` a raw SM2 one (DER)
    of SM3SUMS. Refused BAD_SIGNATURE: it is not of these bytes, or not by the certificate that the pack names.
    """
    _sealed(folder)
    (_import_sm2 if sm2 else _import_cms)(folder, file.read_bytes())
    return state(folder)


def _import_cms(folder: Path, content: bytes) -> None:
    _not_there_yet(folder / SIGNATURE)
    expected = _certificate(folder, SIGNER)
    der = as_der(content)
    found = signers(der, (folder / SUMS).read_bytes())
    if not found.certificates:
        raise Refused("BAD_SIGNATURE", f"expected a signature of {folder / SUMS}, found another: {found.reason}")
    if found.fingerprints != (fingerprint(expected),):
        raise Refused(
            "BAD_SIGNATURE",
            f"expected a signature by {SIGNER} ({fingerprint(expected)}), found one by {', '.join(found.fingerprints)}",
        )
    chain = folder / CHAIN
    valid = check_chain(expected, chain.read_bytes() if chain.is_file() else None, None)
    if not valid.ok:
        raise Refused("BAD_SIGNATURE", f"expected {SIGNER} to be valid now, found: {valid.reason}")
    replace(folder / SIGNATURE, der)


def _import_sm2(folder: Path, content: bytes) -> None:
    _not_there_yet(folder / SM2)
    expected = _certificate(folder, SM2_SIGNER)
    if not (folder / SM3).is_file():
        raise Refused("BAD_SIGNATURE", f"expected {folder / SM3} to be signed, found none: sealed without 国密")
    said = check_sm2(expected, (folder / SM3).read_bytes(), content)
    if not said.ok:
        raise Refused("BAD_SIGNATURE", f"expected an SM2 signature of {folder / SM3}, found another: {said.reason}")
    replace(folder / SM2, content)


def _certificate(folder: Path, name: str) -> bytes:
    if not (folder / name).is_file():
        raise Refused("BAD_SIGNATURE", f"expected {folder / name} to say who signs, found none")
    return (folder / name).read_bytes()


def _not_there_yet(path: Path) -> None:
    if path.exists():
        raise Refused("SEALED", f"expected no signature yet, found {path}; a seal is never made again")


def _sealed(folder: Path) -> None:
    if not (folder / SUMS).is_file():
        raise DefinitionError(f"expected a sealed pack, found no {folder / SUMS}")


def state(folder: Path) -> Sealed:
    """What the seal of a pack is now. It says what is there, not whether it is right: that is `verify`."""
    reply = folder / STAMP
    at = stamped_at(reply.read_bytes()) if reply.exists() else None
    return Sealed(
        sums_sha256=manifest.sha256((folder / SUMS).read_bytes()),
        evidence_sha256=manifest.sha256((folder / EVIDENCE).read_bytes()),
        signer=signer_of(folder) if (folder / SIGNATURE).exists() else None,
        stamped_at=at.astimezone(UTC).isoformat() if at else None,
        pending=tuple(_pending(folder)),
    )


def _pending(folder: Path) -> list[str]:
    wanted: list[tuple[str, Callable[[], bool]]] = [
        ("signature", lambda: not (folder / SIGNATURE).exists()),
        ("stamp", lambda: not (folder / STAMP).exists()),
        ("sm2", lambda: (folder / SM3).exists() and not (folder / SM2).exists()),
    ]
    return [name for name, is_missing in wanted if is_missing()]


def stamp_head(folder: Path, stamper: Stamper, certificates: Path) -> None:
    """Stamp the signed head of the ledger in that folder. Refused NO_STAMP: no answer."""
    signature = folder / "head.json.p7s"
    replace(folder / "head.json.p7s.tsr", stamped(stamper, signature.read_bytes(), certificates))
