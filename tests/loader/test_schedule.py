"""A site's schedule: one clear line for whatever is wrong in it, and what its rules come to on the site."""

from pathlib import Path

import pytest

from orchestrator.errors import DefinitionError
from orchestrator.loader.drill import load_drills
from orchestrator.loader.schedule import load_schedule
from orchestrator.loader.site import load_site
from orchestrator.planner.subjects import subjects
from tests.loader.test_bad_input import edit, site
from tests.rules.test_schedule import day
from tests.support.sites import ROOT

__all__ = ["site"]

DRILLS = load_drills(ROOT / "drills")


def message(folder: Path) -> str:
    with pytest.raises(DefinitionError) as caught:
        load_schedule(folder, DRILLS)
    assert len(caught.value.problems) == 1, str(caught.value)
    return str(caught.value)


def test_the_example_comes_to_one_entry_for_each_centre_and_carrier(site: Path) -> None:
    known, loaded = load_schedule(site, DRILLS), load_site(site)
    found, refused = subjects(known, {item.drill: item for item in DRILLS}, loaded.topology, day("2026-12-01"))
    names = [item.name for item in found]
    assert names[:4] == ["centre/futian", "centre/southern", "carrier/telecom", "carrier/unicom"]
    assert found[0].scenario == "single-centre-failure:futian"
    assert [(item.number, item.of) for item in found[:2]] == [(0, 2), (1, 2)]
    assert [item.name for item in refused] == ["carrier/satcom"]
    assert "NOTHING_AFFECTED" in refused[0].reason


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        (
            "drill: single-centre-failure",
            "drill: single-center-failure",
            "rules.0.drill",
            "expected a drill (access-suspended, beijing-",
        ),
        ("for_each: centre", "for_each: center", "rules.0.for_each", "expected a parameter of single-centre-failure ("),
        ("[SSCC-3.1]", "[SSCC-2.3]", "rules.1.clauses.0", "expected a clause that single-carrier-failure serves ("),
        ("{host: gw-a1}", "{hots: gw-a1}", "rules.3.parameters.hots", "expected a parameter of gateway-host-failure ("),
        ("id: carrier", "id: centre", "rules.1.id", "expected each id once, found centre again"),
        ("every_months: 12", "every_months: 0", "rules.0.every_months", "found 0"),
        (
            'begins: "14:00"',
            "begins: 14:00",
            "rules.4.begins",
            'expected a time of day in quotes, as "09:15", found 840',
        ),
        ("mode: rehearsal", "mode: incident", "rules.4.mode", "found 'incident'"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_field(site: Path, old: str, new: str, field: str, said: str) -> None:
    line = edit(site / "schedule.yml", old, new)
    text = message(site)
    assert f"schedule.yml:{line}: {field}: " in text
    assert said in text


def test_a_parameter_is_set_or_taken_in_turn_not_both(site: Path) -> None:
    edit(site / "schedule.yml", "for_each: centre", "for_each: centre\n    parameters: {centre: futian}")
    assert "rules.0.for_each: expected a parameter that is not set under parameters, found centre" in message(site)


def test_a_site_without_a_schedule_is_told_where_to_read(site: Path) -> None:
    (site / "schedule.yml").unlink()
    text = message(site)
    assert "expected the site's schedule, found none" in text
    assert (ROOT / text.split("; ")[1].split()[0]).is_file()
