"""Rules over the lines into SSCC's production centres: enough of them, diverse, wide enough."""

from collections.abc import Iterator

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.topology import Centre, Line, LineKind, Router, Topology
from orchestrator.rules.rule import FieldPath, Found, Rule, not_judged, on_topology, satisfied, violated
from orchestrator.rules.select import SSCC_CLASSES, gateways, lines_carrying, listed, production

_MINIMUM_MBPS = 2  # SSCC-3.2a


def _into_both_centres(topology: Topology) -> Iterator[Found]:
    """SSCC-3.1: at least two lines of different carriers, into Futian and into Southern."""
    centres = production(topology)
    if len(centres) == 1:
        yield not_judged(
            ("centres",),
            "资产清单中只有一个深证通生产中心，无法判断线路是否分别接入。",
            "The inventory has one production centre of SSCC only, so where the lines end cannot be judged.",
            Title(zh="在 catalogue 中加入 sscc。", en="Add `sscc` to `catalogue`."),
        )
    elif centres:
        yield _serve(topology, centres)


def _serve(topology: Topology, centres: list[Centre]) -> Found:
    ends = {centre.id: [line for line in _terrestrial(topology) if line.into == centre.id] for centre in centres}
    used = {line.carrier for lines in ends.values() for line in lines}
    carriers = listed(carrier.title for carrier in topology.carriers if carrier.id in used)
    unserved = listed(centre.title for centre in centres if not ends[centre.id])
    if len(used) > 1 and all(ends.values()):
        return satisfied(
            ("lines",),
            f"地面线路由{carriers.zh}提供，每个生产中心均有线路接入。",
            f"Terrestrial lines of {carriers.en}; each production centre has one.",
        )
    return violated(
        ("lines",),
        f"地面线路不满足要求。运营商：{carriers.zh}；没有线路接入的中心：{unserved.zh}。",
        f"Terrestrial lines do not suffice. Carriers: {carriers.en}; centres without a line: {unserved.en}.",
        Title(
            zh="至少两条不同运营商的线路，分别接入各生产中心。",
            en="At least two lines of different carriers, one into each production centre.",
        ),
    )


def _terrestrial(topology: Topology) -> Iterator[Line]:
    return (line for line in topology.lines if line.kind is LineKind.TERRESTRIAL)


def _carrier_may_fail(topology: Topology) -> Iterator[Found]:
    """SSCC-3.1: a single line or carrier may fail and business goes on. Judged per CE router, which is where
    gateways lose their way. A single line to each centre is legal: losing its carrier is losing the centre.
    """
    centres = production(topology)
    used = {topology.host[gateway.host].router for gateway in gateways(topology, SSCC_CLASSES)}
    for router in topology.routers:
        if router.id in used and centres:
            yield from _each_carrier(topology, router, ("routers", router.id, "paths"), centres)


def _each_carrier(topology: Topology, router: Router, where: FieldPath, centres: list[Centre]) -> Iterator[Found]:
    carriers = sorted({line.carrier for centre in centres for line in _path(topology, router, centre)})
    for carrier in carriers:
        yield _without(topology, router, where, carrier, centres)
    if not carriers:
        yield violated(
            where,
            f"路由器 {router.id} 没有到达任何生产中心的地面路径。",
            f"Router {router.id} has no terrestrial path to any production centre.",
            Title(zh="在 paths 中登记到各生产中心的线路。", en="Enter the lines to each production centre in `paths`."),
        )


def _path(topology: Topology, router: Router, centre: Centre) -> list[Line]:
    """Terrestrial lines that the router may take to the centre."""
    return [line for line in _terrestrial(topology) if line.id in router.paths.get(centre.id, ())]


def _without(topology: Topology, router: Router, where: FieldPath, carrier: str, centres: list[Centre]) -> Found:
    left = [c for c in centres if any(line.carrier != carrier for line in _path(topology, router, c))]
    lost = listed(centre.title for centre in centres if centre not in left)
    kept = listed(centre.title for centre in left)
    failed, room = topology.carrier[carrier].title, topology.room[router.room].title
    if not left:
        return violated(
            where,
            f"{room.zh}（路由器 {router.id}）只依赖{failed.zh}：该运营商故障时无法到达任何生产中心。",
            f"{room.en} (router {router.id}) depends on {failed.en} alone: without it, it reaches no centre.",
            Title(
                zh="增加其他运营商的线路，或增加经其他机房的备用路径。",
                en="Add a line of another carrier, or a path through another room.",
            ),
        )
    if len(left) < len(centres):
        return satisfied(
            where,
            f"{failed.zh}故障时，{room.zh}（路由器 {router.id}）失去{lost.zh}，由{kept.zh}承担；"
            "符合规范，但该运营商故障即等于该中心故障。",
            f"Without {failed.en}, {room.en} (router {router.id}) loses {lost.en} and runs on {kept.en}: "
            "legal, but losing the carrier is losing the centre.",
            Title(
                zh=f"如需避免，增加其他运营商到{lost.zh}的线路。",
                en=f"To avoid it, add a line of another carrier to {lost.en}.",
            ),
        )
    return satisfied(
        where,
        f"{failed.zh}故障时，{room.zh}（路由器 {router.id}）仍可到达全部生产中心。",
        f"Without {failed.en}, {room.en} (router {router.id}) still reaches every production centre.",
    )


def _bandwidth(topology: Topology) -> Iterator[Found]:
    """SSCC-3.2a: at least 2 Mbps. Satellites are backups and have no number in the source."""
    lines = [line for line in lines_carrying(topology, production(topology)) if line.kind is LineKind.TERRESTRIAL]
    if not lines and any(gateways(topology, SSCC_CLASSES)):
        yield not_judged(
            ("lines",),
            "没有登记通往深证通生产中心的地面线路，无法判断带宽。",
            "No terrestrial line towards SSCC's production centres is entered, so its bandwidth cannot be judged.",
            Title(zh="在 topology.yml 的 lines 中登记。", en="Enter them in `lines` of topology.yml."),
        )
    for line in lines:
        where = ("lines", line.id, "bandwidth_mbps")
        zh = f"{line.title.zh}（{line.id}）带宽 {line.bandwidth_mbps:g} Mbps"
        en = f"{line.title.en} ({line.id}) has {line.bandwidth_mbps:g} Mbps"
        if line.bandwidth_mbps < _MINIMUM_MBPS:
            yield violated(
                where,
                f"{zh}，低于最低要求 {_MINIMUM_MBPS} Mbps。",
                f"{en}, below the required {_MINIMUM_MBPS} Mbps.",
                Title(zh="向运营商申请扩容。", en="Have the carrier widen it."),
            )
        else:
            yield satisfied(where, f"{zh}。", f"{en}.")


_LINE = Title(zh="通往深证通的线路", en="line towards SSCC")

RULES = (
    Rule("lines-into-both-centres", "SSCC-3.1", Severity.ERROR, _LINE, on_topology(_into_both_centres)),
    Rule("carrier-may-fail", "SSCC-3.1", Severity.ERROR, _LINE, on_topology(_carrier_may_fail)),
    Rule("bandwidth", "SSCC-3.2a", Severity.ERROR, _LINE, on_topology(_bandwidth)),
)
