"""What tests of the twin share: bring one up, reach into it from outside, wait for what is to come."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.loader.site import inventory_hosts, load_site
from orchestrator.model.plan import Fault
from orchestrator.twin import Twin

LOOK_EVERY_S = 0.05


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


def inside(twin: Twin, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run something in the controller's namespace and hear what it says."""
    enter = ["nsenter", f"--net=/proc/{twin.pid}/ns/net", "--"]
    return subprocess.run([*enter, *argv], capture_output=True, text=True, timeout=30, check=False)


class Shell:
    """ssh to the hosts of one twin, one connection per host."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._options = twin.ssh_settings().options()
        self._hosts = inventory_hosts(twin.site_folder / "hosts.yml")

    def run(self, host: str, command: str) -> subprocess.CompletedProcess[str]:
        variables = self._hosts[host][1]
        there = [
            "-p",
            str(variables.get("ansible_port", 22)),
            f"{variables['ansible_user']}@{variables['ansible_host']}",
        ]
        return inside(self._twin, "ssh", *self._options, *there, command)

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
