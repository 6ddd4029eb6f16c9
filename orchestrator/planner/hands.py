"""Gateways on hosts that are not scriptable (Windows, a console): steps for a named person. Pure.

Nothing is ever connected to such a host. What this program would do to its gateways a person does, one gateway per
step, where the wave would have stood: so the members of a pair are never out together, and what was begun by hand has
a step that puts it back. In a rehearsal the twin does it all: its hosts are scriptable.
"""

from collections.abc import Iterator, Sequence

from orchestrator.errors import Refused
from orchestrator.model.base import Title
from orchestrator.model.drill import CONFIRM, Mode
from orchestrator.model.plan import Action, GatewayChange, Phase, Policy, Step, Target, Verb
from orchestrator.model.topology import Topology
from orchestrator.planner.step import step_of

HANDS_S = 600  # our choice: for one gateway, on top of the release time
LOOK_BY_HAND_S = 1800  # our choice: for a look at all gateways of one person
_OURS = (Verb.ARM, Verb.REPOINT, Verb.RESTORE, Verb.RESTART)  # what has gateways for targets that need no fence
_MOVES = (Verb.REPOINT, Verb.RESTORE)


def refuse_fences(topology: Topology, mode: Mode, changes: Sequence[GatewayChange]) -> None:
    """Refused FENCE_NOT_POSSIBLE: what nobody can prove from outside keeps nobody out."""
    if mode is Mode.REHEARSAL:
        return
    for change in changes:
        hands = topology.hands_of(change.host)
        if hands and change.action in (Action.TAKEN_OVER, Action.TAKE_OVER):
            raise Refused(
                "FENCE_NOT_POSSIBLE",
                f"gateway {change.gateway} ({change.number}): expected a scriptable host to fence it on or to "
                f"start its number on, found {change.host}, on which {hands} works by hand; "
                "choose another host, or --response observe",
            )


def with_hands(
    topology: Topology, mode: Mode, changes: Sequence[GatewayChange], steps: Sequence[Step]
) -> tuple[tuple[GatewayChange, ...], tuple[Step, ...]]:
    """The changes with who does them, and the steps with those of people in place of what cannot be done by us."""
    named = tuple(_named(topology, change) for change in changes)
    if mode is Mode.REHEARSAL or all(change.hands is None for change in named):
        return tuple(changes), tuple(steps)
    by_hand = {change.gateway: change for change in named if change.hands}
    replaced = [item for step in steps for item in _replaced(topology, by_hand, step)]
    return named, tuple(_with_looks(topology, mode, by_hand, replaced))


def notes_of_hands(topology: Topology, mode: Mode, changes: Sequence[GatewayChange]) -> Iterator[Title]:
    """Who does what by hand, on the site."""
    named = [_named(topology, change) for change in changes if change.action is not Action.NONE]
    for hands in dict.fromkeys(change.hands for change in named if change.hands):
        numbers = [change.number for change in named if change.hands == hands]
        who = _person(topology, hands)
        if mode is Mode.REHEARSAL:
            where = Title(
                zh="仿真预演由系统执行，在生产环境由人员操作并确认",
                en="done by the twin in a rehearsal; on the site a person does and confirms it",
            )
        else:
            where = Title(
                zh="非脚本化主机，由人员操作并确认，不采样",
                en="hosts that are not scriptable: a person does and confirms it, nothing is measured there",
            )
        yield Title(
            zh=f"{where.zh}：{'、'.join(numbers)}（{who.zh}）", en=f"{where.en}: {', '.join(numbers)} ({who.en})"
        )


def _named(topology: Topology, change: GatewayChange) -> GatewayChange:
    hands = topology.hands_of(change.host)
    return change.model_copy(update={"hands": hands}) if hands else change


# -- in place of our own steps ----------------------------------------------------------------------------


def _replaced(topology: Topology, by_hand: dict[str, GatewayChange], step: Step) -> Iterator[Step]:
    theirs = [target for target in step.targets if target.kind == "gateway" and target.name in by_hand]
    if step.verb not in _OURS or not theirs:
        yield step
        return
    left = tuple(target for target in step.targets if target not in theirs)
    if left:
        yield step.model_copy(update={"targets": left})
    elif step.verb is Verb.ARM:  # the sampler begins with it, whatever there is to arm
        yield step.model_copy(update={"targets": (Target(kind="site", name="site"),)})
    if step.verb in _MOVES:
        yield from (_move(topology, by_hand[target.name], step, target) for target in theirs)


_ALREADY_BACK = Title(
    zh="已是下列列表且已登录至该处的，无须再改，直接确认。",
    en="Where the list is so already and it is logged in there, change nothing and confirm.",
)
_BY_ITSELF = Title(
    zh="已自行登录或仍在自行连接的，不改动，登录后确认。",
    en="Where it is logged in by itself, or still connecting by itself, change nothing; confirm when it is.",
)


def _move(topology: Topology, change: GatewayChange, step: Step, target: Target) -> Step:
    back = step.verb is Verb.RESTORE
    place = change.before if back else change.after
    fronts = tuple(target.arguments["fronts"])
    zh, en = _how(topology, change, fronts, place.front if place else fronts[0])
    if back or target.arguments.get("only_if_down"):
        first = _ALREADY_BACK if back else _BY_ITSELF
        zh, en = f"{first.zh}{zh}", f"{first.en} {en}"
    wait_s = topology.longest_release_s(topology.gateway[change.gateway]) or 0
    number = change.number
    title = (
        (f"人工恢复网关 {number}", f"put gateway {change.gateway} ({number}) back by hand")
        if back
        else (f"人工切换网关 {number}", f"move gateway {change.gateway} ({number}) by hand")
    )
    return step_of(
        f"{CONFIRM}{step.verb}-{change.gateway}",
        step.phase,
        Verb.CONFIRM,
        *title,
        HANDS_S + wait_s,
        [_asked(change.gateway, str(change.hands), zh, en, [change.gateway], moves=True)],
        Policy.RERUN,
        undoes=f"{CONFIRM}{Verb.REPOINT}-{change.gateway}" if back else None,
        wave=step.wave,
    )


def _asked(name: str, hands: str, zh: str, en: str, gateways: Sequence[str], **more: object) -> Target:
    """What a person is asked to do and to confirm. `hands`: of which gateways."""
    arguments = {
        "people": [hands],
        "expected": {"zh": zh, "en": en},
        "evidence": False,
        "hands": list(gateways),
        **more,
    }
    return Target(kind="person", name=name, arguments=arguments)


def _how(topology: Topology, change: GatewayChange, fronts: Sequence[str], front: str) -> tuple[str, str]:
    listed = _endpoints(topology, fronts)
    wait = _release(topology, change)
    where = _where(topology, front)
    zh = (
        f"① 在主机 {change.host} 停止网关 {change.number}；② 确认进程已退出、已无连接，{wait.zh}；"
        f"③ 将通信服务器列表按序改为 {listed}；④ 启动网关；⑤ 应登录至 {where.zh}，以 --at 填写登录时间"
    )
    en = (
        f"1. stop gateway {change.number} on host {change.host}; 2. see that its process and its connections are gone, "
        f"{wait.en}; 3. enter this ordered list: {listed}; 4. start it; 5. it has to log in at {where.en}; "
        "say with --at when it did"
    )
    return zh, en


def _endpoints(topology: Topology, fronts: Sequence[str]) -> str:
    return " ".join(topology.front[name].endpoint for name in fronts)


def _where(topology: Topology, front: str) -> Title:
    found = topology.front[front]
    centre = topology.centre[found.centre].title
    return Title(zh=f"{front}（{centre.zh}，{found.endpoint}）", en=f"{front} ({centre.en}, {found.endpoint})")


def _release(topology: Topology, change: GatewayChange) -> Title:
    """SSCC-2.5: a number is free once the front has forgotten the half-open session."""
    gateway = topology.gateway[change.gateway]
    wait_s = topology.longest_release_s(gateway)
    if gateway.receives_only:
        return Title(zh="无须等待（不登录）", en="no waiting (it never logs in)")
    if wait_s is None:
        return Title(
            zh="并向交易所确认该网关号会话已释放（释放时间未知）",
            en="and ask the exchange whether the number is free (its release time is not known)",
        )
    return Title(zh=f"再等待 {wait_s:g} 秒", en=f"then wait {wait_s:g} s")


def _person(topology: Topology, hands: str) -> Title:
    return next(person.name for person in topology.people.people if person.id == hands)


# -- looks of people --------------------------------------------------------------------------------------


def _with_looks(
    topology: Topology, mode: Mode, by_hand: dict[str, GatewayChange], steps: Sequence[Step]
) -> Iterator[Step]:
    """What a person says of the gateways that nobody else sees: last before the fault, first of what verifies the
    switch and of what proves the way back. In an incident nobody is asked how it was before.
    """
    affected = [change for change in by_hand.values() if change.action is not Action.NONE]
    moved = {name for step in steps if step.moves_by_hand for name in step.by_hand}
    people = tuple(dict.fromkeys(str(change.hands) for change in affected))
    for index, step in enumerate(steps):
        before = steps[index - 1].phase if index else None
        if step.phase is not before and step.phase is Phase.VERIFYING:
            yield from _again(topology, affected, moved, people)
        if step.phase is not before and step.phase is Phase.PROVING_RESTORATION and mode is Mode.DRILL:
            yield from (_look(topology, by_hand, hands, Phase.PROVING_RESTORATION) for hands in people)
        yield step
        after = steps[index + 1].phase if index + 1 < len(steps) else None
        if step.phase is Phase.BASELINING and after is not step.phase and mode is Mode.DRILL:
            yield from (_look(topology, by_hand, hands, Phase.BASELINING) for hands in people)


def _again(
    topology: Topology, affected: Sequence[GatewayChange], moved: set[str], people: Sequence[str]
) -> Iterator[Step]:
    """Gateways that fail over by themselves: only that they are logged in again has to be said."""
    for hands in people:
        chosen = [
            change
            for change in affected
            if change.hands == hands and change.after and not change.action.stays_down and change.gateway not in moved
        ]
        if chosen:
            found = [(item, _where(topology, item.after.front)) for item in chosen if item.after]
            zh = "；".join(f"{item.number} 已登录至 {where.zh}" for item, where in found)
            en = "; ".join(f"{item.number} is logged in at {where.en}" for item, where in found)
            names = [item.gateway for item in chosen]
            yield _step_of_looking(
                f"logged-in-{hands}", Phase.VERIFYING, hands, Title(zh=zh, en=en), names, _TITLES[Phase.VERIFYING]
            )


def _look(topology: Topology, by_hand: dict[str, GatewayChange], hands: str, phase: Phase) -> Step:
    """Everything that this person has under their hands, as it was and has to be again."""
    chosen = [change for change in by_hand.values() if change.hands == hands]
    states = [_as_before(topology, change) for change in chosen]
    zh, en = "；".join(item.zh for item in states), "; ".join(item.en for item in states)
    if phase is Phase.PROVING_RESTORATION:
        zh += "。登录于他处的，逐个停止、等待释放时间后再启动，切勿主备同时停止"
        en += ". What is logged in elsewhere is stopped and, after its release time, started again, one after the other"
    name = "before" if phase is Phase.BASELINING else "after"
    names = [change.gateway for change in chosen]
    return _step_of_looking(f"{name}-{hands}", phase, hands, Title(zh=zh, en=en), names, _TITLES[phase])


def _as_before(topology: Topology, change: GatewayChange) -> Title:
    if change.before is None:
        return Title(zh=f"{change.number} 未运行", en=f"{change.number} does not run")
    where, listed = _where(topology, change.before.front), _endpoints(topology, change.list_before)
    return Title(
        zh=f"{change.number} 列表为 {listed}，已登录至 {where.zh}",
        en=f"{change.number} has the list {listed} and is logged in at {where.en}",
    )


_TITLES = {
    Phase.BASELINING: Title(zh="人工确认演练前状态", en="the state before, confirmed by hand"),
    Phase.VERIFYING: Title(zh="人工确认登录恢复", en="logged in again, confirmed by hand"),
    Phase.PROVING_RESTORATION: Title(zh="人工确认已恢复演练前状态", en="as before again, confirmed by hand"),
}


def _step_of_looking(name: str, phase: Phase, hands: str, said: Title, gateways: Sequence[str], title: Title) -> Step:
    target = _asked(hands, hands, said.zh, said.en, gateways)
    deadline_s = LOOK_BY_HAND_S
    return step_of(f"{CONFIRM}{name}", phase, Verb.CONFIRM, title.zh, title.en, deadline_s, [target], Policy.RERUN)
