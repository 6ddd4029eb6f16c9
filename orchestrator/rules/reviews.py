"""Whether somebody may review what one person did alone (应急授权、事后补批). Pure; asked again by the verifier.

Our choice: an auditor or an approver. Never the operator of the run, nor who did what is reviewed.
"""

from collections.abc import Collection, Iterable

from orchestrator.errors import Refused
from orchestrator.model.approval import Statement, StatementKind
from orchestrator.model.people import Person, PersonRole

REVIEWERS = (PersonRole.AUDITOR, PersonRole.APPROVER)


def refuse_reviewer(run: str, person: Person, operator: str, acted: Collection[str]) -> None:
    """Refused NO_RIGHT or OWN_REVIEW."""
    if not set(REVIEWERS) & set(person.roles):
        wanted = " or ".join(REVIEWERS)
        raise Refused("NO_RIGHT", f"expected {person.id} to have the role {wanted}, found {', '.join(person.roles)}")
    if person.id in {operator, *acted}:
        did = "operated it" if person.id == operator else "did what is reviewed"
        raise Refused("OWN_REVIEW", f"run {run}: expected a review by somebody else, found that {person.id} {did}")


def wrong_review(said: Statement, *, run: str, plan: str, operator: str, acted: Iterable[str]) -> str:
    """Why a statement is no review of this run, in one line; empty: it is one."""
    if said.kind is not StatementKind.REVIEW:
        return f"expected a review, found {said.kind}"
    if (said.run, said.plan) != (run, plan):
        return f"expected a review of run {run} with plan {plan[:12]}…, found {said.run} with {said.plan[:12]}…"
    if said.by in {operator, *acted}:
        return f"expected a review by somebody else, found one by {said.by}, who operated it"
    return ""
