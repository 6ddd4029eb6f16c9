"""A pytest plugin, given to it by `checks_program`: the suites of `drills/checks/` over many hosts.

Every test is given its target by the name of its argument, `gateway` or `router`, and the target's `host`
(testinfra), `look` and `context`. A suite's check is its file's name: `test_routed_port.py` is `routed-port`.
Tests that take nothing else are called apart from pytest's own loop, all hosts at once, and their outcomes are
replayed to it: JUnit and reports stay pytest's own, and no check hides another. Where no test of the round takes
anything else, each is replayed as soon as its outcome is known, while the others are still being looked at.
"""

import gc
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Literal

import pytest
from testinfra.host import Host

from orchestrator.adapters.checks_context import (
    CheckContext,
    CheckedGateway,
    CheckedRouter,
    Pair,
    of_gateway,
    of_router,
)
from orchestrator.adapters.checks_round import Job, Round, Seen, arguments
from orchestrator.adapters.look import Look
from orchestrator.adapters.shell import Shell

_GIVEN = {"gateway", "router", "host", "look", "context"}
_ROUND = pytest.StashKey[Round]()
_SEEN = pytest.StashKey[dict[str, Seen]]()
_BEGUN = pytest.StashKey[Mapping[str, Shell]]()


class Begun:
    """Sessions that were begun before pytest was there; of other hosts they start with their first command."""

    def __init__(self, shells: Mapping[str, Shell]) -> None:
        self._shells = shells

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[_BEGUN] = self._shells


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the plugin reads its context and writes its records."""
    group = parser.getgroup("drillctl")
    group.addoption("--drill-context", type=Path, help="JSON file of the round's targets and expectations")
    group.addoption("--drill-results", type=Path, help="file that gets one JSON line per check")


def pytest_configure(config: pytest.Config) -> None:
    """A shell for each host; none is started here."""
    context = CheckContext.model_validate_json(config.getoption("--drill-context").read_bytes())
    timeouts = context.command_timeout_s, context.connect_timeout_s
    begun = config.stash[_BEGUN]
    shells = {name: begun.get(name) or Shell(argv, *timeouts) for name, argv in context.hosts.items()}
    config.stash[_ROUND] = Round(context, config.getoption("--drill-results"), shells)
    config.stash[_SEEN] = {}


def pytest_unconfigure(config: pytest.Config) -> None:
    """End every session. Nothing is looked through any more for what could be freed: the process ends."""
    config.stash[_ROUND].close()
    gc.freeze()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Only the suites of the checks that were asked for."""
    if collection_path.is_file() and _check(collection_path) not in config.stash[_ROUND].context.checks:
        return True
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test item per target that the suite's check looks at."""
    context = metafunc.config.stash[_ROUND].context
    check = _check(metafunc.definition.path)
    if "gateway" in metafunc.fixturenames:
        gateways = [item for item in context.gateways if of_gateway(check, item)]
        metafunc.parametrize("gateway", gateways, ids=[item.id for item in gateways])
    if "router" in metafunc.fixturenames:
        routers = [item for item in context.routers if of_router(check)]
        metafunc.parametrize("router", routers, ids=[item.id for item in routers])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that wants a target and has none in this round is no skipped check; there is nothing to check."""
    items[:] = [item for item in items if _target(item) or not {"gateway", "router"} & set(_fixtures(item))]


@pytest.fixture
def context(pytestconfig: pytest.Config) -> CheckContext:
    """What is known of this round."""
    return pytestconfig.stash[_ROUND].context


@pytest.fixture
def host(request: pytest.FixtureRequest) -> Host:
    """The testinfra Host of the test's target."""
    return request.config.stash[_ROUND].hosts[_pair(request.node).host]


@pytest.fixture
def look() -> Look:
    """Takes what the check expected and found, for its record."""
    return Look()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> object:
    """All hosts at once. Pytest's own loop comes after them where a test needs more of it than a report."""
    targeted = [item for item in session.items if isinstance(item, pytest.Function) and _target(item)]
    jobs = {item.nodeid: _job(item, {}) for item in targeted if set(arguments(item.obj)) <= _GIVEN}
    plain = [item for item in targeted if item.nodeid in jobs and _is_plain(item)]
    only_plain = len(plain) == len(session.items) and not session.testsfailed
    with session.config.stash[_ROUND].looking(jobs) as seen:
        for item in plain if only_plain else ():
            _report(item, seen[item.nodeid])
    if only_plain:
        return True
    session.config.stash[_SEEN].update({key: item.result() for key, item in seen.items() if item.exception() is None})
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Replay what was seen, or look now if the test needed fixtures of its own."""
    if not _target(pyfuncitem):
        return None
    all_seen = pyfuncitem.config.stash[_SEEN]
    if pyfuncitem.nodeid not in all_seen:
        job = _job(pyfuncitem, pyfuncitem.funcargs)
        all_seen[pyfuncitem.nodeid] = pyfuncitem.config.stash[_ROUND].look(job)
    _replay(pyfuncitem, all_seen[pyfuncitem.nodeid])
    return True


def _report(item: pytest.Function, seen: Future[Seen]) -> None:
    """The three reports of a test that pytest's own loop would make, with nothing set up between them."""

    def call() -> None:
        item.config.stash[_SEEN][item.nodeid] = found = seen.result()
        _replay(item, found)

    phases: tuple[tuple[Literal["setup", "call", "teardown"], Callable[[], None]], ...]
    phases = ("setup", _nothing), ("call", call), ("teardown", _nothing)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for when, act in phases:
        info = pytest.CallInfo.from_call(act, when)
        report = item.ihook.pytest_runtest_makereport(item=item, call=info)
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _nothing() -> None:
    return


def _replay(item: pytest.Function, seen: Seen) -> None:
    record = seen.record.model_dump(mode="json")
    item.user_properties += [(name, record[name]) for name in ("result", "expected", "found", "duration_s")]
    if seen.error is not None:
        raise seen.error


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The time that the check took, not that of its replay."""
    report = yield
    seen = item.config.stash[_SEEN].get(item.nodeid)
    if call.when == "call" and seen is not None:
        report.duration = seen.record.duration_s
    return report


def _check(path: Path) -> str:
    return path.stem.removeprefix("test_").replace("_", "-")


def _fixtures(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []


def _target(item: pytest.Item) -> dict[str, CheckedGateway | CheckedRouter]:
    parameters: dict[str, Any] = item.callspec.params if hasattr(item, "callspec") else {}
    return {name: value for name, value in parameters.items() if isinstance(value, CheckedGateway | CheckedRouter)}


def _pair(item: pytest.Item) -> Pair:
    target = next(iter(_target(item).values()))
    return Pair(_check(item.path), target.id, target.host if isinstance(target, CheckedGateway) else target.id)


def _is_plain(item: pytest.Function) -> bool:
    """Whether there is nothing that pytest would have to set up, skip or expect to fail."""
    marked = any(mark.name != "parametrize" for mark in item.iter_markers())
    return item.cls is None and not marked and set(item.fixturenames) <= {*_GIVEN, "request"}  # which `host` takes


def _job(item: pytest.Function, fixtures: Mapping[str, Any]) -> Job:
    return Job(_pair(item), item.obj, _target(item), fixtures)
