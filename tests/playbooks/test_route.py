"""route.py on real kernel routes, in a network namespace of its own."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playbooks.onhost_program import answer, program
from tests.playbooks.harness import until

NETWORK = "172.60.101.0/24"
ONE, OTHER = "203.0.113.2", "203.0.113.6"
FIRST = {"run": "20250301T090000-test-0001", "step": "path-1", "attempt": 1}


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

    def request(self, op: str, **fields: Any) -> dict[str, Any]:
        return {
            "op": op,
            "run": "20250301T090000-test-0001",
            "token": 1,
            "deadline_at": time.time() + 10,
            "deadline_s": 10,
            "work_dir": str(self.work),
            "network": NETWORK,
            **fields,
        }

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        request = self.request(op, **fields)
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


def test_the_result_of_an_attempt_is_told_again_to_whoever_asks_for_it(router: Router) -> None:
    moved = router.ask("path", via=OTHER, attempt_of=FIRST)
    assert (moved["outcome"], moved["recorded"]) == ("succeeded", True)
    told = router.ask("state", attempt_of=FIRST, token=2)
    assert (told["busy"], told["last"], len(told["begun"]), told["routes"][NETWORK]["via"]) == (False, moved, 2, OTHER)
    refused = router.ask("path", via=ONE, expected_via=ONE, attempt_of={**FIRST, "attempt": 2})
    assert refused["outcome"] == "refused"
    told = router.ask("state", networks=[NETWORK, "172.50.101.0/24"], attempt_of={**FIRST, "attempt": 2})
    assert told["last"] == refused
    nothing = router.ask("state", attempt_of={**FIRST, "step": "path-2"})
    assert (nothing["last"], nothing["begun"]) == (None, None)


class Ip:
    """An `ip` that waits until it may change a route, so that a request is at work for as long as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.go = folder / "go"
        real = shutil.which("ip")
        wait = f'case "$2" in replace) until [ -e {self.go} ]; do sleep 0.02; done;; esac'
        (folder / "bin").mkdir()
        (folder / "bin/ip").write_text(f'#!/bin/sh\n{wait}\nexec {real} "$@"\n')
        (folder / "bin/ip").chmod(0o755)
        self.path = f"{folder}/bin:{os.environ['PATH']}"


def test_nothing_is_decided_while_an_earlier_request_is_at_work(router: Router, tmp_path: Path) -> None:
    """The second request finds the route where it should be only once the first one has let go."""
    ip = Ip(tmp_path)
    words = ["env", f"PATH={ip.path}", sys.executable, "-I", "-S", "-"]
    results: list[dict[str, Any]] = []

    def send(**fields: Any) -> threading.Thread:
        data = program("route", {"requests": [router.request("path", via=OTHER, **fields)]})

        def ask() -> None:
            found = answer(router.inside(words, data))
            assert found
            results.append(found["results"][0])

        thread = threading.Thread(target=ask)
        thread.start()
        return thread

    first = send(sequence=1, attempt_of=FIRST)
    until(lambda: bool(router.ask("state", attempt_of=FIRST)["begun"]), "the first request is at work")
    assert router.ask("state", attempt_of=FIRST)["busy"] is True
    second = send(sequence=2)
    until(lambda: len(list(router.work.glob("turn-*"))) == 2, "the second request waits")
    ip.go.touch()
    first.join()
    second.join()
    assert [(item["outcome"], item["touched"]) for item in results] == [("succeeded", True), ("succeeded", False)]
    assert router.via() == OTHER


def test_a_router_is_not_cleaned_up_under_a_newer_orchestrator(router: Router) -> None:
    assert router.ask("preflight", token=2)["ok"]
    assert router.ask("path", via=OTHER)["outcome"] == "refused"
    assert router.ask("cleanup")["outcome"] == "refused"
    assert (router.via(), router.work.exists()) == (ONE, True)
    assert router.ask("cleanup", token=2)["changed"] is True
