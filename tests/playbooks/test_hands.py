"""Programs sent over connections that are open: at most once each, one result per host, whatever happens."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.call_folder import scratch
from orchestrator.adapters.hands import Hands
from orchestrator.adapters.host_result import HostResult
from orchestrator.adapters.read_back import read_back
from orchestrator.adapters.ssh import SshTarget
from orchestrator.engine import guard
from orchestrator.errors import Refused, StepFailed
from orchestrator.guarding import processes
from orchestrator.model.event import Outcome
from orchestrator.ports import Fate
from tests.guard.commands import kill_guard, marked, never, swept
from tests.playbooks import sshd
from tests.playbooks.harness import ROOT, Vendor, until
from tests.playbooks.test_ansible import command_lines
from tests.playbooks.vendor.front import Front, Registry

pytestmark = pytest.mark.skipif(sshd.SSHD is None or os.getuid() != 0, reason="needs sshd and root")


@pytest.fixture(scope="module")
def server() -> Iterator[sshd.Server]:
    with tempfile.TemporaryDirectory(prefix="dc") as folder:  # a short path: control sockets are limited
        started = sshd.start(Path(folder) / "s")
        yield started
        started.stop()


class Sends:
    """Every call has a folder of its own, unless it is told to join the last one."""

    def __init__(self, hands: Hands, work: Path) -> None:
        self._hands, self._work, self._calls = hands, work, 0

    @property
    def folder(self) -> Path:
        return self._work / f"call-{self._calls}"

    def send(
        self, requests: Mapping[str, Mapping[str, Any]], deadline_s: float, stop: Callable[[], bool] = never
    ) -> dict[str, HostResult]:
        self._calls += 1
        return self.join(requests, deadline_s, stop)

    def join(
        self, requests: Mapping[str, Mapping[str, Any]], deadline_s: float = 40, stop: Callable[[], bool] = never
    ) -> dict[str, HostResult]:
        """As another orchestrator does that finds the call begun."""
        asked = {host: [request] for host, request in requests.items()}
        return self._hands.send(self.folder, "repoint", dict.fromkeys(asked, "gateway"), asked, deadline_s, stop)


@pytest.fixture
def hands(server: sshd.Server, tmp_path: Path) -> Iterator[Sends]:
    server.hosts_yml(tmp_path / "site", [])  # a port where nothing listens is needed for the dead one
    alive = SshTarget("gw-a1", "127.0.0.1", server.port, "root", "/usr/bin/python3")
    targets = {"gw-a1": alive, "gone": SshTarget("gone", "127.0.0.1", 1, "root", "/usr/bin/python3")}
    sends = Sends(Hands(ROOT / "playbooks", server.settings, targets), tmp_path / "work")
    with swept(tmp_path / "work" / "call-1"):  # no test has more than one that may be left at work
        yield sends


def repoint(vendor: Vendor, front: Front, **fields: object) -> dict[str, object]:
    return vendor.request("repoint", endpoints=[front.endpoint], **fields)


def hang(vendor: Vendor, fronts: list[Front]) -> dict[str, dict[str, object]]:
    """A change that takes eight seconds on its host: the front says nothing, so its release time is waited out."""
    fronts[0].mute = True
    vendor.spec["release_s"] = 8.0
    return {"gw-a1": repoint(vendor, fronts[2], deadline_s=25)}


def test_a_repoint_is_one_round_trip_and_nothing_of_it_stays_behind(
    hands: Sends, server: sshd.Server, vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    before, old = server.commands(), vendor.endpoints()
    found = hands.send({"gw-a1": repoint(vendor, fronts[2])}, 40)["gw-a1"]
    assert found.outcome is Outcome.SUCCEEDED, found.message
    assert server.commands() - before == 1
    [result] = found.data["results"]
    assert (result["previous"], result["new"]) == (old, [fronts[2].endpoint])
    assert [front for _, front in registry.logins] == [fronts[0].endpoint, fronts[2].endpoint]
    assert not scratch(hands.folder).exists()
    assert hands.folder.stat().st_mode & 0o077 == 0


def test_a_connection_that_is_open_is_used_again(hands: Sends, server: sshd.Server, vendor: Vendor) -> None:
    hands.send({"gw-a1": vendor.request("state")}, 40)
    before = server.log().count("Accepted publickey")
    assert hands.send({"gw-a1": vendor.request("state")}, 40)["gw-a1"].outcome is Outcome.SUCCEEDED
    assert server.log().count("Accepted publickey") == before


def test_a_dead_host_is_failed_and_does_not_hold_up_the_others(
    hands: Sends, vendor: Vendor, fronts: list[Front]
) -> None:
    found = hands.send({"gone": repoint(vendor, fronts[2]), "gw-a1": repoint(vendor, fronts[2])}, 40)
    assert (found["gone"].outcome, found["gone"].message[:13]) == (Outcome.FAILED, "unreachable: ")
    assert found["gw-a1"].outcome is Outcome.SUCCEEDED


def test_a_refusal_on_the_host_is_a_failure_with_its_reason(hands: Sends, vendor: Vendor, fronts: list[Front]) -> None:
    found = hands.send({"gw-a1": repoint(vendor, fronts[2], token=9)}, 40)["gw-a1"]
    assert found.outcome is Outcome.FAILED
    assert "expected token" in found.message
    assert found.data["results"][0]["touched"] is False


def test_a_host_without_its_python_gives_no_success(server: sshd.Server, vendor: Vendor, tmp_path: Path) -> None:
    target = SshTarget("gw-a1", "127.0.0.1", server.port, "root", "/no/such/python")
    sends = Sends(Hands(ROOT / "playbooks", server.settings, {"gw-a1": target}), tmp_path / "work")
    found = sends.send({"gw-a1": vendor.request("state")}, 40)["gw-a1"]
    assert found.outcome is Outcome.INDETERMINATE
    assert "exit 127" in found.message
    assert "/no/such/python" in found.message


def test_an_answer_that_is_cut_off_is_none_and_takes_no_other_host_s_away(
    server: sshd.Server, vendor: Vendor, tmp_path: Path
) -> None:
    cut = tmp_path / "cut"
    cut.write_text("#!/bin/sh\nprintf 'DRILLCTL-RESULT {\"results\": ['\n")
    cut.chmod(0o755)
    targets = {
        "gw-a1": SshTarget("gw-a1", "127.0.0.1", server.port, "root", str(cut)),
        "gw-a2": SshTarget("gw-a2", "127.0.0.1", server.port, "root", "/usr/bin/python3"),
    }
    sends = Sends(Hands(ROOT / "playbooks", server.settings, targets), tmp_path / "work")
    found = sends.send({"gw-a1": vendor.request("state"), "gw-a2": vendor.request("state")}, 40)
    assert found["gw-a1"].outcome is Outcome.INDETERMINATE
    assert found["gw-a2"].outcome is Outcome.SUCCEEDED


def test_who_is_not_of_the_inventory_is_not_contacted(hands: Sends, server: sshd.Server, vendor: Vendor) -> None:
    before = server.commands()
    with pytest.raises(Refused, match="NOT_LISTED"):
        hands.send({"gw-a1": vendor.request("state"), "nobody": vendor.request("state")}, 40)
    with pytest.raises(Refused, match="EMPTY_TARGET"):
        hands.send({}, 40)
    assert server.commands() == before


def test_a_connection_that_breaks_in_the_middle_is_indeterminate(
    hands: Sends, server: sshd.Server, vendor: Vendor, fronts: list[Front]
) -> None:
    fronts[0].mute = True
    vendor.spec["release_s"] = 4.0
    found: dict[str, HostResult] = {}
    call = threading.Thread(target=lambda: found.update(hands.send({"gw-a1": repoint(vendor, fronts[2])}, 40)))
    call.start()
    until(lambda: vendor.pid() is None, "stopped", 20)
    for pid in [item.pid for item in processes.below(server.process.pid)]:
        os.kill(pid, signal.SIGKILL) if b"sshd" in Path(f"/proc/{pid}/cmdline").read_bytes() else None
    call.join()
    assert found["gw-a1"].outcome is Outcome.INDETERMINATE
    assert found["gw-a1"].message.startswith("unreachable: ")
    until(lambda: "logged_in=yes" in vendor.status(), "the host has finished by itself", 15)


def test_at_the_deadline_everything_is_ended_and_the_outcome_is_unknown(
    hands: Sends, server: sshd.Server, vendor: Vendor, fronts: list[Front], tmp_path: Path
) -> None:
    fronts[0].mute = True
    vendor.spec["release_s"] = 8.0
    begin = time.monotonic()
    found = hands.send({"gw-a1": repoint(vendor, fronts[2], deadline_s=15)}, 4)["gw-a1"]
    took = time.monotonic() - begin
    assert found.outcome is Outcome.TIMED_OUT
    assert 4 <= took < 7
    assert [line for line in command_lines() if str(tmp_path / "work") in line] == []
    assert [line for line in command_lines() if line.startswith("ssh ") and str(server.folder) in line] == []
    until(lambda: "logged_in=yes" in vendor.status(), "the host has finished by itself", 20)


def test_a_call_whose_guard_is_killed_ends_itself_and_is_indeterminate(
    hands: Sends, vendor: Vendor, fronts: list[Front]
) -> None:
    asked = hang(vendor, fronts)
    killed: list[Path] = []

    def stop() -> bool:
        if vendor.pid() is None and not killed:
            killed.append(hands.folder)
            kill_guard(hands.folder)
            until(lambda: not marked(hands.folder), "the child has ended all that it started", 3)
        return False

    found = hands.send(asked, 40, stop)["gw-a1"]
    assert killed
    assert found.outcome is Outcome.INDETERMINATE
    assert "its guard was killed" in found.message
    assert guard.fate(hands.folder) is Fate.LOST


def test_of_a_call_whose_guard_and_child_are_killed_a_sweep_leaves_nothing(
    hands: Sends, vendor: Vendor, fronts: list[Front]
) -> None:
    asked = hang(vendor, fronts)
    left: list[int] = []

    def stop() -> bool:
        if vendor.pid() is None and not left:
            child = next(
                item
                for item in marked(hands.folder)
                if b"hands_child" in Path(f"/proc/{item.pid}/cmdline").read_bytes()
            )
            kill_guard(hands.folder)
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)
            left.extend(item.pid for item in marked(hands.folder))
        return False

    found = hands.send(asked, 40, stop)["gw-a1"]
    assert found.outcome is Outcome.INDETERMINATE
    assert left, "they had lost everybody who could end them"
    assert marked(hands.folder) == []
    assert [pid for pid in left if processes.find(pid)] == []


def test_a_stop_ends_our_end_of_it_at_once(
    hands: Sends, server: sshd.Server, vendor: Vendor, fronts: list[Front]
) -> None:
    asked_at: list[float] = []

    def stop() -> bool:
        if vendor.pid() is None:
            asked_at.append(time.monotonic())
        return bool(asked_at)

    found = hands.send({**hang(vendor, fronts), "gone": repoint(vendor, fronts[2])}, 40, stop)
    assert time.monotonic() - asked_at[0] < 2
    assert found["gw-a1"].outcome is Outcome.INDETERMINATE
    assert found["gw-a1"].message == "no result from gw-a1: ended because an abort was asked for"
    assert found["gone"].outcome is Outcome.FAILED, "what was heard before stays known"
    assert marked(hands.folder) == []
    assert [line for line in command_lines() if line.startswith("ssh ") and str(server.folder) in line] == []
    until(lambda: "logged_in=yes" in vendor.status(), "the host has finished by itself", 20)


def test_what_was_begun_before_is_joined_and_nothing_is_sent_again(
    hands: Sends, server: sshd.Server, vendor: Vendor, fronts: list[Front]
) -> None:
    class Lost(Exception):
        """This orchestrator is gone."""

    def stop() -> bool:
        if vendor.pid() is None:
            raise Lost
        return False

    fronts[0].mute = True
    before = server.commands()
    with pytest.raises(Lost):
        hands.send({"gw-a1": repoint(vendor, fronts[2])}, 40, stop)
    assert guard.fate(hands.folder) is Fate.RUNNING
    other = {"gw-a1": repoint(vendor, fronts[1])}
    found = [hands.join(other)["gw-a1"] for _ in range(2)]
    assert [item.outcome for item in found] == [Outcome.SUCCEEDED] * 2, found[0].message
    assert found[0].data["results"][0]["new"] == [fronts[2].endpoint]
    assert server.commands() - before == 1
    assert not scratch(hands.folder).exists()


def test_a_call_that_was_given_up_is_not_sent(
    hands: Sends, server: sshd.Server, vendor: Vendor, tmp_path: Path
) -> None:
    before = server.commands()
    assert guard.fate(tmp_path / "work" / "call-1") is Fate.NEVER
    with pytest.raises(StepFailed, match="given up"):
        hands.send({"gw-a1": vendor.request("state")}, 40)
    assert server.commands() == before


@pytest.mark.parametrize(
    ("request_", "answer", "expected"),
    [
        ({"op": "repoint", "endpoints": ["a:1"]}, {"new": ["a:1"]}, None),
        ({"op": "repoint", "endpoints": ["a:1"]}, {"new": ["b:1"]}, "expected ['a:1'], found ['b:1']"),
        ({"op": "repoint", "certificate": "x"}, {"new": ["b:1"]}, None),
        ({"op": "restore", "restore_sha256": "1"}, {"sha256_after": "2"}, "expected 1, found 2"),
        ({"op": "restart"}, {"logged_in": False, "sha256_before": 1, "sha256_after": 1}, "expected a log-in"),
        ({"op": "stop"}, {"logged_in": False, "sha256_before": 1, "sha256_after": 1}, None),
        ({"op": "stop"}, {"sha256_before": 1, "sha256_after": 2}, "expected 1, found 2"),
        ({"op": "path", "via": "192.0.2.1"}, {"new": "192.0.2.2"}, "expected 192.0.2.1"),
        ({"op": "block"}, {"blocked": False}, "expected blocked, found not blocked"),
        ({"op": "unblock"}, {"blocked": True}, "expected not blocked"),
        ({"op": "fence"}, {"released": None}, "expected released"),
        ({"op": "state"}, {}, None),
    ],
)
def test_a_success_that_shows_something_else_is_none(
    request_: dict[str, object], answer: dict[str, object], expected: str | None
) -> None:
    found = read_back(request_, {"outcome": "succeeded", "ok": True, **answer})
    assert found["outcome"] == ("failed" if expected else "succeeded")
    assert found["ok"] is (expected is None)
    assert (expected or "") in str(found.get("message", ""))


def test_what_failed_is_left_as_it_was_said() -> None:
    said = {"outcome": "refused", "ok": False, "message": "expected token 2", "new": None}
    assert read_back({"op": "repoint", "endpoints": ["a:1"]}, said) == said
