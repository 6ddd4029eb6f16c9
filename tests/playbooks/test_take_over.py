"""What an orchestrator finds that takes a run over: scripts at work, frozen or killed, and gateways that they left.

gateway.py as a real program against a real gateway process; log-ins, attempts and duplicates are counted at the fronts.
"""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playbooks.onhost_program import answer
from tests.playbooks.harness import RELEASE_S, Vendor, until
from tests.playbooks.vendor.front import Front, Registry

RUN = "20250301T090000-test-0001"
FIRST = {"run": RUN, "step": "repoint-1-1", "attempt": 1}


def frozen(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def work(vendor: Vendor) -> Path:
    return vendor.folder / "work"


def has_turn(vendor: Vendor, sequence: int) -> bool:
    turns = [json.loads(path.read_text()) for path in work(vendor).glob("turn-*.json")]
    return any(turn["sequence"] == sequence for turn in turns)


def said(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """What the program answers at its end."""
    assert process.stdout
    found = answer(process.stdout.read().decode())
    assert found
    return dict(found["results"][0])


# What became of an attempt


def test_the_result_of_an_attempt_is_told_again_to_whoever_asks_for_exactly_that_attempt(
    vendor: Vendor, fronts: list[Front]
) -> None:
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], attempt_of=FIRST)
    assert (result["outcome"], result["recorded"]) == ("succeeded", True)
    told = vendor.ask("state", token=2, attempt_of=FIRST)
    assert (told["busy"], told["last"]) == (False, result)
    assert told["begun"][1] >= result["stamps"]["begin"][1]
    for other in ({**FIRST, "attempt": 2}, {**FIRST, "step": "repoint-1-2"}):
        told = vendor.ask("state", attempt_of=other)
        assert (told["busy"], told["last"], told["begun"]) == (False, None, None)
    assert vendor.ask("state")["last"] is None


def test_a_refusal_and_a_failure_are_kept_too(vendor: Vendor, fronts: list[Front]) -> None:
    refused = vendor.ask("repoint", endpoints=["nonsense"], attempt_of=FIRST)
    assert vendor.ask("state", attempt_of=FIRST)["last"] == refused
    fronts[2].refuse = True
    second = {**FIRST, "attempt": 2}
    failed = vendor.ask("repoint", endpoints=[fronts[2].endpoint], attempt_of=second, deadline_s=6)
    assert (refused["outcome"], failed["outcome"]) == ("refused", "failed")
    assert vendor.ask("state", attempt_of=second)["last"] == failed
    assert vendor.ask("state", attempt_of=FIRST)["last"] == refused


def test_a_request_refused_before_it_began_is_told_but_hides_no_result(vendor: Vendor, fronts: list[Front]) -> None:
    late = vendor.ask("repoint", endpoints=[fronts[2].endpoint], attempt_of=FIRST, token=0)
    told = vendor.ask("state", attempt_of=FIRST)
    assert (late["outcome"], told["last"], told["begun"]) == ("refused", late, None)
    done = vendor.ask("repoint", endpoints=[fronts[2].endpoint], attempt_of=FIRST)
    again = vendor.ask("repoint", endpoints=[fronts[0].endpoint], attempt_of=FIRST, token=0)
    assert (again["outcome"], again["recorded"]) == ("refused", False)
    assert vendor.ask("state", attempt_of=FIRST)["last"] == done


@pytest.mark.parametrize(
    "named",
    [
        {"run": "another", "step": "repoint-1-1", "attempt": 1},
        {"run": RUN, "step": "../token", "attempt": 1},
        {"run": RUN, "step": "repoint-1-1", "attempt": "1"},
        {},
    ],
)
def test_what_names_no_attempt_of_this_run_is_refused(
    vendor: Vendor, fronts: list[Front], named: dict[str, object]
) -> None:
    pid = vendor.pid()
    result = vendor.ask("repoint", endpoints=[fronts[2].endpoint], attempt_of=named)
    assert (result["outcome"], result["touched"], vendor.pid()) == ("refused", False, pid)
    assert "expected attempt_of" in result["message"]


def test_a_look_waits_for_a_request_at_work_if_asked_to(vendor: Vendor, fronts: list[Front]) -> None:
    fronts[0].mute = True
    with vendor.at_work(vendor.request("repoint", endpoints=[fronts[2].endpoint], attempt_of=FIRST)) as process:
        until(lambda: vendor.pid() is None, "stopped")
        now = vendor.ask("state", attempt_of=FIRST)
        assert (now["busy"], now["last"], len(now["begun"])) == (True, None, 2)
        waited = vendor.ask("state", attempt_of=FIRST, wait_idle_s=10)
        assert (waited["busy"], waited["last"], waited["logged_in"]) == (False, said(process), True)


def test_an_attempt_that_was_cut_off_is_told_from_one_that_never_began(vendor: Vendor, fronts: list[Front]) -> None:
    vendor.spec["service"]["start"] = vendor.command("cut", "kill -9 $PPID")
    vendor.cut_off("repoint", endpoints=[fronts[2].endpoint], attempt_of=FIRST)
    told = vendor.ask("state", attempt_of=FIRST, wait_idle_s=5)
    assert (told["busy"], told["last"], len(told["begun"])) == (False, None, 2)


def test_a_look_does_not_take_a_gateway_for_running_that_a_cut_off_request_has_told_to_stop(
    vendor: Vendor, fronts: list[Front]
) -> None:
    pid = vendor.pid()
    assert pid
    os.kill(pid, signal.SIGSTOP)  # it takes its time
    stopped_by_a_killed_script_that_had_proved_nothing(vendor, fronts)
    now = vendor.ask("state", attempt_of=FIRST)
    assert (now["busy"], now["running"]) == (True, [pid])
    os.kill(pid, signal.SIGCONT)
    later = vendor.ask("state", attempt_of=FIRST, wait_idle_s=5)
    assert (later["busy"], later["running"]) == (False, [])


def test_a_look_makes_nothing_on_the_host(vendor: Vendor) -> None:
    vendor.ask("cleanup")
    told = vendor.ask("state", attempt_of=FIRST, wait_idle_s=0.1)
    assert (told["outcome"], told["busy"], told["last"]) == ("succeeded", False, None)
    assert not work(vendor).exists()


# Deciding


def test_what_an_earlier_request_is_just_ending_is_seen_before_anything_is_decided(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    """At the second request's first look the gateway is down; when it has its turn, it is up where it should be."""
    start = " ".join(vendor.spec["service"]["start"])
    wait_for = "until grep -q logged_in=yes {0}/status; do sleep 0.02; done"
    body = f"until [ -e {vendor.folder}/go ]; do sleep 0.02; done\n{start}\n" + wait_for.format(vendor.folder)
    vendor.spec["service"]["start"] = vendor.command("slow-start", body)
    results: list[dict[str, Any]] = []

    def send(sequence: int) -> threading.Thread:
        thread = threading.Thread(
            target=lambda: results.append(
                vendor.ask("repoint", endpoints=[fronts[2].endpoint], sequence=sequence, attempt_of=FIRST)
            )
        )
        thread.start()
        return thread

    first = send(1)
    until(lambda: vendor.endpoints() == [fronts[2].endpoint], "written")
    second = send(2)
    until(lambda: has_turn(vendor, 2), "the second request waits")
    (vendor.folder / "go").touch()
    first.join()
    second.join()
    assert [item["outcome"] for item in results] == ["succeeded", "succeeded"]
    assert [item["touched"] for item in results] == [True, False]
    assert "nothing to do" in results[1]["message"]
    assert [front for _, front in registry.logins] == [fronts[0].endpoint, fronts[2].endpoint]
    assert not registry.duplicates


def test_a_newer_orchestrator_comes_first_whatever_its_clock_says(vendor: Vendor, fronts: list[Front]) -> None:
    vendor.ask("repoint", endpoints=[fronts[2].endpoint], sequence=1000)
    vendor.ask("preflight", token=2)
    newer = vendor.ask("repoint", endpoints=[fronts[1].endpoint], token=2, sequence=1)
    assert (newer["outcome"], newer["session"]) == ("succeeded", fronts[1].endpoint)


def test_a_turn_that_an_older_request_writes_late_takes_nothing_from_a_newer_one(
    vendor: Vendor, fronts: list[Front]
) -> None:
    fronts[0].mute = True
    with vendor.at_work(vendor.request("repoint", endpoints=[fronts[2].endpoint], sequence=6)) as process:
        until(lambda: vendor.pid() is None, "stopped")
        (newest,) = work(vendor).glob("turn-*.json")
        older = {**json.loads(newest.read_text()), "sequence": 5, "at": time.time()}
        newest.with_name(f"turn-{vendor.spec['id']}.{'0' * 16}.json").write_text(json.dumps(older))
        assert said(process)["outcome"] == "succeeded"


# Late execution


@pytest.mark.parametrize("reason", ["deadline", "epoch"])
def test_a_script_that_wakes_too_late_changes_nothing_and_says_so(
    vendor: Vendor, fronts: list[Front], registry: Registry, reason: str
) -> None:
    """The host freezes between stop and start; meanwhile the deadline passes, or another orchestrator takes over."""
    fronts[0].mute = True
    vendor.spec["release_s"] = 2.0
    limit = {"deadline_at": time.time() + 7, "deadline_s": 7} if reason == "deadline" else {}
    request = vendor.request("repoint", endpoints=[fronts[2].endpoint], attempt_of=FIRST, rollback=True, **limit)
    if reason == "deadline":
        del request["rollback"]  # else its deadline would have to be later by the way back
    with vendor.at_work(request) as process:
        until(lambda: vendor.pid() is None, "stopped")
        process.send_signal(signal.SIGSTOP)
        until(lambda: frozen(process.pid), "frozen")
        if reason == "deadline":
            until(lambda: time.time() > request["deadline_at"], "the deadline is over")
        else:
            assert vendor.ask("preflight", token=2)["ok"]
        assert vendor.ask("state", token=2, attempt_of=FIRST)["busy"] is True
        process.send_signal(signal.SIGCONT)
        result = said(process)
    expected = "the deadline has passed" if reason == "deadline" else "found 20250301T090000-test-0001 epoch 2"
    assert (result["outcome"], result["touched"], expected in result["message"]) == ("failed", True, True)
    assert vendor.pid() is None
    assert vendor.config.read_bytes() == vendor.original
    assert (len(registry.logins), vendor.starts()) == (1, 1)
    assert vendor.ask("state", token=2, attempt_of=FIRST, wait_idle_s=5)["last"] == result


def test_whoever_waits_for_a_release_lets_go_as_soon_as_the_host_is_taken_over(
    vendor: Vendor, fronts: list[Front]
) -> None:
    fronts[0].mute = True
    vendor.spec["release_s"] = 60.0
    request = vendor.request("repoint", endpoints=[fronts[2].endpoint], deadline_s=90, deadline_at=time.time() + 90)
    with vendor.at_work(request) as process:
        until(lambda: vendor.pid() is None, "stopped")
        vendor.ask("preflight", token=2)
        assert "epoch 2: waiting for the release is not done" in said(process)["message"]


# Taking over from any state


def stopped_by_a_killed_script(vendor: Vendor, fronts: list[Front]) -> None:
    fronts[0].mute = True
    with vendor.at_work(vendor.request("repoint", endpoints=[fronts[2].endpoint])) as process:
        until(lambda: "silent" in vendor.way_out(), "stopped and proved")
        process.kill()


def stopped_by_a_killed_script_that_had_proved_nothing(vendor: Vendor, fronts: list[Front]) -> None:
    fronts[0].mute = True
    stop = vendor.spec["service"]["stop"]
    vendor.spec["service"]["stop"] = vendor.command("stop-and-cut", f"{' '.join(stop)}\nkill -9 $PPID")
    vendor.cut_off("repoint", endpoints=[fronts[2].endpoint])
    vendor.spec["service"]["stop"] = stop


def stopped_with_the_new_list(vendor: Vendor, fronts: list[Front]) -> None:
    start = vendor.spec["service"]["start"]
    vendor.spec["service"]["start"] = vendor.command("cut", "kill -9 $PPID")
    vendor.cut_off("repoint", endpoints=[fronts[2].endpoint])
    vendor.spec["service"]["start"] = start
    assert vendor.endpoints() == [fronts[2].endpoint]


def started_and_not_logged_in(vendor: Vendor, fronts: list[Front]) -> None:
    """The front has logged it in and its answer never came."""
    fronts[2].silent = True
    vendor.settings(login_wait_s=60)
    start = vendor.spec["service"]["start"]
    vendor.spec["service"]["start"] = vendor.command("start-and-cut", f"{' '.join(start)}\nkill -9 $PPID")
    vendor.cut_off("repoint", endpoints=[fronts[2].endpoint])
    vendor.spec["service"]["start"] = start
    registry = fronts[2].registry
    until(lambda: ("W100200", fronts[2].endpoint) in registry.logins, "logged in, and nobody knows")
    fronts[2].silent = False


def gone_with_a_session_left_behind(vendor: Vendor, _fronts: list[Front]) -> None:
    pid = vendor.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: vendor.pid() is None, "killed")


STATES: list[Callable[[Vendor, list[Front]], None]] = [
    stopped_by_a_killed_script,
    stopped_by_a_killed_script_that_had_proved_nothing,
    stopped_with_the_new_list,
    started_and_not_logged_in,
    gone_with_a_session_left_behind,
]


@pytest.mark.parametrize("op", ["repoint", "restore"])
@pytest.mark.parametrize("left", STATES, ids=lambda left: str(left.__name__))
def test_a_newer_orchestrator_brings_any_gateway_up_with_one_log_in_per_start(
    vendor: Vendor, fronts: list[Front], registry: Registry, op: str, left: Callable[[Vendor, list[Front]], None]
) -> None:
    digest, old = vendor.sha256(), vendor.endpoints()
    left(vendor, fronts)
    for front in fronts:
        front.mute = False
    assert vendor.ask("preflight", token=2)["ok"]
    wanted = [fronts[2].endpoint] if op == "repoint" else old
    result = vendor.ask(op, token=2, endpoints=wanted, restore_sha256=digest, expected_sha256=digest)
    assert (result["outcome"], result["session"]) == ("succeeded", wanted[0]), result["message"]
    assert vendor.endpoints() == wanted
    assert not registry.duplicates
    assert registry.attempts == vendor.starts() == len(registry.logins)


@pytest.mark.parametrize("op", ["repoint", "restore"])
def test_a_script_that_is_frozen_is_ended_by_the_newer_one_and_never_wakes_up(
    vendor: Vendor, fronts: list[Front], registry: Registry, op: str
) -> None:
    digest, old = vendor.sha256(), vendor.endpoints()
    fronts[0].mute = True
    with vendor.at_work(vendor.request("repoint", endpoints=[fronts[2].endpoint], attempt_of=FIRST)) as process:
        until(lambda: vendor.pid() is None, "stopped")
        process.send_signal(signal.SIGSTOP)
        until(lambda: frozen(process.pid), "frozen")
        fronts[0].mute = False
        assert vendor.ask("preflight", token=2)["ok"]
        wanted = [fronts[2].endpoint] if op == "repoint" else old
        result = vendor.ask(op, token=2, endpoints=wanted, restore_sha256=digest, expected_sha256=digest)
        assert process.wait(5) == -signal.SIGKILL
    assert (result["outcome"], result["session"]) == ("succeeded", wanted[0]), result["message"]
    told = vendor.ask("state", token=2, attempt_of=FIRST)
    assert (told["busy"], told["last"], len(told["begun"])) == (False, None, 2)
    assert not registry.duplicates
    assert registry.attempts == vendor.starts() == 2


def test_a_release_is_counted_from_the_stop_although_another_process_did_it(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    stopped_by_a_killed_script(vendor, fronts)
    since = time.monotonic()
    until(lambda: time.monotonic() - since > RELEASE_S, "the release time is over")
    vendor.ask("preflight", token=2)
    result = vendor.ask("repoint", token=2, endpoints=[fronts[2].endpoint])
    assert (result["outcome"], result["released_by"]) == ("succeeded", "waited")
    assert result["waited_s"] < RELEASE_S / 2
    assert not registry.duplicates


@pytest.mark.parametrize("rotated", [False, True])
def test_a_gateway_that_was_up_since_that_stop_is_waited_for_in_full(
    vendor: Vendor, fronts: list[Front], registry: Registry, rotated: bool
) -> None:
    stopped_by_a_killed_script(vendor, fronts)
    fronts[0].mute = False
    since = time.monotonic()
    until(lambda: time.monotonic() - since > RELEASE_S, "the release time is over")
    log = vendor.folder / "gateway.log"
    if rotated:
        log.rename(log.with_name("gateway.log.1"))
    vendor.start()  # by hand
    gone_with_a_session_left_behind(vendor, fronts)
    vendor.ask("preflight", token=2)
    result = vendor.ask("repoint", token=2, endpoints=[fronts[2].endpoint])
    assert (result["outcome"], result["released_by"]) == ("succeeded", "waited")
    assert result["waited_s"] > RELEASE_S * 0.9
    assert not registry.duplicates


def test_a_stop_that_a_start_has_followed_shortens_no_wait(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    """Also where the log tells nothing of the start."""
    vendor.spec["log"] = {**vendor.spec["log"], "path": str(vendor.folder / "no.log")}
    moved = vendor.ask("repoint", endpoints=[fronts[2].endpoint])
    assert (moved["outcome"], moved["released_by"]) == ("succeeded", "waited")
    gone_with_a_session_left_behind(vendor, fronts)
    result = vendor.ask("repoint", endpoints=[fronts[1].endpoint])
    assert (result["outcome"], result["waited_s"] > RELEASE_S * 0.9) == ("succeeded", True)
    assert not registry.duplicates


def test_a_start_command_that_outlives_its_script_is_waited_for(
    vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    """Else the gateway would be started twice: by it, and by the request that takes over."""
    start, once = " ".join(vendor.spec["service"]["start"]), vendor.folder / "once"
    body = f"if [ ! -e {once} ]; then touch {once}; kill -9 $PPID; until [ -e {once}-go ]; do sleep 0.02; done; fi"
    vendor.spec["service"]["start"] = vendor.command("slow-start", f"{body}\n{start}")
    vendor.cut_off("repoint", endpoints=[fronts[2].endpoint])
    assert vendor.ask("state", wait_idle_s=0.1)["busy"] is True
    vendor.ask("preflight", token=2)
    with vendor.at_work(vendor.request("repoint", token=2, sequence=2, endpoints=[fronts[2].endpoint])) as process:
        until(lambda: has_turn(vendor, 2), "taken over")
        assert vendor.ask("state", wait_idle_s=RELEASE_S)["busy"] is True
        (vendor.folder / "once-go").touch()
        assert said(process)["outcome"] == "succeeded"
    assert not registry.duplicates
    assert registry.attempts == len(registry.logins)
    assert vendor.starts() - registry.attempts <= 1  # what the slow command started may be stopped before it calls


def test_the_way_back_of_a_repeated_attempt_is_the_file_of_the_plan(vendor: Vendor, fronts: list[Front]) -> None:
    digest = vendor.sha256()
    stopped_with_the_new_list(vendor, fronts)
    fronts[2].refuse = True
    vendor.ask("preflight", token=2)
    fields = {"endpoints": [fronts[2].endpoint], "expected_sha256": digest, "rollback": True, "deadline_s": 12}
    result = vendor.ask("repoint", token=2, **fields)
    assert (result["outcome"], result["rolled_back"]) == ("failed", True), result["message"]
    assert vendor.config.read_bytes() == vendor.original
    until(lambda: "logged_in=yes" in vendor.status(), "logged in at the old front again")


def test_a_half_written_file_of_a_script_that_was_cut_off_is_taken_away(vendor: Vendor, fronts: list[Front]) -> None:
    stopped_with_the_new_list(vendor, fronts)
    half, other = vendor.folder / ".gateway.ini.drillctl-1", vendor.folder / ".other.ini.drillctl-1"
    half.touch()
    other.touch()
    vendor.ask("preflight", token=2)
    assert vendor.ask("repoint", token=2, endpoints=[fronts[2].endpoint])["outcome"] == "succeeded"
    assert (half.exists(), other.exists()) == (False, True)


# Cleaning up


def test_an_older_orchestrator_does_not_clean_up_under_a_newer_one(vendor: Vendor) -> None:
    vendor.ask("preflight", token=2)
    older = vendor.ask("cleanup", token=1)
    assert (older["outcome"], "epoch 2" in older["message"]) == ("refused", True)
    assert (work(vendor) / "token.json").exists()
    assert vendor.ask("cleanup", token=3)["changed"] is True
    assert not work(vendor).exists()


def test_nothing_is_cleaned_up_while_a_request_is_at_work(vendor: Vendor, fronts: list[Front]) -> None:
    fronts[0].mute = True
    request = vendor.request("repoint", endpoints=[fronts[2].endpoint], attempt_of=FIRST)
    with vendor.at_work(request) as process:
        until(lambda: vendor.pid() is None, "stopped")
        early = vendor.ask("cleanup", wait_idle_s=0.1)
        assert (early["outcome"], "a request is still at work" in early["message"]) == ("refused", True)
        assert vendor.ask("state", attempt_of=FIRST)["busy"] is True
        assert vendor.ask("cleanup", wait_idle_s=10)["changed"] is True
        assert said(process)["outcome"] == "succeeded"
    assert not work(vendor).exists()
