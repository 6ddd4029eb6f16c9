"""Plans on file, with real OpenSSH signatures."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.adapters.plan_file import PlanFile
from orchestrator.errors import DefinitionError, Refused
from orchestrator.evidence import ssh_signatures
from orchestrator.model.approval import Kept, PlanRequest, Statement, StatementKind
from orchestrator.model.drill import Mode
from tests.report.record_example import plan_of
from tests.support.signers import Signers

SPACE = "drillctl-approve"
AT = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)


@pytest.fixture
def signers(tmp_path: Path) -> Signers:
    return Signers.made(tmp_path / "keys", "chen", "li")


@pytest.fixture
def file(tmp_path: Path, signers: Signers) -> PlanFile:
    return PlanFile(tmp_path / "plans", signers.allowed)


def kept(by: str = "wang") -> Kept:
    plan = plan_of("single-centre-failure", Mode.DRILL)
    return Kept(plan=plan, request=PlanRequest(by=by, at=AT, today="2026-11-28"))


def statement(by: str = "chen") -> Statement:
    plan = kept().plan
    return Statement(
        kind=StatementKind.APPROVE,
        site=plan.site,
        drill=plan.drill,
        mode=plan.mode,
        plan=plan.digest,
        by=by,
        at=AT,
        not_after=AT + timedelta(days=1),
    )


def test_a_plan_is_kept_as_it_was_asked_for_first(file: PlanFile) -> None:
    file.save(kept())
    assert file.load(kept().plan.id) == kept()
    with pytest.raises(Refused, match="SAVED_BEFORE"):
        file.save(kept("zhang"))


def test_a_plan_that_was_changed_on_the_disk_is_no_plan(file: PlanFile) -> None:
    path = file.save(kept()) / "plan.json"
    path.write_text(path.read_text().replace('"hold_s"', '"held_s"').replace("single-centre", "double-centre"))
    with pytest.raises(DefinitionError, match="save it again"):
        file.load(kept().plan.id)


def test_what_is_signed_holds_and_anybody_can_verify_it(file: PlanFile, signers: Signers) -> None:
    said = statement()
    path = file.add(kept().plan.id, said, ssh_signatures.sign(said.canonical(), signers.key("chen"), SPACE))
    assert [(item.statement, item.problem) for item in file.signed(said.drill)] == [(said, "")]
    verify = ["ssh-keygen", "-Y", "verify", "-f", str(signers.allowed)]
    words = [*verify, "-I", "chen", "-n", SPACE, "-s", f"{path}.sig"]
    done = subprocess.run(words, input=path.read_bytes(), capture_output=True, timeout=10, check=False)
    assert done.returncode == 0, done.stderr


def test_a_signature_of_somebody_else_is_not_kept(file: PlanFile, signers: Signers) -> None:
    said = statement()
    with pytest.raises(Refused, match="NOT_SIGNED"):
        file.add(kept().plan.id, said, ssh_signatures.sign(said.canonical(), signers.key("li"), SPACE))
    assert file.signed(said.drill) == []


def test_a_statement_that_was_changed_afterwards_is_forged(file: PlanFile, signers: Signers) -> None:
    said = statement()
    path = file.add(kept().plan.id, said, ssh_signatures.sign(said.canonical(), signers.key("chen"), SPACE))
    later = said.model_copy(update={"not_after": said.not_after + timedelta(days=30)})
    path.write_bytes(later.canonical())
    assert "expected a signature by chen" in file.signed(said.drill)[0].problem


def test_a_key_that_is_taken_off_the_list_signs_no_more(file: PlanFile, signers: Signers) -> None:
    said = statement()
    file.add(kept().plan.id, said, ssh_signatures.sign(said.canonical(), signers.key("chen"), SPACE))
    lines = signers.allowed.read_text().splitlines()
    signers.allowed.write_text("".join(f"{line}\n" for line in lines if not line.startswith("chen")))
    assert file.signed(said.drill)[0].problem


def test_without_signature_or_list_nothing_holds(file: PlanFile, signers: Signers) -> None:
    said = statement()
    path = file.add(kept().plan.id, said, ssh_signatures.sign(said.canonical(), signers.key("chen"), SPACE))
    shutil.move(f"{path}.sig", f"{path}.away")
    assert "found none" in file.signed(said.drill)[0].problem
    shutil.move(f"{path}.away", f"{path}.sig")
    signers.allowed.unlink()
    assert "no such file" in file.signed(said.drill)[0].problem


def test_a_key_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="NOT_SIGNED: expected a key"):
        ssh_signatures.sign(b"x", tmp_path / "no-key", SPACE)
