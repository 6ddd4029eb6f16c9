"""Rules over market data: TCP is the primary way in, multicast the backup, and a satellite receiver stands by."""

from collections.abc import Iterator

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.topology import GatewayClass, LineKind, Role, Topology
from orchestrator.rules.rule import FieldPath, Found, Rule, not_judged, on_topology, satisfied, violated
from orchestrator.rules.select import gateways, lines_carrying, production, servers

_TRADING = frozenset({GatewayClass.TRADING})
_TCP = frozenset({GatewayClass.MARKET_DATA_TCP})
_MULTICAST = frozenset({GatewayClass.MARKET_DATA_MULTICAST})


def _tcp_primary(topology: Topology) -> Iterator[Found]:
    """SSCC-2.4: TCP must be the primary way in, multicast the backup. That TCP is the one in use is
    nothing an inventory knows: every drill checks it.
    """
    tcp = [item for item in gateways(topology, _TCP) if item.enabled]
    multicast = [item for item in gateways(topology, _MULTICAST) if item.enabled]
    if not any(gateways(topology, _TCP | _MULTICAST)):
        if any(gateways(topology, _TRADING)):
            yield _no_market_data()
        return
    if not any(item.role is Role.PRIMARY for item in tcp):
        yield violated(
            ("gateways",),
            "没有启用的主用 TCP 行情网关；行情必须以 TCP 接入为主用方式。",
            "No primary TCP market-data gateway is enabled; market data must come by TCP first.",
            Title(zh="启用或增设主用 TCP 行情网关。", en="Enable or add a primary TCP market-data gateway."),
        )
    elif not multicast:
        yield violated(
            ("gateways",),
            "没有启用的组播行情网关；组播接入应作为备用方式。",
            "No multicast market-data gateway is enabled; multicast is the backup of TCP.",
            Title(zh="启用或增设组播行情网关。", en="Enable or add a multicast market-data gateway."),
        )
    else:
        yield satisfied(
            ("gateways",),
            "TCP 行情网关为主用，组播行情网关为备用；实际以 TCP 为主由各次演练检查。",
            "TCP market data is primary and multicast stands by; every drill checks which one is in use.",
        )


def _no_market_data() -> Found:
    return not_judged(
        ("gateways",),
        "登记了交易网关，但没有登记行情网关，无法判断行情的主、备接入方式。",
        "Trading gateways are entered but no market-data gateway, so how market data comes in cannot be judged.",
        Title(zh="在 gateways 中登记行情网关。", en="Enter the market-data gateways in `gateways`."),
    )


def _satellite_receiver(topology: Topology) -> Iterator[Found]:
    """SSCC-3.2c: at least one high-speed one-way satellite backs up terrestrial market data."""
    centres = production(topology)
    if not centres:
        return
    receivers = [
        line for line in lines_carrying(topology, centres) if line.kind is LineKind.SATELLITE_ONE_WAY and line.multicast
    ]
    if not receivers:
        yield violated(
            ("lines",),
            "没有可接收组播行情的单向卫星；地面行情至少应有一路高速单向卫星作备份。",
            "No one-way satellite receives multicast market data; at least one has to back up the terrestrial feed.",
            Title(
                zh="增设单向卫星接收站，或在 lines 中登记。",
                en="Add a one-way satellite receiver, or enter it in `lines`.",
            ),
        )
        return
    yield _receiver_is_used(topology, ("lines", receivers[0].id), receivers[0].id)


def _receiver_is_used(topology: Topology, where: FieldPath, receiver: str) -> Found:
    if not any(front.satellite for front in topology.fronts):
        return not_judged(
            where,
            f"已登记单向卫星接收站 {receiver}，但资产清单中没有卫星组播源，无法判断行情网关是否使用。",
            f"Receiver {receiver} is there, but the inventory has no satellite source, so its use cannot be judged.",
            Title(
                zh="在 fronts 中登记卫星组播源（satellite: true）。",
                en="Enter the satellite's source in `fronts` with `satellite: true`.",
            ),
        )
    users = [
        item.id
        for item in gateways(topology, _MULTICAST)
        if item.enabled and any(front.satellite for front in servers(topology, item))
    ]
    if not users:
        return violated(
            where,
            f"单向卫星接收站 {receiver} 未被任何启用的组播行情网关使用。",
            f"No enabled multicast gateway lists the source of satellite receiver {receiver}.",
            Title(
                zh="在组播行情网关的列表末位加入卫星组播源。",
                en="Add the satellite's source at the end of a multicast gateway's list.",
            ),
        )
    names = ", ".join(users)
    return satisfied(
        where, f"单向卫星 {receiver} 由 {names} 用作备份。", f"{receiver} backs up terrestrial data at {names}."
    )


RULES = (
    Rule(
        "tcp-market-data-primary",
        "SSCC-2.4",
        Severity.ERROR,
        Title(zh="股转、北交所行情网关", en="NEEQ/BSE market-data gateway"),
        on_topology(_tcp_primary),
    ),
    Rule(
        "one-way-satellite",
        "SSCC-3.2c",
        Severity.ERROR,
        Title(zh="深证通生产中心", en="production centre of SSCC"),
        on_topology(_satellite_receiver),
    ),
)
