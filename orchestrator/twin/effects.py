"""What a fault means for the twin: which namespaces drop what, which fronts misbehave, which hosts stop. Pure.

Every namespace gets one nftables table per fault, named after the fault: so faults that overlap are lifted
one by one, and lifting twice does no harm.
"""

from dataclasses import dataclass, field
from typing import Literal

from orchestrator.errors import Refused
from orchestrator.model.drill import CertificateCause, FaultManner
from orchestrator.model.plan import Fault, digest_of
from orchestrator.model.topology import Front, Topology
from orchestrator.twin.layout import centre_space, host_space, line_space, router_space

_SILENCE = """
add table inet {table}
add chain inet {table} enters {{ type filter hook prerouting priority -400; policy drop; }}
add rule inet {table} enters iifname lo accept
add chain inet {table} leaves {{ type filter hook output priority -400; policy drop; }}
add rule inet {table} leaves oifname lo accept
"""
_FORWARDS_NOTHING = """
add table inet {table}
add chain inet {table} passes {{ type filter hook forward priority -400; policy drop; }}
"""
# RFC 5880 and RFC 5883: BFD is all that a grey centre still answers
_SERVES_NOTHING = """
add table inet {table}
add chain inet {table} enters {{ type filter hook input priority -400; policy drop; }}
add rule inet {table} enters udp dport {{ 3784, 4784 }} accept
"""
_REFUSES = """
add table inet {table}
add chain inet {table} passes {{ type filter hook forward priority -400; policy drop; }}
add rule inet {table} passes meta l4proto tcp reject with tcp reset
"""


_SOME_FRONTS = """
add table inet {table}
add chain inet {table} enters {{ type filter hook input priority -400; policy accept; }}
add chain inet {table} leaves {{ type filter hook output priority -400; policy accept; }}
"""


def _silent_front(front: Front) -> str:
    """Nothing reaches it and nothing leaves it, while its centre is there."""
    if front.group is not None:
        return f"add rule inet {{table}} leaves ip saddr {front.address} ip daddr {front.group} drop\n"
    here, port = front.address, front.port
    return (
        f"add rule inet {{table}} enters ip daddr {here} tcp dport {port} drop\n"
        f"add rule inet {{table}} leaves ip saddr {here} tcp sport {port} drop\n"
    )


FrontManner = Literal["hang", "refuse"]


@dataclass(frozen=True)
class Effects:
    """`rules`: nft commands by namespace. `fronts`: manner ("hang", "refuse") by front. `frozen`: hosts.
    `certificates`: those that cannot be used, each with why.
    """

    table: str
    rules: dict[str, str] = field(default_factory=dict)
    fronts: dict[str, FrontManner] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    certificates: dict[str, CertificateCause] = field(default_factory=dict)


def fault_key(fault: Fault) -> str:
    """Names a fault by its content: the same fault twice is one fault."""
    return "fault_" + digest_of(fault.model_dump(mode="json"))[:12]


def effects(topology: Topology, fault: Fault) -> Effects:
    """Raises Refused("FAULT_NOT_POSSIBLE") for a fault that has no meaning for what it names."""
    _known(topology, fault)
    table = fault_key(fault)
    lines = {*fault.lines, *(line.id for line in topology.lines if line.carrier in fault.carriers)}
    hosts = [router_space(name) if name in topology.router else host_space(name) for name in fault.hosts]
    manner = fault.manner
    if manner in (FaultManner.HANG, FaultManner.REFUSE, FaultManner.FREEZE):
        return _misbehaving(topology, fault, table, lines)
    if manner is FaultManner.GREY:
        rules = {centre_space(name): _SERVES_NOTHING for name in fault.centres}
        rules |= dict.fromkeys((*map(line_space, lines), *hosts), _FORWARDS_NOTHING)
    else:
        rules = dict.fromkeys((*map(centre_space, fault.centres), *map(line_space, lines), *hosts), _SILENCE)
    for name in fault.fronts:
        space = centre_space(topology.front[name].centre)
        rules[space] = rules.get(space, _SOME_FRONTS) + _silent_front(topology.front[name])
    causes = dict.fromkeys(fault.certificates, fault.cause) if fault.cause else {}
    return Effects(table, {space: text.format(table=table) for space, text in rules.items()}, certificates=causes)


def _misbehaving(topology: Topology, fault: Fault, table: str, lines: set[str]) -> Effects:
    """Something still answers, wrongly. A frozen centre's kernels still accept: for its users it hangs."""
    refuses = fault.manner is FaultManner.REFUSE
    if lines and not refuses:
        raise Refused(
            "FAULT_NOT_POSSIBLE",
            f"expected a line to fail dark, grey or refuse, found {fault.manner}: nothing in it could",
        )
    if fault.hosts and fault.manner is not FaultManner.FREEZE:
        raise Refused("FAULT_NOT_POSSIBLE", f"expected a host to fail dark or freeze, found {fault.manner}")
    fronts: dict[str, FrontManner] = {
        front.id: "refuse" if refuses else "hang" for front in topology.fronts if front.centre in fault.centres
    }
    return Effects(table, {line_space(name): _REFUSES.format(table=table) for name in lines}, fronts, fault.hosts)


def _known(topology: Topology, fault: Fault) -> None:
    machines = {**topology.host, **topology.router}
    for kind, names, known in (
        ("centre", fault.centres, topology.centre),
        ("carrier", fault.carriers, topology.carrier),
        ("line", fault.lines, topology.line),
        ("host", fault.hosts, machines),
        ("front", fault.fronts, topology.front),
        ("certificate", fault.certificates, {item.id: item for item in topology.certificates}),
    ):
        for name in names:
            if name not in known:
                raise Refused(
                    "FAULT_NOT_POSSIBLE", f"expected a {kind} of the twin ({', '.join(sorted(known))}), found {name!r}"
                )
