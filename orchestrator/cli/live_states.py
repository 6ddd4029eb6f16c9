"""What each gateway is at while a run lasts, folded from the run's events and the newest samples. Draws nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from orchestrator.history import epoch_s
from orchestrator.measure import allowed_fronts, front_of
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, EventKind, Sample
from orchestrator.model.plan import Action, GatewayChange, Plan
from orchestrator.model.topology import Topology
from orchestrator.rules.outage import OutageWatch

_FAILED: Final = frozenset({"failed", "timed_out", "undo_failed"})
_UNKNOWN: Final = frozenset({"indeterminate"})
_PLAIN: Final = ("failed", "indeterminate")  # the condition itself says so
_BEGUN: Final = (EventKind.INTENT, EventKind.UNDO_INTENT)


class Condition(StrEnum):
    """Of one gateway, worst first."""

    FAILED = "failed"  # it is not as it should be, and the last step on it went wrong
    UNKNOWN = "unknown"  # nobody could look, or nobody can say what a step has come to
    DOWN = "down"  # not logged in, or with a front that is dead, and nothing is at work on it
    SWITCHING = "switching"  # a step is at work on it, it is connecting, or it is still where it shall not stay
    LOGGED_IN = "logged in"
    BY_PLAN = "off by plan"  # not logged in, as the plan wants it


RANK: Final[Mapping[Condition, int]] = {condition: rank for rank, condition in enumerate(Condition)}
BAD: Final = frozenset({Condition.FAILED, Condition.UNKNOWN, Condition.DOWN, Condition.SWITCHING})


@dataclass(frozen=True, slots=True)
class Seen:
    """One gateway at one moment. `since`: when its outage began, or when it was last seen if it is unknown; seconds
    since the epoch on the controller's clock. None: there is none, or nobody knows.
    """

    change: GatewayChange
    condition: Condition
    sample: Sample | None
    since: float | None

    @property
    def is_bad(self) -> bool:
        return self.condition in BAD


@dataclass(frozen=True, slots=True)
class _Ended:
    """The last step on a gateway, which did not end well."""

    step: str
    outcome: str
    message: str


@dataclass
class GatewayStates:
    """Told every event and asked at every redraw."""

    plan: Plan
    topology: Topology
    watch: OutageWatch = field(init=False)
    _at_work: dict[str, str] = field(default_factory=dict)
    _ended: dict[str, _Ended] = field(default_factory=dict)
    _fault_at: float | None = None
    _lifted: bool = False
    _shown: tuple[tuple[GatewayChange, frozenset[str]], ...] = ()

    def __post_init__(self) -> None:
        """Untouched gateways that nothing looks at would be unknown for ever."""
        self.watch = OutageWatch(self.plan, self.topology, lambda _at: self.fault_holds())
        looked_at = {gateway.id for gateway in self.topology.scriptable_gateways}
        self._shown = tuple(
            (change, frozenset(allowed_fronts(self.plan, self.topology, change)))
            for change in self.plan.gateways
            if change.action is not Action.NONE or change.gateway in looked_at
        )

    def follow(self, event: Event) -> None:
        """Fold one event in."""
        if event.kind in _BEGUN:
            self._at_work.update(dict.fromkeys(event.data["targets"], str(event.step)))
        elif isinstance(event.data.get("results"), list):
            self._end(str(event.step), event.data["results"])
        elif event.kind is EventKind.WAITING:
            for name, why in event.data["targets"].items():
                self._ended[name] = _Ended(event.data["step"], "indeterminate", f"waits for a person: {why}")
        elif event.kind is EventKind.RESUMED:
            self._at_work.clear()
        elif event.kind is EventKind.FAULT_ON and self._fault_at is None:
            self._fault_at = epoch_s(event)
        elif event.kind is EventKind.FAULT_OFF:
            self._lifted = True

    def _end(self, step: str, results: list[Mapping[str, Any]]) -> None:
        for item in results:
            self._at_work.pop(item["target"], None)
            if item["outcome"] in _FAILED | _UNKNOWN:
                self._ended[item["target"]] = _Ended(step, item["outcome"], item["message"])
            else:
                self._ended.pop(item["target"], None)

    def fault_holds(self) -> bool:
        return self.plan.mode is Mode.INCIDENT or (self._fault_at is not None and not self._lifted)

    def look(self, latest: Mapping[str, Sample]) -> list[Seen]:
        """Every gateway that the fault touches, and every other one that is looked at."""
        return [self._seen(change, good, latest.get(change.gateway)) for change, good in self._shown]

    def _seen(self, change: GatewayChange, good: frozenset[str], sample: Sample | None) -> Seen:
        condition = self._condition(change, good, sample)
        if condition is Condition.UNKNOWN and not _could_look(sample):
            return Seen(change, condition, sample, self.watch.seen_at(change.gateway))
        since = self.watch.out_since(change.gateway) if condition in BAD else None
        if since is not None and change.before is None and self._fault_at is not None:
            since = max(since, self._fault_at)  # its number was up elsewhere until then
        return Seen(change, condition, sample, since)

    def _condition(self, change: GatewayChange, good: frozenset[str], sample: Sample | None) -> Condition:
        wanted = self._as_wanted(change, good, sample)
        if wanted is not None:
            return wanted
        ended = self._ended.get(change.gateway)
        if ended is not None:
            return Condition.FAILED if ended.outcome in _FAILED else Condition.UNKNOWN
        if not _could_look(sample):
            return Condition.UNKNOWN
        is_moving = change.gateway in self._at_work or (sample is not None and sample.connecting is not None)
        return Condition.SWITCHING if is_moving or self._is_up(sample) else Condition.DOWN

    def _as_wanted(self, change: GatewayChange, good: frozenset[str], sample: Sample | None) -> Condition | None:
        """LOGGED_IN or BY_PLAN where that is what the plan wants at this moment; None: it is not as it should be."""
        is_up = self._is_up(sample)
        if not is_up and self.fault_holds() and change.host in self.plan.fault.hosts:
            return Condition.BY_PLAN
        if not _could_look(sample):
            return None
        if is_up:
            return Condition.LOGGED_IN if self._may_be_up(change, good, sample) else None
        return Condition.BY_PLAN if self._may_be_off(change) else None

    def _may_be_up(self, change: GatewayChange, good: frozenset[str], sample: Sample | None) -> bool:
        if not self._is_in_force():
            return change.before is not None
        if change.action is Action.NONE or change.action.stays_down:
            return True
        return front_of(self.topology, sample) in good

    def _may_be_off(self, change: GatewayChange) -> bool:
        """A step that is at work on it has not said yet that it is off."""
        if change.gateway in self._at_work:
            return False
        if not self._is_in_force() or self.plan.fails_back:
            return change.before is None or (self.plan.fails_back is not None and change.action.stays_down)
        return change.action.stays_down

    def _is_in_force(self) -> bool:
        """Whether the plan's own places count: from the fault on, of a failback all the time."""
        return self.fault_holds() or self.plan.fails_back is not None

    def _is_up(self, sample: Sample | None) -> bool:
        return front_of(self.topology, sample) is not None and not self._is_stale(sample)

    def _is_stale(self, sample: Sample | None) -> bool:
        """A session with a front that is dead by the fault."""
        front, fault = front_of(self.topology, sample), self.plan.fault
        if front is None or not self.fault_holds():
            return False
        return self.topology.front[front].centre in fault.centres or front in fault.fronts

    def why(self, seen: Seen) -> str:
        """In one line: how the last step on it went wrong, or what it shows."""
        name = seen.change.gateway
        ended, step = self._ended.get(name), self._at_work.get(name)
        if ended is not None:
            how = "" if ended.outcome in _PLAIN else f" {ended.outcome.replace('_', ' ')}"
            return _plain(f"{ended.step}{how}: {ended.message}")
        return _plain(", ".join((self._shows(seen), *([f"{step} at work"] if step else self._planned(seen)))))

    def _shows(self, seen: Seen) -> str:
        sample = seen.sample
        if sample is None:
            if seen.change.hands:
                return f"by hand, nothing looks at it: {seen.change.hands}"
            return "no sample yet" if seen.since is None else "no sample any more"
        if not _could_look(sample):
            return "could not look"
        if not sample.running:
            return "stopped"
        if self._is_stale(sample):
            return "stale session"
        front = front_of(self.topology, sample)
        return f"logged in to {front}" if front else "connecting" if sample.connecting else "not logged in"

    def _planned(self, seen: Seen) -> Iterator[str]:
        after = seen.change.after
        if seen.change.action is not Action.NONE and after is not None and self._is_in_force():
            yield f"planned {after.front}" + (f" in wave {seen.change.wave}" if seen.change.wave else "")


def _could_look(sample: Sample | None) -> bool:
    return sample is not None and (sample.logged_in is not None or sample.running is False)


def _plain(text: str) -> str:
    """What a host has said is one line, and moves no cursor."""
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))
