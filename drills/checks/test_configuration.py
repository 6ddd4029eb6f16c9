"""Rung 3, the server list in force is the expected one, and where they are known, the certificate and every byte."""

from testinfra.host import Host

from orchestrator.adapters import probes
from orchestrator.adapters.checks_context import CheckContext, CheckedGateway
from orchestrator.adapters.look import Look


def test_the_list_in_force_is_the_expected_one(
    gateway: CheckedGateway, host: Host, look: Look, context: CheckContext
) -> None:
    found = probes.server_file(host, gateway, context.onhost)
    wanted = "a server list" if gateway.endpoints is None else ", ".join(gateway.endpoints)
    look.saw(wanted, f"no file {gateway.spec['config']['path']}" if found is None else ", ".join(found.endpoints))
    assert found is not None
    assert gateway.endpoints is None or found.endpoints == gateway.endpoints
    if gateway.certificate is not None:
        look.saw(f"certificate {gateway.certificate}", f"certificate {found.certificate}")
        assert found.certificate == gateway.certificate
    if gateway.config_sha256 is not None:
        look.saw(f"sha256 {gateway.config_sha256}", f"sha256 {found.sha256}")
        assert found.sha256 == gateway.config_sha256
