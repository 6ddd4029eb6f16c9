"""A certificate cannot be used, on a twin: its gateway goes on with its other one; the fronts' own record judges."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.drill import CertificateCause, FaultManner
from orchestrator.model.plan import Fault
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import Restoration, RunOutcome
from orchestrator.twin import Twin
from tests.support.command import drillctl
from tests.support.sites import ROOT

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]

DRILL = "certificate-failover"
EKEY, FILE, NUMBER = "sse-td-1-ekey", "sse-td-1-file", "T50010"


def rehearsed(folder: Path, *settings: str) -> RunRecord:
    said = drillctl("rehearse", DRILL, *settings, "--json", state=folder)
    assert said.code == 0, said.err[-3000:] + said.out[-2000:]
    verdict = said.record.verdict
    assert (verdict.outcome, verdict.restoration, verdict.differences) == (
        RunOutcome.PASSED,
        Restoration.PROVED,
        (),
    )
    return said.record


def truth(record: RunRecord) -> dict[str, Any]:
    """What the fronts saw. No number and no certificate was ever asked for at two places at once."""
    assert record.ground_truth is not None
    assert (record.ground_truth["duplicates"], record.ground_truth["shared_certificates"]) == (0, 0)
    return record.ground_truth


def accepted(record: RunRecord, number: str) -> list[str]:
    """The certificates of its log-ins, in order."""
    return [item["certificate"] for item in truth(record)["logins"] if item["number"] == number and item["accepted"]]


def starts(record: RunRecord, ekey: str) -> list[dict[str, Any]]:
    """How often the EKey was opened from the fault on."""
    assert record.fault_at is not None
    return [item for item in truth(record)["pin_attempts"][ekey] if item["at"] > record.fault_at]


CAUSES = [
    "ekey_locked",
    *(pytest.param(name, marks=pytest.mark.matrix) for name in ("expired", "lost", "damaged", "reissue")),
]


@pytest.mark.parametrize("cause", CAUSES)
def test_a_gateway_goes_on_with_its_file_certificate_and_starts_its_ekey_once(tmp_path: Path, cause: str) -> None:
    record = rehearsed(tmp_path, "--set", f"cause={cause}")
    assert accepted(record, NUMBER) == [EKEY, FILE, EKEY]
    [start] = starts(record, EKEY)
    assert record.lifted_at is not None
    assert start["right"]
    assert start["at"] > record.lifted_at, "only on the way back, when it can be used again"
    others = [item for item in truth(record)["logins"] if item["number"] != NUMBER]
    assert len(others) == len({item["number"] for item in others}), "nobody else logged in again"
    held = [proof.certificate for proof in record.interlocks if proof.number == NUMBER]
    assert held == [FILE, EKEY]


@pytest.mark.matrix
@pytest.mark.parametrize("cause", ["expired", "damaged"])
def test_from_a_file_certificate_the_ekey_is_started_on_the_way_there_only(tmp_path: Path, cause: str) -> None:
    record = rehearsed(tmp_path, "--set", "certificate=sse-md-1-file", "--set", f"cause={cause}")
    assert accepted(record, "M60010") == ["sse-md-1-file", "sse-md-1-ekey", "sse-md-1-file"]
    assert len(starts(record, "sse-md-1-ekey")) == 1


@pytest.fixture
def twin(own_twins: None) -> Iterator[Twin]:  # noqa: ARG001 - its folder of twins has to be there first
    made = Twin.up(load_site(ROOT / "inventory/example"))
    yield made
    made.down()


@pytest.mark.matrix
def test_a_second_certificate_that_is_revoked_too_fails_the_run_without_a_second_try(
    tmp_path: Path, twin: Twin
) -> None:
    """Behind the product's back: its front refuses the certificate that the plan has chosen."""
    revoked = Fault(manner=FaultManner.DARK, certificates=(FILE,), cause=CertificateCause.REISSUE)
    twin.inject(revoked, 600)
    inside = ("twin", "exec", twin.name, "--", f"{ROOT}/.venv/bin/python", "-m", "orchestrator")
    said = drillctl(*inside, "rehearse", DRILL, "--json", state=tmp_path)
    assert said.code == 1, said.err[-3000:]
    record = said.record
    assert (record.verdict.outcome, record.verdict.restoration) == (RunOutcome.FAILED, Restoration.PROVED)
    reasons = " ".join(reason.en for reason in record.verdict.reasons)
    assert "sse-td-1: expected its log-in to be accepted, found it refused: not tried again" in reasons
    tries = [item for item in twin.truth()["logins"] if item["certificate"] == FILE]
    assert [item["reason"] for item in tries] == ["certificate is revoked"], "one try, no storm"
    assert len(starts(record, EKEY)) == 1
    assert (twin.truth()["duplicates"], twin.truth()["shared_certificates"]) == (0, 0)
    assert twin.truth()["current"][NUMBER]["certificate"] == EKEY
