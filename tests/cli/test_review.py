"""What one person did alone is reviewed by somebody else, signed, on the ledger; and a verifier sees who did."""

import json
import shutil
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestrator.evidence.findings import states
from orchestrator.evidence.trust import Findings, Trust
from orchestrator.evidence.verify_reviews import look_at_reviews
from orchestrator.model.approval import StatementKind
from orchestrator.model.drill import Mode
from orchestrator.model.evidence import Approval, FindingState, LedgerKind
from tests.evidence.years import Book
from tests.report import record_example
from tests.support.command import Said, drillctl
from tests.support.signers import Signers
from tests.support.sites import ROOT

WHY = ("--reason", "looked at the journal and the lines: right")


@dataclass
class Desk:
    """A site whose ledger has one incident that li began alone."""

    folder: Path
    signers: Signers
    book: Book
    run: str

    @property
    def site(self) -> Path:
        return self.folder / "inventory/example"

    def call(self, *words: str) -> Said:
        return drillctl(*words, "--site", str(self.site), state=self.folder)

    def review(self, by: str, *, key: str | None = None) -> Said:
        return self.call("review", self.run, "--by", by, "--key", str(self.signers.key(key or by)), *WHY)

    def finding(self) -> FindingState:
        return next(item for item in states(self.book.lines) if item.finding.kind == "review")

    def verified(self, allowed: Path | None = None, *, lines: list[dict[str, Any]] | None = None) -> Findings:
        found = Findings()
        known = lines or [line.model_dump(mode="json") for line in self.book.lines]
        trust = replace(Trust(), allowed_signers=(allowed or self.signers.allowed).read_bytes())
        look_at_reviews(self.folder / "reports", "ledger", tuple(known), trust, found)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    shutil.copytree(ROOT / "inventory", tmp_path / "inventory")
    signers = Signers.made(tmp_path / "keys", "chen", "li", "zhang")
    shutil.copy(signers.allowed, tmp_path / "inventory/example")
    plain = record_example.passed()
    glass = Approval(
        by="li", role="operator", at=plain.started_at, plan_digest=plain.plan_digest, kind=StatementKind.BREAK_GLASS
    )
    book = Book(tmp_path / "reports/ledger")
    held = book.held(
        plain.model_copy(update={"approvals": (glass,), "operator": "li"}), date(2026, 11, 16), mode=Mode.INCIDENT
    )
    return Desk(tmp_path, signers, book, held.run)


def refused(said: Said, code: str) -> None:
    assert (said.code, said.out, len([line for line in said.err.splitlines() if "drillctl:" in line])) == (3, "", 1)
    assert f"{code}: " in said.err


def test_a_signed_review_closes_the_finding_and_the_verifier_names_who_gave_it(desk: Desk) -> None:
    before = desk.verified()
    assert before.faults == []
    assert "was not reviewed yet" in before.notes[0]

    said = desk.review("chen")
    assert said.code == 0, said.err
    state = desk.finding()
    assert (state.is_open, state.closed_by, state.reason) == (False, "chen", WHY[1])
    after = desk.verified()
    assert (after.faults, after.notes) == ([], [f"{desk.run}: reviewed afterwards by chen"])
    refused(desk.review("chen"), "FINDING_CLOSED")


def test_nobody_reviews_his_own_and_nobody_without_the_role(desk: Desk) -> None:
    refused(desk.review("zhang"), "NO_RIGHT")  # the commander
    people = desk.site / "people.yml"
    text = people.read_text(encoding="utf-8")
    people.write_text(text.replace("roles: [operator, gateway-operator]", "roles: [operator, auditor]", 1))
    refused(desk.review("li"), "OWN_REVIEW")
    refused(desk.review("chen", key="zhang"), "NOT_SIGNED")
    assert desk.finding().is_open


def test_it_is_not_closed_in_any_other_way(desk: Desk) -> None:
    said = desk.call("findings", "close", desk.finding().finding.id, "--reason", "fine")
    refused(said, "REVIEW_NEEDED")
    assert f"drillctl review {desk.run}" in said.err


def test_a_run_that_is_not_there_or_has_nothing_to_review_is_named(desk: Desk) -> None:
    said = desk.call("review", "20260101T000000-none-0000", "--by", "chen", *WHY)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    plain = desk.book.held(record_example.passed(), date(2026, 11, 18))
    refused(desk.call("review", plain.run, "--by", "chen", *WHY), "NOTHING_TO_REVIEW")


def test_whatever_is_changed_in_a_review_is_found(desk: Desk) -> None:
    assert desk.review("chen").code == 0
    lines = [line.model_dump(mode="json") for line in desk.book.lines]

    def fault(**changes: Any) -> str:
        changed = json.loads(json.dumps(lines))
        data = next(line for line in changed if line["kind"] == LedgerKind.FINDING_CLOSED.value)["data"]
        data |= {name: value for name, value in changes.items() if name in data}
        data["statement"] = {**data["statement"], **changes.get("said", {})} if data["statement"] else None
        return " ".join(str(item) for item in desk.verified(lines=changed).faults)

    assert fault() == ""
    assert "found none" in fault(statement=None)
    assert "found one by li" in fault(said={"by": "li"}, by="li")
    assert "expected a review of run" in fault(said={"run": "another"})
    assert "expected a signature by chen" in fault(said={"reason": "other"}, reason="other")
    assert "another reason beside it" in fault(reason="other")
    nobody = desk.folder / "nobody"
    nobody.write_text(f'li namespaces="drillctl-*" {desk.signers.key("li").with_suffix(".pub").read_text()}')
    assert "expected a signature by chen" in str(desk.verified(nobody).faults)
