"""The record of a run as its sealed pack has it: held to the ledger, so that nobody's own run.json counts."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from orchestrator.errors import Refused
from orchestrator.evidence import manifest
from orchestrator.model.evidence import LedgerKind, LedgerLine
from orchestrator.model.record import RunRecord

_PACK, _RUN, _EVIDENCE = "pack", "run.json", "EVIDENCE.sha256"


def sealed_record(reports: Path, run: str, lines: Sequence[LedgerLine]) -> RunRecord:
    """Read `run.json` of a run's pack. Refused PACK_CHANGED: it is not what the ledger sealed."""
    sealed = next((line for line in lines if line.kind is LedgerKind.PACK_SEALED and line.data.get("run") == run), None)
    if sealed is None:
        raise Refused("NOT_SEALED", f"expected run {run} sealed on the ledger, found it is not")
    pack = reports / run / _PACK
    try:
        listed = (pack / _EVIDENCE).read_bytes()
        content = (pack / _RUN).read_bytes()
        expected = manifest.parsed(listed).get(_RUN)
    except OSError as error:
        raise _changed(Path(error.filename or pack), error.strerror or "it cannot be read") from error
    except manifest.NotAManifest as error:
        raise _changed(pack / _EVIDENCE, str(error)) from error
    if sha256(listed).hexdigest() != sealed.data["evidence_sha256"]:
        raise _changed(pack / _EVIDENCE, "another list of files")
    if sha256(content).hexdigest() != expected:
        raise _changed(pack / _RUN, "it changed")
    try:
        return RunRecord.model_validate_json(content)
    except ValidationError as error:
        raise _changed(pack / _RUN, f"no record of a run ({error.error_count()} faults)") from error


def _changed(path: Path, found: str) -> Refused:
    return Refused(
        "PACK_CHANGED", f"{path}: expected the pack as the ledger sealed it, found {found}; `drillctl evidence verify`"
    )
