"""The record of a run: its phases, the interlock's proofs, the clauses it covers, the files it changed."""

from itertools import pairwise
from typing import Any

import pytest

from orchestrator.model.event import CheckRecord, CheckResult, Event, Outcome
from orchestrator.model.plan import FaultSource, GatewayChange, Phase, Plan, Verb
from orchestrator.model.record import ClauseResult, ConfigRecord, InterlockProof, RunRecord
from orchestrator.model.topology import GatewayClass
from orchestrator.model.verdict import Integrity
from orchestrator.report.assemble import assemble
from orchestrator.report.proofs import order_holds
from tests.judge.story import END, FAULT, LIFT, T0, Story, observed, plan, record, state_of, topology, track

TRADE = "nq-trade-1"
PROVED: dict[str, Any] = {
    "stamps": {
        "stop": [T0 + 11.0, 1.0],
        "process_gone": [T0 + 11.1, 1.1],
        "sockets_gone": [T0 + 11.2, 1.2],
        "start": [T0 + 11.8, 1.8],
        "logged_in": [T0 + 12.0, 2.0],
    },
    "released_by": "acknowledged",
    "waited_s": 0.6,
    "changed": True,
}


def assembled(story: Story | None = None, events: list[Event] | None = None, **more: Any) -> RunRecord:
    story = story or Story()
    named: dict[str, Any] = {"operator": "li", "fault_source": FaultSource.TWIN, "versions": {"drillctl": "1"}, **more}
    seen = named.pop("seen", None) or observed(story.plan)
    return assemble("r1", story.plan, topology(), events or story.events(), seen, **named)


def after_t0(*found: float | None) -> list[float | None]:
    return [None if item is None else round(item - T0, 6) for item in found]


# The whole -----------------------------------------------------------------------------------------


def test_the_record_holds_what_the_journal_says() -> None:
    found = assembled()
    assert after_t0(found.started_at, found.fault_at, found.lifted_at, found.finished_at) == [0, FAULT, LIFT, 39.6]
    assert (found.run, found.operator, found.plan_digest) == ("r1", "li", plan().digest)
    events = Story().events()
    assert (found.journal.events, found.journal.head) == (len(events), events[-1].digest)
    assert (found.journal.chain_valid, found.verdict.integrity) == (True, Integrity.UNSEALED)


def test_a_changed_event_is_said_in_the_journal_and_in_the_verdict() -> None:
    events = Story().events()
    events[3] = events[3].model_copy(update={"data": {**events[3].data, "forged": True}})
    found = assembled(events=events)
    assert (found.journal.chain_valid, found.verdict.integrity) == (False, Integrity.BROKEN)


@pytest.mark.parametrize("source", list(FaultSource))
def test_only_what_ran_on_a_twin_is_simulated(source: FaultSource) -> None:
    assert assembled(fault_source=source).simulated is (source is FaultSource.TWIN)


def test_clock_offsets_are_those_of_the_snapshot_before() -> None:
    story = Story(snapshots={"before": {"clock_offset_s": {"gw-a1": 0.5}}, "after": {"clock_offset_s": {"gw-a1": 9.0}}})
    assert assembled(story).clock_offset_s == {"gw-a1": 0.5}


def test_a_run_without_a_fault_has_no_times_of_one() -> None:
    late = frozenset(step.id for step in plan().steps if step.phase not in (Phase.PRECHECKING, Phase.BASELINING))
    found = assembled(Story(never_begun=late, notes=(("not_started", "baseline"),)))
    assert (found.fault_at, found.lifted_at, found.verdict.gateways) == (None, None, ())


# Phases and steps ----------------------------------------------------------------------------------


def test_each_phase_ends_where_the_next_begins() -> None:
    found = assembled().phases
    assert [item.phase for item in found] == list(Phase)
    assert all(one.finished_at == other.started_at for one, other in pairwise(found))
    assert after_t0(found[0].started_at, found[-1].finished_at) == [0, 39.6]


def test_every_step_has_a_line_per_target_with_its_outcome() -> None:
    found = assembled(Story(cut_off=frozenset({"settle"}), outcomes={("repoint-1", TRADE): Outcome.FAILED})).steps
    lines = {(item.step, item.target): item for item in found}
    assert len(lines) == len(found) == sum(len(step.targets) for step in plan().steps)
    repoint = lines["repoint-1", TRADE]
    assert (repoint.phase, repoint.verb, repoint.undo) == (Phase.SWITCHING, Verb.REPOINT, False)
    assert (repoint.outcome, repoint.message) == (Outcome.FAILED, "as told")
    assert lines["repoint-1", "nq-md-1"].outcome is Outcome.SUCCEEDED
    assert (lines["settle", "site"].outcome, lines["settle", "site"].finished_at) == (Outcome.INDETERMINATE, None)
    assert [lines[name].undo for name in (("lift", "fault"), ("restore-1", TRADE))] == [True, True]


# Interlock -----------------------------------------------------------------------------------------


def proofs(**returned: dict[str, Any]) -> tuple[InterlockProof, ...]:
    """`returned` is what each step (with _ for -) returned for the trading gateway."""
    return assembled(
        Story(returned={(name.replace("_", "-"), TRADE): data for name, data in returned.items()})
    ).interlocks


def test_each_stop_and_start_is_proved_by_the_stamps_of_its_host() -> None:
    (proof,) = proofs(repoint_1=PROVED)
    assert (proof.gateway, proof.number, proof.certificate, proof.host) == (TRADE, "W100200", f"{TRADE}-file", "gw-a1")
    assert (proof.step, proof.released_by, proof.waited_s) == ("repoint-1", "acknowledged", 0.6)
    found = (proof.stop_at, proof.process_gone_at, proof.sockets_gone_at, proof.start_at, proof.login_at)
    assert after_t0(*found) == [11.0, 11.1, 11.2, 11.8, 12.0]


def test_the_way_back_is_proved_too() -> None:
    assert [item.step for item in proofs(repoint_1=PROVED, restore_1=PROVED, home_1=PROVED)] == [
        "repoint-1",
        "restore-1",
        "home-1",
    ]


def test_a_step_that_stopped_nothing_is_no_proof() -> None:
    assert proofs(repoint_1={"stamps": {"begin": [T0, 1.0]}}, arm=PROVED) == ()


def without(*names: str, **changed: float) -> dict[str, Any]:
    """The proof without some of its stamps, or with others."""
    stamps = {name: at for name, at in PROVED["stamps"].items() if name not in names}
    return {**PROVED, "stamps": {**stamps, **{name: [T0 + at, 0.0] for name, at in changed.items()}}}


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (PROVED, "passed"),
        ({**PROVED, "released_by": "waited"}, "passed"),
        ({**PROVED, "released_by": None}, "failed"),
        (without("process_gone"), "failed"),
        (without("sockets_gone"), "failed"),
        (without(sockets_gone=11.9), "failed"),
        (without(process_gone=11.9), "failed"),
        (without("start", "logged_in"), "unknown"),
        (without("start", "sockets_gone"), "unknown"),
    ],
)
def test_one_log_in_per_number_is_proved_only_by_an_end_before_each_start(data: dict[str, Any], result: str) -> None:
    clause = clauses(Story(returned={("repoint-1", TRADE): data, ("repoint-1", "nq-md-1"): PROVED}))["SSCC-2.5"]
    assert (clause.covered, clause.result, clause.by) == (True, result, ("interlock",))


# Clauses -------------------------------------------------------------------------------------------


def clauses(story: Story, **more: Any) -> dict[str, ClauseResult]:
    return {item.id: item for item in assembled(story, **more).clauses}


def test_a_clause_that_the_drill_does_not_serve_is_not_covered() -> None:
    found = clauses(Story())
    covered = {name for name, item in found.items() if item.covered}
    assert covered == set(plan().clauses) - {"SSCC-2.5"}
    assert all(item.result == "not_covered" for name, item in found.items() if name not in covered)


def test_without_a_stop_and_start_one_log_in_per_number_is_not_covered() -> None:
    assert clauses(Story())["SSCC-2.5"].result == "not_covered"


def test_a_drill_covers_its_clauses_as_far_as_its_outcome_goes() -> None:
    bad = record(Phase.VERIFYING, "login", TRADE, CheckResult.ABNORMAL)
    blind = record(Phase.VERIFYING, "login", TRADE, CheckResult.NOT_TESTED, blind=True)

    def of(story: Story) -> tuple[str, tuple[str, ...]]:
        clause = clauses(story)["SSCC-2.3"]
        return clause.result, clause.by

    assert of(Story()) == ("passed", ("single-centre-failure",))
    assert of(Story(checks={Phase.VERIFYING: [bad]}))[0] == "failed"
    assert of(Story(checks={Phase.VERIFYING: [blind]}))[0] == "unknown"
    assert of(Story(notes=(("aborted", "by hand"),)))[0] == "unknown"
    assert of(Story(notes=(("not_started", "baseline"),))) == ("not_covered", ())


@pytest.mark.parametrize(("clause", "check"), [("SSCC-3.2b", "routed-port"), ("SSCC-4.1", "isolation")])
@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([(CheckResult.NORMAL, False)], "passed"),
        ([(CheckResult.NORMAL, False), (CheckResult.ABNORMAL, False), (CheckResult.NOT_TESTED, True)], "failed"),
        ([(CheckResult.NORMAL, False), (CheckResult.NOT_TESTED, True)], "unknown"),
        ([(CheckResult.NOT_TESTED, False)], "unknown"),
        ([], "not_covered"),
    ],
)
def test_a_clause_that_is_looked_at_has_the_result_of_its_check(
    clause: str, check: str, results: list[tuple[CheckResult, bool]], expected: str
) -> None:
    looked: list[CheckRecord] = [record(Phase.VERIFYING, check, "ce-a", *item) for item in results]
    other = record(Phase.VERIFYING, "login", TRADE)
    empty: dict[Phase, list[CheckRecord]] = {Phase.BASELINING: [], Phase.PROVING_RESTORATION: []}
    found = clauses(Story(checks={**empty, Phase.VERIFYING: [other, *looked]}))[clause]
    assert found.result == expected


def test_tcp_stays_primary_if_every_tcp_market_data_gateway_came_back() -> None:
    lost = track("nq-md-1", (0, FAULT, "futian-market"), (FAULT, END, None))
    assert clauses(Story())["SSCC-2.4"].result == "passed"
    assert clauses(Story(), seen=observed(plan(), {"nq-md-1": lost}))["SSCC-2.4"].result == "failed"
    other = track(TRADE, (0, FAULT, "futian-trading"), (FAULT, END, None))
    assert clauses(Story(), seen=observed(plan(), {TRADE: other}))["SSCC-2.4"].result == "passed"


def plan_with(gateways: tuple[GatewayChange, ...]) -> Plan:
    return Plan(**{name: getattr(plan(), name) for name in Plan.model_fields} | {"gateways": gateways})


def test_without_tcp_market_data_in_the_fault_its_clause_is_not_covered() -> None:
    fewer = tuple(item for item in plan().gateways if item.gateway_class is not GatewayClass.MARKET_DATA_TCP)
    assert clauses(Story(plan_with(fewer)))["SSCC-2.4"].result == "not_covered"


# A number that goes to another host ----------------------------------------------------------------

COLD = "nq-trade-1-cold"
TAKEN: dict[str, Any] = {"stamps": {"start": [T0 + 15.5, 1.5], "logged_in": [T0 + 16.0, 2.0]}, "changed": True}
FENCED: dict[str, Any] = {
    "way": "network",
    "proved_at": T0 + 11.4,
    "released": True,
    "waited_s": 3.0,
    "routers": ["ce-a"],
}
BACK: dict[str, Any] = {
    "stamps": {"stop": [T0 + 29.0, 9.0], "process_gone": [T0 + 28.9 + 0.2, 9.1], "sockets_gone": [T0 + 29.2, 9.2]},
    "released_by": "acknowledged",
}


def moved(fence: dict[str, Any]) -> tuple[list[InterlockProof], ClauseResult]:
    returned = {("fence-1", TRADE): fence, ("take-over-1", COLD): TAKEN, ("give-back-1", COLD): BACK}
    before = {"before": {"clock_offset_s": {"gw-b2": 0.25}}}
    found = assembled(Story(plan("gateway-host-failure"), returned=returned, snapshots=before))
    return list(found.interlocks), next(item for item in found.clauses if item.id == "SSCC-2.5")


def test_a_number_that_moves_to_its_standby_is_proved_by_the_fence() -> None:
    (away, back), clause = moved(FENCED)
    assert (away.gateway, away.number, away.host, away.target_host) == (TRADE, "W100200", "gw-a1", "gw-b2")
    assert (away.way, away.released_by, away.waited_s) == ("network", "waited", 3.0)
    assert after_t0(away.stop_at, away.proved_at, away.start_at, away.login_at) == [11.0, 11.4, 15.25, 15.75]
    assert order_holds(away)
    assert (back.gateway, back.host, back.target_host, back.way) == (COLD, "gw-b2", "gw-a1", "process")
    assert after_t0(back.stop_at, back.proved_at, back.start_at) == [28.75, 28.95, 29.0]
    assert (order_holds(back), clause.result) == (True, "passed")


@pytest.mark.parametrize(
    ("changed", "holds", "result"),
    [
        ({"proved_at": None}, None, "failed"),
        ({"released": False}, None, "failed"),
        ({"proved_at": T0 + 15.9}, False, "failed"),
        ({"way": "process"}, True, "passed"),
    ],
)
def test_a_standby_that_starts_without_a_proved_fence_is_not_proved(
    changed: dict[str, Any], holds: bool | None, result: str
) -> None:
    (away, _), clause = moved(FENCED | changed)
    assert (order_holds(away), clause.result) == (holds, result)


# Configurations ------------------------------------------------------------------------------------


def configurations(**snapshots: Any) -> dict[str, ConfigRecord]:
    data = {
        ("repoint-1", TRADE): {"diff": {"before": ["a"], "after": ["b"]}},
        ("restore-1", TRADE): {"diff": {"before": ["b"], "after": ["a"]}},
    }
    found = assembled(Story(returned=data, snapshots=snapshots)).configurations
    return {item.gateway: item for item in found}


def test_each_file_that_the_plan_changes_is_kept_by_digest_with_the_change_made() -> None:
    during = {TRADE: {**state_of(TRADE), "config_sha256": "during", "endpoints": ["1.1.1.1:1"]}}
    found = configurations(during={"gateways": during})[TRADE]
    assert (found.sha256_before, found.sha256_during, found.sha256_after) == (
        f"sha of {TRADE}",
        "during",
        f"sha of {TRADE}",
    )
    assert (found.list_during, found.list_after) == (("1.1.1.1:1",), tuple(state_of(TRADE)["endpoints"]))
    assert (found.diff, found.host) == (("-a", "+b"), "gw-a1")
    assert found.path == topology().config_path(topology().gateway[TRADE])


def test_a_file_that_nobody_changes_is_left_out_unless_it_changed() -> None:
    assert set(configurations()) == {"nq-trade-1", "nq-trade-3", "nq-md-1", "nq-ccnet-1"}
    edited = {"nq-mc-1": {**state_of("nq-mc-1"), "config_sha256": "edited"}}
    assert "nq-mc-1" in configurations(during={"gateways": edited})


def test_a_gateway_that_was_not_seen_has_no_digest() -> None:
    found = configurations(after={"gateways": {}})[TRADE]
    assert (found.sha256_after, found.list_after) == (None, ())
