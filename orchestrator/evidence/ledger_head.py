"""The ledger's head: how long it is and the digest of its last line, signed where there is a key."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import DrillctlError, Refused
from orchestrator.evidence.disk import replace
from orchestrator.model.evidence import LedgerHead, LedgerLine
from orchestrator.model.plan import canonical_json

HEAD = "head.json"
SIGNATURE = "head.json.p7s"
STAMP = "head.json.p7s.tsr"


class HeadFile:
    """`head.json` of a ledger's folder, with its signature."""

    def __init__(self, folder: Path, sign: Callable[[bytes], bytes] | None, said: Callable[[str], None]) -> None:
        self.path = folder / HEAD
        self._signature = folder / SIGNATURE
        self._stamp = folder / STAMP
        self._sign = sign
        self._said = said

    def read(self) -> LedgerHead | None:
        """None: there is none yet."""
        try:
            return LedgerHead.model_validate_json(self.path.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            if self._signature.exists():
                raise broken(self.path, f"the head that {SIGNATURE} signs", "none") from None
            return None
        except (OSError, ValidationError) as error:
            raise broken(self.path, "a head (size and digest)", "what cannot be read as one") from error

    def compare(self, ledger: Path, lines: Sequence[LedgerLine]) -> None:
        """Refused: the ledger is shorter than its head, or another one."""
        head = self.read()
        if head is None or head.size == 0:
            return
        if len(lines) < head.size:
            raise broken(ledger, f"at least {head.size} lines, as {HEAD} says", f"{len(lines)}: it was cut")
        found = lines[head.size - 1].digest
        if found != head.digest:
            raise broken(f"{ledger}:{head.size}", f"digest {head.digest}, as {HEAD} says", f"{found}: another ledger")

    def publish(self, head: LedgerHead) -> None:
        """Write and sign the head. One that is signed stays as it is where nobody can sign the new one: it still binds
        what it covers.
        """
        text = canonical_json(head.model_dump(mode="json")) + b"\n"
        if self._is_published(text):
            return
        signature = self._signed(text)
        if signature is None and self._signature.exists():
            return
        try:
            self._stamp.unlink(missing_ok=True)
            replace(self.path, text)  # first: a signature without a head would tell that the head was taken away
            if signature is not None:
                replace(self._signature, signature)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _is_published(self, text: bytes) -> bool:
        signed = self._sign is None or self._signature.exists()
        return signed and self.path.exists() and self.path.read_bytes() == text

    def _signed(self, text: bytes) -> bytes | None:
        """None: there is no key, or it cannot sign now. The line stands all the same."""
        if self._sign is None:
            return None
        try:
            return self._sign(text)
        except DrillctlError as error:
            self._said(f"{self.path}: not signed: {error}")
            return None


def broken(where: object, expected: str, found: str) -> Refused:
    """The ledger is not what it was."""
    return Refused(
        "LEDGER_BROKEN",
        f"{where}: expected {expected}, found {found}; nothing is added to it: put the ledger's folder back as it was "
        "last, from its backup",
    )


def unwritable(path: Path, error: OSError) -> Refused:
    """The ledger cannot be read or written."""
    return Refused("LEDGER_UNWRITABLE", f"{path}: expected to read and write it, found: {error.strerror or error}")
