"""A gateway that was switched again and again is left alone for a while; what goes back is never refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import Refused
from orchestrator.history import epoch_s
from orchestrator.model.drill import Mode, Response
from orchestrator.model.failback import FailsBack
from orchestrator.rules.flapping import Switch, flaps, refuse_flapping, switches
from tests.engine.test_engine import FUTIAN, SITE, Stage, Stager

TOPOLOGY = SITE.topology
NUMBERS = {TOPOLOGY.gateway[name].number for name in FUTIAN}
NOW = 1_800_000_000.0


@pytest.fixture
def stager(tmp_path: Path) -> Iterator[Stager]:
    made = Stager(tmp_path)
    yield made
    made.close()


def incident(stager: Stager) -> Stage:
    return stager(response=Response.REPOINT, mode=Mode.INCIDENT)


def known(*minutes_ago: float, number: str = "W100200") -> list[Switch]:
    return [Switch(f"r{index}", number, NOW - minutes * 60) for index, minutes in enumerate(minutes_ago)]


def test_a_drill_has_switched_each_gateway_once_there_and_back(stager: Stager) -> None:
    play = stager(response=Response.REPOINT, mode=Mode.DRILL)
    play.play()
    found = list(switches("r1", play.plan, play.events))
    assert {item.number for item in found} >= NUMBERS
    assert len(found) == len({item.number for item in found})
    back = min(epoch_s(event) for event in play.events if event.step == "lift")
    assert all(item.at > back for item in found)


def test_a_rehearsal_and_a_run_that_left_everything_alone_have_switched_nothing(stager: Stager) -> None:
    play = stager(response=Response.REPOINT)
    play.play()
    assert list(switches("r1", play.plan, play.events)) == []
    play = stager(mode=Mode.DRILL)
    play.world.unreachable = {FUTIAN[0]: "gone"}
    assert list(switches("r1", play.plan, [])) == []


@pytest.mark.parametrize(
    ("minutes_ago", "free_in"), [((5, 30), 30), ((5, 30, 40), 30), ((5,), None), ((5, 61), None), ((59, 1), 1)]
)
def test_two_within_the_hour_are_too_many_until_the_older_one_is_an_hour_old(
    stager: Stager, minutes_ago: tuple[float, ...], free_in: float | None
) -> None:
    plan, site = incident(stager).plan, TOPOLOGY.site
    number = min(NUMBERS)
    found = flaps(plan, known(*minutes_ago, number=number), site, NOW)
    assert [(item.number, item.free_at) for item in found] == (
        [] if free_in is None else [(number, NOW + free_in * 60)]
    )
    if free_in is None:
        refuse_flapping(plan, known(*minutes_ago, number=number), site, NOW)
        return
    with pytest.raises(Refused) as refused:
        refuse_flapping(plan, known(*minutes_ago, number=number), site, NOW)
    assert refused.value.code == "FLAPPING"
    text = str(refused.value)
    assert number in text
    assert "--again REASON" in text
    assert "\n" not in text


def test_a_gateway_that_the_plan_does_not_switch_says_nothing(stager: Stager) -> None:
    other = next(item.number for item in TOPOLOGY.gateways if item.number not in NUMBERS)
    assert flaps(incident(stager).plan, known(1, 2, 3, number=other), TOPOLOGY.site, NOW) == []


def test_a_site_says_how_many_and_how_long(stager: Stager) -> None:
    site = TOPOLOGY.site.model_copy(update={"flapping_switches": 3, "flapping_minutes": 10.0})
    number = min(NUMBERS)
    plan = incident(stager).plan
    assert flaps(plan, known(1, 2, number=number), site, NOW) == []
    assert flaps(plan, known(1, 2, 11, number=number), site, NOW) == []
    assert [item.free_at for item in flaps(plan, known(1, 2, 9, number=number), site, NOW)] == [NOW + 60]


def test_a_failback_is_restoration_and_is_never_refused(stager: Stager) -> None:
    fields: dict[str, Any] = {"run": "r"}
    back = FailsBack.model_construct(**fields)
    plan = incident(stager).plan.model_copy(update={"fails_back": back})
    refuse_flapping(plan, known(1, 2, number=min(NUMBERS)), TOPOLOGY.site, NOW)


def test_a_drill_is_offered_no_way_around_it(stager: Stager) -> None:
    plan = stager(response=Response.REPOINT, mode=Mode.DRILL).plan
    with pytest.raises(Refused) as refused:
        refuse_flapping(plan, known(1, 2, number=min(NUMBERS)), TOPOLOGY.site, NOW)
    assert "--again" not in str(refused.value)
