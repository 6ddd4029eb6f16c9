"""Steps that people do, put between those of the tool, and the milestones of D+N. Pure.

A gate holds by the order of the list alone: cut after any step, nothing stands behind a person's step that was begun
without it. Each belongs to the phase that it ends, so that the next one is not entered before it is confirmed. In a
rehearsal nobody is there: these steps are left out, with a note.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.errors import DefinitionError, Refused
from orchestrator.model.base import Title
from orchestrator.model.disaster import DAY_S, Milestone
from orchestrator.model.drill import CONFIRM, Drill, Gate, ManualStep, MilestoneSpec, Mode
from orchestrator.model.people import People, PersonRole
from orchestrator.model.plan import Phase, Policy, Step, Target, Verb
from orchestrator.planner.step import step_of

_ORDER = list(Phase)
_NOT_IN_AN_INCIDENT = (Gate.HOLDING, Gate.RESTORING)  # it holds nothing and puts nothing back
_WAVES = ("repoint", "take-over")  # the last of these waves
_IF_ANY = (*_WAVES, "paths")  # a plan need not have them


@dataclass(frozen=True)
class Peopled:
    """The steps with those of people, what has to be reached by when, and what was left out."""

    steps: tuple[Step, ...]
    milestones: tuple[Milestone, ...]
    notes: tuple[Title, ...]


def with_people(people: People, drill: Drill, mode: Mode, steps: Sequence[Step]) -> Peopled:
    """Refused NOBODY_CONFIRMS: people.yml names nobody for a step, or outside a rehearsal for a milestone."""
    chosen = [item for item in drill.manual if _belongs(item, mode)]
    placed: dict[int, list[ManualStep]] = {}
    for item in chosen:
        placed.setdefault(_position(item, steps), []).append(item)
    found = tuple(_placed(people, drill, steps, placed))
    left_out = [item for item in drill.manual if item not in chosen]
    rests_on = {spec.id: _steps_of(drill, spec, found) for spec in drill.milestones}
    milestones = tuple(
        _milestone(spec, _reminded(people, drill, mode, spec), rests_on[spec.id])
        for spec in drill.milestones
        if rests_on[spec.id]
    )
    unreached = [spec for spec in drill.milestones if not rests_on[spec.id]]
    return Peopled(found, milestones, (*_of_people(left_out, mode), *_of_milestones(unreached)))


def _belongs(item: ManualStep, mode: Mode) -> bool:
    gone = mode is Mode.INCIDENT and (item.before in _NOT_IN_AN_INCIDENT or item.after in _NOT_IN_AN_INCIDENT)
    return mode in item.modes and not gone


def _position(item: ManualStep, steps: Sequence[Step]) -> int:
    """Before the first step of the phase that is gated; of a phase that the plan has not, of the next one."""
    gate = Phase(item.before or str(item.after))
    limit = _ORDER.index(gate) + (item.before is None)
    later = (index for index, step in enumerate(steps) if _ORDER.index(step.phase) >= limit)
    return next(later, len(steps))


def _placed(people: People, drill: Drill, steps: Sequence[Step], placed: dict[int, list[ManualStep]]) -> Iterator[Step]:
    for index in range(len(steps) + 1):
        for item in placed.get(index, ()):
            owners = _owners(people, drill, "manual step", item.id, item.owner)
            yield _confirm(item, owners, steps[index - 1].phase)
        yield from steps[index : index + 1]


def _confirm(item: ManualStep, owners: Sequence[str], phase: Phase) -> Step:
    role = {"role": item.owner} if item.owner in list(PersonRole) else {}
    arguments = {"people": list(owners), "expected": item.expected.model_dump(), "evidence": item.evidence, **role}
    target = Target(kind="person", name=item.owner, arguments=arguments)
    name, title, due_s = f"{CONFIRM}{item.id}", item.title, item.due_d * DAY_S
    return step_of(name, phase, Verb.CONFIRM, title.zh, title.en, due_s, [target], Policy.RERUN)


def _reminded(people: People, drill: Drill, mode: Mode, spec: MilestoneSpec) -> tuple[str, ...]:
    """Whom an open milestone is told to; a rehearsal reminds nobody, so it needs nobody."""
    return () if mode is Mode.REHEARSAL else _owners(people, drill, "milestone", spec.id, spec.owner)


def _owners(people: People, drill: Drill, what: str, name: str, owner: str) -> tuple[str, ...]:
    """Everybody of the role, or the one person."""
    if owner in list(PersonRole):
        found = tuple(person.id for person in people.with_role(PersonRole(owner)))
    else:
        found = tuple(person.id for person in people.people if person.id == owner)
    if not found:
        raise Refused(
            "NOBODY_CONFIRMS",
            f"{what} {name} of {drill.drill}: expected somebody in people.yml with the role or the id {owner}, found "
            "nobody; add a person, or name another owner in the drill",
        )
    return found


def _steps_of(drill: Drill, spec: MilestoneSpec, steps: Sequence[Step]) -> tuple[str, ...]:
    """() where it rests on what is not in this plan. DefinitionError: there never is such a step."""
    known = [step.id for step in steps]
    found: list[str] = []
    for name in spec.met_by:
        waves = [item for item in known if item.startswith(f"{name}-")] if name in _WAVES else [name]
        by_hand = [item.id for item in steps if item.id.startswith(f"{CONFIRM}{name}-") and item.moves_by_hand]
        if waves and waves[-1] in known:
            found += [waves[-1], *by_hand]
        elif by_hand:
            found += by_hand
        elif name.startswith(CONFIRM):
            return ()
        elif name not in _IF_ANY:
            raise DefinitionError(
                f"drill {drill.drill}: milestone {spec.id}: expected met_by to be paths, repoint, take-over or a step "
                f"of the plan ({', '.join(known)}), found {name}"
            )
    return tuple(found)


def _milestone(spec: MilestoneSpec, owners: tuple[str, ...], steps: tuple[str, ...]) -> Milestone:
    return Milestone(id=spec.id, title=spec.title, owner=spec.owner, people=owners, steps=steps, due_d=spec.due_d)


def _of_people(left_out: Sequence[ManualStep], mode: Mode) -> Iterator[Title]:
    if left_out:
        names = Title(
            zh="、".join(item.title.zh for item in left_out), en=", ".join(item.title.en for item in left_out)
        )
        where = {
            Mode.REHEARSAL: Title(zh="仿真预演无人确认", en="nobody is there in a rehearsal"),
            Mode.DRILL: Title(zh="实操演练不含", en="not part of a drill"),
            Mode.INCIDENT: Title(zh="应急处置不含", en="not part of an incident"),
        }[mode]
        yield Title(
            zh=f"人工步骤未列入（{where.zh}）：{names.zh}", en=f"steps of people left out ({where.en}): {names.en}"
        )


def _of_milestones(left_out: Sequence[MilestoneSpec]) -> Iterator[Title]:
    if left_out:
        names = Title(zh="、".join(item.title.zh for item in left_out), en=", ".join(item.id for item in left_out))
        zh, en = "所依据的步骤不在本预案内", "what they rest on is not in this plan"
        yield Title(zh=f"里程碑未列入（{zh}）：{names.zh}", en=f"milestones left out ({en}): {names.en}")
