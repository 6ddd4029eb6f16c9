"""Rules of the Shanghai Stock Exchange: pairs of trading gateways, and their certificates."""

from collections import defaultdict
from collections.abc import Iterator

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.topology import CertificateKind, Gateway, GatewayClass, Topology
from orchestrator.rules.rule import Found, Rule, not_judged, on_topology, satisfied, violated
from orchestrator.rules.select import SSE_CLASSES, gateways, listed, named

_TDGW = frozenset({GatewayClass.TDGW})
_KIND = {
    CertificateKind.EKEY: Title(zh="EKey 证书", en="EKey certificate"),
    CertificateKind.FILE: Title(zh="文件证书", en="file certificate"),
}


def _in_service(topology: Topology) -> Iterator[tuple[Gateway, Gateway | None]]:
    """Trading gateways that are to run, each with its counterpart: its pair, or the cold standby of its number."""
    for gateway in gateways(topology, _TDGW):
        if gateway.standby_for is None:
            cold = topology.cold_standbys(gateway.id)
            yield gateway, topology.gateway.get(gateway.pair or "") or (cold[0] if cold else None)


def _deployed_as_pair(topology: Topology) -> Iterator[Found]:
    """SSE-2.2a: trading gateways are deployed as primary and backup; on one host both die together."""
    if not any(gateways(topology, _TDGW)) and any(front.service in _TDGW for front in topology.fronts):
        yield not_judged(
            ("gateways",),
            "登记了上交所交易通信服务器，但没有登记交易网关，无法判断主、备部署。",
            "Trading fronts of the SSE are entered but no trading gateway, so its deployment cannot be judged.",
            Title(zh="在 gateways 中登记 TDGW。", en="Enter the TDGWs in `gateways`."),
        )
    for gateway, other in _in_service(topology):
        name = named(gateway)
        if other is None:
            yield violated(
                ("gateways", gateway.id, "pair"),
                f"{name.zh}没有主、备对应的网关。",
                f"{name.en} has no counterpart.",
                Title(
                    zh="部署主、备两个网关，并填写 pair（热备）或 standby_for（冷备）。",
                    en="Deploy primary and standby, and fill in `pair` (hot) or `standby_for` (cold).",
                ),
            )
        elif other.host == gateway.host:
            yield violated(
                ("gateways", gateway.id, "host"),
                f"{name.zh}与 {other.id} 部署在同一主机 {gateway.host} 上。",
                f"{name.en} and {other.id} are on one host, {gateway.host}.",
                Title(zh="将其中一个迁至其他主机。", en="Move one of them to another host."),
            )
        else:
            yield satisfied(
                ("gateways", gateway.id, "pair"),
                f"{name.zh}与 {other.id} 部署在不同主机上。",
                f"{name.en} and {other.id} are on different hosts.",
            )


def _pair_in_two_rooms(topology: Topology) -> Iterator[Found]:
    """SSE-2.2a asks for continuity; that the pair stands in two rooms is our reading of it."""
    for gateway, other in _in_service(topology):
        if other is None:
            continue
        name = named(gateway)
        room = topology.room[topology.host[gateway.host].room]
        if topology.host[other.host].room == room.id:
            yield violated(
                ("gateways", gateway.id, "host"),
                f"{name.zh}与 {other.id} 同在{room.title.zh}，机房故障时主、备同时不可用。",
                f"{name.en} and {other.id} are both in {room.title.en} and would be lost together.",
                Title(zh="将其中一个迁至其他机房。", en="Move one of them to another room."),
            )
        else:
            yield satisfied(
                ("gateways", gateway.id, "host"),
                f"{name.zh}与 {other.id} 位于不同机房。",
                f"{name.en} and {other.id} are in different rooms.",
            )


def _one_gateway_per_certificate(topology: Topology) -> Iterator[Found]:
    """SSE-2.2c: two gateways never use one certificate at the same time."""
    users: dict[str, list[Gateway]] = defaultdict(list)
    for gateway in gateways(topology, SSE_CLASSES):
        if not gateway.enabled:
            continue
        if gateway.certificate is None:
            name = named(gateway)
            yield not_judged(
                ("gateways", gateway.id, "certificate"),
                f"{name.zh}在用的数字证书未登记。",
                f"{name.en}: the certificate in use is not entered.",
                Title(zh="填写 certificate。", en="Fill in `certificate`."),
            )
        else:
            users[gateway.certificate].append(gateway)
    for certificate, holders in users.items():
        yield _one_user(certificate, holders)


def _one_user(certificate: str, holders: list[Gateway]) -> Found:
    where = ("gateways", holders[-1].id, "certificate")
    names = ", ".join(gateway.id for gateway in holders)
    if len(holders) > 1:
        return violated(
            where,
            f"数字证书 {certificate} 同时用于多个网关（{names}）。",
            f"Certificate {certificate} is in use by several gateways ({names}).",
            Title(zh="为每个网关使用其自身的数字证书。", en="Let each gateway use a certificate of its own."),
        )
    return satisfied(
        where, f"数字证书 {certificate} 仅由 {names} 使用。", f"Certificate {certificate} is used by {names} alone."
    )


def _two_certificates(topology: Topology) -> Iterator[Found]:
    """SSE-2.2b: each trading gateway has two certificates, an EKey and a file; either may be used."""
    kinds = {item.id: item.kind for item in topology.certificates}
    for gateway, _ in _in_service(topology):
        where = ("gateways", gateway.id, "certificates")
        name = named(gateway)
        held = {kinds[name] for name in gateway.certificates}
        missing = listed(_KIND[kind] for kind in CertificateKind if kind not in held)
        if held != set(CertificateKind):
            yield violated(
                where,
                f"{name.zh}没有{missing.zh}，在用数字证书失效时无可替换。",
                f"{name.en} has no {missing.en} to fall back on.",
                Title(
                    zh="申请并登记 EKey 证书和文件证书各一个。",
                    en="Apply for, and enter, one EKey and one file certificate.",
                ),
            )
        else:
            yield satisfied(
                where, f"{name.zh}有 EKey 证书和文件证书。", f"{name.en} has an EKey and a file certificate."
            )


def _both_kinds_held(topology: Topology) -> Iterator[Found]:
    """SSE-4.2 (建议): a user holds at least one EKey and one file certificate."""
    users = list(gateways(topology, SSE_CLASSES))
    if not users:
        return
    owned = {name for gateway in users for name in gateway.certificates}
    if not owned:
        yield not_judged(
            ("certificates",),
            "没有登记上交所网关的数字证书。",
            "No certificate of an SSE gateway is entered.",
            Title(
                zh="在 certificates 中登记，并在网关中引用。", en="Enter them in `certificates` and at their gateways."
            ),
        )
        return
    held = {item.kind for item in topology.certificates if item.id in owned}
    missing = listed(_KIND[kind] for kind in CertificateKind if kind not in held)
    if held != set(CertificateKind):
        yield violated(
            ("certificates",),
            f"未持有{missing.zh}。",
            f"No {missing.en} is held.",
            Title(
                zh="至少申请一个 EKey 证书和一个文件证书。", en="Apply for at least one EKey and one file certificate."
            ),
        )
    else:
        yield satisfied(
            ("certificates",), "同时持有 EKey 证书和文件证书。", "At least one EKey and one file certificate are held."
        )


_TRADING = Title(zh="上交所交易网关", en="SSE trading gateway")
_ANY = Title(zh="上交所网关", en="SSE gateway")

RULES = (
    Rule("tdgw-pair", "SSE-2.2a", Severity.ERROR, _TRADING, on_topology(_deployed_as_pair)),
    Rule("tdgw-pair-rooms", "SSE-2.2a", Severity.WARNING, _TRADING, on_topology(_pair_in_two_rooms)),
    Rule("certificate-once", "SSE-2.2c", Severity.ERROR, _ANY, on_topology(_one_gateway_per_certificate)),
    Rule("tdgw-two-certificates", "SSE-2.2b", Severity.ADVICE, _TRADING, on_topology(_two_certificates)),
    Rule("both-certificate-kinds", "SSE-4.2", Severity.ADVICE, _ANY, on_topology(_both_kinds_held)),
)
