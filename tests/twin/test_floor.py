"""The shell command that ours is measured against proves what ours proves: without a proof it starts nothing."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.floor import shell_command
from benchmarks.ground import Move, write_hosts
from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.adapters.ssh import ssh_targets
from orchestrator.loader.site import LoadedSite, load_site
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault
from orchestrator.twin import Twin
from tests.support.twins import ENTER, Shell, broken, logged_in, twin_of, until

pytestmark = pytest.mark.twin

FUTIAN, SOUTHERN = "172.60.101.30:7043", "172.50.101.30:7043"
GATEWAY, NUMBER, HOST = "trading-0-a", "Q700000", "node0-trading-0"
HUNG = Fault(manner=FaultManner.HANG, centres=("futian",))
FILE = f"/opt/nqtrade/{GATEWAY}/etc/gateway.ini"


@pytest.fixture
def site(tmp_path: Path) -> LoadedSite:
    return load_site(write_hosts(tmp_path, 2))


@pytest.fixture
def twin(own_twins: None, site: LoadedSite) -> Iterator[Twin]:  # noqa: ARG001 - its folder of twins has to be there
    with twin_of(site.folder, "floor") as made:
        until(lambda: NUMBER in logged_in(made), 20)
        yield made


@pytest.fixture
def move(site: LoadedSite) -> Move:
    gateway = site.topology.gateway[GATEWAY]
    spec = gateway_spec(site.topology, gateway)
    return Move(GATEWAY, NUMBER, HOST, 1, spec, before=(FUTIAN, SOUTHERN), after=(SOUTHERN,))


def said(twin: Twin, site: LoadedSite, text: bytes) -> "subprocess.CompletedProcess[bytes]":
    target = ssh_targets(site)[HOST]
    enter = ENTER.format(pid=twin.pid).split()
    words = [*enter, "ssh", *twin.ssh_settings().options(), "-o", "ControlPath=none", *target.destination, "sh -s"]
    return subprocess.run(words, input=text, capture_output=True, timeout=60, check=False)


def test_it_moves_a_gateway_and_puts_it_back_byte_for_byte(twin: Twin, site: LoadedSite, move: Move) -> None:
    shell = Shell(twin)
    before = shell.says(HOST, f"stat -c '%U:%G %a' {FILE}; cat {FILE}")
    done = said(twin, site, shell_command(move, move.after))
    assert (done.returncode, done.stdout) == (0, b"moved\n"), done.stderr
    assert logged_in(twin)[NUMBER]["centre"] == "southern"
    assert FUTIAN not in shell.says(HOST, f"cat {FILE}")
    done = said(twin, site, shell_command(move, move.before))
    assert done.returncode == 0, done.stderr
    assert logged_in(twin)[NUMBER]["centre"] == "futian"
    assert shell.says(HOST, f"stat -c '%U:%G %a' {FILE}; cat {FILE}") == before
    assert twin.truth()["duplicates"] == 0


def test_a_logout_that_nobody_acknowledges_is_the_end_of_it(twin: Twin, site: LoadedSite, move: Move) -> None:
    shell = Shell(twin)
    before = shell.says(HOST, f"cat {FILE}")
    with broken(twin, HUNG):
        done = said(twin, site, shell_command(move, move.after))
    assert (done.returncode, done.stderr.strip()) == (3, b"expected the log-out acknowledged, found it not")
    assert shell.says(HOST, f"cat {FILE}") == before
    assert shell.run(HOST, f"pgrep -f 'nqtraded --gateway {NUMBER}'").stdout == ""


def test_a_process_that_does_not_end_keeps_the_list_as_it_is(twin: Twin, site: LoadedSite, move: Move) -> None:
    shell = Shell(twin)
    before = shell.says(HOST, f"cat {FILE}")
    text = shell_command(move, move.after).replace(b"within 15 gone", b"within 1 gone")
    done = said(twin, site, text.replace(b"\nset -u\n", b"\nset -u\nSTOP=true\n"))
    assert (done.returncode, done.stderr.strip()) == (3, b"expected no process after stopping, found one")
    assert shell.says(HOST, f"cat {FILE}") == before
    assert logged_in(twin)[NUMBER]["centre"] == "futian"


def test_a_gateway_that_does_not_run_is_not_started(twin: Twin, site: LoadedSite, move: Move) -> None:
    twin.sabotage("kill_gateway", gateway=GATEWAY)
    done = said(twin, site, shell_command(move, move.after))
    assert (done.returncode, done.stderr.strip()) == (3, b"expected it to run, found no process")
