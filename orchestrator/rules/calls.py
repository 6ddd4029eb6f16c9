"""Whom to call now: the firm's own people by role, then the contacts outside by whether they answer at this hour.

Pure. Whether a day is a working day is the calendar's knowledge and comes in as a function with three answers: where
it does not know, a contact with working hours is one of whom nobody can tell whether they answer.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from orchestrator.model.base import Title
from orchestrator.model.hours import Period
from orchestrator.model.people import Contact, ContactKind, People, Person, PersonRole

WorkingDay = Callable[[date], bool | None]

_AHEAD_DAYS: Final = 31  # our choice: the longest public holidays last eight days
# Our choice of whom to call first: who commands, who has hands on it, who decides, the rest.
_BY_ROLE: Final = (
    PersonRole.COMMANDER,
    PersonRole.OPERATOR,
    PersonRole.GATEWAY_OPERATOR,
    PersonRole.CHIEF_INFORMATION_OFFICER,
    PersonRole.APPROVER,
)


class Answering(StrEnum):
    """Whether somebody answers at a given hour."""

    NOW = "now"
    PERHAPS = "perhaps"  # the hours are not known, or whether this is a working day: call and see
    LATER = "later"


@dataclass(frozen=True)
class Next:
    """When they answer next. `is_certain`: False where the calendar does not know whether that is a working day."""

    at: datetime
    is_certain: bool


@dataclass(frozen=True)
class Callee:
    """One entry of the list. `roles`: of the firm's own people; `kind`: of a contact."""

    id: str
    name: Title
    phones: tuple[str, ...]
    answering: Answering
    next: Next | None = None
    purpose: Title | None = None
    hours: Title | None = None
    roles: tuple[PersonRole, ...] = ()
    kind: ContactKind | None = None
    has_hours: bool = True


@dataclass(frozen=True)
class CallList:
    """`own` by role; `contacts` those that answer first, then those that may, then those that do not."""

    own: tuple[Callee, ...]
    contacts: tuple[Callee, ...]

    def that(self, answering: Answering) -> tuple[Callee, ...]:
        """Contacts of one kind of answer."""
        return tuple(item for item in self.contacts if item.answering is answering)


def call_list(people: People, at: datetime, working: WorkingDay, purpose: str = "") -> CallList:
    """Whom to call at `at`, local time of the site. `purpose`: only contacts whose kind or purpose holds this text."""
    own = sorted((_own(person, at, working) for person in people.people), key=_rank)
    chosen = [item for item in people.contacts if _is_for(item, purpose)]
    order = list(Answering)
    contacts = sorted((_outside(item, at, working) for item in chosen), key=lambda item: order.index(item.answering))
    return CallList(tuple(own), tuple(contacts))


def _rank(callee: Callee) -> tuple[bool, int]:
    """Whoever is not to be called at this hour comes last; the file's order decides among equals."""
    ranks = [_BY_ROLE.index(role) for role in callee.roles if role in _BY_ROLE]
    return callee.answering is Answering.LATER, min(ranks, default=len(_BY_ROLE))


def _is_for(contact: Contact, purpose: str) -> bool:
    texts = (contact.id, contact.kind.value, contact.purpose.zh, contact.purpose.en)
    return any(purpose.lower() in text.lower() for text in (*texts, contact.organisation.zh, contact.organisation.en))


def _own(person: Person, at: datetime, working: WorkingDay) -> Callee:
    found = Answering.NOW if person.answers is None else answering(person.answers, at, working)
    return Callee(
        person.id,
        person.name,
        person.phones,
        found,
        next_answer(person.answers, at, working) if found is Answering.LATER and person.answers else None,
        roles=person.roles,
    )


def _outside(contact: Contact, at: datetime, working: WorkingDay) -> Callee:
    found = Answering.PERHAPS if contact.answers is None else answering(contact.answers, at, working)
    return Callee(
        contact.id,
        contact.organisation,
        contact.phones,
        found,
        next_answer(contact.answers, at, working) if found is Answering.LATER and contact.answers else None,
        purpose=contact.purpose,
        hours=contact.hours,
        kind=contact.kind,
        has_hours=contact.answers is not None,
    )


def answering(periods: Sequence[Period], at: datetime, working: WorkingDay) -> Answering:
    """Whether one of the periods is on at this moment."""
    day = at.date()
    states = {item.includes(day, working(day)) for item in periods if item.holds(at.time())}
    if True in states:
        return Answering.NOW
    return Answering.PERHAPS if None in states else Answering.LATER


def next_answer(periods: Sequence[Period], at: datetime, working: WorkingDay) -> Next | None:
    """The first beginning of a period after `at`. None: not within a month."""
    return next((item for item in _beginnings(periods, at, working) if item.at > at), None)


def _beginnings(periods: Sequence[Period], at: datetime, working: WorkingDay) -> Iterator[Next]:
    """Earliest first; of two at the same time the certain one."""
    for ahead in range(_AHEAD_DAYS + 1):
        day = at.date() + timedelta(days=ahead)
        states = [(item.begins, item.includes(day, working(day))) for item in periods]
        for begins, state in sorted(
            (item for item in states if item[1] is not False), key=lambda item: (item[0], not item[1])
        ):
            yield Next(datetime.combine(day, time.fromisoformat(begins), at.tzinfo), state is True)
