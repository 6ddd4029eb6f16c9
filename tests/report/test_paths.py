"""The path-diversity proof in a report: as it was measured, and nothing where it was not."""

from orchestrator.model.record import RunRecord
from orchestrator.report.context import Context
from orchestrator.report.path_record import path_proofs
from orchestrator.report.paths import Paths, paths
from orchestrator.report.render import render, run_json
from orchestrator.report.texts import Language
from tests.report import record_example
from tests.rules.test_diversity import HOME, Said, measured


def record(during: Said | None = None, before: Said | None = None) -> RunRecord:
    """Futian fails; hosts and routers say the same before and after, and `during` while it lasts."""
    made = record_example.passed()
    home = measured(made.topology, HOME)
    taken = {"before": {"hops": before or home}, "during": {"hops": during or home}, "after": {"hops": home}}
    proofs = tuple(path_proofs(made.plan, made.topology, taken))
    return made.model_copy(update={"path_proofs": proofs})


def shown(made: RunRecord, language: Language = "zh") -> Paths:
    return paths(Context(made, language))


def test_gateways_with_the_same_ways_share_a_row() -> None:
    rows = shown(record()).rows
    assert len(rows) == 4
    assert (rows[0].numbers, rows[0].hidden) == ("W100200、W100300、W100210、W100230", 0)


def test_one_router_is_one_path_and_while_the_fault_lasts_only_the_number_left_is_told() -> None:
    before, during, after = shown(record()).rows[0].stages
    assert before is not None
    assert during is not None
    assert before.own == ("本网关：同一路由器 ce-a，视为一条路径", "warn")
    assert before.pair == ("含热备：2 条独立路径", "good")
    assert during.own == ("本网关：剩余 1 条", "muted")
    assert before == after
    assert [way.tone for way in during.ways] == ["muted", "good"]
    assert during.ways[0].text.endswith("故障中，不计")


def test_before_the_run_one_carrier_for_both_centres_is_noted_by_the_clause() -> None:
    assert shown(record()).notes == ()
    over = {**HOME, "ce-b": {**HOME["ce-b"], "futian": "tel-futian"}}
    topology = record_example.passed().topology
    (note,) = shown(record(before=measured(topology, over)), "en").notes
    assert note.startswith("Before the run (SSCC-3.1): some gateways reach both production centres over China Telecom")


def test_a_journal_of_before_asked_for_no_hops_and_its_record_stays_as_it_was() -> None:
    made = record_example.passed()
    assert list(path_proofs(made.plan, made.topology, {"before": {"gateways": {}}, "after": {}})) == []
    assert "path_proofs" not in run_json(made)
    assert "本次运行未测量下一跳" in render(made, "zh")


def test_the_section_is_whole_in_both_languages() -> None:
    assert "gw-a1 (site) 198.19.1.1 → ce-a (tel-futian) 203.0.113.2" in render(record(), "zh")
    assert "one router (ce-a): counts as one path" in render(record(), "en")
    assert RunRecord.model_validate_json(run_json(record())) == record()
