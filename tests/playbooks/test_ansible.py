"""Playbooks over a real sshd on loopback: one round trip, one result per host, whatever happens."""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.ansible import Ansible, Hearing
from orchestrator.adapters.host_result import HostResult
from orchestrator.engine import guard
from orchestrator.errors import Refused, StepFailed
from orchestrator.model.event import Outcome
from orchestrator.ports import Fate
from tests.guard.commands import marked, never, swept
from tests.playbooks import sshd
from tests.playbooks.harness import ROOT, Vendor, until
from tests.playbooks.vendor.front import Front, Registry

pytestmark = pytest.mark.skipif(sshd.SSHD is None or os.getuid() != 0, reason="needs sshd and root")


@pytest.fixture(scope="module")
def server() -> Iterator[sshd.Server]:
    with tempfile.TemporaryDirectory(prefix="dc") as folder:  # a short path: control sockets are limited
        started = sshd.start(Path(folder) / "s")
        yield started
        started.stop()


class Plays:
    """Every play has a call's folder of its own, unless it is told to take the last one's."""

    def __init__(self, ansible: Ansible, work: Path) -> None:
        self._ansible, self._work, self._calls = ansible, work, 0

    @property
    def folder(self) -> Path:
        return self._work / f"call-{self._calls}"

    def play(
        self,
        playbook: str,
        requests: Mapping[str, Mapping[str, Any]],
        deadline_s: float,
        stop: Callable[[], bool] = never,
        **more: Any,
    ) -> dict[str, HostResult]:
        self._calls += 1
        return self._ansible.play(self.folder, playbook, requests, deadline_s, stop, **more)

    def join(self, playbook: str, requests: Mapping[str, Mapping[str, Any]]) -> dict[str, HostResult]:
        """As another orchestrator does that finds the call begun."""
        return self._ansible.play(self.folder, playbook, requests, 40, never)


@pytest.fixture
def ansible(server: sshd.Server, tmp_path: Path) -> Iterator[Plays]:
    site = server.hosts_yml(tmp_path / "site", ["gw-a1", "gw-a2", "gone"], dead=("gone",))
    plays = Plays(Ansible(site, ROOT / "playbooks", server.settings), tmp_path / "work")
    with swept(tmp_path / "work" / "call-1"):  # no test has more than one that may be left at work
        yield plays


def command_lines() -> list[str]:
    """Of every process of this machine: what was cut loose hangs below pid 1."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def repoint(vendor: Vendor, front: Front, **fields: object) -> dict[str, object]:
    return {"drill_requests": [vendor.request("repoint", endpoints=[front.endpoint], **fields)]}


def test_a_repoint_is_one_round_trip_and_returns_what_the_host_said(
    ansible: Plays, server: sshd.Server, vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    before = server.commands()
    progress: list[HostResult] = []
    old = vendor.endpoints()
    found = ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2])}, 40, on_progress=progress.append)
    assert server.commands() - before == 1
    assert found["gw-a1"].outcome is Outcome.SUCCEEDED, found["gw-a1"].message
    [result] = found["gw-a1"].data["results"]
    assert (result["previous"], result["new"]) == (old, [fronts[2].endpoint])
    assert progress == [found["gw-a1"]]
    assert [front for _, front in registry.logins] == [fronts[0].endpoint, fronts[2].endpoint]


def test_the_second_run_changes_nothing(
    ansible: Plays, vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    for changed in (True, False):
        found = ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2])}, 40)["gw-a1"]
        assert (found.outcome, found.data["results"][0]["changed"]) == (Outcome.SUCCEEDED, changed)
    assert len(registry.logins) == 2


def test_a_preview_changes_nothing(ansible: Plays, vendor: Vendor, fronts: list[Front], registry: Registry) -> None:
    found = ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2])}, 40, check=True)["gw-a1"]
    assert found.outcome is Outcome.WOULD_CHANGE
    assert vendor.config.read_bytes() == vendor.original
    assert len(registry.logins) == 1


def test_what_became_of_an_attempt_is_asked_by_play_and_waited_for(
    ansible: Plays, vendor: Vendor, fronts: list[Front]
) -> None:
    named = {"run": "20250301T090000-test-0001", "step": "repoint-1-1", "attempt": 1}
    moved = ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2], attempt_of=named)}, 40)["gw-a1"]
    look = vendor.request("state", token=2, attempt_of=named, wait_idle_s=20.5, deadline_s=30.5)
    found = ansible.play("state.yml", {"gw-a1": {"drill_requests": [look], "drill_program": "gateway"}}, 80)["gw-a1"]
    assert found.outcome is Outcome.SUCCEEDED, found.message
    [state] = found.data["results"]
    assert (state["busy"], state["last"]) == (False, moved.data["results"][0])
    tidy = vendor.request("cleanup", token=2, wait_idle_s=5)
    closed = ansible.play("close.yml", {"gw-a1": {"drill_requests": [tidy], "drill_program": "gateway"}}, 40)["gw-a1"]
    assert (closed.outcome, (vendor.folder / "work").exists()) == (Outcome.SUCCEEDED, False), closed.message


def test_every_verb_that_a_drill_needs(ansible: Plays, vendor: Vendor, fronts: list[Front]) -> None:
    digest, old = vendor.sha256(), vendor.endpoints()

    def play(verb: str, op: str, **fields: object) -> HostResult:
        variables = {"drill_program": "gateway", "drill_requests": [vendor.request(op, **fields)]}
        return ansible.play(f"{verb}.yml", {"gw-a1": variables}, 40)["gw-a1"]

    assert play("arm", "preflight").outcome is Outcome.SUCCEEDED
    state = play("state", "state")
    assert (state.outcome, state.data["results"][0]["session"]) == (Outcome.SUCCEEDED, fronts[0].endpoint)
    assert play("repoint", "repoint", endpoints=[fronts[2].endpoint]).outcome is Outcome.SUCCEEDED
    assert play("restore", "restore", endpoints=old, restore_sha256=digest).outcome is Outcome.SUCCEEDED
    assert play("restart", "restart").outcome is Outcome.SUCCEEDED
    assert play("stop", "stop").outcome is Outcome.SUCCEEDED
    assert play("start", "start").outcome is Outcome.SUCCEEDED
    assert play("close", "cleanup").outcome is Outcome.SUCCEEDED
    assert vendor.config.read_bytes() == vendor.original
    assert not (vendor.folder / "work").exists()


def test_a_dead_host_is_failed_and_does_not_hold_up_the_others(
    ansible: Plays, vendor: Vendor, fronts: list[Front]
) -> None:
    asked = {"gone": repoint(vendor, fronts[2]), "gw-a1": repoint(vendor, fronts[2])}
    found = ansible.play("repoint.yml", asked, 40)
    assert found["gone"].outcome is Outcome.FAILED
    assert found["gone"].message.startswith("unreachable: ")
    assert found["gw-a1"].outcome is Outcome.SUCCEEDED


def test_a_host_that_the_inventory_does_not_lead_to_is_never_a_success(
    ansible: Plays, vendor: Vendor, fronts: list[Front]
) -> None:
    found = ansible.play("repoint.yml", {"nobody.invalid": repoint(vendor, fronts[2])}, 40)
    assert found["nobody.invalid"].outcome is Outcome.FAILED
    assert vendor.config.read_bytes() == vendor.original


def test_a_refusal_on_the_host_is_a_failure_with_its_reason(
    ansible: Plays, vendor: Vendor, fronts: list[Front]
) -> None:
    found = ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2], token=9)}, 40)["gw-a1"]
    assert found.outcome is Outcome.FAILED
    assert "expected token" in found.message
    assert found.data["results"][0]["touched"] is False


def test_an_incomplete_request_never_reaches_the_host(ansible: Plays, server: sshd.Server, vendor: Vendor) -> None:
    before = server.commands()
    incomplete = {key: value for key, value in vendor.request("repoint").items() if key != "deadline_at"}
    found = ansible.play("repoint.yml", {"gw-a1": {"drill_requests": [incomplete]}}, 40)["gw-a1"]
    assert found.outcome is Outcome.FAILED
    assert "Nothing was touched" in found.message
    assert server.commands() == before


def test_a_playbook_that_cannot_be_read_gives_no_success(ansible: Plays) -> None:
    found = ansible.play("no-such.yml", {"gw-a1": {"drill_requests": []}}, 40)["gw-a1"]
    assert found.outcome is Outcome.INDETERMINATE
    assert "no-such.yml" in found.message


def test_no_host_at_all_is_refused(ansible: Plays) -> None:
    with pytest.raises(Refused, match="EMPTY_TARGET"):
        ansible.play("repoint.yml", {}, 40)


def test_texts_are_never_taken_for_templates(ansible: Plays, vendor: Vendor) -> None:
    vendor.spec["id"] = "gw-{{ 40 + 2 }}"
    variables = {"drill_program": "gateway", "drill_requests": [vendor.request("state")]}
    [result] = ansible.play("state.yml", {"gw-a1": variables}, 40)["gw-a1"].data["results"]
    assert result["gateway"] == "gw-{{ 40 + 2 }}"


def test_the_callers_environment_stays_with_the_caller(
    ansible: Plays, vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "hunter2-hunter2")
    variables = {"drill_program": "gateway", "drill_requests": [vendor.request("state")]}
    ansible.play("state.yml", {"gw-a1": variables}, 40)
    kept = [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"hunter2-hunter2" in path.read_bytes()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "work").iterdir())


def hang(vendor: Vendor, fronts: list[Front]) -> dict[str, dict[str, object]]:
    """A change that takes eight seconds on its host: the front says nothing, so its release time is waited out."""
    fronts[0].mute = True
    vendor.spec["release_s"] = 8.0
    return {"gw-a1": repoint(vendor, fronts[2], deadline_s=25)}


def test_a_stop_ends_a_play_that_hangs_with_all_that_went_away_from_it(
    ansible: Plays, server: sshd.Server, vendor: Vendor, fronts: list[Front]
) -> None:
    asked_at: list[float] = []

    def stop() -> bool:
        if vendor.pid() is None:
            asked_at.append(time.monotonic())
        return bool(asked_at)

    found = ansible.play("repoint.yml", {**hang(vendor, fronts), "gone": repoint(vendor, fronts[2])}, 40, stop)
    assert time.monotonic() - asked_at[0] < 2
    assert found["gw-a1"].outcome is Outcome.INDETERMINATE
    assert found["gw-a1"].message == "no result from gw-a1: ended because an abort was asked for"
    assert found["gone"].outcome is Outcome.FAILED, "what was heard before stays known"
    assert marked(ansible.folder) == []
    assert [line for line in command_lines() if str(ansible.folder) in line] == []
    assert [line for line in command_lines() if line.startswith("ssh ") and str(server.folder) in line] == []
    until(lambda: "logged_in=yes" in vendor.status(), "the host has finished by itself", 20)


def test_a_play_that_was_begun_before_is_joined_and_nothing_is_sent_again(
    ansible: Plays, server: sshd.Server, vendor: Vendor, fronts: list[Front]
) -> None:
    class Lost(Exception):
        """This orchestrator is gone."""

    def stop() -> bool:
        if vendor.pid() is None:
            raise Lost
        return False

    fronts[0].mute = True
    asked = {"gw-a1": repoint(vendor, fronts[2])}
    before = server.commands()
    with pytest.raises(Lost):
        ansible.play("repoint.yml", asked, 40, stop)
    assert guard.fate(ansible.folder) is Fate.RUNNING
    scratch = _scratch_of(ansible.folder)
    assert scratch.is_dir()
    other = {"gw-a1": repoint(vendor, fronts[1])}
    found = [ansible.join("repoint.yml", other)["gw-a1"] for _ in range(2)]
    assert [item.outcome for item in found] == [Outcome.SUCCEEDED] * 2, found[0].message
    assert found[0] == found[1]
    assert found[0].data["results"][0]["new"] == [fronts[2].endpoint]
    assert server.commands() - before == 1
    assert not scratch.exists()


def _scratch_of(folder: Path) -> Path:
    """Where Ansible's temporary files are, by what it was given."""
    return Path(json.loads((folder / "command.json").read_text())["env"]["TMPDIR"])


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_a_call_that_was_given_up_is_not_played(
    ansible: Plays, server: sshd.Server, vendor: Vendor, fronts: list[Front], tmp_path: Path
) -> None:
    before = server.commands()
    assert guard.fate(tmp_path / "work" / "call-1") is Fate.NEVER
    with pytest.raises(StepFailed, match="given up"):
        ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2])}, 40)
    assert server.commands() == before


def test_a_folder_that_cannot_be_made_lets_nothing_begin(
    server: sshd.Server, vendor: Vendor, fronts: list[Front], tmp_path: Path
) -> None:
    site = server.hosts_yml(tmp_path / "site", ["gw-a1"])
    (tmp_path / "steps").write_text("a file where a folder is wanted")
    plays = Plays(Ansible(site, ROOT / "playbooks", server.settings), tmp_path / "steps")
    before = server.commands()
    with pytest.raises(StepFailed, match="nothing was begun"):
        plays.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2])}, 40)
    assert server.commands() == before


def test_a_line_that_was_cut_off_takes_no_other_host_s_result_away() -> None:
    """The child is ended in the middle of a line when the deadline is over."""
    said = '{"event": "runner_on_unreachable", "host": "gw-a1", "res": {"msg": "ssh: connect to host"}}\n'
    hearing = Hearing(None)
    assert hearing.listen([said, '{"event": "runner_on_o']) == "no answer"
    assert hearing.results["gw-a1"].outcome is Outcome.FAILED
