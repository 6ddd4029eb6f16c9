"""World port on real hosts: Ansible arms and reads them, our hands change them, the sampler watches them, testinfra
checks them.

It knows no drill: it turns a step's targets into requests, one call per step, all hosts at once. The only
place where anything of a site is changed from. It keeps nothing that the next orchestrator of the run would
miss: calls have their guards' folders, hosts their tokens, and the rest is in the plan.
"""

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from orchestrator.adapters import hops, moves, standby
from orchestrator.adapters.ansible import Ansible
from orchestrator.adapters.call_folder import clear
from orchestrator.adapters.checks import run_checks
from orchestrator.adapters.checks_plan import check_context
from orchestrator.adapters.clock import SystemClock
from orchestrator.adapters.deeds import Deed, Scene
from orchestrator.adapters.gateway_spec import gateway_spec
from orchestrator.adapters.hands import Hands
from orchestrator.adapters.player import Names, Player, Requests, per_target
from orchestrator.adapters.renewal import Renewal
from orchestrator.adapters.sampler import Sampler
from orchestrator.adapters.secrets import NO_MASK, Mask
from orchestrator.adapters.ssh import SshSettings, close_masters, ssh_targets
from orchestrator.engine import guard
from orchestrator.engine.log import Assignment
from orchestrator.errors import StepFailed, StepUnknown
from orchestrator.evidence.redact import key_of, run_key
from orchestrator.loader.site import LoadedSite
from orchestrator.model.drill import Check, Mode
from orchestrator.model.event import CheckRecord, Outcome
from orchestrator.model.plan import Fault, GatewayChange, Plan, Step, Verb
from orchestrator.model.topology import Router
from orchestrator.planner.satellite import addresses
from orchestrator.planner.standby import can_fence
from orchestrator.ports import FAULT_LEASE_S, Call, Clock, Expectations, Fate, Snapshot, TargetResult

_CLEANUP_S = 20.0  # our choice
_COMPARED = ("endpoints", "certificate", "config_sha256", "owner", "mode", "session", "logged_in")
_DEEDS: dict[Verb, Deed] = {
    Verb.REPOINT: moves.REPOINT,
    Verb.RESTORE: moves.RESTORE,
    Verb.RESTART: moves.RESTART,
    Verb.PATH: moves.PATH,
    Verb.FENCE: standby.FENCE,
    Verb.TAKE_OVER: standby.TAKE_OVER,
    Verb.GIVE_BACK: standby.GIVE_BACK,
    Verb.UNFENCE: standby.UNFENCE,
}
_FROM_WORST = (Fate.RUNNING, Fate.LOST, Fate.FINISHED, Fate.NEVER)  # of a call that is several plays


class FaultMaker(Protocol):
    """What makes and lifts the fault: a twin, or the firm's own devices. It refuses an epoch older than the newest."""

    def inject(self, fault: Fault, lease_s: float, run: str, epoch: int) -> None: ...

    def lift(self, fault: Fault, run: str, epoch: int) -> None: ...

    def renew(self, run: str, epoch: int) -> None: ...

    def is_on(self, fault: Fault, run: str, epoch: int) -> bool: ...


@dataclass(frozen=True)
class Tools:
    """Where playbooks and check suites lie, whether own TCP connects are consented, what is told nowhere."""

    playbooks: Path
    checks: Path
    consent_tcp: bool
    mask: Mask = NO_MASK


class SiteWorld:
    """One orchestrator's hands and eyes on a site."""

    def __init__(
        self, site: LoadedSite, tools: Tools, ssh: SshSettings, job: Assignment, faults: FaultMaker | None
    ) -> None:
        """`faults` None: a real site, where people make the fault and say so."""
        if job.plan.mode is Mode.REHEARSAL:
            site = site.simulated()
        self._site, self._topology, self._tools, self._ssh = site, site.topology, tools, ssh
        self._job, self._fault_maker = job, faults
        self._clock: Clock = SystemClock()
        targets = ssh_targets(site, ssh.access)
        ansible = Ansible(site.folder, tools.playbooks, ssh, tools.mask, targets)
        hands = Hands(tools.playbooks, ssh, targets, tools.mask)
        self._player = Player(job, ansible, hands, self._clock, self._clock_offset_s)
        self._sampler: Sampler | None = None
        self._renewing: Renewal | None = None

    def fate(self, call: Call) -> Fate:
        """A call of several plays is as its worst play that was begun; one that is yet to begin can be joined too."""
        folders = [self._player.folder(item) for item in self._calls(call)]
        begun = [folder for folder in folders if guard.begun(folder)]
        fates = {folder: guard.fate(folder) for folder in begun or folders}
        for folder in (folder for folder, fate in fates.items() if fate is Fate.LOST):
            guard.sweep(folder)
            clear(folder)
        return next(fate for fate in _FROM_WORST if fate in fates.values())

    def _calls(self, call: Call) -> Sequence[Call]:
        step = next((item for item in self._job.plan.steps if item.id == call.step), None)
        deed = _DEEDS.get(step.verb) if step else None
        return deed.calls(call) if deed else (call,)

    # -- changing -------------------------------------------------------------------------------------

    def arm(self, call: Call, plan: Plan, deadline_s: float) -> list[TargetResult]:
        """Open connections, check every host that may be changed, put this orchestrator's token there."""
        requests: Requests = defaultdict(list)
        names: Names = defaultdict(list)
        for change in self._scriptable(plan):
            spec = gateway_spec(self._topology, self._topology.gateway[change.gateway])
            permit = self._player.permit("preflight", deadline_s, change.host)
            requests[change.host].append({**permit, "gateway": spec})
            names[change.host].append(change.gateway)
        for router in self._routers(plan):
            requests[router].append(self._player.permit("preflight", deadline_s, router))
            names[router].append(router)
        return list(self._play(call, "arm.yml", requests, names, deadline_s))

    def disarm(self, call: Call, plan: Plan) -> list[TargetResult]:
        """Take everything of ours off the hosts again."""
        requests: Requests = {}
        for change in self._scriptable(plan):
            spec = gateway_spec(self._topology, self._topology.gateway[change.gateway])
            permit = {**self._player.permit("cleanup", _CLEANUP_S, change.host), **_originals(plan, change.host)}
            requests.setdefault(change.host, [{**permit, "gateway": spec}])  # one folder per host, whatever is on it
        for router in self._routers(plan):
            requests[router] = [self._player.permit("cleanup", _CLEANUP_S, router)]
        return list(self._play(call, "close.yml", requests, {host: [host] for host in requests}, _CLEANUP_S))

    def act(self, call: Call, step: Step, before: Snapshot, written: Mapping[str, str]) -> list[TargetResult]:
        """One call for all targets of the step."""
        return _DEEDS[step.verb].act(self._player, call, step, self._scene(before, written))

    def look(self, call: Call, step: Step, attempt: int, before: Snapshot) -> list[TargetResult]:
        """One read-only call for all targets of the step."""
        deed = _DEEDS.get(step.verb)
        if deed is None:
            reason = f"{step.verb.value} leaves nothing on its targets that could be looked at"
            return [TargetResult(target.name, Outcome.INDETERMINATE, reason) for target in step.targets]
        return deed.look(self._player, call, step, attempt, self._scene(before, {}))

    def _scene(self, before: Snapshot, written: Mapping[str, str]) -> Scene:
        return Scene(self._job.plan, self._topology, before, written)

    def _play(
        self, call: Call, playbook: str, requests: Requests, names: Names, deadline_s: float
    ) -> Iterator[TargetResult]:
        if not requests:  # everything there is to do is done by hand
            return
        programs = {host: self._program(host) for host in requests}
        for host, result in self._player.play(call, playbook, programs, requests, deadline_s).items():
            yield from per_target(result, names[host])

    def _ask(self, call: Call, requests: Requests, names: Names, deadline_s: float) -> Iterator[TargetResult]:
        if not requests:
            return
        programs = {host: self._program(host) for host in requests}
        for host, result in self._player.send(call, "state", programs, requests, deadline_s).items():
            yield from per_target(result, names[host])

    def _scriptable(self, plan: Plan) -> list[GatewayChange]:
        """What the plan touches and this program may reach."""
        return [change for change in plan.affected if self._topology.hands_of(change.host) is None]

    def _routers(self, plan: Plan) -> list[str]:
        """Routers that the plan may change."""
        fenced = (name for name in plan.fence_routers if can_fence(self._topology, name))
        return sorted({*(path.router for path in plan.paths), *fenced})

    def _program(self, host: str) -> str:
        """A router that may be fenced on answers as every router does, and is checked for what a fence needs."""
        if host in self._job.plan.fence_routers:
            return "barrier"
        return "route" if host in self._topology.router else "gateway"

    def _clock_offset_s(self) -> Mapping[str, float]:
        return self._sampler.clock_offset_s() if self._sampler else {}

    # -- looking --------------------------------------------------------------------------------------

    def snapshot(self, call: Call, deadline_s: float) -> Snapshot:
        """Everything that must be the same again afterwards."""
        requests: Requests = defaultdict(list)
        names: Names = defaultdict(list)
        key = run_key(self._job.folder)
        for gateway in self._topology.scriptable_gateways:
            request = {"op": "state", "run": self._job.run, "gateway": gateway_spec(self._topology, gateway)}
            request["addresses"] = sorted(hops.of_gateway(self._topology, gateway).values())
            requests[gateway.host].append({**request, "redaction_key": key_of(key, gateway.id).hex()})
            names[gateway.host].append(gateway.id)
        for router in self._topology.routers:
            networks = [str(self._topology.centre[centre].network) for centre in router.paths]
            networks += self._host_routes(router)
            addresses = sorted(hops.of_router(self._topology, router).values())
            request = {"op": "state", "run": self._job.run, "networks": networks, "addresses": addresses}
            requests[router.id].append(request)
            names[router.id].append(router.id)
        results = list(self._ask(call, requests, names, deadline_s))
        good = {item.target: item.data for item in results if item.outcome is Outcome.SUCCEEDED}
        routes = self._sampler.latest_routes() if self._sampler else {}
        return Snapshot(
            gateways={item.id: _gateway_state(good[item.id]) for item in self._topology.gateways if item.id in good},
            routers={name: dict(sample.lines) for name, sample in routes.items()},
            residue=self._residue(good),
            clock_offset_s=self._clock_offset_s(),
            unreachable={
                **dict.fromkeys(self._routed() - routes.keys(), "no sample of its routes"),
                **{item.target: item.message for item in results if item.outcome is not Outcome.SUCCEEDED},
            },
            configurations={item.target: item.data["redacted"] for item in results if item.data.get("redacted")},
            hops=hops.heard(self._topology, good),
        )

    def _routed(self) -> set[str]:
        """The routers whose routes the sampler reads."""
        return {router.id for router in self._topology.routers if router.driver == "linux"}

    def _host_routes(self, router: Router) -> list[str]:
        """What stands there only while trading goes over the satellite: that it is gone is part of the proof."""
        found = [item for centre in router.last_resort for item in addresses(self._topology, router.id, centre)]
        return [f"{address}/32" for address in found]

    def _residue(self, good: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for name, data in good.items():
            gateway = self._topology.gateway.get(name)
            found[gateway.host if gateway else name].update(data.get("residue") or ())
            router = self._topology.router.get(name)
            routes = data.get("routes") or {}
            standing = ((host, routes.get(host)) for host in (self._host_routes(router) if router else ()))
            found[name].update(f"host route {host} via {route.get('via')}" for host, route in standing if route)
        return {host: sorted(lines) for host, lines in found.items() if lines}

    def check(
        self, call: Call, phase: str, checks: Sequence[Check], expected: Expectations, deadline_s: float
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
        junit = self._job.folder / f"junit-{phase}.xml"
        folder, mask = self._player.folder(call), self._tools.mask
        return run_checks(folder, context, self._tools.checks, junit, deadline_s, call.stop, mask=mask)

    def measure(self, folder: Path) -> Sampler:
        """The sampler of every gateway host and router: started, or joined."""
        interval_ms = self._topology.site.sample_interval_ms
        onhost = self._tools.playbooks / "onhost"
        self._sampler = Sampler(self._site, self._ssh, onhost, folder, interval_ms).start()
        return self._sampler

    # -- the fault ------------------------------------------------------------------------------------

    def inject(self, fault: Fault) -> None:
        """Make the fault and keep renewing it: it lifts itself when this process is gone."""
        self._faults().inject(fault, FAULT_LEASE_S, self._job.run, self._job.epoch)
        self._renew()

    def fault_is_on(self, fault: Fault) -> bool:
        """Look, and keep it on where it is."""
        is_on = self._faults().is_on(fault, self._job.run, self._job.epoch)
        if is_on and self._renewing is None:
            self._renew()
        return is_on

    def _faults(self) -> FaultMaker:
        if self._fault_maker is None:
            raise StepFailed("expected people to make and lift the fault of a real site, found this program asked to")
        return self._fault_maker

    def beat(self) -> None:
        """The run is alive."""
        if self._renewing:
            self._renewing.beat()

    def lift(self, fault: Fault) -> None:
        renewing = self._stop_renewing()
        self._faults().lift(fault, self._job.run, self._job.epoch)
        if renewing and renewing.longest_s >= FAULT_LEASE_S:
            raise StepUnknown(
                f"expected the fault renewed within {FAULT_LEASE_S:g} s, found {renewing.longest_s:.0f} s: "
                "it may have lifted itself before"
            )

    def _renew(self) -> None:
        self._stop_renewing()
        renew = partial(self._faults().renew, self._job.run, self._job.epoch)
        self._renewing = Renewal(renew, FAULT_LEASE_S, self._clock)

    def _stop_renewing(self) -> Renewal | None:
        stopped, self._renewing = self._renewing, None
        if stopped:
            stopped.stop()
        return stopped

    def close(self) -> None:
        """A fault that was not lifted is left to its dead-man, or to the next orchestrator of the run; a call that
        is still at work is left its connections.
        """
        self._stop_renewing()
        if self._player.is_at_work():
            return
        close_masters(self._ssh, ssh_targets(self._site, self._ssh.access).values())
        shutil.rmtree(self._ssh.control_dir, ignore_errors=True)


def _originals(plan: Plan, host: str) -> dict[str, Any]:
    """Files as they were stay on their host after an incident, for its way home; that one takes them away."""
    if plan.fails_back:
        return {"forget_originals": [change.gateway for change in plan.affected if change.host == host]}
    return {"keep_originals": True} if plan.mode is Mode.INCIDENT else {}


def _gateway_state(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared before and after. Process ids change with every start, so only whether it runs counts."""
    return {"running": bool(data["running"]), **{key: data.get(key) for key in _COMPARED}}
