"""Rules over what hosts and CE routers say of their networks, log archives and clocks (`audit --live`)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Final

from orchestrator.model.audit import Severity
from orchestrator.model.base import Title
from orchestrator.model.records import LogArchive
from orchestrator.model.topology import Host, Topology
from orchestrator.rules.facts import Facts, LiveArchive, LiveHost, LivePort, months_after
from orchestrator.rules.live_look import unseen
from orchestrator.rules.rule import FieldPath, Found, Rule, not_judged, satisfied, violated

CLOCK_LIMIT_S: Final = 1.0  # our choice: logs of hosts are laid side by side by the second
_SWITCHED: Final = ("bridge", "openvswitch")
_A_YEAR: Final = 12  # months; SSCC-4.2
_LATE_DAYS: Final = 7  # our choice: an archive is written once a week at least


def _no_default_route(facts: Facts) -> Iterator[Found]:
    """SSCC-4.1: a CE router that knows a way to everywhere may know one to the Internet."""
    for router in facts.topology.routers if facts.live else ():
        where: FieldPath = ("live", "hosts", router.id, "default_routes")
        seen = facts.live.hosts.get(router.id) if facts.live else None
        if facts.live and seen is None:
            yield unseen(facts.live, where, router.id)
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


def _one_network(facts: Facts) -> Iterator[Found]:
    """SSCC-4.1: a host with a way to another network, or that hands on between two, joins them."""
    for host in facts.topology.hosts if facts.live else ():
        where: FieldPath = ("live", "hosts", host.id, "isolation")
        seen = facts.live.hosts.get(host.id) if facts.live else None
        if facts.live and seen is None and host.scriptable:
            yield unseen(facts.live, where, host.id)
        elif seen:
            yield _judged_isolation(facts.topology, where, host, seen)


def _judged_isolation(topology: Topology, where: FieldPath, host: Host, seen: LiveHost) -> Found:
    """The default route of a gateway host leads to its CE router, and to nobody else."""
    own = str(topology.router[host.router].site_address)
    others = [hop for hop in seen.default_routes if hop != own]
    wrong = [f"默认路由指向 {hop}" for hop in others] + [f"转发 {name}" for name in seen.forwards]
    wrong_en = [f"a default route to {hop}" for hop in others] + [f"forwards {name}" for name in seen.forwards]
    if not wrong:
        return satisfied(
            where,
            f"{host.id} 不转发，没有通向其他网络的默认路由。",
            f"{host.id} forwards nothing and has no default route to another network.",
        )
    return violated(
        where,
        f"{host.id} 可能连通其他网络：{'；'.join(wrong)}。",
        f"{host.id} may join another network: {'; '.join(wrong_en)}.",
        Title(
            zh=f"关闭转发；默认路由只能指向接入路由器 {host.router}（{own}）。",
            en=f"Turn forwarding off; let its default route lead to {host.router} ({own}) alone.",
        ),
    )


def _routed_ports(facts: Facts) -> Iterator[Found]:
    """SSCC-3.2b: the port towards the exchange is a routed (layer 3) one, as the router itself has it."""
    for line in facts.topology.lines if facts.live else ():
        where: FieldPath = ("live", "lines", line.id, "port")
        seen = facts.live.hosts.get(line.router) if facts.live else None
        if facts.live and seen is None:
            yield unseen(facts.live, where, line.router)
        elif seen:
            yield _judged_port(where, line.id, str(line.local_address), seen.ports.get(str(line.local_address)))


def _judged_port(where: FieldPath, name: str, address: str, port: LivePort | None) -> Found:
    if port is None:
        return not_judged(
            where,
            f"线路 {name} 的本端地址 {address} 不在其接入路由器的任何接口上。",
            f"Line {name}: its address {address} is on no port of its CE router.",
            Title(zh="核对线路的接入路由器和本端地址。", en="Check the line's router and local address."),
        )
    if port.driver in _SWITCHED:
        return violated(
            where,
            f"线路 {name} 的本端地址在交换（二层）接口 {port.device} 上。",
            f"Line {name} ends at {port.device}, a switched (layer 2) port.",
            Title(zh="改为路由（三层）端口。", en="Make it a routed (layer 3) port."),
        )
    told = f"（{port.driver}）" if port.driver else ""
    told_en = f" ({port.driver})" if port.driver else ""
    return satisfied(
        where,
        f"线路 {name} 的本端地址在路由（三层）接口 {port.device}{told} 上。",
        f"Line {name} ends at {port.device}{told_en}, a routed (layer 3) port.",
    )


def _archives(facts: Facts) -> Iterator[Found]:
    """SSCC-4.2: what is kept for a year reaches back a year. Only archives whose place is on record are looked at."""
    for archive in facts.records.log_archives if facts.live else ():
        if archive.host is None or archive.folder is None:
            continue
        where: FieldPath = ("live", "log_archives", archive.id)
        seen = facts.live.hosts.get(archive.host) if facts.live else None
        if facts.live and seen is None:
            yield unseen(facts.live, where, archive.host)
        elif seen:
            yield _judged_archive(where, archive, seen.archives.get(archive.folder), facts.today)


def _judged_archive(where: FieldPath, archive: LogArchive, found: LiveArchive | None, today: date) -> Found:
    place = f"{archive.host}:{archive.folder}"
    if found is None:
        return not_judged(
            where,
            f"日志备份 {archive.id}（{place}）中没有可读取的文件。",
            f"Log archive {archive.id} ({place}): no file of it can be read.",
            Title(zh="核对目录，并授予查询账号读权限。", en="Check the folder, and let the account read it."),
        )
    oldest, newest = (datetime.fromtimestamp(item, UTC).date() for item in (found.oldest_at, found.newest_at))
    wanted = max(archive.since, months_after(today, -_A_YEAR))
    late = (oldest - wanted).days > _LATE_DAYS
    if late or (today - newest).days > _LATE_DAYS:
        return violated(
            where,
            f"日志备份 {archive.id}（{place}）最早为 {oldest}，最新为 {newest}；应自 {wanted} 起不间断。",
            f"Log archive {archive.id} ({place}) goes from {oldest} to {newest}, expected from {wanted} to today.",
            Title(
                zh="查明日志缺失或停止备份的原因，恢复备份。", en="Find out what is missing or stopped, and mend it."
            ),
        )
    return satisfied(
        where,
        f"日志备份 {archive.id}（{place}）自 {oldest} 至 {newest}。",
        f"Log archive {archive.id} ({place}) goes from {oldest} to {newest}.",
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
        yield unseen(facts.live, ("live", "hosts", name, "clock_offset_s"), name)


RULES = (
    Rule(
        "live-no-default-route",
        "SSCC-4.1",
        Severity.ERROR,
        Title(zh="接入路由器", en="CE router"),
        _no_default_route,
    ),
    Rule("live-isolation", "SSCC-4.1", Severity.ERROR, Title(zh="网关主机", en="gateway host"), _one_network),
    Rule("live-routed-port", "SSCC-3.2b", Severity.ERROR, Title(zh="线路", en="line"), _routed_ports),
    Rule(
        "live-log-archive",
        "SSCC-4.2",
        Severity.ERROR,
        Title(zh="登记了存放目录的日志备份", en="log archive whose place is on record"),
        _archives,
    ),
    Rule("live-clock", "our choice", Severity.ADVICE, Title(zh="主机", en="host"), _clock),
)
