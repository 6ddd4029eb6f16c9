"""At most one start, ever; and whoever asks later is told what became of it, whoever was killed meanwhile."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.engine import guard
from orchestrator.errors import StepFailed
from orchestrator.guarding import files, processes
from orchestrator.ports import Fate
from tests.guard.commands import (
    DAEMON,
    DAEMON_AND_WAIT,
    alive,
    finish,
    first_pid,
    guard_of,
    kill_guard,
    lines,
    marked,
    never,
    python,
    shell,
    swept,
    until,
)

ROOT = Path(__file__).parents[2]


def counting(effects: Path, rest: str = "") -> guard.Command:
    """Leaves one line per start."""
    return shell(f"echo started >> {effects}; {rest}")


def test_a_command_is_begun_its_lines_are_heard_and_its_end_is_told(folder: Path) -> None:
    before = time.time()
    guard.start(folder, shell("echo one; echo 二; echo aside >&2; exit 3"))
    said, result = finish(folder)
    assert said == ["one", "二"]
    assert (result.ended, result.returncode) == ("exited", 3)
    assert result.ended_at is not None
    assert before <= result.began_at <= result.ended_at <= time.time()
    assert (folder / "log").read_text() == "aside\n"
    assert guard.fate(folder) is Fate.FINISHED


def test_lines_are_heard_while_the_command_is_at_work(folder: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    guard.start(folder, shell(f"echo first; until [ -e {go} ]; do sleep 0.01; done; echo last"))
    heard = guard.follow(folder, never)
    assert next(heard) == "first"
    go.touch()
    assert list(heard) == ["last"]


def test_a_line_without_an_end_is_heard_too(folder: Path) -> None:
    guard.start(folder, shell("printf 'cut o'"))
    assert finish(folder)[0] == ["cut o"]


def test_of_twenty_starters_at_once_one_begins_the_command(folder: Path, tmp_path: Path) -> None:
    effects = tmp_path / "effects"
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: guard.start(folder, counting(effects, "sleep 0.3")), range(20)))
        results = list(pool.map(lambda _: finish(folder)[1], range(20)))
    assert effects.read_text() == "started\n"
    assert len(set(results)) == 1
    assert results[0].ended == "exited"


def test_a_command_that_was_begun_before_is_joined_and_not_begun_again(folder: Path, tmp_path: Path) -> None:
    effects = tmp_path / "effects"
    for _ in range(3):
        guard.start(folder, counting(effects, "echo done"))
        assert finish(folder)[0] == ["done"]
    assert effects.read_text() == "started\n"


def test_whoever_was_told_never_can_rely_on_it_whenever_the_starter_comes(tmp_path: Path) -> None:
    """Both at once, many times: either it is never begun, or it is begun once and seen to be."""
    told = []
    for number in range(20):
        folder, effects = tmp_path / str(number), tmp_path / f"effects-{number}"
        with swept(folder), ThreadPoolExecutor(2) as pool:
            begun = pool.submit(_start, folder, effects)
            time.sleep(number * 0.004)  # not waiting for anything: another moment of the start each time
            fate = guard.fate(folder)
            assert begun.result() is (fate is not Fate.NEVER)
            if fate is not Fate.NEVER:
                assert finish(folder)[1].ended == "exited"
        assert effects.exists() is (fate is not Fate.NEVER)
        told.append(fate)
    assert Fate.NEVER in told


def _start(folder: Path, effects: Path) -> bool:
    try:
        guard.start(folder, counting(effects))
    except StepFailed:
        return False
    return True


def test_a_guard_that_comes_late_finds_the_door_closed(folder: Path, tmp_path: Path) -> None:
    effects = tmp_path / "effects"
    folder.mkdir(parents=True)
    files.replace(folder / "command.json", {"argv": ["touch", str(effects)], "env": {}, "cwd": "/", "deadline_s": 9})
    assert guard.fate(folder) is Fate.NEVER
    command = [sys.executable, "-S", "-s", "-P", "-m", "orchestrator.guarding", str(folder)]
    assert subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, check=False).returncode == 0
    assert guard.fate(folder) is Fate.NEVER
    with pytest.raises(StepFailed, match="given up by a later orchestrator"):
        guard.start(folder, counting(effects))
    assert not effects.exists()


def test_killing_the_starter_leaves_the_command_at_work_and_another_hears_all_of_it(
    folder: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    script = f"echo before; until [ -e {go} ]; do sleep 0.01; done; echo after"
    starter = subprocess.Popen(
        [sys.executable, "-m", "tests.guard.starter", str(folder), script],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    assert starter.stdout is not None
    assert starter.stdout.readline() == b"before\n"
    os.killpg(starter.pid, signal.SIGKILL)
    starter.communicate()
    assert guard.fate(folder) is Fate.RUNNING
    go.touch()
    guard.start(folder, shell("echo this is not begun"))
    said, result = finish(folder)
    assert (said, result.ended) == (["before", "after"], "exited")


def test_killing_the_guard_ends_the_command_and_nobody_says_how(folder: Path) -> None:
    guard.start(folder, shell("echo $$; exec sleep 600"))
    pid = first_pid(folder)
    kill_guard(folder)
    until(lambda: not alive(pid), "the kernel has told the command")
    assert guard.fate(folder) is Fate.LOST
    said, result = finish(folder)
    assert said == [str(pid)]
    assert (result.ended, result.returncode, result.ended_at) == ("lost", None, None)


def test_following_a_lost_command_leaves_nothing_of_it_at_work(folder: Path) -> None:
    guard.start(folder, python(DAEMON_AND_WAIT))
    pid = first_pid(folder)
    kill_guard(folder)
    assert finish(folder)[1].ended == "lost"
    assert not alive(pid)


def test_a_frozen_guard_is_at_work(folder: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    guard.start(folder, shell(f"until [ -e {go} ]; do sleep 0.01; done"))
    os.kill(guard_of(folder), signal.SIGSTOP)
    go.touch()
    until(lambda: not marked(folder), "the command has ended")
    assert guard.fate(folder) is Fate.RUNNING
    os.kill(guard_of(folder), signal.SIGCONT)
    assert finish(folder)[1].ended == "exited"


def test_at_the_deadline_the_command_is_ended(folder: Path) -> None:
    guard.start(folder, shell("exec sleep 600", deadline_s=0.3))
    began = time.monotonic()
    _, result = finish(folder)
    assert (result.ended, result.returncode) == ("deadline", -signal.SIGTERM)
    assert 0.2 <= time.monotonic() - began < 2
    assert marked(folder) == []


def test_a_stop_ends_what_went_away_from_its_parents_and_does_not_listen(folder: Path) -> None:
    guard.start(folder, python(DAEMON_AND_WAIT))
    pid = first_pid(folder)
    began = time.monotonic()
    _, result = finish(folder, lambda: True)
    assert time.monotonic() - began < 2
    assert result.ended == "stopped"
    assert not alive(pid)
    assert marked(folder) == []


def test_the_guard_ends_its_command_when_it_is_told_to_end_itself(folder: Path) -> None:
    guard.start(folder, python(DAEMON_AND_WAIT))
    pid = first_pid(folder)
    os.kill(guard_of(folder), signal.SIGTERM)
    assert finish(folder)[1].ended == "stopped"
    assert not alive(pid)


def test_a_stop_that_was_asked_for_before_keeps_the_command_from_being_begun(folder: Path, tmp_path: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "stop").touch()
    guard.start(folder, counting(tmp_path / "effects"))
    _, result = finish(folder)
    assert (result.ended, result.returncode) == ("stopped", None)
    assert not (tmp_path / "effects").exists()


def test_a_frozen_guard_does_not_keep_its_command_from_being_stopped(folder: Path) -> None:
    guard.start(folder, python(DAEMON_AND_WAIT))
    pid = first_pid(folder)
    os.kill(guard_of(folder), signal.SIGSTOP)
    began = time.monotonic()
    assert finish(folder, lambda: True)[1].ended == "lost"
    assert time.monotonic() - began < 8
    assert not alive(pid)
    assert guard.fate(folder) is Fate.LOST


def test_what_stop_raises_goes_up_and_leaves_the_command_at_work(folder: Path) -> None:
    class Superseded(Exception):
        pass

    def stop() -> bool:
        raise Superseded

    guard.start(folder, shell("echo $$; exec sleep 600"))
    pid = first_pid(folder)
    with pytest.raises(Superseded):
        finish(folder, stop)
    assert guard.fate(folder) is Fate.RUNNING
    assert alive(pid)


def test_what_a_command_leaves_behind_at_its_end_is_ended(folder: Path) -> None:
    guard.start(folder, python(DAEMON))
    said, result = finish(folder)
    assert (result.ended, result.returncode) == ("exited", 0)
    assert not alive(int(said[0]))


def test_a_sweep_finds_what_lost_its_guard_and_its_parents(folder: Path) -> None:
    guard.start(folder, python(DAEMON_AND_WAIT))
    daemon = first_pid(folder)
    command = next(item.pid for item in marked(folder) if item.parent == guard_of(folder))
    kill_guard(folder)
    os.kill(command, signal.SIGKILL)
    until(lambda: not alive(command), "the command is gone")
    assert alive(daemon)
    assert guard.fate(folder) is Fate.LOST
    guard.sweep(folder)
    assert not alive(daemon)


def test_a_sweep_ends_nothing_of_another_guard(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "steps" / "repoint-1-10"
    with swept(other):
        for item in (folder, other):
            guard.start(item, shell("echo $$; exec sleep 600"))
        pids = [first_pid(item) for item in (folder, other)]
        guard.sweep(folder)
        assert [alive(pid) for pid in pids] == [False, True]


def test_a_shared_connection_of_ssh_is_left_alone_with_what_is_below_it(folder: Path) -> None:
    master = "exec -a 'ssh: /run/cm/1 [mux]' sh -c 'sleep 600 & echo $! $$; wait; :'"
    guard.start(folder, shell(f"(setsid {_bash(master)} &); exec sleep 600"))
    until(lambda: bool(lines(folder)), "the master is there")
    pids = [int(word) for word in lines(folder)[0].split()]
    try:
        assert finish(folder, lambda: True)[1].ended == "stopped"
        guard.sweep(folder)
        assert all(alive(pid) for pid in pids)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def _bash(script: str) -> str:
    return f'bash -c "{script.replace("$", chr(92) + "$")}"'


def test_a_pid_that_was_given_to_another_process_is_not_signalled() -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        found = processes.find(other.pid)
        assert found is not None
        processes.tell(found._replace(started=found.started - 1), signal.SIGKILL)
        processes.tell(found, signal.SIGTERM)
        assert other.wait(5) == -signal.SIGTERM


def test_the_command_knows_its_own_environment_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "hunter2")
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        program = guard.Command(("/usr/bin/env",), {"GIVEN": "值"}, "/tmp", 9)  # noqa: S108 - only as a place to be in
        guard.start(folder, program)
        assert sorted(finish(folder)[0]) == [f"DRILLCTL_GUARD={folder}", "GIVEN=值"]
    finally:
        os.close(read)
        os.close(write)


def test_the_command_has_no_input_no_file_of_others_and_a_session_of_its_own(folder: Path) -> None:
    script = "import os; print(sorted(os.listdir('/proc/self/fd')), os.read(0, 1), os.getsid(0) == os.getpid())"
    guard.start(folder, python(script))
    assert finish(folder)[0] == ["['0', '1', '2', '3'] b'' True"]  # 3: the folder that is being listed


_ALL_OF_POSIX = (1 << 31) - 1  # signals 1 to 31; those above are the C library's own


def test_the_command_ignores_and_blocks_no_signal_though_its_starter_does(folder: Path) -> None:
    """`nohup` and threads do so."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        guard.start(folder, shell("exec grep -E 'SigBlk|SigIgn' /proc/self/status"))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGHUP, before)
    blocks, ignores = (int(line.split()[1], 16) for line in finish(folder)[0])
    assert (blocks, ignores & _ALL_OF_POSIX) == (0, 0)


def test_the_guard_is_no_child_and_in_no_session_of_its_starter(folder: Path) -> None:
    guard.start(folder, shell("exec sleep 600"))
    found = processes.find(guard_of(folder))
    assert found is not None
    assert found.parent != os.getpid()
    assert os.getsid(found.pid) == found.pid
    assert os.getsid(0) != found.pid


def test_a_program_that_cannot_be_run_is_an_end_with_its_reason(folder: Path) -> None:
    guard.start(folder, guard.Command(("/no/such/program",), {}, "/", 9))
    _, result = finish(folder)
    assert (result.ended, result.returncode) == ("exited", 127)
    assert "No such file" in (folder / "log").read_text()


def test_of_a_command_at_work_there_is_no_result_yet(folder: Path) -> None:
    guard.start(folder, shell("exec sleep 600"))
    with pytest.raises(ValueError, match="found running"):
        guard.result(folder)


def test_only_the_owner_can_read_what_a_command_was_given_and_said(folder: Path) -> None:
    guard.start(folder, shell("echo secret"))
    finish(folder)
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.iterdir()))


def test_threads_that_follow_one_command_hear_the_same(folder: Path) -> None:
    guard.start(folder, shell("for i in 1 2 3 4 5; do echo $i; sleep 0.05; done"))
    heard: list[list[str]] = []
    followers = [threading.Thread(target=lambda: heard.append(finish(folder)[0])) for _ in range(3)]
    for follower in followers:
        follower.start()
    for follower in followers:
        follower.join()
    assert heard == [["1", "2", "3", "4", "5"]] * 3
