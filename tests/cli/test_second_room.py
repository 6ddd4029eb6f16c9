"""`drillctl second-room` as an operator uses it, on runs that an orchestrator has left."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.journal import Mirror, Room, read_copied
from orchestrator.model.event import EventKind
from tests.cli.journals import Left, left
from tests.support.command import Said, drillctl

WHO = ("--by", "zhang", "--reason", "the first room has no power")
Command = Callable[..., Said]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """`drillctl second-room …` on the first controller, or on another one."""
    home = tmp_path / "room"

    def run(*arguments: str, on: str = "first", at: datetime | None = None) -> Said:
        (tmp_path / on).mkdir(exist_ok=True)
        more = {"DRILLCTL_SECOND_ROOM": str(home)}
        return drillctl("second-room", *arguments, state=tmp_path / on, more=more, at=at)

    return run


def mirrored(run: Left, room: Room) -> None:
    """Its copy is up to its journal, as after each event of a run."""
    mirror = Mirror(room, run.folder / "state" / "journal.db", 30.0)
    with run.journal() as journal:
        events = journal.events(run.id)
        mirror.beat(run.id, datetime.fromisoformat(events[-1].at).timestamp())
        assert mirror.keep_up(run.id, len(events)) is None
    mirror.close()


@pytest.fixture
def begun(tmp_path: Path) -> Left:
    """In the middle of a step, and copied."""
    room = Room(tmp_path / "room", "example")
    room.prepare()
    run = left(tmp_path / "first")
    run.begin()
    mirrored(run, room)
    return run


def test_a_run_is_taken_over_only_when_its_controller_is_silent(begun: Left, command: Command) -> None:
    refused = command("take-over", begun.id, *WHO, on="second")
    assert (refused.code, "FIRST_ROOM_AT_WORK: " in refused.err) == (3, True)
    assert not (begun.folder.parent / "second" / "reports").exists()
    later = datetime.fromtimestamp(datetime.now(UTC).timestamp() + 120, UTC)
    taken = command("take-over", begun.id, *WHO, on="second", at=later)
    assert taken.code == 0, taken.err
    assert f"drillctl resume {begun.id}" in taken.out


def test_what_was_taken_over_is_the_run_with_its_own_files_here(begun: Left, command: Command) -> None:
    with begun.journal() as journal:
        events, locks = journal.events(begun.id), journal.locks(begun.id)
    shutil.rmtree(begun.folder)
    assert command("take-over", begun.id, *WHO, "--first-room-is-gone", "--json", on="second").document["events"] == 3
    second = begun.folder.parent / "second"
    shown = drillctl("status", begun.id, "--json", state=second).document
    assert (shown["locks"], shown["chain_valid"], len(shown["events"])) == (locks, True, len(events))
    with sqlite3.connect(second / "state" / "journal.db") as database:
        folder, place, epoch = database.execute("select folder, place, epoch from run").fetchone()
    database.close()
    assert (folder, epoch) == (str(second / "reports" / begun.id), 1001)
    inventory = Path(json.loads(place)["inventory"])
    assert inventory.is_relative_to(folder)
    assert (inventory / "topology.yml").is_file()
    again = command("take-over", begun.id, *WHO, "--first-room-is-gone", on="second")
    assert (again.code, "HERE_ALREADY: " in again.err) == (3, True)


def test_the_status_says_how_far_the_copy_is_behind(begun: Left, command: Command) -> None:
    whole = command("status")
    assert (whole.code, "3 events, the last intent repoint-1 at " in whole.out) == (0, True)
    begun.tell(EventKind.NOTE, {"what": "changed_meanwhile", "text": "edited"})
    behind = command("status")
    assert (behind.code, "1 events behind the journal here" in behind.out) == (1, True)
    (found,) = command("status", "--json").document["runs"]
    assert (found["run"], found["events"], found["behind"], found["closed"]) == (begun.id, 3, 1, False)


def test_a_closed_run_is_not_taken_over(begun: Left, command: Command, tmp_path: Path) -> None:
    begun.close()
    mirrored(begun, Room(tmp_path / "room", "example"))
    said = command("take-over", begun.id, *WHO, "--first-room-is-gone", on="second")
    assert (said.code, "RUN_CLOSED: " in said.err) == (3, True)
    assert read_copied(Room(tmp_path / "room", "example").run(begun.id), begun.id).taken_over is None


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("take-over", "RUN", "--by", "nobody", "--reason", "x"), 2, "--by nobody: expected a person of people.yml"),
        (("take-over", "RUN", "--by", "zhang", "--reason", " "), 2, "--reason: expected why, found nothing"),
        (("take-over", "no-such-run", *WHO), 3, "NO_COPY: expected a copy of run no-such-run in "),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    begun: Left, command: Command, arguments: tuple[str, ...], code: int, says: str
) -> None:
    said = command(*(begun.id if item == "RUN" else item for item in arguments), on="second")
    assert (said.code, says in said.err) == (code, True), said.err
    assert not (begun.folder.parent / "second" / "reports").exists()


def test_without_a_room_or_a_mount_it_says_what_to_do(tmp_path: Path, command: Command) -> None:
    unset = drillctl("second-room", "status", state=tmp_path, more={"DRILLCTL_SECOND_ROOM": ""})
    assert (unset.code, "expected DRILLCTL_SECOND_ROOM to name the folder" in unset.err) == (3, True)
    relative = drillctl("second-room", "status", state=tmp_path, more={"DRILLCTL_SECOND_ROOM": "room"})
    assert (relative.code, "expected an absolute path, found 'room'" in relative.err) == (2, True)
    unmounted = command("status")
    assert (unmounted.code, "the folder is not mounted, or was never made ready" in unmounted.err) == (3, True)
    assert command("prepare").out.endswith("room is ready\n")
    assert command("prepare").out.endswith("room was ready already\n")
    assert command("status").out.endswith("no runs yet\n")


def test_a_copy_is_finished_by_the_next_one_and_deletes_nothing(begun: Left, command: Command, tmp_path: Path) -> None:
    reports, store = begun.folder / "reports", tmp_path / "room" / "example" / "store"
    sealed = reports / begun.id / "pack" / "SHA256SUMS"
    sealed.parent.mkdir()
    sealed.write_text("sealed", encoding="ascii")
    keys = begun.folder / "state" / "keys"
    keys.mkdir()
    (keys / "signer.key").write_text("private", encoding="ascii")
    first = command("copy", "--json").document
    there = {str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()}
    assert first["copied"] == len(there)
    assert f"reports/{begun.id}/pack/SHA256SUMS" in there
    assert "state/journal.db" in there
    assert not [name for name in there if "keys" in name]
    copied = store / "reports" / begun.id / "pack" / "SHA256SUMS"
    copied.unlink()
    copied.with_name(".SHA256SUMS.part").write_text("sea", encoding="ascii")  # it was interrupted there
    assert command("copy", "--json").document["copied"] == 2, "what was missing, and the journal"
    assert copied.read_text(encoding="ascii") == "sealed"
    assert not copied.with_name(".SHA256SUMS.part").exists()
    sealed.unlink()
    assert command("copy").code == 0
    assert copied.exists()


def test_a_sealed_file_that_differs_there_is_left_and_said(begun: Left, command: Command, tmp_path: Path) -> None:
    sealed = begun.folder / "reports" / begun.id / "pack" / "SHA256SUMS"
    sealed.parent.mkdir()
    sealed.write_text("sealed", encoding="ascii")
    assert command("copy").code == 0
    sealed.write_text("forged!", encoding="ascii")
    said = command("copy")
    copied = tmp_path / "room" / "example" / "store" / "reports" / begun.id / "pack" / "SHA256SUMS"
    assert (said.code, f"differs, left as it is there: {copied}" in said.out) == (1, True)
    assert copied.read_text(encoding="ascii") == "sealed"
