"""One round of checks over shells on this machine: which are begun, what is told of each, how many."""

import re
import resource
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.checks import run_checks
from orchestrator.adapters.checks_context import CheckContext, CheckedGateway, CheckedRouter
from orchestrator.model.event import CheckRecord, CheckResult

HERE = ("/bin/sh",)
# Every way a check may end, with what it says of itself.
ENDS = """\
import pytest

def test_right(gateway, host, look):
    look.saw("one", "one")
    assert host.run("echo %s", gateway.id).stdout == f"{gateway.id}\\n"

def test_wrong(gateway, look):
    look.saw("one", "two")
    assert {"a": 1} == {"a": 2}

def test_skipped(gateway):
    pytest.skip("not here")

def test_broken(gateway):
    raise KeyError("spec")
"""


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


def cases(tmp_path: Path) -> list[str]:
    """What JUnit says of each test, without its times and where an object lay."""
    root = ET.parse(tmp_path / "junit.xml").getroot()  # noqa: S314 - written by this test
    texts = [ET.tostring(case, encoding="unicode") for case in root.iter("testcase")]
    return [
        re.sub(r'time="[^"]*"|<property name="duration_s" value="[^"]*" />|0x[0-9a-f]+', "", text) for text in texts
    ]


def test_what_is_replayed_is_told_as_pytests_own_loop_tells_it(tmp_path: Path) -> None:
    """A test that takes a fixture of pytest's own brings that loop back for all of them."""
    hosts, gateways = {"host-0": HERE, "host-1": HERE}, [gateway(0), gateway(1)]
    found = records(tmp_path, ENDS, hosts, gateways)
    replayed = cases(tmp_path)
    with_fixture = ENDS + "\ndef test_zz(gateway, tmp_path):\n    pass\n"
    own_loop = records(tmp_path, with_fixture, hosts, gateways)
    told = [case for case in cases(tmp_path) if "test_zz" not in case]
    assert len(replayed) == 8
    assert replayed == told
    assert [item.result for item in found] == [item.result for item in own_loop] == [CheckResult.ABNORMAL] * 2
    assert [item.found for item in found] == [item.found for item in own_loop]


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        ("@pytest.mark.skip(reason='not today')\ndef test_it(gateway):\n    pass\n", "not today"),
        (
            "@pytest.fixture(autouse=True)\ndef made():\n    raise OSError('not made')\ndef test_it(gateway): pass\n",
            "not made",
        ),
        ("def setup_module():\n    raise OSError('not made')\ndef test_it(gateway):\n    pass\n", "not made"),
        (
            "class TestIt:\n  def setup_method(self):\n    raise OSError('not made')\n  def test_it(s, gateway): 1\n",
            "not made",
        ),
    ],
)
def test_marks_and_setups_of_a_suite_are_still_pytests_business(tmp_path: Path, suite: str, told: str) -> None:
    records(tmp_path, f"import pytest\n{suite}", {"host-0": HERE}, [gateway(0)])
    (case,) = cases(tmp_path)
    assert told in case


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
