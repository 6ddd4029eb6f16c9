"""Who is called: the firm's own people by role, and the contacts outside (SSCC-5.5, SSE-5.1)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orchestrator.model.base import Frozen, Id, Title

Phone = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 -]{4,20}$")]


class PersonRole(StrEnum):
    """What a person answers for. `gateway-operator` is the platform's 网关操作岗 (SSE-1)."""

    COMMANDER = "commander"
    OPERATOR = "operator"
    APPROVER = "approver"
    EVALUATOR = "evaluator"
    CHIEF_INFORMATION_OFFICER = "chief-information-officer"
    GATEWAY_OPERATOR = "gateway-operator"


class Person(Frozen):
    id: Id
    name: Title
    roles: Annotated[tuple[PersonRole, ...], Field(min_length=1)]
    phone: Phone


class Contact(Frozen):
    """Somebody outside the firm, for one purpose, with the hours in which they answer."""

    id: Id
    organisation: Title
    purpose: Title
    phones: Annotated[tuple[Phone, ...], Field(min_length=1)]
    hours: Title
    source: str


class People(Frozen):
    """`people.yml` of a site."""

    people: tuple[Person, ...] = ()
    contacts: tuple[Contact, ...] = ()

    def with_role(self, role: PersonRole) -> tuple[Person, ...]:
        """Everybody who answers for this, in the file's order: the first is called first."""
        return tuple(person for person in self.people if role in person.roles)
