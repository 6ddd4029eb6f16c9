"""The production path, against a twin: what is refused by name, and what an approved run leaves in its pack."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.loader.site import load_site
from orchestrator.model.approval import Statement
from orchestrator.model.topology import Topology
from orchestrator.model.verdict import Integrity, Restoration, RunOutcome
from orchestrator.twin import Twin
from tests.support.command import Said, drillctl
from tests.support.signers import Signers
from tests.support.sites import ROOT, write_calendar

pytestmark = pytest.mark.twin

DRILL = ("single-centre-failure", "--set", "centre=futian", "--response", "repoint")
INSIDE = (f"{ROOT}/.venv/bin/python", "-m", "orchestrator")


@dataclass
class Office:
    """A site with people who can sign, its twin, and its state."""

    folder: Path
    signers: Signers
    twin: Twin

    @property
    def site(self) -> Path:
        return self.folder / "inventory/example"

    @property
    def topology(self) -> Topology:
        return load_site(self.site).topology

    def logged_in(self) -> int:
        """Gateways that the fronts see logged in."""
        return len(self.twin.truth()["current"])

    def call(self, *words: str) -> Said:
        return drillctl(*words, "--site", str(self.site), state=self.folder)

    def call_plainly(self, *words: str) -> Said:
        return drillctl(*words, state=self.folder)

    def run(self, plan: str, by: str = "li") -> Said:
        words = ("run", plan, "--by", by, "--key", str(self.signers.key(by)), "--json", "--site", str(self.site))
        return drillctl("twin", "exec", self.twin.name, "--", *INSIDE, *words, state=self.folder)

    def look(self) -> Said:
        words = ("triage", "--json", "--site", str(self.site))
        return drillctl("twin", "exec", self.twin.name, "--", *INSIDE, *words, state=self.folder)

    def approve(self, plan: str, by: str, *more: str) -> Said:
        return self.call("approve", plan, "--by", by, "--key", str(self.signers.key(by)), *more)

    def save(self, by: str = "wang") -> str:
        said = self.call("plan", *DRILL, "--mode", "drill", "--save", "--by", by)
        assert said.code == 0, said.err
        return said.out.split("on file as ")[1].split(";")[0]

    def refused(self, plan: str, code: str) -> None:
        """Refused by that name, and nothing was begun."""
        said = self.run(plan)
        assert (said.code, said.out) == (3, ""), said.err
        assert f"{code}: " in said.err
        assert not list((self.folder / "reports").glob("*-single-centre-failure-*"))


@pytest.fixture
def office(tmp_path: Path, own_twins: None) -> Iterator[Office]:  # noqa: ARG001 - its folder of twins has to be there first
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    signers = Signers.made(tmp_path / "keys", "chen", "li", "wang", "zhang")
    site = tmp_path / "inventory/example"
    shutil.copy(signers.allowed, site)
    write_calendar(site, begins=-timedelta(hours=1), ends=timedelta(hours=5))
    twin = Twin.up(load_site(site))
    yield Office(tmp_path, signers, twin)
    twin.down()


def test_only_what_somebody_else_approved_runs_and_its_pack_proves_it(office: Office) -> None:
    plan = office.save()
    office.refused(plan, "NOT_APPROVED")

    assert office.approve(plan, "wang", "--window", "now").err.count("NO_RIGHT: ") == 1  # he asked, and is no approver
    office.refused(plan, "NOT_APPROVED")

    statements = office.folder / "state/plans" / plan
    assert office.approve(plan, "chen", "--window", "now", "--days", "2").code == 0
    office.refused(plan, "NOT_RELEASED")
    assert office.approve(plan, "wang", "--release", "--reason", "清算已完成").code == 0

    path = next(statements.glob("approve-chen-*.json"))
    good = path.read_bytes()
    longer = Statement.model_validate_json(good)
    path.write_bytes(longer.model_copy(update={"not_after": longer.not_after + timedelta(days=9)}).canonical())
    office.refused(plan, "APPROVAL_FORGED")
    path.write_bytes(good)

    calendar = (office.site / "calendar.yml").read_bytes()
    write_calendar(office.site, begins=-timedelta(hours=2), ends=timedelta(hours=5))
    office.refused(plan, "OUTSIDE_WINDOW")  # not the window that was approved
    (office.site / "calendar.yml").write_bytes(calendar)

    said = office.run(plan)
    assert said.code == 0, said.err
    record, pack = said.record, Path(said.document["evidence"])
    verdict = record.verdict
    assert (verdict.outcome, verdict.restoration) == (RunOutcome.PASSED, Restoration.PROVED)
    assert verdict.integrity is Integrity.SEALED
    assert [(item.kind, item.by) for item in record.approvals] == [
        ("approve", "chen"),
        ("start", "li"),
        ("release", "wang"),
    ]
    assert (record.operator, record.announcement) == ("li", "测试2026-1")
    for item in record.approvals:
        assert item.file is not None
        verified_by_anybody(pack / "people/statements", item.file, item.by)
    verified = office.call_plainly("evidence", "verify", str(pack), "--allowed-signers", str(office.signers.allowed))
    assert verified.code == 0, verified.out
    assert "signed by people before it began: approve by chen, start by li, release by wang" in verified.out
    alone_verified(pack, office.signers.allowed)
    truth = office.twin.truth()
    assert (truth["duplicates"], truth["shared_certificates"]) == (0, 0)


def alone_verified(pack: Path, allowed: Path) -> None:
    """By the script, which knows nothing of the product; one changed byte of what was signed is found."""
    words = ["bash", str(ROOT / "docs/verify/verify.sh"), "--allowed-signers", str(allowed), str(pack)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert "approve by chen" in done.stdout
    path = next((pack / "people/statements").glob("release-*.json"))
    whole = path.read_bytes()
    path.write_bytes(whole.replace("清算".encode(), "结算".encode()))
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    path.write_bytes(whole)
    assert done.returncode == 1
    assert "expected a signature by wang with a key that was allowed, found another" in done.stdout


def verified_by_anybody(folder: Path, file: str, person: str) -> None:
    """With ssh-keygen and what is in the pack, nothing else."""
    space = f"drillctl-{file.partition(f'-{person}-')[0]}"
    words = ["ssh-keygen", "-Y", "verify", "-f", "allowed_signers", "-I", person, "-n", space, "-s", f"{file}.sig"]
    done = subprocess.run(
        words, cwd=folder, input=(folder / file).read_bytes(), capture_output=True, timeout=10, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.matrix
def test_an_edit_of_the_inventory_makes_every_approval_void(office: Office) -> None:
    plan = office.save()
    assert office.approve(plan, "chen", "--window", "now").code == 0
    people = office.site / "people.yml"
    people.write_text(people.read_text(encoding="utf-8") + "# a word\n", encoding="utf-8")
    office.refused(plan, "PLAN_CHANGED")
    office.refused(office.save(), "PLAN_CHANGED")  # the new plan has none; the old one's is named as what it is


@pytest.mark.matrix
def test_an_approval_that_is_over_and_a_window_that_is_shut_are_named(office: Office) -> None:
    write_calendar(office.site, begins=-timedelta(hours=1), ends=timedelta(minutes=8))
    plan = office.save()
    assert office.approve(plan, "chen", "--window", "now").code == 0
    assert office.approve(plan, "wang", "--release").code == 0
    office.refused(plan, "OUTSIDE_WINDOW")  # it would close before the plan's latest end


@pytest.mark.matrix
def test_nobody_approves_what_he_asked_for(office: Office) -> None:
    plan = office.save(by="chen")
    assert office.approve(plan, "chen", "--window", "now").code == 0
    office.refused(plan, "OWN_APPROVAL")


def test_an_approval_that_has_expired_counts_no_more(office: Office) -> None:
    plan = office.save()
    assert office.call("approve", plan, "--by", "chen", "--window", "now").code == 0
    path = office.folder / "state/plans" / plan / "to-sign/approve-chen.json"
    said = Statement.model_validate_json(path.read_bytes())
    old = {"at": said.at - timedelta(days=8), "not_after": said.not_after - timedelta(days=8)}
    path.write_bytes(said.model_copy(update=old).canonical())
    words = [
        "ssh-keygen",
        "-Y",
        "sign",
        "-q",
        "-n",
        "drillctl-approve",
        "-f",
        str(office.signers.key("chen")),
        str(path),
    ]
    subprocess.run(words, check=True, timeout=10, stdin=subprocess.DEVNULL)
    assert office.call("approve", plan, "--signed", str(path)).code == 0
    office.refused(plan, "APPROVAL_EXPIRED")


@pytest.mark.matrix
def test_what_is_signed_elsewhere_is_taken_in(office: Office) -> None:
    plan = office.save()
    said = office.call("approve", plan, "--by", "chen", "--window", "now")
    assert said.code == 0, said.err
    path = office.folder / "state/plans" / plan / "to-sign/approve-chen.json"
    words = [
        "ssh-keygen",
        "-Y",
        "sign",
        "-q",
        "-n",
        "drillctl-approve",
        "-f",
        str(office.signers.key("chen")),
        str(path),
    ]
    assert f"ssh-keygen -Y sign -n drillctl-approve -f KEY {path}" in said.out
    subprocess.run(words, check=True, timeout=10, stdin=subprocess.DEVNULL)
    taken = office.call("approve", plan, "--signed", str(path))
    assert taken.code == 0, taken.err
    office.refused(plan, "NOT_RELEASED")
