"""The path-diversity proof of a real run: what hosts and routers said is what the fronts saw of each line."""

from pathlib import Path

import pytest

from orchestrator.model.paths import PathState, WayState
from orchestrator.model.record import RunRecord
from tests.support.command import drillctl

pytestmark = [pytest.mark.twin, pytest.mark.matrix, pytest.mark.usefixtures("own_twins")]


def test_the_ways_before_and_during_are_those_that_the_fronts_saw(tmp_path: Path) -> None:
    said = drillctl("rehearse", "single-carrier-failure", "--set", "carrier=telecom", "--json", state=tmp_path)
    assert said.code == 0, said.err[-3000:]
    record = said.record
    assert [proof.when for proof in record.path_proofs] == ["before", "during", "after"]
    before, during, after = record.path_proofs
    assert record.fault_at is not None
    assert record.lifted_at is not None
    assert as_seen(record, 0, 0.0, record.fault_at) >= 12
    assert as_seen(record, 1, record.fault_at, record.lifted_at) > 0
    assert all(item.own.state is PathState.ONE for item in before.gateways), "one CE router per room"
    assert all(item.with_pair and item.with_pair.paths == 2 for item in before.gateways)
    assert all(item.own.paths <= 1 and item.with_pair and item.with_pair.paths == 1 for item in during.gateways)
    assert not [way for item in during.gateways for way in item.ways if way.state is WayState.UNKNOWN]
    assert after.gateways == before.gateways
    page = Path(said.document["report"]).read_text(encoding="utf-8")
    assert "路径分散性证明" in page
    assert "同一路由器 ce-a" in page
    assert "剩余 1 条" in page


def as_seen(record: RunRecord, stage: int, since: float, until: float) -> int:
    """Log-ins whose line, as the twin's fronts have it, is that of the measured way to their centre."""
    assert record.ground_truth is not None
    known = {item.gateway: item for item in record.path_proofs[stage].gateways}
    compared = 0
    for login in record.ground_truth["logins"]:
        item = known.get(login["gateway"])
        if item is None or not login["accepted"] or not login["line"] or not since <= login["at"] < until:
            continue
        lines = {way.centre: way.line for way in item.ways if way.state is WayState.USABLE}
        if stage == 0 or login["centre"] in lines:
            assert lines[login["centre"]] == login["line"], login
            compared += 1
    return compared
