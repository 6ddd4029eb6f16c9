"""Rules over what hosts say of their gateways: which run, by which list, logged in where (`audit --live`)."""

from collections.abc import Callable, Iterator

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.topology import Gateway, GatewayClass, Topology
from orchestrator.rules.facts import Facts, Live, LiveGateway
from orchestrator.rules.live_look import hidden, seen, unseen, why
from orchestrator.rules.rule import FieldPath, Found, Rule, not_judged, satisfied, violated
from orchestrator.rules.select import SSCC_CLASSES, gateways

_MARKET_DATA = frozenset({GatewayClass.MARKET_DATA_TCP, GatewayClass.MDGW})


def _one_session(facts: Facts) -> Iterator[Found]:
    """SSCC-2.5: one log-in per gateway number, whichever installations share it; a cold standby does not run."""
    if facts.live is None:
        return
    numbers: dict[str, list[Gateway]] = {}
    for gateway in gateways(facts.topology, SSCC_CLASSES):
        numbers.setdefault(gateway.number, []).append(gateway)
    for number, sharing in numbers.items():
        yield _judged_number(facts.live, number, sharing)


def _judged_number(live: Live, number: str, sharing: list[Gateway]) -> Found:
    """Two that run are wrong even where a third cannot be seen; one is right only where all were seen."""
    where: FieldPath = ("live", "numbers", number)
    running = [item.id for item in sharing if (found := seen(live, item)) is not None and found.running]
    off = [item.id for item in sharing if not item.enabled and item.id in running]
    not_seen = [item for item in sharing if seen(live, item) is None]
    names = ", ".join(running) or "-"
    if len(running) > 1 or off:
        return violated(
            where,
            f"网关号 {number} 有不应运行的网关在运行：{names}。",
            f"Number {number}: gateways run that should not run together or at all: {names}.",
            Title(
                zh="先确认哪一个已登录，再停止其余网关。", en="Find out which one is logged in, then stop the others."
            ),
        )
    if not_seen:
        said = "; ".join(f"{item.host}: {why(live, item.host)}" for item in not_seen)
        return hidden(where, f"网关号 {number} 无法判断：{said}。", f"Number {number}: not seen ({said}).")
    return satisfied(where, f"网关号 {number} 在运行的网关：{names}。", f"Number {number}: running is {names}.")


def _lists(facts: Facts) -> Iterator[Found]:
    """SSCC-2.3: the list by which a gateway logs in is the one in its file, whatever the inventory says."""
    live, topology = facts.live, facts.topology
    for gateway in topology.scriptable_gateways if live else ():
        where: FieldPath = ("live", "gateways", gateway.id, "servers")
        found = seen(live, gateway) if live else None
        if live and found is None:
            yield unseen(live, where, gateway.host)
        elif found:
            yield _judged_list(where, gateway.id, found, _listed(topology, gateway))


def _judged_list(where: FieldPath, name: str, found: LiveGateway, listed: tuple[str, ...]) -> Found:
    if found.endpoints is None:
        return not_judged(
            where,
            f"{name} 的配置文件无法读取：{found.unread}。",
            f"The file of {name} cannot be read: {found.unread}.",
            Title(
                zh="核对 profiles.yml 的路径，并授予查询账号读权限。",
                en="Check its path in profiles.yml, and let the account read it.",
            ),
        )
    told = ", ".join(found.endpoints) or "-"
    if found.endpoints == listed:
        return satisfied(where, f"{name} 生效的服务器列表与清单一致：{told}。", f"{name} has the list {told}.")
    wanted = ", ".join(listed)
    return violated(
        where,
        f"{name} 生效的服务器列表为 {told}，清单为 {wanted}。",
        f"{name} has the list {told}; the inventory says {wanted}.",
        Title(
            zh="查明何人何时修改，更正配置文件或清单；演练和切换前必须一致。",
            en="Find out who changed it, then correct the file or the inventory: a run refuses the difference.",
        ),
    )


def _listed(topology: Topology, gateway: Gateway) -> tuple[str, ...]:
    return tuple(topology.front[name].endpoint for name in gateway.servers)


def _at_home(classes: Callable[[Gateway], bool]) -> Callable[[Facts], Iterator[Found]]:
    """Whether the session is at the first server of the list."""

    def look(facts: Facts) -> Iterator[Found]:
        live, topology = facts.live, facts.topology
        for gateway in topology.scriptable_gateways if live else ():
            if not classes(gateway) or gateway.receives_only or not gateway.enabled:
                continue
            where: FieldPath = ("live", "gateways", gateway.id, "session")
            found = seen(live, gateway) if live else None
            if live and found is None:
                yield unseen(live, where, gateway.host)
            elif found:
                yield _judged_session(where, gateway.id, found, _listed(topology, gateway), set(topology.front_at))

    return look


def _judged_session(
    where: FieldPath, name: str, found: LiveGateway, listed: tuple[str, ...], fronts: set[str]
) -> Found:
    """One that the account may not see, or that is closed on a day without trading, is not judged."""
    at = [item for item in found.sessions or () if item in fronts]
    if not at:
        nothing = "账号无权查看其连接" if found.sessions is None else "当前没有会话"
        nothing_en = "the account may not see its sockets" if found.sessions is None else "it has no session now"
        return not_judged(
            where,
            f"{name} {nothing}。",
            f"{name}: {nothing_en}.",
            Title(
                zh="在网关登录后以有权限的账号重新执行。", en="Look again while it is logged in, as one who may see."
            ),
        )
    if at == [listed[0]]:
        return satisfied(where, f"{name} 登录在首选服务器 {at[0]}。", f"{name} is logged in at {at[0]}, its first.")
    told = ", ".join(at)
    return violated(
        where,
        f"{name} 登录在 {told}，首选服务器为 {listed[0]}。",
        f"{name} is logged in at {told}; its first server is {listed[0]}.",
        Title(
            zh="查明首选服务器不可用的原因；确认恢复后在闭市时段切回。",
            en="Find out why the first one was left; go back outside trading hours once it works.",
        ),
    )


RULES = (
    Rule("live-one-session", "SSCC-2.5", Severity.ERROR, Title(zh="网关号", en="gateway number"), _one_session),
    Rule("live-list", "SSCC-2.3", Severity.ERROR, Title(zh="网关", en="gateway"), _lists),
    Rule(
        "live-session",
        "SSCC-2.3",
        Severity.WARNING,
        Title(zh="网关", en="gateway"),
        _at_home(lambda item: item.gateway_class not in _MARKET_DATA),
    ),
    Rule(
        "live-market-data",
        "SSCC-2.4",
        Severity.WARNING,
        Title(zh="TCP 行情网关", en="market data gateway by TCP"),
        _at_home(lambda item: item.gateway_class in _MARKET_DATA),
    ),
)
