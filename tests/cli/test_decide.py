"""`drillctl decide` answers what is asked, and nothing else."""

from pathlib import Path

import pytest

from orchestrator.model.drill import Mode
from tests.cli.journals import WAVE, left
from tests.support.command import Said, drillctl

SURE = ("--reason", "seen on the console")


def one_line(said: Said, code: int, *words: str) -> None:
    assert (said.code, said.out, len(said.err.splitlines())) == (code, "", 1), said.err
    assert [word for word in words if word not in said.err] == []


def test_nothing_is_decided_where_nothing_is_asked(tmp_path: Path) -> None:
    run = left(tmp_path)
    one_line(drillctl("decide", run.id, "repoint-1", "done", *SURE, state=tmp_path), 2, "there is none")
    run.ask()
    one_line(
        drillctl("decide", run.id, "settle", "done", *SURE, state=tmp_path), 2, "repoint-1 (nq-trade-1, nq-trade-3)"
    )
    run.close()
    one_line(drillctl("decide", run.id, "repoint-1", "done", *SURE, state=tmp_path), 3, "RUN_CLOSED")
    one_line(drillctl("decide", "nope", "repoint-1", "done", *SURE, state=tmp_path), 3, "NO_RUN")
    with run.journal() as journal:
        assert journal.waiting(run.id) == []


def test_a_wrong_answer_is_refused_before_it_is_noted(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.ask()
    decide = ("decide", run.id, "repoint-1")
    one_line(drillctl(*decide, "perhaps", *SURE, state=tmp_path), 2, "'done', 'not-done', 'repeat'")
    one_line(drillctl(*decide, "done", state=tmp_path), 2, "--reason")
    one_line(drillctl(*decide, "done", "--reason", " ", state=tmp_path), 2, "--reason", "how you know")
    one_line(drillctl(*decide, "done", *SURE, "--target", "nq-md-1", state=tmp_path), 2, "nq-trade-1, nq-trade-3")
    with run.journal() as journal:
        assert journal.waiting(run.id) == []


def test_an_answer_is_noted_once_and_says_what_comes_next(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.ask()
    run.kill()
    decide = ("decide", run.id, "repoint-1")
    first = drillctl(*decide, "done", *SURE, "--target", WAVE[0], "--by", "zhang", state=tmp_path)
    assert (first.code, first.out) == (0, f"noted: repoint-1 done; still open: repoint-1 ({WAVE[1]})\n")
    second = drillctl(*decide, "repeat", *SURE, state=tmp_path)
    assert (second.code, second.out) == (0, f"noted: repoint-1 repeat; next: drillctl resume {run.id}\n")
    one_line(drillctl(*decide, "done", *SURE, state=tmp_path), 2, "there is none")
    with run.journal() as journal:
        one, two = journal.waiting(run.id)
    assert one.data == {
        "step": "repoint-1",
        "choice": "done",
        "reason": "seen on the console",
        "by": "zhang",
        "target": WAVE[0],
        "targets": [WAVE[0]],
        "attempt": 1,
    }
    assert (two.topic, two.data["choice"], "target" in two.data) == ("decide", "repeat", False)


def test_a_fence_is_never_declared_in_a_drill(tmp_path: Path) -> None:
    run = left(tmp_path, "gateway-host-failure", Mode.DRILL)
    run.ask("fence-1", "nq-trade-1")
    decide = ("decide", run.id, "fence-1")
    two = ("--by", "zhang", "--second", "li")
    one_line(drillctl(*decide, "done", *SURE, *two, state=tmp_path), 3, "DECLARATION_IN_DRILL", "not-done")
    assert drillctl(*decide, "not-done", *SURE, state=tmp_path).code == 0


@pytest.mark.parametrize(
    "who", [(), ("--by", "zhang"), ("--by", "zhang", "--second", "zhang"), ("--by", "zhang", "--second", "nobody")]
)
def test_in_an_incident_a_fence_is_declared_by_two_people_of_the_firm(tmp_path: Path, who: tuple[str, ...]) -> None:
    run = left(tmp_path, "gateway-host-failure", Mode.INCIDENT)
    run.ask("fence-1", "nq-trade-1")
    decide = ("decide", run.id, "fence-1", "done", *SURE)
    one_line(drillctl(*decide, *who, state=tmp_path), 3, "TWO_PEOPLE", "zhang, li, wang, chen, zhao")
    if not who:
        said = drillctl(*decide, "--by", "zhang", "--second", "li", "--json", state=tmp_path)
        assert (said.code, said.document["decided"]["second"], said.document["questions"]) == (0, "li", [])
