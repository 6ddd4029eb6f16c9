"""Rung 5, the gateway itself says that it is logged in (multicast: that it receives), and with which certificate."""

from testinfra.host import Host

from orchestrator.adapters import probes
from orchestrator.adapters.checks_context import CheckedGateway
from orchestrator.adapters.look import Look


def test_the_gateway_is_logged_in_where_it_should_be(gateway: CheckedGateway, host: Host, look: Look) -> None:
    found = probes.is_logged_in(host, gateway)
    look.saw("logged in" if gateway.logged_in else "not logged in", "logged in" if found else "not logged in")
    assert found is gateway.logged_in
    said = probes.certificate(host, gateway) if found and gateway.certificate is not None else None
    if said is not None:
        look.saw(f"logged in with certificate {gateway.certificate}", f"logged in with certificate {said}")
        assert said == gateway.certificate
