"""The on-host sampler as a process of its own, against a real gateway process on loopback."""

import ast
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from orchestrator.adapters.sampler_program import sampler_command, sampler_program, sampler_request
from tests.measuring.lab import ONHOST, Lab, eventually


class Running:
    """A sampler process: what it printed, one line at a time."""

    def __init__(self, request: dict[str, Any], before: str, *, alone: bool) -> None:
        """`before` is run first, in a network namespace of its own. `alone`: in a session of its own, as by sshd."""
        program = sampler_program(ONHOST, request)
        pipe = subprocess.PIPE
        shell = ["unshare", "--net", "sh", "-c"] if before else ["sh", "-c"]
        command = before + sampler_command(sys.executable, program)
        self.process = subprocess.Popen([*shell, command], stdin=pipe, stdout=pipe, bufsize=0, start_new_session=alone)
        assert self.process.stdin is not None
        self.process.stdin.write(program)
        self.process.stdin.flush()

    def until(self, wanted: Callable[[dict[str, Any]], bool], timeout_s: float = 10) -> list[dict[str, Any]]:
        """Everything up to and including the first line that is wanted."""
        assert self.process.stdout is not None
        seen: list[dict[str, Any]] = []
        deadline = time.monotonic() + timeout_s
        while True:
            assert select.select([self.process.stdout], [], [], deadline - time.monotonic())[0], seen[-3:]
            seen.append(json.loads(self.process.stdout.readline()))
            if wanted(seen[-1]):
                return seen

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(5)
        self.process.stdout.close()


@contextmanager
def sampler(lab: Lab, host: str, before: str = "", *, alone: bool = False, **changes: Any) -> Iterator[Running]:
    request = sampler_request(lab.topology, host, 100, None)
    assert request is not None
    running = Running({**request, **changes}, before, alone=alone)
    try:
        yield running
    finally:
        running.close()


@contextmanager
def process(lab: Lab, number: str) -> Iterator[None]:
    """A process with the command line of a gateway of this number, which connects to nothing."""
    text = lab.topology.profiles["nq-trading"].service.process.replace("{number}", number)
    with subprocess.Popen([sys.executable, "-c", "input()", text], stdin=subprocess.PIPE):
        yield


def address_of(endpoint: str) -> tuple[str, int]:
    address, _, port = endpoint.partition(":")
    return address, int(port)


def of(gateway: str, **wanted: Any) -> Callable[[dict[str, Any]], bool]:
    """A sample of this gateway with these values."""
    return lambda line: (
        line["gateway"] == gateway and "mono" in line and all(line[name] == value for name, value in wanted.items())
    )


def test_a_logged_in_gateway_is_seen_with_everything_that_a_sample_has(measured: Lab) -> None:
    measured.front("futian-trading")
    gateway = measured.gateway("nq-trade-1")
    assert eventually(gateway.logged_in)
    with sampler(measured, "gw-a1") as running:
        found = running.until(of("nq-trade-1", session=measured.endpoint("futian-trading")))[-1]
    assert found["running"] is found["logged_in"] is True
    assert (found["endpoints"], found["connecting"]) == (
        [measured.endpoint("futian-trading"), measured.endpoint("southern-trading")],
        None,
    )
    assert len(found["config_sha256"]) == 64
    assert found["at"] == pytest.approx(time.time(), abs=5)
    assert found["mono"] == pytest.approx(time.monotonic(), abs=5)


def test_a_failover_shows_in_samples_and_in_stamps_of_the_log(measured: Lab) -> None:
    futian = measured.front("futian-market")
    measured.front("southern-market")
    gateway = measured.gateway("nq-md-1")
    assert eventually(gateway.logged_in)
    with sampler(measured, "gw-a3") as running:
        before = running.until(of("nq-md-1", session=measured.endpoint("futian-market"), logged_in=True))[-1]
        measured.end(futian)
        seen = running.until(of("nq-md-1", session=measured.endpoint("southern-market"), logged_in=True))
    stamps = [line["stamp"] for line in seen if "stamp" in line]
    assert stamps == ["lost", "connected", "logged_in"]
    assert seen[-1]["sequence"] > before["sequence"]


def test_a_status_file_left_behind_by_a_dead_process_is_no_login(measured: Lab) -> None:
    measured.front("futian-trading")
    gateway = measured.gateway("nq-trade-1")
    assert eventually(gateway.logged_in)
    with sampler(measured, "gw-a1") as running:
        running.until(of("nq-trade-1", logged_in=True))
        gateway.process.kill()
        found = running.until(of("nq-trade-1", running=False))[-1]
    assert gateway.logged_in()
    assert (found["logged_in"], found["session"]) == (False, None)


def test_a_session_of_another_process_to_the_same_front_is_not_the_gateways(measured: Lab) -> None:
    measured.front("futian-trading")
    with (
        process(measured, "W100200"),
        socket.create_connection(address_of(measured.endpoint("futian-trading"))),
        sampler(measured, "gw-a1") as running,
    ):
        found = running.until(of("nq-trade-1", running=True))[-1]
    assert found["session"] is None


def test_a_gateway_number_that_begins_the_same_is_another_gateway(measured: Lab) -> None:
    with process(measured, "W1002001"), sampler(measured, "gw-a1") as running:
        found = running.until(of("nq-trade-1"))[-1]
    assert found["running"] is False


def test_a_process_that_was_there_before_and_becomes_the_gateway_late_is_found(onhost: ModuleType) -> None:
    """A start script that execs into the gateway: its process id is an old one."""
    name = ["late", "gateway"]  # as arguments of the script, not yet as one text
    script = ["sh", "-c", 'read line; exec sh -c "read line; true" "$1-$2"', "sh", *name]
    with subprocess.Popen(script, stdin=subprocess.PIPE, bufsize=0) as started:
        assert started.stdin is not None
        processes = onhost.Processes({"g": "late-gateway"})
        wanted = {"g": {str(started.pid)}}
        command = Path(f"/proc/{started.pid}/cmdline")
        assert processes.look(100.0) == {"g": set()}
        started.stdin.write(b"go on\n")
        assert eventually(lambda: b"late-gateway" in command.read_bytes())
        assert processes.look(106.0) == wanted
        started.stdin.write(b"end\n")


def test_a_process_is_found_at_the_next_look_after_it_started(onhost: ModuleType) -> None:
    processes = onhost.Processes({"g": "young-gateway"})
    assert processes.look(100.0) == {"g": set()}
    with subprocess.Popen(["sh", "-c", "read line; true", "young-gateway"], stdin=subprocess.PIPE) as started:
        command = Path(f"/proc/{started.pid}/cmdline")
        assert eventually(lambda: b"young-gateway" in command.read_bytes())
        assert processes.look(100.5) == {"g": {str(started.pid)}}
    assert processes.look(101.0) == {"g": set()}


def test_a_connection_that_is_not_answered_is_connecting(measured: Lab) -> None:
    address = address_of(measured.endpoint("futian-trading"))
    with socket.create_server(address, backlog=0), socket.create_connection(address):
        gateway = measured.gateway("nq-trade-1", "futian-trading")
        with sampler(measured, "gw-a1") as running:
            found = running.until(of("nq-trade-1", connecting=measured.endpoint("futian-trading")))[-1]
        gateway.close()
    assert (found["session"], found["logged_in"]) == (None, None)


def test_a_changed_list_is_read_again_and_an_unreadable_one_is_unknown(measured: Lab) -> None:
    gateway = measured.gateway("nq-trade-1")
    with sampler(measured, "gw-a1") as running:
        before = running.until(
            of("nq-trade-1", endpoints=[measured.endpoint("futian-trading"), measured.endpoint("southern-trading")])
        )[-1]
        gateway.write_list([measured.endpoint("southern-trading")])
        after = running.until(of("nq-trade-1", endpoints=[measured.endpoint("southern-trading")]))[-1]
        gateway.list.write_text("no list here\n", encoding="utf-8")
        unknown = running.until(of("nq-trade-1", endpoints=None))[-1]
    assert len({before["config_sha256"], after["config_sha256"], unknown["config_sha256"], None}) == 4


def test_what_the_log_says_of_a_gap_in_the_connection_is_reported_after_it(measured: Lab) -> None:
    gateway = measured.gateway("nq-trade-1", "futian-trading")
    now, front = time.time(), measured.endpoint("futian-trading")
    lines = [
        (now - 60, f"connected to main station {front}"),
        (now - 1, f"logon accepted by {front}"),
    ]
    with gateway.log.open("a", encoding="utf-8") as file:
        for at, text in lines:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(at))}.000000 {text}\n")
    with sampler(measured, "gw-a1", since=now - 30) as running:
        seen = running.until(of("nq-trade-1"))
    assert [(line["stamp"], line["at"]) for line in seen if "stamp" in line] == [("logged_in", float(int(now - 1)))]


ROUTES = """
ip link add line type veth peer name far && ip link set line up && ip link set far up &&
ip addr add 203.0.113.1/30 dev line && ip route add 172.60.101.0/24 via 203.0.113.2 &&
ip route add unreachable 172.70.101.0/24 &&
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a network namespace with routes of its own")
def test_a_router_says_its_kernels_next_hop_or_none(measured: Lab) -> None:
    addresses = {
        "futian": "172.60.101.30",
        "southern": "172.50.101.30",
        "beijing": "172.70.101.30",
        "near": "203.0.113.2",
    }
    router = {"id": "ce-a", "addresses": addresses}
    with sampler(measured, "gw-a1", before=ROUTES, gateways=[], router=router) as running:
        found = running.until(lambda line: line["router"] == "ce-a")[-1]
    assert found["hops"] == {"futian": "203.0.113.2", "southern": None, "beijing": None, "near": None}


def test_the_kernels_answer_gives_the_gateway_and_an_error_gives_none(onhost: ModuleType) -> None:
    """RTM_NEWROUTE with destination and gateway, as `ip route get` receives it."""
    attributes = b"\x08\0\x01\0\xac\x3c\x65\x1e" + b"\x08\0\x05\0\xcb\x00\x71\x02"
    route = b"\x02\x20\0\0\xfe\0\0\x01\0\0\0\0" + attributes
    header = (16 + len(route)).to_bytes(4, "little") + b"\x18\0\0\0" + bytes(8)
    assert onhost.parse_route(header + route) == "203.0.113.2"
    error = (16 + len(route)).to_bytes(4, "little") + b"\x02\0\0\0" + bytes(8)
    assert onhost.parse_route(error + route) is None  # whatever stands behind an error
    assert onhost.parse_route(header + route[:-8] + bytes(8)) is None


@pytest.mark.parametrize("alone", [True, False])
def test_it_gives_way_to_whoever_works_on_the_host(measured: Lab, alone: bool) -> None:
    with sampler(measured, "gw-a1", alone=alone) as running:
        running.until(of("nq-trade-1"))
        pid = running.process.pid
        assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0) + 10
        shares = Path(f"/proc/{pid}/autogroup")
        if shares.exists() and shares.read_text():
            assert shares.read_text().endswith("nice 10\n") is alone, "no other session gives way with it"


def test_it_ends_when_its_controller_closes_the_session(measured: Lab) -> None:
    with sampler(measured, "gw-a1") as running:
        running.until(of("nq-trade-1"))
        assert running.process.stdin is not None
        running.process.stdin.close()
        assert running.process.wait(5) == 0


def test_it_ends_when_its_controller_is_silent_for_longer_than_the_lease(measured: Lab) -> None:
    with sampler(measured, "gw-a1", lease_s=0.5) as running:
        running.until(of("nq-trade-1"))
        assert running.process.wait(5) == 0


def test_it_goes_on_while_its_controller_is_heard(measured: Lab) -> None:
    with sampler(measured, "gw-a1", lease_s=0.6) as running:
        began = time.monotonic()
        while time.monotonic() - began < 1.5:
            running.until(of("nq-trade-1"))
            assert running.process.stdin is not None
            running.process.stdin.write(b"\n")
            running.process.stdin.flush()
        assert running.process.poll() is None


def test_it_ends_when_nobody_reads(measured: Lab) -> None:
    with sampler(measured, "gw-a1") as running:
        running.until(of("nq-trade-1"))
        assert running.process.stdout is not None
        running.process.stdout.close()
        assert running.process.wait(5) == 0


def test_connections_are_read_the_same_with_and_without_the_kernels_diagnosis(onhost: ModuleType) -> None:
    """IPv4 and IPv4 inside IPv6 (Java), established and waiting for an answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        mapped = (f"::ffff:{address[0]}", address[1])
        with socket.create_connection(address), socket.socket(socket.AF_INET6) as second, socket.socket() as third:
            second.setblocking(False)
            second.connect_ex(mapped)
            third.setblocking(False)
            third.connect_ex(address)
            connections = onhost.Connections()
            connections.expect([f"{address[0]}:{address[1]}"])
            fast = sorted(connections.look())
            connections._read = onhost._listed  # noqa: SLF001 - the slower way, as on a kernel without tcp_diag
            assert sorted(connections.look()) == fast
            assert len(fast) == 3
            assert {item.inode for item in fast} >= {os.fstat(end.fileno()).st_ino for end in (second, third)}


def test_it_costs_less_than_one_percent_of_a_core(measured: Lab) -> None:
    """Two gateways every 500 ms; start-up is not counted."""
    measured.front("futian-market")
    measured.gateway("nq-md-1")
    with sampler(measured, "gw-a3", interval_ms=500) as running:
        running.until(lambda line: "mono" in line)
        at, cpu = time.monotonic(), cpu_s(running.process.pid)
        running.until(lambda line: line.get("mono", 0) > at + 6)
        used = (cpu_s(running.process.pid) - cpu) / (time.monotonic() - at)
    assert used <= 0.01


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_its_source_is_python_3_6() -> None:
    source = (ONHOST / "sampler.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 6))
    assert "from __future__" not in source
