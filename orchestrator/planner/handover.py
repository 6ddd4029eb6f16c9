"""The steps by which a gateway number goes from a host that fails to its cold standby, and back. Pure.

SSCC-2.5, SSE-2.2c: a number, and a certificate, is logged in once at a time. So the old holder is fenced, the fence
is proved and the number is free, before the standby starts; on the way back the standby is stopped, proved out and
its number free, before the fence comes down. Cut after any step, at most one of the two can log in.

A fence is no fault: lifting the fault does not touch it, and its host comes back behind it. `requires` says what a
target rests on; whoever carries the plan out begins no target without it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.model.plan import Action, GatewayChange, Phase, Policy, Step, Target, Verb
from orchestrator.model.topology import Topology
from orchestrator.planner.standby import routers_of
from orchestrator.planner.step import step_of
from orchestrator.planner.waves import in_waves

BARRIER_S = 30  # our choice: what a network fence may take beside the release time
RETURN_S = 60  # our choice: how long a host that comes back may take to be seen again
UNFENCE_S = 60  # our choice

Waves = Sequence[Sequence[GatewayChange]]


def fence_waves(topology: Topology, changes: Sequence[GatewayChange]) -> list[list[GatewayChange]]:
    """The gateways that are fenced, in waves as elsewhere."""
    return in_waves(topology, (change for change in changes if change.action is Action.TAKEN_OVER))


def take_over(topology: Topology, changes: Sequence[GatewayChange]) -> Iterator[Step]:
    """Wave by wave: fence, then let the standby log in."""
    standby = _standbys(changes)
    for number, wave in enumerate(fence_waves(topology, changes), 1):
        yield step_of(
            f"fence-{number}",
            Phase.SWITCHING,
            Verb.FENCE,
            f"第 {number} 批次停用阻断",
            f"fence wave {number}",
            _fence_s(topology, wave),
            [_fence_target(topology, change) for change in wave],
            wave=number,
        )
        yield step_of(
            f"take-over-{number}",
            Phase.SWITCHING,
            Verb.TAKE_OVER,
            f"第 {number} 批次冷备接替",
            f"take over wave {number}",
            topology.site.switch_deadline_s,
            [_take_over_target(standby[change.gateway], number) for change in wave],
            Policy.LOOK,
            wave=number,
        )


def give_back(topology: Topology, changes: Sequence[GatewayChange]) -> Iterator[Step]:
    """The way back: see that the host is kept out, stop every standby, then take the fences down.

    A network fence is that of a host, so none comes down before all standbys of its host's gateways are out.
    """
    standby = _standbys(changes)
    waves = list(enumerate(fence_waves(topology, changes), 1))
    wave_of = {change.gateway: number for number, wave in waves for change in wave}
    for number, wave in waves:
        yield step_of(
            f"kept-out-{number}",
            Phase.RESTORING,
            Verb.WAIT,
            f"第 {number} 批次确认故障主机恢复后仍处于停用阻断",
            f"prove wave {number} to be still fenced",
            RETURN_S,
            [_kept_out_target(change, number) for change in wave],
            wave=number,
        )
        yield step_of(
            f"give-back-{number}",
            Phase.RESTORING,
            Verb.GIVE_BACK,
            f"第 {number} 批次冷备退出",
            f"give back wave {number}",
            topology.site.switch_deadline_s,
            [_give_back_target(change, standby[change.gateway], number) for change in wave],
            undoes=f"take-over-{number}",
            wave=number,
        )
    for number, wave in waves:
        yield step_of(
            f"unfence-{number}",
            Phase.RESTORING,
            Verb.UNFENCE,
            f"第 {number} 批次解除停用阻断",
            f"take the fences of wave {number} down",
            UNFENCE_S,
            [_unfence_target(topology, change, changes, wave_of) for change in wave],
            undoes=f"fence-{number}",
            wave=number,
        )


def home_needs(change: GatewayChange, waves: Waves) -> dict[str, Any]:
    """What a gateway rests on that is brought home after its fence came down."""
    number = next((index for index, wave in enumerate(waves, 1) if change in wave), None)
    if number is None:
        return {}
    return {"requires": [_need(f"unfence-{number}", change.gateway, f"fence-{number}", change.gateway)]}


def _standbys(changes: Sequence[GatewayChange]) -> dict[str, GatewayChange]:
    """The cold standby of each gateway that is taken over."""
    return {change.stands_in_for: change for change in changes if change.stands_in_for}


def _fence_s(topology: Topology, wave: Sequence[GatewayChange]) -> float:
    """Both ways one after the other: on the host, then on the routers with the release time."""
    releases = [topology.longest_release_s(topology.gateway[change.gateway]) or 0 for change in wave]
    return topology.site.switch_deadline_s + BARRIER_S + max(releases)


def _fence_arguments(topology: Topology, change: GatewayChange) -> dict[str, Any]:
    return {"host": change.host, "routers": list(routers_of(topology, change.host)), "standby": change.standby}


def _fence_target(topology: Topology, change: GatewayChange) -> Target:
    return Target(kind="gateway", name=change.gateway, arguments=_fence_arguments(topology, change))


def _take_over_target(standby: GatewayChange, number: int) -> Target:
    return Target(
        kind="gateway",
        name=standby.gateway,
        arguments={
            "fronts": list(standby.list_after),
            "certificate": standby.after.certificate if standby.after else None,
            "requires": [_need(f"fence-{number}", str(standby.stands_in_for))],
        },
    )


def _kept_out_target(change: GatewayChange, number: int) -> Target:
    arguments = {"until": "kept_out", "requires": [_need(f"fence-{number}", change.gateway)]}
    return Target(kind="gateway", name=change.gateway, arguments=arguments)


def _give_back_target(change: GatewayChange, standby: GatewayChange, number: int) -> Target:
    """A host that did not come back: its number stays with the standby, which goes on serving."""
    arguments = {"fronts": list(standby.list_before), "requires": [_need(f"kept-out-{number}", change.gateway)]}
    return Target(kind="gateway", name=standby.gateway, arguments=arguments)


def _unfence_target(
    topology: Topology, change: GatewayChange, changes: Sequence[GatewayChange], wave_of: dict[str, int]
) -> Target:
    behind = [item for item in changes if item.host == change.host and item.gateway in wave_of]
    needs = [
        _need(
            f"give-back-{wave_of[item.gateway]}",
            str(item.standby),
            f"take-over-{wave_of[item.gateway]}",
            str(item.standby),
        )
        for item in behind
    ]
    arguments = {**_fence_arguments(topology, change), "requires": needs}
    return Target(kind="gateway", name=change.gateway, arguments=arguments)


def _need(step: str, target: str, spared: str | None = None, begun_target: str | None = None) -> dict[str, str]:
    """Success of a step on a target; `spared`: or that this one was never begun on that target."""
    need = {"step": step, "target": target}
    if spared and begun_target:
        need |= {"or_never_begun": spared, "begun_target": begun_target}
    return need
