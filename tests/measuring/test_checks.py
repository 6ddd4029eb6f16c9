"""The suites of drills/checks over real sshd: four results, none hides another, and a dead host costs little."""

import socket
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.adapters.checks import run_checks
from orchestrator.adapters.checks_context import CheckContext, pairs
from orchestrator.adapters.checks_plan import check_context
from orchestrator.model.drill import Check
from orchestrator.model.event import CheckRecord, CheckResult
from orchestrator.ports import Expectations, GatewayExpectation
from tests.guard.commands import kill_guard, marked
from tests.measuring.lab import ONHOST, SUITES, Front, Lab, RunningGateway, eventually

LADDER = (Check.PATH, Check.TCP, Check.PROCESS, Check.CONFIGURATION, Check.SESSION, Check.LOGIN, Check.DATA)
NORMAL, ABNORMAL = CheckResult.NORMAL, CheckResult.ABNORMAL


def expect(lab: Lab, gateway: str, session: str | None = None, **changes: object) -> GatewayExpectation:
    """Of this gateway: its own list, and a session with its first front or with the one named."""
    servers = lab.topology.gateway[gateway].servers
    fields = {"fronts": servers, "sessions": (session or servers[0],), "line": None, "config_sha256": None}
    return GatewayExpectation(gateway=gateway, **{**fields, **changes})  # type: ignore[arg-type]  # as named above


def context(
    lab: Lab, *gateways: GatewayExpectation, checks: Sequence[str] = LADDER, consent: bool = True
) -> CheckContext:
    found = check_context(
        lab.site, lab.ssh, ONHOST, "baselining", checks, Expectations(gateways, {}), 20, consent_tcp=consent
    )
    return found.model_copy(update={"routers": ()})


def call_folder(lab: Lab) -> Path:
    """Of a call that nobody has made before."""
    steps = lab.folder / "steps"
    return steps / f"check-{len(list(steps.glob('*'))) + 1}"


def records(lab: Lab, of: CheckContext, deadline_s: float = 20) -> dict[tuple[str, str], CheckRecord]:
    found = run_checks(call_folder(lab), of, SUITES, lab.folder / "junit.xml", deadline_s)
    assert [(item.check, item.target, item.host) for item in found] == list(pairs(of))
    return {(item.check, item.target): item for item in found}


def results(lab: Lab, of: CheckContext) -> dict[str, CheckResult]:
    return {check: item.result for (check, _), item in records(lab, of).items()}


def market(lab: Lab) -> tuple[Front, RunningGateway]:
    """A market-data gateway that is logged in."""
    lab.host("gw-a3")
    front, gateway = lab.front("futian-market"), lab.gateway("nq-md-1")
    assert eventually(gateway.logged_in)
    return front, gateway


def test_every_rung_is_normal_for_a_gateway_that_works(measured: Lab) -> None:
    market(measured)
    found = records(measured, context(measured, expect(measured, "nq-md-1")))
    assert {item.result for item in found.values()} == {NORMAL}, found
    assert found["session", "nq-md-1"].found == measured.endpoint("futian-market")
    assert found["data", "nq-md-1"].expected == "data moves"
    assert {item.phase for item in found.values()} == {"baselining"}


def test_a_gateway_at_another_front_than_allowed_fails_only_where_that_shows(measured: Lab) -> None:
    market(measured)
    found = results(measured, context(measured, expect(measured, "nq-md-1", "southern-market")))
    wrong = {check for check, result in found.items() if result is not NORMAL}
    assert wrong == {"tcp", "session"}
    assert found["tcp"] is found["session"] is ABNORMAL  # nobody listens at southern: refused


def test_a_list_with_another_order_or_a_file_with_another_byte_is_abnormal(measured: Lab) -> None:
    measured.host("gw-a3")
    gateway = measured.gateway("nq-md-1", "southern-market", "futian-market")
    turned = expect(measured, "nq-md-1")
    as_is = expect(measured, "nq-md-1", fronts=("southern-market", "futian-market"))
    other_bytes = expect(measured, "nq-md-1", fronts=as_is.fronts, config_sha256="0" * 64)
    only = [Check.CONFIGURATION]
    found = [results(measured, context(measured, item, checks=only)) for item in (turned, as_is, other_bytes)]
    assert [item["configuration"] for item in found] == [ABNORMAL, NORMAL, ABNORMAL]
    gateway.list.unlink()
    missing = records(measured, context(measured, as_is, checks=only))["configuration", "nq-md-1"]
    assert (missing.result, missing.could_not_look) == (ABNORMAL, False)
    gateway.list.write_text("no list\n", encoding="utf-8")
    unreadable = records(measured, context(measured, as_is, checks=only))["configuration", "nq-md-1"]
    assert (unreadable.result, unreadable.could_not_look) == (CheckResult.NOT_TESTED, True)


def test_a_dead_process_fails_its_rungs_though_its_status_file_still_says_logged_in(measured: Lab) -> None:
    measured.host("gw-a3")
    measured.front("futian-market")
    gateway = measured.gateway("nq-md-1")
    assert eventually(gateway.logged_in)
    gateway.close()
    found = results(measured, context(measured, expect(measured, "nq-md-1")))
    assert {check for check, result in found.items() if result is ABNORMAL} == {"process", "session", "login", "data"}


def test_a_session_of_another_process_to_the_same_front_is_not_the_gateways(measured: Lab) -> None:
    measured.host("gw-a1")
    measured.front("futian-trading")
    measured.gateway("nq-trade-1", "southern-trading")  # where nobody listens
    address, _, port = measured.endpoint("futian-trading").partition(":")
    with socket.create_connection((address, int(port))):
        found = records(measured, context(measured, expect(measured, "nq-trade-1"), checks=[Check.SESSION]))
    assert found["session", "nq-trade-1"].found == "no session"


def test_tcp_is_three_results_and_is_left_alone_without_consent(measured: Lab) -> None:
    measured.host("gw-a1")
    gateway = measured.gateway("nq-trade-1")
    gateway.close()
    refused = records(measured, context(measured, expect(measured, "nq-trade-1"), checks=[Check.TCP]))
    assert refused["tcp", "nq-trade-1"].found == f"{measured.endpoint('futian-trading')} refused"
    front = measured.front("futian-trading")
    alone = records(measured, context(measured, expect(measured, "nq-trade-1"), checks=[Check.TCP], consent=False))
    assert alone["tcp", "nq-trade-1"].result is CheckResult.NOT_TESTED
    assert not alone["tcp", "nq-trade-1"].could_not_look
    assert front.connections == 0
    connected = records(measured, context(measured, expect(measured, "nq-trade-1"), checks=[Check.TCP]))
    assert connected["tcp", "nq-trade-1"].result is NORMAL
    assert eventually(lambda: front.connections == 1)


def test_no_such_business_stands_as_such_and_a_login_there_is_abnormal(measured: Lab) -> None:
    started = market(measured)
    none = expect(measured, "nq-md-1", sessions=(), result=CheckResult.NO_SUCH_BUSINESS)
    found = results(measured, context(measured, none))
    assert {found["session"], found["login"]} == {ABNORMAL}
    assert {found[check] for check in ("path", "tcp", "process", "data")} == {CheckResult.NO_SUCH_BUSINESS}
    measured.end(*started)
    assert set(results(measured, context(measured, none)).values()) == {CheckResult.NO_SUCH_BUSINESS}


def test_a_cold_standby_that_runs_is_abnormal(measured: Lab) -> None:
    market(measured)
    right = context(measured, expect(measured, "nq-md-1", sessions=()), checks=[Check.PROCESS, Check.LOGIN])
    cold = right.gateways[0].model_copy(update={"should_run": False})
    found = results(measured, right.model_copy(update={"gateways": (cold,)}))
    assert set(found.values()) == {ABNORMAL}


def test_a_host_that_refuses_could_not_be_looked_at_and_the_others_are(measured: Lab) -> None:
    market(measured)
    found = records(measured, context(measured, expect(measured, "nq-trade-1"), expect(measured, "nq-md-1")))
    dead = [item for item in found.values() if item.host == "gw-a1"]
    assert {(item.result, item.could_not_look) for item in dead} == {(CheckResult.NOT_TESTED, True)}
    assert all("refused" in item.found for item in dead)
    assert {item.result for item in found.values() if item.host == "gw-a3"} == {NORMAL}


def test_a_frozen_host_costs_one_deadline_and_not_one_per_check(measured: Lab) -> None:
    measured.host("gw-a1").freeze()
    market(measured)
    of = context(measured, expect(measured, "nq-trade-1"), expect(measured, "nq-md-1"))
    of = of.model_copy(update={"command_timeout_s": 1, "connect_timeout_s": 1})
    began = time.monotonic()
    found = records(measured, of)
    assert time.monotonic() - began < 8
    frozen = [item for item in found.values() if item.host == "gw-a1"]
    assert all(item.could_not_look for item in frozen)
    assert sum(item.duration_s for item in frozen) < 3
    assert {item.result for item in found.values() if item.host == "gw-a3"} == {NORMAL}


def test_at_the_deadline_what_was_seen_is_kept_and_the_rest_could_not_look(measured: Lab, tmp_path: Path) -> None:
    market(measured)
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "test_path.py").write_text("def test_quick(gateway, host):\n    host.run('true')\n")
    (suites / "test_session.py").write_text("def test_slow(gateway, host):\n    host.run('sleep 60')\n")
    (suites / "test_tcp.py").write_text((suites / "test_session.py").read_text())
    of = context(measured, expect(measured, "nq-md-1"), checks=[Check.SESSION, Check.PATH, Check.TCP])
    of = of.model_copy(update={"command_timeout_s": 60})
    began = time.monotonic()
    found = run_checks(call_folder(measured), of, suites, measured.folder / "junit.xml", 2)
    assert time.monotonic() - began < 8
    assert [(item.check, item.could_not_look) for item in found] == [("session", True), ("path", False), ("tcp", True)]
    assert {item.found for item in found if item.could_not_look} == {"not looked at before the deadline"}
    assert (measured.folder / "junit.xml").exists()


def test_a_stop_ends_the_round_at_once_and_keeps_what_was_seen(measured: Lab, tmp_path: Path) -> None:
    market(measured)
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "test_path.py").write_text("def test_quick(gateway, host):\n    host.run('true')\n")
    (suites / "test_session.py").write_text("def test_slow(gateway, host):\n    host.run('sleep 60')\n")
    of = context(measured, expect(measured, "nq-md-1"), checks=[Check.PATH, Check.SESSION])
    of = of.model_copy(update={"command_timeout_s": 60})
    folder, asked_at = call_folder(measured), list[float]()

    def stop() -> bool:
        if not asked_at and (folder / "results.jsonl").exists():
            asked_at.append(time.monotonic())
        return bool(asked_at)

    found = run_checks(folder, of, suites, measured.folder / "junit.xml", 30, stop)
    assert time.monotonic() - asked_at[0] < 2
    assert [(item.check, item.could_not_look) for item in found] == [("path", False), ("session", True)]
    assert found[1].found == "the checks were ended because an abort was asked for"
    assert marked(folder) == []


def test_a_round_that_was_begun_before_is_joined_and_nothing_is_looked_at_again(measured: Lab, tmp_path: Path) -> None:
    class Lost(Exception):
        """This orchestrator is gone."""

    def stop() -> bool:
        if looked.exists():
            raise Lost
        return False

    market(measured)
    suites, looked = tmp_path / "suites", tmp_path / "looked"
    suites.mkdir()
    (suites / "test_path.py").write_text(
        f"def test_slow(gateway, host):\n    host.run('echo >> {looked}; sleep 0.5')\n"
    )
    of = context(measured, expect(measured, "nq-md-1"), checks=[Check.PATH])
    folder, junit = call_folder(measured), measured.folder / "junit.xml"
    with pytest.raises(Lost):
        run_checks(folder, of, suites, junit, 20, stop)
    first, second = (run_checks(folder, of, suites, junit, 20) for _ in range(2))
    assert first == second
    assert first[0].result is NORMAL
    assert looked.read_text() == "\n"


def test_a_round_whose_guard_was_killed_could_not_look(measured: Lab, tmp_path: Path) -> None:
    market(measured)
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "test_path.py").write_text("def test_slow(gateway, host):\n    host.run('sleep 60')\n")
    of = context(measured, expect(measured, "nq-md-1"), checks=[Check.PATH])
    folder, killed = call_folder(measured), list[bool]()

    def stop() -> bool:
        if not killed and measured.sessions():
            kill_guard(folder)
            killed.append(True)
        return False

    (found,) = run_checks(folder, of, suites, measured.folder / "junit.xml", 20, stop)
    assert (found.could_not_look, found.found) == (True, "the guard of the checks was killed")
    assert marked(folder) == []


def test_a_pytest_that_cannot_start_makes_every_check_unknown(measured: Lab, tmp_path: Path) -> None:
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "test_process.py").write_text("this is no Python\n")
    of = context(measured, expect(measured, "nq-md-1"), checks=[Check.PROCESS])
    (found,) = run_checks(call_folder(measured), of, suites, measured.folder / "junit.xml", 5)
    assert (found.result, found.could_not_look) == (CheckResult.NOT_TESTED, True)
    assert "SyntaxError" in found.found


def test_a_check_that_raises_is_unknown_and_the_next_is_still_looked_at(measured: Lab, tmp_path: Path) -> None:
    market(measured)
    suites = tmp_path / "suites"
    suites.mkdir()
    (suites / "test_login.py").write_text("def test_broken(gateway):\n    raise KeyError('spec')\n")
    (suites / "test_process.py").write_text(
        "def test_own(gateway, host, look, tmp_path):\n"
        "    look.saw('a folder', tmp_path.name)\n"
        "    assert host.run('true').rc == 0\n"
        "def test_wrong(gateway):\n"
        "    assert gateway.id == 'another'\n"
    )
    of = context(measured, expect(measured, "nq-md-1"), checks=[Check.LOGIN, Check.PROCESS])
    login, process = run_checks(call_folder(measured), of, suites, measured.folder / "junit.xml", 20)
    assert (login.result, login.could_not_look) == (CheckResult.NOT_TESTED, True)
    assert process.result is ABNORMAL  # of the two tests of this target, the worse
    assert process.expected == "a folder"


def test_junit_is_pytests_own_with_what_was_expected_and_found(measured: Lab) -> None:
    market(measured)
    records(measured, context(measured, expect(measured, "nq-md-1", "southern-market")))
    root = ET.parse(measured.folder / "junit.xml").getroot()  # noqa: S314 - written by this test
    cases = {case.attrib["classname"].rpartition(".")[2]: case for case in root.iter("testcase")}
    assert set(cases) == {f"test_{check}" for check in LADDER}
    assert cases["test_session"].find("failure") is not None
    assert cases["test_login"].find("failure") is None
    properties = {item.attrib["name"]: item.attrib["value"] for item in cases["test_session"].iter("property")}
    assert properties["expected"] == measured.endpoint("southern-market")
    assert properties["found"] == measured.endpoint("futian-market")
    assert float(cases["test_session"].attrib["time"]) > 0


def test_a_multicast_receiver_is_checked_by_its_own_word_and_the_hosts_groups(measured: Lab) -> None:
    """Nobody has joined the group here, so what the status file says does not stand alone."""
    measured.host("gw-a3")
    gateway = measured.gateway("nq-mc-1")
    group = measured.topology.front["futian-multicast"].endpoint
    gateway.status.write_text(f"receiving=yes\nendpoint={group}\nlast_sequence=1\n")
    checks = [Check.TCP, Check.SESSION, Check.LOGIN, Check.DATA]
    found = results(measured, context(measured, expect(measured, "nq-mc-1"), checks=checks))
    assert found == {"session": ABNORMAL, "login": NORMAL, "data": ABNORMAL}


@pytest.mark.parametrize("check", [Check.ISOLATION, Check.ROUTED_PORT, Check.PATH])
def test_a_router_of_another_make_is_not_tested(measured: Lab, check: Check) -> None:
    of = check_context(measured.site, measured.ssh, ONHOST, "baselining", [check], Expectations((), {"ce-a": {}}), 20)
    routers = tuple(item.model_copy(update={"driver": "manual"}) for item in of.routers)
    found = records(measured, of.model_copy(update={"routers": routers}))
    assert {item.result for item in found.values()} == {CheckResult.NOT_TESTED}
    assert not any(item.could_not_look for item in found.values())


def test_a_context_does_not_depend_on_the_folder_that_it_was_made_in(measured: Lab) -> None:
    of = check_context(
        measured.site, measured.ssh, Path("playbooks/onhost"), "baselining", [], Expectations((), {}), 20
    )
    assert of.onhost.is_absolute()
