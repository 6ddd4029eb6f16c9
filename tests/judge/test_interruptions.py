"""Runs that were interrupted, aborted or decided upon: what the verdict and the record make of them."""

from typing import Any

import pytest

from orchestrator.history import check_records, questions, standing
from orchestrator.model.base import Title
from orchestrator.model.drill import Mode
from orchestrator.model.event import CheckRecord, CheckResult, EventKind, Outcome
from orchestrator.model.plan import FaultSource, Phase
from orchestrator.model.record import RunRecord
from orchestrator.model.verdict import ObjectiveState, Restoration, RunOutcome
from orchestrator.report.assemble import assemble
from tests.judge.story import (
    END,
    FAULT,
    T0,
    Line,
    Story,
    attempt,
    decided,
    interrupted,
    observed,
    plan,
    record,
    resumed,
    topology,
    track,
    waiting,
)

TRADE, OTHER = "nq-trade-1", "nq-trade-3"
WAVE = [target.name for step in plan().steps if step.id == "repoint-1" for target in step.targets]
OTHERS = [name for name in WAVE if name != TRADE]
CUT = frozenset({"repoint-1"})
GOOD = dict.fromkeys(WAVE, Outcome.SUCCEEDED)
UNKNOWN = {("repoint-1", TRADE): Outcome.INDETERMINATE}


def recorded(story: Story) -> RunRecord:
    return assemble(
        "r1",
        story.plan,
        topology(),
        story.events(),
        observed(story.plan),
        operator="li",
        fault_source=FaultSource.TWIN,
        versions={},
    )


def taken_up(*lines: Line, step: str = "repoint-1") -> dict[str, list[Line]]:
    """After that step another orchestrator took the run over, and this happened."""
    return {step: [resumed(14.0, 12.5), *lines]}


# Attempts ------------------------------------------------------------------------------------------


def test_a_step_that_was_cut_off_and_done_again_is_no_failure() -> None:
    lines = [*interrupted("repoint-1", 1, 14.1, WAVE, "never begun", WAVE), *attempt("repoint-1", 2, 15.0, GOOD)]
    verdict = Story(cut_off=CUT, after=taken_up(*lines)).verdict()
    assert (verdict.outcome, verdict.restoration, verdict.reasons) == (RunOutcome.PASSED, Restoration.PROVED, ())


@pytest.mark.parametrize(
    ("again", "expected"), [(Outcome.FAILED, RunOutcome.FAILED), (Outcome.INDETERMINATE, RunOutcome.INCONCLUSIVE)]
)
def test_the_newest_attempt_decides(again: Outcome, expected: RunOutcome) -> None:
    lines = [
        *interrupted("repoint-1", 1, 14.1, WAVE, "look", WAVE),
        *attempt("repoint-1", 2, 15.0, GOOD | {TRADE: again}),
    ]
    verdict = Story(after=taken_up(*lines)).verdict()
    assert verdict.outcome is expected
    assert len(verdict.reasons) == 1


def test_a_target_that_was_not_attempted_again_keeps_its_result() -> None:
    story = Story(
        outcomes={("repoint-1", OTHER): Outcome.FAILED},
        after=taken_up(*attempt("repoint-1", 2, 15.0, {TRADE: Outcome.SUCCEEDED})),
    )
    assert story.verdict().outcome is RunOutcome.FAILED
    assert {item.target: item.attempt for item in standing(story.events()) if item.step == "repoint-1"} == {
        TRADE: 2,
        **dict.fromkeys(OTHERS, 1),
    }


def test_what_was_found_not_in_force_and_never_done_again_is_no_failure_of_the_step() -> None:
    """The abort that kept it from being done again is what ended the run."""
    story = Story(
        outcomes=dict.fromkeys((("repoint-1", name) for name in WAVE), Outcome.FAILED),
        after=taken_up(*interrupted("repoint-1", 1, 14.1, WAVE, "look", WAVE)),
        notes=(("aborted", "by hand"),),
    )
    verdict = story.verdict()
    assert (verdict.outcome, len(verdict.reasons)) == (RunOutcome.ABORTED, 1)


def test_a_list_that_a_look_found_changed_counts_as_changed() -> None:
    looked = Story(after=taken_up(*interrupted("repoint-1", 1, 14.1, WAVE, "look")))
    by_guard = Story(after=taken_up(*interrupted("repoint-1", 1, 14.1, WAVE, "guard")))
    assert (looked.verdict().lists_changed, by_guard.verdict().lists_changed) == (len(WAVE), 0)


# Proofs --------------------------------------------------------------------------------------------


def proofs(number: int, *records: CheckRecord) -> Line:
    data = {"records": [item.model_dump(mode="json") for item in records], "step": "check-after-restoration"}
    return (38.8, EventKind.CHECKS, {**data, "attempt": number}, None, None)


GONE = record(Phase.PROVING_RESTORATION, "login", TRADE, CheckResult.ABNORMAL)
BACK = record(Phase.PROVING_RESTORATION, "login", TRADE)
PROOF = "check-after-restoration"


@pytest.mark.parametrize(
    ("first", "second", "expected"), [(GONE, BACK, Restoration.PROVED), (BACK, GONE, Restoration.NOT_PROVED)]
)
def test_restoration_is_proved_by_the_newest_proof_alone(
    first: CheckRecord, second: CheckRecord, expected: Restoration
) -> None:
    begin, end = attempt(PROOF, 2, 38.7, {"site": Outcome.SUCCEEDED})
    after = taken_up(begin, proofs(2, second), end, step=PROOF)
    story = Story(checks={Phase.PROVING_RESTORATION: [first]}, after=after)
    assert story.verdict().restoration is expected
    assert [item for item in check_records(story.events()) if item.phase == "proving_restoration"] == [second]


@pytest.mark.parametrize("step", [PROOF, "prove"])
def test_a_proof_that_was_begun_again_and_not_made_proves_nothing(step: str) -> None:
    assert Story(after=taken_up(*attempt(step, 2, 38.7, None), step=step)).verdict().restoration is (
        Restoration.NOT_PROVED
    )


def test_a_check_after_the_switch_that_was_abnormal_once_is_not_forgotten() -> None:
    bad = record(Phase.VERIFYING, "login", TRADE, CheckResult.ABNORMAL)
    begin, end = attempt("check-after-switch", 2, 22.0, {"site": Outcome.SUCCEEDED})
    good = {"records": [record(Phase.VERIFYING, "login", TRADE).model_dump(mode="json")], "step": "check-after-switch"}
    again: Line = (22.1, EventKind.CHECKS, {**good, "attempt": 2}, None, None)
    story = Story(checks={Phase.VERIFYING: [bad]}, after=taken_up(begin, again, end, step="check-after-switch"))
    assert story.verdict().outcome is RunOutcome.FAILED


# Decisions and questions ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "expected"),
    [("done", RunOutcome.PASSED), ("not-done", RunOutcome.FAILED), ("repeat", RunOutcome.INCONCLUSIVE)],
)
@pytest.mark.parametrize("target", [TRADE, None])
def test_a_persons_word_settles_what_could_not_be_told(choice: str, expected: RunOutcome, target: str | None) -> None:
    story = Story(outcomes=UNKNOWN, after=taken_up(decided("repoint-1", choice, 14.2, target)))
    assert story.verdict().outcome is expected


def test_a_persons_word_does_not_change_what_was_told() -> None:
    story = Story(outcomes=UNKNOWN, after=taken_up(decided("repoint-1", "not-done", 14.2, OTHER)))
    assert [item.outcome for item in standing(story.events()) if item.target == OTHER and item.step == "repoint-1"] == [
        Outcome.SUCCEEDED
    ]


def test_a_persons_word_speaks_of_the_attempt_before_it_only() -> None:
    lines = [decided("repoint-1", "done", 14.2), *attempt("repoint-1", 2, 15.0, GOOD | {TRADE: Outcome.INDETERMINATE})]
    assert Story(outcomes=UNKNOWN, after=taken_up(*lines)).verdict().outcome is RunOutcome.INCONCLUSIVE


@pytest.mark.parametrize(("choice", "expected"), [("done", Restoration.PROVED), ("not-done", Restoration.NOT_PROVED)])
def test_an_undo_that_somebody_vouches_for_counts_as_undone_if_the_proof_agrees(
    choice: str, expected: Restoration
) -> None:
    failed = {("restore-1", TRADE): Outcome.UNDO_FAILED}
    vouched = {"restore-1": [decided("restore-1", choice, 33.0, TRADE)]}
    assert Story(outcomes=failed, after=vouched).verdict().restoration is expected
    unproved = Story(outcomes=failed, after=vouched, checks={Phase.PROVING_RESTORATION: [GONE]})
    assert unproved.verdict().restoration is Restoration.NOT_PROVED


def open_targets(*lines: Line, asked: list[dict[str, Any]] | None = None) -> dict[str, list[str]]:
    events = Story(after=taken_up(waiting("repoint-1", 14.1, TRADE, OTHER), *lines), closed=False).events()
    until = next(index for index, event in enumerate(events) if event.step == "settle")
    return {item.step: list(item.targets) for item in questions(events[:until], asked or [])}


def test_a_question_is_open_until_it_is_answered() -> None:
    assert open_targets() == {"repoint-1": [TRADE, OTHER]}
    assert open_targets(decided("repoint-1", "done", 14.2, TRADE)) == {"repoint-1": [OTHER]}
    assert open_targets(decided("repoint-1", "done", 14.2)) == {}
    assert open_targets(asked=[{"step": "repoint-1", "target": OTHER}]) == {"repoint-1": [TRADE]}


def test_a_question_is_over_when_the_step_is_settled_or_begun_again() -> None:
    assert open_targets(*interrupted("repoint-1", 1, 14.2, WAVE, "look")[1:]) == {}
    assert open_targets(*attempt("repoint-1", 2, 14.2, GOOD)) == {}
    assert open_targets(waiting("repoint-1", 14.2, OTHER)) == {"repoint-1": [OTHER]}


def test_a_question_says_whom_to_call() -> None:
    (found,) = questions(Story(after=taken_up(waiting("repoint-1", 14.1, TRADE)), closed=False).events()[:20])
    assert (found.name, found.phone) == (Title(zh="张明", en="Zhang Ming"), "021-5550 0101")


# How it ended --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("stop_condition", RunOutcome.ABORTED),
        ("fault_lapsed", RunOutcome.INCONCLUSIVE),
        ("twin_gone", RunOutcome.INCONCLUSIVE),
        ("changed_meanwhile", RunOutcome.PASSED),
    ],
)
def test_what_a_note_makes_of_the_outcome_is_said_with_it(what: str, expected: RunOutcome) -> None:
    verdict = Story(notes=((what, "so it was"),)).verdict()
    assert (verdict.outcome, ["so it was" in reason.en for reason in verdict.reasons]) == (expected, [True])


def test_an_edit_meanwhile_does_not_excuse_missing_checks() -> None:
    story = Story(notes=(("changed_meanwhile", "the inventory"),), checks={Phase.VERIFYING: []})
    assert story.verdict().outcome is RunOutcome.INCONCLUSIVE


def test_a_fault_that_lifted_itself_ended_when_its_run_fell_silent() -> None:
    lapse: Line = (22.0, EventKind.FAULT_OFF, {"at": T0 + 20.5, "lapsed": True}, None, None)
    found = recorded(Story(after=taken_up(lapse, step="repoint-1")))
    assert (found.fault_at, found.lifted_at) == (T0 + FAULT, T0 + 20.5)


def test_a_run_whose_twin_is_gone_proves_nothing_and_blames_nobody() -> None:
    late = frozenset(
        step.id for step in plan().steps if step.phase not in (Phase.PRECHECKING, Phase.BASELINING, Phase.INJECTING)
    )
    never_back = track(TRADE, (0, FAULT, "futian-trading"))
    verdict = Story(never_begun=late, notes=(("twin_gone", "dead"),)).verdict(observed(plan(), {TRADE: never_back}))
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.INCONCLUSIVE, Restoration.NOT_APPLICABLE)
    assert {item.state for item in verdict.objectives} == {ObjectiveState.NOT_MEASURED}
    assert verdict.exit_code == 1


def test_a_run_that_waits_is_inconclusive_and_says_for_what() -> None:
    late = frozenset(
        step.id
        for step in plan().steps
        if step.phase not in (Phase.PRECHECKING, Phase.BASELINING, Phase.INJECTING, Phase.SWITCHING)
        or step.id == "settle"
    )
    story = Story(never_begun=late, cut_off=CUT, after={"repoint-1": [waiting("repoint-1", 14.0, TRADE)]}, closed=False)
    verdict = story.verdict(observed(plan(), {TRADE: track(TRADE, (0, FAULT, "futian-trading"))}))
    assert verdict.outcome is RunOutcome.INCONCLUSIVE
    assert "not closed: step repoint-1 waits for a person" in [reason.en for reason in verdict.reasons]
    assert not any("did not log in" in reason.en for reason in verdict.reasons)


INCIDENT = plan("single-centre-failure", Mode.INCIDENT)


def held(*lines: Line) -> Story:
    stop: list[Line] = [
        (12.0, EventKind.NOTE, {"what": "aborted", "text": "abort asked for"}, None, None),
        (12.1, EventKind.STATE, {"state": "paused"}, None, None),
    ]
    return Story(INCIDENT, after={"repoint-1": [*stop, *lines]})


def test_an_incident_that_was_stopped_and_held_is_aborted_until_it_is_taken_up_again() -> None:
    stays = observed(
        INCIDENT,
        {
            item.gateway: track(item.gateway, (0, 12, item.before.front), (12, 14, None), (14, END, item.after.front))
            for item in INCIDENT.affected
            if item.before and item.after
        },
    )
    stopped, taken = held().verdict(stays), held(resumed(20.0, 12.1)).verdict(stays)
    assert (stopped.outcome, stopped.restoration) == (RunOutcome.ABORTED, Restoration.NOT_APPLICABLE)
    assert (taken.outcome, taken.restoration) == (RunOutcome.PASSED, Restoration.NOT_APPLICABLE)
    assert any("taken up again" in reason.en for reason in taken.reasons)


def test_a_drill_that_was_aborted_stays_aborted_whoever_brings_it_home() -> None:
    noted: Line = (12.0, EventKind.NOTE, {"what": "aborted", "text": "abort asked for"}, None, None)
    assert Story(after={"repoint-1": [noted, resumed(20.0, 12.1)]}).verdict().outcome is RunOutcome.ABORTED


# The record ----------------------------------------------------------------------------------------


def test_the_record_tells_each_interruption_with_what_was_open() -> None:
    lines = [
        *interrupted("repoint-1", 1, 14.1, WAVE, "look", [TRADE]),
        *attempt("repoint-1", 2, 15.0, {TRADE: Outcome.SUCCEEDED}),
    ]
    (found,) = recorded(Story(cut_off=CUT, after=taken_up(*lines))).interruptions
    assert (found.cause, found.silent_since, found.resumed_at) == ("lost", T0 + 12.5, T0 + 14.0)
    assert (found.lasted_s, found.owner_before, found.owner_after, found.phase) == (1.5, "wang", "li", Phase.SWITCHING)
    (step,) = found.steps
    assert (step.step, step.attempt, step.targets, step.again) == ("repoint-1", 1, tuple(WAVE), (TRADE,))
    assert (step.settled_by, step.settled_at) == ("look", T0 + 14.2)


def test_what_was_open_at_one_interruption_may_be_settled_after_the_next() -> None:
    first, settled = interrupted("repoint-1", 1, 14.1, WAVE, "decision")
    left: Line = (14.3, EventKind.STATE, {"state": "waiting_for_operator"}, None, None)
    lines = [
        first,
        waiting("repoint-1", 14.2, TRADE),
        left,
        resumed(16.0, 14.3),
        decided("repoint-1", "done", 16.1),
        settled,
    ]
    one, two = recorded(Story(cut_off=CUT, after=taken_up(*lines))).interruptions
    assert [step.settled_by for step in one.steps] == ["decision"]
    assert (two.cause, two.steps, two.phase) == ("waiting", (), Phase.SWITCHING)


def test_the_record_holds_decisions_and_aborts_with_their_people() -> None:
    asked: Line = (
        14.5,
        EventKind.MESSAGE,
        {"topic": "abort", "key": "a", "by": "chen", "reason": "told to"},
        None,
        None,
    )
    found = recorded(
        Story(outcomes=UNKNOWN, after=taken_up(decided("repoint-1", "done", 14.2, TRADE, second="wang"), asked))
    )
    (decision,) = found.decisions
    assert (decision.step, decision.target, decision.choice) == ("repoint-1", TRADE, "done")
    assert (decision.by, decision.second, decision.reason, decision.at) == ("zhang", "wang", "seen", T0 + 14.2)
    assert [(item.by, item.reason, item.at) for item in found.aborts] == [("chen", "told to", T0 + 14.5)]


def test_a_phase_ends_where_its_orchestrator_was_replaced() -> None:
    recovering: Line = (14.05, EventKind.STATE, {"state": "recovering"}, None, None)
    back: Line = (14.2, EventKind.STATE, {"state": "switching"}, None, None)
    phases = recorded(Story(after=taken_up(recovering, back))).phases
    switching = [
        (item.started_at - T0, (item.finished_at or 0) - T0) for item in phases if item.phase is Phase.SWITCHING
    ]
    assert switching == [(11.0, pytest.approx(14.05)), (pytest.approx(14.2), 20.0)]


def test_a_run_that_nothing_interrupted_tells_of_nothing() -> None:
    found = recorded(Story())
    assert (found.interruptions, found.decisions, found.aborts) == ((), (), ())
