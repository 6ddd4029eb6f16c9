"""The guard against flapping (频繁切换): a gateway that was switched again and again is left alone for a while. Pure.

Every switch is an outage, and a second one within the hour mostly means that the first did not meet the cause. What
one run does to a gateway counts as one switch, there and back: its plan was approved as a whole, and its own second
attempts are asked of a person. A failback is restoration: it counts, and is never refused.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.errors import Refused
from orchestrator.history import StepResult, step_results
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, Outcome
from orchestrator.model.local_time import local
from orchestrator.model.plan import Plan, Verb
from orchestrator.model.topology import Site

SWITCHING = (Verb.REPOINT, Verb.RESTORE, Verb.RESTART, Verb.TAKE_OVER, Verb.GIVE_BACK)
_MINUTE = 60
_MOST = 6  # our choice: gateways named in one refusal


@dataclass(frozen=True)
class Switch:
    """A run has switched a gateway number, `at` for the last time (seconds since the epoch)."""

    run: str
    number: str
    at: float


@dataclass(frozen=True)
class Flap:
    """A number that was switched too often; from `free_at` on it may be switched again."""

    number: str
    times: tuple[float, ...]
    free_at: float


def switches(run: str, plan: Plan, events: Sequence[Event]) -> Iterator[Switch]:
    """What a run of the production path has switched. What left a gateway as it was is no switch."""
    if plan.mode is Mode.REHEARSAL:
        return
    verbs = {step.id: step.verb for step in plan.steps}
    numbers = {change.gateway: change.number for change in plan.gateways}
    last: dict[str, float] = {}
    for item in step_results(events):
        if verbs.get(item.step) in SWITCHING and item.target in numbers and _has_effect(item):
            number, at = numbers[item.target], item.finished_at or item.started_at
            last[number] = max(at, last.get(number, at))
    yield from (Switch(run, number, at) for number, at in last.items())


def _has_effect(item: StepResult) -> bool:
    """A start that failed, or that nobody can tell, was an outage too."""
    return item.outcome is not Outcome.SKIPPED and item.settled_by != "never begun"


def flaps(plan: Plan, known: Iterable[Switch], site: Site, now: float) -> list[Flap]:
    """Numbers that this plan is to switch and that were switched too often lately."""
    span_s = site.flapping_minutes * _MINUTE
    times: dict[str, list[float]] = {}
    for item in known:
        if now - item.at < span_s:
            times.setdefault(item.number, []).append(item.at)
    return [
        Flap(number, tuple(sorted(found)), sorted(found)[-site.flapping_switches] + span_s)
        for number, found in sorted(times.items())
        if number in _wanted(plan) and len(found) >= site.flapping_switches
    ]


def _wanted(plan: Plan) -> set[str]:
    numbers = {change.gateway: change.number for change in plan.gateways}
    targets = (target.name for step in plan.steps if step.verb in SWITCHING for target in step.targets)
    return {numbers[name] for name in targets if name in numbers}


def refuse_flapping(plan: Plan, known: Iterable[Switch], site: Site, now: float) -> None:
    """Refused FLAPPING with who, when, and from when on it may be. A failback is never refused."""
    found = [] if plan.fails_back else flaps(plan, known, site, now)
    if not found:
        return
    told = "; ".join(f"{item.number} at {', '.join(_said(at, site) for at in item.times)}" for item in found[:_MOST])
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    free = max(item.free_at for item in found)
    how = ", or in an incident name why with --again REASON" if plan.mode is Mode.INCIDENT else ""
    raise Refused(
        "FLAPPING",
        f"plan {plan.id}: expected fewer than {site.flapping_switches} switches of a gateway within "
        f"{site.flapping_minutes:g} min, found {told}{more}; wait until {_said(free, site)}{how}",
    )


def _said(at: float, site: Site) -> str:
    return f"{local(at, site.timezone):%Y-%m-%d %H:%M:%S}"
