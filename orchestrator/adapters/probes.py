"""Looks at one host for the suites of `drills/checks/`, and for a site's own suites. All read only.

Each is one command over testinfra's Host. What cannot be seen raises CouldNotLook: it is not an answer.
"""

import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from testinfra.backend.base import CommandResult
from testinfra.host import Host

from orchestrator.adapters.checks_context import CheckedGateway, CheckedRouter
from orchestrator.adapters.shell import CouldNotLook

_NO_ROUTE = ("unreachable", "No route to host", "Invalid argument", "prohibited")  # how `ip route get` says it
_SESSION_STATES = {"ESTAB": "session", "SYN-SENT": "connecting"}
CONNECT = """\
import socket, sys
far = socket.socket()
far.settimeout(2)
try:
    far.connect((sys.argv[1], int(sys.argv[2])))
    print("connected")
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("no answer")
"""
_MOVES = """\
file=%s key=%s
look() { sed -n "s/^[[:space:]]*$key[[:space:]]*=[[:space:]]*//p" "$file"; }
first=$(look) second=$first looks=0
while [ "$first" = "$second" ] && [ $looks -lt 20 ]; do sleep 0.1; second=$(look); looks=$((looks+1)); done
echo "$first $second"
"""


class FarEnds(NamedTuple):
    """Far ends of a gateway's own TCP sockets that stand in its list."""

    session: frozenset[str]
    connecting: frozenset[str]


class ServerFile(NamedTuple):
    """The vendor's file on the host: the ordered list in force, the file's digest, what names the certificate."""

    endpoints: tuple[str, ...]
    sha256: str
    certificate: str | None = None


def run(host: Host, command: str, *arguments: str) -> CommandResult:
    """Run it; a program that the host does not have is no answer to the check."""
    result = host.run(command, *arguments)
    if result.rc == 127:  # noqa: PLR2004 - the shell's "command not found"
        raise CouldNotLook(f"{command.partition(' ')[0]}: the host has no such program")
    return result


def pids(host: Host, gateway: CheckedGateway) -> frozenset[int]:
    """Processes whose command line holds the gateway's process text, ending at a word's end."""
    result = run(host, "ps -A -ww -o pid= -o args=")
    if result.rc != 0:
        raise CouldNotLook(f"ps: {result.stderr.strip()}")
    wanted = re.compile(re.escape(gateway.spec["service"]["process"]) + r"(?![A-Za-z0-9])")
    lines = (line.split(None, 1) for line in result.stdout.splitlines())
    return frozenset(int(pid) for pid, *command in lines if command and wanted.search(command[0]))


def far_ends(host: Host, gateway: CheckedGateway, listed: tuple[str, ...]) -> FarEnds:
    """Sockets of other processes do not count, even towards the same front."""
    own = pids(host, gateway)
    result = run(host, "ss -tnpH")
    if result.rc != 0:
        raise CouldNotLook(f"ss: {result.stderr.strip()}")
    found: dict[str, set[str]] = {"session": set(), "connecting": set()}
    for line in result.stdout.splitlines():
        state, _, _, _, peer, *users = line.split(None, 5)
        far_end = peer.replace("[::ffff:", "").replace("]", "")
        if state not in _SESSION_STATES or far_end not in listed:
            continue
        holders = {int(pid) for pid in re.findall(r"pid=(\d+)", "".join(users))}
        if own and not holders:
            raise CouldNotLook(f"ss does not show to this user whose socket to {far_end} it is")
        if holders & own:
            found[_SESSION_STATES[state]].add(far_end)
    return FarEnds(frozenset(found["session"]), frozenset(found["connecting"]))


def status(host: Host, gateway: CheckedGateway) -> Mapping[str, str] | None:
    """The `key=value` lines of the gateway's status file; None: there is no such file."""
    data = _content(host, gateway.spec["status"]["path"])
    if data is None:
        return None
    pairs = (line.partition("=") for line in data.decode(errors="replace").splitlines())
    return {key.strip(): value.strip() for key, found, value in pairs if found}


def is_logged_in(host: Host, gateway: CheckedGateway) -> bool:
    """By the gateway's own word, and only while its process lives: a status file outlives its writer."""
    if not pids(host, gateway):
        return False
    said = status(host, gateway)
    if said is None:
        raise CouldNotLook(f"the gateway runs and there is no status file {gateway.spec['status']['path']}")
    return bool(said.get(gateway.spec["status"]["logged_in_key"]) == gateway.spec["status"]["logged_in_value"])


def certificate(host: Host, gateway: CheckedGateway) -> str | None:
    """With which certificate the gateway says that it is logged in; None: its profile knows no such word."""
    key = gateway.spec["status"].get("certificate_key")
    return (status(host, gateway) or {}).get(key, "") if key else None


def server_file(host: Host, gateway: CheckedGateway, onhost: Path) -> ServerFile | None:
    """None: there is no such file."""
    data = _content(host, gateway.spec["config"]["path"])
    if data is None:
        return None
    try:
        endpoints = tuple(_module(onhost, "vendor_file").read_endpoints(data, gateway.spec["config"]))
        named = _named(onhost, data, gateway) if gateway.certificate else None
    except ValueError as error:
        raise CouldNotLook(f"{gateway.spec['config']['path']}: {error}") from error
    return ServerFile(endpoints, hashlib.sha256(data).hexdigest(), named)


def listed(host: Host, gateway: CheckedGateway, onhost: Path) -> tuple[str, ...]:
    """Every endpoint that the gateway may rightly talk to: what must be in its list, and what is."""
    found = server_file(host, gateway, onhost)
    return tuple(dict.fromkeys((*(gateway.endpoints or ()), *gateway.sessions, *(found.endpoints if found else ()))))


def next_hop(host: Host, address: str) -> str | None:
    """Where this host sends packets for the address: the next hop, or the device's name; None: no route."""
    result = run(host, "ip -j route get %s", address)
    if result.rc != 0:
        if any(text in result.stderr for text in _NO_ROUTE):
            return None
        raise CouldNotLook(f"ip route get {address}: {result.stderr.strip()}")
    route: dict[str, str] = json.loads(result.stdout)[0]
    return route.get("gateway") or route.get("dev")


def ip_json(host: Host, command: str) -> list[dict[str, Any]]:
    """The answer of `ip -j …`."""
    result = run(host, command)
    if result.rc != 0:
        raise CouldNotLook(f"{command}: {result.stderr.strip()}")
    found: list[dict[str, Any]] = json.loads(result.stdout or "[]")
    return found


def connect(host: Host, endpoint: str) -> str:
    """One TCP connection from the host, closed at once: `connected`, `refused` or `no answer`. Never a login."""
    address, _, port = endpoint.rpartition(":")
    result = run(host, "python3 -I -S -c %s %s %s", CONNECT, address, port)
    if result.rc != 0:
        raise CouldNotLook(f"python3: {result.stderr.strip()}")
    return result.stdout.strip()


def sequences(host: Host, gateway: CheckedGateway) -> tuple[str, str]:
    """The last market-data sequence in two looks: as soon as it moves, at most two seconds apart."""
    said = gateway.spec["status"]
    first, _, second = run(host, _MOVES, said["path"], said["sequence_key"]).stdout.strip().partition(" ")
    if not first or not second:
        raise CouldNotLook(f"{said['path']}: no {said['sequence_key']} in it")
    return first, second


def joined_groups(host: Host) -> frozenset[str]:
    """Multicast groups that this host has joined, as addresses."""
    lines = run(host, "cat /proc/net/igmp").stdout.splitlines()
    groups = (line.split()[0] for line in lines if re.match(r"\s+[0-9A-F]{8}\s", line))
    return frozenset(".".join(str(byte) for byte in reversed(bytes.fromhex(group))) for group in groups)


def received(host: Host, gateway: CheckedGateway) -> frozenset[str]:
    """The group that a multicast gateway receives: it says so, and the host has joined it."""
    said = status(host, gateway) or {}
    group = said.get("endpoint", "")
    if not is_logged_in(host, gateway) or not group:
        return frozenset()
    return frozenset({group} if group.rpartition(":")[0] in joined_groups(host) else ())


def need_linux(router: CheckedRouter) -> None:
    """Skip the check at a router of another make: its own command line is not known here."""
    if router.driver != "linux":
        pytest.skip(f"driver {router.driver}: its state is read by the firm's own means")


def port_kind(interfaces: Sequence[Mapping[str, Any]], address: str) -> str:
    """What kind of port holds this address, from `ip -j -d addr`."""
    for interface in interfaces:
        if address in {item.get("local") for item in interface.get("addr_info", ())}:
            info = interface.get("linkinfo", {})
            switched = "bridge" in (info.get("info_kind"), info.get("info_slave_kind"))
            return "switched port" if switched else "routed port"
    return "no interface with this address"


def _content(host: Host, path: str) -> bytes | None:
    result = run(host, "cat -- %s", path)
    if result.rc == 0:
        return result.stdout_bytes
    if "No such file" in result.stderr:
        return None
    raise CouldNotLook(result.stderr.strip())


def _named(onhost: Path, data: bytes, gateway: CheckedGateway) -> str | None:
    """What the file names as the certificate in use, read as the on-host program reads it."""
    sys.modules.setdefault("vendor_file", _module(onhost, "vendor_file"))  # as on the host, where it is one program
    found: str | None = _module(onhost, "vendor_certificate").read_certificate(data, gateway.spec["config"])
    return found


@cache
def _module(onhost: Path, name: str) -> Any:
    """A part of the on-host program: one reader of vendor files for the whole product."""
    spec = importlib.util.spec_from_file_location(name, onhost / f"{name}.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(onhost / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
