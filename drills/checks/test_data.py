"""Rung 6, market data moves: the last sequence changes between two looks at most two seconds apart."""

import pytest
from testinfra.host import Host

from orchestrator.adapters import probes
from orchestrator.adapters.checks_context import CheckedGateway
from orchestrator.adapters.look import Look


def test_the_sequence_moves(gateway: CheckedGateway, host: Host, look: Look) -> None:
    if not gateway.logged_in:
        pytest.skip("no data is expected where the gateway is not logged in")
    if not gateway.spec["status"]["sequence_key"]:
        pytest.skip("the profile names no sequence in the status file")
    first, second = probes.sequences(host, gateway)
    look.saw("data moves", f"{first} → {second}")
    assert first != second
