"""`schedule.yml` of a site → Schedule, checked against the drills. It is no part of the inventory's digest."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.errors import DefinitionError, Problem
from orchestrator.loader.document import parse, read
from orchestrator.model.drill import Drill
from orchestrator.model.schedule import Schedule, ScheduleRule

FILE = "schedule.yml"


def load_schedule(folder: Path, drills: Sequence[Drill]) -> Schedule:
    """Read and check it. DefinitionError: file, line and field of every problem; also where there is no such file.

    Whether a parameter's value is one of the site's is told when the rule's plan is made.
    """
    path = folder / FILE
    if not path.exists():
        raise DefinitionError(
            f"{path}: expected the site's schedule, found none; docs/how-to/schedule-drills.md shows how one is written"
        )
    document, schedule = read(path), read_schedule(folder)
    known = {drill.drill: drill for drill in drills}
    problems = [
        Problem(("rules", index, *problem.path), problem.message)
        for index, rule in enumerate(schedule.rules)
        for problem in _problems(rule, known)
    ]
    if problems:
        raise DefinitionError([document.located(problem) for problem in problems])
    return schedule


def read_schedule(folder: Path) -> Schedule:
    """The file as it stands, whatever drills there are."""
    return parse(Schedule, read(folder / FILE))


def _problems(rule: ScheduleRule, drills: Mapping[str, Drill]) -> Iterator[Problem]:
    drill = drills.get(rule.drill)
    if drill is None:
        yield Problem(("drill",), f"expected a drill ({', '.join(sorted(drills)) or 'none'}), found {rule.drill!r}")
        return
    known = ", ".join(sorted(drill.parameters)) or "none"
    for name in rule.parameters:
        if name not in drill.parameters:
            yield Problem(("parameters", name), f"expected a parameter of {drill.drill} ({known}), found {name!r}")
    if rule.for_each is not None and rule.for_each not in drill.parameters:
        yield Problem(("for_each",), f"expected a parameter of {drill.drill} ({known}), found {rule.for_each!r}")
    if rule.for_each in rule.parameters:
        yield Problem(("for_each",), f"expected a parameter that is not set under parameters, found {rule.for_each}")
    for index, clause in enumerate(rule.clauses):
        if clause not in drill.clauses:
            listed = ", ".join(drill.clauses)
            yield Problem(("clauses", index), f"expected a clause that {drill.drill} serves ({listed}), found {clause}")
