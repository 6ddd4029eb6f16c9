"""Rules over gateway numbers: one number, one login at a time."""

from collections import defaultdict
from collections.abc import Iterator

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.topology import Gateway, Topology
from orchestrator.rules.rule import Found, Rule, on_topology, satisfied, violated
from orchestrator.rules.select import SSCC_CLASSES, gateways


def _number_once(topology: Topology) -> Iterator[Found]:
    """SSCC-2.5: never two logins of one number. A hot standby has a number of its own; a cold one may
    share it, for it must never run beside the other.
    """
    holders: dict[str, list[Gateway]] = defaultdict(list)
    for gateway in gateways(topology, SSCC_CLASSES):
        holders[gateway.number].append(gateway)
    for number, users in holders.items():
        yield _one_active(number, users)


def _one_active(number: str, users: list[Gateway]) -> Found:
    active = [gateway for gateway in users if gateway.enabled]
    names = ", ".join(gateway.id for gateway in users)
    if len(active) > 1:
        return violated(
            ("gateways", active[1].id, "number"),
            f"网关号 {number} 被多个启用的网关使用（{names}），存在重复登录风险。",
            f"Gateway number {number} belongs to several enabled gateways ({names}): they would log in twice.",
            Title(
                zh="热备网关使用各自的网关号；冷备网关设为 enabled: false。",
                en="Give a hot standby its own number; set a cold standby to `enabled: false`.",
            ),
        )
    where = ("gateways", users[0].id, "number")
    if len(users) > 1:
        return satisfied(
            where,
            f"网关号 {number} 由冷备网关共用（{names}），同一时刻只启用一个。",
            f"Gateway number {number} is shared with a cold standby ({names}); one of them is enabled.",
        )
    return satisfied(
        where, f"网关号 {number} 仅由 {names} 使用。", f"Gateway number {number} belongs to {names} alone."
    )


RULES = (
    Rule(
        "one-login-per-number",
        "SSCC-2.5",
        Severity.ERROR,
        Title(zh="股转、北交所网关", en="NEEQ/BSE gateway"),
        on_topology(_number_once),
    ),
)
