"""Times of a number whose host fails: out since the fault, back when its standby is logged in."""

from collections.abc import Sequence

from orchestrator.measure import Series, Window, gateway_times
from orchestrator.model.event import LogStamp, Sample
from orchestrator.model.plan import Action
from orchestrator.model.verdict import GatewayTimes
from tests.judge.story import END, FAULT, INTERVAL, LIFT, T0, change_of, plan, sample, stamp, topology, track

PLAN = plan("gateway-host-failure")
PRIMARY, COLD, HOME = "nq-trade-1", "nq-trade-1-cold", "futian-trading"
UP = 24.0


def times(gateway: str, samples: Sequence[Sample], stamps: Sequence[LogStamp] = ()) -> GatewayTimes:
    window = Window(T0 + FAULT, T0 + LIFT)
    return gateway_times(
        PLAN, topology(), change_of(PLAN, gateway), Series(samples, stamps, []), (), window, list_changed=False
    )


def standby(front: str | None = HOME, until: float = LIFT) -> list[Sample]:
    """Not running until it takes over, and out again after restoration."""
    idle = [sample(COLD, index * INTERVAL, None, running=False) for index in range(round(UP / INTERVAL))]
    return [*idle, *track(COLD, (UP, until, front), (until, END, None), moving=True)]


def primary() -> list[Sample]:
    """Logged in until the fault; seen again, and logged in, some time after it was lifted."""
    return track(PRIMARY, (0, FAULT, HOME), (LIFT + 4, END, HOME))


def test_a_number_is_out_from_the_fault_to_the_log_in_of_its_standby() -> None:
    found = times(COLD, standby(), [stamp(COLD, UP - 0.4, "connected"), stamp(COLD, UP - 0.2, "logged_in")])
    assert (found.action, found.broken_at, found.came_back) == (Action.TAKE_OVER, T0 + FAULT, True)
    assert [round(at - T0, 3) for at in (found.connected_at or 0, found.login_at or 0)] == [UP - 0.4, UP - 0.2]
    assert round(found.switch_s or 0, 3) == UP - 0.2 - FAULT


def test_what_is_counted_from_the_fault_is_as_exact_as_the_sampling() -> None:
    assert times(COLD, standby(), [stamp(COLD, UP - 0.2, "logged_in")]).resolution_s == INTERVAL


def test_without_stamps_the_first_of_the_good_samples_counts() -> None:
    found = times(COLD, standby())
    assert (round((found.login_at or 0) - T0, 3), round(found.switch_s or 0, 3)) == (UP, UP - FAULT)


def test_it_was_nowhere_before_at_its_front_during_and_nowhere_after() -> None:
    found = times(COLD, standby())
    assert (found.front_before, found.front_during, found.front_after) == (None, HOME, None)


def test_a_standby_that_never_logs_in_leaves_the_number_out() -> None:
    found = times(COLD, standby(None))
    assert (found.login_at, found.switch_s, found.came_back) == (None, None, False)


def test_a_standby_that_is_lost_again_before_the_fault_ends_did_not_come_back() -> None:
    assert times(COLD, standby(until=LIFT - 2)).came_back is False


def test_the_gap_in_the_data_is_from_the_fault_to_the_standbys_first_data() -> None:
    assert round(times(COLD, standby()).gap_s or 0, 3) == UP + INTERVAL - FAULT
    assert times(COLD, standby(None)).gap_s is None


def test_a_gateway_on_the_failed_host_is_out_and_not_expected_back_before_the_fault_is_lifted() -> None:
    found = times(PRIMARY, primary())
    assert (found.action, found.broken_at) == (Action.TAKEN_OVER, T0 + FAULT)
    assert (found.login_at, found.switch_s, found.came_back) == (None, None, False)
    assert (found.front_before, found.front_during, found.front_after) == (HOME, None, HOME)


def test_what_a_host_said_in_the_moment_it_failed_is_not_where_its_gateway_was_during_the_fault() -> None:
    late = track(PRIMARY, (0, FAULT + 1, HOME), (LIFT + 4, END, HOME))
    assert times(PRIMARY, late).front_during is None
