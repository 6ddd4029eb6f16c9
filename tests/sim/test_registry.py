from collections.abc import Callable, Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.twin.registry import Answer, Attempt, End, Kind, Policy, Registry

FIRST = Attempt(
    at=100.0,
    number="W100200",
    certificate="file-1",
    front="futian-trading",
    centre="futian",
    source="198.19.1.11",
    source_port=40000,
    instance="a",
    timeout_s=10.0,
    gateway="nq-trade-1",
    line="tel-futian",
)
ELSEWHERE = replace(FIRST, at=101.0, front="southern-trading", centre="southern", source="198.19.2.11", instance="b")


def registry(policy: Policy = Policy.REFUSE_NEW, dead: Iterable[str] = ()) -> Registry:
    gone = set(dead)
    return Registry(policy, lambda instance: instance not in gone)


def accepted(answer: Answer) -> int:
    assert answer.session is not None
    return answer.session


def test_a_first_login_is_accepted_and_recorded() -> None:
    exchange = registry()
    accepted(exchange.login(FIRST))
    truth = exchange.truth()
    assert truth["logins"] == [
        {
            "at": 100.0,
            "number": "W100200",
            "certificate": "file-1",
            "front": "futian-trading",
            "centre": "futian",
            "source": "198.19.1.11",
            "source_port": 40000,
            "gateway": "nq-trade-1",
            "line": "tel-futian",
            "instance": "a",
            "accepted": True,
            "kind": "login",
            "reason": "",
        }
    ]
    assert truth["current"] == {
        "W100200": {
            "front": "futian-trading",
            "centre": "futian",
            "certificate": "file-1",
            "line": "tel-futian",
            "since": 100.0,
        }
    }


def test_a_second_process_on_another_host_is_a_refused_duplicate() -> None:
    exchange = registry()
    session = accepted(exchange.login(FIRST))
    answer = exchange.login(ELSEWHERE)
    assert (answer.session, answer.kind) == (None, Kind.DUPLICATE)
    assert answer.reason == "number W100200 is logged in at futian-trading"
    assert exchange.holds(session)
    assert exchange.truth()["duplicates"] == 1


def test_a_second_living_process_on_the_same_host_is_a_duplicate() -> None:
    exchange = registry()
    exchange.login(FIRST)
    assert exchange.login(replace(FIRST, at=101.0, instance="b")).kind is Kind.DUPLICATE


def test_a_restart_on_the_same_host_after_a_crash_is_a_half_open_retry() -> None:
    exchange = registry(dead=["a"])
    exchange.login(FIRST)
    answer = exchange.login(replace(FIRST, at=101.0, instance="b"))
    assert (answer.session, answer.kind) == (None, Kind.HALF_OPEN_RETRY)
    assert (exchange.truth()["duplicates"], exchange.truth()["half_open_retries"]) == (0, 1)


def test_another_host_that_did_not_wait_for_the_release_of_a_dead_holder_is_a_duplicate() -> None:
    exchange = registry(dead=["a"])
    exchange.login(FIRST)
    assert exchange.login(ELSEWHERE).kind is Kind.DUPLICATE


def test_a_process_that_meets_its_own_lost_session_at_another_front_is_a_half_open_retry() -> None:
    exchange = registry()
    exchange.login(FIRST)
    answer = exchange.login(replace(ELSEWHERE, source=FIRST.source, instance="a"))
    assert (answer.session, answer.kind) == (None, Kind.HALF_OPEN_RETRY)


def test_silence_for_the_timeout_releases_the_number_at_that_very_moment() -> None:
    exchange = registry()
    session = accepted(exchange.login(FIRST))
    exchange.heard(session, 105.0)
    exchange.sweep(114.999)
    assert exchange.holds(session)
    exchange.sweep(115.5)
    assert exchange.truth()["logouts"] == [
        {"at": 115.0, "number": "W100200", "front": "futian-trading", "how": "timeout"}
    ]
    assert accepted(exchange.login(replace(ELSEWHERE, at=116.0)))


def test_a_session_that_ran_out_does_not_hold_its_number_even_before_the_sweep() -> None:
    exchange = registry()
    exchange.login(FIRST)
    assert exchange.login(replace(ELSEWHERE, at=110.0)).kind is Kind.LOGIN


def test_logout_releases_the_number_and_is_recorded_once() -> None:
    exchange = registry()
    session = accepted(exchange.login(FIRST))
    exchange.end(session, 101.0, End.LOGOUT)
    exchange.end(session, 101.1, End.CLOSED)
    assert exchange.login(replace(ELSEWHERE, at=101.2)).kind is Kind.LOGIN
    assert [logout["how"] for logout in exchange.truth()["logouts"]] == ["logout"]


def test_a_certificate_held_by_another_number_is_a_shared_certificate() -> None:
    exchange = registry()
    exchange.login(FIRST)
    answer = exchange.login(replace(ELSEWHERE, number="W100201"))
    assert (answer.session, answer.kind) == (None, Kind.DUPLICATE)
    assert answer.reason == "certificate is in use by number W100200 at futian-trading"
    assert exchange.truth()["shared_certificates"] == 1


def test_two_numbers_without_a_certificate_share_nothing() -> None:
    exchange = registry()
    exchange.login(replace(FIRST, certificate=None))
    assert exchange.login(replace(ELSEWHERE, certificate=None, number="W100201")).kind is Kind.LOGIN


def test_kick_old_accepts_the_duplicate_and_ends_the_holder() -> None:
    exchange = registry(Policy.KICK_OLD)
    old = accepted(exchange.login(FIRST))
    answer = exchange.login(ELSEWHERE)
    assert (answer.kind, answer.kicked) == (Kind.DUPLICATE, (old,))
    assert not exchange.holds(old)
    assert exchange.truth()["current"]["W100200"]["front"] == "southern-trading"


def test_partitioned_centres_accept_a_number_twice_and_the_truth_still_counts_it() -> None:
    exchange = registry(Policy.PARTITIONED)
    first, second = accepted(exchange.login(FIRST)), accepted(exchange.login(ELSEWHERE))
    assert exchange.holds(first)
    assert exchange.holds(second)
    assert exchange.truth()["duplicates"] == 1


def test_partitioned_centres_still_refuse_at_home() -> None:
    exchange = registry(Policy.PARTITIONED)
    exchange.login(FIRST)
    assert exchange.login(replace(ELSEWHERE, centre="futian")).session is None


def test_a_rejected_logon_is_recorded_and_holds_nothing() -> None:
    exchange = registry()
    exchange.reject(FIRST, "unknown number")
    truth = exchange.truth()
    assert (truth["logins"][0]["kind"], truth["logins"][0]["reason"]) == ("rejected", "unknown number")
    assert truth["current"] == {}


def test_the_truth_that_was_handed_out_cannot_change_the_record() -> None:
    exchange = registry()
    exchange.login(FIRST)
    exchange.truth()["logins"][0]["number"] = "changed"
    assert exchange.truth()["logins"][0]["number"] == "W100200"


Act = Callable[[Registry, float], object]


def _attempt(number: str, certificate: str | None, centre: str, source: str, instance: str) -> Act:
    wanted = replace(
        FIRST, number=number, certificate=certificate, centre=centre, source=source, instance=source + instance
    )
    return lambda exchange, at: exchange.login(replace(wanted, at=at))


ACTS = st.one_of(
    st.builds(
        _attempt,
        st.sampled_from(["N1", "N2"]),
        st.sampled_from([None, "c1", "c2"]),
        st.sampled_from(["futian", "southern"]),
        st.sampled_from(["h1", "h2"]),
        st.sampled_from(["a", "b"]),
    ),
    st.builds(lambda session: lambda exchange, at: exchange.heard(session, at), st.integers(1, 8)),
    st.builds(lambda session: lambda exchange, at: exchange.end(session, at, End.LOGOUT), st.integers(1, 8)),
    st.just(lambda exchange, at: exchange.sweep(at)),
)
STORIES = st.lists(st.tuples(st.floats(0, 8), ACTS), max_size=30)


def _play(exchange: Registry, story: list[tuple[float, Act]]) -> Iterable[None]:
    at = 0.0
    for pause, act in story:
        at += pause
        act(exchange, at)
        yield


@given(story=STORIES, policy=st.sampled_from([Policy.REFUSE_NEW, Policy.KICK_OLD]))
def test_a_number_and_a_certificate_are_never_held_twice(story: list[tuple[float, Act]], policy: Policy) -> None:
    exchange = registry(policy)
    for _ in _play(exchange, story):
        current = exchange.current()
        certificates = [item.certificate for item in current if item.certificate]
        assert len({item.number for item in current}) == len(current)
        assert len(set(certificates)) == len(certificates)


@given(story=STORIES, policy=st.sampled_from(list(Policy)), dead=st.sets(st.sampled_from(["h1a", "h1b", "h2a", "h2b"])))
def test_every_login_ends_once_or_is_current(story: list[tuple[float, Act]], policy: Policy, dead: set[str]) -> None:
    exchange = registry(policy, dead)
    for _ in _play(exchange, story):
        truth = exchange.truth()
        in_force = sum(login["accepted"] for login in truth["logins"]) - len(truth["logouts"])
        assert in_force == len(exchange.current())


@given(story=STORIES, policy=st.sampled_from(list(Policy)), dead=st.sets(st.sampled_from(["h1a", "h1b", "h2a", "h2b"])))
def test_an_attempt_is_a_plain_login_exactly_when_nobody_held_what_it_wants(
    story: list[tuple[float, Act]], policy: Policy, dead: set[str]
) -> None:
    exchange = registry(policy, dead)
    at = 0.0
    for pause, act in story:
        at += pause
        exchange.sweep(at)
        before, known = exchange.current(), len(exchange.truth()["logins"])
        act(exchange, at)
        for login in exchange.truth()["logins"][known:]:
            held = [
                item
                for item in before
                if item.number == login["number"] or (login["certificate"] and item.certificate == login["certificate"])
            ]
            assert (login["kind"] == Kind.LOGIN) == (not held)
            assert login["kind"] != Kind.HALF_OPEN_RETRY or all(item.source == login["source"] for item in held)
            assert policy is not Policy.REFUSE_NEW or login["accepted"] == (not held)
