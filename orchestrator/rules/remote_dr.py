"""Rules over SSCC's remote DR centre in Beijing: which lines reach it, and its addresses."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.topology import Centre, Front, GatewayClass, Line, LineKind, Protocol, Topology
from orchestrator.rules.rule import FieldPath, Found, Rule, not_judged, on_topology, satisfied, violated
from orchestrator.rules.select import disaster_recovery, lines_carrying, listed, production

_DR_NETWORK = IPv4Network("172.70.101.0/24")  # SSCC-A.2.2
_TABLE_1 = {  # SSCC-A.3
    (GatewayClass.TRADING, Protocol.STANDARD): "172.70.101.30:7043",
    (GatewayClass.MARKET_DATA_TCP, Protocol.STANDARD): "172.70.101.60:7044",
    (GatewayClass.SETTLEMENT, Protocol.STANDARD): "172.70.101.70:7013",
    (GatewayClass.SETTLEMENT, Protocol.GM): "172.70.101.70:7015",
}


def _lines_may_carry(topology: Topology) -> Iterator[Found]:
    """SSCC-A.2.1: users of the value-added network reach Beijing, satellite users do not."""
    for centre in disaster_recovery(topology):
        lines = list(lines_carrying(topology, [centre]))
        for line in lines:
            yield _may_carry(line, ("lines", line.id, "carries"), centre)
        if not lines:
            yield not_judged(
                ("lines",),
                f"没有登记可到达{centre.title.zh}的线路，无法判断。",
                f"No line says that it carries {centre.title.en}.",
                Title(
                    zh=f"在接入增值业务网的地面线路的 carries 中加入 {centre.id}。",
                    en=f"Add {centre.id} to `carries` of the terrestrial lines into the value-added network.",
                ),
            )


def _may_carry(line: Line, where: FieldPath, centre: Centre) -> Found:
    zh, en = f"{line.title.zh}（{line.id}）", f"{line.title.en} ({line.id})"
    if line.kind is LineKind.TERRESTRIAL and line.value_added_network:
        return satisfied(
            where,
            f"{zh}是接入增值业务网的地面线路，可到达{centre.title.zh}。",
            f"{en} is terrestrial and in the value-added network: it reaches {centre.title.en}.",
        )
    return violated(
        where,
        f"{zh}不是接入增值业务网的地面线路，不能到达{centre.title.zh}。",
        f"{en} is no terrestrial line of the value-added network: it cannot reach {centre.title.en}.",
        Title(
            zh=f"从该线路的 carries 中去掉 {centre.id}，改用接入增值业务网的地面线路。",
            en=f"Take {centre.id} out of its `carries` and use a terrestrial line of the value-added network.",
        ),
    )


def _survives_both(topology: Topology) -> Iterator[Found]:
    """SSCC-A.2.1: which line carries Beijing when both production centres are gone is stated, or not judged."""
    gone = production(topology)
    for centre in disaster_recovery(topology):
        lines = list(lines_carrying(topology, [centre]))
        yield _one_survives(centre, lines, gone)


def _one_survives(centre: Centre, lines: list[Line], gone: list[Centre]) -> Found:
    ids = {item.id for item in gone}
    lost = listed(item.title for item in gone)
    left = listed(line.title for line in lines if ids <= set(line.survives_loss_of or ()))
    zh, en = f"{lost.zh}均不可用时，", f"With {lost.en} gone,"
    if any(ids <= set(line.survives_loss_of or ()) for line in lines):
        return satisfied(
            ("lines",), f"{zh}可由{left.zh}到达{centre.title.zh}。", f"{en} {centre.title.en} is reached by {left.en}."
        )
    if not lines or any(line.survives_loss_of is None for line in lines):
        return not_judged(
            ("lines",),
            f"{zh}由哪条线路到达{centre.title.zh}没有登记，无法判断。",
            f"{en} which line reaches {centre.title.en} is not stated.",
            Title(
                zh="向深证通核实后，在线路条目中填写 survives_loss_of。",
                en="Ask SSCC, then fill in `survives_loss_of` of the lines.",
            ),
        )
    return violated(
        ("lines",),
        f"{zh}没有线路可到达{centre.title.zh}。",
        f"{en} no line reaches {centre.title.en}.",
        Title(zh="向深证通申请不经由其生产中心的线路。", en="Ask SSCC for a line that does not run through them."),
    )


def _addresses(topology: Topology) -> Iterator[Found]:
    """SSCC-A.2.2: the DR system serves 172.70.101.0/24 and nothing else."""
    centres = {centre.id for centre in disaster_recovery(topology)}
    for front in topology.fronts:
        if front.centre not in centres:
            continue
        where = ("fronts", front.id, "address")
        zh, en = f"异地灾备地址 {front.endpoint}（{front.id}）", f"DR address {front.endpoint} ({front.id})"
        if front.address in _DR_NETWORK:
            yield satisfied(where, f"{zh}在 {_DR_NETWORK} 网段内。", f"{en} is inside {_DR_NETWORK}.")
        else:
            yield violated(
                where,
                f"{zh}不在 {_DR_NETWORK} 网段内。",
                f"{en} lies outside {_DR_NETWORK}.",
                Title(zh="按接入指引表 1 更正地址。", en="Correct it by table 1 of the access guide."),
            )


def _endpoints(topology: Topology) -> Iterator[Found]:
    """SSCC-A.3: the endpoints of table 1, for every class and protocol that the firm's gateways use."""
    used = dict.fromkeys((item.gateway_class, item.protocol) for item in topology.gateways)
    centres = {centre.id for centre in disaster_recovery(topology)}
    for kind in used:
        if kind in _TABLE_1 and centres:
            yield _as_in_the_table([f for f in topology.fronts if f.centre in centres], kind)


def _as_in_the_table(fronts: list[Front], kind: tuple[GatewayClass, Protocol]) -> Found:
    expected = _TABLE_1[kind]
    found = next((item for item in fronts if (item.service, item.protocol) == kind), None)
    what = f"{kind[0]}/{kind[1]}"
    if found is None:
        return not_judged(
            ("fronts",),
            f"没有登记异地灾备中心的 {what} 地址（表 1：{expected}）。",
            f"The DR centre's address for {what} is not entered (table 1: {expected}).",
            Title(zh="在 fronts 或 catalogue 中补充。", en="Add it to `fronts`, or use the catalogue."),
        )
    where = ("fronts", found.id)
    if found.endpoint != expected:
        return violated(
            where,
            f"异地灾备地址 {found.id} 为 {found.endpoint}，接入指引表 1 为 {expected}。",
            f"DR address {found.id} is {found.endpoint}; table 1 of the access guide says {expected}.",
            Title(zh="按接入指引表 1 更正地址和端口。", en="Correct it by table 1 of the access guide."),
        )
    return satisfied(
        where,
        f"异地灾备地址 {found.id} 与表 1 一致（{expected}）。",
        f"DR address {found.id} is as in table 1 ({expected}).",
    )


_CENTRE = Title(zh="异地灾备中心", en="remote DR centre")

RULES = (
    Rule("dr-lines", "SSCC-A.2.1", Severity.ERROR, _CENTRE, on_topology(_lines_may_carry)),
    Rule("dr-line-survives", "SSCC-A.2.1", Severity.WARNING, _CENTRE, on_topology(_survives_both)),
    Rule("dr-addresses", "SSCC-A.2.2", Severity.ERROR, _CENTRE, on_topology(_addresses)),
    Rule("dr-endpoints", "SSCC-A.3", Severity.ERROR, _CENTRE, on_topology(_endpoints)),
)
