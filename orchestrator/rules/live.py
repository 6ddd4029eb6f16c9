"""Rules over what was read from the hosts themselves. Nobody looked: none of them is asked (`audit --live`)."""

from collections.abc import Iterator
from typing import Final

from orchestrator.model.base import Title
from orchestrator.model.topology import Gateway
from orchestrator.rules.facts import Facts, Live, LiveGateway
from orchestrator.rules.finding import Severity
from orchestrator.rules.rule import FieldPath, Found, Rule, not_judged, satisfied, violated
from orchestrator.rules.select import SSCC_CLASSES, gateways

CLOCK_LIMIT_S: Final = 1.0  # our choice: logs of hosts are laid side by side by the second
_REACH = Title(zh="使该主机可达后重新执行 audit --live。", en="Make the host answer, then `audit --live` again.")


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
    running = [item.id for item in sharing if (seen := _seen(live, item)) is not None and seen.running]
    off = [item.id for item in sharing if not item.enabled and item.id in running]
    hidden = [item for item in sharing if _seen(live, item) is None]
    if len(running) > 1 or off:
        names = ", ".join(running)
        return violated(
            where,
            f"网关号 {number} 有不应运行的网关在运行：{names}。",
            f"Number {number}: gateways run that should not run together or at all: {names}.",
            Title(
                zh="先确认哪一个已登录，再停止其余网关。", en="Find out which one is logged in, then stop the others."
            ),
        )
    if hidden:
        why = "; ".join(f"{item.host}: {_why(live, item.host)}" for item in hidden)
        return not_judged(where, f"网关号 {number} 无法判断：{why}。", f"Number {number}: not seen ({why}).", _REACH)
    names = ", ".join(running) or "-"
    return satisfied(where, f"网关号 {number} 在运行的网关：{names}。", f"Number {number}: running is {names}.")


def _seen(live: Live, gateway: Gateway) -> LiveGateway | None:
    host = live.hosts.get(gateway.host)
    return host.gateways.get(gateway.id) if host else None


def _why(live: Live, host: str) -> str:
    return live.unreachable.get(host, "drillctl does not reach it")


def _no_default_route(facts: Facts) -> Iterator[Found]:
    """SSCC-4.1: a CE router that knows a way to everywhere may know one to the Internet. Asked of routers alone: the
    default route of a host leads to its router.
    """
    for router in facts.topology.routers if facts.live else ():
        where: FieldPath = ("live", "hosts", router.id, "default_routes")
        seen = facts.live.hosts.get(router.id) if facts.live else None
        if facts.live and seen is None:
            yield _unseen(facts.live, where, router.id)
        elif seen and seen.default_routes:
            hops = ", ".join(seen.default_routes)
            yield violated(
                where,
                f"接入路由器 {router.id} 有默认路由（{hops}），可能通向互联网。",
                f"CE router {router.id} has a default route ({hops}), which may lead to the Internet.",
                Title(
                    zh="核实去向，改为到各中心的明细路由。", en="Find out where it leads; route to the centres alone."
                ),
            )
        elif seen:
            yield satisfied(
                where, f"接入路由器 {router.id} 没有默认路由。", f"CE router {router.id} has no default route."
            )


def _clock(facts: Facts) -> Iterator[Found]:
    if facts.live is None:
        return
    for name, host in facts.live.hosts.items():
        where: FieldPath = ("live", "hosts", name, "clock_offset_s")
        told = f"{host.clock_offset_s:+.1f}"
        if abs(host.clock_offset_s) > CLOCK_LIMIT_S:
            yield violated(
                where,
                f"{name} 的时钟偏差为 {told} 秒，超过 {CLOCK_LIMIT_S:g} 秒。",
                f"The clock of {name} is {told} s off, more than {CLOCK_LIMIT_S:g} s.",
                Title(zh="检查时间同步服务（chrony、ntpd）。", en="Look at its time service (chrony, ntpd)."),
            )
        else:
            yield satisfied(where, f"{name} 的时钟偏差为 {told} 秒。", f"The clock of {name} is {told} s off.")
    for name in facts.live.unreachable:
        yield _unseen(facts.live, ("live", "hosts", name, "clock_offset_s"), name)


def _unseen(live: Live, where: FieldPath, host: str) -> Found:
    why = _why(live, host)
    return not_judged(where, f"{host} 没有应答：{why}。", f"{host} did not answer: {why}.", _REACH)


RULES = (
    Rule("live-one-session", "SSCC-2.5", Severity.ERROR, Title(zh="网关号", en="gateway number"), _one_session),
    Rule(
        "live-no-default-route",
        "SSCC-4.1",
        Severity.ERROR,
        Title(zh="接入路由器", en="CE router"),
        _no_default_route,
    ),
    Rule("live-clock", "our choice", Severity.ADVICE, Title(zh="主机", en="host"), _clock),
)
