"""Each verb of a plan as a page of the runbook: who, on which host, what to type, what must be seen. Pure.

One function per verb; a verb without one is an error, never a page left out.
"""

from collections.abc import Callable
from typing import Final

from orchestrator.model.base import Title
from orchestrator.model.drill import Check, Mode
from orchestrator.model.plan import GatewayChange, PathChange, Phase, Placement, Step, Target, Verb
from orchestrator.planner.steps import OUT
from orchestrator.report import runbook_gateway as on_host
from orchestrator.report import runbook_network as on_router
from orchestrator.report.runbook_blocks import (
    driven,
    front_after,
    front_before,
    gateway_block,
    looks,
    place_of,
    rewritten,
    router_block,
    router_room,
    routes,
)
from orchestrator.report.runbook_model import Block, Content, Desk, Page
from orchestrator.report.runbook_standby import fence_page, give_back_page, take_over_page, unfence_page

_BY_LOOK: Final = (Check.PROCESS, Check.SESSION, Check.LOGIN)  # what a look by hand can tell
_COMMANDERS: Final = (Verb.INJECT, Verb.LIFT, Verb.HOLD)


def pages(desk: Desk) -> tuple[Page, ...]:
    """Every step of the plan, in its order."""
    return tuple(_page(desk, number, step) for number, step in enumerate(desk.plan.steps, 1))


def _page(desk: Desk, number: int, step: Step) -> Page:
    say, blocks = _content(desk, step)
    role = "commander" if step.verb in _COMMANDERS else "operator"
    if step.verb is Verb.CONFIRM:
        role = str(step.targets[0].arguments.get("role", role))
    return Page(
        id=step.id,
        number=number,
        phase=desk.words(f"phase.{step.phase}"),
        title=desk.texts.of(step.title),
        role=desk.words(f"role.{role}"),
        wave=step.wave,
        say=say,
        blocks=blocks,
        ticks=_ticks(desk, step),
    )


def _content(desk: Desk, step: Step) -> Content:
    return _VERBS[step.verb](desk, step)


# -- before ----------------------------------------------------------------------------------------------


def _arm(desk: Desk, step: Step) -> Content:
    """A window to every host and router that a later step types on."""
    typed = [target for item in desk.plan.steps if item.verb in _TYPED for target in item.targets]
    hosts = dict.fromkeys(desk.gateway(item.name).host for item in typed if item.kind == "gateway")
    routers = dict.fromkeys([item.router for item in desk.plan.paths] + list(desk.plan.fence_routers))
    blocks = [_window(desk, step, name, place_of(desk, name)) for name in hosts]
    blocks += [_window(desk, step, name, router_room(desk, name)) for name in routers if driven(desk, name)]
    return (desk.texts("say.arm"), desk.texts("say.windows")), tuple(blocks)


def _window(desk: Desk, step: Step, name: str, where: str) -> Block:
    login = desk.logins[name]
    seen = (login.user,) if login.user else ()
    command = on_host.command(desk, "window", "id -un; hostname; date '+%F %T'", seen=seen)
    return Block(f"{step.id}/{name}", name, where, login.command, commands=(command,), compact=True)


def _snapshot(desk: Desk, step: Step) -> Content:
    """Copies of the files that will change; later, nothing but the looks of the next step."""
    if step.phase is not Phase.BASELINING:
        return (desk.texts("say.snapshot_during"),), ()
    gateways = [desk.gateway(name) for name in rewritten(desk)]
    if not gateways:
        return (desk.texts("say.no_copies"),), ()
    blocks = [
        gateway_block(desk, step, item.id, [on_host.names(desk, item), *on_host.keep(desk, item)]) for item in gateways
    ]
    return (desk.texts("say.snapshot", folder=desk.keep),), tuple(blocks)


def _check(desk: Desk, step: Step) -> Content:
    """Looks at gateways and routes. What nobody can tell by hand is said to be not tested."""
    during, first = step.phase is Phase.VERIFYING, step.phase is Phase.BASELINING
    left = [desk.words(f"check.{item}") for item in step.checks if item not in _BY_LOOK and item is not Check.PATH]
    say = [desk.texts("say.check") if first else desk.texts("say.check_again", number=_settled(desk, step))]
    if left:
        say.append(desk.texts("say.not_tested", suites=desk.texts.joined(left)))
    gateways = looks(desk, step, during=during) if first else ()
    return tuple(say), (*gateways, *routes(desk, step, during=during))


def _settled(desk: Desk, step: Step) -> int:
    """The page before this one that has the looks at every gateway."""
    found = [number for number, item in enumerate(desk.plan.steps, 1) if item.verb is Verb.WAIT]
    return max(number for number in found if number < desk.plan.steps.index(step) + 1)


def _ticks(desk: Desk, step: Step) -> tuple[str, ...]:
    """For a check whose looks stand on an earlier page: each gateway, to be ticked off."""
    if step.verb is not Verb.CHECK or step.phase is Phase.BASELINING:
        return ()
    during = step.phase is Phase.VERIFYING
    return tuple(_tick(desk, change, change.after if during else change.before) for change in desk.plan.affected)


def _tick(desk: Desk, change: GatewayChange, place: Placement | None) -> str:
    where = desk.front(place.front).endpoint if place else desk.texts("tick.out")
    return f"{change.gateway} ({change.number}): {where}"


# -- the fault -------------------------------------------------------------------------------------------


def _inject(desk: Desk, _step: Step) -> Content:
    key = "say.inject_twin" if desk.plan.mode is Mode.REHEARSAL else "say.inject"
    return (desk.texts(key, fault=fault(desk)), desk.texts("say.write_time")), ()


def _lift(desk: Desk, _step: Step) -> Content:
    return (desk.texts("say.lift", fault=fault(desk)), desk.texts("say.write_time")), ()


def _hold(desk: Desk, step: Step) -> Content:
    return (desk.texts("say.hold", seconds=f"{step.targets[0].arguments['hold_s']:g}"),), ()


def _confirm(desk: Desk, step: Step) -> Content:
    """A person's own step: what has to be so, and who says it."""
    arguments = step.targets[0].arguments
    known = {person.id: person.name for person in desk.topology.people.people}
    people = desk.texts.joined(desk.texts.of(known[name]) for name in arguments["people"] if name in known)
    expected = desk.texts.of(Title.model_validate(arguments["expected"]))
    say = (desk.texts("say.confirm", expected=expected, people=people), desk.texts("say.write_time"))
    return (*say, desk.texts("say.confirm_evidence")) if arguments["evidence"] else say, ()


def fault(desk: Desk) -> str:
    """What fails, by its titles."""
    found, topology, texts = desk.plan.fault, desk.topology, desk.texts
    titles: list[Title] = [topology.centre[name].title for name in found.centres]
    titles += [topology.carrier[name].title for name in found.carriers]
    titles += [topology.line[name].title for name in found.lines]
    return texts.joined([*(texts.of(title) for title in titles), *found.hosts])


# -- switching -------------------------------------------------------------------------------------------


def _path(desk: Desk, step: Step) -> Content:
    wanted = {target.name for target in step.targets}
    changes = [item for item in desk.plan.paths if item.name in wanted]
    back = step.phase is Phase.RESTORING
    return (desk.texts("say.path"),), tuple(_path_block(desk, step, item, back=back) for item in changes)


def _path_block(desk: Desk, step: Step, change: PathChange, *, back: bool) -> Block:
    move = on_router.host_route if change.address else on_router.move_path
    commands = move(desk, change, back=back)
    facts = ((desk.texts("fact.why"), desk.texts.of(change.reason)),)
    return router_block(desk, f"{step.id}/{change.name.replace('/', '-')}", change.router, commands, facts)


def _repoint(desk: Desk, step: Step) -> Content:
    blocks = [_repoint_block(desk, step, target) for target in step.targets]
    say = [desk.texts("say.repoint"), desk.texts("say.one_by_one")]
    if any(target.arguments.get("only_if_down") for target in step.targets):
        say.append(desk.texts("say.only_if_down"))
    return tuple(say), tuple(blocks)


def _repoint_block(desk: Desk, step: Step, target: Target) -> Block:
    gateway, change = desk.gateway(target.name), desk.change(target.name)
    before, after = desk.endpoints(change.list_before), desk.endpoints(tuple(target.arguments["fronts"]))
    incident = desk.plan.mode is Mode.INCIDENT
    gently = bool(target.arguments.get("only_if_down"))
    commands = [
        *([on_host.look_for(desk, gateway, after)] if gently else ()),
        on_host.names(desk, gateway),
        *on_host.prepare(desk, gateway, before, after),
        *on_host.take_out(desk, gateway, [*before, *after]),
        on_host.write(desk, "new"),
        *on_host.start(
            desk, gateway, front_after(desk, change), on_failure="login_incident" if incident else "login_drill"
        ),
    ]
    first = desk.texts("say.leave_alone", fronts=desk.texts.joined(after))
    return gateway_block(desk, step, target.name, commands, first=first if gently else "", lists=(before, after))


def _restart(desk: Desk, step: Step) -> Content:
    """Home again: only who is elsewhere."""
    return (desk.texts("say.home"), desk.texts("say.one_by_one")), tuple(
        _restart_block(desk, step, target) for target in step.targets
    )


def _restart_block(desk: Desk, step: Step, target: Target) -> Block:
    gateway, home = desk.gateway(target.name), desk.front(target.arguments["only_if_elsewhere"])
    listed = desk.endpoints(gateway.servers)
    commands = [
        on_host.look_for(desk, gateway, [home.endpoint]),
        on_host.names(desk, gateway),
        *on_host.take_out(desk, gateway, listed),
        *on_host.start(desk, gateway, home, on_failure="login_back"),
    ]
    first = desk.texts("say.leave_home", front=home.endpoint)
    return gateway_block(desk, step, target.name, commands, first=first)


# -- waiting and the way back ----------------------------------------------------------------------------


def _wait(desk: Desk, step: Step) -> Content:
    until = str(step.targets[0].arguments["until"])
    say = (desk.texts(f"until.{until}", seconds=f"{step.deadline_s:g}"),)
    match until:
        case "kept_out":
            return say, tuple(_kept_out_block(desk, step, target) for target in step.targets)
        case "routes_as_before":
            return say, tuple(routes(desk, step, during=False))
        case "own_failover" | "settled" | "silent":
            return say, tuple(looks(desk, step, during=True))
        case "own_return":
            return say, tuple(looks(desk, step, during=False, only=OUT))
        case _:
            return say, tuple(looks(desk, step, during=False))


def _kept_out_block(desk: Desk, step: Step, target: Target) -> Block:
    commands = [on_host.kept_out(desk, desk.gateway(target.name), step.deadline_s)]
    return gateway_block(desk, step, target.name, commands, compact=True)


def _restore(desk: Desk, step: Step) -> Content:
    """The file's own bytes back, from the copy made before."""
    blocks = [_restore_block(desk, step, target) for target in step.targets]
    return (desk.texts("say.restore"), desk.texts("say.one_by_one")), tuple(blocks)


def _restore_block(desk: Desk, step: Step, target: Target) -> Block:
    gateway, change = desk.gateway(target.name), desk.change(target.name)
    before, after = desk.endpoints(change.list_before), desk.endpoints(change.list_after)
    ours = on_host.command(desk, "ours", "cmp $CONF $KEEP.new && echo OURS", seen=("OURS",), only=True)
    commands = [
        on_host.names(desk, gateway),
        ours,
        *on_host.take_out(desk, gateway, [*before, *after]),
        on_host.write(desk, "before"),
        *on_host.start(desk, gateway, front_before(desk, change), on_failure="login_back"),
    ]
    first = desk.texts("say.if_begun")
    return gateway_block(desk, step, target.name, commands, first=first, lists=(after, before))


def _prove(desk: Desk, step: Step) -> Content:
    same = on_host.command(desk, "same", "cmp $CONF $KEEP.before && echo SAME", seen=("SAME",), only=True)
    blocks = [
        gateway_block(desk, step, name, [on_host.names(desk, desk.gateway(name)), same]) for name in rewritten(desk)
    ]
    return (desk.texts("say.prove"),), tuple(blocks)


def _disarm(desk: Desk, _step: Step) -> Content:
    return (desk.texts("say.disarm", folder=desk.keep),), ()


_TYPED: Final = (Verb.REPOINT, Verb.TAKE_OVER, Verb.FENCE, Verb.RESTART)
_VERBS: Final[dict[Verb, Callable[[Desk, Step], Content]]] = {
    Verb.ARM: _arm,
    Verb.DISARM: _disarm,
    Verb.SNAPSHOT: _snapshot,
    Verb.CHECK: _check,
    Verb.INJECT: _inject,
    Verb.LIFT: _lift,
    Verb.PATH: _path,
    Verb.REPOINT: _repoint,
    Verb.RESTORE: _restore,
    Verb.RESTART: _restart,
    Verb.FENCE: fence_page,
    Verb.TAKE_OVER: take_over_page,
    Verb.GIVE_BACK: give_back_page,
    Verb.UNFENCE: unfence_page,
    Verb.WAIT: _wait,
    Verb.HOLD: _hold,
    Verb.PROVE: _prove,
    Verb.CONFIRM: _confirm,
}
