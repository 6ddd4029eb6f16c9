"""Times of a gateway: what the stamps and the samples say, and what they do not."""

from collections.abc import Mapping, Sequence

import pytest

from orchestrator.measure import (
    OnControllerClock,
    Series,
    Window,
    allowed_fronts,
    class_times,
    front_of,
    gateway_times,
    routes_on_controller_clock,
)
from orchestrator.model.drill import Mode, Response
from orchestrator.model.event import LogStamp, RouteSample, Sample
from orchestrator.model.plan import Action, Plan
from orchestrator.model.topology import GatewayClass
from orchestrator.model.verdict import GatewayTimes
from tests.judge.story import (
    END,
    FAULT,
    INTERVAL,
    LIFT,
    T0,
    change_of,
    data,
    journey,
    plan,
    route,
    sample,
    stamp,
    topology,
    track,
)

WINDOW = Window(T0 + FAULT, T0 + LIFT)
TRADE, HOME, AWAY = "nq-trade-1", "futian-trading", "southern-trading"
RECEIVER, GROUP = "nq-mc-1", "southern-multicast"


def times(
    samples: Sequence[Sample],
    stamps: Sequence[LogStamp] = (),
    stopped: Sequence[float] = (),
    routes: Sequence[RouteSample] = (),
    window: Window = WINDOW,
    made: Plan | None = None,
) -> GatewayTimes:
    """Times of the gateway that was sampled."""
    made = made or plan()
    series = Series(samples, stamps, [T0 + at for at in stopped])
    change = change_of(made, samples[0].gateway)
    return gateway_times(made, topology(), change, series, routes, window, list_changed=False)


def after_t0(*found: float | None) -> list[float | None]:
    return [None if item is None else round(item - T0, 6) for item in found]


def moments(found: GatewayTimes) -> list[float | None]:
    """Broken, connected, logged in: seconds after T0."""
    return after_t0(found.broken_at, found.connected_at, found.login_at)


def stamped(*events: tuple[float, str]) -> list[LogStamp]:
    return [stamp(TRADE, at, event) for at, event in events]


def away_from(at: float) -> list[Sample]:
    """At home until the fault, nowhere until `at`, then at the other centre."""
    return track(TRADE, (0, FAULT, HOME), (FAULT, at, None), (at, LIFT, AWAY), (LIFT, END, HOME))


# Stamps and samples --------------------------------------------------------------------------------


def test_without_stamps_the_samples_count_and_the_interval_is_the_resolution() -> None:
    found = times(away_from(12))
    assert moments(found) == [10, 12, 12]
    assert (found.switch_s, found.resolution_s) == (2, INTERVAL)


def test_stamps_of_the_gateway_are_exact() -> None:
    found = times(away_from(12), stamped((10.0, "lost"), (11.2, "connected"), (11.48, "logged_in")))
    assert moments(found) == [10.0, 11.2, 11.48]
    assert (round(found.switch_s or 0, 6), found.resolution_s) == (1.48, 0)


@pytest.mark.parametrize("one_end", [(10.0, "lost"), (11.48, "logged_in")])
def test_one_stamped_end_alone_leaves_the_resolution_of_the_sampler(one_end: tuple[float, str]) -> None:
    assert times(away_from(12), stamped(one_end)).resolution_s == INTERVAL


@pytest.mark.parametrize("event", ["lost", "logged_out"])
def test_a_lost_session_and_a_log_out_are_both_a_break(event: str) -> None:
    assert after_t0(times(away_from(12), stamped((10.0, event))).broken_at) == [10]


@pytest.mark.parametrize("event", ["connected", "logged_in", "refused"])
def test_other_stamps_are_no_break(event: str) -> None:
    found = times(track(TRADE, (0, END, HOME)), stamped((11, event)))
    assert moments(found) == [None, None, None]


def test_the_stop_that_we_made_is_a_break() -> None:
    found = times(track(TRADE, (0, 11.5, HOME), (11.5, LIFT, AWAY)), stopped=[11.05])
    assert after_t0(found.broken_at) == [11.05]


def test_the_first_evidence_of_the_break_counts() -> None:
    samples = track(TRADE, (0, 12, HOME), (12, 14, None), (14, LIFT, AWAY))
    assert after_t0(times(samples, stamped((11.9, "logged_out"), (11.7, "lost")), stopped=[11.8]).broken_at) == [11.7]
    late = times(samples, stamped((12.3, "lost"), (13.9, "logged_in")))
    assert (after_t0(late.broken_at), late.resolution_s) == ([12], INTERVAL)


def test_that_the_fault_was_made_is_no_break() -> None:
    found = times(track(TRADE, (0, END, HOME)))
    assert moments(found) == [None, None, None]
    assert found.switch_s is None


def test_a_sample_that_could_not_look_is_no_break() -> None:
    blind = [sample(TRADE, 15, None, logged_in=None)]
    samples = [*track(TRADE, (0, 15, HOME)), *blind, *track(TRADE, (15.5, END, HOME))]
    assert times(samples).broken_at is None


def test_a_stamp_from_before_the_fault_is_no_break() -> None:
    assert after_t0(times(away_from(12), stamped((9.9, "lost")), stopped=[9.95]).broken_at) == [10]


# Recovery ------------------------------------------------------------------------------------------


def test_recovery_is_the_first_of_three_good_samples_in_a_row() -> None:
    flapping = track(
        TRADE, (0, 10, HOME), (10, 11, None), (11, 12, AWAY), (12, 13, None), (13, 14.5, AWAY), (14.5, 15, None)
    )
    assert moments(times([*flapping, *track(TRADE, (15, 30, None))])) == [10, 13, 13]
    two = track(TRADE, (0, 10, HOME), (10, 11, None), (11, 12, AWAY), (12, 30, None))
    assert moments(times(two)) == [10, None, None]


def test_the_log_in_that_lasted_is_the_one_that_counts() -> None:
    samples = track(TRADE, (0, 10, HOME), (10, 11, None), (11, 12, AWAY), (12, 13, None), (13, 30, AWAY))
    stamps = stamped((10.0, "lost"), (10.9, "logged_in"), (12.0, "lost"), (12.8, "logged_in"), (20.0, "logged_in"))
    assert moments(times(samples, stamps))[2] == 12.8


def test_a_log_in_before_the_break_is_not_the_recovery() -> None:
    stamps = stamped((10.1, "logged_in"), (10.4, "lost"))
    samples = track(TRADE, (0, 10.5, HOME), (10.5, 12, None), (12, 30, AWAY))
    assert moments(times(samples, stamps)) == [10.4, 12, 12]


def test_a_connection_before_the_break_or_after_the_log_in_is_another_one() -> None:
    stamps = stamped((10.0, "lost"), (11.0, "connected"), (11.4, "connected"), (11.9, "logged_in"), (13, "connected"))
    early = stamped((10.1, "connected"), (10.3, "lost"))
    assert moments(times(away_from(12), stamps))[1] == 11.4
    samples = track(TRADE, (0, 10.5, HOME), (10.5, 12, None), (12, 30, AWAY))
    assert moments(times(samples, early))[1] == 12


def test_coming_back_only_after_the_fault_was_lifted_is_no_recovery() -> None:
    found = times(track(TRADE, (0, 10, HOME), (10, 30, None), (30, 40, AWAY)))
    assert (found.login_at, found.came_back) == (None, False)


def test_a_fault_that_was_never_lifted_lasts_to_the_end() -> None:
    found = times(track(TRADE, (0, 10, HOME), (10, 32, None), (32, 40, AWAY)), window=Window(T0 + FAULT, None))
    assert (after_t0(found.login_at), found.came_back) == ([32], True)


def test_the_switch_never_takes_less_than_no_time() -> None:
    samples = track(TRADE, (0, 10, HOME), (10, 12, None), (12, LIFT, AWAY))
    assert times(samples, stamped((10.0, "logged_in"))).switch_s == 0


@pytest.mark.parametrize(("good_s", "came_back"), [(1.0, False), (1.5, True)])
def test_it_came_back_if_the_last_three_samples_are_good(good_s: float, came_back: bool) -> None:
    samples = track(TRADE, (0, 10, HOME), (10, LIFT - good_s, None), (LIFT - good_s, LIFT, AWAY), (LIFT, END, None))
    assert times(samples).came_back is came_back


def test_a_gateway_lost_again_at_the_end_did_not_come_back() -> None:
    assert not times(track(TRADE, (0, 10, HOME), (10, 12, None), (12, 29.5, AWAY), (29.5, 30, None))).came_back


def test_no_sample_proves_nothing() -> None:
    few = [*track(TRADE, (0, 10, HOME)), sample(TRADE, 29, AWAY), sample(TRADE, 29.5, AWAY)]
    assert not times(few).came_back
    assert not times(track(TRADE, (0, 10, HOME))).came_back


def test_a_gateway_without_business_never_comes_back() -> None:
    made = plan("beijing-dr-cutover")
    assert change_of(made, RECEIVER).action is Action.NO_BUSINESS
    assert not times(track(RECEIVER, (0, END, GROUP)), made=made).came_back


# Where a session may be ----------------------------------------------------------------------------


def test_a_session_with_a_lost_centre_is_stale_and_never_up() -> None:
    found = times(track(TRADE, (0, END, HOME)))
    assert (found.came_back, found.front_during) == (False, HOME)


def test_a_session_over_a_lost_line_is_stale_and_never_up() -> None:
    made = plan("single-carrier-failure", Mode.DRILL, Response.OBSERVE)
    change = change_of(made, "nq-trade-2")
    assert (change.action, change.before and change.before.front) == (Action.OWN_LIST, AWAY)
    assert allowed_fronts(made, topology(), change) == (HOME,)
    assert not times(track("nq-trade-2", (0, END, AWAY)), made=made).came_back


def test_a_rerouted_gateway_stays_with_its_front() -> None:
    made = plan("single-carrier-failure")
    change = change_of(made, TRADE)
    assert (change.action, allowed_fronts(made, topology(), change)) == (Action.REROUTED, (HOME,))
    found = times(track(TRADE, (0, END, HOME)), made=made)
    assert (found.came_back, found.broken_at) == (True, None)


def test_where_there_is_no_business_no_front_is_allowed() -> None:
    made = plan("beijing-dr-cutover")
    assert allowed_fronts(made, topology(), change_of(made, RECEIVER)) == ()


def test_a_repointed_gateway_may_be_at_every_front_of_its_new_list() -> None:
    longer = change_of(plan(), TRADE).model_copy(update={"list_after": (AWAY, "beijing-trading")})
    assert allowed_fronts(plan(), topology(), longer) == (AWAY, "beijing-trading")


def test_a_list_that_does_not_hold_the_plans_choice_allows_no_front() -> None:
    other = change_of(plan(), TRADE).model_copy(update={"list_after": (HOME,)})
    assert allowed_fronts(plan(), topology(), other) == ()


def test_a_front_of_a_lost_centre_further_down_the_list_is_not_allowed() -> None:
    longer = change_of(plan(), TRADE).model_copy(update={"list_after": (AWAY, HOME)})
    assert allowed_fronts(plan(), topology(), longer) == (AWAY,)


def test_the_front_is_known_only_when_logged_in_over_a_known_session() -> None:
    good = sample(TRADE, 1, HOME)
    assert front_of(topology(), good) == HOME
    for missing in (
        None,
        good.model_copy(update={"logged_in": False}),
        good.model_copy(update={"logged_in": None}),
        good.model_copy(update={"session": None}),
        good.model_copy(update={"session": "192.0.2.1:1"}),
    ):
        assert front_of(topology(), missing) is None


def test_fronts_before_during_and_after_are_the_last_ones_seen() -> None:
    found = times(away_from(12))
    assert (found.front_before, found.front_during, found.front_after) == (HOME, AWAY, HOME)


# Lines ---------------------------------------------------------------------------------------------


def test_lines_are_those_of_the_gateways_own_router_at_that_time() -> None:
    """The newest table that is not later than the sample: right after the lift there may be another one."""
    routes = [
        route("ce-a", 39.4, {"futian": "uni-futian"}),
        route("ce-a", 9.0, {"futian": "too old"}),
        route("ce-a", 9.4, {"futian": "tel-futian"}),
        route("ce-a", 9.6, {"futian": "too new"}),
        route("ce-a", 29.1, {"southern": "uni-southern"}),
        route("ce-a", 29.6, {"southern": "too new"}),
        route("ce-b", 29.5, {"southern": "tel-southern"}),
        route("ce-b", 9.5, {"futian": "uni-futian"}),
    ]
    found = times(away_from(12), routes=routes)
    assert (found.line_before, found.line_during, found.line_after) == ("tel-futian", "uni-southern", "uni-futian")


def test_a_line_is_unknown_without_a_session_or_a_route() -> None:
    seen = [route("ce-a", 29.5, {"southern": "uni-southern"})]
    assert times(track(TRADE, (0, 10, HOME), (10, 30, None)), routes=seen).line_during is None
    assert times(away_from(12)).line_during is None


def test_the_line_of_a_receiver_is_not_measured() -> None:
    seen = [route("ce-a", 20, {"southern": "uni-southern"})]
    assert times(data(RECEIVER, GROUP, (0, END)), routes=seen).line_during is None


# Data ----------------------------------------------------------------------------------------------

MARKET = "nq-md-1"


def market(*spells: tuple[float, float]) -> GatewayTimes:
    return times(data(MARKET, "southern-market", *spells))


def test_the_gap_is_the_longest_time_without_new_data_around_the_fault() -> None:
    assert market((0, 10), (13, 20), (21, END)).gap_s == 3.5


@pytest.mark.parametrize(
    ("spells", "gap_s"),
    [
        (((0, 3), (8, END)), INTERVAL),
        (((0, 33), (38, END)), INTERVAL),
        (((0, 8), (12, END)), 4.5),
        (((0, 28), (34, END)), 6.5),
    ],
)
def test_a_gap_counts_only_if_it_touches_the_fault(spells: tuple[tuple[float, float], ...], gap_s: float) -> None:
    assert market(*spells).gap_s == gap_s


def test_data_that_never_came_has_no_gap() -> None:
    assert market().gap_s is None


@pytest.mark.parametrize("last", [9.5, 15, 29])
def test_data_that_did_not_come_again_has_no_gap(last: float) -> None:
    assert market((0, last)).gap_s is None


def test_data_that_ends_after_the_fault_was_lifted_is_not_the_faults_doing() -> None:
    assert market((0, 10), (13, 32)).gap_s == 3.5


def test_a_slow_feed_is_not_taken_for_a_dead_one() -> None:
    """Every 3 s something new, and the run ends 3.5 s after the last, the fault not lifted."""
    ticks = [(float(at), at + INTERVAL) for at in range(0, 38, 3)]
    assert times(data(MARKET, "southern-market", *ticks), window=Window(T0 + FAULT, None)).gap_s == 3


def test_a_sequence_that_begins_anew_goes_on_from_there() -> None:
    sequences = [100 + i if i < 20 else i for i in range(80)]
    samples = [sample(MARKET, i * INTERVAL, "southern-market", sequences[i]) for i in range(80)]
    assert times(samples).gap_s == 2 * INTERVAL


def test_a_sample_without_a_sequence_says_nothing_of_the_data() -> None:
    samples = data(MARKET, "southern-market", (0, END))
    samples[30] = samples[30].model_copy(update={"sequence": None})
    assert times(samples).gap_s == 2 * INTERVAL


def test_a_receiver_is_measured_by_its_data() -> None:
    found = times(data(RECEIVER, GROUP, (0, 10), (13, END)), [stamp(RECEIVER, 10.1, "lost")])
    assert moments(found) == [9.5, 13, 13]
    assert (found.switch_s, found.gap_s, found.resolution_s, found.came_back) == (3.5, 3.5, INTERVAL, True)


def test_a_gap_that_the_sampler_could_have_made_is_no_break_of_a_receiver() -> None:
    steady = data(RECEIVER, GROUP, (0, END))
    assert moments(times([item for item in steady if round(item.at - T0, 1) != 12])) == [None, None, None]
    assert moments(times(data(RECEIVER, GROUP, (0, 12), (13, END))))[0] == 11.5


def test_a_receiver_whose_data_does_not_come_again_did_not_come_back() -> None:
    found = times(data(RECEIVER, GROUP, (0, 15)))
    assert (moments(found), found.switch_s, found.came_back) == ([14.5, None, None], None, False)


# Clocks --------------------------------------------------------------------------------------------


def on_clock(offset_s: Mapping[str, float]) -> Series:
    samples, stamps = [sample(TRADE, 5, HOME), sample(TRADE, 3, HOME)], [stamp(TRADE, 6, "lost")]
    return OnControllerClock(topology(), samples, stamps, {TRADE: [T0 + 7]}, offset_s)[TRADE]


def test_host_times_are_put_on_the_controllers_clock() -> None:
    """A host whose clock is 2 s fast wrote 5 when it was 3."""
    found = on_clock({"gw-a1": 2.0, "gw-b1": 99.0})
    assert after_t0(*(item.at for item in found.samples)) == [1, 3]
    assert after_t0(*(item.at for item in found.stamps), *found.stopped_at) == [4, 5]


def test_a_host_without_a_measured_offset_is_taken_as_it_is() -> None:
    assert after_t0(*(item.at for item in on_clock({}).samples)) == [3, 5]


def test_every_gateway_has_a_series_of_its_own() -> None:
    found = OnControllerClock(topology(), [sample(TRADE, 5, HOME), sample("nq-md-1", 5, None)], [], {}, {})
    assert set(found) == set(topology().gateway)
    assert [item.gateway for item in found["nq-md-1"].samples] == ["nq-md-1"]


def test_routes_are_put_on_the_controllers_clock_too() -> None:
    routes = [route("ce-a", 5, {}), route("ce-b", 5, {})]
    assert after_t0(*(item.at for item in routes_on_controller_clock(routes, {"ce-a": 2.0}))) == [3, 5]


# Classes -------------------------------------------------------------------------------------------


def took(gateway: str, switch_s: float | None) -> GatewayTimes:
    found = times(journey(plan(), gateway))
    return found.model_copy(update={"switch_s": switch_s})


def test_each_class_has_its_shortest_longest_and_average() -> None:
    trading, market_data = class_times(
        [took(TRADE, 2.0), took("nq-trade-3", 5.0), took("nq-md-1", None), took(TRADE, None)]
    )
    assert (trading.gateway_class, trading.count, trading.measured) == (GatewayClass.TRADING, 3, 2)
    assert (trading.shortest_s, trading.longest_s, trading.average_s) == (2.0, 5.0, 3.5)
    assert (market_data.count, market_data.measured) == (1, 0)
    assert (market_data.shortest_s, market_data.longest_s, market_data.average_s) == (None, None, None)
