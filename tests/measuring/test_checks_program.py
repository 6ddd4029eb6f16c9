"""One round of checks over shells on this machine: which are begun, what is told of each, how many."""

import resource
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.checks import run_checks
from orchestrator.adapters.checks_context import CheckContext, CheckedGateway, CheckedRouter
from orchestrator.model.event import CheckRecord, CheckResult

HERE = ("/bin/sh",)


def gateway(number: int, **changes: Any) -> CheckedGateway:
    fields: dict[str, Any] = {"should_run": True, "endpoints": None, "sessions": (), "logged_in": False, "line": None}
    return CheckedGateway(
        **{"id": f"gw-{number}", "host": f"host-{number}", "spec": {}, "config_sha256": None, **fields, **changes}
    )


def records(
    tmp_path: Path,
    suite: str,
    hosts: Mapping[str, Sequence[str]],
    gateways: Sequence[CheckedGateway],
    routers: Sequence[CheckedRouter] = (),
) -> list[CheckRecord]:
    suites = tmp_path / "suites"
    suites.mkdir(exist_ok=True)
    (suites / "test_path.py").write_text(suite, encoding="utf-8")
    of = CheckContext(
        phase="baselining",
        checks=("path",),
        hosts={name: tuple(argv) for name, argv in hosts.items()},
        gateways=tuple(gateways),
        routers=tuple(routers),
        onhost=tmp_path,
        deadline_s=20,
    )
    call = tmp_path / f"call-{len(list(tmp_path.glob('call-*')))}"
    return run_checks(call, of, suites, tmp_path / "junit.xml", 20)


def test_only_hosts_that_are_looked_at_are_contacted(tmp_path: Path) -> None:
    """A router of another make has no shell to be typed into; what is not tested is left alone."""

    def contacted(name: str) -> Sequence[str]:
        return ("sh", "-c", f"touch {tmp_path / name}.contacted; exec sh")

    names = ("host-0", "host-1", "host-2", "own", "other")
    suite = (
        "from orchestrator.adapters import probes\n"
        "def test_gateway(gateway, host):\n    host.run('true')\n"
        "def test_router(router, host):\n    probes.need_linux(router)\n    host.run('true')\n"
    )
    records(
        tmp_path,
        suite,
        {name: contacted(name) for name in names},
        [gateway(0), gateway(1, result=CheckResult.NOT_TESTED, reason="by hand")],
        [
            CheckedRouter(id=name, driver=driver, routes={}, lines={})
            for name, driver in (("own", "linux"), ("other", "ios"))
        ],
    )
    assert {path.stem for path in tmp_path.glob("*.contacted")} == {"host-0", "own"}


def test_a_host_whose_session_cannot_be_begun_takes_no_other_with_it(tmp_path: Path) -> None:
    found = records(
        tmp_path,
        "def test_it(gateway, host):\n    host.run('true')\n",
        {"host-0": ("/nonexistent/ssh",), "host-1": HERE},
        [gateway(0), gateway(1)],
    )
    assert [(item.could_not_look, "/nonexistent/ssh" in item.found) for item in found] == [(True, True), (False, False)]


@pytest.fixture
def few_open_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("few_open_files")
def test_there_may_be_more_hosts_than_the_usual_limit_of_open_files_allows(tmp_path: Path) -> None:
    names = [f"host-{number}" for number in range(40)]
    found = records(
        tmp_path,
        "def test_it(gateway, host):\n    host.run('true')\n",
        dict.fromkeys(names, HERE),
        [gateway(number) for number in range(40)],
    )
    assert {item.result for item in found} == {CheckResult.NORMAL}, found[-1].found
