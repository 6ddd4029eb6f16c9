"""Whether what one person did alone was reviewed by somebody else, by the ledger: the packs are sealed by then."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from orchestrator.evidence import ssh_signatures
from orchestrator.evidence.trust import Findings, Trust
from orchestrator.evidence.verify_people import SIGNERS, STATEMENTS
from orchestrator.model.approval import Statement, namespace
from orchestrator.model.evidence import FindingKind
from orchestrator.rules.approvals import SLACK
from orchestrator.rules.reviews import wrong_review

Line = Mapping[str, Any]


def look_at_reviews(reports: Path, ledger: str, lines: tuple[Line, ...], trust: Trust, found: Findings) -> None:
    """Each finding of this kind that is closed is closed by a signed review; those that are open are named."""
    opened = {str(line["data"].get("run")): line["data"] for line in lines if line.get("kind") == "run.opened"}
    acted = dict(_acted(lines))
    closed = [line for line in lines if line.get("kind") == "finding.closed" and str(line["data"].get("id")) in acted]
    for line in closed:
        run, _ = acted[str(line["data"]["id"])]
        whose = {subject for other, subject in acted.values() if other == run}
        why = _wrong(reports, line, run, opened.get(run, {}), whose, trust)
        if why:
            found.fault(f"{ledger}:{line.get('seq')}", why)
        else:
            found.note(f"{run}: reviewed afterwards by {line['data']['by']}")
    done = {str(line["data"]["id"]) for line in closed}
    for name, (run, subject) in acted.items():
        if name not in done:
            found.note(f"{run}: what {subject} did alone was not reviewed yet ({name})")


def _acted(lines: tuple[Line, ...]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Finding → (run, who acted alone)."""
    for line in lines:
        finding = line["data"].get("finding") if line.get("kind") == "finding.opened" else None
        if isinstance(finding, dict) and finding.get("kind") == FindingKind.REVIEW.value:
            yield str(finding.get("id")), (str(finding.get("run")), str(finding.get("subject")))


def _wrong(reports: Path, line: Line, run: str, opened: Line, acted: set[str], trust: Trust) -> str:
    data = line["data"]
    try:
        said = Statement.model_validate(data.get("statement"))
        signature = str(data["signature"]).encode("ascii")
    except (ValidationError, KeyError, UnicodeEncodeError):
        return "expected the signed review that closed this finding, found none"
    why = wrong_review(
        said, run=run, plan=str(opened.get("plan_digest")), operator=str(opened.get("operator")), acted=acted
    )
    if why:
        return why
    if said.by != data.get("by") or said.reason != data.get("reason"):
        return "expected what was signed, found another name or another reason beside it"
    if said.at > datetime.fromisoformat(str(line["at"])) + SLACK:
        return f"expected a review from before this line, found one of {said.at}"
    return _signature(reports, run, said, signature, trust)


def _signature(reports: Path, run: str, said: Statement, signature: bytes, trust: Trust) -> str:
    """By the firm's own list of keys where it was given, else by the one that the run's pack brings."""
    with TemporaryDirectory(prefix="drillctl-signers-") as scratch:
        allowed = reports / run / "pack" / STATEMENTS / SIGNERS
        if trust.allowed_signers is not None:
            allowed = Path(scratch) / SIGNERS
            allowed.write_bytes(trust.allowed_signers)
        checked = ssh_signatures.check(said.canonical(), signature, said.by, allowed, namespace(said.kind), said.at)
    return checked.problem
