"""Rules over what hosts said of themselves: satisfied, violated, and never satisfied where a host did not answer."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from orchestrator.adapters.live_facts import certain_offset_s, version_of
from orchestrator.model.audit import Finding, Result
from orchestrator.model.records import LogArchive
from orchestrator.model.topology import Gateway
from orchestrator.rules.facts import Facts, Live, LiveArchive, LiveGateway, LiveHost, LivePort
from orchestrator.rules.live_network import CLOCK_LIMIT_S
from orchestrator.rules.rulebook import LIVE_RULES as RULES
from orchestrator.rules.rulebook import audit
from orchestrator.rules.select import SSCC_CLASSES, gateways
from tests.rules.facts import EXAMPLE

LIVE_RULES = {rule.id for rule in RULES}
_KNOWN = list(gateways(EXAMPLE.topology, SSCC_CLASSES))
_HOSTS = {item.host for item in EXAMPLE.topology.gateways} | {item.id for item in EXAMPLE.topology.routers}
_WRONG = (Result.VIOLATED, Result.NOT_JUDGED)
COLD = next(item for item in _KNOWN if not item.enabled)


def _host(name: str, **fields: Any) -> LiveHost:
    """As on a normal day: what is enabled runs."""
    seen = {item.id: _gateway(item) for item in EXAMPLE.topology.gateways if item.host == name}
    lines = [item for item in EXAMPLE.topology.lines if item.router == name]
    ports = {str(item.local_address): LivePort("eth1", "e1000") for item in lines}
    return replace(LiveHost(gateways=seen, ports=ports), **fields)


def _gateway(item: Gateway, **fields: Any) -> LiveGateway:
    """At the first server of its list, where it is to run."""
    listed = tuple(EXAMPLE.topology.front[name].endpoint for name in item.servers)
    sessions = listed[:1] if item.enabled and not item.receives_only else ()
    return replace(LiveGateway(item.enabled, sessions, endpoints=listed), **fields)


def _of_gateway(item: Gateway, **fields: Any) -> Live:
    host = _host(item.host)
    return _with(item.host, replace(host, gateways={**host.gateways, item.id: _gateway(item, **fields)}))


def _live() -> Live:
    return Live(read_at="2026-11-22T20:00:00+08:00", hosts={name: _host(name) for name in sorted(_HOSTS)})


def _judged(live: Live | None, facts: Facts = EXAMPLE) -> list[Finding]:
    return [item for item in audit(replace(facts, live=live)) if item.rule in LIVE_RULES]


def _open(live: Live) -> list[tuple[str, str, Result]]:
    return [(item.rule, item.where, item.result) for item in _judged(live) if item.result in _WRONG]


def _with(name: str, host: LiveHost) -> Live:
    live = _live()
    return replace(live, hosts={**live.hosts, name: host})


def test_a_normal_day_is_satisfied_by_every_live_rule() -> None:
    facts, live = _with_archive(_archive(days=400))
    found = _judged(live, facts)
    assert {item.rule for item in found} == LIVE_RULES
    assert {item.result for item in found} == {Result.SATISFIED}
    assert {item.read_at for item in found} == {live.read_at}


def test_where_nobody_looked_no_live_rule_is_asked() -> None:
    assert _judged(None) == []


def test_a_cold_standby_that_runs_is_found_and_nothing_else() -> None:
    host = _host(COLD.host)
    host = replace(host, gateways={**host.gateways, COLD.id: _gateway(COLD, running=True)})
    assert _open(_with(COLD.host, host)) == [
        ("live-one-session", f"live.numbers.{COLD.number}", Result.VIOLATED),
    ]


def test_a_default_route_on_a_router_is_found_and_nothing_else() -> None:
    router = EXAMPLE.topology.routers[0].id
    assert _open(_with(router, _host(router, default_routes=("203.0.113.1",)))) == [
        ("live-no-default-route", f"live.hosts.{router}.default_routes", Result.VIOLATED),
    ]


def test_a_host_may_have_a_default_route_to_its_router_and_to_nobody_else() -> None:
    topology = EXAMPLE.topology
    own = str(topology.router[topology.host[COLD.host].router].site_address)
    assert _open(_with(COLD.host, _host(COLD.host, default_routes=(own,)))) == []
    isolation = ("live-isolation", f"live.hosts.{COLD.host}.isolation", Result.VIOLATED)
    assert _open(_with(COLD.host, _host(COLD.host, default_routes=(own, "203.0.113.1")))) == [isolation]
    assert _open(_with(COLD.host, _host(COLD.host, default_routes=("fe80::1",)))) == [isolation]


def test_a_host_that_forwards_is_found_and_nothing_else() -> None:
    live = _with(COLD.host, _host(COLD.host, forwards=("IPv6",)))
    assert _open(live) == [("live-isolation", f"live.hosts.{COLD.host}.isolation", Result.VIOLATED)]


def test_another_list_in_the_file_is_found_and_one_that_cannot_be_read_is_not_judged() -> None:
    where = f"live.gateways.{COLD.id}.servers"
    swapped = tuple(reversed(_gateway(COLD).endpoints or ()))
    assert _open(_of_gateway(COLD, endpoints=swapped)) == [("live-list", where, Result.VIOLATED)]
    unread = _of_gateway(COLD, endpoints=None, unread="Permission denied")
    assert _open(unread) == [("live-list", where, Result.NOT_JUDGED)]
    assert "Permission denied" in next(item.text.en for item in _judged(unread) if item.where == where)


@pytest.mark.parametrize(("rule", "kind"), [("live-session", "trading"), ("live-market-data", "market-data-tcp")])
def test_a_session_at_another_server_is_found_and_none_is_not_judged(rule: str, kind: str) -> None:
    gateway = next(item for item in _KNOWN if item.enabled and item.gateway_class.value == kind)
    where = f"live.gateways.{gateway.id}.session"
    listed = _gateway(gateway).endpoints or ()
    assert _open(_of_gateway(gateway, sessions=listed[1:2])) == [(rule, where, Result.VIOLATED)]
    none: tuple[tuple[str, ...] | None, ...] = (None, (), ("127.0.0.1:22",))
    for sessions in none:
        assert _open(_of_gateway(gateway, sessions=sessions)) == [(rule, where, Result.NOT_JUDGED)]


def test_a_switched_port_is_found_and_one_that_is_nowhere_is_not_judged() -> None:
    line = EXAMPLE.topology.lines[0]
    ports = _host(line.router).ports
    where, address = f"live.lines.{line.id}.port", str(line.local_address)
    bridged = _with(line.router, _host(line.router, ports={**ports, address: LivePort("br0", "bridge")}))
    assert _open(bridged) == [("live-routed-port", where, Result.VIOLATED)]
    nowhere = {name: port for name, port in ports.items() if name != address}
    assert _open(_with(line.router, _host(line.router, ports=nowhere))) == [
        ("live-routed-port", where, Result.NOT_JUDGED)
    ]


def _archive(days: int, quiet: int = 0) -> LiveArchive:
    """One whose oldest file is so many days old, and whose newest so many."""
    midnight = datetime.combine(EXAMPLE.today, time(), UTC)
    oldest, newest = (midnight - timedelta(days=item) for item in (days, quiet))
    return LiveArchive(oldest.timestamp(), newest.timestamp())


def _with_archive(found: LiveArchive | None, since_days: int = 2000) -> tuple[Facts, Live]:
    since = EXAMPLE.today - timedelta(days=since_days)
    archive = LogArchive(
        id="logs", devices=(COLD.host,), where="here", since=since, kept_months=24, host=COLD.host, folder="/logs"
    )
    records = EXAMPLE.records.model_copy(update={"log_archives": (*EXAMPLE.records.log_archives, archive)})
    return replace(EXAMPLE, records=records), _with(COLD.host, _host(COLD.host, archives={"/logs": found}))


@pytest.mark.parametrize(
    ("found", "since_days", "result"),
    [
        (_archive(days=400), 2000, Result.SATISFIED),
        (_archive(days=200), 2000, Result.VIOLATED),  # nothing of a year ago
        (_archive(days=200), 200, Result.SATISFIED),  # begun since then
        (_archive(days=100), 200, Result.VIOLATED),
        (_archive(days=400, quiet=30), 2000, Result.VIOLATED),  # stopped
        (None, 2000, Result.NOT_JUDGED),
    ],
)
def test_a_log_archive_reaches_back_a_year_and_goes_on(
    found: LiveArchive | None, since_days: int, result: Result
) -> None:
    facts, live = _with_archive(found, since_days)
    judged = {item.where: item.result for item in _judged(live, facts)}
    assert judged["live.log_archives.logs"] is result


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
    found = [item for item in _judged(silent) if item.result in _WRONG]
    there = [item for item in EXAMPLE.topology.gateways if item.host == COLD.host]
    wanted = {f"live.numbers.{item.number}" for item in _KNOWN if item.host == COLD.host}
    wanted |= {f"live.gateways.{item.id}.servers" for item in there}
    wanted |= {f"live.gateways.{item.id}.session" for item in there if item.enabled and not item.receives_only}
    wanted |= {f"live.hosts.{COLD.host}.{field}" for field in ("clock_offset_s", "isolation")}
    assert {item.where for item in found} == wanted
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
