"""What is sent to a host to gather for support: the on-host sources and their request, as one program."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.evidence.redact import key_of
from orchestrator.model.support import FileKind, Limits
from orchestrator.model.topology import Gateway, Topology, fill

MARK = b"DRILLCTL-SUPPORT\n"  # as support.py has it
_MODULES = (
    "vendor_file",
    "vendor_redaction",
    "processes",
    "support_texts",
    "support_facts",
    "support",
)  # each stands after those that it imports
_PROGRAM = """\
import json, sys, types
for name, source in {sources!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name + ".py", "exec"), module.__dict__)
module.main(json.loads({request!r}))
"""


@dataclass(frozen=True)
class Asked:
    """What is to be gathered: of files that wildcards find only those changed after `since` (seconds since the epoch)
    and under none of the patterns of `leave_out`. `key` is that of the redaction.
    """

    limits: Limits
    key: bytes
    since: float | None = None
    leave_out: tuple[str, ...] = ()


def collecting_request(topology: Topology, gateways: Iterable[Gateway], asked: Asked) -> dict[str, Any]:
    """What one host is asked for. A gateway's key is its own: its host can tell nothing of another's values."""
    return {
        "deadline_s": asked.limits.host_deadline_s,
        "most_host": asked.limits.host,
        "most_file": asked.limits.file,
        "since": asked.since,
        "leave_out": list(asked.leave_out),
        "gateways": [_gateway(topology, item, key_of(asked.key, item.id)) for item in gateways],
    }


def _gateway(topology: Topology, gateway: Gateway, key: bytes) -> dict[str, Any]:
    profile, spec = topology.profiles[gateway.profile], gateway_spec(topology, gateway)
    version = profile.support.version
    return {
        "id": gateway.id,
        "number": gateway.number,
        "key": key.hex(),
        "process": spec["service"]["process"],
        "config": spec["config"],
        "log": spec["log"]["path"],
        "version": [fill(word, gateway) for word in version] if version else None,
        "files": [[kind.value, fill(path, gateway)] for kind, path in _files(topology, gateway)],
    }


def _files(topology: Topology, gateway: Gateway) -> Iterator[tuple[FileKind, str]]:
    profile = topology.profiles[gateway.profile]
    yield FileKind.CONFIGURATION, profile.config.path
    yield FileKind.STATUS, profile.status.path
    yield FileKind.LOG, profile.log.path
    yield from ((FileKind.LOG, path) for path in profile.support.logs)
    yield from ((FileKind.DATA, path) for path in profile.support.data)


def collecting_program(onhost: Path, request: dict[str, Any]) -> bytes:
    """The sources of this release with their request."""
    sources = [(name, (onhost / f"{name}.py").read_text(encoding="utf-8")) for name in _MODULES]
    return _PROGRAM.format(sources=sources, request=json.dumps(request)).encode()
