"""What of the way back is not done now, because it would take out a gateway that works. Pure.

After the fault was lifted a second failure may hold on. A gateway that works where it is stays there until its home
can be reached again; a person is asked, and `resume` brings it home.

A line that nothing tells of cannot be known to be dead: a static router's own, before anything has gone over it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from orchestrator.engine import expect
from orchestrator.engine.progress import RESTORATION, Progress
from orchestrator.history import epoch_s
from orchestrator.measure import front_of
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind, Outcome, RouteSample, Sample
from orchestrator.model.plan import Fault, Step, Target, Verb
from orchestrator.model.topology import Topology
from orchestrator.planner.failures import Failure
from orchestrator.planner.network import Network, PathKey, under
from orchestrator.planner.second import Sight, failure_of, is_over, named, suspects, tells, with_failure


class Barred:
    """Asked before each target of a restoring step."""

    def __init__(
        self,
        topology: Topology,
        progress: Progress,
        latest: Callable[[], Mapping[str, Sample]],
        routes: Callable[[], Mapping[str, RouteSample]],
        events: Callable[[], Sequence[Event]],
    ) -> None:
        self._topology, self._progress = topology, progress
        self._latest, self._routes, self._events = latest, routes, events

    def why(self, step: Step, target: Target) -> str | None:
        """Why this must not be done now; None: nothing speaks against it."""
        if step.phase not in RESTORATION or self._progress.now.mode is Mode.INCIDENT:
            return None
        if step.verb is Verb.PATH:
            return self._of_path(target)
        if step.verb in (Verb.RESTORE, Verb.RESTART, Verb.GIVE_BACK):
            return self._of_gateway(step, target)
        return None

    # -- what is dead now -----------------------------------------------------------------------------

    def _base(self) -> Network:
        """What the run itself knows to be dead, with static paths as it has left them."""
        progress, plan = self._progress, self._progress.now
        fault = plan.fault if progress.fault_on else Fault(manner=plan.fault.manner)
        steps = {step.id for step in plan.steps if step.verb is Verb.PATH and step.phase in RESTORATION}
        back = {name for step in steps for name, item in progress.latest(step).items() if item.outcome in _BACK}
        away = any(step.verb is Verb.PATH and step.id not in steps and progress.begun(step.id) for step in plan.steps)
        moved = {
            (item.router, item.centre): item.line_after
            for item in plan.paths
            if away and f"{item.router}/{item.centre}" not in back
        }
        return replace(under(self._topology, fault, plan.out_of_service), moved=moved)

    def suspected(self) -> list[Failure]:
        """What looks dead now: what stopped this orchestrator, unless somebody uses it again, and what is seen now."""
        network, sight = self._base(), self._sight()
        noted = [item for item in self._noted() if not is_over(network, self._topology, sight, item)]
        seen = suspects(network, self._topology, sight) if sight.changed or sight.out else ()
        new = [item.failure for item in seen if sight.changed or not item.contradicted]
        return list(dict.fromkeys((*noted, *new)))

    def _noted(self) -> list[Failure]:
        """A person who resumes a run says that things have changed: from then on only what is seen counts."""
        found: list[Failure] = []
        for event in self._events():
            if event.kind is EventKind.RESUMED:
                found = []
            elif event.kind is EventKind.NOTE:
                known = (failure_of(self._topology, text) for text in event.data.get("suspects", ()))
                found += [item for item in known if item is not None]
        return found

    def _sight(self) -> Sight:
        latest, plan = self._latest(), self._progress.now
        fronts = {name: front_of(self._topology, sample) for name, sample in latest.items()}
        homes = {
            item.gateway: home.front
            for item in plan.gateways
            if (home := expect.home_of(plan, item)[0]) and not item.action.stays_down and item.stands_in_for is None
        }
        before = {} if self._progress.fault_on else self._progress.before.routers
        expected = {(router, centre): line for router, lines in before.items() for centre, line in lines.items()}
        return Sight(
            out={name: home for name, home in homes.items() if name in latest and self._is_out(name, latest[name])},
            alive={name: front for name, front in fronts.items() if front is not None},
            expected={key: line for key, line in expected.items() if tells(self._topology, key[0])},
            found={key: line for key, line in self._found().items() if key in expected},
        )

    def _is_out(self, gateway: str, sample: Sample) -> bool:
        """Seen without a log-in. A sample from before or just after this run has proved one says nothing."""
        if front_of(self._topology, sample) is not None:
            return False
        at = sample.at - self._progress.before.clock_offset_s.get(sample.host, 0.0)
        return at > self._proved_at(gateway) + _SEEN_S

    def _proved_at(self, gateway: str) -> float:
        """When a host has last said that this run's change of the gateway ended with its log-in."""
        for event in reversed(self._events()):
            if event.kind in (EventKind.DONE, EventKind.UNDO_DONE):
                for item in event.data.get("results", ()):
                    if item["target"] == gateway and item["outcome"] in _BACK and item["data"].get("logged_in"):
                        return epoch_s(event)
        return float("-inf")

    def _found(self) -> dict[PathKey, str | None]:
        return {
            (router, centre): line
            for router, sample in self._routes().items()
            if tells(self._topology, router)
            for centre, line in sample.lines.items()
        }

    # -- what may not be done -------------------------------------------------------------------------

    def _of_path(self, target: Target) -> str | None:
        line = target.arguments["line"]
        dead = self.suspected()
        if line not in with_failure(self._base(), self._topology, dead).dead_lines:
            return None
        return f"not put back: {line} looks dead ({self._named(dead)}); {_LATER}"

    def _of_gateway(self, step: Step, target: Target) -> str | None:
        fronts = self._homes(step, target)
        now = front_of(self._topology, self._latest().get(target.name))
        if not fronts or now == fronts[0]:
            return None
        dead = self.suspected()
        who = self._who(step, target)
        reachable = [front for front in fronts if self._reaches(who, front, dead)]
        if fronts[0] in reachable or (now is None and (reachable or step.verb is not Verb.RESTORE)):
            return None
        looks = f" (looks like: {self._named(dead)})" if dead else ""
        left = f"left at {now}, where it works" if now else "its list is left as it is"
        return f"not restored: home cannot be reached{looks}; {left}; {_LATER}"

    def _who(self, step: Step, target: Target) -> str:
        """Whose home it is: a standby is stopped for the gateway that it stands in for."""
        change = next(item for item in self._progress.now.gateways if item.gateway == target.name)
        return change.stands_in_for or target.name if step.verb is Verb.GIVE_BACK else target.name

    def _homes(self, step: Step, target: Target) -> tuple[str, ...]:
        """The front that it is to go to, and those that its list names after that."""
        if step.verb is Verb.RESTORE:
            return tuple(target.arguments.get("fronts", ()))
        if step.verb is Verb.RESTART:
            home = target.arguments.get("only_if_elsewhere")
            return (home,) if home else ()
        plan, who = self._progress.now, self._who(step, target)
        change = next(item for item in plan.gateways if item.gateway == who)
        home, _ = expect.home_of(plan, change)
        return (home.front,) if home else ()

    def _reaches(self, gateway: str, front: str, dead: Sequence[Failure]) -> bool:
        item, there = self._topology.gateway[gateway], self._topology.front[front]
        if with_failure(self._base(), self._topology, dead).line_of(item, there) is None:
            return False
        router = self._topology.host[item.host].router
        was = self._progress.before.routers.get(router, {}).get(there.centre)
        gone = self._found().get((router, there.centre), was) is None and was is not None
        return item.receives_only or self._progress.fault_on or not gone

    def _named(self, dead: Sequence[Failure]) -> str:
        return named(self._topology, dead).en


_SEEN_S = 2.0  # our choice: a gateway says of itself within a second that it is logged in
_LATER = "resume the run once that is over"
_BACK = (Outcome.UNDONE, Outcome.SUCCEEDED)
