"""gateway.py as a real program against a real gateway process: effects are counted at the fronts."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from playbooks.onhost_program import program
from tests.playbooks.harness import RELEASE_S, Vendor, until
from tests.playbooks.vendor.front import Front, Registry


def test_a_repoint_logs_out_writes_and_logs_in_at_the_new_front(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    old = vendor.endpoints()
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], expected_sha256=vendor.sha256(), rollback=True)
    assert (result["outcome"], result["changed"], result["previous"], result["new"]) == (
        "succeeded",
        True,
        old,
        [fronts[2].endpoint],
    )
    assert (result["acknowledged"], result["released_by"], result["was_logged_in"]) == (True, "acknowledged", True)
    assert result["session"] == fronts[2].endpoint
    assert vendor.endpoints() == [fronts[2].endpoint]
    assert registry.logins == [("W100200", fronts[0].endpoint), ("W100200", fronts[2].endpoint)]
    assert not registry.duplicates
    names = (
        "begin",
        "stop",
        "process_gone",
        "sockets_gone",
        "released",
        "written",
        "start",
        "running",
        "session",
        "logged_in",
    )
    monotonic = [result["stamps"][name][1] for name in names]
    assert monotonic == sorted(monotonic)
    assert result["waited_s"] < RELEASE_S / 2


def test_only_the_list_changes_in_the_file(vendor: Vendor, fronts: list[Front]) -> None:
    vendor.config.chmod(0o640)
    vendor.ask("repoint", endpoints=[fronts[2].endpoint, fronts[1].endpoint])
    expected = vendor.original.replace(fronts[0].endpoint.encode(), fronts[2].endpoint.encode())
    assert vendor.config.read_bytes() == expected
    assert vendor.config.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in vendor.folder.iterdir() if "drillctl" in path.name) == []


def test_the_second_run_changes_nothing(vendor: Vendor, fronts: list[Front], registry: Registry) -> None:
    before = vendor.sha256()
    first = vendor.ask("repoint", endpoints=[fronts[2].endpoint], expected_sha256=before)
    pid = vendor.pid()
    second = vendor.ask("repoint", endpoints=[fronts[2].endpoint], expected_sha256=before)
    assert (first["changed"], second["changed"], second["outcome"]) == (True, False, "succeeded")
    assert vendor.pid() == pid
    assert len(registry.logins) == 2


def test_an_unanswered_logout_is_waited_out_before_the_next_log_in(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    fronts[0].mute = True
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint])
    assert (result["outcome"], result["acknowledged"], result["released_by"]) == ("succeeded", False, "waited")
    stamps = result["stamps"]
    assert stamps["start"][1] - stamps["process_gone"][1] >= RELEASE_S
    assert not registry.duplicates


def test_a_gateway_killed_before_is_waited_for_too(vendor: Vendor, fronts: list[Front], registry: Registry) -> None:
    pid = vendor.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: vendor.pid() is None, "killed")
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint])
    assert (result["outcome"], result["released_by"]) == ("succeeded", "waited")
    assert result["waited_s"] >= RELEASE_S * 0.9
    assert not registry.duplicates


def test_a_session_lost_long_ago_needs_no_wait(vendor: Vendor, fronts: list[Front]) -> None:
    fronts[0].close()
    fronts[1].close()
    until(lambda: "lost" in (vendor.folder / "gateway.log").read_text(), "lost")
    lost_at = time.monotonic()
    until(lambda: time.monotonic() - lost_at > RELEASE_S, "the release time is over")
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint])
    assert (result["outcome"], result["released_by"], result["was_logged_in"]) == ("succeeded", "waited", False)
    assert result["waited_s"] < RELEASE_S / 2


def test_an_unknown_release_time_is_refused_before_anything_is_touched(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    pid = vendor.pid()
    vendor.spec["release_s"] = None
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint])
    assert (result["outcome"], result["touched"]) == ("refused", False)
    assert "release time is unknown" in result["message"]
    assert vendor.pid() == pid
    assert vendor.config.read_bytes() == vendor.original
    assert len(registry.logins) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"deadline_at": 1.0}, "deadline has passed"),
        ({"deadline_s": 0}, "deadline has passed"),
        ({"deadline_s": 3}, "expected at least"),
        ({"token": 2}, "expected token"),
        ({"token": 0}, "expected token"),
        ({"run": "20250301T090000-other-0002"}, "expected token"),
        ({"expected_sha256": "0" * 64}, "changed meanwhile"),
        ({"endpoints": []}, "at least one endpoint"),
        ({"endpoints": ["nonsense"]}, "address:port"),
    ],
)
def test_what_is_refused_touches_nothing(
    vendor: Vendor, fronts: list[Front], registry: Registry, fields: dict[str, object], said: str
) -> None:
    pid = vendor.pid()
    result = vendor.ask("repoint", **{"endpoints": [fronts[2].endpoint], **fields})
    assert (result["outcome"], result["ok"], result["touched"], result["changed"]) == ("refused", False, False, False)
    assert said in result["message"]
    assert vendor.pid() == pid
    assert vendor.config.read_bytes() == vendor.original
    assert len(registry.logins) == 1


def test_without_a_token_on_the_host_nothing_is_touched(vendor: Vendor, fronts: list[Front]) -> None:
    assert vendor.ask("cleanup")["residue"] == []
    assert vendor.ask("repoint", endpoints=[fronts[2].endpoint])["outcome"] == "refused"
    assert vendor.config.read_bytes() == vendor.original


def test_a_request_that_wakes_after_its_deadline_never_starts_the_gateway(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    """Late execution: the host freezes between stop and start, and the deadline passes meanwhile."""
    fronts[0].mute = True
    vendor.spec["release_s"] = 2.0
    request = vendor.request("repoint", endpoints=[fronts[2].endpoint], deadline_at=time.time() + 6, deadline_s=6)
    process = subprocess.Popen([vendor.python, "-I", "-S", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    with process:
        process.stdin.write(program("gateway", {"requests": [request]}))
        process.stdin.close()
        until(lambda: "silent" in vendor.way_out(), "stopped and proved")
        process.send_signal(signal.SIGSTOP)
        until(lambda: time.time() > request["deadline_at"], "the deadline is over")
        process.send_signal(signal.SIGCONT)
        output = process.stdout.read().decode()
    assert "the deadline has passed" in output
    assert vendor.pid() is None
    assert vendor.config.read_bytes() == vendor.original
    assert len(registry.logins) == 1


def test_a_new_front_that_refuses_brings_the_old_list_back(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    fronts[2].refuse = True
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], rollback=True, deadline_s=12)
    assert (result["outcome"], result["rolled_back"], result["ok"]) == ("failed", True, False)
    assert "expected log-in" in result["message"]
    assert "the old list is in force again" in result["message"]
    assert vendor.config.read_bytes() == vendor.original
    until(lambda: "logged_in=yes" in vendor.status(), "logged in at the old front again")
    assert registry.logins[-1] == ("W100200", fronts[0].endpoint)
    assert not registry.duplicates


def test_a_status_left_behind_by_a_killed_gateway_is_not_taken_for_a_log_in(
    vendor: Vendor, fronts: list[Front]
) -> None:
    """It still says yes, and a refused attempt has a TCP session for a moment: neither is a log-in."""
    pid = vendor.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: vendor.pid() is None, "killed")
    yes = vendor.status()
    assert "logged_in=yes" in yes
    vendor.spec["status"] = {**vendor.spec["status"], "path": str(vendor.folder / "old-status")}
    (vendor.folder / "old-status").write_text(yes)
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], deadline_s=6)
    assert (result["outcome"], result["session"], result["logged_in"]) == ("failed", fronts[2].endpoint, False)


def test_without_rollback_the_new_list_stays(vendor: Vendor, fronts: list[Front]) -> None:
    fronts[2].refuse = True
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], deadline_s=7)
    assert (result["outcome"], result["rolled_back"]) == ("failed", False)
    assert vendor.endpoints() == [fronts[2].endpoint]


def test_a_gateway_that_does_not_start_again_is_reported_with_both_facts(vendor: Vendor, fronts: list[Front]) -> None:
    (vendor.folder / "broken").touch()
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], rollback=True)
    assert (result["outcome"], result["rolled_back"]) == ("failed", False)
    assert "exit status 3" in result["message"]
    assert "the old list is not in force again" in result["message"]
    assert vendor.config.read_bytes() == vendor.original


def test_a_process_that_does_not_end_is_never_started_a_second_time(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    (vendor.folder / "stubborn").touch()
    pid = vendor.pid()
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], deadline_s=5)
    assert (result["outcome"], result["touched"]) == ("failed", True)
    assert "expected the process to end" in result["message"]
    assert vendor.pid() == pid
    assert vendor.config.read_bytes() == vendor.original
    assert len(registry.logins) == 1


def test_a_gateway_that_something_else_starts_meanwhile_is_not_started_a_second_time(
    vendor: Vendor, fronts: list[Front]
) -> None:
    """A watchdog, while the front still has to forget the session."""
    fronts[0].mute = True
    vendor.spec["release_s"] = 3.0
    results: list[dict[str, object]] = []
    repoint = threading.Thread(target=lambda: results.append(vendor.ask("repoint", endpoints=[fronts[2].endpoint])))
    repoint.start()
    until(lambda: vendor.pid() is None, "stopped")
    subprocess.run(vendor.spec["service"]["start"], check=True)
    pid = vendor.pid()
    repoint.join()
    assert (results[0]["outcome"], vendor.pid()) == ("failed", pid)
    assert "something started it again" in str(results[0]["message"])
    assert vendor.config.read_bytes() == vendor.original


def test_a_preview_says_what_would_change_and_changes_nothing(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    pid, before = vendor.pid(), sorted((vendor.folder / "work").iterdir())
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], check=True)
    assert (result["outcome"], result["ok"], result["changed"]) == ("would_change", True, False)
    assert result["diff"] == {"before": [fronts[0].endpoint, fronts[1].endpoint], "after": [fronts[2].endpoint]}
    assert vendor.pid() == pid
    assert vendor.config.read_bytes() == vendor.original
    assert sorted((vendor.folder / "work").iterdir()) == before
    assert len(registry.logins) == 1


def test_restore_brings_the_same_bytes_back(vendor: Vendor, fronts: list[Front], registry: Registry) -> None:
    digest, old = vendor.sha256(), vendor.endpoints()
    vendor.ask("repoint", endpoints=[fronts[2].endpoint])
    result = vendor.ask("restore", endpoints=old, restore_sha256=digest)
    assert (result["outcome"], result["sha256_after"], result["session"]) == ("succeeded", digest, fronts[0].endpoint)
    assert vendor.config.read_bytes() == vendor.original
    again = vendor.ask("restore", endpoints=old, restore_sha256=digest)
    assert (again["changed"], again["outcome"]) == (False, "succeeded")
    assert [front for _, front in registry.logins] == [fronts[0].endpoint, fronts[2].endpoint, fronts[0].endpoint]
    assert not registry.duplicates


def test_restore_without_the_copy_needs_the_same_digest(vendor: Vendor, fronts: list[Front]) -> None:
    digest, old = vendor.sha256(), vendor.endpoints()
    vendor.ask("repoint", endpoints=[fronts[2].endpoint, fronts[1].endpoint])
    for path in (vendor.folder / "work").glob("original-*"):
        path.unlink()
    pid = vendor.pid()
    refused = vendor.ask("restore", endpoints=old, restore_sha256=hashlib.sha256(b"another").hexdigest())
    assert (refused["outcome"], refused["touched"], vendor.pid()) == ("refused", False, pid)
    assert vendor.ask("restore", endpoints=old, restore_sha256=digest)["outcome"] == "succeeded"
    assert vendor.config.read_bytes() == vendor.original


def test_an_undo_knows_the_file_that_its_own_run_has_written(vendor: Vendor, fronts: list[Front]) -> None:
    """The controller never heard how the repoint ended, so it still expects the file of the plan."""
    digest, old = vendor.sha256(), vendor.endpoints()
    vendor.ask("repoint", endpoints=[fronts[2].endpoint], expected_sha256=digest)
    result = vendor.ask("restore", endpoints=old, restore_sha256=digest, expected_sha256=digest)
    assert (result["outcome"], vendor.config.read_bytes()) == ("succeeded", vendor.original)


def test_an_undo_does_not_overwrite_an_edit_of_somebody_else(vendor: Vendor, fronts: list[Front]) -> None:
    digest, old = vendor.sha256(), vendor.endpoints()
    vendor.ask("repoint", endpoints=[fronts[2].endpoint], expected_sha256=digest)
    edited = vendor.config.read_bytes() + b"edited = 1\r\n"
    vendor.config.write_bytes(edited)
    result = vendor.ask("restore", endpoints=old, restore_sha256=digest, expected_sha256=digest)
    assert (result["outcome"], result["touched"], vendor.config.read_bytes()) == ("refused", False, edited)


def test_a_restart_begins_at_the_top_of_the_list_again(vendor: Vendor, fronts: list[Front], registry: Registry) -> None:
    left_alone = vendor.ask("restart", only_if_elsewhere=fronts[0].endpoint)
    assert (left_alone["outcome"], left_alone["changed"], len(registry.logins)) == ("skipped", False, 1)
    result = vendor.ask("restart", only_if_elsewhere=fronts[1].endpoint)
    assert (result["outcome"], result["session"], result["changed"]) == ("succeeded", fronts[0].endpoint, True)
    assert vendor.config.read_bytes() == vendor.original


def test_assist_leaves_a_gateway_alone_that_is_logged_in_where_it_should_be(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    wanted = [fronts[2].endpoint, fronts[0].endpoint]
    result = vendor.ask("repoint", endpoints=wanted, only_if_down=True)
    assert (result["outcome"], result["changed"], len(registry.logins)) == ("skipped", False, 1)


def test_assist_moves_a_gateway_that_holds_on_to_another_session(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], only_if_down=True)
    assert (result["outcome"], result["session"], len(registry.logins)) == ("succeeded", fronts[2].endpoint, 2)


def test_stop_and_start_are_each_proved(vendor: Vendor, fronts: list[Front], registry: Registry) -> None:
    stopped = vendor.ask("stop")
    assert (stopped["outcome"], stopped["acknowledged"], vendor.pid()) == ("succeeded", True, None)
    started = vendor.ask("start")
    assert (started["outcome"], started["session"], started["released_by"]) == (
        "succeeded",
        fronts[0].endpoint,
        "not_logged_in",
    )
    assert vendor.ask("start")["changed"] is False
    assert not registry.duplicates


def test_two_gateways_of_one_host_move_at_the_same_time(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    other = Vendor(vendor.folder.parent / "gw2", vendor.endpoints(), number="W1002001")
    other.start()
    try:
        fronts[0].mute = True
        work = str(vendor.folder / "work")
        requests = [item.request("repoint", endpoints=[fronts[2].endpoint], work_dir=work) for item in (vendor, other)]
        results = vendor.send(requests)
        assert [item["outcome"] for item in results] == ["succeeded", "succeeded"]
        assert [item["gateway"] for item in results] == [vendor.spec["id"], other.spec["id"]]
        first, second = (item["stamps"] for item in results)
        assert second["stop"][1] < first["logged_in"][1]
    finally:
        other.end()
    assert not registry.duplicates


def test_a_later_request_takes_over_from_one_that_is_still_waiting(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    fronts[0].mute = True
    vendor.spec["release_s"] = 3.0
    registry.release_s = 3.0
    digest, results = vendor.sha256(), []
    first = threading.Thread(
        target=lambda: results.append(vendor.ask("repoint", endpoints=[fronts[2].endpoint], sequence=5))
    )
    first.start()
    until(lambda: vendor.pid() is None, "stopped")
    undo = vendor.ask("restore", endpoints=[fronts[1].endpoint], restore_sha256=digest, sequence=6)
    first.join()
    assert "a later request has taken over" in results[0]["message"]
    assert (undo["outcome"], vendor.config.read_bytes()) == ("succeeded", vendor.original)
    late = vendor.ask("repoint", endpoints=[fronts[2].endpoint], sequence=5)
    assert (late["outcome"], late["touched"]) == ("refused", False)
    assert not registry.duplicates


def test_an_older_run_cannot_take_the_host_back(vendor: Vendor) -> None:
    newer = vendor.ask("preflight", run="20250302T090000-test-0002")
    older = vendor.ask("preflight", run="20250301T090000-test-0001")
    assert (newer["outcome"], older["outcome"]) == ("succeeded", "refused")
    assert vendor.ask("cleanup", run="20250301T090000-test-0001")["outcome"] == "refused"


def test_state_tells_what_a_snapshot_needs(vendor: Vendor, fronts: list[Front]) -> None:
    result = vendor.ask("state")
    assert result["running"] == [vendor.pid()]
    assert (result["session"], result["logged_in"]) == (fronts[0].endpoint, True)
    assert (result["endpoints"], result["config_sha256"]) == (vendor.endpoints(), vendor.sha256())
    assert result["owner"] == f"{os.getuid()}:{os.getgid()}"
    assert any(path.endswith("token.json") for path in result["residue"])


def test_preflight_names_everything_that_is_missing(vendor: Vendor) -> None:
    vendor.spec["service"] = {**vendor.spec["service"], "start": ["/nowhere/start"]}
    vendor.spec["config"] = {**vendor.spec["config"], "section": "Other"}
    result = vendor.ask("preflight")
    assert result["outcome"] == "refused"
    assert "expected a command /nowhere/start" in result["message"]
    assert "Server{n} in section [Other]" in result["message"]


def test_a_file_edited_while_the_gateway_stops_is_not_overwritten(vendor: Vendor, fronts: list[Front]) -> None:
    """The vendor's program may write its own file as it ends."""
    stop = vendor.folder / "stop-and-edit"
    control = " ".join(vendor.spec["service"]["stop"])
    stop.write_text(f"#!/bin/sh\n{control}\nprintf 'edited = 1\\r\\n' >> {vendor.config}\n")
    stop.chmod(0o755)
    vendor.spec["service"] = {**vendor.spec["service"], "stop": [str(stop)]}
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], rollback=True)
    assert (result["outcome"], "changed meanwhile" in result["message"]) == ("failed", True)
    assert vendor.config.read_bytes().startswith(vendor.original)
    assert b"edited = 1" in vendor.config.read_bytes()


def test_cleanup_leaves_nothing(vendor: Vendor) -> None:
    assert vendor.ask("cleanup")["changed"] is True
    assert not (vendor.folder / "work").exists()
    assert vendor.ask("cleanup")["changed"] is False


def test_a_look_takes_nothing_of_the_file_but_its_list_and_digest(vendor: Vendor) -> None:
    said = json.dumps(vendor.ask("state"))
    assert hashlib.sha256(vendor.original).hexdigest() in said
    assert base64.b64encode(vendor.original).decode() not in said
    others = [
        line for line in vendor.original.decode(errors="replace").splitlines() if len(line) > 8 and ":" not in line
    ]
    assert others
    assert not [line for line in others if line in said]
