"""What people have signed, looked at again by whoever verifies: real OpenSSH signatures, and attacks on them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.evidence import ssh_signatures
from orchestrator.evidence.trust import Findings, Trust
from orchestrator.evidence.verify_content import Contents
from orchestrator.evidence.verify_people import look_at_people
from orchestrator.model.approval import Consent, Permit, Statement, StatementKind
from orchestrator.model.drill import Mode
from orchestrator.model.plan import Phase, Plan
from tests.report.record_example import plan_of, site
from tests.support.signers import Signers

AT = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)
PEOPLE = site().topology.people.model_dump(mode="json", by_alias=True)
SAID = ((StatementKind.APPROVE, "chen"), (StatementKind.START, "li"), (StatementKind.RELEASE, "wang"))


@dataclass
class Pack:
    """The files and records of a pack that say why its run was allowed to begin."""

    folder: Path
    signers: Signers
    plan: Plan = field(default_factory=lambda: plan_of("single-centre-failure", Mode.DRILL))
    people: dict[str, Any] = field(default_factory=lambda: PEOPLE)
    permit: dict[str, Any] | None = None
    more: list[dict[str, Any]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "people/statements"

    def sign(self, kind: StatementKind, by: str, key: str | None = None, space: str = "", **change: Any) -> Consent:
        about = {"site": self.plan.site, "drill": self.plan.drill, "mode": self.plan.mode, "plan": self.plan.digest}
        lasts = timedelta(minutes=4) if kind is StatementKind.START else timedelta(hours=1)
        times = {"at": AT - timedelta(minutes=5), "not_after": AT + lasts}
        said = Statement.model_validate({"kind": kind, "by": by, **about, **times, **change})
        name = f"{kind}-{by}.json"
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / name).write_bytes(said.canonical())
        (self.home / f"{name}.sig").write_bytes(
            ssh_signatures.sign(said.canonical(), self.signers.key(key or by), f"drillctl-{space or kind}")
        )
        return Consent(kind=kind, by=by, at=said.at, not_after=said.not_after, file=name)

    def whole(self) -> "Pack":
        consents = tuple(self.sign(kind, by) for kind, by in SAID)
        made = Permit(bound_to=self.plan.digest, requested_by="zhang", operator="li", consents=consents)
        self.permit = made.model_dump(mode="json")
        (self.home / "allowed_signers").write_bytes(self.signers.allowed.read_bytes())
        return self

    def look(self, allowed: bytes | None = None) -> Findings:
        record = {
            "plan": self.plan.model_dump(mode="json", by_alias=True),
            "topology": {"people": self.people, "site": {"timezone": "Asia/Shanghai"}},
        }
        opened = {"at": AT.isoformat(timespec="microseconds"), "kind": "opened", "data": {"permit": self.permit}}
        found = Findings()
        look_at_people(self.folder, Contents(record, [opened, *self.more]), Trust(allowed_signers=allowed), found)
        return found


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    return Pack(tmp_path / "pack", Signers.made(tmp_path / "keys", "chen", "li", "wang", "zhang")).whole()


def test_what_was_signed_before_the_run_holds(pack: Pack) -> None:
    found = pack.look(pack.signers.allowed.read_bytes())
    assert found.faults == []
    assert found.notes == ["signed by people before it began: approve by chen, start by li, release by wang"]
    assert "no --allowed-signers was given" in pack.look().notes[1]


def test_a_rehearsal_needs_no_approval(pack: Pack) -> None:
    pack.plan, pack.permit = plan_of("single-centre-failure"), None
    assert pack.look().faults == []


def edited(pack: Pack) -> None:
    path = pack.home / "approve-chen.json"
    path.write_bytes(path.read_bytes().replace(b'"reason":""', b'"reason":"all is well"'))


def removed(pack: Pack) -> None:
    (pack.home / "approve-chen.json").unlink()


def unsigned(pack: Pack) -> None:
    (pack.home / "approve-chen.json.sig").unlink()


def by_another_key(pack: Pack) -> None:
    pack.sign(StatementKind.APPROVE, "chen", key="li")


def for_another_purpose(pack: Pack) -> None:
    pack.sign(StatementKind.APPROVE, "chen", space="release")


def of_what_somebody_else_asked_for(pack: Pack) -> None:
    pack.sign(StatementKind.APPROVE, "chen", requested_by="wang")


def for_too_long(pack: Pack) -> None:
    pack.sign(StatementKind.RELEASE, "wang", not_after=AT + timedelta(days=2))


def of_another_plan(pack: Pack) -> None:
    pack.sign(StatementKind.APPROVE, "chen", plan="0" * 64)


def too_late(pack: Pack) -> None:
    pack.sign(StatementKind.APPROVE, "chen", at=AT + timedelta(minutes=2))


def over(pack: Pack) -> None:
    pack.sign(StatementKind.APPROVE, "chen", not_after=AT - timedelta(seconds=1))


def without_the_role(pack: Pack) -> None:
    people = [{**item, "roles": ["viewer"]} if item["id"] == "chen" else item for item in PEOPLE["people"]]
    pack.people = {**PEOPLE, "people": people}


def no_permit(pack: Pack) -> None:
    pack.permit = None


def another_operator(pack: Pack) -> None:
    assert pack.permit is not None
    pack.permit = {**pack.permit, "operator": "wang"}


def who_asked_is_who_approved(pack: Pack) -> None:
    assert pack.permit is not None
    pack.permit = {**pack.permit, "requested_by": "chen"}


def no_release(pack: Pack) -> None:
    assert pack.permit is not None
    pack.permit = {**pack.permit, "consents": pack.permit["consents"][:2]}


ATTACKS: dict[str, tuple[Callable[[Pack], None], str]] = {
    "edited": (edited, "APPROVAL_FORGED"),
    "removed": (removed, "expected what was signed, found none"),
    "without its signature": (unsigned, "APPROVAL_FORGED"),
    "signed with another key": (by_another_key, "APPROVAL_FORGED"),
    "signed for another purpose": (for_another_purpose, "APPROVAL_FORGED"),
    "of what somebody else had asked for": (of_what_somebody_else_asked_for, "PLAN_CHANGED"),
    "a release that counts for days": (for_too_long, "APPROVAL_EXPIRED"),
    "of another plan": (of_another_plan, "PLAN_CHANGED"),
    "after the run began": (too_late, "APPROVAL_EXPIRED"),
    "over before it began": (over, "APPROVAL_EXPIRED"),
    "by somebody without the role": (without_the_role, "NO_RIGHT"),
    "no word on why it began": (no_permit, "expected why the run was allowed to begin, found none"),
    "another operator": (another_operator, "OWN_APPROVAL"),
    "who asked has approved": (who_asked_is_who_approved, "OWN_APPROVAL"),
    "settlement was not released": (no_release, "NOT_RELEASED"),
}


@pytest.mark.parametrize(("attack", "said"), ATTACKS.values(), ids=ATTACKS)
def test_what_does_not_permit_the_run_is_a_fault_by_name(pack: Pack, attack: Callable[[Pack], None], said: str) -> None:
    attack(pack)
    assert said in " ".join(str(item) for item in pack.look().faults)


@pytest.mark.parametrize(("minutes", "good"), [(1, True), (90, False)])
def test_what_switches_is_begun_while_the_approvals_count(pack: Pack, minutes: int, good: bool) -> None:
    step = next(item.id for item in pack.plan.steps if item.phase is Phase.SWITCHING)
    at = (AT + timedelta(minutes=minutes)).isoformat(timespec="microseconds")
    pack.more = [{"at": at, "kind": "intent", "step": step, "seq": 2, "data": {}}]
    faults = [str(item) for item in pack.look().faults]
    assert (not faults) is good
    assert good or "expected it while the approvals counted" in faults[0]


def test_a_key_that_has_ended_since_was_good_then(pack: Pack) -> None:
    ended = pack.signers.allowed.read_text().replace('namespaces="drillctl-*"', 'valid-before="20270101"')
    assert pack.look(ended.encode()).faults == []
    early = ended.replace("20270101", "20260101")
    assert "APPROVAL_FORGED" in str(pack.look(early.encode()).faults[0])


def test_the_firms_list_says_who_may_say_what(pack: Pack) -> None:
    lines = pack.signers.allowed.read_text().splitlines()
    narrow = [line.replace("drillctl-*", "drillctl-start") if line.startswith("chen") else line for line in lines]
    assert "APPROVAL_FORGED" in str(pack.look("".join(f"{line}\n" for line in narrow).encode()).faults[0])


def test_an_insider_who_brings_his_own_keys_is_caught_by_the_firms_list(pack: Pack, tmp_path: Path) -> None:
    firms = pack.signers.allowed.read_bytes()
    pack.signers = Signers.made(tmp_path / "forged", "chen", "li", "wang")
    pack.whole()
    assert pack.look().faults == []
    assert "APPROVAL_FORGED" in str(pack.look(firms).faults[0])
