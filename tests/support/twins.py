"""What tests of the twin share: bring one up, reach into it from outside, wait for what is to come."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.loader.site import inventory_hosts, load_site
from orchestrator.model.plan import Fault
from orchestrator.twin import Twin
from orchestrator.twin.state import start_ticks

LOOK_EVERY_S = 0.05
ENTER = "nsenter --net=/proc/{pid}/ns/net --"


def until(condition: Callable[[], object], within_s: float) -> float:
    """Wait for the condition; the seconds that it took. Fails when the time is over."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, f"expected within {within_s} s, never came"
        time.sleep(LOOK_EVERY_S)
    return time.monotonic() - began


@contextmanager
def twin_of(site: Path, name: str, lease_s: float = 120) -> Iterator[Twin]:
    """A twin that is down again afterwards, whatever happens."""
    twin = Twin.up(load_site(site), name, lease_s)
    try:
        yield twin
    finally:
        twin.down()


@contextmanager
def broken(twin: Twin, fault: Fault, lease_s: float = 60) -> Iterator[None]:
    """The fault is on."""
    twin.inject(fault, lease_s)
    try:
        yield
    finally:
        twin.lift(fault)


def processes_under(twin: Twin) -> dict[int, int]:
    """Every process of the twin, with its start: it is told from a later one of the same id."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            children.setdefault(int(file.read_text().rpartition(")")[2].split()[1]), []).append(int(file.parent.name))
    found, left = {}, [twin.pid]
    while left:
        pid = left.pop()
        found[pid] = start_ticks(pid) or 0
        left += children.get(pid, [])
    return found


def network_of(twin: Twin, host: str) -> str:
    """Path that opens the host's network namespace."""
    return f"/proc/{_process_on(twin, host)}/ns/net"


def files_of(twin: Twin, host: str) -> Path:
    """The host's own file system."""
    return Path(f"/proc/{_process_on(twin, host)}/root")


def _process_on(twin: Twin, host: str) -> int:
    for pid in processes_under(twin):
        name = Path(f"/proc/{pid}/root/etc/hostname")
        if name.exists() and name.read_text().strip() == host:
            return pid
    raise AssertionError(f"expected a process of {host}, found none")


def inside(twin: Twin, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run something in the controller's namespace and hear what it says."""
    enter = ENTER.format(pid=twin.pid).split()
    return subprocess.run([*enter, *argv], capture_output=True, text=True, timeout=30, check=False)


@contextmanager
def own_root() -> Iterator[Path]:
    """A root of some tests' own: what others have up is not theirs. Short, for the sockets in it."""
    with tempfile.TemporaryDirectory(prefix="tw-", dir="/tmp") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRILLCTL_TWINS", folder)
        yield Path(folder)


@contextmanager
def sabotaged(twin: Twin, what: str, undone_by: str, **arguments: str) -> Iterator[None]:
    """Something is broken by hand."""
    twin.sabotage(what, **arguments)
    try:
        yield
    finally:
        twin.sabotage(undone_by, **arguments)


class Shell:
    """ssh to the hosts of one twin, one connection per host."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._options = twin.ssh_settings().options()
        self._hosts = inventory_hosts(twin.site_folder / "hosts.yml")

    def run(self, host: str, command: str) -> subprocess.CompletedProcess[str]:
        return inside(self._twin, *self._words(host, command))

    @contextmanager
    def session(self, host: str, command: str) -> Iterator[subprocess.Popen[str]]:
        """A connection of its own, open as long as the test wants it."""
        words = [*ENTER.format(pid=self._twin.pid).split(), *self._words(host, command, "-o", "ControlPath=none")]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    def _words(self, host: str, command: str, *options: str) -> list[str]:
        variables = self._hosts[host][1]
        there = [
            "-p",
            str(variables.get("ansible_port", 22)),
            f"{variables['ansible_user']}@{variables['ansible_host']}",
        ]
        return ["ssh", *options, *self._options, *there, command]

    def says(self, host: str, command: str) -> str:
        done = self.run(host, command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def next_hop(self, router: str, address: str) -> str | None:
        """Where the router sends what goes to this address; None without a route."""
        said = self.run(router, f"ip route get {address}").stdout.split()
        return said[said.index("via") + 1] if "via" in said else None

    def connects(self, host: str, address: str, port: int) -> str:
        """What becomes of a TCP connection from the host: connected, TimeoutError, ConnectionRefusedError, …"""
        code = (
            "import socket\n"
            f"try: socket.create_connection(('{address}', {port}), 2); print('connected')\n"
            "except OSError as error: print(type(error).__name__)"
        )
        return self.says(host, f'python3 -c "{code}"')


def logged_in(twin: Twin) -> dict[str, dict[str, Any]]:
    """The fronts' own record of who is logged in."""
    current: dict[str, dict[str, Any]] = twin.truth()["current"]
    return current
