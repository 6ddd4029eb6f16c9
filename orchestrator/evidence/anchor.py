"""An anchor: the ledger's head, kept where whoever holds the archive cannot change it. Pure.

An archive that is rolled back as a whole verifies in itself; only a head that was sent elsewhere tells.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.evidence.ledger_head import HEAD, SIGNATURE
from orchestrator.journal.chain import GENESIS
from orchestrator.model.evidence import LedgerHead, LedgerKind, LedgerLine
from orchestrator.model.plan import canonical_json

_NAME = re.compile(r"head-(\d{8,})-([0-9a-f]{64})\.json")
_SAYS_NOTHING = (LedgerKind.ANCHORED, LedgerKind.HEARTBEAT)


@dataclass(frozen=True)
class Package:
    """What is sent: the head, and its signature where there is one. A file's name holds all that the head says."""

    head: LedgerHead
    content: bytes
    signature: bytes | None

    @property
    def name(self) -> str:
        return f"head-{self.head.size:08d}-{self.head.digest}.json"

    @property
    def files(self) -> dict[str, bytes]:
        """File name → content. The head is last: where it stands, all of it has arrived."""
        signature = {f"{self.name}.p7s": self.signature} if self.signature else {}
        return {**signature, self.name: self.content}


def package(folder: Path, head: LedgerHead) -> Package:
    """The head of the ledger in that folder, with its signature if that signs exactly this head."""
    content = canonical_json(head.model_dump(mode="json")) + b"\n"
    signature = folder / SIGNATURE
    signed = signature.is_file() and (folder / HEAD).read_bytes() == content
    return Package(head, content, signature.read_bytes() if signed else None)


def is_silent(lines: Sequence[LedgerLine]) -> bool:
    """Whether nothing happened since the head was anchored last: then a heartbeat says so first."""
    for line in reversed(lines):
        if line.kind is LedgerKind.ANCHORED:
            return True
        if line.kind not in _SAYS_NOTHING:
            return False
    return not lines


def contradictions(lines: Sequence[LedgerLine], names: Iterable[str]) -> Iterator[str]:
    """Heads found at an anchor (by the names of their files) that are none of this ledger's."""
    for name in sorted(names):
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        size, digest = int(match[1]), match[2]
        if size > len(lines):
            yield f"expected at least {size} lines of the ledger, as {name} there says, found {len(lines)}: it was cut"
        elif (lines[size - 1].digest if size else GENESIS) != digest:
            yield f"expected line {size} of the ledger as {name} there says, found another: it was rewritten"
