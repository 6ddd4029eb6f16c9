"""A failure that a rehearsal is to meet in its middle, as `carrier=telecom@switching+5`. Pure.

The run knows nothing of it: not its plan, not its engine, not its judge. Whoever stands beside the twin makes it.
"""

import re
from dataclasses import dataclass

from orchestrator.errors import DefinitionError
from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Fault, Phase, Plan
from orchestrator.model.topology import Topology
from orchestrator.planner.failures import Failure, FailureKind, failures_named, lost

KINDS = (FailureKind.CENTRE, FailureKind.CARRIER, FailureKind.LINE, FailureKind.SATELLITE, FailureKind.HOST)
_FORM = re.compile(r"(?P<what>[^@,]+)@(?P<when>[A-Za-z0-9_-]+)(\+(?P<after>\d+(\.\d+)?))?")
_LONGEST_S = 3600.0  # our choice: no step of a rehearsal takes longer
_PHASES = tuple(phase.value for phase in Phase)
# Before the baseline is taken a failure is no surprise: the run does not begin. At closing nothing is left to go wrong.
_BEGINS = _PHASES[_PHASES.index(Phase.INJECTING) : -1]


@dataclass(frozen=True)
class Surprise:
    """`at`: a phase, or a step of the plan; `after_s`: seconds after that began. `until`: the phase with which it
    ends; None: it stays.
    """

    failure: Failure
    fault: Fault
    at: str
    after_s: float
    until: str | None

    @property
    def text(self) -> str:
        """As it was asked for."""
        return f"{self.failure.id}@{self.at}" + (f"+{self.after_s:g}" if self.after_s else "")


def surprise_named(topology: Topology, plan: Plan, text: str, until: str | None = None) -> Surprise:
    """DefinitionError says what was expected."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise DefinitionError(
            f"--surprise {text}: expected KIND=NAME@PHASE or @STEP, and +SECONDS where it comes later, "
            "e.g. carrier=telecom@switching+5"
        )
    failure, at = _failure(topology, text, found["what"]), found["when"]
    after_s = float(found["after"] or 0)
    _is_some_time(plan, text, at, after_s)
    _ends_later(plan, at, until)
    fault = _fault(topology, failure)
    _is_alive(plan, text, fault)
    return Surprise(failure, fault, at, after_s, until)


def _failure(topology: Topology, text: str, what: str) -> Failure:
    try:
        [item] = failures_named(topology, what)
    except DefinitionError as error:
        raise DefinitionError(str(error).replace("--fail ", "--surprise ")) from error
    if item.kind not in KINDS:
        kinds = "centre, carrier, line, host"
        raise DefinitionError(f"--surprise {text}: expected one of {kinds} to fail in the middle, found {item.kind}")
    return item


def _fault(topology: Topology, failure: Failure) -> Fault:
    """Silent, as a thing that is gone."""
    gone = lost(topology, (failure,))
    return Fault(
        manner=FaultManner.DARK,
        centres=gone.centres,
        carriers=(failure.name,) if failure.kind is FailureKind.CARRIER else (),
        lines=gone.lines,
        hosts=(failure.name,) if failure.kind is FailureKind.HOST else (),
    )


def _is_some_time(plan: Plan, text: str, at: str, after_s: float) -> None:
    steps = [step.id for step in plan.steps if step.phase.value in _BEGINS]
    if at not in _BEGINS and at not in steps:
        raise DefinitionError(
            f"--surprise {text}: expected a phase ({', '.join(_BEGINS)}) or a step of this plan "
            f"({', '.join(steps)}) after the @, found {at!r}"
        )
    if after_s > _LONGEST_S:
        raise DefinitionError(f"--surprise {text}: expected at most {_LONGEST_S:g} s, found {after_s:g}")


def _is_alive(plan: Plan, text: str, fault: Fault) -> None:
    """What the drill itself takes down cannot fail once more."""
    known = {*plan.fault.centres, *plan.fault.lines, *plan.fault.hosts, *plan.out_of_service}
    if {*fault.centres, *fault.lines, *fault.hosts} <= known:
        raise DefinitionError(
            f"--surprise {text}: expected something that is alive while the drill's own fault lasts, "
            f"found {', '.join(sorted({*fault.centres, *fault.lines, *fault.hosts}))}, which it takes down itself"
        )


def _ends_later(plan: Plan, at: str, until: str | None) -> None:
    if until is None:
        return
    began = next((step.phase.value for step in plan.steps if step.id == at), at)
    later = _PHASES[_PHASES.index(began) + 1 :]
    if until not in later:
        raise DefinitionError(
            f"--surprise-until {until}: expected a phase after {began} ({', '.join(later)}), found {until!r}"
        )
