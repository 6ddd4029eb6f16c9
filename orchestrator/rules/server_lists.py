"""Rules over the ordered server lists of NEEQ/BSE gateways: both centres in it, in the order SSCC asks for."""

from collections.abc import Iterator, Mapping

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.topology import Centre, Gateway, GatewayClass, Topology
from orchestrator.rules.rule import FieldPath, Found, Rule, not_judged, on_topology, satisfied, violated
from orchestrator.rules.select import SSCC_CLASSES, gateways, listed, named, production, servers

# The notice orders the lists of trading and TCP market-data gateways; multicast addresses do not change with it.
_ORDERED = frozenset({GatewayClass.TRADING, GatewayClass.MARKET_DATA_TCP})


def _both_centres(topology: Topology) -> Iterator[Found]:
    """SSCC-2.3: every terminal is configured with the main AND the backup data centre's addresses."""
    centres = production(topology)
    for gateway in gateways(topology, SSCC_CLASSES):
        yield _has_both(topology, gateway, ("gateways", gateway.id, "servers"), centres)


def _has_both(topology: Topology, gateway: Gateway, where: FieldPath, centres: list[Centre]) -> Found:
    name = named(gateway)
    configured = {front.centre for front in servers(topology, gateway)}
    absent = [centre for centre in centres if centre.id not in configured]
    offered = _centres_offering(topology, gateway)
    missing = listed(centre.title for centre in absent if centre.id in offered)
    if any(centre.id in offered for centre in absent):
        return violated(
            where,
            f"{name.zh}的主站服务器列表中没有{missing.zh}的地址，无法承受单中心故障。",
            f"{name.en} lists no server of {missing.en}, so it does not survive the loss of a centre.",
            Title(zh=f"在列表中补充{missing.zh}的地址。", en=f"Add a server of {missing.en} to the list."),
        )
    if absent or len(centres) <= 1:
        return not_judged(
            where,
            f"{name.zh}：资产清单中没有主、备两个数据中心的通信服务器地址，无法判断。",
            f"{name.en}: the inventory does not have a server of both production centres for it.",
            Title(
                zh="在 topology.yml 的 fronts 中补充缺少的地址。", en="Add the missing one to `fronts` of topology.yml."
            ),
        )
    return satisfied(
        where, f"{name.zh}已配置主、备数据中心的地址。", f"{name.en} lists servers of both production centres."
    )


def _centres_offering(topology: Topology, gateway: Gateway) -> set[str]:
    wanted = (gateway.gateway_class, gateway.protocol)
    return {front.centre for front in topology.fronts if (front.service, front.protocol) == wanted}


def _order(topology: Topology) -> Iterator[Found]:
    """SSCC notice of 2020-07-08: even gateway numbers list one centre first, odd ones the other."""
    first = {centre.parity: centre for centre in production(topology) if centre.parity}
    for gateway in gateways(topology, _ORDERED):
        yield _in_order(topology, gateway, ("gateways", gateway.id, "servers"), first)


def _in_order(topology: Topology, gateway: Gateway, where: FieldPath, first: Mapping[str, Centre]) -> Found:
    name = named(gateway)
    expected = _expected_first(gateway, first)
    found = topology.centre[servers(topology, gateway)[0].centre]
    if expected is None:
        return not_judged(
            where,
            f"{name.zh}：无法由网关号的奇偶确定应优先的中心。",
            f"{name.en}: which centre its number lists first is not known.",
            Title(
                zh="在中心条目中填写 parity（even 或 odd），并核对网关号。",
                en="Give the centres their `parity` (even or odd) and check the gateway number.",
            ),
        )
    if found.id != expected.id:
        return violated(
            where,
            f"{name.zh}按网关号的奇偶应优先配置{expected.title.zh}，实际首位为{found.title.zh}。",
            f"{name.en} should list {expected.title.en} first by the parity of its number, and lists {found.title.en}.",
            Title(
                zh=f"将{expected.title.zh}的地址移至首位。", en=f"Move the server of {expected.title.en} to the top."
            ),
        )
    return satisfied(
        where,
        f"{name.zh}首位为{found.title.zh}，符合奇偶规则。",
        f"{name.en} lists {found.title.en} first, as its parity asks.",
    )


def _expected_first(gateway: Gateway, first: Mapping[str, Centre]) -> Centre | None:
    if not any(character.isdigit() for character in gateway.number):
        return None
    return first.get("even" if gateway.is_even else "odd")


RULES = (
    Rule(
        "both-centres-listed",
        "SSCC-2.3",
        Severity.ERROR,
        Title(zh="股转、北交所网关", en="NEEQ/BSE gateway"),
        on_topology(_both_centres),
    ),
    Rule(
        "server-order",
        "SSCC notice 2020-07-08",
        Severity.WARNING,
        Title(zh="股转、北交所交易网关或 TCP 行情网关", en="NEEQ/BSE trading or TCP market-data gateway"),
        on_topology(_order),
    ),
)
