"""What a verifier is told from outside the archive, and what it answers."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import DefinitionError
from orchestrator.model.evidence import LedgerHead

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_HEAD = re.compile(r"(\d{1,12}):([0-9a-f]{64})")


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that does not verify, as one line."""

    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"

    def under(self, folder: str) -> "Fault":
        return Fault(f"{folder}/{self.file}", self.reason)


@dataclass(frozen=True)
class Trust:
    """signers: sha256 fingerprints of certificates that may sign; empty: whoever the pack names.
    tsa: certificates (PEM) of the authority whose stamps count; None: those that the pack brings.
    anchor: a head of the ledger that was kept elsewhere.
    allowed_signers: keys of the people who may approve, as OpenSSH has them; None: those that the pack brings.
    """

    signers: frozenset[str] = frozenset()
    tsa: bytes | None = None
    anchor: LedgerHead | None = None
    allowed_signers: bytes | None = None


@dataclass
class Findings:
    """Faults, each of which is reason enough not to trust; notes say how far the rest goes."""

    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fault(self, file: str, reason: str) -> None:
        self.faults.append(Fault(one_line(file), one_line(reason)))

    def note(self, text: str) -> None:
        if one_line(text) not in self.notes:
            self.notes.append(one_line(text))


def one_line(text: str) -> str:
    """What stands in evidence is somebody else's: nothing of it moves a cursor or begins a line."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def trust_of(
    signer: str | Collection[str] | None = None,
    anchor: str | LedgerHead | None = None,
    tsa: Path | None = None,
    allowed_signers: Path | None = None,
) -> Trust:
    """As the command line has it. DefinitionError: not a fingerprint, not a head."""
    given = [signer] if isinstance(signer, str) else list(signer or ())
    head = anchored(anchor) if isinstance(anchor, str) else anchor
    authority = tsa.read_bytes() if tsa else None
    people = allowed_signers.read_bytes() if allowed_signers else None
    return Trust(frozenset(map(fingerprint_of, given)), authority, head, people)


def fingerprint_of(text: str) -> str:
    """A sha256 fingerprint, with or without colons, in either case."""
    found = text.replace(":", "").replace(" ", "").lower()
    if not _FINGERPRINT.fullmatch(found):
        raise DefinitionError(f"--signer {text}: expected a sha256 fingerprint (64 hex digits), found something else")
    return found


def anchored(text: str) -> LedgerHead:
    """A head as LINES:DIGEST, or a file that holds the head as it was sent."""
    match = _HEAD.fullmatch(text.strip())
    if match:
        return LedgerHead(size=int(match[1]), digest=match[2])
    try:
        found = json.loads(Path(text).read_bytes())
        return LedgerHead.model_validate(found)
    except (OSError, ValueError, ValidationError) as error:
        raise DefinitionError(
            f"--anchor {text}: expected LINES:DIGEST or a head.json as it was sent, found neither"
        ) from error
