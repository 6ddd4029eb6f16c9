"""What the simulated gateways' processes themselves show, seen from outside their hosts through /proc.

The twin's daemon is an ancestor of every host's process namespace, so its /proc shows all of them. This is ground
truth beside the exchange's own: which instance still runs (stopped or frozen counts as running: it holds what it
holds), and from which source a multicast receiver takes its data, which no front can know.
"""

import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.model.topology import Gateway, Topology, fill

PROC = Path("/proc")
PROGRAM = "/gateway.py"
SETTINGS = "/etc/drillctl-twin/gateway-{id}.json"
FRESH_S = 1.0  # our choice: a receiver with data writes its status every 0.2 s


def lives(instance: str) -> bool:
    """Whether the gateway process that drew this instance at its start still runs."""
    return any(arguments[-1] == instance for _, arguments in _processes())


def receiving(topology: Topology) -> dict[str, dict[str, str | None]]:
    """For each multicast gateway number that runs or should: the front whose data it takes now, or None."""
    gateways = {gateway.id: gateway for gateway in topology.gateways if gateway.receives_only}
    found: dict[str, dict[str, str | None]] = {
        gateway.number: {"source_front": None} for gateway in gateways.values() if gateway.enabled
    }
    for pid, arguments in _processes() if gateways else ():
        for gateway in gateways.values():
            ending = SETTINGS.format(id=gateway.id)
            if arguments[-2].endswith(ending):
                source = _source(pid, arguments[-2].removesuffix(ending), topology, gateway)
                known = found.setdefault(gateway.number, {"source_front": None})
                known["source_front"] = known["source_front"] or source
    return found


def _processes() -> Iterator[tuple[str, list[str]]]:
    """Process id and arguments of each gateway process. A process that has ended has no arguments any more."""
    for folder in PROC.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            arguments = (folder / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
        except OSError:
            continue  # it ended while we looked
        if len(arguments) > 2 and arguments[-3].endswith(PROGRAM):  # noqa: PLR2004 (program, settings, instance)
            yield folder.name, arguments


def _source(pid: str, root: str, topology: Topology, gateway: Gateway) -> str | None:
    """The front in the status file of a receiver that says it receives and has just written so."""
    form = topology.profiles[gateway.profile].status
    path = PROC / pid / "root" / (root + fill(form.path, gateway)).lstrip("/")
    try:
        age_s = time.time() - path.stat().st_mtime
        lines = dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):
        return None
    if age_s > FRESH_S or lines.get(form.logged_in_key) != form.logged_in_value:
        return None
    front = topology.front_at.get(lines.get("endpoint", ""))
    return front.id if front else None
