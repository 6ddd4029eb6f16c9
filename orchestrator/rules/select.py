"""Which parts of a topology a clause is about. Whose clause applies follows from a gateway's class."""

from collections.abc import Iterable, Iterator

from orchestrator.model.base import Title
from orchestrator.model.topology import Centre, CentreRole, Front, Gateway, GatewayClass, Line, Topology

SSCC_CLASSES = frozenset(
    {
        GatewayClass.TRADING,
        GatewayClass.MARKET_DATA_TCP,
        GatewayClass.MARKET_DATA_MULTICAST,
        GatewayClass.SETTLEMENT,
    }
)
SSE_CLASSES = frozenset({GatewayClass.TDGW, GatewayClass.MDGW})


def gateways(topology: Topology, classes: frozenset[GatewayClass]) -> Iterator[Gateway]:
    """Gateways of these classes, in the order of the inventory."""
    return (item for item in topology.gateways if item.gateway_class in classes)


def sscc_centres(topology: Topology, role: CentreRole) -> list[Centre]:
    """Centres in this role of whoever operates the fronts that NEEQ/BSE gateways log in to."""
    operators = {topology.centre[front.centre].operator for front in topology.fronts if front.service in SSCC_CLASSES}
    return [centre for centre in topology.centres if centre.operator in operators and centre.role is role]


def production(topology: Topology) -> list[Centre]:
    """The main and the backup data centre of SSCC (主、备数据中心)."""
    return sscc_centres(topology, CentreRole.PRODUCTION)


def disaster_recovery(topology: Topology) -> list[Centre]:
    """The remote DR centre of SSCC (异地灾备中心)."""
    return sscc_centres(topology, CentreRole.DISASTER_RECOVERY)


def lines_carrying(topology: Topology, centres: list[Centre]) -> Iterator[Line]:
    """Lines over which at least one of the centres is reached."""
    wanted = {centre.id for centre in centres}
    return (line for line in topology.lines if wanted & set(line.carries))


def servers(topology: Topology, gateway: Gateway) -> list[Front]:
    """The gateway's ordered list of fronts."""
    return [topology.front[name] for name in gateway.servers]


def named(gateway: Gateway) -> Title:
    """A gateway in a Chinese and in an English sentence."""
    return Title(zh=f"网关 {gateway.id}（网关号 {gateway.number}）", en=f"Gateway {gateway.id} ({gateway.number})")


def listed(titles: Iterable[Title]) -> Title:
    """Several names in one sentence."""
    found = list(titles)
    return Title(zh="、".join(item.zh for item in found) or "无", en=", ".join(item.en for item in found) or "none")
