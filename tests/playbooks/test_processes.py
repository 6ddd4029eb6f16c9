"""Which process is the gateway, and to whom its session goes: read from real processes and sockets."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from playbooks.onhost import processes

MARK = f"test-gateway-{os.getpid()} --number"


@pytest.fixture
def two() -> Iterator[list[int]]:
    """Two processes whose numbers begin alike."""
    wait = "import sys; print(flush=True); sys.stdin.read()"
    started = [
        subprocess.Popen([sys.executable, "-c", wait, MARK, number], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for number in ("W10", "W100")
    ]
    for process in started:
        assert process.stdout
        process.stdout.readline()
    yield [process.pid for process in started]
    for process in started:
        process.communicate()


def test_a_number_is_not_the_beginning_of_a_longer_one(two: list[int]) -> None:
    assert processes.find(f"{MARK} W10") == [two[0]]
    assert processes.find(f"{MARK} W100") == [two[1]]
    assert processes.find(f"{MARK} W1") == []
    assert processes.find(f"{MARK} W10", [two[1]]) == []


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_far_end_of_a_session_is_known_by_its_sockets(family: socket.AddressFamily) -> None:
    """A program on IPv6 sockets reaches an IPv4 front by a mapped address."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(family) as session:
        port = listener.getsockname()[1]
        session.connect(("127.0.0.1" if family == socket.AF_INET else "::ffff:127.0.0.1", port))
        held = processes.inodes([os.getpid()])
        assert held is not None
        assert processes.far_ends(held, [f"127.0.0.1:{port}", "127.0.0.1:1"]) == (f"127.0.0.1:{port}", None)
        assert processes.far_ends(held, ["127.0.0.1:1"]) == (None, None)
        mine = frozenset({os.fstat(session.fileno()).st_ino})
        assert processes.still_open(mine)
    assert not processes.still_open(mine)
