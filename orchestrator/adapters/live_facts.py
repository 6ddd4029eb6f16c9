"""What every gateway host and CE router says of itself, for `drillctl audit --live`. Read only.

Each is asked once, in parallel, within its own deadline. One that does not answer is named with the reason.
"""

import json
import re
import shlex
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.adapters.connection import LOST, connection
from orchestrator.adapters.first_look import answer
from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.adapters.ssh import SshSettings, SshTarget, ssh_targets
from orchestrator.loader.site import LoadedSite
from orchestrator.model.records import LogArchive
from orchestrator.model.topology import Gateway, Topology, fill
from orchestrator.rules.facts import Live, LiveArchive, LiveGateway, LiveHost, LivePort

_AT_ONCE = 16  # our choice: hosts that are asked at the same time
_ANSWER_S = 10.0  # our choice: beyond connecting, for the version commands of a host
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)+(?![\w.])")
_MODULES = ("processes", "vendor_file", "live_facts")  # each stands after those that it imports
_PROGRAM = """\
import json, sys, types
for name, source in {sources!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name + ".py", "exec"), module.__dict__)
module.main(json.loads({request!r}))
"""


@dataclass(frozen=True)
class LiveFacts:
    """How hosts are reached, and what is asked there. `archives`: those of the firm's records."""

    site: LoadedSite
    ssh: SshSettings
    onhost: Path
    archives: tuple[LogArchive, ...] = ()

    def read(self, at: str, done: Callable[[str, str], None]) -> Live:
        """`at`: when; `done` hears of each host and why it did not answer, if so."""
        hosts: dict[str, LiveHost] = {}
        silent: dict[str, str] = {}
        targets = ssh_targets(self.site, self.ssh.access)
        with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="live facts") as threads:
            waiting = {threads.submit(self._look, target): name for name, target in targets.items()}
            for item in as_completed(waiting):
                name, found = waiting[item], item.result()
                if isinstance(found, str):
                    silent[name] = found
                else:
                    hosts[name] = found
                done(name, found if isinstance(found, str) else "")
        said = {gateway: item.version for host in hosts.values() for gateway, item in host.gateways.items()}
        versions = {gateway: version for gateway, version in said.items() if version}
        return Live(versions, at, hosts, silent)

    def _look(self, target: SshTarget) -> LiveHost | str:
        """What it says, or why it says nothing."""
        link = connection(target, self.ssh)
        end = threading.Timer(3 * self.ssh.connect_timeout_s + _ANSWER_S, link.close)  # through bastions: three
        end.daemon = True
        end.start()
        try:
            sent_at = time.time()
            said, least_s = answer(link, target.command(self._command(target)))
            return _host(said, certain_offset_s(least_s, float(said["at"]) - sent_at))
        except (*LOST, ValueError, LookupError, TypeError) as error:  # also an answer that makes no sense
            return " ".join(str(error).split()) or "no answer"
        finally:
            end.cancel()
            with suppress(*LOST):
                link.close()

    def _command(self, target: SshTarget) -> str:
        topology = self.site.topology
        request = {
            "gateways": [_asked(topology, item) for item in topology.scriptable_gateways if item.host == target.name],
            "ports": [str(item.local_address) for item in topology.lines if item.router == target.name],
            "archives": [item.folder for item in self.archives if item.host == target.name],
        }
        program = live_facts_program(self.onhost, request)
        return f"exec {shlex.quote(target.interpreter)} -I -S -c {shlex.quote(program)}"


def live_facts_program(onhost: Path, request: dict[str, Any]) -> str:
    """The sources of this release with their request."""
    sources = [(name, (onhost / f"{name}.py").read_text(encoding="utf-8")) for name in _MODULES]
    return _PROGRAM.format(sources=sources, request=json.dumps(request))


def _asked(topology: Topology, gateway: Gateway) -> dict[str, Any]:
    version = topology.profiles[gateway.profile].support.version
    spec = gateway_spec(topology, gateway)
    return {
        "id": gateway.id,
        "process": spec["service"]["process"],
        "config": spec["config"],
        "version": [fill(word, gateway) for word in version] if version else None,
    }


def _host(said: dict[str, Any], offset_s: float) -> LiveHost:
    gateways = {
        name: LiveGateway(
            bool(item["running"]),
            None if item["sessions"] is None else tuple(item["sessions"]),
            version_of(item["version"] or ""),
            None if item["endpoints"] is None else tuple(item["endpoints"]),
            str(item["unread"]),
        )
        for name, item in said["gateways"].items()
    }
    return LiveHost(
        clock_offset_s=round(offset_s, 3),
        default_routes=tuple(said["default_routes"]),
        gateways=gateways,
        forwards=tuple(said["forwards"]),
        ports={address: LivePort(**port) for address, port in said["ports"].items()},
        archives={folder: LiveArchive(**found) if found else None for folder, found in said["archives"].items()},
    )


def certain_offset_s(least_s: float, most_s: float) -> float:
    """How far a clock is off for certain. A host stamps its answer between our asking and our hearing it: connecting
    and a slow host widen what its offset may be, and are no offset themselves.
    """
    return max(least_s, 0.0) + min(most_s, 0.0)


def version_of(said: str) -> str | None:
    """The one dotted number in what a program says of itself. None: there is none, or which one is not clear."""
    found = set(_NUMBER.findall(said))
    return found.pop() if len(found) == 1 else None
