"""`drillctl serve` over days, killed and begun again: each thing once, nothing late, and everybody is told."""

import json
import signal
import socket
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from orchestrator.guarding import files
from orchestrator.model.drill import Mode
from tests.adapters.webhooks import receiver
from tests.cli.journals import left
from tests.cli.serving import SCHEDULE, Served, at, until
from tests.evidence.years import Book, moved
from tests.report import record_example

ENTRY = "tryout/2026-11-01"  # on Saturday the 14th, at 14:00
EVE, DAY, BEGINS = at("2026-11-13 08:00"), at("2026-11-14 08:00"), at("2026-11-14 14:00")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served.made(tmp_path)


def lines_of(out: str, *words: str) -> list[str]:
    return [line for line in out.splitlines() if all(word in line for word in words)]


def test_an_entry_is_told_the_day_before_and_on_its_day_and_its_rehearsal_begins_once(served: Served) -> None:
    with receiver() as taker:
        served.hook(taker.port)
        eve = served.once(EVE)
        assert eve.code == 0, eve.err
        assert len(lines_of(eve.out, "tomorrow, 2026-11-14 14:00", ENTRY)) == 1
        assert lines_of(served.once(EVE + MINUTE).out, ENTRY) == []
        assert len(lines_of(served.once(DAY).out, "today, 2026-11-14 14:00", ENTRY)) == 1
        served.once(BEGINS - MINUTE)
        assert served.begun == []
        begins = served.once(BEGINS)
        assert len(lines_of(begins.out, ENTRY, "its rehearsal has begun")) == 1
        wait_for(served, 1)
        ended = served.once(BEGINS + 5 * MINUTE)
        assert len(lines_of(ended.out, ENTRY, "ended with exit code 0")) == 1
        assert lines_of(served.once(BEGINS + 60 * MINUTE).out, ENTRY) == []
    assert [item["words"] for item in served.begun] == [
        ["single-centre-failure", "--set", "centre=futian", "--site", str(served.site)]
    ]
    told = [item["id"] for item in taker.taken if "tryout" in item["id"]]
    assert told == [f"example-tryout-2026-11-01-{which}-2026-11-14" for which in ("eve", "today")]
    text = next(item for item in taker.taken if item["id"] == told[0])["text"]
    assert "明日开展" in text["zh"]
    assert "自动开始" in text["zh"]


def wait_for(served: Served, count: int) -> None:
    """Rehearsals are processes of their own; a guard has claimed them before the server says that they have begun."""
    end = time.monotonic() + 20
    while len(served.begun) < count:
        assert time.monotonic() < end, f"expected {count} rehearsals, found {served.begun}"
        time.sleep(0.05)


def test_a_rehearsal_that_was_missed_is_never_begun_late(served: Served) -> None:
    served.once(EVE)
    late = served.once(BEGINS + timedelta(hours=6))
    assert len(lines_of(late.out, ENTRY, "was missed; it is on the ledger")) == 1
    assert served.begun == []
    assert served.missed == [f"example:{ENTRY}"]
    assert lines_of(served.once(BEGINS + timedelta(hours=7)).out, ENTRY) == []
    assert served.missed == [f"example:{ENTRY}"]
    assert served.verifies()


def test_a_drill_that_began_in_time_and_is_not_over_is_not_missed(served: Served) -> None:
    book = Book(served.folder / "reports" / "ledger")
    rule = SCHEDULE.replace("mode: rehearsal", "mode: drill").replace("grace_h: 6", "grace_h: 1")
    (served.site / "schedule.yml").write_text(rule, encoding="utf-8")
    run = moved(record_example.passed(), EVE.date())
    book.clock.at = run.started_at
    book.open(run)
    assert f"example:{ENTRY}" not in (served.once(at("2026-11-20 09:00")), served.missed)[1]
    book.clock.at = at("2026-11-20 09:30").timestamp()
    book.close(run)
    assert f"example:{ENTRY}" not in (served.once(at("2026-11-20 10:00")), served.missed)[1]


def test_what_is_missed_and_what_is_overdue_raises_an_alarm_once(served: Served) -> None:
    with receiver() as taker:
        served.hook(taker.port)
        for day in ("2026-11-20 09:00", "2026-11-20 09:01", "2026-12-02 09:00", "2026-12-02 09:01"):
            assert served.once(at(day)).code == 0
    kinds = Counter(item["id"] for item in taker.taken if item["kind"] == "missed")
    assert set(kinds.values()) == {1}
    assert "example-tryout-2026-11-01-missed" in kinds
    assert "example-tryout-overdue-2026-12-01" in kinds
    assert Counter(served.missed) == Counter(set(served.missed))


def test_a_drill_is_never_begun_and_without_a_window_that_is_said(served: Served) -> None:
    listed = served.run(EVE, "schedule", "list", "--from", "2026-11-01", "--json").document["entries"]
    begins = next(item["begins"] for item in listed if item["rule"] == "host")
    with receiver() as taker:
        served.hook(taker.port)
        said = served.once(at(begins.replace("T", " ")))
        again = served.once(at(begins.replace("T", " ")) + MINUTE)
    assert len(lines_of(said.out, "OUTSIDE_WINDOW", "host/2026-11-01")) == 1
    assert lines_of(again.out, "host/2026-11-01") == []
    assert served.begun == []
    assert sum("host-2026-11-01-outside_window" in item["id"] for item in taker.taken) == 1
    assert "gw-a1" not in json.dumps(taker.taken)


def test_a_rehearsal_on_a_day_of_which_nobody_knows_is_refused_by_name(tmp_path: Path) -> None:
    served = Served.made(tmp_path, SCHEDULE.replace("starts: 2026-11-01", "starts: 2027-02-01"))
    listed = served.run(EVE, "schedule", "list", "--from", "2027-02-01", "--json").document["entries"]
    entry = next(item for item in listed if item["rule"] == "tryout")
    assert entry["state"] == "provisional"
    said = served.once(at(entry["begins"].replace("T", " ")))
    assert len(lines_of(said.out, "SCHEDULE_PROVISIONAL", entry["id"])) == 1
    assert served.begun == []


def test_the_lever_holds_a_rehearsal_back_until_it_is_released(served: Served) -> None:
    assert served.run(DAY, "lever", "engage", "--reason", "a fire").code == 0
    assert len(lines_of(served.once(BEGINS).out, "LEVER", "a fire")) == 1
    assert served.begun == []
    assert served.run(DAY, "lever", "release").code == 0
    served.once(BEGINS + MINUTE)
    wait_for(served, 1)


def test_what_was_claimed_and_is_lost_is_said_and_never_begun_again(served: Served) -> None:
    folder = served.state / "serve" / "rehearsals" / "tryout-2026-11-01"
    folder.mkdir(parents=True)
    files.claim(folder, {"pid": 1, "at": time.time(), "mono": 0.0, "started": 0, "boot": "another"}, lock=False)
    with receiver() as taker:
        served.hook(taker.port)
        said = served.once(BEGINS)
        again = served.once(BEGINS + MINUTE)
    assert len(lines_of(said.out, ENTRY, "nobody knows how its rehearsal ended")) == 1
    assert lines_of(again.out, ENTRY) == []
    assert served.begun == []
    assert "example-tryout-2026-11-01-ended" in [item["id"] for item in taker.taken]


def test_a_rehearsal_that_did_not_pass_is_told_and_not_begun_again(served: Served) -> None:
    (served.folder / "count.code").write_text("3", encoding="ascii")
    with receiver() as taker:
        served.hook(taker.port)
        served.once(BEGINS)
        wait_for(served, 1)
        said = served.once(BEGINS + MINUTE)
        served.once(BEGINS + 2 * MINUTE)
    assert len(lines_of(said.out, ENTRY, "ended with exit code 3")) == 1
    assert len(served.begun) == 1
    (told,) = [item for item in taker.taken if item["id"].endswith("-ended")]
    assert "exit code 3" in told["text"]["en"]


def test_audits_come_at_their_interval_and_tell_only_what_is_new(served: Served) -> None:
    with receiver() as taker:
        served.hook(taker.port)
        assert lines_of(served.once(EVE).out, "audit: 0 errors, 0 new findings")
        assert lines_of(served.once(EVE + timedelta(hours=23)).out, "audit:") == []
        topology = served.site / "topology.yml"
        whole = topology.read_text(encoding="utf-8")
        topology.write_text(worse(whole), encoding="utf-8")
        worse_now = served.once(EVE + timedelta(hours=24, minutes=5))
        assert lines_of(worse_now.out, "audit:", "new findings (")
        same = served.once(EVE + timedelta(hours=48, minutes=10))
        assert lines_of(same.out, "audit:", "0 new findings")
        schedule = served.site / "schedule.yml"
        schedule.write_text(f"audit_every_hours: 1\n{SCHEDULE}", encoding="utf-8")
        assert lines_of(served.once(EVE + timedelta(hours=49, minutes=15)).out, "audit:", "0 new findings")
    (told,) = [item for item in taker.taken if item["kind"] == "audit"]
    assert "drillctl audit" in told["text"]["zh"]
    kept = json.loads((served.state / "serve" / "audit.json").read_text(encoding="utf-8"))
    assert any(item["result"] == "violated" for item in kept["findings"])


def worse(topology: str) -> str:
    """The first gateway that lists several servers lists but the first of them."""
    lines = topology.splitlines(keepends=True)
    found = next(number for number, line in enumerate(lines) if "servers: [" in line and line.count(",") > 1)
    head, _, rest = lines[found].partition("servers: [")
    first, _, more = rest.partition(",")
    lines[found] = f"{head}servers: [{first}]{more.partition(']')[2]}"
    return "".join(lines)


def test_a_round_is_one_document_where_one_asks_for_it(served: Served) -> None:
    said = served.run(EVE, "serve", "--once", "--json")
    assert (said.document["site"], said.document["in_trouble"]) == ("example", False)
    assert [item["text"] for item in said.document["said"]] == [line[25:] for line in said.err.splitlines()]
    wrong = served.run(EVE, "serve", "--json")
    assert (wrong.code, wrong.out) == (2, "")
    assert "--json: expected --once with it" in wrong.err


def test_a_file_that_is_wrong_is_said_and_keeps_nothing_else_from_its_turn(served: Served) -> None:
    (served.site / "schedule.yml").write_text("starts: yesterday\n", encoding="utf-8")
    said = served.once(EVE)
    assert said.code == 1
    assert lines_of(said.out, "schedule: cannot be done", "schedule.yml:1: starts")
    (served.site / "schedule.yml").unlink()
    right = served.once(EVE)
    assert (right.code, lines_of(right.out, "cannot be done")) == (0, [])
    assert lines_of(right.out, "audit:")


def test_a_run_that_lost_its_orchestrator_is_told_once_with_the_command(tmp_path: Path) -> None:
    served = Served.made(tmp_path)
    run = left(tmp_path)
    run.begin()
    later = datetime.now(UTC) + timedelta(hours=1)
    with receiver() as taker:
        served.hook(taker.port)
        said = served.once(later)
        assert len(lines_of(said.out, run.id, f"drillctl resume {run.id} --site {served.site}")) == 1
        assert lines_of(served.once(later + timedelta(hours=2)).out, run.id) == []
    (told,) = [item for item in taker.taken if item["kind"] == "unattended"]
    assert (told["run"], told["mode"]) == (run.id, "rehearsal")
    assert f"drillctl resume {run.id}" in told["text"]["zh"]


def test_a_run_that_waits_for_a_person_for_too_long_is_told_once(served: Served) -> None:
    run = left(served.folder)
    run.ask()
    soon, late = datetime.now(UTC) + 20 * MINUTE, datetime.now(UTC) + 40 * MINUTE
    with receiver() as taker:
        served.hook(taker.port)
        assert lines_of(served.once(soon).out, run.id) == []
        assert len(lines_of(served.once(late).out, run.id, "waiting", "repoint-1")) == 1
        assert lines_of(served.once(late + 60 * MINUTE).out, run.id) == []
    (told,) = [item for item in taker.taken if item["kind"] == "unattended"]
    assert f"drillctl resume {run.id}" in told["text"]["en"]


def test_the_clock_of_a_run_that_nobody_is_at_work_on_goes_on(served: Served) -> None:
    run = left(served.folder, "beijing-dr-cutover", Mode.INCIDENT)
    hours = [datetime.now(UTC) + timedelta(hours=number) for number in (23, 25, 26, 49)]
    with receiver() as taker:
        served.hook(taker.port)
        said = [lines_of(served.once(moment).out, run.id, " has passed with ") for moment in hours]
    assert [len(lines) for lines in said] == [0, 1, 0, 1]
    told = [item["id"] for item in taker.taken if item["kind"] == "alarm"]
    assert told == [f"{run.id}-alarm-d1", f"{run.id}-alarm-d2"]


def test_a_second_server_of_a_site_is_refused_by_name(served: Served) -> None:
    with served.serving(EVE) as first:
        until(first, "serving site example")
        second = served.once(EVE)
        assert (second.code, second.out) == (3, "")
        assert f"SERVING: expected no other `drillctl serve` for site example, found process {first.pid}" in second.err
        first.kill()
        first.wait()
        assert served.once(EVE).code == 0


def test_sigterm_ends_it_within_two_seconds_and_a_hanging_channel_does_not_hold_it(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes a connection and never answers
        served.hook(silent.getsockname()[1])
        with served.serving(EVE) as process:
            until(process, "tomorrow")
            connection, _ = silent.accept()
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
            took = time.monotonic() - began
            assert "ended by SIGTERM" in (process.stdout.read() if process.stdout else "")
            connection.close()
    assert took < 2


def test_sighup_makes_it_look_at_once(served: Served) -> None:
    with served.serving(EVE - timedelta(hours=1)) as process:
        until(process, "audit:")
        served.put_clock(EVE)
        began = time.monotonic()
        process.send_signal(signal.SIGHUP)
        until(process, f"entry {ENTRY}")
        assert time.monotonic() - began < 10


def test_it_tells_the_service_manager_that_it_is_ready(served: Served, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        served.more["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        with served.serving(BEGINS) as process:
            assert manager.recv(100) == b"READY=1"
            assert manager.recv(100) == b"WATCHDOG=1"
            process.send_signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"


def test_a_head_that_a_kill_has_left_behind_is_published_by_the_next_server(served: Served) -> None:
    served.once(at("2026-11-20 12:00"))
    assert served.missed
    for name in ("head.json", "head.json.p7s"):  # as after a kill between the line and its head
        (served.folder / "reports" / "ledger" / name).unlink()
    assert not served.verifies()
    served.once(at("2026-11-20 12:01"))
    assert served.verifies()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.matrix)])
def test_killed_again_and_again_it_does_each_thing_once(served: Served, seed: int) -> None:
    """Notices are delivered at least once: a kill between a receiver's answer and the note of it sends one again, with
    the same id, and the same words but for the moment.
    """
    chance = Random(seed)  # noqa: S311 - the same moments each time
    with receiver() as taker:
        served.hook(taker.port)
        for moment in (EVE, DAY, BEGINS, BEGINS + MINUTE, at("2026-11-21 12:00"), at("2026-12-02 09:00")):
            for _ in range(3):
                with served.serving(moment) as process:
                    until(process, "serving site")
                    time.sleep(chance.uniform(0.0, 0.35))  # the moment of the kill, which is what is tried here
                    process.kill()
            assert served.once(moment).code == 0  # on a busy machine each of them was killed before it did anything
        wait_for(served, 1)
        assert served.once(at("2026-12-02 09:20")).code == 0
    assert len(served.begun) == 1
    assert Counter(served.missed) == Counter(set(served.missed))
    assert served.verifies()
    ids = Counter(item["id"] for item in taker.taken)
    laid = {path.stem for path in (served.state / "outbox" / "sent").glob("*.json")}
    assert set(ids) == laid
    assert {"example-tryout-2026-11-01-eve-2026-11-14", "example-tryout-overdue-2026-12-01"} <= laid
    for name in laid:
        texts = {json.dumps(item["text"]) for item in taker.taken if item["id"] == name}
        assert len(texts) == 1, name
