"""SSCC-4.1: the way to the exchange is not joined to the Internet or another public network.

Looked at: the CE router's default routes in all tables, IPv4 and IPv6, and its route to an address that no
private network holds (192.0.2.1, RFC 5737: a look-up, nothing is sent). A gateway host may have a default route,
towards its CE router; what lies behind other interfaces of the host is the audit's business.
"""

from testinfra.host import Host

from orchestrator.adapters import probes
from orchestrator.adapters.checks_context import CheckedRouter
from orchestrator.adapters.look import Look

_REFUSES = ("unreachable", "blackhole", "prohibit", "throw")
_PUBLIC = "192.0.2.1"


def test_the_router_has_no_way_to_a_public_network(router: CheckedRouter, host: Host, look: Look) -> None:
    probes.need_linux(router)
    routes = probes.ip_json(host, "ip -j route show table all default")
    ways = [
        f"default via {item.get('gateway') or item.get('dev')}" for item in routes if item.get("type") not in _REFUSES
    ]
    hop = probes.next_hop(host, _PUBLIC)
    ways += [f"{_PUBLIC} via {hop}"] if hop else []
    look.saw("no default route", ", ".join(ways) or "no default route")
    assert not ways
