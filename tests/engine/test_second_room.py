"""The first controller's machine is gone in mid-run; another one goes on from the copy in the second room alone."""

import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.engine.run import End, locks_of
from orchestrator.errors import NeedsPerson, Refused, Superseded
from orchestrator.journal import BEHIND, Mirror, Room, SqliteJournal, chain_is_valid, read_copied
from orchestrator.journal.copied import EPOCHS_AHEAD
from orchestrator.model.drill import Mode
from orchestrator.model.event import EventKind
from orchestrator.model.verdict import Restoration, RunOutcome
from tests.cli.journals import left
from tests.cli.test_second_room import WHO, mirrored
from tests.engine.cuts import LATE_S, SOON_S, Night
from tests.engine.sim import SimClock
from tests.engine.test_engine import FUTIAN, Stage, Stager
from tests.engine.test_promotion import WHY, once, say
from tests.engine.test_promotion import drill as real_drill
from tests.support.command import drillctl
from tests.support.permits import permit_for

DRILL = "single-carrier-failure"
SAID = {"by": "li", "reason": "the first room has no power"}
WELL = (Restoration.PROVED, Restoration.NOT_APPLICABLE)


class TwoRooms(Stager):
    """Stages whose journal has a copy."""

    def __init__(self, folder: Path, deadline_s: float = 30.0) -> None:
        super().__init__(folder / "first")
        self.room = Room(folder / "room", "example")
        self.room.prepare()
        self.deadline_s = deadline_s

    def journal(self, clock: SimClock) -> SqliteJournal:
        path = self.folder / "journal.db"
        self.folder.mkdir(exist_ok=True)
        self.journals.append(SqliteJournal(path, clock, mirror=Mirror(self.room, path, self.deadline_s)))
        return self.journals[-1]

    def second(self, clock: SimClock) -> SqliteJournal:
        """The second controller's journal, with the same room."""
        path = self.folder.parent / "second" / "journal.db"
        self.journals.append(SqliteJournal(path, clock, mirror=Mirror(self.room, path, self.deadline_s)))
        return self.journals[-1]

    def lose(self, night: Night, lines: int | None = None) -> None:
        """The first controller is no more; `lines`: as far as this its copy came."""
        self.close()
        self.journals.clear()
        night.stage.world.lose_controller()
        shutil.rmtree(self.folder)
        if lines is not None:
            events = self.room.run("r1").events
            events.write_bytes(b"".join(events.read_bytes().splitlines(keepends=True)[:lines]))

    def take_over(self, night: Night) -> None:
        """On the second controller, from the copy alone."""
        home = self.folder.parent / "second"
        journal = SqliteJournal(home / "journal.db", night.stage.world.clock)
        self.journals.append(journal)
        copied = read_copied(self.room.run("r1"), "r1")
        journal.adopt(copied, copied.next_epoch, home / "r1", SAID)
        night.stage = replace(night.stage, journal=journal, folder=home / "r1")


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[TwoRooms]:
    stager = TwoRooms(tmp_path)
    yield stager
    stager.close()


def repeated(night: Night) -> list[tuple[str, str]]:
    """Effects that were had more than once, though nothing of them may be."""
    counted = Counter(item for item in night.stage.world.effects if item[0] in ("inject", "repoint", "path", "restart"))
    return [item for item, times in counted.items() if times > 1]


@contextmanager
def gone_on(folder: Path, kill_at: int | str, after_s: float, lines: int | None = None) -> Iterator[Night]:
    """A run that was killed there, and brought to its end from the copy."""
    folder.mkdir(parents=True)
    with closing(TwoRooms(folder)) as stager:
        night = Night(stager(DRILL))
        assert night.start(kill_at) is None
        stager.lose(night, lines)
        stager.take_over(night)
        night.finish(after_s)
        night.examine()
        assert repeated(night) == [], (night.killed_at, lines)
        assert night.stage.world.forbidden == set(), "no call of the first controller is taken for one that never began"
        yield night


def contacts_of(folder: Path) -> int:
    with closing(Stager(folder)) as stager:
        night = Night(stager(DRILL))
        assert night.start() is End.CLOSED
        return night.stage.world.contacts.count


def length_of(folder: Path, kill_at: str) -> int:
    with closing(Stager(folder)) as stager:
        night = Night(stager(DRILL))
        assert night.start(kill_at) is None, f"it never comes to {kill_at}"
        return len(night.events)


@pytest.mark.parametrize("after_s", [SOON_S, LATE_S])
def test_a_controller_lost_at_any_contact_is_survived_from_the_copy_alone(tmp_path: Path, after_s: float) -> None:
    (tmp_path / "count").mkdir()
    total, stride = contacts_of(tmp_path / "count"), 23
    outcomes = []
    for kill_at in range(1 + 7 * (after_s == LATE_S), total, stride):
        with gone_on(tmp_path / str(kill_at), kill_at, after_s) as night:
            verdict = night.verdict()
            assert verdict.restoration in WELL, (night.killed_at, verdict)
            assert chain_is_valid(night.events)
            outcomes.append(verdict.outcome)
    assert RunOutcome.FAILED not in outcomes
    assert after_s == LATE_S or RunOutcome.PASSED in outcomes, "one that was switching goes on and passes"


@pytest.mark.parametrize("where", ["target of repoint-1-1", "after done repoint-1", "lifted", "after done settle-back"])
def test_a_copy_that_lost_its_end_makes_nothing_happen_twice(tmp_path: Path, where: str) -> None:
    """It can never prove that it is whole: what it has not heard of may have been begun all the same."""
    (tmp_path / "count").mkdir()
    for lines in range(1, length_of(tmp_path / "count", where), 5):
        with gone_on(tmp_path / str(lines), where, SOON_S, lines) as night:
            assert night.verdict().restoration in WELL or night.accepted, (lines, night.verdict())


def test_a_step_whose_intent_was_lost_is_looked_at_before_it_is_begun(rooms: TwoRooms) -> None:
    night = Night(rooms(DRILL))
    assert night.start("after done repoint-1") is None
    intent = next(item.seq for item in night.events if (item.kind, item.step) == (EventKind.INTENT, "repoint-1"))
    done = night.stage.touched("repoint")
    assert done
    rooms.lose(night, intent - 1)
    rooms.take_over(night)
    assert night.finish().outcome is RunOutcome.PASSED
    night.examine()
    assert night.stage.touched("repoint") == done, "everything was done already"
    assert "repoint-1" in night.stage.world.looks
    supposed = [item for item in night.events if item.data.get("supposed") and item.step == "repoint-1"]
    assert len(supposed) == 1


def test_an_incident_goes_forward_from_the_copy(rooms: TwoRooms) -> None:
    night = Night(rooms("single-centre-failure", mode=Mode.INCIDENT))
    assert night.start("target of repoint-1-1") is None
    rooms.lose(night)
    rooms.take_over(night)
    assert night.finish().restoration is Restoration.NOT_APPLICABLE
    night.examine()
    assert night.end is End.CLOSED
    assert repeated(night) == []
    assert night.stage.touched("repoint") == sorted(FUTIAN)


def test_a_run_that_was_not_taken_over_is_in_the_copy_whole(rooms: TwoRooms) -> None:
    night = Night(rooms(DRILL))
    assert night.start() is End.CLOSED
    copied = read_copied(rooms.room.run("r1"), "r1")
    assert copied.events == night.events
    assert (copied.is_closed, copied.torn) == (True, 0)
    assert BEHIND not in [item.data.get("what") for item in night.events]


def test_an_intent_is_in_the_copy_before_its_effect(rooms: TwoRooms) -> None:
    night = Night(rooms(DRILL))
    seen: list[bool] = []

    def look(step: object) -> None:
        del step
        events = read_copied(rooms.room.run("r1"), "r1").events
        seen.append(events == night.events and events[-1].kind in (EventKind.INTENT, EventKind.UNDO_INTENT))

    night.stage.world.before_act = look
    assert night.start() is End.CLOSED
    assert seen
    assert all(seen)


def test_the_token_of_the_second_controller_is_far_above_any_of_the_first(rooms: TwoRooms) -> None:
    night = Night(rooms(DRILL))
    assert night.start("target of repoint-1-1") is None
    rooms.lose(night)
    rooms.take_over(night)
    assert night.resume("armed") is None
    assert night.stage.world.token == 1 + EPOCHS_AHEAD + 1


def test_a_torn_last_line_is_left_out_and_a_changed_one_refused(rooms: TwoRooms) -> None:
    night = Night(rooms(DRILL))
    assert night.start("target of repoint-1-1") is None
    whole, events = night.events, rooms.room.run("r1").events
    rooms.close()
    with events.open("ab") as file:
        file.write(b'{"epoch":1,"event":{"ru')
    copied = read_copied(rooms.room.run("r1"), "r1")
    assert (copied.events, copied.torn) == (whole, 23)
    lines = events.read_bytes().splitlines()
    changed = json.loads(lines[3])
    changed["event"]["data"] = {"state": "holding"}
    events.write_bytes(b"\n".join([*lines[:3], json.dumps(changed).encode(), *lines[4:-1]]) + b"\n")
    with pytest.raises(NeedsPerson, match="unbroken chain"):
        read_copied(rooms.room.run("r1"), "r1")


def test_a_copy_that_hangs_holds_the_run_up_once_and_catches_up(tmp_path: Path) -> None:
    stager = TwoRooms(tmp_path, deadline_s=0.2)
    play = stager(DRILL)
    pipe = stager.room.run("r1").events
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)  # who opens it hangs, as on a mount whose server is gone
    night = Night(play)
    began = time.monotonic()
    assert night.start() is End.CLOSED
    took_s = time.monotonic() - began
    notes = [item for item in night.events if item.data.get("what") == BEHIND]
    assert len(notes) == 1
    assert "has not answered within 0.2 s" in notes[0].data["text"]
    assert night.verdict().outcome is RunOutcome.PASSED
    assert took_s < 30, "nothing but the first event waited"
    pipe.rename(pipe.with_suffix(".old"))
    writer = threading.Thread(target=lambda: pipe.with_suffix(".old").open("wb").close())
    writer.start()  # its server is back: what hung goes on
    writer.join(10)
    events = night.events
    stager.close()
    mirror = Mirror(stager.room, stager.folder / "journal.db", 30.0)
    assert mirror.keep_up("r1", len(events)) is None
    assert read_copied(stager.room.run("r1"), "r1").events == events
    mirror.close()


def test_a_room_that_is_not_mounted_is_not_written_to(tmp_path: Path) -> None:
    stager = TwoRooms(tmp_path)
    (stager.room.home / "second-room.json").unlink()
    night = Night(stager(DRILL))
    assert night.start() is End.CLOSED
    (note,) = [item for item in night.events if item.data.get("what") == BEHIND]
    assert "not mounted" in note.data["text"]
    assert list(stager.room.home.iterdir()) == []
    stager.close()


def test_a_first_controller_that_comes_back_finds_its_run_taken_over(rooms: TwoRooms) -> None:
    night = Night(rooms(DRILL))
    assert night.start("target of repoint-1-1") is None
    marker = rooms.room.run("r1").taken_over
    marker.write_text(json.dumps({**SAID, "epoch": 1001, "machine": "there", "at": 0.0}), encoding="utf-8")
    night.stage.world.pass_time(SOON_S)
    with pytest.raises(Refused, match="TAKEN_OVER"):
        night.stage.journal.take_over("r1", "tester")
    before = len(night.events)
    with pytest.raises(Superseded, match="li"):
        night.stage.journal.append("r1", 1, EventKind.NOTE, {"what": "aborted", "text": "x"})
    assert len(night.events) == before


def test_what_is_here_already_is_not_taken_in_again(rooms: TwoRooms) -> None:
    night = Night(rooms(DRILL))
    assert night.start("target of repoint-1-1") is None
    rooms.lose(night)
    rooms.take_over(night)
    with pytest.raises(Refused, match="HERE_ALREADY"):
        night.stage.journal.adopt(read_copied(rooms.room.run("r1"), "r1"), 2000, night.stage.folder, SAID)
    with pytest.raises(Refused, match="NO_COPY"):
        read_copied(rooms.room.run("r2"), "r2")


def begin(journal: SqliteJournal, play: Stage, run: str = "r1") -> None:
    locks = locks_of(play.plan, play.topology)
    journal.open_run(run, play.plan, play.folder / run, "wang", locks, {}, permit_for(play.plan))


def said_behind(journal: SqliteJournal, run: str) -> list[str]:
    return [item.data["text"] for item in journal.events(run) if item.data.get("what") == BEHIND]


def test_what_is_open_in_the_copy_is_locked_for_the_second_controller_too(rooms: TwoRooms) -> None:
    play = rooms(DRILL)
    begin(play.journal, play)
    second = rooms.second(play.world.clock)
    with pytest.raises(Refused, match=r"LOCKED: .* held by run r1 of wang.*`drillctl second-room take-over r1`"):
        begin(second, play, "r2")
    assert second.runs() == []
    second.open_run("r3", play.plan, play.folder / "r3", "wang", ["something else"], {}, permit_for(play.plan))
    copied = read_copied(rooms.room.run("r1"), "r1")
    second.adopt(copied, copied.next_epoch, play.folder / "r1", SAID)
    with pytest.raises(Refused, match=r"held by run r1 of wang .*`drillctl status r1`"):
        begin(second, play, "r2")


@pytest.mark.parametrize("torn", [b"", b'{"epoch":1,"ev'])
def test_what_is_closed_in_the_copy_holds_nothing(rooms: TwoRooms, torn: bytes) -> None:
    play = rooms(DRILL)
    begin(play.journal, play)
    play.journal.append("r1", 1, EventKind.CLOSED, {})
    with rooms.room.run("r1").events.open("ab") as file:
        file.write(torn)
    second = rooms.second(play.world.clock)
    begin(second, play, "r2")
    assert said_behind(second, "r2") == []


def test_a_room_that_is_away_holds_no_new_run_up_and_that_is_said_once(tmp_path: Path) -> None:
    with closing(TwoRooms(tmp_path)) as rooms:
        play = rooms(DRILL)
        begin(play.journal, play)
        (rooms.room.home / "second-room.json").unlink()
        second = rooms.second(play.world.clock)
        begin(second, play, "r2")
        second.append("r2", 1, EventKind.INTENT, {"verb": "arm", "targets": []}, "arm", 1)
        (text,) = said_behind(second, "r2")
        assert "whether another controller has a run open is not known" in text
        assert "not mounted" in text


def test_a_room_that_hangs_holds_a_new_run_up_once(tmp_path: Path) -> None:
    with closing(TwoRooms(tmp_path, deadline_s=0.2)) as rooms:
        play = rooms(DRILL)
        pipe = rooms.room.run("r0").opening
        pipe.parent.mkdir(parents=True)
        os.mkfifo(pipe)
        began = time.monotonic()
        begin(play.journal, play)
        assert time.monotonic() - began < 5
        (text,) = said_behind(play.journal, "r1")
        assert text.endswith("its disk has not answered within 0.2 s")
        pipe.open("wb").close()  # its server is back: what hung ends


@pytest.mark.parametrize("opening", ["", "[]", "{}"])
def test_a_copy_that_cannot_be_read_hides_no_run_that_is_open(rooms: TwoRooms, opening: str) -> None:
    play = rooms(DRILL)
    damaged = rooms.room.run("r0").opening
    damaged.parent.mkdir(parents=True)
    damaged.write_text(opening, encoding="ascii")
    begin(play.journal, play)
    (text,) = said_behind(play.journal, "r1")
    assert f"{damaged.parent}: expected the copy of a run" in text
    play.journal.append("r1", 1, EventKind.INTENT, {"verb": "arm", "targets": []}, "arm", 1)
    assert read_copied(rooms.room.run("r1"), "r1").events == play.journal.events("r1"), "it is copied all the same"
    with pytest.raises(Refused, match="LOCKED"):
        begin(rooms.second(play.world.clock), play, "r2")


@dataclass(frozen=True)
class SlowRoom(Room):
    """Answers when it is let."""

    let: threading.Event

    def check(self) -> None:
        self.let.wait(10)
        super().check()


def test_a_promotion_is_in_the_copy_before_the_run_goes_by_it(rooms: TwoRooms) -> None:
    room = rooms.room = SlowRoom(rooms.room.home, "example", threading.Event())
    room.let.set()
    play = rooms("single-centre-failure", mode=Mode.DRILL)
    begin(play.journal, play)
    say(play)
    room.let.clear()
    threading.Timer(0.3, room.let.set).start()
    taken = play.journal.take("r1", 1, play.journal.waiting("r1")[0])
    assert read_copied(room.run("r1"), "r1").events[-1] == taken
    assert taken.data["by"] == WHY["by"]


def test_a_promotion_that_was_lost_with_the_copys_end_is_said_again_before_the_run_goes_on(rooms: TwoRooms) -> None:
    play = real_drill(rooms)
    once(play, lambda: bool(play.touched("repoint")) and play.world.fault is not None)
    night = Night(play)
    assert night.start("after undo_done lift") is None
    promoted = next(item.seq for item in night.events if item.kind is EventKind.MESSAGE)
    rooms.lose(night, promoted - 1)
    rooms.take_over(night)
    say(night.stage)
    assert night.finish().restoration is Restoration.NOT_APPLICABLE
    assert night.end is End.CLOSED
    assert night.stage.touched("restore") == []
    assert repeated(night) == []


@pytest.mark.parametrize(("mode", "asks"), [(Mode.DRILL, True), (Mode.INCIDENT, False)])
def test_a_take_over_says_to_promote_again_where_that_is_possible(tmp_path: Path, mode: Mode, asks: bool) -> None:
    room = Room(tmp_path / "room", "example")
    room.prepare()
    run = left(tmp_path / "first", mode=mode)
    mirrored(run, room)
    more = {"DRILLCTL_SECOND_ROOM": str(room.home)}
    claim = ("take-over", run.id, *WHO, "--first-room-is-gone")
    said = drillctl("second-room", *claim, state=tmp_path / "second", more=more)
    assert said.code == 0, said.err
    assert (f"if {run.id} was promoted, promote it again before resume\n" in said.out) is asks


def test_the_copy_goes_on_where_the_first_controller_added_a_line_after_it_was_read(rooms: TwoRooms) -> None:
    play = rooms(DRILL)
    begin(play.journal, play)
    copied = read_copied(rooms.room.run("r1"), "r1")
    for _ in range(3):
        play.journal.append("r1", 1, EventKind.NOTE, {"what": "aborted", "text": "late"})
    rooms.close()  # what it had to carry over is there
    rooms.journals.clear()
    assert len(read_copied(rooms.room.run("r1"), "r1").events) == 4
    play.world.pass_time(SOON_S)
    second = rooms.second(play.world.clock)
    second.adopt(copied, copied.next_epoch, play.folder / "r1", SAID)
    epoch = second.take_over("r1", "li")
    second.append("r1", epoch, EventKind.INTENT, {"verb": "arm", "targets": []}, "arm", 1)
    assert said_behind(second, "r1") == []
    assert read_copied(rooms.room.run("r1"), "r1").events == second.events("r1")


def test_a_line_of_the_copy_that_is_nobodys_stops_it(rooms: TwoRooms) -> None:
    play = rooms(DRILL)
    begin(play.journal, play)
    play.journal.append("r1", 1, EventKind.INTENT, {"verb": "arm", "targets": []}, "arm", 1)
    events = rooms.room.run("r1").events
    lines = events.read_bytes().splitlines()
    changed = json.loads(lines[-1])
    changed["event"]["digest"] = "0" * 64
    events.write_bytes(b"\n".join([*lines[:-1], json.dumps(changed).encode()]) + b"\n")
    mirror = Mirror(rooms.room, rooms.folder / "journal.db", 30.0)
    assert "found another event 2: run r1 is not copied any more" in str(mirror.keep_up("r1", 2))
    mirror.close()
