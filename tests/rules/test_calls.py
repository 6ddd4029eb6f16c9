"""Whom to call at every hour of a week, by people.yml of the example site."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from orchestrator.loader.people import load_people
from orchestrator.model.hours import Period
from orchestrator.model.people import People, PersonRole
from orchestrator.rules.calls import Answering, CallList, Next, answering, call_list, next_answer
from tests.support.sites import ROOT

PEOPLE = load_people(ROOT / "inventory/example")
ZONE = ZoneInfo("Asia/Shanghai")
OFFICE: tuple[dict[str, object], ...] = ({"days": "working-days", "from": "08:30", "to": "17:00"},)
MONDAY = date(2026, 11, 23)


def weekday(day: date) -> bool:
    return day.weekday() < 5


def nobody_knows(_day: date) -> None:
    return None


def at(day: date, clock: str) -> datetime:
    return datetime.combine(day, datetime.strptime(clock, "%H:%M").time(), ZONE)  # noqa: DTZ007 - a time of day


def periods(*found: dict[str, object]) -> Sequence[Period]:
    return [Period.model_validate(item) for item in found]


def of_sscc(found: CallList, state: Answering) -> set[str]:
    return {item.id for item in found.that(state) if item.id.startswith("sscc-")}


def test_on_a_saturday_only_operations_of_sscc_answer() -> None:
    for hour in range(24):
        found = call_list(PEOPLE, at(date(2026, 11, 21), f"{hour:02}:00"), weekday)
        assert of_sscc(found, Answering.NOW) == {"sscc-operations"}
        assert of_sscc(found, Answering.LATER) == {"sscc-applications", "sscc-network"}
        (network,) = (item for item in found.contacts if item.id == "sscc-network")
        assert network.next == Next(at(MONDAY, "08:30"), is_certain=True)


def test_on_a_working_day_support_answers_from_half_past_eight_until_five() -> None:
    answered = {
        minute
        for minute in range(0, 1440, 10)
        if "sscc-network"
        in of_sscc(call_list(PEOPLE, at(MONDAY, "00:00") + timedelta(minutes=minute), weekday), Answering.NOW)
    }
    assert answered == set(range(8 * 60 + 30, 17 * 60, 10))


def test_a_make_up_saturday_is_a_working_day_and_a_holiday_none() -> None:
    saturday = date(2026, 11, 21)
    made_up = call_list(PEOPLE, at(saturday, "10:00"), lambda day: day == saturday or weekday(day))
    assert "sscc-network" in of_sscc(made_up, Answering.NOW)
    holiday = call_list(PEOPLE, at(MONDAY, "10:00"), lambda day: day != MONDAY and weekday(day))
    (network,) = (item for item in holiday.contacts if item.id == "sscc-network")
    assert network.next == Next(at(date(2026, 11, 24), "08:30"), is_certain=True)


def test_where_the_calendar_does_not_know_nobody_is_said_to_answer_or_not() -> None:
    inside, outside = at(MONDAY, "10:00"), at(MONDAY, "20:00")
    assert of_sscc(call_list(PEOPLE, inside, nobody_knows), Answering.PERHAPS) == {"sscc-applications", "sscc-network"}
    assert answering(periods(*OFFICE), outside, nobody_knows) is Answering.LATER
    assert next_answer(periods(*OFFICE), outside, nobody_knows) == Next(at(date(2026, 11, 24), "08:30"), False)


def test_hours_that_nobody_has_said_are_never_made_up() -> None:
    for hour in range(0, 24, 3):
        found = call_list(PEOPLE, at(MONDAY, f"{hour:02}:00"), weekday)
        (certificates,) = (item for item in found.contacts if item.id == "sse-certificates")
        assert (certificates.answering, certificates.has_hours, certificates.next) == (Answering.PERHAPS, False, None)


def test_the_commander_is_called_first_and_whoever_is_off_duty_last() -> None:
    night = [{"days": ["friday", "saturday"], "from": "18:00", "to": "24:00"}]
    people = People.model_validate(
        {
            "people": [
                {"id": "eve", "name": NAME, "roles": ["evaluator"], "phone": "021-5550 0009"},
                {"id": "ops", "name": NAME, "roles": ["evaluator", "operator"], "phone": "021-5550 0008"},
                {"id": "off", "name": NAME, "roles": ["commander"], "phone": "021-5550 0007", "answers": night},
                {"id": "boss", "name": NAME, "roles": ["commander"], "phone": "021-5550 0006"},
            ]
        }
    )
    early = call_list(people, at(date(2026, 11, 21), "03:00"), weekday).own
    assert [item.id for item in early] == ["boss", "ops", "eve", "off"]
    assert early[-1].next == Next(at(date(2026, 11, 21), "18:00"), is_certain=True)
    late = call_list(people, at(date(2026, 11, 21), "19:00"), weekday).own
    assert [item.id for item in late] == ["off", "boss", "ops", "eve"]


NAME = {"zh": "示例", "en": "example"}


def test_every_number_and_role_of_a_person_is_there() -> None:
    first = call_list(PEOPLE, at(MONDAY, "03:00"), weekday).own[0]
    assert (first.id, first.phones, first.roles) == (
        "zhang",
        ("021-5550 0101", "021-5550 0201"),
        (PersonRole.COMMANDER,),
    )


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        ("certificate", {"sse-certificates"}),
        ("证书", {"sse-certificates"}),
        ("REGULATOR", {"csrc-bureau"}),
        ("异地灾备", {"sscc-network"}),
        ("nothing of that kind", set()),
    ],
)
def test_a_purpose_leaves_only_contacts_for_it_and_all_own_people(purpose: str, expected: set[str]) -> None:
    found = call_list(PEOPLE, at(MONDAY, "03:00"), weekday, purpose)
    assert {item.id for item in found.contacts} == expected
    assert len(found.own) == len(PEOPLE.people)


def test_what_begins_again_never_is_not_found() -> None:
    assert next_answer(periods(*OFFICE), at(MONDAY, "20:00"), lambda _: False) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"days": "sometimes"}, "expected every-day, working-days or a list of weekdays"),
        ({"days": []}, "expected every-day, working-days or a list of weekdays"),
        ({"days": [{"monday": 1}]}, "expected every-day, working-days or a list of weekdays"),
        ({"to": 1020}, 'expected a time in quotes, as "17:00", found 1020'),
        ({"to": "08:30"}, "expected a time later than 08:30, found 08:30"),
        ({"to": "25:00"}, "25:00"),
        ({"from": "24:00", "to": "24:00"}, "expected a time later than 24:00"),
    ],
)
def test_hours_that_make_no_sense_are_refused(changed: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Period.model_validate({**OFFICE[0], **changed})
    assert said in str(caught.value)


def test_an_id_names_one_person_or_one_contact() -> None:
    person = {"id": "zhang", "name": NAME, "roles": ["operator"], "phone": "021-5550 0001"}
    contact = {"id": "zhang", "organisation": NAME, "purpose": NAME, "phones": ["021-5550 0002"], "source": "示例"}
    with pytest.raises(ValidationError, match="expected each id once among people and contacts, found zhang again"):
        People.model_validate({"people": [person], "contacts": [contact]})
