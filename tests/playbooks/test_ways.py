"""Where a host would send something, by its own kernel: nothing is sent."""

import importlib.util
import json
import subprocess
from types import ModuleType

import pytest

from tests.support.sites import ROOT


@pytest.fixture(scope="module")
def ways() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ways", ROOT / "playbooks" / "onhost" / "ways.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_loopback_is_on_its_device_without_a_next_hop(ways: ModuleType) -> None:
    assert ways.hops(["127.0.0.1"]) == {"127.0.0.1": {"via": None, "dev": "lo"}}


ASK = "import json, sys; sys.path[:0] = [sys.argv[1]]; import ways; print(json.dumps(ways.hops(sys.argv[2:])))"
NETWORK = """
ip link set lo up; ip link add way0 type veth peer name far0; ip link set way0 up; ip link set far0 up
ip addr add 203.0.113.1/30 dev way0; ip route add 198.51.100.0/24 via 203.0.113.2
ip route add unreachable 192.0.2.0/24
exec python3 -I -S -c "$@"
"""


@pytest.mark.twin
def test_next_hop_and_interface_are_as_ip_route_get_has_them() -> None:
    """In a network namespace of its own, which has no way out."""
    asked = ["198.51.100.7", "192.0.2.7", "10.9.9.9", "203.0.113.2"]
    folder = str(ROOT / "playbooks" / "onhost")
    done = subprocess.run(
        ["unshare", "--net", "sh", "-ec", NETWORK, "sh", ASK, folder, *asked],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "198.51.100.7": {"via": "203.0.113.2", "dev": "way0"},
        "192.0.2.7": None,
        "10.9.9.9": None,
        "203.0.113.2": {"via": None, "dev": "way0"},
    }
