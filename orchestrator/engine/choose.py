"""Which targets of a step are touched, and which are left out, each with its reason. Pure."""

from collections.abc import Callable, Mapping, Sequence

from orchestrator.engine import expect
from orchestrator.engine.progress import RESTORATION, Progress
from orchestrator.measure import front_of
from orchestrator.model.drill import Mode
from orchestrator.model.event import Outcome, Sample
from orchestrator.model.plan import GatewayChange, Phase, Plan, Step, Target, Verb
from orchestrator.model.topology import Topology
from orchestrator.ports import TargetResult

_GOOD = (Outcome.SUCCEEDED, Outcome.UNDONE)
_BAD = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.INDETERMINATE, Outcome.UNDO_FAILED)
# Verbs that take a gateway out for a moment: never while the other of its pair is out.
_INTERRUPTING = (Verb.REPOINT, Verb.RESTORE, Verb.RESTART)


def _nothing(_step: Step, _target: Target) -> str | None:
    return None


class Chooser:
    """Looks at the newest samples and at what came of earlier steps."""

    def __init__(
        self,
        plan: Plan,
        topology: Topology,
        progress: Progress,
        latest: Callable[[], Mapping[str, Sample]],
        barred: Callable[[Step, Target], str | None] = _nothing,
    ) -> None:
        self._topology, self._progress, self._latest, self._barred = topology, progress, latest, barred
        del plan  # as it is read now, which a promotion changes

    @property
    def _plan(self) -> Plan:
        return self._progress.now

    def choose(self, step: Step, targets: Sequence[Target]) -> tuple[list[Target], list[TargetResult]]:
        """(targets to touch, results of those left out)."""
        chosen: list[Target] = []
        left: list[TargetResult] = []
        for target in targets:
            spared = self._spared(step, target)
            refused = None if spared else self._refused(step, target)
            reason = spared or refused or self._not_needed(step, target)
            if reason is None:
                chosen.append(target)
            else:
                failed = refused and step.verb is not Verb.WAIT  # nothing to wait for is no failure
                left.append(TargetResult(target.name, Outcome.FAILED if failed else Outcome.SKIPPED, reason))
        return chosen, left

    def _refused(self, step: Step, target: Target) -> str | None:
        return self._not_yet(target) or self._held_back(step, target) or self._barred(step, target)

    def _not_yet(self, target: Target) -> str | None:
        """A step that rests on another one's success is not begun without it, e.g. log in before the fence."""
        for need in target.arguments.get("requires", ()):
            found = self._progress.latest(need["step"]).get(need["target"])
            declared = found is not None and "decided_by" in found.data
            if found and found.outcome in _GOOD and (not declared or self._plan.mode is Mode.INCIDENT):
                continue
            spared = need.get("or_never_begun")
            if spared and not self._progress.begun_on(spared, need.get("begun_target", target.name)):
                continue
            became = found.outcome.value if found else "not done"
            return f"not begun: it needs {need['step']} of {need['target']}, which is {became}"
        return None

    def _spared(self, step: Step, target: Target) -> str | None:
        """After a promotion only what is down is moved. A fence that stands stays, and what rests on it goes on."""
        if not self._progress.promoted or step.phase is not Phase.SWITCHING or self._progress.begun(step.id):
            return None
        if step.verb in (Verb.REPOINT, Verb.FENCE, Verb.RESTART) and self._works(target.name):
            return "works since the fault was lifted"
        if step.verb is Verb.TAKE_OVER:
            plan = self._progress.plan
            old = next(item.stands_in_for for item in plan.gateways if item.gateway == target.name)
            return f"{old} works since the fault was lifted" if old and self._works(old) else None
        wanted = (change for change in self._plan.affected if not change.action.stays_down)
        if step.verb is Verb.PATH and all(self._works(change.gateway) for change in wanted):
            return "every gateway works since the fault was lifted"
        return None

    def _held_back(self, step: Step, target: Target) -> str | None:
        """Never both members of a pair at once (design §5.5): not while the other one is out because of this run."""
        if not (step.moves_by_hand or (step.verb in _INTERRUPTING and target.kind == "gateway")):
            return None
        pair = self._topology.gateway[target.name].pair
        works = step.moves_by_hand or self._works(target.name)  # what nobody sees may work
        if pair is None or not self._went_wrong(step, pair) or not works or self._works(pair):
            return None
        return f"held back: {pair}, the other of its pair, is out"

    def _went_wrong(self, step: Step, gateway: str) -> bool:
        back = step.phase in RESTORATION
        return any(
            found.outcome in _BAD
            for other in self._plan.steps
            if (other.verb in _INTERRUPTING or other.moves_by_hand) and (other.phase in RESTORATION) is back
            for name, found in self._progress.latest(other.id).items()
            if name == gateway
        )

    def _works(self, gateway: str) -> bool:
        return front_of(self._topology, self._latest().get(gateway)) is not None

    def _not_needed(self, step: Step, target: Target) -> str | None:
        if target.kind != "gateway":
            return None
        sample = self._latest().get(target.name)
        if step.verb is Verb.RESTORE and target.name not in self._progress.repointed:
            return "its list was never changed"
        if target.arguments.get("only_if_down"):
            change = self._change(target.name)
            if expect.is_up(self._plan, self._topology, change, sample):
                return "logged in by its own list"
            if expect.is_connecting(self._plan, self._topology, change, sample):
                return "still connecting by itself"
        home = target.arguments.get("only_if_elsewhere")
        if home and front_of(self._topology, sample) == home:
            return f"already at {home}"
        return None

    def _change(self, gateway: str) -> GatewayChange:
        return next(change for change in self._plan.gateways if change.gateway == gateway)
