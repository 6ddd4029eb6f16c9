"""Rules over what hosts said of themselves: satisfied, violated, and never satisfied where a host did not answer."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.adapters.live_facts import certain_offset_s, version_of
from orchestrator.rules.facts import Live, LiveGateway, LiveHost
from orchestrator.rules.finding import Finding, Result
from orchestrator.rules.live import CLOCK_LIMIT_S, RULES
from orchestrator.rules.rulebook import audit
from orchestrator.rules.select import SSCC_CLASSES, gateways
from tests.rules.facts import EXAMPLE

LIVE_RULES = {rule.id for rule in RULES}
_KNOWN = list(gateways(EXAMPLE.topology, SSCC_CLASSES))
_HOSTS = {item.host for item in EXAMPLE.topology.gateways} | {item.id for item in EXAMPLE.topology.routers}
COLD = next(item for item in _KNOWN if not item.enabled)


def _host(name: str, **fields: Any) -> LiveHost:
    """As on a normal day: what is enabled runs."""
    seen = {item.id: LiveGateway(item.enabled) for item in EXAMPLE.topology.gateways if item.host == name}
    return replace(LiveHost(gateways=seen), **fields)


def _live() -> Live:
    return Live(read_at="2026-11-22T20:00:00+08:00", hosts={name: _host(name) for name in sorted(_HOSTS)})


def _judged(live: Live | None) -> list[Finding]:
    return [item for item in audit(replace(EXAMPLE, live=live)) if item.rule in LIVE_RULES]


def _open(live: Live) -> list[tuple[str, str, Result]]:
    return [(item.rule, item.where, item.result) for item in _judged(live) if item.result is not Result.SATISFIED]


def _with(name: str, host: LiveHost) -> Live:
    live = _live()
    return replace(live, hosts={**live.hosts, name: host})


def test_a_normal_day_is_satisfied_by_every_live_rule() -> None:
    found = _judged(_live())
    assert {item.rule for item in found} == LIVE_RULES
    assert {item.result for item in found} == {Result.SATISFIED}


def test_where_nobody_looked_no_live_rule_is_asked() -> None:
    assert _judged(None) == []


def test_a_cold_standby_that_runs_is_found_and_nothing_else() -> None:
    host = _host(COLD.host)
    host = replace(host, gateways={**host.gateways, COLD.id: LiveGateway(True)})
    assert _open(_with(COLD.host, host)) == [
        ("live-one-session", f"live.numbers.{COLD.number}", Result.VIOLATED),
    ]


def test_a_default_route_on_a_router_is_found_and_nothing_else() -> None:
    router = EXAMPLE.topology.routers[0].id
    assert _open(_with(router, _host(router, default_routes=("203.0.113.1",)))) == [
        ("live-no-default-route", f"live.hosts.{router}.default_routes", Result.VIOLATED),
    ]


def test_a_host_may_have_a_default_route_to_its_router() -> None:
    assert _open(_with(COLD.host, _host(COLD.host, default_routes=("198.19.0.1",)))) == []


def test_a_clock_is_judged_from_beyond_the_limit_on_and_either_way() -> None:
    at_limit = _with(COLD.host, _host(COLD.host, clock_offset_s=-CLOCK_LIMIT_S))
    beyond = _with(COLD.host, _host(COLD.host, clock_offset_s=-CLOCK_LIMIT_S - 0.1))
    assert _open(at_limit) == []
    assert _open(beyond) == [("live-clock", f"live.hosts.{COLD.host}.clock_offset_s", Result.VIOLATED)]


def test_a_host_that_does_not_answer_is_not_judged_and_says_why() -> None:
    live = _live()
    silent = replace(
        live,
        hosts={name: host for name, host in live.hosts.items() if name != COLD.host},
        unreachable={COLD.host: "no answer within 3 s"},
    )
    found = [item for item in _judged(silent) if item.result is not Result.SATISFIED]
    numbers = {f"live.numbers.{item.number}" for item in _KNOWN if item.host == COLD.host}
    assert {item.where for item in found} == numbers | {f"live.hosts.{COLD.host}.clock_offset_s"}
    assert {item.result for item in found} == {Result.NOT_JUDGED}
    assert all("no answer within 3 s" in item.text.en for item in found)
    assert all("no answer within 3 s" in item.text.zh for item in found)


def test_a_router_that_does_not_answer_is_not_judged() -> None:
    live, router = _live(), EXAMPLE.topology.routers[0].id
    silent = replace(
        live, hosts={name: host for name, host in live.hosts.items() if name != router}, unreachable={router: "dead"}
    )
    assert ("live-no-default-route", f"live.hosts.{router}.default_routes", Result.NOT_JUDGED) in _open(silent)


@pytest.mark.parametrize(
    ("least_s", "most_s", "certain_s"),
    [(-1.2, 0.3, 0.0), (0.4, 1.9, 0.4), (-2.0, -0.5, -0.5), (0.0, 0.0, 0.0)],
)
def test_a_slow_answer_is_no_clock_offset(least_s: float, most_s: float, certain_s: float) -> None:
    assert certain_offset_s(least_s, most_s) == certain_s


@pytest.mark.parametrize(
    ("said", "version"),
    [("nqctl 5.2.1", "5.2.1"), ("nqctl of a simulated host", None), ("5.2.1 (lib 3.0.1)", None), ("", None)],
)
def test_a_version_is_the_one_dotted_number_or_unknown(said: str, version: str | None) -> None:
    assert version_of(said) == version
