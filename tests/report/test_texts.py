"""The catalogue of texts: both languages, every value has a word, no text is left over."""

import re
import string
from enum import StrEnum
from pathlib import Path

import pytest

from orchestrator.model.drill import Check, FaultManner, Mode, Response
from orchestrator.model.event import CheckResult, Outcome
from orchestrator.model.evidence import FindingKind
from orchestrator.model.people import PersonRole
from orchestrator.model.plan import Action, FaultSource, Phase
from orchestrator.model.topology import GatewayClass
from orchestrator.model.verdict import Integrity, ObjectiveState, Restoration, RunOutcome
from orchestrator.report.texts import Texts, catalogue
from tests.report.record_example import ROOT

GROUPS: list[tuple[str, type[StrEnum]]] = [
    ("document", Mode),
    ("mode", Mode),
    ("fault_source", FaultSource),
    ("response", Response),
    ("response_meaning", Response),
    ("manner", FaultManner),
    ("phase", Phase),
    ("action", Action),
    ("class", GatewayClass),
    ("service", GatewayClass),
    ("outcome", RunOutcome),
    ("outcome_meaning", RunOutcome),
    ("restoration", Restoration),
    ("restoration_meaning", Restoration),
    ("objectives", ObjectiveState),
    ("integrity", Integrity),
    ("integrity_meaning", Integrity),
    ("check", Check),
    ("check_result", CheckResult),
    ("step_outcome", Outcome),
    ("form", Mode),
    ("role", PersonRole),
    ("finding_kind", FindingKind),
]
PACKAGE = ROOT / "orchestrator" / "report"


@pytest.mark.parametrize(("group", "values"), GROUPS)
def test_every_value_that_a_record_can_hold_has_a_text(group: str, values: type[StrEnum]) -> None:
    assert [f"{group}.{value}" for value in values if f"{group}.{value}" not in catalogue()] == []


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_fill_in_the_same_things() -> None:
    assert [key for key, title in catalogue().items() if placeholders(title.zh) != placeholders(title.en)] == []


def test_chinese_is_chinese_and_english_is_english() -> None:
    chinese = re.compile(r"[\u3400-\u9fff]")
    neutral = {
        "checks.untested_line",
        "checks.not_asked",
        "stamp.note",
        "certificate.named",
        "terminal.title",
        "notice.title",
    }
    assert [key for key, title in catalogue().items() if chinese.search(title.en)] == []
    assert [key for key, title in catalogue().items() if not chinese.search(title.zh) and key not in neutral] == []


def test_no_text_is_left_over() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in sources_of(PACKAGE))
    groups = {group for group, _ in GROUPS} | composed(sources)
    unused = [key for key in catalogue() if f'"{key}"' not in sources and key.partition(".")[0] not in groups]
    assert unused == []


def sources_of(folder: Path) -> list[Path]:
    return [*folder.glob("*.py"), *folder.glob("templates/*.j2")]


def composed(sources: str) -> set[str]:
    """Groups whose keys are put together: f"group.{name}", "group." ~ name, named("group", …), headers' columns."""
    patterns = (r'f"([a-z_]+)\.[a-z_]*\{', r'"([a-z_]+)\." ~', r'named\(\s*"([a-z_]+)"')
    return {match for pattern in patterns for match in re.findall(pattern, sources)}


def test_a_text_without_a_key_is_an_error_not_a_guess() -> None:
    with pytest.raises(KeyError):
        Texts("zh")("value.nothing_like_it")


def test_what_checks_say_is_said_in_chinese_as_far_as_it_is_known() -> None:
    texts = Texts("zh")
    assert texts.said("no session") == "无会话"
    assert texts.said("172.50.101.30:7043 refused") == "172.50.101.30:7043 被拒绝"
    assert texts.said("not logged in") == "未登录"
    assert texts.said("rerunning-host") == "rerunning-host"
    assert Texts("en").said("no session") == "no session"
