"""A permit as a run on the production path has it, where how it came about is not what is tested."""

from datetime import UTC, datetime

from orchestrator.model.approval import Consent, Permit, StatementKind
from orchestrator.model.drill import Mode
from orchestrator.model.plan import Plan

AT = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
LATER = datetime(2036, 11, 21, 1, 0, tzinfo=UTC)


def permit_for(plan: Plan) -> Permit | None:
    """None for a rehearsal, which needs none."""
    if plan.mode is Mode.REHEARSAL:
        return None
    said = ((StatementKind.APPROVE, "chen"), (StatementKind.START, "li"))
    consents = tuple(Consent(kind=kind, by=by, at=AT, not_after=LATER, file=f"{kind}.json") for kind, by in said)
    return Permit(bound_to=plan.digest, requested_by="wang", operator="li", consents=consents)
