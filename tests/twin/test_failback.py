"""The way home on a twin: what fails is mended behind the product's back; then everything goes back and is proved."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from orchestrator.model.drill import FaultManner
from orchestrator.model.plan import Action, Fault
from orchestrator.model.verdict import Integrity, Restoration, RunOutcome
from tests.support.command import Said, drillctl
from tests.support.twins import until
from tests.twin.test_approved_run import INSIDE, Office, office

__all__ = ["office"]

pytestmark = pytest.mark.twin

LONG_S = timedelta(hours=1).total_seconds()


def switchover(office: Office, drill: str, *settings: str, by: str = "li") -> Said:
    words = ("switchover", drill, *settings, "--reason", "通信中断", "--break-glass", "--by", by)
    words = (*words, "--key", str(office.signers.key(by)), "--json", "--site", str(office.site))
    return drillctl("twin", "exec", office.twin.name, "--", *INSIDE, *words, state=office.folder)


def saved(office: Office, run: str, by: str = "wang") -> str:
    said = office.call("failback", run, "--save", "--by", by)
    assert said.code == 0, said.err
    return said.out.split("on file as ")[1].split(";")[0]


def whole(office: Office) -> int:
    return sum(item.enabled and not item.receives_only for item in office.topology.gateways)


def refused(office: Office, plan: str, code: str) -> None:
    said = office.run(plan)
    assert said.code == 3, said.err
    assert f"{code}: " in said.err


def broken(office: Office, fault: Fault) -> None:
    until(lambda: office.logged_in() == whole(office), 30)
    office.twin.inject(fault, LONG_S)
    until(lambda: office.logged_in() < whole(office), 30)


def brought_home(office: Office, incident: Said, fault: Fault, *, settles: bool = True) -> Said:
    """Asked for, approved, refused while the fault lasts, and carried out once it is mended."""
    run = incident.record.run
    plan = saved(office, run)
    refused(office, plan, "NOT_APPROVED")
    assert office.approve(plan, "chen", "--window", "now").code == 0
    if settles:
        refused(office, plan, "NOT_RELEASED")
        assert office.approve(plan, "wang", "--release", "--reason", "清算已完成").code == 0
    refused(office, plan, "FAULT_STILL_THERE")
    office.twin.lift(fault)
    until(lambda: is_mended(office), 60)
    said = office.run(plan)
    assert said.code == 0, said.err
    record = said.record
    assert record.plan.fails_back is not None
    assert record.plan.fails_back.run == run
    verdict = record.verdict
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED), verdict.reasons
    assert verdict.integrity is Integrity.SEALED
    assert all(item.came_back for item in verdict.gateways if item.action is Action.HOME)
    assert office.logged_in() == whole(office)
    assert office.look().document["wrong"] == []
    truth = office.twin.truth()
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)
    again = office.call("failback", run)
    assert (again.code, "FAILED_BACK" in again.err) == (3, True)
    verified = office.call_plainly(
        "evidence",
        "verify",
        str(Path(said.document["evidence"])),
        "--allowed-signers",
        str(office.signers.allowed),
    )
    assert verified.code == 0, verified.out
    return said


@contextmanager
def confirming(office: Office, step: str) -> Iterator[None]:
    """Meanwhile the person whose step it is says that it is done, as soon as a run asks for it."""
    over = Event()

    def says() -> None:
        for _ in iter(lambda: over.wait(1.0), True):
            for run in (office.folder / "reports").glob("2*"):
                if office.call_plainly("confirm", run.name, step, "--by", "li").code == 0:
                    return

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(says)
        try:
            yield
        finally:
            over.set()
            done.result(60)


def is_mended(office: Office) -> bool:
    """No host silent, and no router on another line than on a normal day, as triage sees it."""
    seen = office.look().document
    return not seen["silent_hosts"] and not any(" → " in item["what"] for item in seen["wrong"])


@pytest.mark.matrix
def test_a_carrier_that_is_mended_is_gone_back_to(office: Office) -> None:
    lines = tuple(line.id for line in office.topology.lines if line.carrier == "telecom")
    dead = Fault(manner=FaultManner.DARK, carriers=("telecom",), lines=lines)
    broken(office, dead)
    incident = switchover(office, "single-carrier-failure", "--set", "carrier=telecom")
    assert incident.code == 0, incident.err
    brought_home(office, incident, dead)


@pytest.mark.matrix
def test_a_host_that_is_back_gets_its_number_from_its_standby(office: Office) -> None:
    dead = Fault(manner=FaultManner.DARK, hosts=("gw-a1",))
    broken(office, dead)
    with confirming(office, "confirm-order-system"):
        incident = switchover(office, "gateway-host-failure", "--set", "host=gw-a1")
    assert incident.code == 0, incident.err
    with confirming(office, "confirm-order-system-back"):
        said = brought_home(office, incident, dead, settles=False)
    assert [item.gateway for item in said.record.interlocks if item.target_host == "gw-a1"]


def test_lists_that_a_switchover_changed_are_the_old_bytes_again(office: Office) -> None:
    """The centre dies when the switchover has just looked: the gateways have had no time to help themselves."""
    until(lambda: office.logged_in() == whole(office), 30)
    plan = office.call("plan", "single-centre-failure", "--mode", "incident", "--json").document
    dead = Fault.model_validate(plan["fault"])
    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(switchover, office, "single-centre-failure")
        until(lambda: any((office.folder / "reports").glob("*/junit-baselining.xml")), 120)
        office.twin.inject(dead, LONG_S)
        incident = begun.result()
    assert incident.code == 0, incident.err
    assert incident.record.verdict.lists_changed
    said = brought_home(office, incident, dead)
    restored = [item for item in said.record.configurations if item.sha256_during != item.sha256_before]
    assert len(restored) == incident.record.verdict.lists_changed == said.record.verdict.lists_changed
    assert all(item.sha256_after == item.sha256_before for item in restored)
