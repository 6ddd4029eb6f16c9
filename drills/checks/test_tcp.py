"""Rung 2, TCP to the listed endpoint from the gateway's host: connected, refused or no answer. Never a login.

It is read off the gateway's own connection. Only if there is none to read and the site has consented, one own
connection is made, to one listed endpoint, and closed at once. Never to an order port.
"""

import pytest
from testinfra.host import Host

from orchestrator.adapters import probes
from orchestrator.adapters.checks_context import CheckContext, CheckedGateway
from orchestrator.adapters.look import Look


def test_the_listed_endpoint_answers(gateway: CheckedGateway, host: Host, look: Look, context: CheckContext) -> None:
    if not gateway.sessions:
        pytest.skip("no front is expected to answer this gateway")
    own = probes.far_ends(host, gateway, probes.listed(host, gateway, context.onhost))
    endpoint = next((item for item in gateway.sessions if item in own.session), gateway.sessions[0])
    if endpoint in own.session:
        found = "connected"
    elif context.consent_tcp:
        found = probes.connect(host, endpoint)
    elif endpoint in own.connecting:
        found = "no answer"
    else:
        pytest.skip("the gateway has no connection to read it off, and own connections are not consented")
    look.saw(f"{endpoint} connected", f"{endpoint} {found}")
    assert found == "connected"
