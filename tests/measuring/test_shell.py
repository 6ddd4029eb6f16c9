"""The persistent shell: commands stay apart, and a host that does not answer costs its deadline once."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.adapters.shell import Answer, CouldNotLook, Shell
from orchestrator.adapters.shell_backend import host_over
from tests.support.twins import until


@pytest.fixture
def shell() -> Iterator[Shell]:
    opened = Shell(["/bin/sh"], command_timeout_s=0.5, connect_timeout_s=0.5)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("echo out; echo err >&2; exit 3", Answer(3, b"out\n", b"err\n")),
        ("printf 'no newline'", Answer(0, b"no newline", b"")),
        ("printf '\\000\\377\\n'", Answer(0, b"\0\xff\n", b"")),
        ("cat", Answer(0, b"", b"")),
        ("printf %s 'it'\\''s \"quoted\" $HOME `x`'", Answer(0, b'it\'s "quoted" $HOME `x`', b"")),
        ("echo 连接", Answer(0, "连接\n".encode(), b"")),
        ("echo one\necho two", Answer(0, b"one\ntwo\n", b"")),
    ],
)
def test_a_commands_streams_and_status_come_back_as_they_were(shell: Shell, command: str, answer: Answer) -> None:
    assert shell.run(command) == answer
    assert shell.run("echo next") == Answer(0, b"next\n", b"")


def test_what_one_command_does_to_its_shell_does_not_reach_the_next(shell: Shell) -> None:
    for command in ("cd /; X=1; exit 5", "echo 'unfinished", "set -e; false", ")", "exec true"):
        shell.run(command)
    assert shell.run("echo $X; pwd") == Answer(0, f"\n{Path.cwd()}\n".encode(), b"")


@pytest.mark.parametrize("command", ["cat /proc/self/stat", "/bin/cat -- '/proc/self/stat'"])
def test_what_only_looks_is_started_by_the_session_itself(shell: Shell, command: str) -> None:
    """No process stands between them: that would be most of what a look costs a host."""
    assert shell.run(command).stdout.split()[3] == shell.run("echo $$").stdout.strip()


@pytest.mark.parametrize(
    "command",
    ["cat /dev/null; exit 5", "test -e /; cd /", "cat 'a\nb", "stat $(exit 5)", "command exit", "id & wait", "id)"],
)
def test_what_only_begins_like_a_look_stays_apart(shell: Shell, command: str) -> None:
    shell.run(command)
    assert shell.run("pwd") == Answer(0, f"{Path.cwd()}\n".encode(), b"")


def test_a_session_may_come_up_before_its_first_command(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    shell = Shell(["sh", "-c", f"touch {begun}; exec sh"], 5, 5)
    shell.start()
    until(begun.exists, 5)
    assert shell.run("echo first") == Answer(0, b"first\n", b"")
    shell.close()


def test_a_session_that_is_slow_to_come_up_has_its_time_to_connect_with_the_first_command() -> None:
    shell = Shell(["sh", "-c", "sleep 0.6; exec sh"], command_timeout_s=0.2, connect_timeout_s=2)
    shell.start()
    assert shell.run("echo first").rc == 0
    with pytest.raises(CouldNotLook, match="deadline"):
        shell.run("sleep 1")
    shell.close()


def test_a_session_that_cannot_be_begun_says_so_with_its_first_command() -> None:
    shell = Shell(["/nonexistent/ssh"], 5, 5)
    shell.start()
    with pytest.raises(FileNotFoundError, match="/nonexistent/ssh"):
        shell.run("true")
    shell.close()


def test_more_output_than_a_pipe_holds_comes_back_whole(shell: Shell) -> None:
    size = 300_000
    answer = shell.run(f"head -c {size} /dev/zero; head -c {size} /dev/zero >&2")
    assert (len(answer.stdout), len(answer.stderr)) == (size, size)


def test_a_command_past_its_deadline_marks_the_host_and_the_next_is_told_at_once(shell: Shell) -> None:
    shell.run("true")
    with pytest.raises(CouldNotLook, match="deadline"):
        shell.run("sleep 5")
    began = time.monotonic()
    with pytest.raises(CouldNotLook, match="deadline"):
        shell.run("true")
    assert time.monotonic() - began < 0.05


def test_a_session_that_cannot_be_had_says_why() -> None:
    shell = Shell(["sh", "-c", "echo 'ssh: connect to host gw port 22: Connection refused' >&2; exit 255"], 5, 5)
    for _ in range(2):
        with pytest.raises(CouldNotLook, match="Connection refused"):
            shell.run("true")
    shell.close()


def test_a_session_that_is_lost_between_commands_could_not_look(shell: Shell) -> None:
    pid = int(shell.run("echo $$").stdout)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(CouldNotLook, match="ended"):
        shell.run("true")


def test_closing_ends_a_command_under_way_even_if_somebody_else_holds_its_pipes() -> None:
    """As a ControlMaster does: the pipes stay open although the process that was started is gone."""
    shell = Shell(["sh", "-c", "sleep 3 & exec sh"], 60, 60)
    shell.run("true")
    closing = threading.Timer(0.2, shell.close)
    closing.start()
    began = time.monotonic()
    with pytest.raises(CouldNotLook, match="closed"):
        shell.run("sleep 60")
    closing.join()
    assert time.monotonic() - began < 2


def test_testinfra_talks_over_the_shell() -> None:
    shell = Shell(["/bin/sh"], 5, 5)
    host = host_over("here", shell)
    result = host.run("echo %s; exit 2", "a b; echo c")
    assert (result.rc, result.stdout, result.stderr) == (2, "a b; echo c\n", "")
    assert host.run("printf '\\377'").stdout == "\ufffd"
    assert host.run("printf '\\377'").stdout_bytes == b"\xff"
    shell.close()
