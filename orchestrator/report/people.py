"""Organisation and people: who answers for what, what each did in this run, whom to call outside, and who signs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orchestrator.model.approval import StatementKind
from orchestrator.model.people import Person, PersonRole
from orchestrator.report.context import Context
from orchestrator.report.hours import hours_in_words

# Who signs a report (our choice, with blanks for the firm's own order).
SIGNERS: Final = (PersonRole.COMMANDER, PersonRole.EVALUATOR, PersonRole.CHIEF_INFORMATION_OFFICER)


# Roles that a drill needs; a report says so where nobody has one.
_ALWAYS = (
    PersonRole.COMMANDER,
    PersonRole.OPERATOR,
    PersonRole.APPROVER,
    PersonRole.EVALUATOR,
    PersonRole.CHIEF_INFORMATION_OFFICER,
    PersonRole.GATEWAY_OPERATOR,
)


@dataclass(frozen=True)
class RoleRow:
    role: str
    names: tuple[str, ...]
    did: tuple[str, ...]


@dataclass(frozen=True)
class ContactRow:
    organisation: str
    purpose: str
    phones: tuple[str, ...]
    hours: str


@dataclass(frozen=True)
class Attendant:
    name: str
    roles: str


@dataclass(frozen=True)
class Signer:
    role: str
    name: str


def role_rows(context: Context) -> tuple[RoleRow, ...]:
    """Every role, with its people and what the record says that they did."""
    held = [role for role in PersonRole if role in _ALWAYS or context.topology.people.with_role(role)]
    return tuple(_role(context, role) for role in held)


def _role(context: Context, role: PersonRole) -> RoleRow:
    members = context.topology.people.with_role(role)
    did = [line for person in members for line in _did(context, person, role)]
    names = tuple(context.texts.of(person.name) for person in members)
    return RoleRow(context.texts(f"role.{role}"), names, tuple(did))


def _did(context: Context, person: Person, role: PersonRole) -> Iterator[str]:
    """Told once, beside the role in which it was done."""
    record, texts = context.record, context.texts
    name = texts.of(person.name)
    if role is PersonRole.OPERATOR and record.operator == person.id:
        yield texts("people.operated", name=name)
    if role is PersonRole.APPROVER:
        for item in record.approvals:
            if item.by == person.id and item.kind is StatementKind.APPROVE:
                yield texts("people.approved", name=name, at=context.moments.full(item.at))
    decided = sum(person.id in (item.by, item.second) for item in record.decisions)
    if decided and role is person.roles[0]:
        yield texts("people.decided", name=name, n=decided)
    confirmed = sum(person.id == item.by for item in record.confirmations)
    if confirmed and role is person.roles[0]:
        yield texts("people.confirmed", name=name, n=confirmed)


def contact_rows(context: Context) -> tuple[ContactRow, ...]:
    texts = context.texts
    return tuple(
        ContactRow(texts.of(item.organisation), texts.of(item.purpose), item.phones, hours_in_words(texts, item))
        for item in context.topology.people.contacts
    )


def signers(context: Context) -> tuple[Signer, ...]:
    """Those who sign. A role that several hold is signed by whoever held it on the day: the name stays blank."""
    return tuple(_signer(context, role) for role in SIGNERS)


def _signer(context: Context, role: PersonRole) -> Signer:
    members = context.topology.people.with_role(role)
    return Signer(context.texts(f"role.{role}"), context.texts.of(members[0].name) if len(members) == 1 else "")


def attendants(context: Context) -> tuple[Attendant, ...]:
    """Everybody of people.yml, to sign in; a site without the file has blank rows."""
    texts = context.texts
    return tuple(
        Attendant(texts.of(person.name), texts.joined(texts(f"role.{role}") for role in person.roles))
        for person in context.topology.people.people
    )
