"""The fourth look: whether a run on the production path was allowed to begin, by what people have signed.

The rules are those that the run began by (`orchestrator/rules/approvals.py`), asked again of what the pack holds. Who
may sign is what the pack brings, unless the verifier brings the firm's own `allowed_signers`.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import ValidationError

from orchestrator.errors import Refused
from orchestrator.evidence.statements import read_signed
from orchestrator.evidence.trust import Findings, Trust
from orchestrator.evidence.verify_content import EVENTS, Contents, at_of
from orchestrator.model.approval import Kept, Permit, PlanRequest, Signed
from orchestrator.model.drill import Mode
from orchestrator.model.people import People
from orchestrator.model.plan import Plan
from orchestrator.rules.approvals import Claim, permit

STATEMENTS, SIGNERS = "people/statements", "allowed_signers"


def look_at_people(folder: Path, contents: Contents, trust: Trust, found: Findings) -> None:
    """Nothing to look at in a rehearsal, which needs no approval."""
    record = contents.record
    if record is None or not contents.events:
        return
    plan = record.get("plan")
    if isinstance(plan, dict) and plan.get("mode") != Mode.REHEARSAL.value:
        _look(folder, contents, record, trust, found)


def _look(folder: Path, contents: Contents, record: Mapping[str, Any], trust: Trust, found: Findings) -> None:
    try:
        granted = Permit.model_validate(contents.events[0]["data"].get("permit"))
        plan, people = Plan.model_validate(record["plan"]), People.model_validate(record["topology"]["people"])
    except (ValidationError, KeyError, TypeError):
        found.fault(f"{EVENTS}:1", "expected why the run was allowed to begin, found none")
        return
    claim = _claim(plan, granted, contents.events[0])
    try:
        again = permit(claim, people, _signed(folder, granted, trust, found))
    except Refused as error:
        found.fault(STATEMENTS, str(error))
        return
    if (again.consents, again.window) != (granted.consents, granted.window):
        found.fault(STATEMENTS, "expected what the journal says was signed, found other statements")
    _say(again, trust, found)


def _claim(plan: Plan, granted: Permit, opened: Mapping[str, Any]) -> Claim:
    """What was claimed when the run was opened."""
    at = at_of(opened)
    request = PlanRequest(by=granted.requested_by, at=at, today=at.date().isoformat())
    return Claim(Kept(plan=plan, request=request), granted.operator, at)


def _signed(folder: Path, granted: Permit, trust: Trust, found: Findings) -> list[Signed]:
    """What the journal names, each with what its signature says by the keys that count."""
    with TemporaryDirectory(prefix="drillctl-signers-") as scratch:
        allowed = folder / STATEMENTS / SIGNERS
        if trust.allowed_signers is not None:
            allowed = Path(scratch) / SIGNERS
            allowed.write_bytes(trust.allowed_signers)
        known = [(item.file, folder / STATEMENTS / item.file) for item in granted.consents]
        for name, path in known:
            if not path.is_file():
                found.fault(f"{STATEMENTS}/{name}", "expected what was signed, found none")
        read = [read_signed(path, allowed) for _, path in known if path.is_file()]
    return [item for item in read if item is not None]


def _say(again: Permit, trust: Trust, found: Findings) -> None:
    said = ", ".join(f"{item.kind} by {item.by}" for item in again.consents)
    found.note(f"signed by people before it began: {said}")
    if trust.allowed_signers is None:
        found.note(
            "no --allowed-signers was given: the signatures of people are checked against the keys that the pack "
            "brings; compare them with those that the firm has published"
        )
