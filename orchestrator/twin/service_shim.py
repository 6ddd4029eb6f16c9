"""Installs the simulated gateways of one host under its private root: files, commands, units.

What a profile names is really there afterwards: the vendor's file with the gateway's list, the folders of status and
log, an executable at the first word of the start and stop commands, a systemctl that knows the units. It writes new
files and never into a file or folder of the machine itself.
"""

import json
import math
from pathlib import Path
from typing import Any

from orchestrator.errors import DefinitionError
from orchestrator.model.topology import (
    Certificate,
    CertificateKind,
    Gateway,
    ServiceManager,
    Topology,
    certificate_text,
    fill,
)
from orchestrator.twin.programs.nursery import SOCKET
from orchestrator.twin.vendor_sample import filled_config, sample
from orchestrator.twin.wire import fingerprint

PYTHON = "/usr/bin/python3"
SETTINGS = "/etc/drillctl-twin"
SYSTEMCTL = "/usr/bin/systemctl"
SYSTEM_FOLDERS = ("/bin", "/sbin", "/usr", "/lib", "/etc", "/proc", "/sys", "/dev")
CONNECT_TIMEOUT_S = 3.0  # our choice, where the profile gives none

# Asks the host's nursery, and does nothing by itself: a stand-in for a program of a few milliseconds.
_SHIM = """\
#!{python} -IS
# Part of a simulated host: stands in for the site's own program.
import _socket, sys
inside = {inside!r}
root = __file__[: -len(inside)] if __file__.endswith(inside) else ""
nursery = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (1, 2))
try:
    nursery.connect(root + {socket!r})
    words = "\\0".join([{entry!r}, inside, *sys.argv[1:]])
    nursery.sendmsg([words.encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    code = nursery.recv(1)
except OSError as error:
    sys.exit(f"{{inside}}: {{error}}")
sys.exit(code[0] if code else f"{{inside}}: no answer")
"""


def install(root: Path, topology: Topology, host_id: str) -> list[Path]:
    """Install every gateway of the host. DefinitionError when a profile's command cannot be stood in for.

    Gives the folders, as absolute paths under `root`, to hand to the service user with all that is in them.
    """
    root = root.resolve()
    owned: set[Path] = set()
    for gateway in topology.gateways:
        if gateway.host == host_id:
            owned |= _install_gateway(root, topology, gateway)
    _shim(root, SYSTEMCTL, "systemctl")
    return sorted(owned)


def settings(topology: Topology, gateway: Gateway) -> dict[str, Any]:
    """What the gateway's programs on the host know: the profile with number and id filled in."""
    profile = topology.profiles[gateway.profile]
    service = profile.service
    return {
        "id": gateway.id,
        "number": gateway.number,
        "class": gateway.gateway_class.value,
        "protocol": gateway.protocol.value,
        "certificate": fingerprint(gateway.certificate) if gateway.certificate else "",
        "certificates": _certificates(topology, gateway),
        "address": str(topology.host[gateway.host].site_address),
        "heartbeat_s": max(1, math.ceil(profile.heartbeat_s)),  # a logon carries whole seconds
        "connect_timeout_s": profile.connect_timeout_s or CONNECT_TIMEOUT_S,
        "order_port": profile.order_port,
        "process": fill(service.process, gateway),
        "unit": fill(service.unit, gateway) if service.manager is ServiceManager.SYSTEMD and service.unit else None,
        "start": _words(service.start, gateway),
        "stop": _words(service.stop, gateway),
        "version": _words(profile.support.version, gateway),
        "config": filled_config(profile.config, gateway).model_dump(mode="json"),
        "status": _filled(profile.status.model_dump(mode="json"), gateway),
        "log": _filled(profile.log.model_dump(mode="json"), gateway),
    }


def _install_gateway(root: Path, topology: Topology, gateway: Gateway) -> set[Path]:
    wanted = settings(topology, gateway)
    config = topology.profiles[gateway.profile].config
    used = next((item for item in topology.certificates if item.id == gateway.certificate), None)
    named = certificate_text(topology.profiles[gateway.profile], used) if used else None
    vendor_file = sample(config, gateway, [topology.front[name].endpoint for name in gateway.servers], named)
    _write(root, wanted["config"]["path"], vendor_file)
    _write(root, f"{SETTINGS}/gateway-{gateway.id}.json", json.dumps(wanted, ensure_ascii=False, indent=1).encode())
    for command in (wanted["start"], wanted["stop"], wanted["version"]):
        if command:
            _command(root, command[0], gateway)
    folders = {_inside(root, wanted[name]["path"]).parent for name in ("config", "status", "log")}
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def _certificates(topology: Topology, gateway: Gateway) -> dict[str, dict[str, Any]]:
    """By what names each in the vendor's file: those of the gateway that are on its host."""
    held = [item for item in topology.certificates if item.id in gateway.certificates]
    profile = topology.profiles[gateway.profile]
    return {
        certificate_text(profile, item) or item.id: _certificate(item)
        for item in held
        if item.host in (None, gateway.host)
    }


def _certificate(certificate: Certificate) -> dict[str, Any]:
    is_ekey = certificate.kind is CertificateKind.EKEY
    return {"id": certificate.id, "fingerprint": fingerprint(certificate.id), "ekey": is_ekey}


def _command(root: Path, inside: str, gateway: Gateway) -> None:
    where = f"profile {gateway.profile}, service of gateway {gateway.id}"
    if not inside.startswith("/"):
        raise DefinitionError(
            f"{where}: expected a command with an absolute path for the twin to stand in for, found {inside}"
        )
    if inside.startswith(tuple(f"{folder}/" for folder in SYSTEM_FOLDERS)) and inside != SYSTEMCTL:
        raise DefinitionError(f"{where}: expected a program of the gateway software, found {inside} of the system")
    _shim(root, inside, "command")


def _shim(root: Path, inside: str, entry: str) -> None:
    text = _SHIM.format(python=PYTHON, inside=inside, socket=SOCKET, entry=entry)
    _write(root, inside, text.encode(), mode=0o755)


def _write(root: Path, inside: str, data: bytes, mode: int = 0o644) -> None:
    """Put a new file in place. A link or an open file of the same name is left as it is elsewhere."""
    path = _inside(root, inside)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    new.chmod(mode)
    new.replace(path)


def _inside(root: Path, path: str) -> Path:
    """The path under the host's root; refused where it is the machine's own folder (a mount, a link that leads out)."""
    found = root / path.lstrip("/")
    existing = next(folder for folder in found.parents if folder.exists())
    own = Path("/") / existing.relative_to(root) if existing != root else Path("/")
    leads_out = not existing.resolve().is_relative_to(root)
    if leads_out or (own.exists() and own.samefile(existing)):
        raise ValueError(f"expected {found} in the host's private root, found the machine's own {existing}")
    return found


def _words(command: tuple[str, ...] | None, gateway: Gateway) -> list[str] | None:
    return [fill(word, gateway) for word in command] if command else None


def _filled(data: dict[str, Any], gateway: Gateway) -> dict[str, Any]:
    return {name: fill(value, gateway) if isinstance(value, str) else value for name, value in data.items()}
