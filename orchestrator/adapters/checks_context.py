"""What the suites of `drills/checks/` are given: targets, how they are reached, and what must be seen.

It goes to the pytest process as one JSON file. Which check looks at which target is decided here, once, for
the plugin that makes the test items and for the caller that expects a record of each.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.model.base import Frozen, Seconds
from orchestrator.model.drill import Check
from orchestrator.model.event import CheckResult
from orchestrator.model.topology import GatewayClass

_WITH_DATA = (GatewayClass.MARKET_DATA_TCP, GatewayClass.MARKET_DATA_MULTICAST, GatewayClass.MDGW)
_OF_ROUTERS = (Check.PATH, Check.ISOLATION, Check.ROUTED_PORT)
_OF_ROUTERS_ONLY = (Check.ISOLATION, Check.ROUTED_PORT)


class CheckedGateway(Frozen):
    """A gateway and what must be seen of it. `spec` is its GatewaySpec; endpoints are `address:port`.

    `sessions` are the far ends that its session may have; empty: none may be established.
    `result` other than normal: the business does not exist there, or is not tested, because of `reason`.
    """

    id: str
    host: str
    spec: dict[str, Any]
    should_run: bool
    endpoints: tuple[str, ...] | None
    sessions: tuple[str, ...]
    logged_in: bool
    line: str | None
    config_sha256: str | None
    result: CheckResult = CheckResult.NORMAL
    reason: str = ""
    certificate: str | None = None  # what has to name the certificate in use in its file and its status


class ExpectedRoute(Frozen):
    """The line towards one centre: `address` is looked up, `hops` are the next hops that mean this line."""

    address: str
    line: str | None
    hops: tuple[str, ...]


class CheckedRouter(Frozen):
    """A CE router, per centre the line that it must use, and the own address of each terrestrial line."""

    id: str
    driver: str
    routes: dict[str, ExpectedRoute]
    lines: dict[str, str]


class CheckContext(Frozen):
    """One round of checks. `hosts`: per host the command that starts a shell on it."""

    phase: str
    checks: tuple[str, ...]
    hosts: dict[str, tuple[str, ...]]
    gateways: tuple[CheckedGateway, ...]
    routers: tuple[CheckedRouter, ...]
    onhost: Path
    consent_tcp: bool = False
    command_timeout_s: Seconds = 5  # our choice: every probe here answers in milliseconds
    connect_timeout_s: Seconds = 5
    deadline_s: Seconds


class Pair(NamedTuple):
    """One check of one target, which is looked at on `host`."""

    check: str
    target: str
    host: str


def of_gateway(check: str, gateway: CheckedGateway) -> bool:
    """Whether the check looks at this gateway. Multicast has no TCP connection; orders have no data stream."""
    if check in _OF_ROUTERS_ONLY:
        return False
    if check == Check.TCP:
        return not gateway.spec["receives_only"]
    return check != Check.DATA or gateway.spec["class"] in _WITH_DATA


def of_router(check: str) -> bool:
    """Whether the check looks at routers."""
    return check in _OF_ROUTERS


def pairs(context: CheckContext) -> Iterator[Pair]:
    """Every check of every target that must stand in the result, in order."""
    for check in context.checks:
        for gateway in context.gateways:
            if of_gateway(check, gateway):
                yield Pair(check, gateway.id, gateway.host)
        for router in context.routers:
            if of_router(check):
                yield Pair(check, router.id, router.id)
