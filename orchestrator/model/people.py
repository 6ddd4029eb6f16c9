"""Who is called: the firm's own people by role, and the contacts outside (SSCC-5.5, SSE-5.1)."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.model.base import AtLeastOne, Frozen, Id, Title
from orchestrator.model.hours import Period

Phone = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 -]{4,20}$")]


class PersonRole(StrEnum):
    """What a person answers for. `gateway-operator` is the platform's 网关操作岗 (SSE-1)."""

    COMMANDER = "commander"
    OPERATOR = "operator"
    APPROVER = "approver"
    EVALUATOR = "evaluator"
    CHIEF_INFORMATION_OFFICER = "chief-information-officer"
    GATEWAY_OPERATOR = "gateway-operator"
    PLANNER = "planner"  # asks for plans
    AUDITOR = "auditor"  # reads everything, reviews what was done by break-glass
    HALTER = "halter"  # may stop a run; so may everybody who has any role
    VIEWER = "viewer"


class Person(Frozen):
    id: Id
    name: Title
    roles: Annotated[tuple[PersonRole, ...], Field(min_length=1)]
    phone: Phone
    more_phones: Annotated[tuple[Phone, ...], Field(description="Tried next, in this order")] = ()
    answers: Annotated[
        tuple[Period, ...] | None, AtLeastOne, Field(description="When this person is called; None: at any hour")
    ] = None

    @property
    def phones(self) -> tuple[str, ...]:
        """In the order in which they are tried."""
        return (self.phone, *self.more_phones)


class ContactKind(StrEnum):
    """What an organisation outside is to the firm."""

    SSCC = "sscc"  # 深证通
    EXCHANGE = "exchange"
    CLEARING = "clearing"  # 中国结算
    REGULATOR = "regulator"  # the local CSRC bureau, 当地证监局
    CARRIER = "carrier"
    VENDOR = "vendor"
    OTHER = "other"


class Contact(Frozen):
    """Somebody outside the firm, for one purpose, with the hours in which they answer."""

    id: Id
    kind: ContactKind = ContactKind.OTHER
    organisation: Title
    purpose: Title
    phones: Annotated[tuple[Phone, ...], Field(min_length=1)]
    answers: Annotated[
        tuple[Period, ...] | None, AtLeastOne, Field(description="When they answer; None: nobody has said")
    ] = None
    hours: Annotated[Title | None, Field(description="What is said of it where periods cannot say it")] = None
    source: str


class People(Frozen):
    """`people.yml` of a site."""

    people: tuple[Person, ...] = ()
    contacts: tuple[Contact, ...] = ()

    @model_validator(mode="after")
    def _each_id_once(self) -> Self:
        """A call is put down to an id: it names one person, or one contact."""
        names = [person.id for person in self.people] + [contact.id for contact in self.contacts]
        twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
        if twice:
            raise ValueError(f"expected each id once among people and contacts, found {twice} again")
        return self

    def with_role(self, role: PersonRole) -> tuple[Person, ...]:
        """Everybody who answers for this, in the file's order: the first is called first."""
        return tuple(person for person in self.people if role in person.roles)
