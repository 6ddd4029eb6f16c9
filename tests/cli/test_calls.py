"""`drillctl calls`: readable in the middle of the night, and what was called stands on the run's record."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.cli.journals import left
from tests.cli.test_decide import one_line
from tests.support.command import drillctl
from tests.support.sites import ROOT

SATURDAY = "2026-11-21T03:00"


def test_on_a_saturday_the_numbers_that_answer_come_before_those_that_do_not(tmp_path: Path) -> None:
    said = drillctl("calls", "--at", SATURDAY, state=tmp_path)
    assert (said.code, said.err) == (0, "")
    order = [
        "021-5550 0101",
        "ANSWER NOW",
        "0755-83182222",
        "MAY ANSWER",
        "021-58654154",
        "DO NOT ANSWER",
        "0755-88665865",
    ]
    places = [said.out.index(text) for text in order]
    assert places == sorted(places)
    assert "Saturday 周六, Asia/Shanghai; no working day (by the calendar)" in said.out
    assert "answers again Monday 2026-11-23 08:30" in said.out


def test_as_data_it_says_who_answers_and_when_the_others_do(tmp_path: Path) -> None:
    found = drillctl("calls", "--at", SATURDAY, "--json", state=tmp_path).document
    assert (found["at"], found["working_day"], found["working_day_by"]) == (f"{SATURDAY}:00+08:00", False, "calendar")
    assert found["own"][0]["phones"] == ["021-5550 0101", "021-5550 0201"]
    sscc = {item["id"]: item for item in found["contacts"] if item["kind"] == "sscc"}
    assert [item["id"] for item in sscc.values() if item["answering"] == "now"] == ["sscc-operations"]
    assert sscc["sscc-network"]["answers_next_at"] == "2026-11-23T08:30:00+08:00"


def test_a_make_up_workday_can_be_stated(tmp_path: Path) -> None:
    at = ("--at", "2026-11-21T10:00", "--json")
    found = drillctl("calls", *at, "--working-day", state=tmp_path).document
    states = {item["id"]: item["answering"] for item in found["contacts"]}
    assert (states["sscc-network"], found["working_day_by"]) == ("now", "stated")
    other = drillctl("calls", "--at", "2026-11-20T18:00:00-08:00", "--json", state=tmp_path).document
    assert other["at"] == "2026-11-21T10:00:00+08:00"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--at", "yesterday"), 2, "--at: expected a time as 2026-11-21T03:00, found 'yesterday'"),
        (("--purpose", "pizza"), 2, "--purpose: expected a kind (carrier, clearing"),
        (("--run", "nope"), 3, "NO_RUN"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    one_line(drillctl("calls", *arguments, state=tmp_path), code, said)


def test_it_works_while_the_rest_of_the_inventory_is_being_edited(tmp_path: Path) -> None:
    broken = tmp_path / "inventory" / "example"
    broken.mkdir(parents=True)
    (broken / "topology.yml").write_text("site: {name: example}\nfronts: [", encoding="utf-8")
    (broken / "people.yml").write_bytes((ROOT / "inventory/example/people.yml").read_bytes())
    said = drillctl("calls", "--at", SATURDAY, "--site", str(broken), state=tmp_path)
    assert said.code == 0, said.err
    assert "Asia/Shanghai" in said.out


def test_wrong_hours_are_named_with_file_line_and_field(tmp_path: Path) -> None:
    site = tmp_path / "inventory" / "example"
    site.mkdir(parents=True)
    (site / "topology.yml").write_text("site: {name: example}\n", encoding="utf-8")
    text = (ROOT / "inventory/example/people.yml").read_text("utf-8").replace('to: "17:00"', "to: 17:00", 1)
    (site / "people.yml").write_text(text, encoding="utf-8")
    said = drillctl("calls", "--site", str(site), state=tmp_path)
    line = next(number for number, part in enumerate(text.splitlines(), 1) if "to: 17:00" in part)
    assert said.code == 2
    assert f'{site}/people.yml:{line}: contacts.1.answers.0.to: expected a time in quotes, as "17:00"' in said.err


def test_calls_are_noted_for_a_run_and_shown_with_it(tmp_path: Path) -> None:
    run = left(tmp_path)
    placed = drillctl(
        "calls", "placed", run.id, "sscc-operations", "--note", "no session", "--by", "li", state=tmp_path
    )
    assert placed.code == 0, placed.err
    assert placed.out.startswith(
        "noted: Shenzhen Securities Communication 深圳证券通信有限公司 (sscc-operations): called"
    )
    answered = drillctl(
        "calls", "answered", run.id, "sscc-operations", "--by", "Mr Zhou", "--json", state=tmp_path
    ).document
    assert (answered["call"]["answered_by"], answered["attended"]) == ("Mr Zhou", True)
    shown = drillctl("calls", "--run", run.id, "--json", state=tmp_path).document["calls"]
    assert [(item["did"], item["contact"]) for item in shown] == [
        ("placed", "sscc-operations"),
        ("answered", "sscc-operations"),
    ]
    assert "called by li: no session" in drillctl("calls", "--run", run.id, state=tmp_path).out
    status = drillctl("status", run.id, "--json", state=tmp_path).document
    assert [item["note"] for item in status["calls"]] == ["no session", ""]
    assert "answered by Mr Zhou" in " ".join(drillctl("status", run.id, state=tmp_path).out.split())
    with run.journal() as journal:
        one, two = journal.waiting(run.id)
    assert (one.topic, two.topic, one.data["at"] <= two.data["at"]) == ("call", "call", True)
    assert abs(datetime.now().astimezone().timestamp() - one.data["at"]) < 60


def test_where_nobody_is_at_work_it_says_when_the_call_goes_on_record(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.kill()
    said = drillctl("calls", "placed", run.id, "zhang", state=tmp_path)
    assert said.code == 0
    assert f"`drillctl resume {run.id}` puts it on record" in said.out


def test_a_wrong_call_is_refused_and_not_noted(tmp_path: Path) -> None:
    run = left(tmp_path)
    one_line(
        drillctl("calls", "placed", run.id, "nobody", state=tmp_path), 2, "CONTACT: expected an id of people.yml ("
    )
    one_line(drillctl("calls", "placed", "nope", "zhang", state=tmp_path), 3, "NO_RUN")
    one_line(drillctl("calls", "answered", run.id, "zhang", state=tmp_path), 2, "--by")
    one_line(drillctl("calls", "answered", run.id, "zhang", "--by", " ", state=tmp_path), 2, "--by: expected a name")
    run.close()
    one_line(drillctl("calls", "placed", run.id, "zhang", state=tmp_path), 3, "RUN_CLOSED", "its record is complete")
    with run.journal() as journal:
        assert journal.waiting(run.id) == []
