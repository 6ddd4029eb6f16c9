"""Time stamps (RFC 3161): what is asked, what a reply says, and an authority of our own for rehearsals.

The reply of the internal one proves nothing to a third party; its certificate says so, and both verifiers repeat it.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.errors import Refused
from orchestrator.evidence.keys import Tsa
from orchestrator.evidence.openssl import Said, Words, laid_out, made, openssl
from orchestrator.ports import Stamper

# `ts -reply` wants a policy; 1.3.6.1.4.1.99999 is nobody's, and the certificate says "internal".
_CONFIG = """[tsa]
serial = {folder}/serial
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256, sha384, sha512
signer_digest = sha256
ess_cert_id_alg = sha256
accuracy = secs:1
ordering = no
tsa_name = no
"""
_TIME = re.compile(r"^Time stamp: (\w{3}) +(\d+) (\d\d:\d\d:\d\d)(?:\.\d+)? (\d{4}) GMT$", re.MULTILINE)


def query(data: bytes) -> bytes:
    """A request (DER) for a stamp over the data: its sha256, a nonce, and the wish for the authority's certificate."""
    with laid_out(data=data) as folder:
        return made("NO_STAMP", "a request", "ts", "-query", "-data", folder / "data", "-sha256", "-cert")


@dataclass(frozen=True)
class InternalStamper:
    """Stamps with this machine's clock and local keys."""

    tsa: Tsa

    def stamp(self, query: bytes) -> bytes:
        with laid_out(query=query, serial=secrets.token_hex(16).upper().encode()) as folder:
            (folder / "config").write_text(_CONFIG.format(folder=folder), encoding="ascii")
            options: Words = [
                "-config",
                folder / "config",
                "-section",
                "tsa",
                "-queryfile",
                folder / "query",
            ]
            options += ["-signer", self.tsa.certificate, "-inkey", self.tsa.key, "-chain", self.tsa.chain]
            return made("NO_STAMP", "a time stamp", "ts", "-reply", *options)


def stamped(stamper: Stamper, data: bytes, certificates: Path) -> bytes:
    """A reply that fits the data, the request and the authority's certificates. Refused NO_STAMP, BAD_STAMP."""
    asked = query(data)
    reply = stamper.stamp(asked)
    with laid_out(reply=reply, query=asked) as folder:
        options: Words = [
            "-in",
            folder / "reply",
            "-queryfile",
            folder / "query",
            "-CAfile",
            certificates,
            "-partial_chain",
        ]
        said = openssl("ts", "-verify", *options)
    if not said.ok:
        raise Refused(
            "BAD_STAMP", f"expected a time stamp of this request by {certificates.name}, found another: {said.reason}"
        )
    return reply


def stamped_at(reply: bytes) -> datetime | None:
    """The time that a reply states, to the second. None: it is no granted reply."""
    with laid_out(reply=reply) as folder:
        said = openssl("ts", "-reply", "-in", folder / "reply", "-text")
    match = _TIME.search(said.out.decode(errors="replace"))
    if match is None:
        return None
    month, day, time, year = match.groups()
    return datetime.strptime(f"{year} {month} {day} {time}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)


def check_stamp(reply: bytes, data: bytes, certificates: bytes, at: datetime) -> Said:
    """Whether the reply is a stamp of the data by that authority, whose certificate was valid then."""
    with laid_out(reply=reply, data=data, certificates=certificates) as folder:
        options: Words = [
            "-in",
            folder / "reply",
            "-data",
            folder / "data",
            "-CAfile",
            folder / "certificates",
        ]
        return openssl("ts", "-verify", *options, "-partial_chain", "-attime", str(int(at.timestamp())))
