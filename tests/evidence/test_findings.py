"""What a run found becomes findings; only the ledger closes one, and a retest only if that run really passed it."""

from datetime import date
from pathlib import Path

import pytest

from orchestrator.evidence.findings import earlier, finding_id, found, problems, states
from orchestrator.evidence.retest import not_later, not_retested
from orchestrator.model.drill import Mode
from orchestrator.model.event import CheckResult, Outcome
from orchestrator.model.evidence import Finding, FindingKind, LedgerKind
from orchestrator.model.people import People
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import ObjectiveState, Restoration, RunOutcome
from orchestrator.report.texts import catalogue
from tests.evidence.years import Book, aborted, moved
from tests.report import record_example as example

DRILL = "single-centre-failure"


def _kinds(record: RunRecord) -> list[str]:
    return [item.kind.value for item in found(record, 30)]


def _one(record: RunRecord, kind: FindingKind) -> Finding:
    return next(item for item in found(record, 30) if item.kind is kind)


# -- what is found ------------------------------------------------------------------------------------------------


def test_a_run_that_went_by_its_plan_finds_nothing() -> None:
    for record in (example.passed(), example.observed(), example.beijing(), example.carrier(), example.host()):
        assert found(record, 30) == (), record.plan.drill


def test_a_failed_run_finds_each_thing_that_failed_once() -> None:
    record = example.failed()
    failed_checks = {
        (item.check, item.target)
        for item in record.checks
        if item.result is CheckResult.ABNORMAL or item.could_not_look
    }
    assert len(failed_checks) > 1
    findings = found(record, 30)
    by_kind = {kind: [item for item in findings if item.kind is kind] for kind in FindingKind}
    assert len(by_kind[FindingKind.CHECK]) == len(failed_checks)
    assert [item.subject for item in by_kind[FindingKind.GATEWAY]] == ["nq-trade-3"]
    missed = [item for item in record.verdict.objectives if item.state is ObjectiveState.MISSED]
    assert len(by_kind[FindingKind.OBJECTIVE]) == len(missed) == 2
    assert len(by_kind[FindingKind.RESTORATION]) == len(record.verdict.differences) == 1
    assert len(by_kind[FindingKind.STEP]) == sum(item.outcome is Outcome.INDETERMINATE for item in record.steps) == 1
    assert len({item.id for item in findings}) == len(findings)
    assert len({(item.kind, item.subject) for item in findings}) == len(findings)


def test_findings_carry_owner_and_due_date_in_the_sites_zone() -> None:
    record = example.failed()
    findings = found(record, 30)
    assert {item.due for item in findings} == {"2026-12-21"}
    assert _one(record, FindingKind.CHECK).owner == "li"
    assert _one(record, FindingKind.OBJECTIVE).owner == "zhang"
    late = record.model_copy(update={"finished_at": example.START + 15 * 3600})  # 16:30 UTC is the next day in Shanghai
    assert {item.due for item in found(late, 1)} == {"2026-11-23"}


def test_nobody_owns_a_finding_where_nobody_is_named() -> None:
    record = example.failed()
    nobody = record.topology.model_copy(update={"people": People()})
    assert {item.owner for item in found(record.model_copy(update={"topology": nobody}), 30)} == {None}


def test_the_same_record_gives_the_same_findings_with_ids_of_the_run() -> None:
    record = example.failed()
    assert found(record, 30) == found(record, 30)
    assert finding_id("20261122T172656-single-centre-failure-e8e3", 3) == "F-20261122T172656-e8e3-3"
    assert [item.id for item in found(record, 30)][:2] == ["F-20261121T093000-7f3a-1", "F-20261121T093000-7f3a-2"]


def test_what_people_did_beside_the_plan_is_a_deviation() -> None:
    subjects = [item.subject for item in problems(example.interrupted())]
    assert subjects == ["abort", "interruption/lost", "interruption/waiting", "decision/repoint-1/nq-trade-1"]


def test_a_run_that_could_not_begin_and_one_that_was_ended_are_deviations_and_expect_nothing_of_gateways() -> None:
    assert [(item.kind, item.subject) for item in problems(example.not_started())] == [
        (FindingKind.DEVIATION, "not-started")
    ]
    lost = example.failed()
    ended = lost.verdict.model_copy(update={"outcome": RunOutcome.ABORTED})
    kinds = _kinds(lost.model_copy(update={"verdict": ended}))
    assert "gateway" not in kinds
    assert "deviation" in kinds


def test_a_check_that_could_not_look_is_a_finding_of_its_own() -> None:
    record = example.passed()
    blind = record.checks[0].model_copy(update={"could_not_look": True, "result": CheckResult.NOT_TESTED})
    record = record.model_copy(update={"checks": (blind, *record.checks[1:])})
    (finding,) = found(record, 30)
    assert finding.subject == f"{blind.check}/{blind.target}/{blind.phase}"
    assert "未能执行" in finding.title.zh


def test_an_objective_that_nobody_measured_is_a_finding_unless_the_run_was_cut_short() -> None:
    record = example.passed()
    objectives = tuple(
        item.model_copy(update={"state": ObjectiveState.NOT_MEASURED, "measured": None})
        for item in record.verdict.objectives
    )
    verdict = record.verdict.model_copy(update={"objectives": objectives})
    assert set(_kinds(record.model_copy(update={"verdict": verdict}))) == {"objective"}
    ended = verdict.model_copy(update={"outcome": RunOutcome.ABORTED})
    assert "objective" not in _kinds(record.model_copy(update={"verdict": ended}))


def test_a_restoration_that_is_not_proved_is_a_finding_also_where_nothing_differs() -> None:
    record = example.passed()
    verdict = record.verdict.model_copy(update={"restoration": Restoration.NOT_PROVED})
    (finding,) = found(record.model_copy(update={"verdict": verdict}), 30)
    assert (finding.kind, finding.subject) == (FindingKind.RESTORATION, "site")


def test_chinese_texts_hold_no_word_of_ours_that_was_not_translated() -> None:
    known = {title.en for title in catalogue().values() if title.en != title.zh and " " in title.en.strip()}
    for record in (example.failed(), example.interrupted(), example.not_started()):
        for finding in found(record, 30):
            assert not any(word in finding.title.zh for word in known), finding.title.zh


# -- the ledger's fold --------------------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "ledger")


def test_a_finding_is_open_until_a_line_closes_it_and_the_first_closing_counts(book: Book) -> None:
    record = book.held(example.failed(), date(2026, 5, 23))
    first = record.findings[0].id
    assert len(states(book.lines)) == len(record.findings)
    assert all(state.is_open for state in states(book.lines))
    book.ledger.append(LedgerKind.FINDING_CHANGED, {"id": first, "owner": "wang", "by": "zhang"})
    book.ledger.append(LedgerKind.FINDING_CHANGED, {"id": first, "due": "2027-01-31", "by": "zhang"})
    changed = states(book.lines)[0].finding
    assert (changed.owner, changed.due) == ("wang", "2027-01-31")
    for reason in ("mended", "mended again"):
        data = {"id": first, "by": "chen", "reason": reason, "retest_run": None}
        book.ledger.append(LedgerKind.FINDING_CLOSED, data)
    state = states(book.lines)[0]
    assert (state.is_open, state.reason, state.closed_by) == (False, "mended", "chen")
    assert sum(item.is_open for item in states(book.lines)) == len(record.findings) - 1


def test_the_next_report_has_what_is_open_and_what_became_of_the_run_befores(book: Book) -> None:
    oldest = book.held(example.failed(), date(2026, 3, 7))
    before = book.held(example.failed(), date(2026, 5, 23))
    book.held(aborted(), date(2026, 6, 1))
    for record in (oldest, before):
        data = {"id": record.findings[0].id, "by": "chen", "reason": "mended", "retest_run": None}
        book.ledger.append(LedgerKind.FINDING_CLOSED, data)
    new = moved(example.observed(), date(2026, 7, 4))
    book.clock.at = new.started_at
    book.open(new)
    told = earlier(book.lines, DRILL)
    runs = {state.finding.run for state in told}
    assert runs == {oldest.run, before.run}
    ids = {state.finding.id: state.is_open for state in told}
    assert oldest.findings[0].id not in ids
    assert ids[before.findings[0].id] is False
    assert ids[oldest.findings[1].id] is True
    assert len(told) == 2 * len(before.findings) - 1
    assert earlier(book.lines, "beijing-dr-cutover") == ()


# -- retests ------------------------------------------------------------------------------------------------------


def test_a_run_that_passed_the_same_subject_closes_each_kind() -> None:
    for finding in found(example.failed(), 30):
        assert not_retested(finding, example.passed()) is None, finding.subject


def test_a_run_that_failed_again_closes_none() -> None:
    for finding in found(example.failed(), 30):
        assert not_retested(finding, example.failed()), finding.subject


def test_a_run_of_another_drill_closes_none() -> None:
    for finding in found(example.failed(), 30):
        said = not_retested(finding, example.carrier())
        assert said == "expected a run of the drill single-centre-failure, found one of single-carrier-failure"


def test_a_check_must_have_been_made_in_every_phase_in_which_it_failed() -> None:
    finding = next(item for item in found(example.failed(), 30) if item.subject.startswith("login/nq-trade-3/"))
    assert finding.subject == "login/nq-trade-3/verifying,proving_restoration"
    passed = example.passed()
    part = tuple(item for item in passed.checks if item.phase != "proving_restoration")
    assert not_retested(finding, passed.model_copy(update={"checks": part})) == (
        "expected check login of nq-trade-3 in proving_restoration, found it was not made"
    )
    untested = tuple(
        item.model_copy(update={"result": CheckResult.NOT_TESTED})
        if (item.check, item.target) == ("login", "nq-trade-3")
        else item
        for item in passed.checks
    )
    assert "in verifying, proving_restoration" in str(
        not_retested(finding, passed.model_copy(update={"checks": untested}))
    )


def test_an_objective_is_not_retested_by_loosening_its_limit() -> None:
    finding = _one(example.failed(), FindingKind.OBJECTIVE)
    assert finding.subject == "trading-switch<=60s"
    passed = example.passed()
    for limit, expected in ((90.0, "expected a limit of at most 60s, found 90s"), (30.0, None)):
        objectives = tuple(item.model_copy(update={"limit": limit}) for item in passed.verdict.objectives)
        verdict = passed.verdict.model_copy(update={"objectives": objectives})
        assert not_retested(finding, passed.model_copy(update={"verdict": verdict})) == expected
    verdict = passed.verdict.model_copy(update={"objectives": ()})
    assert "not among" in str(not_retested(finding, passed.model_copy(update={"verdict": verdict})))


def test_a_gateway_is_retested_only_where_the_fault_touched_it() -> None:
    finding = _one(example.failed(), FindingKind.GATEWAY).model_copy(update={"subject": "nq-trade-2"})
    said = not_retested(finding, example.passed())
    assert said == "expected gateway nq-trade-2 to be touched by the fault, found it was not"


def test_a_deviation_is_retested_by_a_run_that_passed_without_one() -> None:
    record = aborted()
    clean = example.carrier()
    for finding in found(record, 30):
        assert not_retested(finding, clean) is None
        assert not_retested(finding, record)
        again = clean.model_copy(
            update={name: getattr(record, name) for name in ("aborts", "interruptions", "decisions")}
        )
        assert "found" in str(not_retested(finding, again)), finding.subject


def test_the_ledger_says_which_run_may_be_a_retest(book: Book) -> None:
    before = book.held(example.observed(), date(2026, 3, 7))
    failed = book.held(example.failed(), date(2026, 5, 23))
    rehearsed = book.held(example.passed(), date(2026, 6, 1), mode=Mode.REHEARSAL)
    after = book.held(example.observed(), date(2026, 7, 4))
    unsealed = moved(example.observed(), date(2026, 8, 1))
    book.clock.at = unsealed.started_at
    book.open(unsealed)
    finding = failed.findings[0]

    def said(run: str) -> str | None:
        return not_later(finding, run, book.lines)

    assert said(after.run) is None
    assert said(before.run) == "expected a run that was opened after the finding, found an earlier one"
    assert said(failed.run) == "expected a run that was opened after the finding, found an earlier one"
    assert said(rehearsed.run) == "expected a run on the real site, as the finding's was, found a rehearsal"
    assert said(unsealed.run) == "expected a run that is closed, found it open"
    assert said("nobodys-run") == "expected a run that is on the ledger, found none"
