"""A certificate that cannot be used: which one the gateway goes on with, and what is refused by name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import Refused
from orchestrator.model.drill import CertificateCause, Mode, Response
from orchestrator.model.plan import Action, Plan, Verb
from orchestrator.model.topology import CertificateKind, Topology
from tests.planner.example import TOPOLOGY, change_of, changed, planned

DRILL = "certificate-failover"
EKEYS = {item.id for item in TOPOLOGY.certificates if item.kind is CertificateKind.EKEY}


def plan(topology: Topology = TOPOLOGY, **question: Any) -> Plan:
    return planned(topology, DRILL, **question)


def refusal(topology: Topology = TOPOLOGY, **question: Any) -> str:
    with pytest.raises(Refused) as caught:
        plan(topology, **question)
    return str(caught.value)


@pytest.mark.parametrize("cause", list(CertificateCause))
def test_it_goes_on_with_its_file_certificate_at_its_front_and_line(cause: CertificateCause) -> None:
    change = change_of(plan(cause=cause.value), "sse-td-1")
    assert change.action is Action.CERTIFICATE
    assert change.before is not None
    assert change.after == change.before.model_copy(update={"certificate": "sse-td-1-file"})
    assert change.list_after == change.list_before


def test_one_step_changes_it_and_one_undoes_it() -> None:
    made = plan()
    [there] = [step for step in made.steps if step.verb is Verb.REPOINT]
    [back] = [step for step in made.steps if step.verb is Verb.RESTORE]
    assert there.targets[0].arguments["certificate"] == "sse-td-1-file"
    assert back.targets[0].arguments["certificate"] == "sse-td-1-ekey"
    assert back.undoes == there.id
    assert not [step for step in made.steps if step.verb is Verb.RESTART], "a restart would start the EKey again"


def test_a_file_certificate_never_locks() -> None:
    assert refusal(certificate="sse-md-1-file").startswith("CAUSE_NOT_POSSIBLE: certificate sse-md-1-file")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"valid_to": "2026-11-20"}, "sse-td-1-file is valid 2025-03-01 to 2026-11-20"),
        ({"tested_on": None}, "sse-td-1-file was never tested (SSE-4.5)"),
    ],
)
def test_without_another_one_its_hot_standby_goes_on_or_it_is_refused(fields: dict[str, Any], why: str) -> None:
    old = {"certificates": {"sse-td-1-file": fields}}
    assert change_of(plan(changed(old)), "sse-td-1").action is Action.HOT_STANDBY
    alone = {**old, "gateways": {"sse-td-1": {"pair": None}, "sse-td-2": {"pair": None}}}
    said = refusal(changed(alone))
    assert said.startswith("NO_CERTIFICATE: gateway sse-td-1 (T50010)")
    assert "sse-td-1-ekey fails (ekey_locked)" in said
    assert why in said


def test_a_profile_that_does_not_say_where_the_certificate_stands_is_refused() -> None:
    config = TOPOLOGY.profiles["sse-tdgw"].config.model_dump(mode="json") | {"certificate": None}
    alone = {"sse-td-1": {"pair": None}, "sse-td-2": {"pair": None}}
    unknown = changed({"profiles": {"sse-tdgw": {"config": config}}, "gateways": alone})
    assert refusal(unknown).startswith("CERTIFICATE_PLACE_UNKNOWN: gateway sse-td-1")


def test_no_run_starts_two_ekeys() -> None:
    second = changed({"certificates": {"sse-td-1-file": {"kind": "ekey", "host": "gw-a5"}}})
    assert refusal(second).startswith("EKEY_START_LIMIT: gateway sse-td-1")
    assert change_of(plan(second, mode=Mode.INCIDENT), "sse-td-1").action is Action.CERTIFICATE


def test_a_person_attends_the_start_of_the_ekey_on_the_site() -> None:
    ids = [step.id for step in plan(mode=Mode.DRILL).steps]
    assert ids.index("confirm-attend-sse-td-1-ekey") < ids.index("restore-1")
    assert ids.index("confirm-attend-sse-td-1-ekey") > ids.index("repoint-1")
    there = [step.id for step in plan(mode=Mode.DRILL, certificate="sse-md-1-file", cause="expired").steps]
    assert there.index("confirm-attend-sse-md-1-ekey") < there.index("repoint-1")
    assert not [name for name in (step.id for step in plan().steps) if name.startswith("confirm-")]


def test_an_incident_asks_for_the_cure_and_never_goes_back() -> None:
    locked, lost = plan(mode=Mode.INCIDENT), plan(mode=Mode.INCIDENT, cause="lost")
    for made, word in ((locked, "解锁流程"), (lost, "原证书注销")):
        [cure] = [step for step in made.steps if step.id == "confirm-cure-sse-td-1-ekey"]
        assert word in cure.targets[0].arguments["expected"]["zh"]
        assert not [step for step in made.steps if step.verb in (Verb.RESTORE, Verb.LIFT)]
    assert any("021-58654154" in note.en for note in locked.notes)


USED = sorted({item.certificate for item in TOPOLOGY.gateways if item.enabled and item.certificate})


@given(st.sampled_from(USED), st.sampled_from(list(CertificateCause)), st.sampled_from(list(Response)))
def test_nobody_ever_shares_a_certificate_and_no_ekey_is_started_twice(
    certificate: str, cause: CertificateCause, response: Response
) -> None:
    try:
        made = plan(certificate=certificate, cause=cause.value, response=response)
    except Refused:
        return
    used = [change.after.certificate for change in made.gateways if change.after and change.after.certificate]
    assert len(used) == len(set(used))
    assert certificate not in used
    for change in made.gateways:
        if change.action is Action.CERTIFICATE and change.before and change.after:
            own = TOPOLOGY.gateway[change.gateway].certificates
            assert change.after.certificate in own
            assert len({change.before.certificate, change.after.certificate} & EKEYS) <= 1
