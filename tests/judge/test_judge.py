"""The verdict: what keeps a run from being passed, what keeps its restoration from being proved."""

from typing import Any

import pytest

from orchestrator.history import epoch_s, step_results
from orchestrator.judge import changed_lists, window_of
from orchestrator.model.base import Title
from orchestrator.model.drill import Metric, Mode, Objective, Response
from orchestrator.model.event import CheckResult, EventKind, Outcome, Sample
from orchestrator.model.plan import Phase
from orchestrator.model.topology import GatewayClass
from orchestrator.model.verdict import Integrity, ObjectiveResult, ObjectiveState, Restoration, RunOutcome
from orchestrator.ports import Observations
from tests.judge.story import (
    END,
    FAULT,
    INTERVAL,
    LIFT,
    T0,
    Story,
    data,
    journey,
    observed,
    plan,
    record,
    route,
    routes_of,
    stamp,
    state_of,
    track,
)

TRADE, OTHER = "nq-trade-1", "nq-trade-3"
HOME, AWAY = "futian-trading", "southern-trading"
NEVER_BACK: list[Sample] = track(TRADE, (0, FAULT, HOME), (FAULT, LIFT, None), (LIFT, END, HOME))
BLIND = [record(Phase.VERIFYING, "login", TRADE, CheckResult.NOT_TESTED, blind=True)]
BAD = [record(Phase.VERIFYING, "login", TRADE, CheckResult.ABNORMAL)]


def outcome_of(story: Story, seen: Observations | None = None) -> RunOutcome:
    return story.verdict(seen).outcome


# Outcome -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("drill", ["single-centre-failure", "single-carrier-failure", "beijing-dr-cutover"])
def test_a_run_that_went_as_planned_is_passed_and_restored(drill: str) -> None:
    verdict = Story(plan(drill)).verdict()
    assert (verdict.outcome, verdict.restoration, verdict.reasons) == (RunOutcome.PASSED, Restoration.PROVED, ())
    assert verdict.exit_code == 0


@pytest.mark.parametrize(
    ("notes", "checks", "outcomes", "closed", "expected"),
    [
        ((), BAD, {}, True, RunOutcome.FAILED),
        ((), BLIND, {}, True, RunOutcome.INCONCLUSIVE),
        ((), [*BLIND, *BAD], {}, True, RunOutcome.FAILED),
        ((), BLIND, {("repoint-1", TRADE): Outcome.FAILED}, True, RunOutcome.FAILED),
        ((), BAD, {("repoint-1", TRADE): Outcome.INDETERMINATE}, True, RunOutcome.FAILED),
        ((), None, {}, False, RunOutcome.INCONCLUSIVE),
        ((), BAD, {}, False, RunOutcome.FAILED),
        ((("error", "disk full"),), None, {}, True, RunOutcome.FAILED),
        ((("unheard-of", "?"),), None, {}, True, RunOutcome.FAILED),
        ((("aborted", "by hand"),), BAD, {}, True, RunOutcome.ABORTED),
        ((("not_started", "baseline"),), None, {}, True, RunOutcome.NOT_STARTED),
    ],
)
def test_failed_comes_before_unknown_and_unknown_before_passed(
    notes: Any, checks: Any, outcomes: Any, closed: bool, expected: RunOutcome
) -> None:
    told = {Phase.VERIFYING: checks} if checks else {}
    assert outcome_of(Story(notes=notes, checks=told, outcomes=outcomes, closed=closed)) is expected


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.SUCCEEDED, RunOutcome.PASSED),
        (Outcome.SKIPPED, RunOutcome.PASSED),
        (Outcome.FAILED, RunOutcome.FAILED),
        (Outcome.INDETERMINATE, RunOutcome.INCONCLUSIVE),
        (Outcome.TIMED_OUT, RunOutcome.INCONCLUSIVE),
    ],
)
@pytest.mark.parametrize(("step", "target"), [("repoint-1", TRADE), ("inject", "single-centre-failure")])
def test_what_a_step_came_to_while_switching_counts(
    step: str, target: str, outcome: Outcome, expected: RunOutcome
) -> None:
    verdict = Story(outcomes={(step, target): outcome}).verdict()
    assert verdict.outcome is expected
    assert all(step in reason.en and target in reason.en for reason in verdict.reasons)
    assert len(verdict.reasons) == (expected is not RunOutcome.PASSED)


def test_an_undo_that_failed_leaves_the_outcome_alone() -> None:
    verdict = Story(outcomes={("restore-1", TRADE): Outcome.UNDO_FAILED}).verdict()
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.NOT_PROVED)
    assert verdict.exit_code == 1


@pytest.mark.parametrize("phase", [Phase.BASELINING, Phase.PROVING_RESTORATION])
def test_only_checks_after_the_switch_make_the_outcome(phase: Phase) -> None:
    assert outcome_of(Story(checks={phase: [record(phase, "login", TRADE, CheckResult.ABNORMAL)]})) is RunOutcome.PASSED


@pytest.mark.parametrize("result", [CheckResult.NORMAL, CheckResult.NOT_TESTED, CheckResult.NO_SUCH_BUSINESS])
def test_a_check_that_has_nothing_to_look_at_is_no_fault(result: CheckResult) -> None:
    assert outcome_of(Story(checks={Phase.VERIFYING: [record(Phase.VERIFYING, "data", TRADE, result)]})) is (
        RunOutcome.PASSED
    )


def test_a_gateway_that_does_not_come_back_fails_the_run() -> None:
    verdict = Story().verdict(observed(plan(), {TRADE: NEVER_BACK}))
    assert verdict.outcome is RunOutcome.FAILED
    assert [TRADE in reason.en for reason in verdict.reasons] == [True]


def test_a_gateway_without_business_is_not_expected_back() -> None:
    made = plan("beijing-dr-cutover")
    gone = track("nq-mc-1", (0, FAULT, "futian-multicast"), (FAULT, END, None))
    verdict = Story(made).verdict(observed(made, {"nq-mc-1": gone}))
    assert verdict.outcome is RunOutcome.PASSED
    assert GatewayClass.MARKET_DATA_MULTICAST not in {item.gateway_class for item in verdict.classes}


@pytest.mark.parametrize(
    ("line", "expected"),
    [("uni-southern", RunOutcome.PASSED), ("tel-southern", RunOutcome.FAILED), (None, RunOutcome.PASSED)],
)
def test_a_gateway_on_another_line_than_planned_fails_the_run(line: str | None, expected: RunOutcome) -> None:
    routes = [route("ce-a", at, {"southern": line, "futian": None}) for at in (9, 20, 29)]
    assert outcome_of(Story(), observed(plan(), routes=routes)) is expected


def until(at: float) -> list[Sample]:
    """The trading gateway comes back as planned, and the sampler sees no more of it from `at` to the lift."""
    return [item for item in journey(plan(), TRADE) if not at <= item.at - T0 < LIFT]


@pytest.mark.parametrize(("silent_from", "outcome"), [(21.0, RunOutcome.PASSED), (19.0, RunOutcome.INCONCLUSIVE)])
def test_a_gateway_that_nobody_saw_at_the_end_of_the_fault_is_unknown_not_passed(
    silent_from: float, outcome: RunOutcome
) -> None:
    verdict = Story().verdict(observed(plan(), {TRADE: until(silent_from)}))
    assert verdict.outcome is outcome
    assert len(verdict.reasons) == (outcome is RunOutcome.INCONCLUSIVE)
    assert all(TRADE in reason.en for reason in verdict.reasons)


def test_a_gateway_that_nobody_saw_at_all_is_unknown_not_passed() -> None:
    assert outcome_of(Story(), observed(plan(), {TRADE: []})) is RunOutcome.INCONCLUSIVE


# Cut off -------------------------------------------------------------------------------------------


def test_an_intent_without_its_end_is_indeterminate() -> None:
    found = [
        item for item in step_results(Story(cut_off=frozenset({"repoint-1"})).events()) if item.step == "repoint-1"
    ]
    assert {item.target for item in found} == {TRADE, OTHER, "nq-md-1", "nq-ccnet-1"}
    assert {(item.outcome, item.finished_at) for item in found} == {(Outcome.INDETERMINATE, None)}


@pytest.mark.parametrize("step", ["inject", "repoint-1", "settle"])
def test_a_step_that_was_cut_off_while_switching_is_unknown_not_passed(step: str) -> None:
    assert outcome_of(Story(cut_off=frozenset({step}))) is RunOutcome.INCONCLUSIVE


@pytest.mark.parametrize(
    "story",
    [
        Story(cut_off=frozenset({"check-after-switch"})),
        Story(never_begun=frozenset({"check-after-switch"})),
    ],
)
def test_a_switch_that_nobody_checked_is_unknown_not_passed(story: Story) -> None:
    verdict = story.verdict()
    assert verdict.outcome is RunOutcome.INCONCLUSIVE
    assert [reason.en for reason in verdict.reasons] == ["the checks after the switch were not made"]


def test_an_aborted_run_says_no_more_than_that() -> None:
    verdict = Story(never_begun=frozenset({"check-after-switch"}), notes=(("aborted", "by hand"),)).verdict()
    assert [reason.en for reason in verdict.reasons] == ["aborted: by hand"]


def test_a_second_attempt_has_an_end_of_its_own() -> None:
    events = Story().events()
    first = next(event for event in events if event.step == "repoint-1" and event.kind is EventKind.INTENT)
    again = first.model_copy(update={"attempt": 2})
    found = [item for item in step_results([*events, again]) if item.step == "repoint-1" and item.target == TRADE]
    assert [(item.attempt, item.outcome) for item in found] == [(1, Outcome.SUCCEEDED), (2, Outcome.INDETERMINATE)]


def test_an_undo_is_told_from_a_step() -> None:
    found = {item.step: item for item in step_results(Story().events())}
    assert {name for name, item in found.items() if item.undo} == {"lift", "restore-1"}
    assert found["restore-1"].outcome is Outcome.UNDONE
    assert (found["settle"].started_at, found["settle"].finished_at) == (T0 + 11, T0 + 11.5)


# Restoration ---------------------------------------------------------------------------------------


def restored(**different: Any) -> Restoration:
    return Story(**different).verdict().restoration


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.UNDONE, Restoration.PROVED),
        (Outcome.SKIPPED, Restoration.PROVED),
        (Outcome.UNDO_FAILED, Restoration.NOT_PROVED),
        (Outcome.INDETERMINATE, Restoration.NOT_PROVED),
        (Outcome.FAILED, Restoration.NOT_PROVED),
    ],
)
def test_every_undo_must_have_succeeded(outcome: Outcome, expected: Restoration) -> None:
    assert restored(outcomes={("restore-1", TRADE): outcome}) is expected


@pytest.mark.parametrize("step", ["lift", "restore-1", "home-1", "settle-back", "disarm"])
def test_a_restoring_step_that_was_cut_off_leaves_it_unproved(step: str) -> None:
    assert restored(cut_off=frozenset({step})) is Restoration.NOT_PROVED


@pytest.mark.parametrize(
    ("result", "blind", "expected"),
    [
        (CheckResult.NORMAL, False, Restoration.PROVED),
        (CheckResult.NOT_TESTED, False, Restoration.PROVED),
        (CheckResult.ABNORMAL, False, Restoration.NOT_PROVED),
        (CheckResult.NOT_TESTED, True, Restoration.NOT_PROVED),
    ],
)
def test_checks_after_restoration_must_be_normal(result: CheckResult, blind: bool, expected: Restoration) -> None:
    good = record(Phase.PROVING_RESTORATION, "session", TRADE)
    other = record(Phase.PROVING_RESTORATION, "login", TRADE, result, blind)
    assert restored(checks={Phase.PROVING_RESTORATION: [good, other]}) is expected


def test_no_check_after_restoration_proves_nothing() -> None:
    assert restored(checks={Phase.PROVING_RESTORATION: []}) is Restoration.NOT_PROVED
    assert restored(never_begun=frozenset({"check-after-restoration"})) is Restoration.NOT_PROVED


def test_checks_of_another_phase_do_not_prove_restoration() -> None:
    assert restored(checks={Phase.PROVING_RESTORATION: [record(Phase.VERIFYING, "login", TRADE)]}) is (
        Restoration.NOT_PROVED
    )


def test_without_a_snapshot_after_it_is_not_proved() -> None:
    assert restored(never_begun=frozenset({"prove"})) is Restoration.NOT_PROVED


def test_what_could_not_be_looked_at_afterwards_is_not_proved() -> None:
    assert restored(snapshots={"after": {"unreachable": {"ce-a": "no answer"}}}) is Restoration.NOT_PROVED


def test_an_incident_has_nothing_to_restore() -> None:
    made = plan(mode=Mode.INCIDENT)
    never_home = {
        item.gateway: track(item.gateway, (0, 12, item.before.front), (12, 14, None), (14, END, item.after.front))
        for item in made.affected
        if item.before and item.after
    }
    verdict = Story(made).verdict(observed(made, never_home))
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.NOT_APPLICABLE)


def test_a_run_that_touched_nothing_has_nothing_to_restore() -> None:
    touched = frozenset(step.id for step in plan().steps if step.phase not in (Phase.PRECHECKING, Phase.BASELINING))
    verdict = Story(never_begun=touched, notes=(("not_started", "baseline"),)).verdict()
    assert (verdict.restoration, verdict.outcome) == (Restoration.NOT_APPLICABLE, RunOutcome.NOT_STARTED)
    assert verdict.exit_code == 3


def test_a_fault_that_was_perhaps_made_must_be_proved_gone() -> None:
    """Injection was cut off before anybody could say that the fault is there."""
    switching = frozenset(step.id for step in plan().steps if step.phase in (Phase.SWITCHING, Phase.VERIFYING))
    story = Story(cut_off=frozenset({"inject"}), never_begun=switching, notes=(("error", "no answer"),))
    assert window_of(story.events()) is None
    assert story.verdict().restoration is Restoration.PROVED
    story.snapshots["after"] = {"residue": {"gw-a1": ["nft table"]}}
    assert story.verdict().restoration is Restoration.NOT_PROVED


# Differences ---------------------------------------------------------------------------------------


def differences(**after: Any) -> list[tuple[str, str, str, str]]:
    verdict = Story(snapshots={"after": after}).verdict()
    assert (verdict.restoration is Restoration.PROVED) is (not verdict.differences)
    return [(item.target, item.field, item.before, item.after) for item in verdict.differences]


def gateways_with(**fields: Any) -> dict[str, Any]:
    everything = {change.gateway: state_of(change.gateway) for change in plan().gateways}
    return {**everything, TRADE: {**everything[TRADE], **fields}}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("running", False),
        ("endpoints", []),
        ("config_sha256", "another"),
        ("owner", "root:root"),
        ("mode", "0600"),
        ("session", "172.50.101.30:7043"),
        ("logged_in", False),
    ],
)
def test_every_field_of_a_gateway_is_compared(field: str, value: object) -> None:
    found = differences(gateways=gateways_with(**{field: value}))
    assert found == [(TRADE, field, str(state_of(TRADE)[field]), str(value))]


def test_a_gateway_that_was_not_touched_is_compared_too() -> None:
    everything = gateways_with()
    everything["sse-td-1"] = {**everything["sse-td-1"], "config_sha256": "edited by somebody else"}
    assert [item[:2] for item in differences(gateways=everything)] == [("sse-td-1", "config_sha256")]


def test_a_gateway_that_is_not_seen_any_more_is_a_difference() -> None:
    left = {name: state for name, state in gateways_with().items() if name != TRADE}
    assert differences(gateways=left, unreachable={TRADE: "no answer"}) == [(TRADE, "gateways", "seen", "no answer")]
    assert differences(gateways=left) == [(TRADE, "gateways", "seen", "not seen")]


def test_a_route_over_another_line_is_a_difference() -> None:
    routes = routes_of()
    routes["ce-a"] = {**routes["ce-a"], "futian": "uni-futian"}
    assert differences(routers=routes) == [("ce-a", "futian", "tel-futian", "uni-futian")]


def test_a_route_that_is_gone_or_new_is_a_difference() -> None:
    routes = routes_of()
    futian = routes["ce-a"].pop("futian")
    routes["ce-b"]["elsewhere"] = "tel-southern"
    assert differences(routers=routes) == [
        ("ce-a", "futian", str(futian), "None"),
        ("ce-b", "elsewhere", "None", "tel-southern"),
    ]
    del routes["ce-b"]
    assert ("ce-b", "routers", "seen", "not seen") in differences(routers=routes)


def test_residue_is_what_was_not_there_before() -> None:
    assert differences(residue={"gw-a1": ["qdisc", "nft"]}) == [
        ("gw-a1", "residue", "-", "nft"),
        ("gw-a1", "residue", "-", "qdisc"),
    ]
    before = {"residue": {"gw-a1": ["nft"], "gw-a2": ["qdisc"]}}
    story = Story(snapshots={"before": before, "after": {"residue": {"gw-a1": ["nft"]}}})
    assert story.verdict().differences == ()


# Objectives ----------------------------------------------------------------------------------------


def objective(
    metric: Metric, limit: float, *classes: GatewayClass, story: Story | None = None, **instead: list[Sample]
) -> ObjectiveResult:
    """One objective on a run; `instead` are the samples of gateways (with _ for -)."""
    wanted = Objective(
        id="o",
        title=Title(zh="目标", en="objective"),
        metric=metric,
        classes=classes,
        limit=limit,
        unit="s",
        source="ours",
    )
    story = story or Story()
    story.plan = story.plan.model_copy(update={"objectives": (wanted,)})
    samples = {name.replace("_", "-"): found for name, found in instead.items()}
    return story.verdict(observed(story.plan, samples)).objectives[0]


def slow(gateway: str, down_s: float) -> list[Sample]:
    return journey(plan(), gateway, down_s)


@pytest.mark.parametrize(("limit", "state"), [(7, ObjectiveState.MET), (6.99, ObjectiveState.MISSED)])
def test_the_slowest_gateway_decides(limit: float, state: ObjectiveState) -> None:
    found = objective(Metric.SWITCH_TIME, limit, nq_trade_1=slow(TRADE, 7))
    assert (found.measured, found.state) == (7, state)


def test_an_objective_of_a_class_leaves_the_others_out() -> None:
    found = objective(Metric.SWITCH_TIME, 5, GatewayClass.SETTLEMENT, nq_trade_1=slow(TRADE, 7))
    assert (found.measured, found.state) == (2, ObjectiveState.MET)


def test_a_gateway_that_is_not_back_misses_the_objective() -> None:
    for metric in (Metric.SWITCH_TIME, Metric.RECOVERY_TIME, Metric.DR_DEADLINE):
        assert objective(metric, 1000, nq_trade_1=NEVER_BACK).state is ObjectiveState.MISSED
    assert objective(Metric.SWITCH_TIME, 1000, GatewayClass.SETTLEMENT, nq_trade_1=NEVER_BACK).state is (
        ObjectiveState.MET
    )


@pytest.mark.parametrize(
    "samples",
    [
        track(TRADE, (0, END, HOME)),
        track(TRADE, (0, FAULT, HOME), (FAULT, 12, None), (12, 20, AWAY), (20, LIFT, None)),
    ],
    ids=["hangs on to a dead session", "is lost again"],
)
def test_a_gateway_that_only_seemed_to_be_back_misses_the_objective(samples: list[Sample]) -> None:
    assert objective(Metric.SWITCH_TIME, 1000, nq_trade_1=samples).state is ObjectiveState.MISSED


def test_an_objective_without_a_gateway_is_not_measured() -> None:
    found = objective(Metric.SWITCH_TIME, 5, GatewayClass.TDGW)
    assert (found.measured, found.state) == (None, ObjectiveState.NOT_MEASURED)


def test_without_a_fault_nothing_is_measured() -> None:
    story = Story(never_begun=frozenset({"inject", *(s.id for s in plan().steps if s.phase is Phase.SWITCHING)}))
    found = objective(Metric.SWITCH_TIME, 5, story=story)
    assert (found.measured, found.state) == (None, ObjectiveState.NOT_MEASURED)


def test_a_connection_that_never_broke_was_out_for_no_time() -> None:
    found = objective(Metric.SWITCH_TIME, 5, GatewayClass.TRADING, story=Story(plan("single-carrier-failure")))
    rerouted = objective(
        Metric.RECOVERY_TIME,
        5,
        GatewayClass.MARKET_DATA_TCP,
        story=Story(plan("single-carrier-failure")),
        nq_md_2=track("nq-md-2", (0, 5, "southern-market"), (5, END, "futian-market")),
    )
    assert (found.measured, found.state) == (2, ObjectiveState.MET)
    assert rerouted.state is not ObjectiveState.MISSED


def test_a_connection_that_broke_last_of_all_is_not_taken_for_one_that_never_broke() -> None:
    """It is up by the last samples, and its own log says that it lost its session before them."""
    made = plan("single-carrier-failure", Mode.DRILL, Response.OBSERVE)
    story = Story(made)
    verdict = story.verdict(observed(made, stamps=[stamp(TRADE, 29.2, "lost")]))
    trading = next(item for item in verdict.objectives if item.id == "trading-switch")
    times = next(item for item in verdict.gateways if item.gateway == TRADE)
    assert (times.came_back, times.login_at) == (True, None)
    assert trading.state is ObjectiveState.MISSED


def test_recovery_counts_from_the_fault_to_the_last_gateway() -> None:
    late = track(TRADE, (0, 12, HOME), (12, 14, None), (14, LIFT, AWAY))
    found = objective(Metric.RECOVERY_TIME, 4, nq_trade_1=late)
    assert (found.measured, found.state) == (4, ObjectiveState.MET)
    assert objective(Metric.SWITCH_TIME, 4, GatewayClass.TRADING, nq_trade_1=late).measured == 2


def test_a_deadline_of_days_is_measured_in_days() -> None:
    found = objective(Metric.DR_DEADLINE, 3, nq_trade_1=slow(TRADE, 8.5))
    assert found.measured == pytest.approx(8.5 / 86400)
    assert found.state is ObjectiveState.MET


def market(*spells: tuple[float, float]) -> ObjectiveResult:
    story = Story(plan("single-carrier-failure"))
    fast = data("nq-md-1", "futian-market", (0, END))
    slow = data("nq-md-2", "futian-market", *spells)
    return objective(Metric.DATA_GAP, 4, GatewayClass.MARKET_DATA_TCP, story=story, nq_md_1=fast, nq_md_2=slow)


def test_the_largest_gap_decides() -> None:
    assert market((0, 10), (13, END)).measured == 3.5
    assert market((0, 10), (15, END)).state is ObjectiveState.MISSED
    assert market((0, END)).measured == INTERVAL


def test_a_gap_that_has_no_end_is_not_left_out() -> None:
    found = market((0, 12))
    assert (found.measured, found.state) == (None, ObjectiveState.NOT_MEASURED)


def test_a_class_without_business_has_no_objective() -> None:
    made = plan("beijing-dr-cutover")
    gone = track("nq-mc-1", (0, FAULT, "futian-multicast"), (FAULT, END, None))
    found = objective(Metric.RECOVERY_TIME, 300, story=Story(made), nq_mc_1=gone)
    assert (found.measured, found.state) == (2, ObjectiveState.MET)


# The rest ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("valid", "expected"), [(True, Integrity.UNSEALED), (False, Integrity.BROKEN)])
def test_a_broken_chain_is_said(valid: bool, expected: Integrity) -> None:
    assert Story().verdict(chain_valid=valid).integrity is expected


def test_a_list_counts_as_changed_if_it_was_written_and_stayed() -> None:
    story = Story(
        returned={
            ("repoint-1", TRADE): {"changed": True},
            ("repoint-1", OTHER): {"changed": True, "rolled_back": True},
            ("repoint-1", "nq-md-1"): {"changed": False},
            ("restore-1", "nq-ccnet-1"): {"changed": True},
        }
    )
    assert changed_lists(story.plan, step_results(story.events())) == {TRADE}
    verdict = story.verdict()
    assert verdict.lists_changed == 1
    assert [item.gateway for item in verdict.gateways if item.list_changed] == [TRADE]


def test_the_window_is_the_fault_from_made_to_lifted() -> None:
    events = Story().events()
    window = window_of(events)
    assert window
    assert (window.fault_at, window.lifted_at) == (T0 + FAULT, T0 + LIFT)
    assert [window.holds(T0 + at) for at in (9.9, 10, 29.9, 30)] == [False, True, True, False]
    until = window_of([event for event in events if event.kind is not EventKind.FAULT_OFF])
    assert until
    assert until.holds(T0 + 10_000)


def test_the_window_of_an_incident_opens_with_the_switching() -> None:
    events = Story(plan(mode=Mode.INCIDENT)).events()
    window = window_of(events)
    assert window
    assert (window.fault_at, window.lifted_at) == (T0 + 11, None)
    assert window_of(events[:1]) is None


def test_an_event_is_timed_by_utc() -> None:
    assert epoch_s(Story().events()[0]) == T0


def test_our_own_stops_and_the_clock_offsets_are_used() -> None:
    """The host's clock is 1 s fast: what it calls 11.25 was 10.25."""
    story = Story(
        returned={("repoint-1", TRADE): {"stamps": {"stop": [T0 + 11.25, 5.0]}}},
        snapshots={"before": {"clock_offset_s": {"gw-a1": 1.0, "ce-a": 100.0}}},
    )
    samples = track(TRADE, (0, 12, HOME), (12, 15, None), (15, LIFT + 1, AWAY))
    routes = [route("ce-a", 29 + 100, {"southern": "tel-southern"}), route("ce-a", 29, {"southern": "uni-southern"})]
    verdict = story.verdict(observed(story.plan, {TRADE: samples}, routes=routes))
    times = next(item for item in verdict.gateways if item.gateway == TRADE)
    assert ((times.broken_at or 0) - T0, (times.login_at or 0) - T0) == (10.25, 14)
    assert times.line_during == "tel-southern"
