"""route.py on real kernel routes, in a network namespace of its own."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playbooks.onhost_program import answer, program
from tests.playbooks.harness import until

NETWORK = "172.60.101.0/24"
ONE, OTHER = "203.0.113.2", "203.0.113.6"


def _namespaces() -> bool:
    if os.getuid() != 0 or shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _namespaces(), reason="needs root and network namespaces")


class Router:
    """A namespace with two lines and a static route over the first."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.holder = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE)
        until(lambda: self._space() != Path("/proc/self/ns/net").readlink(), "in a namespace of its own")
        for name, far, line in (("one", "far1", "203.0.113.1/30"), ("two", "far2", "203.0.113.5/30")):
            self.ip("link", "add", name, "type", "veth", "peer", "name", far)
            self.ip("address", "add", line, "dev", name)
            for device in (name, far):
                self.ip("link", "set", device, "up")
        self.ip("route", "add", NETWORK, "via", ONE)

    def _space(self) -> Path:
        return Path(f"/proc/{self.holder.pid}/ns/net").readlink()

    def inside(self, command: list[str], data: bytes = b"") -> str:
        words = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", *command]
        return subprocess.run(words, input=data, capture_output=True, check=True).stdout.decode()

    def ip(self, *words: str) -> str:
        return self.inside(["ip", *words])

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        request = {
            "op": op,
            "run": "20250301T090000-test-0001",
            "token": 1,
            "deadline_at": time.time() + 10,
            "deadline_s": 10,
            "work_dir": str(self.work),
            "network": NETWORK,
            **fields,
        }
        found = answer(self.inside([sys.executable, "-I", "-S", "-"], program("route", {"requests": [request]})))
        assert found
        return dict(found["results"][0])

    def via(self) -> str | None:
        routes = json.loads(self.ip("-j", "route", "show", "exact", NETWORK) or "[]")
        return routes[0]["gateway"] if routes else None

    def end(self) -> None:
        self.holder.communicate()


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    made = Router(tmp_path)
    assert made.ask("preflight")["ok"]
    yield made
    made.end()


def test_a_route_moves_and_comes_back(router: Router) -> None:
    moved = router.ask("path", via=OTHER, expected_via=ONE)
    assert (moved["outcome"], moved["changed"], moved["previous"], moved["new"]) == ("succeeded", True, ONE, OTHER)
    assert router.via() == OTHER
    assert router.ask("path", via=OTHER, expected_via=ONE)["changed"] is False
    back = router.ask("path", via=moved["previous"])
    assert (back["outcome"], router.via()) == ("succeeded", ONE)


def test_a_route_that_was_not_there_is_taken_away_again(router: Router) -> None:
    router.ip("route", "del", NETWORK)
    made = router.ask("path", via=OTHER)
    assert (made["previous"], router.via()) == (None, OTHER)
    assert (router.ask("path", via=None)["outcome"], router.via()) == ("succeeded", None)


def test_a_preview_changes_nothing(router: Router) -> None:
    assert router.ask("path", via=OTHER, check=True)["outcome"] == "would_change"
    assert router.via() == ONE


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"deadline_at": 1.0}, "deadline has passed"),
        ({"token": 7}, "expected token"),
        ({"expected_via": OTHER}, "changed meanwhile"),
        ({"via": "192.0.2.1"}, "expected ip route replace"),
    ],
)
def test_what_cannot_be_done_changes_nothing(router: Router, fields: dict[str, Any], said: str) -> None:
    result = router.ask("path", **{"via": OTHER, **fields})
    assert not result["ok"]
    assert said in result["message"]
    assert router.via() == ONE


def test_a_route_of_a_routing_daemon_is_left_alone(router: Router) -> None:
    router.ip("route", "replace", NETWORK, "via", ONE, "proto", "bird")
    result = router.ask("path", via=OTHER)
    assert (result["outcome"], router.via()) == ("refused", ONE)
    assert "expected a static route" in result["message"]


def test_a_kept_metric_stays(router: Router) -> None:
    router.ip("route", "del", NETWORK)
    router.ip("route", "add", NETWORK, "via", ONE, "metric", "50")
    assert router.ask("path", via=OTHER)["outcome"] == "succeeded"
    assert "metric 50" in router.ip("route", "show", "exact", NETWORK)
    assert len(router.ip("route", "show", "exact", NETWORK).splitlines()) == 1


def test_state_reads_every_network_and_cleanup_leaves_nothing(router: Router) -> None:
    state = router.ask("state", networks=[NETWORK, "172.50.101.0/24"])
    assert state["routes"][NETWORK]["via"] == ONE
    assert state["routes"]["172.50.101.0/24"] is None
    assert router.ask("cleanup")["residue"] == []
    assert not router.work.exists()
