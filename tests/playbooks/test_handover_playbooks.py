"""The playbooks of a handover over a real sshd: fence, take over, give back, unfence, and what they refuse."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.host_result import HostResult
from orchestrator.model.event import Outcome
from tests.playbooks import sshd
from tests.playbooks.harness import Vendor
from tests.playbooks.test_ansible import Plays, ansible, server
from tests.playbooks.vendor.front import Front, Registry

__all__ = ["ansible", "server"]

pytestmark = pytest.mark.skipif(sshd.SSHD is None or os.getuid() != 0, reason="needs sshd and root")


@pytest.fixture
def cold(tmp_path: Path, fronts: list[Front]) -> Iterator[Vendor]:
    """The cold standby of the same number, installed beside, not running."""
    made = Vendor(tmp_path / "cold", [fronts[0].endpoint, fronts[1].endpoint])
    made.arm()
    yield made
    made.end()


def play(ansible: Plays, playbook: str, request: dict[str, Any], program: str = "standby") -> HostResult:
    return ansible.play(playbook, {"gw-a1": {"drill_program": program, "drill_requests": [request]}}, 60)["gw-a1"]


def test_a_number_goes_to_its_standby_and_home_again(
    ansible: Plays, vendor: Vendor, cold: Vendor, fronts: list[Front], registry: Registry
) -> None:
    digest = cold.sha256()
    fenced = play(ansible, "fence.yml", vendor.request("block"))
    assert (fenced.outcome, fenced.data["results"][0]["blocked"]) == (Outcome.SUCCEEDED, True), fenced.message
    fields = {"endpoints": [fronts[1].endpoint], "expected_sha256": digest, "rollback": True}
    taken = play(ansible, "take_over.yml", cold.request("take_over", **fields))
    assert taken.outcome is Outcome.SUCCEEDED, taken.message
    seen = play(ansible, "state.yml", cold.request("state"))
    assert seen.data["results"][0]["session"] == fronts[1].endpoint
    given = play(ansible, "give_back.yml", cold.request("give_back", restore_sha256=digest))
    assert given.outcome is Outcome.SUCCEEDED, given.message
    down = play(ansible, "unfence.yml", vendor.request("unblock"))
    assert down.outcome is Outcome.SUCCEEDED, down.message
    assert play(ansible, "restart.yml", vendor.request("restart"), "gateway").outcome is Outcome.SUCCEEDED
    assert [front for _, front in registry.logins] == [fronts[0].endpoint, fronts[1].endpoint, fronts[0].endpoint]
    assert registry.duplicates == []
    assert (vendor.config.read_bytes(), cold.config.read_bytes()) == (vendor.original, cold.original)


def test_a_look_at_a_gateway_whose_file_is_aside(ansible: Plays, vendor: Vendor) -> None:
    play(ansible, "fence.yml", vendor.request("block"))
    seen = play(ansible, "state.yml", vendor.request("standing"))
    assert (seen.outcome, seen.data["results"][0]["blocked"]) == (Outcome.SUCCEEDED, True), seen.message


def test_previews_change_nothing(ansible: Plays, vendor: Vendor, registry: Registry) -> None:
    asked = {"drill_program": "standby", "drill_requests": [vendor.request("block")]}
    found = ansible.play("fence.yml", {"gw-a1": asked}, 40, check=True)["gw-a1"]
    assert found.outcome is Outcome.WOULD_CHANGE
    assert (vendor.config.read_bytes(), registry.logouts) == (vendor.original, [])


@pytest.mark.parametrize(
    ("playbook", "op", "fields"),
    [
        ("fence.yml", "stop", {}),
        ("fence.yml", "fence", {"host": "gw-a1", "addresses": [], "networks": ["172.60.101.0/24"]}),
        ("fence.yml", "fence", {"host": "gw-a1", "addresses": ["198.19.1.11"]}),
        ("fence.yml", "fence", {"addresses": ["198.19.1.11"], "networks": ["172.60.101.0/24"]}),
        ("take_over.yml", "take_over", {}),
        ("give_back.yml", "give_back", {}),
    ],
)
def test_an_incomplete_request_never_reaches_the_host(
    ansible: Plays, server: sshd.Server, vendor: Vendor, playbook: str, op: str, fields: dict[str, Any]
) -> None:
    before = server.commands()
    found = play(ansible, playbook, vendor.request(op, **fields))
    assert found.outcome is Outcome.FAILED
    assert "Nothing was touched: expected op" in found.message
    assert server.commands() == before
