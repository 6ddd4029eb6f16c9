"""Faults and sabotage of a twin's hosts: what breaks, what lives on, and that everything comes back."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.loader.site import load_site
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault
from orchestrator.model.topology import fill
from orchestrator.twin import Twin
from tests.support.sites import ROOT
from tests.support.twins import Shell, broken, inside, logged_in, network_of, own_root, sabotaged, twin_of, until

pytestmark = pytest.mark.twin

EXAMPLE = ROOT / "inventory/example"
TOPOLOGY = load_site(EXAMPLE).topology
GATEWAY = TOPOLOGY.gateway["nq-trade-1"]
COLD = next(item for item in TOPOLOGY.gateways if item.number == GATEWAY.number and item.id != GATEWAY.id)
NUMBER, HOST = GATEWAY.number, GATEWAY.host
ADDRESS = str(TOPOLOGY.host[HOST].management_address)
STATUS = Path(fill(TOPOLOGY.profiles[GATEWAY.profile].status.path, GATEWAY))
RUN = "20250301T090000-test-0001"
SAYS_NOTHING = """
add table inet goodbyes
add chain inet goodbyes leaves { type filter hook output priority 0; }
add rule inet goodbyes leaves tcp dport != 22 tcp sport != 22 tcp flags & (fin | rst) != 0 drop
"""
DARK_LINE = Fault(manner=FaultManner.DARK, lines=("tel-futian",))
GREETING = f"import socket; s = socket.create_connection(({ADDRESS!r}, 22), 2); s.settimeout(1); print(s.recv(7))"


@pytest.fixture(scope="module", autouse=True)
def twins_root() -> Iterator[Path]:
    with own_root() as folder:
        yield folder


@pytest.fixture(scope="module")
def made() -> Iterator[Twin]:
    with twin_of(EXAMPLE, "faults", lease_s=900) as twin:
        yield twin


@pytest.fixture
def twin(made: Twin) -> Twin:
    """With every number logged in."""
    numbers = {item.number for item in TOPOLOGY.gateways if item.enabled and not item.receives_only}
    until(lambda: logged_in(made).keys() == numbers, 40)
    return made


def greeting(twin: Twin) -> str:
    """What a new connection to the host's sshd gets: its greeting, or the error."""
    done = inside(twin, sys.executable, "-c", GREETING)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1].partition(":")[0]


def command(gateway_id: str, verb: str) -> str:
    gateway = TOPOLOGY.gateway[gateway_id]
    words = getattr(TOPOLOGY.profiles[gateway.profile].service, verb)
    return " ".join(fill(word, gateway) for word in words)


def state_of_gateway(shell: Shell) -> str:
    """Its process's state, in words of the kernel's."""
    process = f"$(cat {STATUS.with_name(f'gateway-{GATEWAY.id}.pid')})"
    return shell.says(HOST, f"grep State: /proc/{process}/status").split()[1]


@contextmanager
def no_goodbyes(twin: Twin) -> Iterator[None]:
    """As if the host had lost its power: its kernel tells no front that a connection is gone."""
    enter = ["nsenter", f"--net={network_of(twin, HOST)}", sys.executable, "-c"]
    code = "from orchestrator.twin.netns import Namespaces; from orchestrator.twin.nft import Nft; import sys\n"
    run = [*enter, code + "Nft(Namespaces()).run('controller', sys.argv[1])"]
    subprocess.run([*run, SAYS_NOTHING], cwd=ROOT, check=True, timeout=20)
    try:
        yield
    finally:
        subprocess.run([*run, "delete table inet goodbyes"], cwd=ROOT, check=True, timeout=20)


def ended(twin: Twin, since: float) -> list[str]:
    return [item["how"] for item in twin.truth()["logouts"] if item["number"] == NUMBER and item["at"] >= since]


def attempts(twin: Twin, since: float) -> list[tuple[str, bool]]:
    logins = twin.truth()["logins"]
    return [(item["kind"], item["accepted"]) for item in logins if item["number"] == NUMBER and item["at"] >= since]


# Whose faults they are


def test_an_orchestrator_that_lost_its_run_makes_lifts_and_renews_no_fault(twin: Twin) -> None:
    twin.inject(DARK_LINE, 60, RUN, 1)
    try:
        assert twin.is_on(DARK_LINE, RUN, 2) is True
        with pytest.raises(Refused, match="EPOCH"):
            twin.lift(DARK_LINE, RUN, 1)
        with pytest.raises(Refused, match="EPOCH"):
            twin.renew(RUN, 1)
        assert twin.is_on(DARK_LINE)
    finally:
        twin.lift(DARK_LINE, RUN, 2)
    with pytest.raises(Refused, match="EPOCH"):
        twin.inject(DARK_LINE, 60, RUN, 1)
    assert (twin.is_on(DARK_LINE, RUN, 2), twin.status()["faults"]) == (False, [])
    twin.inject(DARK_LINE, 60, "20250302T090000-test-0002", 1)
    twin.lift(DARK_LINE)


# sshd


def test_a_killed_sshd_takes_its_sessions_with_it_but_not_what_they_started(twin: Twin) -> None:
    shell = Shell(twin)
    with shell.session(HOST, "echo $$; exec sleep 300") as session:
        assert session.stdout
        started = int(session.stdout.readline())
        with sabotaged(twin, "kill_sshd", "start_sshd", host=HOST):
            assert session.wait(5) == 255
            assert greeting(twin) == "ConnectionRefusedError"
            assert shell.run(HOST, "true").returncode == 255
            twin.sabotage("kill_sshd", host=HOST)
            assert twin.status()["hosts"][HOST] == "up"
        twin.sabotage("start_sshd", host=HOST)
    assert shell.run(HOST, f"kill {started}").returncode == 0
    assert shell.says(HOST, "grep -lx sshd /proc/[0-9]*/comm | wc -l") == "3"  # one listener, and this session's two
    assert NUMBER in logged_in(twin)


def test_a_frozen_sshd_hangs_old_and_new_connections_until_it_is_thawed(twin: Twin) -> None:
    shell = Shell(twin)
    with shell.session(HOST, "while read -r word; do echo $word; done < <(yes)") as session:
        assert session.stdout
        assert session.stdout.readline() == "y\n"
        with sabotaged(twin, "freeze_sshd", "thaw_sshd", host=HOST):
            twin.sabotage("freeze_sshd", host=HOST)
            assert greeting(twin) == "TimeoutError"
            assert session.poll() is None
            assert twin.status()["hosts"][HOST] == "up"
        twin.sabotage("thaw_sshd", host=HOST)
        assert greeting(twin) == "b'SSH-2.0'"
        assert session.stdout.readline() == "y\n"
    assert ended(twin, 0) == []


def test_what_stands_still_for_itself_does_not_go_on_with_its_host(twin: Twin) -> None:
    shell = Shell(twin)
    with sabotaged(twin, "freeze_host", "thaw_host", host=HOST), sabotaged(twin, "freeze_sshd", "thaw_sshd", host=HOST):
        twin.sabotage("thaw_host", host=HOST)
        assert greeting(twin) == "TimeoutError"
        twin.sabotage("freeze_host", host=HOST)
        twin.sabotage("thaw_sshd", host=HOST)
        assert greeting(twin) == "TimeoutError"
    assert greeting(twin) == "b'SSH-2.0'"
    with sabotaged(twin, "freeze_gateway", "thaw_gateway", gateway=GATEWAY.id):
        with sabotaged(twin, "freeze_host", "thaw_host", host=HOST):
            pass
        assert state_of_gateway(shell) == "T"
    assert state_of_gateway(shell) != "T"
    assert ended(twin, 0) == []
    twin.sabotage("thaw_gateway", gateway=GATEWAY.id)
    with pytest.raises(Refused, match="NO_HOST"):
        twin.sabotage("freeze_sshd", host="nobody")


# Hosts


@pytest.mark.parametrize("manner", [FaultManner.DARK, pytest.param(FaultManner.FREEZE, marks=pytest.mark.matrix)])
def test_a_lost_host_falls_silent_and_its_gateway_comes_back_by_itself(twin: Twin, manner: FaultManner) -> None:
    shell, since, duplicates = Shell(twin), time.time(), twin.truth()["duplicates"]
    with broken(twin, Fault(manner=manner, hosts=(HOST,))):
        assert greeting(twin) == "TimeoutError"
        assert NUMBER in logged_in(twin)  # the front still holds what it cannot know to be lost
        assert twin.status()["gateways"][GATEWAY.id]
        until(lambda: ended(twin, since) == ["timeout"], 15)
        assert NUMBER not in logged_in(twin)
    until(lambda: NUMBER in logged_in(twin), 20)
    assert attempts(twin, since)[-1] == ("login", True)
    assert twin.truth()["duplicates"] == duplicates
    assert shell.says(HOST, "hostname") == HOST


def test_a_session_that_a_lost_host_leaves_behind_refuses_its_own_gateway_until_it_times_out(twin: Twin) -> None:
    """Counted apart: the gateway that asks again is the one that held the session, and nobody else."""
    shell, since, before = Shell(twin), time.time(), twin.truth()
    with no_goodbyes(twin):
        with broken(twin, Fault(manner=FaultManner.DARK, hosts=(HOST,))):
            twin.sabotage("kill_gateway", gateway=GATEWAY.id)
            assert NUMBER in logged_in(twin)
        shell.says(HOST, command(GATEWAY.id, "start"))
        until(lambda: ("half_open_retry", False) in attempts(twin, since), 5)
        until(lambda: ("login", True) in attempts(twin, since), 20)
    assert ended(twin, since) == ["timeout"]
    after = twin.truth()
    assert after["duplicates"] == before["duplicates"]
    assert after["half_open_retries"] > before["half_open_retries"]


def test_a_standby_that_does_not_wait_for_that_session_is_a_duplicate(twin: Twin) -> None:
    shell, since, duplicates = Shell(twin), time.time(), twin.truth()["duplicates"]
    with broken(twin, Fault(manner=FaultManner.DARK, hosts=(HOST,))):
        twin.sabotage("kill_gateway", gateway=GATEWAY.id)
        shell.says(COLD.host, command(COLD.id, "start"))
        until(lambda: ("duplicate", False) in attempts(twin, since), 5)
        shell.says(COLD.host, command(COLD.id, "stop"))
        assert twin.truth()["duplicates"] > duplicates
        until(lambda: ended(twin, since) != [], 15)
    shell.says(HOST, command(GATEWAY.id, "start"))
    until(lambda: NUMBER in logged_in(twin), 10)
