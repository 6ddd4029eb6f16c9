"""standby.py as a real program against real gateway processes: log-ins and duplicates are counted at the fronts."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playbooks.onhost_program import answer, program
from tests.playbooks.harness import RELEASE_S, Vendor, until
from tests.playbooks.vendor.front import Front, Registry

RUN = "20250301T090000-test-0001"


def ask(vendor: Vendor, op: str, **fields: Any) -> dict[str, Any]:
    """One request to the program, in one round trip."""
    text = program("standby", {"requests": [vendor.request(op, **fields)]})
    done = subprocess.run([vendor.python, "-I", "-S", "-"], input=text, capture_output=True, check=False)
    found = answer(done.stdout.decode())
    assert found is not None, done.stderr.decode()
    return dict(found["results"][0])


def aside(vendor: Vendor) -> Path:
    return vendor.folder / "gateway.ini.drillctl-fenced"


def start_command(vendor: Vendor) -> None:
    """What a service manager, a watchdog or a boot does; waits until the program is up or has given up."""
    subprocess.run(vendor.spec["service"]["start"], check=True)
    pid = int((vendor.folder / "pid").read_text())
    until(lambda: "logged_in=yes" in vendor.status() or not is_alive(pid), "up, or ended again")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def cold(tmp_path: Path, fronts: list[Front]) -> Iterator[Vendor]:
    """A cold standby of the same number on a host of its own: installed, not running, with the run's token."""
    made = Vendor(tmp_path / "cold", [fronts[0].endpoint, fronts[1].endpoint])
    made.arm()
    yield made
    made.end()


# The fence on the host itself ------------------------------------------------------------------------


def test_a_blocked_gateway_is_out_and_nothing_can_start_it(vendor: Vendor, registry: Registry) -> None:
    result = ask(vendor, "block")
    assert (result["outcome"], result["changed"], result["blocked"]) == ("succeeded", True, True), result["message"]
    assert (result["acknowledged"], result["released_by"]) == (True, "acknowledged")
    assert vendor.pid() is None
    assert (aside(vendor).read_bytes(), vendor.config.exists()) == (vendor.original, False)
    start_command(vendor)
    assert "logged_in=yes" not in vendor.status()
    assert len(registry.logins) == 1


def test_it_is_blocked_before_it_is_asked_to_log_out(vendor: Vendor) -> None:
    """What watches the gateway starts it the moment that it ends: by then its file is gone."""
    seen = vendor.folder / "seen"
    stop = " ".join(vendor.spec["service"]["stop"])
    text = f'test -e "{vendor.config}" && echo file > "{seen}" || echo gone > "{seen}"\nexec {stop}'
    vendor.spec["service"]["stop"] = vendor.command("watched-stop", text)
    assert ask(vendor, "block")["outcome"] == "succeeded"
    assert seen.read_text() == "gone\n"


def test_the_very_same_file_is_put_back_and_nothing_is_started(vendor: Vendor, registry: Registry) -> None:
    vendor.config.chmod(0o640)
    before = vendor.config.stat()
    ask(vendor, "block")
    result = ask(vendor, "unblock")
    after = vendor.config.stat()
    assert (result["outcome"], result["changed"], result["blocked"]) == ("succeeded", True, False), result["message"]
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (before.st_ino, before.st_mode, before.st_mtime_ns)
    assert (vendor.config.read_bytes(), aside(vendor).exists()) == (vendor.original, False)
    assert vendor.pid() is None
    assert len(registry.logins) == 1


def test_a_second_block_and_a_second_unblock_change_nothing(vendor: Vendor) -> None:
    first, second = ask(vendor, "block"), ask(vendor, "block")
    assert (first["changed"], second["changed"], second["outcome"]) == (True, False, "succeeded"), second["message"]
    first, second = ask(vendor, "unblock"), ask(vendor, "unblock")
    assert (first["changed"], second["changed"], second["outcome"]) == (True, False, "succeeded"), second["message"]
    assert vendor.config.read_bytes() == vendor.original


def test_without_an_answer_to_its_logout_the_release_time_is_waited(vendor: Vendor, fronts: list[Front]) -> None:
    fronts[0].mute = True
    result = ask(vendor, "block")
    assert (result["outcome"], result["acknowledged"], result["released_by"]) == ("succeeded", False, "waited")
    assert result["stamps"]["released"][1] - result["stamps"]["process_gone"][1] >= RELEASE_S


def test_a_gateway_that_does_not_end_is_not_fenced_and_stays_blocked(vendor: Vendor) -> None:
    (vendor.folder / "stubborn").touch()
    result = ask(vendor, "block", deadline_s=6)
    assert (result["outcome"], result["touched"]) == ("failed", True)
    assert "found it running" in result["message"]
    assert aside(vendor).exists()


def test_a_frozen_gateway_is_never_fenced_this_way(vendor: Vendor) -> None:
    pid = vendor.pid()
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        assert ask(vendor, "block", deadline_s=6)["outcome"] == "failed"
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_file_that_somebody_has_made_meanwhile_is_not_written_over(vendor: Vendor) -> None:
    ask(vendor, "block")
    vendor.config.write_bytes(b"another")
    for op in ("block", "unblock"):
        result = ask(vendor, op)
        assert (result["outcome"], result["touched"]) == ("refused", False)
        assert "found both" in result["message"]
    assert (vendor.config.read_bytes(), aside(vendor).read_bytes()) == (b"another", vendor.original)


def test_a_gateway_without_its_file_is_refused_by_that_name(vendor: Vendor) -> None:
    vendor.config.rename(vendor.folder / "elsewhere.ini")
    for op in ("block", "unblock"):
        assert ask(vendor, op)["message"] == f"expected {vendor.config}, found none"


def test_a_link_to_the_file_is_left_and_what_it_leads_to_is_moved(vendor: Vendor) -> None:
    real = vendor.folder / "real.ini"
    vendor.config.rename(real)
    vendor.config.symlink_to(real)
    assert ask(vendor, "block")["outcome"] == "succeeded"
    assert not vendor.config.exists()
    assert ask(vendor, "unblock")["outcome"] == "succeeded"
    assert vendor.config.is_symlink()
    assert vendor.config.read_bytes() == vendor.original


def test_the_sites_own_commands_disable_it_before_it_stops_and_enable_it_again(vendor: Vendor) -> None:
    calls = vendor.folder / "calls"
    for verb in ("disable", "enable"):
        vendor.spec["service"][verb] = vendor.command(verb, f'echo {verb} >> "{calls}"')
    stop = " ".join(vendor.spec["service"]["stop"])
    vendor.spec["service"]["stop"] = vendor.command("noted-stop", f'echo stop >> "{calls}"\nexec {stop}')
    assert ask(vendor, "block")["outcome"] == "succeeded"
    assert ask(vendor, "unblock")["outcome"] == "succeeded"
    assert calls.read_text().split() == ["disable", "stop", "enable"]


def test_a_disable_command_that_fails_is_no_fence(vendor: Vendor) -> None:
    vendor.spec["service"]["disable"] = vendor.command("disable", "exit 7")
    result = ask(vendor, "block")
    assert (result["outcome"], vendor.pid() is not None) == ("failed", True)
    assert "exit status 7" in result["message"]


@pytest.mark.parametrize("op", ["block", "unblock", "take_over", "give_back"])
@pytest.mark.parametrize(
    ("fields", "said"), [({"token": 7}, "expected token"), ({"deadline_at": 1.0}, "the deadline has passed")]
)
def test_a_request_that_comes_late_changes_nothing(vendor: Vendor, op: str, fields: dict[str, Any], said: str) -> None:
    pid = vendor.pid()
    result = ask(vendor, op, endpoints=vendor.endpoints(), restore_sha256=vendor.sha256(), **fields)
    assert (result["outcome"], result["touched"]) == ("refused", False)
    assert said in result["message"]
    assert (vendor.pid(), vendor.config.read_bytes()) == (pid, vendor.original)


def test_a_block_that_was_cut_off_is_finished_by_the_next_one(vendor: Vendor) -> None:
    """Killed in the middle of its stop: the file is aside already, and stays there."""
    stop = " ".join(vendor.spec["service"]["stop"])
    good = vendor.spec["service"]["stop"]
    vendor.spec["service"]["stop"] = vendor.command("deadly-stop", f"{stop}\nkill -KILL $PPID")
    text = program("standby", {"requests": [vendor.request("block", sequence=1)]})
    done = subprocess.run([vendor.python, "-I", "-S", "-"], input=text, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert aside(vendor).exists()
    vendor.spec["service"]["stop"] = good
    result = ask(vendor, "block", sequence=2)
    assert (result["outcome"], result["blocked"]) == ("succeeded", True), result["message"]


def test_a_snapshot_shows_what_is_aside_as_left_behind_once_the_file_is_there_again(vendor: Vendor) -> None:
    ask(vendor, "block")
    vendor.config.write_bytes(vendor.original)
    assert str(aside(vendor)) in vendor.ask("state")["residue"]


def test_a_look_says_whether_it_is_blocked_and_what_became_of_the_attempt(vendor: Vendor) -> None:
    attempt = {"run": RUN, "step": "fence-1", "attempt": 1}
    before = ask(vendor, "standing", attempt_of=attempt)
    assert (before["blocked"], bool(before["running"]), before["logged_in"], before["last"]) == (
        False,
        True,
        True,
        None,
    )
    result = ask(vendor, "block", attempt_of=attempt)
    after = ask(vendor, "standing", attempt_of=attempt)
    assert (after["blocked"], after["running"], after["logged_in"], after["last"]) == (True, [], False, result)


def test_a_preview_changes_nothing(vendor: Vendor) -> None:
    pid = vendor.pid()
    fields = {"endpoints": vendor.endpoints()[::-1], "restore_sha256": vendor.sha256()}
    for op in ("block", "unblock", "take_over", "give_back"):
        assert ask(vendor, op, check=True, **fields)["outcome"] == "would_change"
    assert (vendor.pid(), vendor.config.read_bytes()) == (pid, vendor.original)


# The standby -----------------------------------------------------------------------------------------


def test_a_number_goes_to_its_standby_and_back_and_is_never_held_twice(
    vendor: Vendor, cold: Vendor, fronts: list[Front], registry: Registry
) -> None:
    one, two, _ = (front.endpoint for front in fronts)
    digest = cold.sha256()
    assert ask(vendor, "block")["outcome"] == "succeeded"
    taken = ask(cold, "take_over", endpoints=[one, two], expected_sha256=digest, rollback=True)
    assert (taken["outcome"], taken["changed"], taken["session"]) == ("succeeded", True, one), taken["message"]
    given = ask(cold, "give_back", restore_sha256=digest)
    assert (given["outcome"], given["changed"], given["released_by"]) == ("succeeded", True, "acknowledged")
    assert cold.pid() is None
    assert ask(vendor, "unblock")["outcome"] == "succeeded"
    assert vendor.ask("restart")["outcome"] == "succeeded"
    assert registry.logins == [("W100200", one)] * 3
    assert registry.duplicates == []
    assert (vendor.config.read_bytes(), cold.config.read_bytes()) == (vendor.original, cold.original)


def test_the_standby_logs_in_by_the_list_it_is_given_and_its_file_comes_back(
    cold: Vendor, fronts: list[Front], registry: Registry
) -> None:
    digest, live = cold.sha256(), [fronts[1].endpoint]
    taken = ask(cold, "take_over", endpoints=live, expected_sha256=digest, rollback=True)
    assert (taken["new"], cold.endpoints(), taken["session"]) == (live, live, fronts[1].endpoint)
    assert ask(cold, "give_back", restore_sha256=digest)["outcome"] == "succeeded"
    assert cold.config.read_bytes() == cold.original
    assert registry.logouts == ["W100200"]


def test_a_second_take_over_and_a_second_give_back_change_nothing(cold: Vendor, registry: Registry) -> None:
    fields = {"endpoints": cold.endpoints(), "expected_sha256": cold.sha256(), "rollback": True}
    first, second = ask(cold, "take_over", **fields), ask(cold, "take_over", **fields)
    assert (first["changed"], second["changed"], len(registry.logins)) == (True, False, 1)
    digest = cold.sha256()
    first, second = (ask(cold, "give_back", restore_sha256=digest) for _ in range(2))
    assert (first["changed"], second["changed"], second["outcome"]) == (True, False, "succeeded")


def test_a_standby_that_is_refused_is_stopped_again_and_its_file_is_as_before(
    cold: Vendor, fronts: list[Front], registry: Registry
) -> None:
    fronts[1].refuse = True
    live = [fronts[1].endpoint]
    result = ask(cold, "take_over", endpoints=live, expected_sha256=cold.sha256(), rollback=True, deadline_s=13)
    assert (result["outcome"], result["touched"], result["rolled_back"]) == ("failed", True, True)
    assert "it is stopped again and proved out" in result["message"]
    assert (cold.pid(), cold.config.read_bytes(), registry.logins) == (None, cold.original, [])
    assert "rollback_process_gone" in result["stamps"]


def test_a_standby_that_does_not_come_up_at_all_is_said_to_be_out(cold: Vendor) -> None:
    (cold.folder / "broken").touch()
    result = ask(cold, "take_over", endpoints=cold.endpoints(), expected_sha256=cold.sha256(), rollback=True)
    assert (result["outcome"], cold.pid()) == ("failed", None)
    assert "exit status 3; it is stopped again and proved out" in result["message"]


def test_a_standby_whose_file_somebody_has_edited_is_not_started(cold: Vendor, registry: Registry) -> None:
    result = ask(cold, "take_over", endpoints=cold.endpoints(), expected_sha256="0" * 64, rollback=True)
    assert (result["outcome"], registry.attempts) == ("refused", 0)
    assert "changed meanwhile" in result["message"]


def test_a_standby_that_was_never_started_is_given_back_without_a_change(cold: Vendor, registry: Registry) -> None:
    result = ask(cold, "give_back", restore_sha256=cold.sha256())
    assert (result["outcome"], result["changed"]) == ("succeeded", False), result["message"]
    assert registry.attempts == 0


def test_a_standby_that_does_not_end_is_not_said_to_be_out(cold: Vendor) -> None:
    ask(cold, "take_over", endpoints=cold.endpoints(), expected_sha256=cold.sha256(), rollback=True)
    (cold.folder / "stubborn").touch()
    result = ask(cold, "give_back", restore_sha256=cold.sha256(), deadline_s=6)
    assert result["outcome"] == "failed"
    assert "found it running" in result["message"]


def test_a_standby_whose_logout_is_not_answered_waits_before_its_number_is_called_free(
    cold: Vendor, fronts: list[Front]
) -> None:
    ask(cold, "take_over", endpoints=cold.endpoints(), expected_sha256=cold.sha256(), rollback=True)
    fronts[0].mute = True
    begin = time.monotonic()
    result = ask(cold, "give_back", restore_sha256=cold.sha256())
    assert (result["outcome"], result["released_by"]) == ("succeeded", "waited")
    assert time.monotonic() - begin >= RELEASE_S
