"""Rung 3, the gateway's process runs exactly where it should: a cold standby must not."""

from testinfra.host import Host

from orchestrator.adapters import probes
from orchestrator.adapters.checks_context import CheckedGateway
from orchestrator.adapters.look import Look


def test_the_process_runs_where_it_should(gateway: CheckedGateway, host: Host, look: Look) -> None:
    runs = bool(probes.pids(host, gateway))
    look.saw("running" if gateway.should_run else "stopped", "running" if runs else "stopped")
    assert runs is gateway.should_run
