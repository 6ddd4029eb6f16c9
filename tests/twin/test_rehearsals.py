"""Whole drills on a twin, as an operator runs them; the fronts' own ground truth is the judge."""

from pathlib import Path

import pytest

from orchestrator.evidence.verify_archive import verify_archive
from orchestrator.model.plan import Action
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import Integrity, ObjectiveState, Restoration, RunOutcome
from tests.support.command import Said, drillctl
from tests.support.sites import RoomSpec, SiteSpec, write_site
from tools.outputs import blocks, documents, is_rehearsal, normalised

pytestmark = [pytest.mark.twin, pytest.mark.usefixtures("own_twins")]

CENTRE = ("single-centre-failure", "--set", "centre=futian")
THREE_CARRIERS = SiteSpec(
    rooms=(
        RoomSpec(lines=(("red", "futian"), ("blue", "southern"))),
        RoomSpec(routing="static", lines=(("blue", "futian"), ("green", "southern"))),
        RoomSpec(lines=(("green", "futian"), ("red", "southern"))),
    ),
    carriers=("red", "blue", "green"),
    pairs=7,
)


def passed(said: Said) -> RunRecord:
    """Exit 0, passed and restored, and nothing to hold against it in the fronts' own record."""
    assert said.code == 0, said.err[-3000:] + said.out[-2000:]
    record = said.record
    assert record.simulated
    assert (record.verdict.outcome, record.verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED)
    assert all(item.state is not ObjectiveState.MISSED for item in record.verdict.objectives)
    truth = record.ground_truth
    assert truth is not None
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)
    moved_as_planned(record)
    for config in record.configurations:
        assert config.sha256_before == config.sha256_after is not None
    assert record.verdict.integrity is Integrity.SEALED
    assert verify_archive(Path(said.document["evidence"]).parents[1]) == []
    return record


def moved_as_planned(record: RunRecord) -> None:
    """The fronts saw every affected gateway where the plan wanted it while the fault lasted, and home again after."""
    assert record.ground_truth is not None
    assert record.fault_at is not None
    assert record.lifted_at is not None
    logins = [item for item in record.ground_truth["logins"] if item["accepted"]]
    for change in record.plan.affected:
        gateway = record.topology.gateway[change.gateway]
        times = next(item for item in record.verdict.gateways if item.gateway == change.gateway)
        if change.action is Action.NO_BUSINESS or change.after is None:
            assert not times.came_back
            continue
        assert times.came_back, change.gateway
        if gateway.receives_only:
            assert times.front_during == change.after.front
            continue
        assert times.line_during == change.after.line
        if change.action in (Action.REPOINT, Action.OWN_LIST):
            during = [
                item
                for item in logins
                if item["number"] == change.number and record.fault_at <= item["at"] < record.lifted_at
            ]
            assert during, f"{change.gateway} never logged in during the fault"
            assert {item["centre"] for item in during} == {change.after.centre}
            assert {item["line"] for item in during} == {change.after.line}
            assert {item["certificate"] for item in during} == {change.after.certificate}
        home = record.ground_truth["current"][change.number]
        assert change.before is not None
        assert (home["centre"], home["line"]) == (change.before.centre, change.before.line)


def the_documents_show(said: Said) -> None:
    """The rehearsal in the documents is what a rehearsal prints, times and ids apart."""
    shown = [text for path in documents() for command, text in blocks(path) if is_rehearsal(command)]
    assert len(shown) >= 2, "the README in both languages"
    assert {normalised(text) for text in shown} == {normalised(said.err)}, "run tools/outputs.py --rehearsal FILE"


@pytest.mark.parametrize(
    "arguments",
    [
        CENTRE,
        ("single-carrier-failure", "--set", "carrier=telecom"),
        ("beijing-dr-cutover",),
        pytest.param(("single-centre-failure", "--set", "centre=southern"), marks=pytest.mark.matrix),
        pytest.param(("single-carrier-failure", "--set", "carrier=unicom"), marks=pytest.mark.matrix),
    ],
    ids=" ".join,
)
def test_every_drill_passes_and_every_byte_comes_back(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    said = drillctl("rehearse", *arguments, "--json", state=tmp_path)
    record = passed(said)
    repointed = [change for change in record.plan.gateways if change.action is Action.REPOINT]
    assert record.verdict.lists_changed == len(repointed)
    assert len(record.configurations) >= len(repointed)
    assert {proof.gateway for proof in record.interlocks} >= {change.gateway for change in repointed}
    if arguments == CENTRE:
        the_documents_show(said)
    if arguments[0] == "beijing-dr-cutover":
        gm = next(change for change in record.plan.gateways if change.gateway == "nq-ccnet-2")
        assert gm.list_after == ("beijing-settlement-gm",)


@pytest.mark.matrix
@pytest.mark.parametrize(("response", "lists"), [("observe", 0), ("repoint", 4)])
def test_a_response_changes_exactly_its_lists(tmp_path: Path, response: str, lists: int) -> None:
    record = passed(drillctl("rehearse", *CENTRE, "--response", response, "--json", state=tmp_path))
    assert record.verdict.lists_changed == lists


@pytest.mark.matrix
@pytest.mark.parametrize(
    "arguments",
    [CENTRE, ("single-carrier-failure", "--set", "carrier=red"), ("beijing-dr-cutover",)],
    ids=" ".join,
)
def test_another_larger_site_passes_too(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    site = write_site(tmp_path, THREE_CARRIERS)
    record = passed(drillctl("rehearse", *arguments, "--site", str(site), "--json", state=tmp_path))
    assert len(record.topology.gateways) >= 40
    assert len(record.topology.carriers) == 3


def test_both_lines_down_is_refused_with_the_gateways_names(tmp_path: Path) -> None:
    down = ("--down", "uni-southern", "--down", "tel-southern")
    said = drillctl("rehearse", *CENTRE, *down, "--json", state=tmp_path)
    assert said.code == 3
    assert "NO_PATH: gateway nq-trade-1 (W100200) has no path left" in said.err
    assert said.out == ""
    assert not (tmp_path / "reports").exists()


def test_a_run_whose_evidence_could_not_be_kept_does_not_begin(tmp_path: Path) -> None:
    ledger = tmp_path / "reports/ledger"
    ledger.mkdir(parents=True)
    (ledger / "head.json").write_text('{"digest":"' + "0" * 64 + '","size":7}\n', encoding="utf-8")
    said = drillctl("rehearse", *CENTRE, "--json", state=tmp_path)
    assert (said.code, said.out) == (3, "")
    assert "LEDGER_BROKEN: " in said.err
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["ledger"]


def test_run_outside_a_twin_is_not_approved(tmp_path: Path) -> None:
    said = drillctl("run", *CENTRE, "--by", "li", state=tmp_path)
    assert said.code == 3
    assert "NOT_APPROVED" in said.err
    assert not (tmp_path / "reports").exists()
