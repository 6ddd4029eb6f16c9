"""World port on real hosts: Ansible changes them, the sampler watches them, testinfra checks them.

It knows no drill: it turns a step's targets into requests, one call per step, all hosts at once. The only
place where anything of a site is changed from.
"""

import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestrator.adapters.ansible import Ansible, HostResult, outcome_of
from orchestrator.adapters.checks import run_checks
from orchestrator.adapters.checks_plan import check_context
from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.adapters.sampler import Sampler
from orchestrator.adapters.ssh import SshSettings, close_masters, ssh_targets
from orchestrator.engine import Assignment
from orchestrator.errors import DrillctlError, StepFailed, StepUnknown
from orchestrator.loader.site import LoadedSite
from orchestrator.model.drill import Check, Mode
from orchestrator.model.event import CheckRecord, Outcome
from orchestrator.model.plan import Fault, Plan, Step, Target, Verb
from orchestrator.model.topology import Topology
from orchestrator.ports import Clock, Expectations, Snapshot, TargetResult

LEASE_S = 30.0  # our choice: a fault whose run is silent for so long lifts itself
_CALL_S = 20.0  # our choice: what a playbook may take beyond what its hosts may take
_CLEANUP_S = 20.0  # our choice
_PLAYBOOK = {
    Verb.REPOINT: "repoint.yml",
    Verb.RESTORE: "restore.yml",
    Verb.RESTART: "restart.yml",
    Verb.PATH: "path.yml",
}
_COMPARED = ("endpoints", "config_sha256", "owner", "mode", "session", "logged_in")

Requests = dict[str, list[dict[str, Any]]]  # host → requests, in order
Names = dict[str, list[str]]  # host → the target of each request


class FaultMaker(Protocol):
    """What makes and lifts the fault: a twin, or the firm's own devices."""

    def inject(self, fault: Fault, lease_s: float) -> None: ...

    def lift(self, fault: Fault) -> None: ...

    def renew(self) -> None: ...


@dataclass(frozen=True)
class Tools:
    """Where the playbooks and the check suites lie, and whether own TCP connects are consented."""

    playbooks: Path
    checks: Path
    consent_tcp: bool


class SiteWorld:
    """One run's hands and eyes on a site."""

    def __init__(self, site: LoadedSite, tools: Tools, ssh: SshSettings, job: Assignment, faults: FaultMaker) -> None:
        self._site, self._topology, self._tools, self._ssh = site, site.topology, tools, ssh
        self._job, self._faults = job, faults
        self._ansible = Ansible(site.folder, tools.playbooks, ssh, job.folder / "ansible")
        self._clock = SystemClock()
        self._sampler: Sampler | None = None
        self._armed: Requests = {}
        self._written: dict[str, str] = {}  # gateway → digest of the file as this run left it
        self._renewing: Renewal | None = None
        self._sequence = 0

    # -- changing -------------------------------------------------------------------------------------

    def arm(self, plan: Plan, deadline_s: float) -> list[TargetResult]:
        """Open connections, check every host that may be changed, put the run's token there."""
        requests: Requests = defaultdict(list)
        names: Names = defaultdict(list)
        for change in plan.affected:
            gateway = self._topology.gateway[change.gateway]
            requests[change.host].append(
                {**self._permit("preflight", deadline_s), "gateway": gateway_spec(self._topology, gateway)}
            )
            names[change.host].append(change.gateway)
        for router in sorted({path.router for path in plan.paths}):
            requests[router].append(self._permit("preflight", deadline_s))
            names[router].append(router)
        self._armed = requests
        return list(self._play("arm.yml", requests, names, deadline_s))

    def disarm(self) -> list[TargetResult]:
        """Take everything of ours off the hosts again. What does not succeed can be asked for once more."""
        if not self._armed:
            return []
        requests = {host: [{**item, "op": "cleanup"} for item in items[:1]] for host, items in self._armed.items()}
        results = list(self._play("close.yml", requests, {host: [host] for host in requests}, _CLEANUP_S))
        left = {item.target for item in results if item.outcome is not Outcome.SUCCEEDED}
        self._armed = {host: items for host, items in self._armed.items() if host in left}
        return results

    def act(self, step: Step, attempt: int, before: Snapshot) -> list[TargetResult]:
        """One playbook call for all targets of the step."""
        del attempt  # Ansible's private folder is fresh at every call anyway
        requests: Requests = defaultdict(list)
        names: Names = defaultdict(list)
        for target in step.targets:
            host, request = self._request(step, target, before)
            requests[host].append(request)
            names[host].append(target.name)
        results = list(self._play(_PLAYBOOK[step.verb], requests, names, step.deadline_s))
        for result in results:
            if result.data.get("sha256_after"):
                self._written[result.target] = result.data["sha256_after"]
        return results

    def _request(self, step: Step, target: Target, before: Snapshot) -> tuple[str, dict[str, Any]]:
        if step.verb is Verb.PATH:
            return self._path_request(step, target)
        gateway = self._topology.gateway[target.name]
        digest = before.gateways[target.name]["config_sha256"]
        request = {
            **self._permit(
                {Verb.REPOINT: "repoint", Verb.RESTORE: "restore", Verb.RESTART: "restart"}[step.verb],
                step.deadline_s,
                gateway.host,
            ),
            "gateway": gateway_spec(self._topology, gateway),
            "expected_sha256": self._written.get(target.name, digest),
            "rollback": step.verb is Verb.REPOINT and self._job.plan.mode is not Mode.INCIDENT,
        }
        if "fronts" in target.arguments:
            request["endpoints"] = [self._topology.front[name].endpoint for name in target.arguments["fronts"]]
            request["only_if_down"] = bool(target.arguments.get("only_if_down"))
        if step.verb is Verb.RESTORE:
            request["restore_sha256"] = digest
        if "only_if_elsewhere" in target.arguments:
            request["only_if_elsewhere"] = self._topology.front[target.arguments["only_if_elsewhere"]].endpoint
        return gateway.host, request

    def _path_request(self, step: Step, target: Target) -> tuple[str, dict[str, Any]]:
        router, arguments = target.arguments["router"], target.arguments
        return router, {
            **self._permit("path", step.deadline_s, router),
            "network": str(self._topology.centre[arguments["centre"]].network),
            "via": next_hop(self._topology, router, arguments["line"]),
            "expected_via": next_hop(self._topology, router, arguments["line_before"]),
        }

    def _permit(self, op: str, deadline_s: float, host: str | None = None) -> dict[str, Any]:
        """What every request carries: run, token, and its deadline by the host's own clock."""
        now = self._clock.now()
        self._sequence = max(self._sequence + 1, int(now * 1000))  # a clock set back makes no request an old one
        offset_s = self._sampler.clock_offset_s().get(host or "", 0.0) if self._sampler else 0.0
        return {
            "op": op,
            "run": self._job.run,
            "token": self._job.epoch,
            "sequence": self._sequence,
            "deadline_s": deadline_s,
            "deadline_at": now + offset_s + deadline_s,
        }

    def _play(self, playbook: str, requests: Requests, names: Names, deadline_s: float) -> Iterator[TargetResult]:
        variables = {
            host: {"drill_program": self._program(host), "drill_requests": items} for host, items in requests.items()
        }
        for host, result in self._ansible.play(playbook, variables, deadline_s + _CALL_S).items():
            yield from _per_target(result, names[host])

    def _program(self, host: str) -> str:
        return "route" if host in self._topology.router else "gateway"

    # -- looking --------------------------------------------------------------------------------------

    def snapshot(self, deadline_s: float) -> Snapshot:
        """Everything that must be the same again afterwards."""
        requests: Requests = defaultdict(list)
        names: Names = defaultdict(list)
        for gateway in self._topology.gateways:
            requests[gateway.host].append(
                {"op": "state", "run": self._job.run, "gateway": gateway_spec(self._topology, gateway)}
            )
            names[gateway.host].append(gateway.id)
        for router in self._topology.routers:
            networks = [str(self._topology.centre[centre].network) for centre in router.paths]
            requests[router.id].append({"op": "state", "run": self._job.run, "networks": networks})
            names[router.id].append(router.id)
        results = list(self._play("state.yml", requests, names, deadline_s))
        good = {item.target: item.data for item in results if item.outcome is Outcome.SUCCEEDED}
        routes = self._sampler.latest_routes() if self._sampler else {}
        return Snapshot(
            gateways={item.id: _gateway_state(good[item.id]) for item in self._topology.gateways if item.id in good},
            routers={name: dict(sample.lines) for name, sample in routes.items()},
            residue=self._residue(good),
            clock_offset_s=self._sampler.clock_offset_s() if self._sampler else {},
            unreachable={
                **dict.fromkeys(self._routed() - routes.keys(), "no sample of its routes"),
                **{item.target: item.message for item in results if item.outcome is not Outcome.SUCCEEDED},
            },
        )

    def _routed(self) -> set[str]:
        """The routers whose routes the sampler reads."""
        return {router.id for router in self._topology.routers if router.driver == "linux"}

    def _residue(self, good: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for name, data in good.items():
            gateway = self._topology.gateway.get(name)
            found[gateway.host if gateway else name].update(data.get("residue") or ())
        return {host: sorted(lines) for host, lines in found.items() if lines}

    def check(
        self, phase: str, checks: Sequence[Check], expected: Expectations, deadline_s: float
    ) -> list[CheckRecord]:
        """Run the suites; their JUnit file stays in the run's folder."""
        context = check_context(
            self._site,
            self._ssh,
            self._tools.playbooks / "onhost",
            phase,
            checks,
            expected,
            deadline_s,
            consent_tcp=self._tools.consent_tcp,
        )
        return run_checks(context, self._tools.checks, self._job.folder / f"junit-{phase}.xml", deadline_s)

    def measure(self, folder: Path) -> Sampler:
        """Start the sampler on every gateway host and router."""
        interval_ms = self._topology.site.sample_interval_ms
        onhost = self._tools.playbooks / "onhost"
        self._sampler = Sampler(self._site, self._ssh, onhost, folder, interval_ms).start()
        return self._sampler

    # -- the fault ------------------------------------------------------------------------------------

    def inject(self, fault: Fault) -> None:
        """Make the fault and keep renewing it: it lifts itself when this process is gone."""
        self._faults.inject(fault, LEASE_S)
        self._renewing = Renewal(self._faults.renew, LEASE_S, self._clock)

    def lift(self, fault: Fault) -> None:
        if self._renewing:
            self._renewing.stop()
        self._faults.lift(fault)
        if self._renewing and self._renewing.longest_s >= LEASE_S:
            raise StepUnknown(
                f"expected the fault renewed within {LEASE_S:g} s, found {self._renewing.longest_s:.0f} s: "
                "it may have lifted itself before"
            )

    def close(self) -> None:
        """Leave nothing on the hosts and no connection open. A fault that was not lifted is left to its dead-man."""
        if self._renewing:
            self._renewing.stop()
        try:
            left = [item for item in self.disarm() if item.outcome is not Outcome.SUCCEEDED]
        finally:
            close_masters(self._ssh, ssh_targets(self._site).values())
            shutil.rmtree(self._ssh.control_dir, ignore_errors=True)
        if left:
            raise StepFailed(
                "expected nothing of ours left on the hosts, found "
                + "; ".join(f"{item.target}: {item.message}" for item in left)
            )


class Renewal:
    """Renews a fault's lease until it is stopped. `longest_s` is the longest time that it went without."""

    def __init__(self, renew: Callable[[], None], lease_s: float, clock: Clock) -> None:
        self._renew, self._every_s, self._clock = renew, lease_s / 3, clock
        self._stopped = threading.Event()
        self._renewed_at = clock.monotonic()
        self.longest_s = 0.0
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Idempotent."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._note()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            with suppress(DrillctlError):  # tried again; how long it took is told by `longest_s`
                self._renew()
                self._note()
                self._renewed_at = self._clock.monotonic()

    def _note(self) -> None:
        self.longest_s = max(self.longest_s, self._clock.monotonic() - self._renewed_at)


def next_hop(topology: Topology, router: str, line: str) -> str:
    """Where a router sends what is to go over a line: the line's far side, or the linked router that has it."""
    chosen = topology.line[line]
    if chosen.router == router:
        return str(chosen.remote_address)
    link = topology.link_between(router, chosen.router)
    if link is None:
        raise ValueError(f"{router} has no link to {chosen.router}, which holds {line}")
    return str(link.address_of(chosen.router))


def _per_target(result: HostResult, names: Sequence[str]) -> Iterator[TargetResult]:
    """A host's answer, one result per request; without an answer every request shares the host's outcome."""
    answers = result.data.get("results")
    if not answers:
        yield from (TargetResult(name, result.outcome, result.message) for name in names)
        return
    for name, answer in zip(names, answers, strict=True):
        data = {key: value for key, value in answer.items() if key not in ("message", "outcome")}
        yield TargetResult(name, outcome_of(answer), str(answer["message"]), data)


def _gateway_state(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared before and after. Process ids change with every start, so only whether it runs counts."""
    return {"running": bool(data["running"]), **{key: data.get(key) for key in _COMPARED}}
