"""`drillctl resume` without a twin: what it refuses, and how a run is closed whose twin is gone."""

import json
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from orchestrator.cli.conduct import Stage
from orchestrator.cli.resume import tell_changes
from orchestrator.journal import chain_is_valid
from orchestrator.model.event import EventKind
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.wiring.places import ROOT, Place, Places
from tests.cli.journals import Left, left
from tests.support.command import Said, drillctl


def refused(said: Said, code: int, word: str) -> None:
    assert (said.code, said.out, len(said.err.splitlines())) == (code, "", 1), said.err
    assert said.err.startswith(f"drillctl: {word}")


def kinds(run: Left) -> list[EventKind]:
    with run.journal() as journal:
        return [event.kind for event in journal.events(run.id)]


def test_what_cannot_be_resumed_is_refused_by_name(tmp_path: Path) -> None:
    refused(drillctl("resume", "nope", state=tmp_path), 3, "NO_RUN: ")
    run = left(tmp_path)
    refused(drillctl("resume", run.id, state=tmp_path), 3, "RUNNING: ")
    run.close()
    refused(drillctl("resume", run.id, state=tmp_path), 3, "RUN_CLOSED: ")
    assert kinds(run) == [EventKind.OPENED, EventKind.CLOSED]


def test_a_journal_that_was_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.begin()
    run.kill()
    run.change("update event set data = '{\"state\": \"holding\"}' where kind = 'state'")
    refused(drillctl("resume", run.id, state=tmp_path), 5, f"run {run.id}: expected an unbroken journal")
    assert kinds(run) == [EventKind.OPENED, EventKind.STATE, EventKind.INTENT]


def test_an_inventory_copy_that_was_changed_is_not_gone_on_with(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.begin()
    run.kill()
    people = run.run.site.folder / "people.yml"
    people.write_text("people: []\n", encoding="utf-8")
    refused(drillctl("resume", run.id, state=tmp_path), 5, f"run {run.id}: expected its own copy of the inventory")
    with run.journal() as journal:
        assert journal.locks(run.id) != []


def test_a_run_whose_twin_is_gone_is_closed_and_its_locks_are_free(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.begin()
    run.kill()
    said = drillctl("resume", run.id, "--json", state=tmp_path)
    assert said.code == 1
    assert [line for line in said.err.splitlines() if "twin no-such-twin is gone" in line] != []
    document = said.document
    assert (document["end"], document["verdict"]["outcome"]) == ("closed", "inconclusive")
    assert document["verdict"]["restoration"] == "not_applicable"
    with run.journal() as journal:
        events = journal.events(run.id)
        assert (journal.locks(run.id), chain_is_valid(events)) == ([], True)
    assert [event.kind for event in events[-3:]] == [EventKind.RESUMED, EventKind.NOTE, EventKind.CLOSED]
    record = RunRecord.model_validate_json((Path(document["evidence"]) / "run.json").read_text(encoding="utf-8"))
    assert (record.verdict.outcome, record.verdict.restoration) == (RunOutcome.INCONCLUSIVE, Restoration.NOT_APPLICABLE)
    (found,) = record.interruptions
    assert (found.cause, found.owner_before, found.phase) == ("lost", "wang", "switching")
    assert json.loads(drillctl("status", "--json", state=tmp_path).out)["runs"][0]["state"] == "closed"


def test_a_twin_that_this_user_does_not_see_is_not_taken_for_gone(tmp_path: Path) -> None:
    """Its process lives: closing the run would free locks that are needed."""
    looks_like_it = (sys.executable, "-c", "input()", "orchestrator.twin.daemon", "/elsewhere/lab")
    with subprocess.Popen(looks_like_it, stdin=subprocess.PIPE) as daemon:
        try:
            run = left(tmp_path, place=Place("lab", daemon.pid, owned=True))
            run.begin()
            run.kill()
            refused(drillctl("resume", run.id, state=tmp_path), 3, "TWIN_HIDDEN: ")
        finally:
            daemon.kill()
    assert kinds(run) == [EventKind.OPENED, EventKind.STATE, EventKind.INTENT]
    assert drillctl("resume", run.id, state=tmp_path).code == 1


def told(run: Left, site: Path, places: Places) -> tuple[str, list[str]]:
    """What is said and noted when the run is taken up again and the site looks like this."""
    heard = StringIO()
    stage = Stage(places, site, "example", Console(file=heard, width=300), as_json=False)
    with run.journal() as journal:
        tell_changes(stage, journal, run.run)
        notes = [event.data["text"] for event in journal.events(run.id) if event.kind is EventKind.NOTE]
    return heard.getvalue(), notes


def test_an_edit_meanwhile_is_said_and_noted_and_nothing_else_is(tmp_path: Path) -> None:
    run = left(tmp_path)
    assert told(run, Path("inventory/example"), Places()) == ("", [])
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    shutil.copytree(ROOT / "drills", tmp_path / "drills")
    site = tmp_path / "inventory/example"
    assert told(run, site, Places(tmp_path)) == ("", [])
    (site / "people.yml").write_text("people: []\n", encoding="utf-8")
    said, notes = told(run, site, Places(tmp_path))
    assert (said.count("\n"), notes) == (1, [said.strip()])
    assert told(run, site, Places(tmp_path)) == (said, notes), "said again, noted once"
    assert "the inventory" in said
    assert "the drill" not in said
    (site / "topology.yml").write_text("{", encoding="utf-8")
    drill = tmp_path / "drills/single-centre-failure.yml"
    drill.write_text(drill.read_text(encoding="utf-8").replace("limit: 60", "limit: 61"), encoding="utf-8")
    said, notes = told(run, site, Places(tmp_path))
    assert f"the inventory {site} and the drill single-centre-failure changed since the run began" in said
    assert len(notes) == 2
