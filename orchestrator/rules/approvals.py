"""Four eyes (双人复核): whether what people have signed lets a plan be carried out. Pure.

The approver is neither who asked for the plan nor who operates it. Who asked may operate, and an operator signs his
start too. Everything is bound to the plan's digest: any edit of plan or inventory makes it void.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.errors import Refused
from orchestrator.model.approval import Consent, Kept, Permit, Signed, Statement, StatementKind
from orchestrator.model.drill import Mode
from orchestrator.model.people import People, PersonRole
from orchestrator.model.plan import Plan
from orchestrator.model.topology import GatewayClass

# What a person must answer for to say it.
RIGHTS = {
    StatementKind.APPROVE: PersonRole.APPROVER,
    StatementKind.START: PersonRole.OPERATOR,
    StatementKind.RELEASE: PersonRole.OPERATOR,
    StatementKind.BREAK_GLASS: PersonRole.OPERATOR,
    StatementKind.REVIEW: PersonRole.AUDITOR,
}
# Our choice: how long it may count. What is in flight tonight is not what is in flight next week.
LONGEST = {
    StatementKind.APPROVE: timedelta(days=31),
    StatementKind.START: timedelta(minutes=10),
    StatementKind.RELEASE: timedelta(hours=24),
    StatementKind.BREAK_GLASS: timedelta(minutes=10),
    StatementKind.REVIEW: timedelta(days=31),
}
LASTING = (StatementKind.APPROVE, StatementKind.RELEASE)  # a start, or a broken glass, is over once it is made
SLACK = timedelta(seconds=60)  # our choice: clocks of two machines (the same number as in the verifiers)
# Of several reasons the one that is nearest to a good approval is named, and the others after it.
_NEAREST = ("APPROVAL_EXPIRED", "OWN_APPROVAL", "PLAN_CHANGED", "NO_RIGHT", "APPROVAL_FORGED")


@dataclass(frozen=True)
class Claim:
    """What is to be done now, by whom."""

    kept: Kept
    operator: str
    at: datetime

    @property
    def plan(self) -> Plan:
        return self.kept.plan


def permit(claim: Claim, people: People, signed: Sequence[Signed]) -> Permit:
    """Why this may begin. Refused by name where it may not; `signed` is everything on file for the drill.

    An incident may begin by break-glass: one person, with a reason, reviewed afterwards.
    """
    first = _approved(claim, people, signed)
    consents = [first, _one(StatementKind.START, claim, people, signed)]
    if claim.plan.mode is Mode.DRILL and moves_settlement(claim.plan):
        consents.append(_one(StatementKind.RELEASE, claim, people, signed))
    return Permit(
        bound_to=claim.plan.digest,
        requested_by=claim.kept.request.by,
        operator=claim.operator,
        consents=tuple(_consent(item) for item in consents),
        window=first.statement.window,
    )


def require(plan: Plan, permit: Permit | None) -> None:
    """Refused NOT_APPROVED: a plan for the production path without a permit for that very plan."""
    if plan.mode is Mode.REHEARSAL:
        return
    if permit is None or permit.bound_to != plan.digest:
        found = "none" if permit is None else f"one for plan {permit.bound_to[:12]}…"
        raise Refused("NOT_APPROVED", f"plan {plan.id}: expected a permit for it, found {found}; `drillctl approve`")


def moves_settlement(plan: Plan) -> bool:
    """Whether a settlement gateway is to be moved: clearing must be done and nothing in flight (design §5.7)."""
    return any(change.gateway_class is GatewayClass.SETTLEMENT and change.after is not None for change in plan.affected)


def _consent(item: Signed) -> Consent:
    said = item.statement
    return Consent(kind=said.kind, by=said.by, at=said.at, not_after=said.not_after, reason=said.reason, file=item.file)


def _approved(claim: Claim, people: People, signed: Sequence[Signed]) -> Signed:
    """By somebody else; where nobody has, and in an incident only, by who broke the glass."""
    try:
        return _one(StatementKind.APPROVE, claim, people, signed)
    except Refused:
        about = (claim.plan.digest, claim.operator)
        broken = [
            item
            for item in signed
            if item.statement.kind is StatementKind.BREAK_GLASS and (item.statement.plan, item.statement.by) == about
        ]
        if claim.plan.mode is not Mode.INCIDENT or not broken:
            raise
    return _one(StatementKind.BREAK_GLASS, claim, people, broken)


def _one(kind: StatementKind, claim: Claim, people: People, signed: Iterable[Signed]) -> Signed:
    """The first statement of the kind that counts. Refused names why none does."""
    reasons: list[tuple[str, str]] = []
    for item in signed:
        if item.statement.kind is not kind:
            continue
        reason = _why_not(item, claim, people)
        if reason is None:
            return item
        reasons.append(reason)
    raise _refusal(kind, claim, reasons)


def _why_not(item: Signed, claim: Claim, people: People) -> tuple[str, str] | None:
    """(code, one line) where a statement does not count for this claim."""
    said = item.statement
    who = f"{said.kind} by {said.by} ({item.file})"
    if item.problem:
        return "APPROVAL_FORGED", f"{who}: {item.problem}"
    if (said.plan, said.site) != (claim.plan.digest, claim.plan.site):
        return (
            "PLAN_CHANGED",
            f"{who}: expected plan {claim.plan.digest[:12]}… as it is now, found it given for {said.plan[:12]}…",
        )
    person = next((person for person in people.people if person.id == said.by), None)
    right = RIGHTS[said.kind]
    if person is None or right not in person.roles:
        return "NO_RIGHT", f"{who}: expected a person of people.yml with role {right}, found none of that name"
    if said.requested_by not in (None, claim.kept.request.by):
        found = f"{who}: expected a plan that {claim.kept.request.by} asked for, found {said.requested_by} signed for"
        return "PLAN_CHANGED", found
    own = _is_own(item, claim)
    if own:
        return "OWN_APPROVAL", f"{who}: expected somebody else, found that {own}"
    return _out_of_time(said, who, claim.at)


def _out_of_time(said: Statement, who: str, now: datetime) -> tuple[str, str] | None:
    longest = LONGEST[said.kind]
    if said.not_after - said.at > longest:
        return "APPROVAL_EXPIRED", f"{who}: expected it to count for at most {longest}, found longer"
    if not said.at - SLACK <= now <= said.not_after:
        times = (said.at, said.not_after, now)
        first, last, found = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in times)
        return "APPROVAL_EXPIRED", f"{who}: expected a time between {first} and {last} UTC, found {found}"
    return None


def _is_own(item: Signed, claim: Claim) -> str:
    """Why a statement is not of the person who has to give it; empty where it is."""
    said = item.statement
    if said.kind is StatementKind.APPROVE and said.by == claim.kept.request.by:
        return f"{said.by} asked for the plan"
    if said.kind is StatementKind.APPROVE and said.by == claim.operator:
        return f"{said.by} operates it"
    if said.kind in (StatementKind.START, StatementKind.BREAK_GLASS) and said.by != claim.operator:
        return f"{claim.operator} operates it, not {said.by}"
    return ""


_MISSING = {
    StatementKind.APPROVE: ("NOT_APPROVED", "an approval", "`drillctl approve {plan} --by PERSON`"),
    StatementKind.START: ("NOT_SIGNED", "the operator's signed start", "name a key with --key"),
    StatementKind.RELEASE: (
        "NOT_RELEASED",
        "a named release of the settlement gateways (clearing done, no transfer in flight)",
        "`drillctl approve {plan} --release --by PERSON`",
    ),
    StatementKind.BREAK_GLASS: ("NOT_APPROVED", "a break-glass statement", "--break-glass with a reason and --key"),
}


def _refusal(kind: StatementKind, claim: Claim, reasons: list[tuple[str, str]]) -> Refused:
    code, expected, how = _MISSING.get(kind, ("NOT_APPROVED", f"a {kind}", "`drillctl approve --help`"))
    advice = how.format(plan=claim.plan.id)
    if not reasons:
        return Refused(code, f"plan {claim.plan.id}: expected {expected}, found none; {advice}")
    nearest = min(reasons, key=lambda reason: _NEAREST.index(reason[0]))
    others = [text for reason, text in reasons if (reason, text) != nearest]
    more = f"; also: {'; '.join(others)}" if others else ""
    return Refused(nearest[0], f"plan {claim.plan.id}: {nearest[1]}; {advice}{more}")
