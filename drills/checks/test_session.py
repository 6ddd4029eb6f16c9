"""Rung 4, the gateway's one session is with a front that is allowed, or there is none where none may be.

Multicast has no session: the gateway's own word and the host's joined groups say what is received.
"""

from testinfra.host import Host

from orchestrator.adapters import probes
from orchestrator.adapters.checks_context import CheckContext, CheckedGateway
from orchestrator.adapters.look import Look


def test_the_session_is_with_an_allowed_front(
    gateway: CheckedGateway, host: Host, look: Look, context: CheckContext
) -> None:
    if gateway.spec["receives_only"]:
        found = probes.received(host, gateway)
    else:
        found = probes.far_ends(host, gateway, probes.listed(host, gateway, context.onhost)).session
    look.saw(" or ".join(gateway.sessions) or "no session", ", ".join(sorted(found)) or "no session")
    assert found <= set(gateway.sessions)
    assert len(found) == (1 if gateway.sessions else 0)
