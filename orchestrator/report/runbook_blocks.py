"""One gateway or router in one step: its title, where it is, how to log in. And the looks at them. Pure."""

from collections.abc import Iterator, Sequence

from orchestrator.model.plan import Action, GatewayChange, Placement, Step, Verb
from orchestrator.model.topology import Front
from orchestrator.report import runbook_gateway as on_host
from orchestrator.report import runbook_network as on_router
from orchestrator.report.runbook_model import Block, Command, Desk


def gateway_block(
    desk: Desk,
    step: Step,
    name: str,
    commands: Sequence[Command],
    *,
    first: str = "",
    lists: tuple[Sequence[str], Sequence[str]] | None = None,
    compact: bool = False,
) -> Block:
    gateway, texts = desk.gateway(name), desk.texts
    facts = [(texts("fact.number"), gateway.number)]
    if lists:
        facts += [(texts("fact.list_old"), "\n".join(lists[0])), (texts("fact.list_new"), "\n".join(lists[1]))]
    starts = any(step.verb is verb for verb in (Verb.REPOINT, Verb.RESTORE, Verb.RESTART, Verb.TAKE_OVER))
    return Block(
        key=f"{step.id}/{name}",
        title=f"{name}  {texts.of(gateway.title)}",
        where=place_of(desk, gateway.host),
        login=login_of(desk, gateway.host),
        facts=tuple(facts),
        first=first,
        commands=tuple(commands),
        warning=texts("say.ekey", certificate=gateway.certificate) if starts and on_host.is_ekey(desk, gateway) else "",
        compact=compact,
    )


def router_block(
    desk: Desk,
    key: str,
    router: str,
    commands: Sequence[Command],
    facts: tuple[tuple[str, str], ...] = (),
    first: str = "",
    compact: bool = False,
) -> Block:
    return Block(
        key=key,
        title=f"{router}  {desk.texts.of(desk.topology.router[router].title)}",
        where=router_room(desk, router),
        login=login_of(desk, router) if driven(desk, router) else "",
        facts=facts,
        first=first,
        commands=tuple(commands),
        compact=compact,
    )


def place_of(desk: Desk, host: str) -> str:
    """Host and room."""
    return f"{host} · {desk.texts.of(desk.topology.room[desk.topology.host[host].room].title)}"


def router_room(desk: Desk, router: str) -> str:
    return desk.texts.of(desk.topology.room[desk.topology.router[router].room].title)


def driven(desk: Desk, router: str) -> bool:
    return on_router.is_driven(desk.topology, router)


def login_of(desk: Desk, name: str) -> str:
    return desk.logins[name].command


def rewritten(desk: Desk) -> list[str]:
    """Gateways whose file this plan writes, and puts back."""
    moved = {target.name for step in desk.plan.steps if step.verb is Verb.REPOINT for target in step.targets}
    stood_in = {
        change.gateway
        for change in desk.plan.affected
        if change.action is Action.TAKE_OVER and change.list_after != desk.gateway(change.gateway).servers
    }
    return [change.gateway for change in desk.plan.gateways if change.gateway in moved | stood_in]


def front_before(desk: Desk, change: GatewayChange) -> Front:
    return _front(desk, change.before)


def front_after(desk: Desk, change: GatewayChange) -> Front:
    return _front(desk, change.after)


def _front(desk: Desk, place: Placement | None) -> Front:
    if place is None:
        raise ValueError("expected a place of a gateway that is started, found none")
    return desk.front(place.front)


def looks(desk: Desk, step: Step, *, during: bool, only: Sequence[Action] = ()) -> Iterator[Block]:
    """Every gateway that the fault touches: where it should be, or that it is out."""
    within_s = step.deadline_s if step.verb is Verb.WAIT else 0
    for change in desk.plan.affected:
        if change.hands or (only and change.action not in only):
            continue
        place = change.after if during else change.before
        gateway = desk.gateway(change.gateway)
        if place:
            command = on_host.look(desk, gateway, desk.front(place.front), within_s)
        elif change.action is Action.NO_BUSINESS or (during and change.host in desk.plan.fault.hosts):
            continue  # nobody to ask, or nothing to expect
        else:
            command = on_host.look_out(desk, gateway)
        yield gateway_block(desk, step, change.gateway, [command], compact=True)


def routes(desk: Desk, step: Step, *, during: bool) -> Iterator[Block]:
    """Each router's way to each front that a gateway behind it uses, once."""
    within_s = step.deadline_s if step.verb is Verb.WAIT else 0
    asked: dict[str, dict[str, Command]] = {}
    for change in desk.plan.affected:
        place = change.after if during else change.before
        if place and place.line and not desk.gateway(change.gateway).receives_only:
            router = desk.topology.host[change.host].router
            address = str(desk.front(place.front).address)
            found = asked.setdefault(router, {})
            found.setdefault(address, on_router.route_look(desk, router, address, place.line, within_s))
    for router, commands in asked.items():
        yield router_block(desk, f"{step.id}/{router}", router, list(commands.values()), compact=True)
