"""An incident on a twin: a carrier dies, nobody tells the product, and a switchover brings every gateway back."""

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.model.drill import FaultManner
from orchestrator.model.evidence import FindingKind
from orchestrator.model.plan import Fault
from orchestrator.model.verdict import Restoration, RunOutcome
from tests.support.command import Said, drillctl
from tests.support.twins import until
from tests.twin.test_approved_run import INSIDE, Office, office

__all__ = ["office"]

pytestmark = pytest.mark.twin


def switchover(office: Office, *more: str, by: str = "li") -> Said:
    words: tuple[str, ...] = ("switchover", "single-carrier-failure", "--set", "carrier=telecom", "--by", by)
    words = (*words, "--key", str(office.signers.key(by)), *more, "--json", "--site", str(office.site))
    return drillctl("twin", "exec", office.twin.name, "--", *INSIDE, *words, state=office.folder)


def named(office: Office) -> dict[str, Any]:
    """What triage proposes first: always this fault, however far the gateways' own failover is."""
    found = office.look().document
    first: dict[str, Any] = found["proposals"][0]
    assert (first["drill"], first["parameters"]) == ("single-carrier-failure", {"carrier": "telecom"}), found["wrong"]
    return first


def test_a_switchover_brings_back_what_a_dead_carrier_took(office: Office) -> None:
    lines = tuple(line.id for line in office.topology.lines if line.carrier == "telecom")
    logged_in = sum(item.enabled and not item.receives_only for item in office.topology.gateways)
    until(lambda: office.logged_in() == logged_in, 30)
    dead = Fault(manner=FaultManner.DARK, carriers=("telecom",), lines=lines)
    office.twin.inject(dead, timedelta(hours=1).total_seconds())
    until(lambda: office.logged_in() < logged_in, 30)

    assert named(office)["differences"] is not None  # while the gateways are still on their way
    until(lambda: named(office)["fits"], 40)  # once they have come to rest, it explains everything

    said = switchover(office, "--reason", "电信线路全部中断")
    assert (said.code, said.out) == (3, ""), said.err
    assert "NOT_APPROVED: " in said.err

    said = switchover(office, "--reason", "电信线路全部中断", "--break-glass")
    assert said.code == 0, said.err
    record = said.record
    assert (record.plan.mode, record.verdict.outcome) == ("incident", RunOutcome.PASSED)
    assert record.verdict.restoration is Restoration.NOT_APPLICABLE
    assert [item.kind for item in record.approvals] == ["break-glass", "start"]
    assert [item.kind for item in record.findings][:1] == [FindingKind.REVIEW]
    assert office.logged_in() == logged_in
    truth = office.twin.truth()
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)
    assert all(item.state == "met" for item in record.verdict.objectives)
