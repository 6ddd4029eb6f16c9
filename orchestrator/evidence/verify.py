"""Verifies one pack, and trusts nothing in it. Reads only; every failed check is one line with file and reason.

What it shows without a fingerprint from outside: nothing was changed since somebody signed with the certificate in
the pack. With the firm's published fingerprint: since the firm signed. Whether a run was left out, only the archive
and an anchor tell.
"""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from orchestrator.errors import DefinitionError
from orchestrator.evidence.trust import Fault, Findings, Trust, trust_of
from orchestrator.evidence.verify_content import RUN, Contents, look_at_contents
from orchestrator.evidence.verify_files import look_at_files
from orchestrator.evidence.verify_people import look_at_people
from orchestrator.evidence.verify_report import look_at_reports
from orchestrator.evidence.verify_seal import look_at_seal
from orchestrator.evidence.verify_verdict import look_at_verdict
from orchestrator.model.evidence import LedgerHead

__all__ = ["Fault", "look_at_pack", "verify_pack"]


def verify_pack(
    path: Path, signer: str | Collection[str] | None = None, anchor: str | LedgerHead | None = None
) -> list[Fault]:
    """Everything wrong with a pack; empty: it verifies. `signer`: fingerprints that may have signed; `anchor`: a
    head of the ledger that was kept elsewhere.
    """
    return look_at_pack(path, trust_of(signer, anchor))[1].faults


def look_at_pack(folder: Path, trust: Trust) -> tuple[Contents, Findings]:
    """Every look, also where one has failed: a reader wants to know all."""
    if not folder.is_dir():
        raise DefinitionError(f"expected a pack in {folder}, found no such folder")
    found = Findings()
    look_at_files(folder, found)
    stamped_at = look_at_seal(folder, trust, found)
    contents = _contents(folder, stamped_at, trust, found)
    look_at_people(folder, contents, trust, found)
    look_at_reports(folder, found)
    if not found.faults:  # what was changed anyway need not be judged again
        look_at_verdict(folder, contents, found)
    if contents.record and contents.record.get("simulated"):
        found.note("a rehearsal on the twin (simulated): it never counts as a drill held")
    return contents, found


def _contents(folder: Path, stamped_at: datetime | None, trust: Trust, found: Findings) -> Contents:
    """What an insider has given other types than we write is a fault like any other."""
    try:
        return look_at_contents(folder, stamped_at, trust, found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        found.fault(
            RUN, f"expected record, journal and ledger in our form, found another: {type(error).__name__} {error}"
        )
        return Contents()
