"""Rung 1, line and route. From the gateway's host to every listed endpoint; at the CE router, by the right line.

A route is looked up in the host's own tables: nothing is sent, and ping is never asked.
"""

from testinfra.host import Host

from orchestrator.adapters import probes
from orchestrator.adapters.checks_context import CheckContext, CheckedGateway, CheckedRouter
from orchestrator.adapters.look import Look


def test_the_host_has_a_route_to_every_listed_endpoint(
    gateway: CheckedGateway, host: Host, look: Look, context: CheckContext
) -> None:
    listed = gateway.endpoints or probes.listed(host, gateway, context.onhost)
    missing = [item for item in listed if probes.next_hop(host, item.rpartition(":")[0]) is None]
    look.saw("route", f"no route to {', '.join(missing)}" if missing else "route")
    assert listed
    assert not missing


def test_the_router_uses_the_expected_line(router: CheckedRouter, host: Host, look: Look) -> None:
    probes.need_linux(router)
    wrong = []
    for centre, route in router.routes.items():
        hop = probes.next_hop(host, route.address)
        good = hop is None if route.line is None else hop in route.hops
        look.saw(f"{centre}: {route.line}", f"{centre}: {route.line if good else hop}")
        wrong += [] if good else [centre]
    assert not wrong
