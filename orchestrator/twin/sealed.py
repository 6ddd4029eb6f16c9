"""Proof that this process cannot reach anything but a twin. Read from the kernel, never from the environment."""

import json
import subprocess
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.errors import Refused
from orchestrator.twin.state import TwinState, living

_HARMLESS = {"bridge", "veth"}  # kinds of device that a controller's namespace holds, beside its loopback
_ONLY_LOCAL = ("local", "broadcast", "multicast", "anycast", "blackhole", "unreachable", "prohibit", "throw")
_LEADS_ON = ("gateway", "via", "nexthops", "nhid", "encap")  # what a route has that goes through another machine
_LINK_LOCAL = IPv6Network("fe80::/10")
_HERE = "/proc/thread-self/ns/net"


def twin_here() -> TwinState | None:
    """The living twin whose controller namespace this process is in."""
    here = _identity(_HERE)
    return next((state for state in living() if _identity(network_of(state)) == here), None)


def network_of(state: TwinState) -> str:
    """Path that opens the controller's network namespace."""
    return f"/proc/{state.pid}/ns/net"


def ensure_sealed() -> None:
    """Raises Refused("NOT_SEALED") unless this process is in a living twin's controller namespace, no
    device leads out of it and no route leads beyond the twin's own network.
    """
    twin = twin_here()
    if twin is None:
        _refuse("this process's network namespace is that of no living twin")
    if len({_identity(f"{task}/ns/net") for task in Path("/proc/self/task").iterdir()}) > 1:
        _refuse("some threads of this process are in another namespace")
    if _identity(_HERE) == _identity("/proc/1/ns/net"):
        _refuse("this is the machine's own network namespace")
    for link in _ip("-d", "link"):
        kind = link.get("linkinfo", {}).get("info_kind")
        # A kernel may put tunnel devices into every new namespace; down, they lead nowhere.
        if link["link_type"] != "loopback" and kind not in _HARMLESS and "UP" in link["flags"]:
            _refuse(f"device {link['ifname']} ({kind or link['link_type']}) may lead out")
    for family in ("-4", "-6"):
        for route in _ip(family, "route", "show", "table", "all"):
            if _leads_out(route, IPv4Network(twin.network)):
                _refuse(f"a route leads to {route['dst']}")


def _leads_out(route: dict[str, Any], own: IPv4Network) -> bool:
    """Whether packets that take the route could be meant for anything but the twin's own hosts, gateway or not."""
    if route.get("type", "unicast") in _ONLY_LOCAL:
        return False
    if route["dst"] == "default" or any(name in route for name in _LEADS_ON):
        return True
    to = ip_network(route["dst"])
    return not (to.subnet_of(own) if isinstance(to, IPv4Network) else to.subnet_of(_LINK_LOCAL))


def _refuse(found: str) -> NoReturn:
    raise Refused(
        "NOT_SEALED",
        f"expected to run inside a twin with no way out, found that {found}; use `drillctl twin exec NAME -- …`",
    )


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _ip(*arguments: str) -> list[dict[str, Any]]:
    said = subprocess.run(["ip", "-j", *arguments], capture_output=True, text=True, check=True).stdout
    return list(json.loads(said or "[]"))
