"""barrier.py on a real router between real hosts and a real front, each in a network namespace of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from playbooks.onhost_program import answer, program
from tests.playbooks.harness import until

FRONT, HOST, OTHER = "172.60.101.30", "198.19.1.11", "198.19.1.12"
CENTRE = "172.60.101.0/24"
PORT = 7043
RELEASE_S = 0.6
RUN = "20250301T090000-test-0001"


def _namespaces() -> bool:
    if os.getuid() != 0 or any(shutil.which(name) is None for name in ("unshare", "ip", "nft")):
        return False
    return subprocess.run(["unshare", "-n", "nft", "list", "tables"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _namespaces(), reason="needs root, network namespaces and nft")


class Space:
    """A network namespace that lives as long as its process."""

    def __init__(self) -> None:
        self.holder = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE)
        own = Path("/proc/self/ns/net").readlink()
        until(lambda: Path(f"/proc/{self.holder.pid}/ns/net").readlink() != own, "in a namespace of its own")

    def end(self) -> None:
        assert self.holder.stdin
        self.holder.stdin.close()
        self.holder.wait(5)

    def run(self, *words: str, data: bytes = b"", env: dict[str, str] | None = None) -> str:
        command = [str(shutil.which("nsenter")), f"--net=/proc/{self.holder.pid}/ns/net", *words]
        return subprocess.run(command, input=data, capture_output=True, check=True, env=env).stdout.decode()

    def plug(self, device: str, other: "Space", far: str) -> None:
        """A cable to another namespace."""
        self.run("ip", "link", "add", device, "type", "veth", "peer", "name", far, "netns", str(other.holder.pid))

    def address(self, device: str, address: str) -> None:
        self.run("ip", "address", "add", address, "dev", device)
        self.run("ip", "link", "set", device, "up")

    def open(self, make: Callable[[], socket.socket]) -> socket.socket:
        """A socket made inside: it stays there."""
        made: list[socket.socket] = []

        def inside() -> None:
            with Path(f"/proc/{self.holder.pid}/ns/net").open() as space:
                os.setns(space.fileno(), os.CLONE_NEWNET)
            made.append(make())

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join(5)
        return made[0]


class Site:
    """Two hosts behind a router, and a front on the other side of it that echoes."""

    def __init__(self, folder: Path, spaces: ExitStack) -> None:
        self.folder = folder
        self.router, self.front, self.host, self.other = (self._space(spaces) for _ in range(4))
        for name, space, address in (("one", self.host, HOST), ("two", self.other, OTHER)):
            space.plug("site", self.router, name)
            space.address("site", f"{address}/24")
            space.run("ip", "route", "add", "default", "dev", "site", "via", "198.19.1.1", "onlink")
            self.router.address(name, "198.19.1.1/32")
            self.router.run("ip", "route", "add", address, "dev", name)
        self.front.plug("centre", self.router, "line")
        self.front.address("centre", f"{FRONT}/24")
        self.front.run("ip", "route", "add", "default", "via", "172.60.101.1")
        self.router.address("line", "172.60.101.1/24")
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.listener = self.front.open(lambda: socket.create_server((FRONT, PORT)))
        spaces.callback(self.listener.close)
        threading.Thread(target=self._echo, daemon=True).start()

    @staticmethod
    def _space(spaces: ExitStack) -> Space:
        made = Space()
        spaces.callback(made.end)
        return made

    def _echo(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while data := connection.recv(100):
                connection.sendall(data)

    def session(self, space: Space) -> socket.socket:
        return space.open(lambda: socket.create_connection((FRONT, PORT), 2))

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        return {
            "op": op,
            "run": RUN,
            "token": 1,
            "deadline_at": time.time() + 10,
            "deadline_s": 10,
            "work_dir": str(self.folder / "work"),
            "host": "gw-a1",
            "addresses": [HOST],
            "networks": [CENTRE],
            "release_s": RELEASE_S,
            **fields,
        }

    def ask(self, op: str, env: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
        text = program("barrier", {"requests": [self.request(op, **fields)]})
        found = answer(self.router.run(sys.executable, "-I", "-S", "-", data=text, env=env))
        assert found is not None
        return dict(found["results"][0])

    def tables(self) -> list[str]:
        return [line.split()[-1] for line in self.router.run("nft", "list", "tables").splitlines()]


def speaks(session: socket.socket) -> bool:
    """Whether what is said is answered within a second."""
    session.settimeout(1)
    try:
        session.sendall(b"beat")
        return session.recv(100) != b""
    except OSError:
        return False


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as spaces:
        made = Site(tmp_path, spaces)
        armed = made.ask("preflight")
        assert armed["ok"], armed["message"]
        yield made


def test_nothing_passes_between_the_host_and_the_front_any_more_and_everybody_else_works(site: Site) -> None:
    session, neighbour = site.session(site.host), site.session(site.other)
    with session, neighbour:
        assert speaks(session)
        result = site.ask("fence")
        assert (result["outcome"], result["changed"], result["released"]) == ("succeeded", True, True), result
        assert not speaks(session)
        assert speaks(neighbour)
    assert site.ask("unfence")["dropped"] > 0


def test_a_new_connection_of_the_host_does_not_come_about_and_is_counted(site: Site) -> None:
    site.ask("fence")
    attempt = site.host.open(socket.socket)
    with attempt:
        attempt.settimeout(0.5)
        with pytest.raises(TimeoutError):
            attempt.connect((FRONT, PORT))
    again = site.ask("fence")
    assert again["dropped_at_proof"] > 0


def test_what_the_front_sends_is_dropped_too(site: Site) -> None:
    """A front that pushes into a session that it takes for alive must not reach the host."""
    accepted: list[socket.socket] = []
    listener = site.front.open(lambda: socket.create_server((FRONT, PORT + 1)))
    session = None
    with listener:
        session = site.host.open(lambda: socket.create_connection((FRONT, PORT + 1), 2))
        accepted.append(listener.accept()[0])
        with session, accepted[0]:
            site.ask("fence")
            accepted[0].sendall(b"market data")
            session.settimeout(0.5)
            with pytest.raises(TimeoutError):
                session.recv(100)


def test_not_one_packet_of_the_host_reaches_the_front_while_its_neighbours_does(site: Site) -> None:
    receiver = site.front.open(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with receiver:
        receiver.bind((FRONT, PORT))
        receiver.settimeout(5)
        site.ask("fence")
        for space, word in ((site.host, b"fenced"), (site.other, b"neighbour")):
            with space.open(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sender:
                sender.sendto(word, (FRONT, PORT))
        assert receiver.recv(100) == b"neighbour"


def test_a_fence_whose_run_was_taken_over_ends_its_wait_and_stands(site: Site) -> None:
    found: list[dict[str, Any]] = []
    waiting = threading.Thread(target=lambda: found.append(site.ask("fence", release_s=6)))
    waiting.start()
    until(lambda: site.tables() != [], "the fence stands")
    begin = time.monotonic()
    assert site.ask("preflight", token=2)["ok"]
    waiting.join(10)
    assert time.monotonic() - begin < 5
    assert (found[0]["outcome"], found[0].get("released")) == ("failed", None)
    assert "expected token" in found[0]["message"]
    assert site.ask("standing", token=2)["stands"] is True


def test_the_release_time_is_waited_after_the_proof(site: Site) -> None:
    result = site.ask("fence", release_s=1.5)
    stamps = result["stamps"]
    assert stamps["released"][1] - stamps["proved"][1] >= 1.5
    assert result["waited_s"] >= 1.5


def test_a_second_fence_keeps_the_first_and_waits_again(site: Site) -> None:
    first, second = site.ask("fence"), site.ask("fence")
    assert (first["changed"], second["changed"]) == (True, False)
    assert second["waited_s"] >= RELEASE_S
    assert site.tables() == [first["table"]]


def test_a_table_that_is_not_the_whole_fence_is_replaced(site: Site) -> None:
    table = site.ask("fence")["table"]
    site.router.run("nft", "flush", "chain", "inet", table, "passes")
    assert site.ask("standing")["stands"] is False
    result = site.ask("fence")
    assert (result["outcome"], result["changed"], site.ask("standing")["stands"]) == ("succeeded", True, True)


def test_a_dormant_table_does_not_count(site: Site) -> None:
    table = site.ask("fence")["table"]
    site.router.run("nft", f"add table inet {table} {{ flags dormant; }}")
    assert site.ask("standing")["stands"] is False


def fences(site: Site) -> list[str]:
    """Of what a snapshot shows as left behind on the router, the fences."""
    return [item for item in site.ask("state", networks=[])["residue"] if item.startswith("nft ")]


def test_the_fence_outlives_the_runs_files_and_stands_in_the_residue_until_it_is_taken_down(site: Site) -> None:
    assert fences(site) == []
    table = site.ask("fence")["table"]
    assert fences(site) == [f"nft table {table}"]
    assert site.ask("cleanup")["residue"] == [f"nft table {table}"]
    with site.session(site.other) as neighbour:
        assert speaks(neighbour)
    site.ask("preflight")
    down = site.ask("unfence")
    assert (down["outcome"], down["changed"], site.tables()) == ("succeeded", True, [])
    assert fences(site) == []
    with site.session(site.host) as session:
        assert speaks(session)


def test_to_take_down_what_is_not_there_is_no_failure(site: Site) -> None:
    result = site.ask("unfence")
    assert (result["outcome"], result["changed"]) == ("succeeded", False)


def test_each_run_and_each_host_has_a_fence_of_its_own(site: Site) -> None:
    first = site.ask("fence")["table"]
    second = site.ask("fence", host="gw-a2", addresses=[OTHER])["table"]
    site.ask("preflight", run="20250302T090000-test-0002")
    third = site.ask("fence", run="20250302T090000-test-0002")["table"]
    assert len({first, second, third}) == 3
    site.ask("unfence", run="20250302T090000-test-0002")
    assert sorted(site.tables()) == sorted([first, second])


def test_a_failback_takes_down_the_fence_of_the_run_that_it_names(site: Site) -> None:
    table, later = site.ask("fence")["table"], "20250302T090000-test-0002"
    site.ask("preflight", run=later)
    assert site.ask("unfence", run=later)["changed"] is False
    assert site.tables() == [table]
    assert site.ask("standing", run=later, fenced_by=RUN)["stands"] is True
    assert site.ask("unfence", run=later, fenced_by=RUN)["changed"] is True
    assert site.tables() == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"token": 2}, "expected token"),
        ({"deadline_at": 1.0}, "the deadline has passed"),
        ({"release_s": 9.0}, "expected 12 s until the deadline"),
    ],
)
def test_what_may_not_or_cannot_be_finished_is_not_begun(site: Site, fields: dict[str, Any], said: str) -> None:
    result = site.ask("fence", **fields)
    assert (result["outcome"], result["touched"]) == ("refused", False)
    assert said in result["message"]
    assert site.tables() == []


def test_a_router_whose_flowtable_would_carry_packets_past_the_fence_is_refused(site: Site, tmp_path: Path) -> None:
    """This kernel may have no flowtables, so the command that lists them stands in for one that has."""
    real = shutil.which("nft")
    shim = tmp_path / "bin" / "nft"
    shim.parent.mkdir()
    listed = 'printf "table inet x {\\n\\tflowtable fast {\\n\\t}\\n}\\n"'
    shim.write_text(f'#!/bin/sh\n[ "$2" = flowtables ] && {{ {listed}; exit; }}\nexec {real} "$@"\n')
    shim.chmod(0o755)
    result = site.ask("fence", env={"PATH": f"{shim.parent}:{os.environ['PATH']}"})
    assert (result["outcome"], site.tables()) == ("refused", [])
    assert "expected no flowtable on the router, found fast" in result["message"]


def test_a_preview_says_what_would_be_and_changes_nothing(site: Site) -> None:
    assert site.ask("fence", check=True)["outcome"] == "would_change"
    assert site.tables() == []
    table = site.ask("fence")["table"]
    assert site.ask("unfence", check=True)["outcome"] == "would_change"
    assert site.tables() == [table]


def test_what_became_of_an_attempt_is_told_again(site: Site) -> None:
    attempt = {"run": RUN, "step": "fence-1", "attempt": 1}
    result = site.ask("fence", attempt_of=attempt)
    told = site.ask("standing", attempt_of=attempt)
    assert told["last"] == json.loads(json.dumps(result))
    assert told["stands"] is True


def test_a_router_without_nft_is_not_armed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("ip", "python3"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or "")
    result = site.ask("preflight", env={"PATH": str(tmp_path / "bin")})
    assert result["outcome"] == "refused"
    assert "found no nft" in result["message"]
