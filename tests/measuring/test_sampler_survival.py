"""Measuring goes on while there is no orchestrator, and whatever becomes of the sampler itself."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.recording import read_observations, recorded
from orchestrator.adapters.sampler import Sampler
from orchestrator.adapters.sampler_process import SamplerProcess
from orchestrator.adapters.sampler_request import REQUEST, SamplerRequest
from orchestrator.engine import guard
from tests.measuring.lab import ONHOST, ROOT, Lab, eventually

INTERVAL_MS = 100


@pytest.fixture(autouse=True)
def nothing_left(measured: Lab) -> Iterator[None]:
    """No process of a sampler outlives its test."""
    yield
    left = [*samplers(measured), *guards(measured)]
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left


@contextmanager
def reading(lab: Lab, **options: Any) -> Iterator[Sampler]:
    """A Sampler that is only detached at the end."""
    sampler = Sampler(lab.site, lab.ssh, ONHOST, lab.folder, INTERVAL_MS, **options).start()
    try:
        yield sampler
    finally:
        sampler.detach()


@contextmanager
def sampling(lab: Lab) -> Iterator[Sampler]:
    with reading(lab) as sampler:
        try:
            yield sampler
        finally:
            sampler.stop()


def marked(lab: Lab) -> dict[int, str]:
    """Processes that a guard of this lab's run has started: pid → command line."""
    found = {}
    mark = f"DRILLCTL_GUARD={lab.folder}/".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in path.read_bytes():
                found[int(path.parent.name)] = command_of(int(path.parent.name))
    return found


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()


def samplers(lab: Lab) -> list[int]:
    return [pid for pid, command in marked(lab).items() if "sampler_child" in command]


def guards(lab: Lab) -> list[int]:
    """The guards of this lab's samplers."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if "orchestrator.guarding" in command and f"{lab.folder}/steps/sampler-" in command:
                found.append(int(path.parent.name))
    return found


def on_hosts(lab: Lab) -> list[int]:
    """On-host samplers, which run below the lab's sshds."""
    return [pid for pid in lab.sessions() if "'sampler','exec'" in command_of(pid)]


def the_sampler(lab: Lab) -> int:
    assert eventually(lambda: len(samplers(lab)) == 1), marked(lab)
    return samplers(lab)[0]


def longest_gap_s(lab: Lab, gateway: str) -> float:
    times = [item.mono for item in read_observations(lab.folder / "samples.jsonl").samples if item.gateway == gateway]
    return max(later - earlier for earlier, later in pairwise(times))


@contextmanager
def another_orchestrator(lab: Lab) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own that measures."""
    files = [lab.site.folder, lab.folder, ONHOST, lab.ssh.private_key, lab.ssh.known_hosts, lab.ssh.control_dir]
    program = ROOT / "tests" / "measuring" / "orchestrator_program.py"
    command = [sys.executable, str(program), *(str(file) for file in files), str(INTERVAL_MS)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "measuring\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_the_next_orchestrator_joins_the_sampler_of_one_that_was_killed_and_no_sample_is_missing(measured: Lab) -> None:
    measured.host("gw-a1")
    with another_orchestrator(measured) as killed:
        before = the_sampler(measured)
        killed.kill()
        rest, _ = killed.communicate(timeout=10)  # the end of its output: nobody else holds it open
    count = len(read_observations(measured.folder / "samples.jsonl").samples)
    assert rest == ""
    assert eventually(lambda: len(read_observations(measured.folder / "samples.jsonl").samples) > count + 20)
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: "nq-trade-1" in sampler.latest(), 10)
        assert samplers(measured) == [before]
        assert not (measured.folder / "steps" / "sampler-2").exists()
    assert longest_gap_s(measured, "nq-trade-1") < 1


def test_two_readers_share_one_sampler_and_what_one_stops_the_other_does_not_start_again(measured: Lab) -> None:
    measured.host("gw-a1")
    with sampling(measured) as first, reading(measured) as second:
        assert second.wait_for(lambda: "nq-trade-1" in second.latest(), 10)
        assert len(samplers(measured)) == 1
        first.stop()
        assert second.wait_for(lambda: not second.latest(), 3)
        assert not second.wait_for(lambda: bool(samplers(measured)), 2)


def test_after_the_sampler_and_its_guard_were_killed_another_goes_on_and_old_sessions_end(measured: Lab) -> None:
    measured.host("gw-a1")
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: "nq-trade-1" in sampler.latest(), 10)
        old, old_sessions = the_sampler(measured), on_hosts(measured)
        count = len(sampler.observations().samples)
        assert old_sessions
        for pid in (*guards(measured), old):
            os.kill(pid, signal.SIGKILL)
        assert sampler.wait_for(lambda: not sampler.latest(), 3), "of a dead sampler nothing is the latest"
        assert sampler.wait_for(lambda: "nq-trade-1" in sampler.latest(), 20)
        assert the_sampler(measured) != old
        assert eventually(lambda: not set(old_sessions) & set(on_hosts(measured)))
        assert len(sampler.observations().samples) > count
    said = [heard["connection"] for heard in recorded(measured.folder / "samples.jsonl", "connection")]
    assert [(item["state"], item["reason"].partition(":")[0]) for item in said if item["host"] == "*"] == [
        ("up", "the sampler has begun"),
        ("lost", "sampler-1"),
        ("up", "the sampler has begun"),
    ]


def test_a_frozen_sampler_whose_guard_was_killed_is_ended_and_another_goes_on(measured: Lab) -> None:
    measured.host("gw-a1")
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: "nq-trade-1" in sampler.latest(), 10)
        old = the_sampler(measured)
        os.kill(old, signal.SIGSTOP)
        for pid in guards(measured):
            os.kill(pid, signal.SIGKILL)
        assert sampler.wait_for((measured.folder / "steps" / "sampler-2").exists, 10)
        assert sampler.wait_for(lambda: "nq-trade-1" in sampler.latest(), 20)
        assert the_sampler(measured) != old


def test_what_the_logs_said_while_there_was_no_sampler_is_heard_once(measured: Lab) -> None:
    measured.host("gw-a1")
    gateway = measured.gateway("nq-trade-1", "futian-trading")
    with sampling(measured) as first:
        assert first.wait_for(lambda: "nq-trade-1" in first.latest(), 10)
    front = measured.front("futian-trading")
    assert eventually(gateway.logged_in)
    with sampling(measured) as second:
        assert second.wait_for(lambda: len(second.observations().stamps) == 2, 10)
    with sampling(measured) as third:
        assert third.wait_for(lambda: "nq-trade-1" in third.latest(), 10)
        measured.end(front)
        assert third.wait_for(lambda: len(third.observations().stamps) == 3, 10)
    stamps = list(recorded(measured.folder / "samples.jsonl", "stamp"))
    assert [heard["stamp"]["event"] for heard in stamps] == ["connected", "logged_in", "lost"]


def test_of_a_frozen_sampler_nothing_is_the_latest_until_it_is_heard_again(measured: Lab) -> None:
    measured.host("gw-a1")
    measured.host("ce-a")
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: bool(sampler.latest()) and bool(sampler.latest_routes()), 10)
        frozen = the_sampler(measured)
        os.kill(frozen, signal.SIGSTOP)
        assert sampler.wait_for(lambda: not sampler.latest() and not sampler.latest_routes(), 10)
        os.kill(frozen, signal.SIGCONT)
        assert sampler.wait_for(lambda: bool(sampler.latest()) and bool(sampler.latest_routes()), 20)
        assert samplers(measured) == [frozen]


def test_what_was_recorded_before_a_reader_joined_is_its_history_and_not_its_latest(measured: Lab) -> None:
    measured.host("gw-a1")
    with sampling(measured) as first:
        assert first.wait_for(lambda: "nq-trade-1" in first.latest(), 10)
        frozen = the_sampler(measured)
        os.kill(frozen, signal.SIGSTOP)
        first.wait_for(lambda: False, 0.2)  # what was written before is read
        with reading(measured) as second:
            assert not second.wait_for(lambda: bool(second.latest()), 1)
            assert second.observations().samples
            assert second.clock_offset_s() == first.clock_offset_s() != {}
            os.kill(frozen, signal.SIGCONT)
            assert second.wait_for(lambda: "nq-trade-1" in second.latest(), 10)


def test_a_forgotten_run_leaves_no_sampler_behind(measured: Lab) -> None:
    measured.host("gw-a1")
    with reading(measured, lease_s=2) as sampler:
        assert sampler.wait_for(lambda: "nq-trade-1" in sampler.latest(), 10)
        assert not sampler.wait_for(lambda: not samplers(measured), 4), "its run is alive for longer than the lease"
    assert eventually(lambda: not marked(measured) and not guards(measured))
    assert eventually(lambda: not on_hosts(measured))


def test_stopping_ends_the_sampler_and_its_sessions(measured: Lab) -> None:
    measured.host("gw-a1")
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: "nq-trade-1" in sampler.latest(), 10)
        sampler.stop()
        assert not marked(measured)
        assert eventually(lambda: not on_hosts(measured))
    ended = guard.result(measured.folder / "steps" / "sampler-1")
    assert (ended.ended, ended.returncode) == ("stopped", 0), "it has closed its recording by itself"


def test_the_clock_offsets_are_those_of_the_fastest_lines(measured: Lab) -> None:
    """This machine is both ends: the offset is the line's delay, and it only gets nearer to nought."""
    measured.host("gw-a1")
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: "gw-a1" in sampler.clock_offset_s(), 10)
        first = sampler.clock_offset_s()["gw-a1"]
        sampler.wait_for(lambda: sampler.clock_offset_s()["gw-a1"] > first, 2)
        assert first <= sampler.clock_offset_s()["gw-a1"]
        assert -1 < sampler.clock_offset_s()["gw-a1"] < 0


def test_a_condition_is_asked_several_times_a_second_and_what_it_raises_goes_up(measured: Lab) -> None:
    asked = []

    def condition() -> bool:
        asked.append(1)
        if len(asked) > 5:
            raise ValueError("superseded")
        return False

    with sampling(measured) as sampler:
        sampler.stop()  # nothing is heard any more
        with pytest.raises(ValueError, match="superseded"):
            sampler.wait_for(condition, 5)


def test_while_a_condition_is_evaluated_others_read_on(measured: Lab) -> None:
    def others_can_read() -> bool:
        other = threading.Thread(target=sampler.latest, daemon=True)
        other.start()
        other.join(5)
        return not other.is_alive()

    with sampling(measured) as sampler:
        assert sampler.wait_for(others_can_read, 0)


def request_of(lab: Lab, run: Path) -> SamplerRequest:
    return SamplerRequest(lab.site.folder, ONHOST, run, run / "alive", INTERVAL_MS, 900, lab.ssh)


def test_a_recording_that_cannot_be_written_ends_the_sampler_with_the_reason(measured: Lab, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    request_of(measured, run).write(run / REQUEST)
    without_room = ["sh", "-c", 'ulimit -f 0 && exec "$@"', "sh"]
    command = [*without_room, sys.executable, "-m", "orchestrator.adapters.sampler_child", str(run)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "File too large" in ended.stderr


def test_a_request_is_read_back_as_it_was_written(measured: Lab, tmp_path: Path) -> None:
    request = request_of(measured, tmp_path)
    request.write(tmp_path / REQUEST)
    assert SamplerRequest.read(tmp_path / REQUEST) == request


def test_a_start_that_nobody_finished_is_passed_over(measured: Lab) -> None:
    """An orchestrator was killed after it had made the folder and before it had started anything."""
    measured.host("gw-a1")
    (measured.folder / "steps" / "sampler-1").mkdir(parents=True)
    with sampling(measured) as sampler:
        assert sampler.wait_for(lambda: "nq-trade-1" in sampler.latest(), 10)
        assert SamplerProcess(request_of(measured, measured.folder)).newest() == (
            measured.folder / "steps" / "sampler-2"
        )
