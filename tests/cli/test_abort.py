"""`drillctl abort` asks, and says who hears it."""

import os
from pathlib import Path

import pytest

from orchestrator.model.drill import Mode
from tests.cli.journals import left
from tests.support.command import drillctl


def test_what_is_not_there_or_closed_is_refused_by_name(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.close()
    for name, code in (("nope", "NO_RUN"), (run.id, "RUN_CLOSED")):
        said = drillctl("abort", name, state=tmp_path)
        assert (said.code, said.out) == (3, "")
        assert said.err.startswith(f"drillctl: {code}: ")
        assert len(said.err.splitlines()) == 1
    with run.journal() as journal:
        assert journal.waiting(run.id) == []


def test_it_is_noted_for_whoever_takes_the_run_over(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.kill()
    said = drillctl("abort", run.id, "--reason", "the exchange asks", state=tmp_path)
    assert (said.code, len(said.out.splitlines())) == (0, 1)
    assert f"`drillctl resume {run.id}` carries it out" in said.out
    with run.journal() as journal:
        (message,) = journal.waiting(run.id)
    assert (message.topic, message.data["reason"]) == ("abort", "the exchange asks")
    shown = drillctl("status", state=tmp_path).out
    assert "asked for an abort: the exchange asks" in shown


@pytest.mark.parametrize(("mode", "does"), [(Mode.REHEARSAL, "goes back"), (Mode.INCIDENT, "stops and holds")])
def test_an_orchestrator_that_is_at_work_is_named(tmp_path: Path, mode: Mode, does: str) -> None:
    run = left(tmp_path, mode=mode)
    said = drillctl("abort", run.id, state=tmp_path)
    assert (said.code, said.out) == (0, f"asked: process {os.getpid()} of wang {does} now\n")
    document = drillctl("abort", run.id, "--json", state=tmp_path).document
    assert (document["state"], document["pid"]) == ("running", os.getpid())


def test_a_run_can_be_stopped_while_its_inventory_is_being_edited(tmp_path: Path) -> None:
    run = left(tmp_path)
    broken = tmp_path / "inventory" / "example"
    broken.mkdir(parents=True)
    (broken / "topology.yml").write_text("site: {name: example}\nfronts: [", encoding="utf-8")
    for arguments in (("abort", run.id), ("status", run.id), ("lever", "engage", "--reason", "stop")):
        assert drillctl(*arguments, "--site", str(broken), state=tmp_path).code == 0
