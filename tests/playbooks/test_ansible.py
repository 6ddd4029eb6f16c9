"""Playbooks over a real sshd on loopback: one round trip, one result per host, whatever happens."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.adapters.ansible import Ansible, Hearing, HostResult
from orchestrator.adapters.descendants import descendants
from orchestrator.errors import Refused
from orchestrator.model.event import Outcome
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


@pytest.fixture
def ansible(server: sshd.Server, tmp_path: Path) -> Ansible:
    site = server.hosts_yml(tmp_path / "site", ["gw-a1", "gw-a2", "gone"], dead=("gone",))
    return Ansible(site, ROOT / "playbooks", server.settings, tmp_path / "work")


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
    ansible: Ansible, server: sshd.Server, vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    before = server.commands()
    progress: list[HostResult] = []
    old = vendor.endpoints()
    found = ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2])}, 40, on_progress=progress.append)
    assert server.commands() - before == 1
    assert found["gw-a1"].outcome is Outcome.SUCCEEDED, found["gw-a1"].message
    [result] = found["gw-a1"].data["results"]
    assert (result["previous"], result["new"], result["acknowledged"]) == (old, [fronts[2].endpoint], True)
    assert progress == [found["gw-a1"]]
    assert [front for _, front in registry.logins] == [fronts[0].endpoint, fronts[2].endpoint]


def test_the_second_run_changes_nothing(
    ansible: Ansible, vendor: Vendor, fronts: list[Front], registry: Registry
) -> None:
    for changed in (True, False):
        found = ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2])}, 40)["gw-a1"]
        assert (found.outcome, found.data["results"][0]["changed"]) == (Outcome.SUCCEEDED, changed)
    assert len(registry.logins) == 2


def test_a_preview_changes_nothing(ansible: Ansible, vendor: Vendor, fronts: list[Front], registry: Registry) -> None:
    found = ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2])}, 40, check=True)["gw-a1"]
    assert found.outcome is Outcome.WOULD_CHANGE
    assert vendor.config.read_bytes() == vendor.original
    assert len(registry.logins) == 1


def test_every_verb_that_a_drill_needs(ansible: Ansible, vendor: Vendor, fronts: list[Front]) -> None:
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
    ansible: Ansible, vendor: Vendor, fronts: list[Front]
) -> None:
    asked = {"gone": repoint(vendor, fronts[2]), "gw-a1": repoint(vendor, fronts[2])}
    found = ansible.play("repoint.yml", asked, 40)
    assert found["gone"].outcome is Outcome.FAILED
    assert found["gone"].message.startswith("unreachable: ")
    assert found["gw-a1"].outcome is Outcome.SUCCEEDED


def test_a_host_that_the_inventory_does_not_lead_to_is_never_a_success(
    ansible: Ansible, vendor: Vendor, fronts: list[Front]
) -> None:
    found = ansible.play("repoint.yml", {"nobody.invalid": repoint(vendor, fronts[2])}, 40)
    assert found["nobody.invalid"].outcome is Outcome.FAILED
    assert vendor.config.read_bytes() == vendor.original


def test_a_refusal_on_the_host_is_a_failure_with_its_reason(
    ansible: Ansible, vendor: Vendor, fronts: list[Front]
) -> None:
    found = ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2], token=9)}, 40)["gw-a1"]
    assert found.outcome is Outcome.FAILED
    assert "expected token" in found.message
    assert found.data["results"][0]["touched"] is False


def test_an_incomplete_request_never_reaches_the_host(ansible: Ansible, server: sshd.Server, vendor: Vendor) -> None:
    before = server.commands()
    incomplete = {key: value for key, value in vendor.request("repoint").items() if key != "deadline_at"}
    found = ansible.play("repoint.yml", {"gw-a1": {"drill_requests": [incomplete]}}, 40)["gw-a1"]
    assert found.outcome is Outcome.FAILED
    assert "Nothing was touched" in found.message
    assert server.commands() == before


def test_a_playbook_that_cannot_be_read_gives_no_success(ansible: Ansible) -> None:
    found = ansible.play("no-such.yml", {"gw-a1": {"drill_requests": []}}, 40)["gw-a1"]
    assert found.outcome is Outcome.INDETERMINATE
    assert "no-such.yml" in found.message


def test_no_host_at_all_is_refused(ansible: Ansible) -> None:
    with pytest.raises(Refused, match="EMPTY_TARGET"):
        ansible.play("repoint.yml", {}, 40)


def test_texts_are_never_taken_for_templates(ansible: Ansible, vendor: Vendor) -> None:
    vendor.spec["id"] = "gw-{{ 40 + 2 }}"
    variables = {"drill_program": "gateway", "drill_requests": [vendor.request("state")]}
    [result] = ansible.play("state.yml", {"gw-a1": variables}, 40)["gw-a1"].data["results"]
    assert result["gateway"] == "gw-{{ 40 + 2 }}"


def test_the_callers_environment_stays_with_the_caller(
    ansible: Ansible, vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", "hunter2-hunter2")
    variables = {"drill_program": "gateway", "drill_requests": [vendor.request("state")]}
    ansible.play("state.yml", {"gw-a1": variables}, 40)
    kept = [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"hunter2-hunter2" in path.read_bytes()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "work").iterdir())


def test_a_connection_that_breaks_in_the_middle_is_indeterminate(
    ansible: Ansible, server: sshd.Server, vendor: Vendor, fronts: list[Front]
) -> None:
    fronts[0].mute = True
    vendor.spec["release_s"] = 4.0
    found: dict[str, HostResult] = {}
    play = threading.Thread(
        target=lambda: found.update(ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2])}, 40))
    )
    play.start()
    until(lambda: vendor.pid() is None, "stopped", 20)
    for pid in list(descendants(server.process.pid)):
        os.kill(pid, signal.SIGKILL) if b"sshd" in Path(f"/proc/{pid}/cmdline").read_bytes() else None
    play.join()
    assert found["gw-a1"].outcome is Outcome.INDETERMINATE
    assert found["gw-a1"].message.startswith("unreachable: ")
    until(lambda: "logged_in=yes" in vendor.status(), "the host has finished by itself", 15)


def test_at_the_deadline_everything_is_ended_and_the_outcome_is_unknown(
    ansible: Ansible, server: sshd.Server, vendor: Vendor, fronts: list[Front], tmp_path: Path
) -> None:
    fronts[0].mute = True
    vendor.spec["release_s"] = 8.0
    begin = time.monotonic()
    found = ansible.play("repoint.yml", {"gw-a1": repoint(vendor, fronts[2], deadline_s=15)}, 4)["gw-a1"]
    took = time.monotonic() - begin
    assert found.outcome is Outcome.TIMED_OUT
    assert 4 <= took < 9
    assert [line for line in command_lines() if str(tmp_path / "work") in line] == []
    assert [line for line in command_lines() if line.startswith("ssh ") and str(server.folder) in line] == []
    until(lambda: "logged_in=yes" in vendor.status(), "the host has finished by itself", 20)


def test_a_line_that_was_cut_off_takes_no_other_host_s_result_away() -> None:
    """The child is ended in the middle of a line when the deadline is over."""
    said = '{"event": "runner_on_unreachable", "host": "gw-a1", "res": {"msg": "ssh: connect to host"}}\n'
    hearing = Hearing(None)
    assert hearing.listen([said, '{"event": "runner_on_o']) == "no answer"
    assert hearing.results["gw-a1"].outcome is Outcome.FAILED
