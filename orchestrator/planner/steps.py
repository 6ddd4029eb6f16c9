"""The ordered steps of a plan.

Safe at every prefix: the fault's removal is a step of its own, every change has one step that undoes it,
a gateway is stopped and proved out before it starts (inside one repoint), and pairs never share a wave.
Restoration runs in the order: lift the fault, paths back, numbers back from their standbys and fences down
(`handover`), lists back, gateways home; an abort runs the same steps, those whose change never began left out.
"""

from collections.abc import Iterator, Sequence

from orchestrator.model.base import Title
from orchestrator.model.drill import Drill, Mode, Response
from orchestrator.model.plan import Action, GatewayChange, PathChange, Phase, Placement, Policy, Step, Target, Verb
from orchestrator.model.topology import Topology
from orchestrator.planner.handover import fence_waves, give_back, home_needs, take_over
from orchestrator.planner.step import step_of
from orchestrator.planner.waves import in_waves

MARGIN_S = 5  # our choice: on top of what a gateway's own failover can take
SETTLE_S = 60  # our choice: longest wait for the last gateway to log in after the last wave
ARM_S = 60  # our choice
SNAPSHOT_S = 60  # our choice
CHECKS_S = 120  # our choice
SILENT = (Action.PAIR, Action.SUSPENDED)  # what has to notice by itself that nobody answers any more
OUT = (Action.TAKEN_OVER, Action.HOT_STANDBY, Action.PAIR, Action.SUSPENDED)  # what comes back by itself
SWITCHED = (Action.REPOINT, Action.CERTIFICATE)  # what has its file changed
PATH_S = 15  # our choice: one route on one router


def observation_s(topology: Topology, change: GatewayChange) -> float | None:
    """How long a gateway's own failover can take: the front's session timeout + list length × connect
    timeout + a margin (design §3). None: something is unknown.
    """
    gateway = topology.gateway[change.gateway]
    profile = topology.profiles[gateway.profile]
    releases = [topology.release_s(topology.front[name]) for name in gateway.servers]
    if profile.connect_timeout_s is None or any(item is None for item in releases):
        return None
    return max(item for item in releases if item) + len(gateway.servers) * profile.connect_timeout_s + MARGIN_S


def all_steps(
    topology: Topology,
    drill: Drill,
    mode: Mode,
    response: Response,
    changes: Sequence[GatewayChange],
    paths: Sequence[PathChange],
) -> Iterator[Step]:
    """Every step in order. An incident injects nothing, holds nothing and goes back by a run of its own."""
    affected = [change for change in changes if change.action is not Action.NONE]
    waves = in_waves(topology, (change for change in changes if change.action in SWITCHED))
    yield from _before(drill, affected)
    if mode is not Mode.INCIDENT:
        yield step_of(
            "inject",
            Phase.INJECTING,
            Verb.INJECT,
            "注入故障",
            "inject the fault",
            30,
            [Target(kind="fault", name=drill.drill)],
        )
    yield from switching(topology, mode, response, affected, waves, paths)
    yield step_of(
        "snapshot-during",
        Phase.VERIFYING,
        Verb.SNAPSHOT,
        "采集切换后状态",
        "take the state after the switch",
        SNAPSHOT_S,
    )
    yield _checks(drill, Phase.VERIFYING, "after_switch", "切换后检查", "check after the switch")
    if mode is Mode.INCIDENT:
        yield _disarm(Phase.CLOSING)
        return
    yield step_of(
        "hold",
        Phase.HOLDING,
        Verb.HOLD,
        "保持切换后状态",
        "hold the switched state",
        drill.hold_s + 30,
        hold_s=drill.hold_s,
    )
    yield from _restoring(topology, affected, waves, paths)
    yield _disarm(Phase.RESTORING)
    yield step_of(
        "prove",
        Phase.PROVING_RESTORATION,
        Verb.PROVE,
        "与演练前快照比对",
        "compare with the snapshot taken before",
        SNAPSHOT_S,
    )
    yield _checks(drill, Phase.PROVING_RESTORATION, "after_restoration", "恢复后检查", "check after restoration")


def _disarm(phase: Phase) -> Step:
    zh, en = "清除目标主机上的运行文件", "take everything of ours off the hosts"
    return step_of("disarm", phase, Verb.DISARM, zh, en, ARM_S)


def _checks(drill: Drill, phase: Phase, when: str, zh: str, en: str) -> Step:
    chosen = getattr(drill.checks, when)
    return step_of(f"check-{when.replace('_', '-')}", phase, Verb.CHECK, zh, en, CHECKS_S).model_copy(
        update={"checks": chosen}
    )


def _before(drill: Drill, affected: Sequence[GatewayChange]) -> Iterator[Step]:
    targets = [Target(kind="gateway", name=change.gateway) for change in affected]
    yield step_of("arm", Phase.PRECHECKING, Verb.ARM, "执行前准备", "arm: connections, preflight", ARM_S, targets)
    yield step_of("snapshot", Phase.BASELINING, Verb.SNAPSHOT, "采集演练前快照", "take the snapshot before", SNAPSHOT_S)
    yield _checks(drill, Phase.BASELINING, "baseline", "基线检查", "check the baseline")


def switching(
    topology: Topology,
    mode: Mode,
    response: Response,
    affected: Sequence[GatewayChange],
    waves: Sequence[Sequence[GatewayChange]],
    paths: Sequence[PathChange],
) -> Iterator[Step]:
    gently = response is Response.ASSIST or mode is Mode.INCIDENT
    if response is Response.ASSIST and waves:
        longest = max(observation_s(topology, change) or 0 for wave in waves for change in wave)
        yield step_of(
            "observe",
            Phase.SWITCHING,
            Verb.WAIT,
            "观察等待",
            "wait for the gateways' own failover",
            longest + MARGIN_S,
            until="own_failover",
            wait_s=longest,
        )
    if paths:
        yield step_of(
            "paths",
            Phase.SWITCHING,
            Verb.PATH,
            "调整静态路由",
            "move static paths to live lines",
            PATH_S,
            _path_targets(paths),
            Policy.LOOK,
        )
    for number, wave in enumerate(waves, 1):
        yield step_of(
            f"repoint-{number}",
            Phase.SWITCHING,
            Verb.REPOINT,
            f"第 {number} 批次{_what(wave).zh}",
            f"{_what(wave).en} wave {number}",
            topology.site.switch_deadline_s,
            [_repoint_target(change, gently) for change in wave],
            Policy.LOOK,
            wave=number,
        )
    yield from take_over(topology, affected)
    silent = [change for change in affected if change.action in SILENT]
    if silent:
        longest = max(observation_s(topology, change) or SETTLE_S for change in silent)
        zh, en = "确认接入中断", "see that the access is gone"
        yield step_of("silent", Phase.SWITCHING, Verb.WAIT, zh, en, longest + MARGIN_S, until="silent")
    own = [observation_s(topology, change) or SETTLE_S for change in affected if change.action is Action.OWN_LIST]
    yield step_of(
        "settle",
        Phase.SWITCHING,
        Verb.WAIT,
        "等待全部网关登录恢复",
        "wait until every gateway is logged in",
        max([SETTLE_S, *own]) + MARGIN_S,
        until="settled",
    )


def _path_targets(paths: Sequence[PathChange], back: bool = False) -> list[Target]:
    return [
        Target(
            kind="router",
            name=change.name,
            arguments={
                "router": change.router,
                "centre": change.centre,
                "line": _standing(change) if back else change.line_after,
                "line_before": change.line_after if back else _standing(change),
                **({"address": change.address} if change.address else {}),
            },
        )
        for change in paths
    ]


def _standing(change: PathChange) -> str | None:
    """The line of this very route before; a host route is not there before."""
    return None if change.address else change.line_before


def _repoint_target(change: GatewayChange, gently: bool) -> Target:
    """`gently`: what has come up by itself meanwhile is left alone (assist, and every incident)."""
    return Target(
        kind="gateway",
        name=change.gateway,
        arguments={"fronts": list(change.list_after), "only_if_down": gently, **_certificate(change, change.after)},
    )


def _certificate(change: GatewayChange, place: Placement | None) -> dict[str, str]:
    """The certificate that its file has to name, where the plan changes it."""
    if change.action is not Action.CERTIFICATE or place is None or place.certificate is None:
        return {}
    return {"certificate": place.certificate}


def _what(wave: Sequence[GatewayChange]) -> Title:
    if any(change.action is Action.CERTIFICATE for change in wave):
        return Title(zh="改用本网关另一数字证书", en="change the certificate of")
    return Title(zh="修改通信服务器列表", en="repoint")


def _restoring(
    topology: Topology,
    affected: Sequence[GatewayChange],
    waves: Sequence[Sequence[GatewayChange]],
    paths: Sequence[PathChange],
) -> Iterator[Step]:
    yield step_of(
        "lift",
        Phase.RESTORING,
        Verb.LIFT,
        "解除故障",
        "lift the fault",
        30,
        [Target(kind="fault", name="fault")],
        undoes="inject",
    )
    if paths:
        yield step_of(
            "paths-back",
            Phase.RESTORING,
            Verb.PATH,
            "静态路由复原",
            "put static paths back",
            PATH_S,
            _path_targets(paths, back=True),
            Policy.LOOK,
            undoes="paths",
        )
    yield step_of(
        "routes-back",
        Phase.RESTORING,
        Verb.WAIT,
        "等待路由复原",
        "wait until routes are as before",
        SETTLE_S,
        until="routes_as_before",
    )
    yield from give_back(topology, affected)
    for number, wave in reversed(list(enumerate(waves, 1))):
        yield step_of(
            f"restore-{number}",
            Phase.RESTORING,
            Verb.RESTORE,
            f"第 {number} 批次恢复配置文件",
            f"restore wave {number}",
            topology.site.switch_deadline_s,
            [
                Target(
                    kind="gateway",
                    name=change.gateway,
                    arguments={"fronts": list(change.list_before), **_certificate(change, change.before)},
                )
                for change in wave
            ],
            Policy.LOOK,
            undoes=f"repoint-{number}",
            wave=number,
        )
    yield from _home(topology, affected)
    yield step_of(
        "settle-back",
        Phase.RESTORING,
        Verb.WAIT,
        "等待全部网关回到演练前状态",
        "wait until every gateway is as before",
        SETTLE_S,
        until="as_before",
    )


def _home(topology: Topology, affected: Sequence[GatewayChange]) -> Iterator[Step]:
    """Gateways that were out come back by themselves; who is elsewhere then is restarted."""
    gone = [change for change in affected if _comes_back(topology, change)]
    if gone:
        wait_s = max(observation_s(topology, change) or SETTLE_S for change in gone)
        yield step_of(
            "own-return",
            Phase.RESTORING,
            Verb.WAIT,
            "等待中断的网关自行登录",
            "wait for the gateways that were out to come back by themselves",
            wait_s + MARGIN_S,
            until="own_return",
            wait_s=wait_s,
        )
    fenced = fence_waves(topology, affected)
    # Whose certificate was changed was started on its way back already (SSE-5.2), and never left its front.
    movers = [
        change
        for change in affected
        if change.before
        and change.action is not Action.CERTIFICATE
        and (change.action is not Action.NO_BUSINESS or _comes_back(topology, change))
    ]
    for number, wave in enumerate(in_waves(topology, movers), 1):
        yield step_of(
            f"home-{number}",
            Phase.RESTORING,
            Verb.RESTART,
            f"第 {number} 批次网关重连至演练前中心",
            f"reconnect wave {number} to the centre before",
            topology.site.switch_deadline_s,
            [_home_target(change, change.before.front, fenced) for change in wave if change.before],
            Policy.LOOK,
            wave=number,
        )


def _comes_back(topology: Topology, change: GatewayChange) -> bool:
    """Whether it was out and logs in again by itself, wherever its list leads it first."""
    without = change.action is Action.NO_BUSINESS and not topology.gateway[change.gateway].receives_only
    return change.action in OUT or without


def _home_target(change: GatewayChange, front: str, fenced: Sequence[Sequence[GatewayChange]]) -> Target:
    arguments = {"only_if_elsewhere": front, **home_needs(change, fenced)}
    return Target(kind="gateway", name=change.gateway, arguments=arguments)
