"""The pages of a failed host: fence it, let its standby take over, and back again. Pure.

A fence has two ways, and either is enough where it is fully proved: on the host, or on every router before it.
"""

from collections.abc import Iterator, Sequence

from orchestrator.model.plan import Step, Target
from orchestrator.report import runbook_gateway as on_host
from orchestrator.report import runbook_network as on_router
from orchestrator.report.runbook_blocks import driven, front_after, gateway_block, router_block
from orchestrator.report.runbook_model import Block, Command, Content, Desk


def fence_page(desk: Desk, step: Step) -> Content:
    """On its host where that answers, else on the routers. One way is enough, proved."""
    blocks = [_block_on_host(desk, step, target) for target in step.targets]
    for host, routers, seconds in _hosts(desk, step.targets):
        commands = on_router.cut_off(desk, desk.topology.host[host], seconds)
        blocks += [_fence_block(desk, step, router, host, commands) for router in routers]
    return (desk.texts("say.fence"), desk.texts("say.fence_ways")), tuple(blocks)


def _block_on_host(desk: Desk, step: Step, target: Target) -> Block:
    gateway = desk.gateway(target.name)
    aside = on_host.command(desk, "aside", f"mv $CONF $CONF{on_host.ASIDE} && echo ASIDE", seen=("ASIDE",), only=True)
    commands = [
        on_host.names(desk, gateway),
        aside,
        *on_host.own_command(desk, gateway, "disable"),
        *on_host.take_out(desk, gateway, desk.endpoints(gateway.servers)),
    ]
    return gateway_block(desk, step, target.name, commands, first=desk.texts("say.way_one"))


def _fence_block(desk: Desk, step: Step, router: str, host: str, commands: list[Command]) -> Block:
    if not driven(desk, router):
        own = desk.topology.host[host]
        networks = desk.texts.joined(str(centre.network) for centre in desk.topology.centres)
        values = {"host": host, "addresses": f"{own.site_address}, {own.management_address}", "networks": networks}
        commands = [Command(desk.texts("why.fence_by_hand", **values), otherwise=desk.texts("otherwise.fence_up"))]
    facts = ((desk.texts("fact.cut_off"), host),)
    return router_block(desk, f"{step.id}/{router}-{host}", router, commands, facts, first=desk.texts("say.way_two"))


def take_over_page(desk: Desk, step: Step) -> Content:
    blocks = [_take_over_block(desk, step, target) for target in step.targets]
    return (desk.texts("say.take_over"),), tuple(blocks)


def _take_over_block(desk: Desk, step: Step, target: Target) -> Block:
    gateway, change = desk.gateway(target.name), desk.change(target.name)
    before, after = desk.endpoints(gateway.servers), desk.endpoints(tuple(target.arguments["fronts"]))
    rewritten = before != after
    new_list = on_host.prepare(desk, gateway, before, after) if rewritten else []
    commands = [
        on_host.names(desk, gateway),
        on_host.look_out(desk, gateway),
        *new_list,
        *([on_host.write(desk, "new")] if rewritten else []),
        *on_host.start(desk, gateway, front_after(desk, change), on_failure="login_standby"),
    ]
    return gateway_block(desk, step, target.name, commands, first=desk.texts("say.needs_fence"))


def give_back_page(desk: Desk, step: Step) -> Content:
    return (desk.texts("say.give_back"),), tuple(_give_back_block(desk, step, target) for target in step.targets)


def _give_back_block(desk: Desk, step: Step, target: Target) -> Block:
    gateway, change = desk.gateway(target.name), desk.change(target.name)
    rewritten = change.list_after != gateway.servers
    listed = [*desk.endpoints(gateway.servers), *desk.endpoints(change.list_after)]
    commands = [
        on_host.names(desk, gateway),
        *on_host.take_out(desk, gateway, listed),
        *([on_host.write(desk, "before")] if rewritten else []),
    ]
    return gateway_block(desk, step, target.name, commands)


def unfence_page(desk: Desk, step: Step) -> Content:
    """First on the host, then on the routers: what fails half way leaves the fence that needs no host."""
    blocks = [_unblock(desk, step, target) for target in step.targets]
    for host, routers, _ in _hosts(desk, step.targets):
        commands = on_router.let_in(desk, desk.topology.host[host])
        blocks += [_unfence_block(desk, step, router, host, commands) for router in routers]
    return (desk.texts("say.unfence"),), tuple(blocks)


def _unblock(desk: Desk, step: Step, target: Target) -> Block:
    gateway = desk.gateway(target.name)
    back = on_host.command(desk, "in_place", f"mv $CONF{on_host.ASIDE} $CONF && echo BACK", seen=("BACK",), only=True)
    commands = [
        on_host.names(desk, gateway, fenced=True),
        back,
        *on_host.own_command(desk, gateway, "enable"),
    ]
    return gateway_block(desk, step, target.name, commands, first=desk.texts("say.if_way_one"))


def _unfence_block(desk: Desk, step: Step, router: str, host: str, commands: list[Command]) -> Block:
    if not driven(desk, router):
        commands = [Command(desk.texts("why.unfence_by_hand", host=host), otherwise=desk.texts("otherwise.fence_down"))]
    facts = ((desk.texts("fact.let_in"), host),)
    return router_block(desk, f"{step.id}/{router}-{host}", router, commands, facts, first=desk.texts("say.if_way_two"))


def _hosts(desk: Desk, targets: Sequence[Target]) -> Iterator[tuple[str, list[str], int | None]]:
    """Each fenced host with its routers and the longest release time behind it; None: unknown."""
    for host in dict.fromkeys(target.arguments["host"] for target in targets):
        behind = [target for target in targets if target.arguments["host"] == host]
        times = [on_host.release_s(desk, desk.gateway(target.name)) for target in behind]
        known = [seconds for seconds in times if seconds is not None]
        yield host, behind[0].arguments["routers"], max(known) if len(known) == len(times) else None
