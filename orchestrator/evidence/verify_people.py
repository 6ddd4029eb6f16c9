"""The fourth look: whether a run on the production path was allowed to begin, by what people have signed.

The rules are those that the run began by (`orchestrator/rules/approvals.py`), asked again of what the pack holds. Who
may sign is what the pack brings, unless the verifier brings the firm's own `allowed_signers`.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from orchestrator.errors import Refused
from orchestrator.evidence.statements import read_signed
from orchestrator.evidence.trust import Findings, Trust
from orchestrator.evidence.verify_content import EVENTS, Contents, at_of
from orchestrator.model.approval import Kept, Permit, PlanRequest, Signed
from orchestrator.model.drill import Mode
from orchestrator.model.people import People
from orchestrator.model.plan import Phase, Plan, Verb
from orchestrator.rules.approvals import LASTING, Claim, permit

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
        again = permit(claim, people, _signed(folder, granted, claim.at, trust, found))
    except Refused as error:
        found.fault(STATEMENTS, str(error))
        return
    if (again.consents, again.window) != (granted.consents, granted.window):
        found.fault(STATEMENTS, "expected what the journal says was signed, found other statements")
    _in_time(contents, again, str(record["topology"]["site"]["timezone"]), plan, found)
    _say(again, trust, found)


def _in_time(contents: Contents, granted: Permit, zone: str, plan: Plan, found: Findings) -> None:
    """What injects and switches was begun in the window that was approved, and while the approvals counted."""
    phase = {step.id: step.phase for step in plan.steps if step.verb is not Verb.CONFIRM}
    forward: tuple[Phase | None, ...] = (Phase.INJECTING, Phase.SWITCHING)
    last = min((item.not_after for item in granted.consents if item.kind in LASTING), default=None)
    for event in contents.events:
        if event["kind"] == "message" and event["data"].get("topic") == "promote":
            return  # what follows is an incident, which waits for no window; the finding asks for its review
        if event["kind"] != "intent" or phase.get(str(event.get("step"))) not in forward:
            continue
        at = at_of(event)
        local = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        if granted.window and not granted.window.begins <= local < granted.window.ends:
            found.fault(f"{EVENTS}:{event['seq']}", f"expected it in the window {granted.window.number}, found {local}")
        if last and at > last:
            found.fault(f"{EVENTS}:{event['seq']}", f"expected it while the approvals counted ({last}), found {at}")


def _claim(plan: Plan, granted: Permit, opened: Mapping[str, Any]) -> Claim:
    """What was claimed when the run was opened."""
    at = at_of(opened)
    request = PlanRequest(by=granted.requested_by, at=at, today=at.date().isoformat())
    return Claim(Kept(plan=plan, request=request), granted.operator, at)


def _signed(folder: Path, granted: Permit, at: datetime, trust: Trust, found: Findings) -> list[Signed]:
    """What the journal names, each with what its signature says by the keys that counted when the run was opened."""
    with TemporaryDirectory(prefix="drillctl-signers-") as scratch:
        allowed = folder / STATEMENTS / SIGNERS
        if trust.allowed_signers is not None:
            allowed = Path(scratch) / SIGNERS
            allowed.write_bytes(trust.allowed_signers)
        known = [(item.file, folder / STATEMENTS / item.file) for item in granted.consents]
        for name, path in known:
            if not path.is_file():
                found.fault(f"{STATEMENTS}/{name}", "expected what was signed, found none")
        read = [read_signed(path, allowed, at) for _, path in known if path.is_file()]
    return [item for item in read if item is not None]


def _say(again: Permit, trust: Trust, found: Findings) -> None:
    said = ", ".join(f"{item.kind} by {item.by}" for item in again.consents)
    found.note(f"signed by people before it began: {said}")
    if trust.allowed_signers is None:
        found.note(
            "no --allowed-signers was given: the signatures of people are checked against the keys that the pack "
            "brings; compare them with those that the firm has published"
        )
