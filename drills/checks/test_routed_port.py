"""SSCC-3.2b: towards each terrestrial line the CE router has a routed (layer 3) port, never a switched one.

Looked at: an interface holds the line's own address, is no bridge and is no port of a bridge.
"""

from testinfra.host import Host

from orchestrator.adapters import probes
from orchestrator.adapters.checks_context import CheckedRouter
from orchestrator.adapters.look import Look


def test_every_line_is_on_a_routed_port(router: CheckedRouter, host: Host, look: Look) -> None:
    probes.need_linux(router)
    interfaces = probes.ip_json(host, "ip -j -d addr show")
    wrong = []
    for line, address in router.lines.items():
        found = probes.port_kind(interfaces, address)
        look.saw(f"{line}: routed port", f"{line}: {found}")
        wrong += [] if found == "routed port" else [line]
    assert not wrong
