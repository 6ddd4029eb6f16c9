"""A simulated site that COUNTS EFFECTS and keeps the truth: gateways, their lists, where they are logged in.

Time is simulated: waiting for a condition moves the clock by one sampling interval at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.errors import Refused
from orchestrator.model.drill import Check
from orchestrator.model.event import CheckRecord, CheckResult, LogStamp, Outcome, RouteSample, Sample
from orchestrator.model.plan import Fault, Plan, Step, Target, Verb
from orchestrator.model.topology import Topology
from orchestrator.planner.network import Network
from orchestrator.ports import (
    FAULT_LEASE_S,
    Call,
    Expectations,
    Fate,
    GatewayExpectation,
    Observations,
    Snapshot,
    TargetResult,
)

STEP_S = 0.5


@dataclass
class SimClock:
    at: float = 1_800_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class Killed(BaseException):
    """The orchestrator is dead: from here on it can touch nothing, whatever its code still wants."""


@dataclass
class Contacts:
    """Counts every contact of the orchestrator with the outside, and kills it at one of them."""

    kill_at: int | str | None = None  # the how many-th contact, or the first one of that name
    count: int = 0
    dead: bool = False
    seen: list[str] = field(default_factory=list)
    at_each: Callable[[int], None] = lambda _: None

    def touch(self, what: str) -> None:
        if self.dead:
            raise Killed
        self.count += 1
        self.seen.append(what)
        self.at_each(self.count)
        if self.kill_at in (self.count, what):
            self.dead = True
            raise Killed

    def revive(self, kill_at: int | str | None = None) -> None:
        """Another orchestrator."""
        self.kill_at, self.count, self.dead, self.seen = kill_at, 0, False, []


@dataclass
class SimGateway:
    fronts: tuple[str, ...]
    digest: str
    front: str | None = None
    running: bool = True
    stuck: bool = False  # never logs in by itself again
    dead: bool = False  # never comes back whatever is done
    sequence: int = 0


@dataclass
class SimGuard:
    """One call, on the machine of the orchestrator but not in its process."""

    step: Step
    epoch: int
    todo: list[Target]
    results: list[TargetResult] = field(default_factory=list)
    lost: bool = False


@dataclass
class Script:
    """What a lost guard has left at work on a host: it ends its work unless it finds a newer token there."""

    epoch: int
    finish: Callable[[], None]


@dataclass
class SimWorld:
    """World and Measurement of a simulated site. `effects` are (verb, target), in order; `by_call` tells whose."""

    topology: Topology
    clock: SimClock
    effects: list[tuple[str, str]] = field(default_factory=list)
    by_call: list[tuple[str, str]] = field(default_factory=list)  # (call, target): one effect each
    fault: Fault | None = None
    second: Fault | None = None  # one that no plan knows of
    moved: dict[tuple[str, str], str] = field(default_factory=dict)
    gateways: dict[str, SimGateway] = field(default_factory=dict)
    abnormal: dict[str, str] = field(default_factory=dict)  # phase → gateway whose login check is abnormal
    unreachable: dict[str, str] = field(default_factory=dict)
    unseen: set[str] = field(default_factory=set)  # targets that no look reaches
    broken_restore: set[str] = field(default_factory=set)
    broken_repoint: set[str] = field(default_factory=set)  # ends at every start
    timing_out: set[tuple[str, str]] = field(default_factory=set)  # (verb, target): done, but nobody hears of it
    samples: list[Sample] = field(default_factory=list)
    routes: list[RouteSample] = field(default_factory=list)
    unchecked: set[str] = field(default_factory=set)  # phases whose checks give no record
    lost: set[str] = field(default_factory=set)  # hosts that are gone as soon as one of them is switched
    last_words: dict[str, Sample] = field(default_factory=dict)  # of gateways on hosts that are gone
    works_by_itself: set[str] = field(default_factory=set)  # the host leaves it alone
    asked: dict[str, Expectations] = field(default_factory=dict)  # phase → what was to be seen
    heard: dict[str, Sample] | None = None  # the sampler is dead: the newest samples for ever
    before_act: Callable[[Step], None] = lambda _: None
    after_target: Callable[[Step, str], None] = lambda *_: None
    while_waiting: Callable[[], None] = lambda: None
    closed: int = 0
    stopped: int = 0
    # What happens to a guard whose orchestrator is killed while it works: "dies" with it, or "runs" on.
    guard_mode: str = "runs"
    contacts: Contacts = field(default_factory=Contacts)
    epoch: int = 1
    token: int = 0  # epoch on the hosts
    fault_epoch: int = 0
    guards: dict[str, SimGuard] = field(default_factory=dict)
    kept_on_hosts: dict[str, SimGuard] = field(default_factory=dict)  # what guards of a lost controller had begun
    forbidden: set[str] = field(default_factory=set)
    scripts: list[Script] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    beats: int = 0
    fenced: set[str] = field(default_factory=set)  # hosts behind a network fence
    unfenceable: set[str] = field(default_factory=set)  # gateways whose fence cannot be proved
    duplicates: list[str] = field(default_factory=list)  # numbers that were, or could have been, logged in twice

    def __post_init__(self) -> None:
        for gateway in self.topology.gateways:
            digest = f"digest of {gateway.servers}"
            self.gateways[gateway.id] = SimGateway(gateway.servers, digest, running=gateway.enabled)
        self.fail_over()

    # -- the truth ------------------------------------------------------------------------------------

    def _network(self) -> Network:
        faults = [item for item in (self.fault, self.second) if item]
        return Network(
            self.topology,
            frozenset(name for item in faults for name in item.centres),
            frozenset(name for item in faults for name in item.lines),
            self.moved,
        )

    def fail_over(self, force: Sequence[str] = ()) -> None:
        """Every running gateway keeps its front while it is reachable, else takes the first of its list that is."""
        network = self._network()
        for name, state in self.gateways.items():
            gateway = self.topology.gateway[name]
            if state.dead or not state.running or self._is_cut_off(gateway.host):
                state.front = None
                continue
            current = self.topology.front[state.front] if state.front else None
            if name not in force and current and network.line_of(gateway, current):
                continue
            if state.stuck and name not in force:
                state.front = None
                continue
            live = (front for front in state.fronts if network.line_of(gateway, self.topology.front[front]))
            state.front = next(live, None)

    def _is_down(self, host: str) -> bool:
        return (self.fault is not None and host in self.fault.hosts) or any(
            item.host == host for item in self.last_words.values()
        )

    def lose(self, host: str) -> None:
        """Until the fault is lifted nobody hears of it."""
        self.last_words |= {name: item for name, item in self.latest().items() if item.host == host}
        self.fail_over()

    def _is_cut_off(self, host: str) -> bool:
        return self._is_down(host) or host in self.fenced

    def _note_duplicates(self) -> None:
        numbers = [self.topology.gateway[name].number for name, state in self.gateways.items() if state.front]
        self.duplicates += sorted({number for number in numbers if numbers.count(number) > 1})

    def _tick(self) -> None:
        self.clock.at += STEP_S
        self.fail_over()
        self._note_duplicates()
        for name, state in self.gateways.items():
            state.sequence += state.front is not None
            host = self.topology.gateway[name].host
            if self.heard is not None or self._is_down(host) or self.topology.hands_of(host):
                continue
            self.samples.append(self._sample(name, state))
        self.routes += self.latest_routes().values()

    def _sample(self, name: str, state: SimGateway) -> Sample:
        front = self.topology.front[state.front] if state.front else None
        return Sample(
            gateway=name,
            host=self.topology.gateway[name].host,
            at=self.clock.at,
            mono=self.clock.at,
            running=state.running,
            endpoints=tuple(self.topology.front[item].endpoint for item in state.fronts),
            config_sha256=state.digest,
            session=front.endpoint if front else None,
            logged_in=front is not None,
            sequence=state.sequence,
        )

    # -- Measurement ----------------------------------------------------------------------------------

    def latest(self) -> Mapping[str, Sample]:
        if self.heard:
            return self.heard
        seen = (item.id for item in self.topology.scriptable_gateways if not self._is_down(item.host))
        return {**{name: self._sample(name, self.gateways[name]) for name in seen}, **self.last_words}

    def _host(self, gateway: str) -> str:
        return self.topology.gateway[gateway].host

    def go_deaf(self) -> None:
        """From now on there is no new sample."""
        self.heard = dict(self.latest())

    def latest_routes(self) -> Mapping[str, RouteSample]:
        network = self._network()
        return {
            router.id: RouteSample(
                router=router.id,
                at=self.clock.at,
                mono=self.clock.at,
                lines={centre: network.line_to(router.id, centre) for centre in router.paths},
            )
            for router in self.topology.routers
        }

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        end = self.clock.at + timeout_s
        while not condition():
            self.contacts.touch("waiting")
            self.while_waiting()
            if self.clock.at >= end:
                return False
            self._tick()
        return True

    def observations(self) -> Observations:
        return Observations(self.samples, self.routes, list[LogStamp]())

    def stop(self) -> None:
        self.stopped += 1

    def detach(self) -> None:
        pass

    # -- while nobody is at work ------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """The orchestrator is gone for so long. Guards run on or are lost, faults lift themselves."""
        for guard in self.guards.values():
            if guard.todo and not guard.lost and self.guard_mode == "dies":
                self._lose(guard)
        for _ in range(3):
            self._tick()
        self.clock.at += seconds
        if seconds > FAULT_LEASE_S:
            self.fault = None
        for script in self.scripts:
            if script.epoch >= self.token:
                script.finish()
        self.scripts.clear()
        self._tick()

    def lose_controller(self) -> None:
        """The controller's machine is gone, with every guard; its hosts keep what they know, and scripts work on."""
        for guard in self.guards.values():
            if guard.todo and not guard.lost:
                self._lose(guard)
        self.kept_on_hosts |= self.guards
        self.guards, self.forbidden = {}, set()

    def _lose(self, guard: SimGuard) -> None:
        """The first target that was not done is half done: stopped, and a script is at work on its host."""
        guard.lost = True
        first = guard.todo[0]
        state = self.gateways.get(first.name)
        if state is None or guard.step.verb not in _ACTING:
            return
        state.running = False
        self.scripts.append(Script(guard.epoch, lambda: self._finish(guard, first)))

    def _finish(self, guard: SimGuard, target: Target) -> None:
        self.gateways[target.name].running = True
        guard.results.append(self._one(guard, target))

    # -- World ----------------------------------------------------------------------------------------

    def fate(self, call: Call) -> Fate:
        self.contacts.touch(f"fate {call.name}")
        guard = self.guards.get(call.name)
        if guard is None:
            self.forbidden.add(call.name)
            return Fate.NEVER
        if guard.lost:
            return Fate.LOST
        return Fate.RUNNING if guard.todo else Fate.FINISHED

    def arm(self, call: Call, plan: Plan, deadline_s: float) -> list[TargetResult]:
        del deadline_s
        self._claim(call, None)
        self.contacts.touch("arm")
        self.token = max(self.token, self.epoch)
        self.contacts.touch("armed")
        return [
            TargetResult(
                change.gateway,
                Outcome.FAILED
                if change.gateway in self.unreachable or self._is_down(change.host)
                else Outcome.SUCCEEDED,
                "unreachable",
            )
            for change in plan.affected
        ]

    def disarm(self, call: Call, plan: Plan) -> list[TargetResult]:
        self._claim(call, None)
        self.contacts.touch("disarm")
        if self.token <= self.epoch:
            self.token = 0
        self.contacts.touch("disarmed")
        return [
            TargetResult(host, Outcome.FAILED, "unreachable")
            if self._is_down(host)
            else TargetResult(host, Outcome.SUCCEEDED)
            for host in sorted({item.host for item in plan.affected})
        ]

    def _claim(self, call: Call, guard: SimGuard | None) -> None:
        """At most one start per call, ever; a door that was closed stays closed."""
        assert call.name not in self.forbidden, f"{call.name} was begun after it had been given up"
        if guard is not None:
            assert call.name not in self.guards, f"{call.name} was started twice"
            self.guards[call.name] = guard

    def measure(self, folder: Path) -> "SimWorld":
        del folder
        self.contacts.touch("measure")
        for _ in range(4):
            self._tick()
        return self

    def snapshot(self, call: Call, deadline_s: float) -> Snapshot:
        del deadline_s
        self._claim(call, None)
        self.contacts.touch(f"snapshot {call.name}")
        self._tick()
        gateways = {name: self._state(sample) for name, sample in self.latest().items()}
        routers = {name: dict(sample.lines) for name, sample in self.latest_routes().items()}
        residue = {host: ["fence"] for host in self.fenced}
        offset_s = {host.id: 0.0 for host in self.topology.hosts}
        asked = {item.id for item in self.topology.scriptable_gateways}
        unseen = dict.fromkeys(asked - gateways.keys(), "no route")
        texts = {name: f"Server = {state['endpoints']}\n" for name, state in gateways.items()}
        return Snapshot(gateways, routers, residue, offset_s, unseen, texts)

    def _state(self, sample: Sample) -> dict[str, Any]:
        """As a host's program says it: one that only receives holds no session."""
        receives = self.topology.gateway[sample.gateway].receives_only
        return sample.model_dump(include=_COMPARED) | ({"session": None} if receives else {})

    def check(
        self, call: Call, phase: str, checks: Sequence[Check], expected: Expectations, deadline_s: float
    ) -> list[CheckRecord]:
        del deadline_s
        self._claim(call, None)
        self.contacts.touch(f"check {call.name}")
        self.asked[phase] = expected
        if phase in self.unchecked:
            return []
        return [self._checked(phase, item, check) for item in expected.gateways for check in checks]

    def _checked(self, phase: str, item: GatewayExpectation, check: Check) -> CheckRecord:
        state = self.gateways[item.gateway]
        good = (state.front in item.sessions if item.running else not state.running) or self._answers(item, check)
        good = good and self.abnormal.get(phase) != item.gateway
        normal = CheckResult.NORMAL if good else CheckResult.ABNORMAL
        return CheckRecord(
            phase=phase,
            check=check.value,
            target=item.gateway,
            host=self.topology.gateway[item.gateway].host,
            result=item.result if item.result is not CheckResult.NORMAL else normal,
            expected="logged in",
            found=str(state.front),
            duration_s=0.0,
        )

    def _answers(self, item: GatewayExpectation, check: Check) -> bool:
        """Whether the front answers the gateway's host, wherever the gateway itself is logged in."""
        gateway = self.topology.gateway[item.gateway]
        fronts = [self.topology.front[name] for name in item.sessions]
        return check is Check.TCP and any(self._network().line_of(gateway, front) for front in fronts)

    def inject(self, fault: Fault) -> None:
        self.contacts.touch("inject")
        self._newest()
        if self.fault is None:
            self.effects.append(("inject", "fault"))
        self.fault = fault
        self.fail_over()
        self.contacts.touch("injected")

    def fault_is_on(self, fault: Fault) -> bool:
        del fault
        self.contacts.touch("fault_is_on")
        self._newest()
        return self.fault is not None

    def beat(self) -> None:
        self.beats += 1

    def lift(self, fault: Fault) -> None:
        del fault
        self.contacts.touch("lift")
        self._newest()
        if self.fault is not None:
            self.effects.append(("lift", "fault"))
        self.fault = None
        self.last_words.clear()
        self.contacts.touch("lifted")

    def _newest(self) -> None:
        if self.epoch < self.fault_epoch:
            raise Refused("EPOCH", "a newer orchestrator has the run")
        self.fault_epoch = self.epoch

    def act(self, call: Call, step: Step, before: Snapshot, written: Mapping[str, str]) -> list[TargetResult]:
        del before, written
        self.before_act(step)
        self.contacts.touch(f"act {call.name}")
        guard = self.guards.get(call.name)
        if guard is None:
            guard = SimGuard(step, self.epoch, list(step.targets))
            self._claim(call, guard)
        assert not guard.lost, f"{call.name} was joined though nobody knows what became of it"
        self.contacts.touch(f"claimed {call.name}")
        self.clock.at += STEP_S
        while guard.todo:
            if call.stop():
                ended = [TargetResult(item.name, Outcome.INDETERMINATE, "ended by an abort") for item in guard.todo]
                guard.results += ended
                guard.todo.clear()
                break
            guard.results.append(self._one(guard, guard.todo[0], call.name))
            self.after_target(step, guard.todo.pop(0).name)
            self.contacts.touch(f"target of {call.name}")
        return list(guard.results)

    def _one(self, guard: SimGuard, target: Target, call: str = "") -> TargetResult:
        if guard.step.verb is Verb.REPOINT and self._host(target.name) in self.lost:
            self.lose(self._host(target.name))
            return TargetResult(target.name, Outcome.INDETERMINATE, "nothing has begun", {"silent": True})
        found = self._effect(guard.step, target.name, target.arguments, call)
        if (guard.step.verb.value, target.name) in self.timing_out:
            return TargetResult(target.name, Outcome.TIMED_OUT, "no answer")
        return found

    def _effect(self, step: Step, name: str, arguments: Mapping[str, Any], call: str) -> TargetResult:
        if step.verb is Verb.PATH:
            self._count(step, name, call)
            self.moved[arguments["router"], arguments["centre"]] = arguments["line"]
            return TargetResult(name, Outcome.SUCCEEDED)
        if step.verb in (Verb.FENCE, Verb.UNFENCE, Verb.TAKE_OVER, Verb.GIVE_BACK):
            return self._stand_in(step, name, arguments, call)
        state = self.gateways[name]
        if step.verb is Verb.REPOINT and name in self.works_by_itself:
            return TargetResult(name, Outcome.SKIPPED, "left alone")
        wanted = tuple(arguments.get("fronts", state.fronts))
        if state.fronts == wanted and state.front and step.verb is not Verb.RESTART:
            return TargetResult(name, Outcome.SUCCEEDED, "nothing to do")
        self._count(step, name, call)
        if step.verb is Verb.RESTORE and name in self.broken_restore:
            return TargetResult(name, Outcome.FAILED, "disk full")
        stamps = {"stop": [self.clock.at, self.clock.at]}
        state.fronts, state.digest, state.running = wanted, f"digest of {wanted}", True
        if step.verb is Verb.REPOINT and name in self.broken_repoint:
            state.dead = True
        self.fail_over(force=[name])
        outcome = Outcome.FAILED if state.front is None else Outcome.SUCCEEDED
        data = {"changed": True, "stamps": stamps, "sha256_after": state.digest, "logged_in": state.front is not None}
        return TargetResult(name, outcome, "" if state.front else "did not come up", data)

    def _stand_in(self, step: Step, name: str, arguments: Mapping[str, Any], call: str) -> TargetResult:
        """What moves a number to its cold standby and back. All four may be asked for again."""
        host, state = self._host(name), self.gateways[name]
        self._count(step, name, call)
        if step.verb is Verb.FENCE:
            if name in self.unfenceable:
                return TargetResult(name, Outcome.INDETERMINATE, "its router cannot be reached")
            self.fenced.add(host)
            self.clock.at += 10  # the front's release time
        elif step.verb is Verb.UNFENCE:
            self._expect_alone(name)
            self.fenced.discard(host)
        elif step.verb is Verb.TAKE_OVER:
            self._expect_alone(name)
            state.running, state.fronts = True, tuple(arguments["fronts"])
        else:
            state.running, state.fronts = False, self.topology.gateway[name].servers
        self.fail_over()
        self._note_duplicates()
        return TargetResult(name, Outcome.SUCCEEDED, "", {"changed": True})

    def _expect_alone(self, name: str) -> None:
        """A log-in of this number could meet another one: a process that runs and is not behind a fence."""
        gateway = self.topology.gateway[name]
        self.duplicates += [
            gateway.number
            for other, state in self.gateways.items()
            if other != name and self.topology.gateway[other].number == gateway.number
            if state.running and self._host(other) not in self.fenced
        ]

    def _count(self, step: Step, name: str, call: str) -> None:
        self.effects.append((step.verb.value, name))
        self.by_call.append((call or f"late {step.id}", name))

    def look(self, call: Call, step: Step, attempt: int, before: Snapshot) -> list[TargetResult]:
        self.contacts.touch(f"look {call.name}")
        self.looks.append(step.id)
        self.scripts = [item for item in self.scripts if item.epoch >= self.token]  # the others find a newer token
        for script in self.scripts:
            script.finish()
        self.scripts.clear()
        name = f"{step.id}-{attempt}"
        guard = self.guards.get(name) or self.kept_on_hosts.get(name)  # a host keeps its own record of an attempt
        known = {item.target: item for item in guard.results} if guard else {}
        return [self._look(step, target, known.get(target.name), before) for target in step.targets]

    def _look(self, step: Step, target: Target, known: TargetResult | None, before: Snapshot) -> TargetResult:
        if target.name in self.unseen:
            return TargetResult(target.name, Outcome.INDETERMINATE, "could not look: no route")
        if known and known.outcome not in (Outcome.TIMED_OUT, Outcome.INDETERMINATE):
            return known
        if step.verb is Verb.PATH:
            key = (target.arguments["router"], target.arguments["centre"])
            is_done = self.moved.get(key, target.arguments["line_before"]) == target.arguments["line"]
        elif step.verb in (Verb.FENCE, Verb.UNFENCE):
            is_done = (self._host(target.name) in self.fenced) is (step.verb is Verb.FENCE)
        elif step.verb is Verb.GIVE_BACK:
            is_done = not self.gateways[target.name].running
        else:
            state = self.gateways[target.name]
            wanted = tuple(target.arguments.get("fronts", state.fronts))
            home = target.arguments.get("only_if_elsewhere", state.front)
            is_done = state.front is not None and state.fronts == wanted and state.front == home
        del before
        return TargetResult(target.name, Outcome.SUCCEEDED if is_done else Outcome.FAILED, "seen by a look")

    def close(self) -> None:
        self.contacts.touch("close")
        self.closed += 1


_ACTING = (Verb.REPOINT, Verb.RESTORE, Verb.RESTART)
_COMPARED = {"running", "endpoints", "config_sha256", "session", "logged_in"}
