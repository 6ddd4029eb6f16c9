"""What would cure a failure: the cheapest single addition, and it really does."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from orchestrator.model.topology import Line, Topology
from orchestrator.planner.additions import CureKind
from orchestrator.planner.cures import Cure, cure_of
from orchestrator.planner.failures import failures_named
from orchestrator.planner.survey import Survey
from orchestrator.planner.whatif import WhatIf
from tests.planner.example import TOPOLOGY, changed
from tests.planner.test_whatif_pairs import specs
from tests.support.sites import SiteSpec, topology_of

TODAY = date(2026, 11, 22)
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def lost(text: str, topology: Topology = TOPOLOGY) -> list[str]:
    return WhatIf(topology, TODAY).answer(failures_named(topology, text)).lost


def cure(text: str, topology: Topology = TOPOLOGY) -> Cure | None:
    what_if = WhatIf(topology, TODAY)
    failed = failures_named(topology, text)
    return cure_of(what_if, failed, what_if.answer(failed).lost)


def cured(text: str, topology: Topology = TOPOLOGY) -> Cure:
    found = cure(text, topology)
    assert found is not None
    return found


# Each kind, made by hand from what the cure says -----------------------------------------------------

# Both gateways of a pair listing one centre only, and no cold standby in their way.
_ONE_CENTRE: dict[str, Any] = {
    "gateways": {"nq-md-1": {"servers": ["futian-market"]}, "nq-md-2": {"servers": ["futian-market"]}}
}


def test_an_entry_of_a_server_list() -> None:
    topology = changed(_ONE_CENTRE)
    found = cured("centre=futian", topology)
    assert (found.kind, found.cured, found.left) == (CureKind.SERVER, ("nq-md-1", "nq-md-2"), ())
    assert found.text.en == "one entry in the server list of nq-md-1: southern-market at Southern"
    longer = changed({"gateways": {**_ONE_CENTRE["gateways"], "nq-md-1": {}}})
    assert lost("centre=futian", topology) == ["nq-md-1", "nq-md-2"]
    assert lost("centre=futian", longer) == []


def test_a_route_over_a_line_that_is_there() -> None:
    without = {"routers": {name: {"paths": {"sse-one": [line], "sse-two": [line]}} for name, line in _OWN.items()}}
    topology = changed(without)
    found = cured("line=sse-tel,router=ce-b", topology)
    assert found.kind is CureKind.LINE  # ce-b is gone, and with it its line
    found = cured("line=sse-tel,gateway=sse-td-2,gateway=sse-md-2", topology)
    assert (found.kind, found.left) == (CureKind.ROUTE, ())
    assert "on ce-a" in found.text.en
    assert "over sse-uni" in found.text.en
    with_it = changed({"routers": {**without["routers"], "ce-a": {"paths": {"sse-one": ["sse-tel", "sse-uni"]}}}})
    failed = "line=sse-tel,gateway=sse-td-2,gateway=sse-md-2"
    assert lost(failed, topology) == ["sse-td-1", "sse-td-2", "sse-md-1", "sse-md-2"]
    assert lost(failed, with_it) == []


_OWN = {"ce-a": "sse-tel", "ce-b": "sse-uni"}


def test_a_certificate() -> None:
    found = cured("certificate=nq-md-1-file,certificate=nq-md-2-file")
    assert (found.kind, found.left) == (CureKind.CERTIFICATE, ())
    assert "nq-md-1 (W100210)" in found.text.en


def test_a_cold_standby() -> None:
    found = cured("host=gw-a4,host=gw-b4")
    assert (found.kind, found.left) == (CureKind.STANDBY, ())
    assert found.text.en == "one cold standby of nq-ccnet-1 (W100230) on host gw-b1"


def test_a_line() -> None:
    found = cured("line=sse-tel,line=sse-uni")
    assert (found.kind, found.left) == (CureKind.LINE, ())
    assert found.text.en == "one line of China Telecom from ce-a to SSE centre one (example)"
    assert lost("line=sse-tel,line=sse-uni", _with_line()) == []


def _with_line() -> Topology:
    """The line that the cure names, entered as an operator would."""
    data = TOPOLOGY.model_dump(mode="json", by_alias=True)
    line = Line.model_validate(
        TOPOLOGY.line["sse-tel"].model_dump()
        | {"id": "third", "network": "100.127.0.0/30", "local_address": "100.127.0.1", "remote_address": "100.127.0.2"}
    )
    data["lines"].append(line.model_dump(mode="json"))
    data["routers"][0]["paths"]["sse-one"].append("third")
    return Topology.model_validate(data)


def test_both_carriers_need_a_third() -> None:
    found = cured("carrier=telecom,carrier=unicom")
    assert found.kind is CureKind.LINE
    assert "another carrier" in found.text.en
    assert found.left
    assert set(found.cured) | set(found.left) == set(lost("carrier=telecom,carrier=unicom"))


def test_what_no_single_addition_saves() -> None:
    assert cure("router=ce-a,router=ce-b") is None
    assert cure("centre=sse-one,centre=sse-two") is None


def test_where_nothing_is_lost_nothing_is_to_be_cured() -> None:
    assert cure("centre=futian") is None


# Any site --------------------------------------------------------------------------------------------


@few
@given(specs)
def test_a_cure_accounts_for_everything_that_is_lost(spec: SiteSpec) -> None:
    topology = topology_of(spec)
    survey = Survey(WhatIf(topology, TODAY))
    for loss in (*survey.losing[:6], *survey.worst_pairs(6)):
        assert set(loss.lost) == set(survey.what_if.answer(loss.failed).lost)
        if loss.cure:
            assert loss.cure.cured
            assert sorted((*loss.cure.cured, *loss.cure.left)) == sorted(loss.lost)


@pytest.mark.parametrize("cold", ["", "spare"])
def test_a_large_site_is_surveyed_and_its_rows_cover_every_failure(cold: str) -> None:
    survey = Survey(WhatIf(topology_of(SiteSpec(pairs=20, hosts=8, cold=cold)), TODAY))
    shown = [failure for row in survey.rows for failure in row.alike]
    assert sorted((*shown, *survey.harmless)) == sorted(survey.what_if.failures)
    assert len(survey.rows) < 40
    worse = {failure for pair in survey.pairs.worse for failure in pair}
    assert worse == {failure for heat in survey.heat for failure in heat.alike}
