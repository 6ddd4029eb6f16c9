"""The report of a run in which a person moved a gateway: their word is told as such, never as a measurement."""

import re

from orchestrator.model.plan import FaultSource
from orchestrator.model.record import RunRecord
from orchestrator.report.assemble import assemble
from orchestrator.report.render import render, run_json
from tests.engine.test_engine import Stager, stage
from tests.engine.test_hands import THERE, Person, with_hands

__all__ = ["stage"]
_NUMBER = "W100300"


def recorded(stager: Stager, *silent: str) -> RunRecord:
    play = with_hands(stager)
    Person(play, silent=silent)
    play.play()
    seen = play.world.observations()
    named = {"operator": "li", "fault_source": FaultSource.DECLARED, "versions": {}}
    return assemble("r1", play.plan, play.topology, play.events, seen, **named)  # type: ignore[arg-type]


def rows(page: str) -> list[str]:
    return [row for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL) if _NUMBER in row]


def test_its_row_says_by_whom_and_that_nothing_was_measured(stage: Stager) -> None:
    record = recorded(stage)
    for language, by_hand, nothing in (("zh", "人工确认", "未测"), ("en", "confirmed by hand", "not measured")):
        found = [row for row in rows(render(record, language)) if by_hand in row]  # type: ignore[arg-type]
        assert found
        assert any(nothing in row for row in found)


def test_without_the_word_the_row_says_so(stage: Stager) -> None:
    record = recorded(stage, THERE)
    assert any("not confirmed by hand" in row for row in rows(render(record, "en")))


def test_the_record_is_read_again_as_it_was_written(stage: Stager) -> None:
    record = recorded(stage)
    again = RunRecord.model_validate_json(run_json(record))
    assert again == record
    others = [item for item in again.verdict.gateways if item.number != _NUMBER]
    assert all("declared_by" not in item.model_dump() for item in others)
