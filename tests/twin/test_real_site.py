"""A real site, as far as one can be had: the hosts of a twin behind a bastion, and a product that knows of no twin."""

import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import load_site
from orchestrator.model.drill import Mode, Response
from orchestrator.model.plan import FaultSource
from orchestrator.model.verdict import Integrity, Restoration, RunOutcome
from orchestrator.planner import Request, make_plan
from orchestrator.twin import Twin
from tests.support.command import Running
from tests.support.real_site import BASTION, BASTION_PORT, BY_ROOT_PORT, RealSite
from tests.support.signers import Signers
from tests.support.sites import ROOT, ZONE, write_calendar
from tests.support.twins import own_root, until

pytestmark = pytest.mark.twin

DRILL = ("single-centre-failure", "--set", "centre=futian")
ANSWERED = ("--by", "li", "--reason", "首次连通性检查")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Signers:
    return Signers.made(tmp_path_factory.mktemp("people") / "keys", "chen", "li", "wang")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, keys: Signers) -> Iterator[RealSite]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "inventory", folder / "inventory")
    site = folder / "inventory/example"
    shutil.copy(keys.allowed, site)
    write_calendar(site, begins=-timedelta(hours=1), ends=timedelta(hours=5))
    with own_root():
        twin = Twin.up(load_site(site), "real", 1200)
        try:
            yield RealSite.of(folder, site, twin)
        finally:
            twin.down()


@pytest.fixture
def real(made: RealSite) -> Iterator[RealSite]:
    """As it was, whatever the test before did to its access."""
    known = made.known.read_text()
    yield made
    made.known.write_text(known)
    made.write()
    assert not list(Path(tempfile.gettempdir()).glob(f"drillctl-{os.getuid()}-*/config")), (
        "expected every connection closed, found some left"
    )


def log_ins(real: RealSite) -> int:
    return real.log(BASTION, BASTION_PORT).count("Accepted publickey")


def test_the_first_look_says_of_each_host_whether_it_can_be_used(real: RealSite) -> None:
    before = log_ins(real)
    said = real.call("access", *ANSWERED)
    assert said.code == 0, said.err
    assert "12 hosts, 0 of them cannot be used yet" in said.out
    assert re.search(r"gw-a1 +reached +Python 3\.\d+\.\d+ +gwops +clock [+-]0\.\d{3} s", said.out)
    assert log_ins(real) == before + 1  # a bastion drops those that it has too many of: one serves all hosts


def test_nobody_is_contacted_unless_somebody_answers_for_it(real: RealSite) -> None:
    before = log_ins(real)
    for words in (("access",), ("triage",), ("support-bundle", "--gateways", "all")):
        said = real.call(*words)
        assert said.code == 3, said.err
        assert "NOT_APPROVED: hosts of a real site are contacted only when a person answers for it by name" in said.err
    assert log_ins(real) == before


def test_without_access_yml_nothing_is_contacted(real: RealSite, keys: Signers) -> None:
    (real.site / "access.yml").unlink()
    before = log_ins(real)
    for words in (("access", *ANSWERED), ("triage", "--by", "li")):
        said = real.call(*words)
        assert (said.code, said.out) == (3, "")
        assert f"REAL_SITE: expected {real.site}/access.yml" in said.err
    plan = approved(real, keys)
    said = real.call("run", plan, "--by", "li", "--key", str(keys.key("li")))
    assert said.code == 3, said.err
    assert f"REAL_SITE: plan {plan} may be carried out, but expected {real.site}/access.yml" in said.err
    assert log_ins(real) == before
    assert not list((real.folder / "reports").glob("*-single-centre-failure-*"))


def test_a_key_that_is_unknown_or_another_is_refused_in_one_line(real: RealSite) -> None:
    lines = real.known.read_text().splitlines(keepends=True)
    good = next(line for line in lines if line.startswith("198.18.1.11,")).split(" ", 1)[1]
    other = next(line for line in lines if line.startswith("198.18.1.12,")).split(" ", 1)[0]
    real.known.write_text("".join(line for line in lines if not line.startswith(("198.18.1.12,", "198.18.1.13,"))))
    with real.known.open("a") as file:
        file.write(f"{other} {good}")
    said = real.call("access", "gw-a1", "gw-a2", "gw-a3", *ANSWERED)
    assert said.code == 1
    assert re.search(r"gw-a1 +reached", said.out)
    assert re.search(
        r"gw-a2 +its key is another one than in known_hosts\n +→ compare it on the host's console", said.out
    )
    assert re.search(r"gw-a3 +Server '198\.18\.1\.13' not found in known_hosts\n +→ read its key", said.out)

    real.known.write_text("".join(line for line in lines if f":{BASTION_PORT} " not in line))
    said = real.call("access", "gw-a1", *ANSWERED)
    assert said.code == 3
    assert re.search(
        r"NO_ACCESS: .*the bastion, found No ED25519 host key is known for \[198\.18\.2\.15\]:2222", said.err
    )


def test_a_host_that_is_down_or_lets_nobody_in_costs_nobody_else(real: RealSite) -> None:
    real.write(hosts={"gw-a2": {"port": 9}, "gw-a3": {"user": "nobody"}, "gw-a4": {"interpreter": "/usr/bin/python9"}})
    said = real.call("access", *ANSWERED)
    assert said.code == 1
    assert "12 hosts, 3 of them cannot be used yet" in said.out
    assert re.search(r"gw-a2 .*\n +→ the bastion cannot reach", said.out)
    assert re.search(r"gw-a3 +nobody: its key was not accepted .*\n +→ add the public key", said.out)
    assert re.search(r"gw-a4 .*python9.*\n +→ no such program there: look at `interpreter`", said.out)


def test_another_account_is_taken_on_by_sudo(real: RealSite) -> None:
    sudoers = Path(f"/proc/{real.first('gw-a1')}/root/etc/sudoers.d/drill")
    sudoers.write_text("gwops ALL=(root) NOPASSWD: /bin/sh\n")
    sudoers.chmod(0o440)
    real.write(hosts={"gw-a1": {"become": {"method": "sudo", "user": "root"}}})
    assert re.search(r"gw-a1 +reached +Python \S+ +root ", real.call("access", "gw-a1", *ANSWERED).out)


def test_another_account_is_taken_on_by_su(real: RealSite) -> None:
    by_root(real)
    assert re.search(r"gw-a1 +reached +Python \S+ +gwops ", real.call("access", "gw-a1", *ANSWERED).out)


def test_a_picture_and_a_bundle_come_through_the_bastion(real: RealSite) -> None:
    said = real.call("triage", "--by", "li")
    assert said.code == 0, said.err
    assert "Everything is as on a normal day" in said.out
    said = real.call("support-bundle", "--gateways", "nq-trade-1", *ANSWERED, "--json")
    assert said.code == 0, said.err
    with zipfile.ZipFile(said.document["bundle"]) as bundle:
        manifest = bundle.read(next(name for name in bundle.namelist() if name.endswith("MANIFEST.json"))).decode()
    assert '"simulated": false' in manifest
    assert "首次连通性检查" in manifest


def by_root(real: RealSite) -> None:
    """gw-a1 lets nobody in but root, who becomes whom the gateway runs as."""
    if not Path(f"/proc/{real.first('gw-a1')}/root/var/log/sshd-{BY_ROOT_PORT}").exists():
        real.listen("gw-a1", BY_ROOT_PORT, "root", (real.folder / "bastion.pub").read_text())
        shutil.copy(real.folder / "bastion.pub", real.folder / "hosts.pub")
    key = Path(f"/proc/{real.first('gw-a1')}/root/etc/ssh/twin/authorized_keys").read_text()
    Path(f"/proc/{real.first('gw-a1')}/root/etc/ssh/keys-{BY_ROOT_PORT}").write_text(key)
    (real.folder / "hosts.pub").unlink(missing_ok=True)
    real.known.write_text(real.known.read_text() + real.line_of("gw-a1", BY_ROOT_PORT))
    way = {"port": BY_ROOT_PORT, "user": "root", "become": {"method": "su", "user": "gwops"}}
    real.write(hosts={"gw-a1": way})


def approved(real: RealSite, keys: Signers) -> str:
    """A plan for an observed drill, approved and released. Returns its id."""
    said = real.call("plan", *DRILL, "--mode", "drill", "--response", "observe", "--save", "--by", "wang")
    assert said.code == 0, said.err
    plan = said.out.split("on file as ")[1].split(";")[0]
    chen, wang = ("--by", "chen", "--key", str(keys.key("chen"))), ("--by", "wang", "--key", str(keys.key("wang")))
    assert real.call("approve", plan, *chen, "--window", "now").code == 0
    assert real.call("approve", plan, *wang, "--release", "--reason", "清算已完成").code == 0
    return plan


def test_an_observed_drill_waits_for_people_and_outlives_its_orchestrator(real: RealSite, keys: Signers) -> None:
    by_root(real)
    plan = approved(real, keys)
    site = load_site(real.site)
    request = Request(Mode.DRILL, datetime.now(ZONE).date(), {"centre": "futian"}, Response.OBSERVE, ())
    fault = make_plan(site.topology, site.digest, load_drill(ROOT / "drills", DRILL[0]), request).fault
    with real.running("run", plan, "--by", "li", "--key", str(keys.key("li")), "--json") as running:
        run = re.search(r"run (\S+)", running.until("run 2"))
        assert run
        running.until("waiting for the fault to be made")
        running.process.kill()
    refused = real.call("confirm", run[1], "inject", "--by", "li")
    assert refused.code == 2
    assert "--at: expected when it was so" in refused.err
    real.twin.inject(fault, 600)
    made_at = datetime.now(ZONE)
    until(lambda: len(real.twin.truth()["current"]) < len(site.topology.gateways), 30)
    said = real.call("confirm", run[1], "inject", "--by", "li", "--at", f"{made_at:%Y-%m-%dT%H:%M:%S.%f}")
    assert said.code == 0, said.err
    assert "`drillctl resume" in said.out
    with real.running("resume", run[1], "--json") as running:
        running.until("waiting for the fault to be lifted")
        real.twin.lift(fault)
        assert real.call("confirm", run[1], "lift", "--by", "wang", "--at", f"{datetime.now(ZONE):%FT%T.%f}").code == 0
        finished(real, running, made_at)


def finished(real: RealSite, running: Running, made_at: datetime) -> None:
    said = running.finish()
    assert said.code == 0, said.err
    record, pack = said.record, Path(said.document["evidence"])
    verdict = record.verdict
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED)
    assert verdict.integrity is Integrity.UNSEALED  # evidence.yml names no key of the firm, and a local one is none
    assert (record.simulated, record.fault_source) == (False, FaultSource.DECLARED)
    assert record.fault_at == pytest.approx(made_at.timestamp(), abs=0.01)
    assert {item.step: item.by for item in record.confirmations} == {"inject": "li", "lift": "wang"}
    assert record.ground_truth is None
    ledger = (real.folder / "reports/ledger/ledger.jsonl").read_text(encoding="utf-8")
    assert '"simulated":false' in ledger
    assert "仿真" not in re.sub(r"<style.*?</style>", "", (pack / "report/report.zh.html").read_text("utf-8"))[:2000]
    truth = real.twin.truth()
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)
