"""What is sent to a host to sample it: the on-host sources and their request, as one program. Nothing stays there."""

import json
import shlex
from pathlib import Path
from typing import Any

from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.adapters.route_lines import probe_addresses
from orchestrator.model.topology import Topology

LEASE_S = 30  # our choice: how long a host goes on sampling for a controller that it does not hear
_PROGRAM = """\
import sys, types
vendor_file = sys.modules["vendor_file"] = types.ModuleType("vendor_file")
exec(compile({vendor_file!r}, "vendor_file.py", "exec"), vendor_file.__dict__)
exec(compile({sampler!r}, "sampler.py", "exec"))
main(json.loads({request!r}))
"""


def sampler_request(topology: Topology, name: str, interval_ms: int, since: float | None) -> dict[str, Any] | None:
    """What to look at on this host or router; None: nothing. `since` is the host's time of the last sample heard."""
    gateways = [gateway_spec(topology, gateway) for gateway in topology.scriptable_gateways if gateway.host == name]
    router = topology.router.get(name)
    watched = None
    if router is not None and router.driver == "linux":
        watched = {"id": router.id, "addresses": probe_addresses(topology, router)}
    if not gateways and watched is None:
        return None
    return {
        "host": name,
        "interval_ms": interval_ms,
        "lease_s": LEASE_S,
        "since": since,
        "gateways": gateways,
        "router": watched,
    }


def sampler_program(onhost: Path, request: dict[str, Any]) -> bytes:
    """vendor_file.py and sampler.py of this release with their request."""
    return _PROGRAM.format(
        vendor_file=(onhost / "vendor_file.py").read_text(encoding="utf-8"),
        sampler=(onhost / "sampler.py").read_text(encoding="utf-8"),
        request=json.dumps(request),
    ).encode()


def sampler_command(interpreter: str, program: bytes) -> str:
    """Read the program from standard input, which then stays open: when it closes, the controller is gone."""
    start = f"import sys;exec(compile(sys.stdin.buffer.read({len(program)}),'sampler','exec'))"
    return f"exec {shlex.quote(interpreter)} -I -S -c {shlex.quote(start)}"
