"""What an insider may do who holds the signing key and seals the pack anew: its files must still agree."""

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.evidence.manifest import sha256
from orchestrator.evidence.pades import FIELD, sign_pdf
from orchestrator.evidence.seal import EVIDENCE, SEALS, evidence_manifest, seal
from orchestrator.model.plan import canonical_json
from tests.evidence.packs import Archive, Office, as_bytes, as_lines, rechained, report, started_at
from tests.evidence.packs import pdf as paper_of
from tests.evidence.verifying import by_product, by_script, caught, verified

Line = dict[str, Any]
EVENTS, RUN, LEDGER = "journal/events.jsonl", "run.json", "ledger/ledger.jsonl"
PAPER = "report/report.zh.pdf"


def reseal(pack: Path, office: Office, *, reports: bool = True) -> None:
    """Everything made anew with the firm's own key."""
    for name in (EVIDENCE, *SEALS):
        (pack / name).unlink(missing_ok=True)
    digest = evidence_manifest(pack)
    if reports:
        shutil.rmtree(pack / "report")
        report(pack, office.keys, digest)
    seal(pack, office.keys, office.stamper(started_at(1) + timedelta(seconds=45)))


def events(pack: Path) -> list[Line]:
    return as_lines((pack / EVENTS).read_bytes())


def set_events(pack: Path, found: list[Line]) -> None:
    (pack / EVENTS).write_bytes(as_bytes(found))


def record(pack: Path) -> Line:
    found = json.loads((pack / RUN).read_bytes())
    assert isinstance(found, dict)
    return found


def set_record(pack: Path, **changes: Any) -> None:
    text = json.dumps({**record(pack), **changes}, sort_keys=True, ensure_ascii=False, indent=2)
    (pack / RUN).write_text(text + "\n", encoding="utf-8")


def follow(pack: Path, found: list[Line]) -> None:
    """run.json says what the events now say."""
    set_events(pack, found)
    set_record(pack, journal={"events": len(found), "head": found[-1]["digest"], "chain_valid": True})


def cut_events(pack: Path) -> None:
    set_events(pack, events(pack)[:-3])


def cut_events_and_say_so(pack: Path) -> None:
    follow(pack, events(pack)[:-1])


def change_an_event(pack: Path) -> None:
    found = events(pack)
    found[5]["data"]["forged"] = True
    set_events(pack, found)


def change_an_event_and_chain_it(pack: Path) -> None:
    found = events(pack)
    found[5]["data"]["forged"] = True
    set_events(pack, rechained(found))


def remove_an_event(pack: Path) -> None:
    set_events(pack, events(pack)[:5] + events(pack)[6:])


def swap_events(pack: Path) -> None:
    found = events(pack)
    set_events(pack, [*found[:4], found[5], found[4], *found[6:]])


def no_events(pack: Path) -> None:
    (pack / EVENTS).write_bytes(b"")


def blanks_in_an_event(pack: Path) -> None:
    (pack / EVENTS).write_bytes((pack / EVENTS).read_bytes().replace(b'":', b'": ', 1))


def convert_events(pack: Path) -> None:
    (pack / EVENTS).write_bytes((pack / EVENTS).read_bytes().replace(b"\n", b"\r\n"))


def without_its_opening(pack: Path) -> None:
    follow(pack, rechained(events(pack)[1:]))


def of_another_run(pack: Path) -> None:
    follow(pack, rechained([{**event, "run": "20200101T000000-other-0000"} for event in events(pack)]))


def before_the_opening(pack: Path) -> None:
    found = events(pack)
    for event in found:
        event["at"] = event["at"].replace("2026-03-14", "2026-03-13")
    follow(pack, rechained(found))


def key_twice(pack: Path) -> None:
    text = (pack / RUN).read_text(encoding="utf-8")
    (pack / RUN).write_text(text.replace('{\n  "aborts"', '{\n  "run": "another",\n  "aborts"', 1), encoding="utf-8")


def key_twice_within(pack: Path) -> None:
    text = (pack / RUN).read_text(encoding="utf-8")
    doubled = '"verdict": {\n    "outcome": "failed",\n'
    (pack / RUN).write_text(text.replace('"verdict": {\n', doubled, 1), encoding="utf-8")


def on_one_line(pack: Path) -> None:
    text = (pack / RUN).read_text(encoding="utf-8")
    (pack / RUN).write_text(text.replace('": true,\n', '": true, "run": "x",\n', 1), encoding="utf-8")


def another_form(pack: Path) -> None:
    (pack / RUN).write_bytes(canonical_json(record(pack)))


def another_plan(pack: Path) -> None:
    plan = json.loads((pack / "plan/plan.json").read_bytes())
    (pack / "plan/plan.json").write_bytes(canonical_json({**plan, "response": "observe"}))


def another_plan_in_the_record(pack: Path) -> None:
    plan = record(pack)["plan"]
    set_record(pack, plan={**plan, "response": "observe"})


def another_plan_digest(pack: Path) -> None:
    set_record(pack, plan_digest="0" * 64)


def sold_as_a_drill(pack: Path) -> None:
    set_record(pack, simulated=False)


def elsewhere_on_the_ledger(pack: Path) -> None:
    place = record(pack)["ledger"]
    set_record(pack, ledger={**place, "seq": place["seq"] + 3})


def ledger_cut(pack: Path) -> None:
    (pack / LEDGER).write_bytes(as_bytes(as_lines((pack / LEDGER).read_bytes())[:-1]))


def ledger_without_a_line(pack: Path) -> None:
    lines = as_lines((pack / LEDGER).read_bytes())
    (pack / LEDGER).write_bytes(as_bytes(lines[:1] + lines[2:]))


def ledger_key_twice(pack: Path) -> None:
    content = (pack / LEDGER).read_bytes()
    (pack / LEDGER).write_bytes(content.replace(b'"kind":"run.opened"', b'"kind":"heartbeat","kind":"run.opened"', 1))


def ledger_converted(pack: Path) -> None:
    (pack / LEDGER).write_bytes((pack / LEDGER).read_bytes().replace(b"\n", b"\r\n"))


ATTACKS: list[tuple[Callable[[Path], None], tuple[str, ...]]] = [
    (cut_events, (EVENTS, "expected", "events that end in", "as run.json says")),
    (cut_events_and_say_so, (EVENTS, "expected a run that is closed, found its last event to be state")),
    (change_an_event, (f"{EVENTS}:6", "expected the digest of its content, found another: the event was changed")),
    (change_an_event_and_chain_it, (EVENTS, "events that end in", "as run.json says")),
    (remove_an_event, (f"{EVENTS}:6", "found a gap: something was removed, added or moved")),
    (swap_events, (f"{EVENTS}:5", "found a gap: something was removed, added or moved")),
    (no_events, (f"{EVENTS}: expected",)),
    (blanks_in_an_event, (f"{EVENTS}:1", "expected canonical JSON")),
    (convert_events, (f"{EVENTS}:1", "expected canonical JSON")),
    (without_its_opening, (f"{EVENTS}:1", "expected the opening of the run, found state")),
    (of_another_run, (EVENTS, "expected events of run", "found some of 20200101T000000-other-0000")),
    (before_the_opening, (EVENTS, "expected nothing done before the run was opened on the ledger")),
    (key_twice, (f"{RUN}: expected JSON with each key once", "key 'run' twice")),
    (key_twice_within, (f"{RUN}: expected JSON with each key once", "key 'outcome' twice")),
    (on_one_line, (f"{RUN}: expected",)),
    (another_form, (f"{RUN}: expected sorted keys, two blanks of indent and LF",)),
    (another_plan, ("plan/plan.json: expected the plan with digest",)),
    (another_plan_in_the_record, (f"{RUN}: expected its plan to have the digest", "found another plan")),
    (another_plan_digest, (f"{LEDGER}: expected the plan 000", "found the run opened with another plan")),
    (sold_as_a_drill, (f"{LEDGER}: expected simulated", "found it opened as another")),
    (elsewhere_on_the_ledger, (f"{RUN}: expected its place on the ledger to be line",)),
    (ledger_cut, (f"{LEDGER}: expected its last line to open run",)),
    (ledger_without_a_line, (f"{LEDGER}:2: expected number 2, found 3: a line was removed, added or moved",)),
    (ledger_key_twice, (f"{LEDGER}:1: expected",)),
    (ledger_converted, (f"{LEDGER}:1: expected lines that end with LF only, found CR",)),
]


@pytest.mark.parametrize(("attack", "words"), ATTACKS, ids=lambda item: getattr(item, "__name__", ""))
def test_what_a_key_signs_must_still_agree(
    pack: Path, office: Office, attack: Callable[[Path], None], words: tuple[str, ...]
) -> None:
    attack(pack)
    reseal(pack, office)
    caught(pack, *words)


def test_what_is_sealed_anew_and_agrees_is_no_matter_of_the_pack_alone(pack: Path, office: Office) -> None:
    """The attacks above are caught for what they change, not for being sealed again."""
    reseal(pack, office)
    verified(pack)


# -- the verdict ------------------------------------------------------------------------------------------------------


def test_a_better_outcome_than_the_journal_shows(archive: Archive) -> None:
    """The product judges again; the script has the ledger's word."""
    pack = archive.pack(1)
    told = record(pack)["verdict"]
    other = "failed" if told["outcome"] == "passed" else "passed"
    set_record(pack, verdict={**told, "outcome": other})
    reseal(pack, archive.office)
    assert by_product(pack).names(f"{RUN}: expected the outcome that its journal and samples show", f"found {other}")
    assert by_script(archive.folder, archive=True).names(f"{RUN}: expected outcome", f"found {other}")


def test_an_objective_that_is_met_on_paper_only(pack: Path, office: Office) -> None:
    told = record(pack)["verdict"]
    first = {**told["objectives"][0], "measured": 0.001}
    set_record(pack, verdict={**told, "objectives": [first, *told["objectives"][1:]]})
    reseal(pack, office)
    assert by_product(pack).names(f"{RUN}: expected the objective", "that its journal and samples show")


def test_samples_that_were_left_out(pack: Path, office: Office) -> None:
    lines = (pack / "samples/samples.jsonl").read_bytes().splitlines(keepends=True)
    (pack / "samples/samples.jsonl").write_bytes(b"".join(lines[: len(lines) // 3]))
    reseal(pack, office)
    assert by_product(pack).names(f"{RUN}: expected the", "that its journal and samples show")


def test_a_record_by_another_version_is_judged_again_and_only_said(pack: Path, office: Office) -> None:
    told = record(pack)["verdict"]
    other = "failed" if told["outcome"] == "passed" else "passed"
    set_record(pack, verdict={**told, "outcome": other}, versions={"drillctl": "0.0.1"})
    reseal(pack, office)
    product = by_product(pack)
    assert product.faults == ()
    assert [note for note in product.notes if "judged by drillctl 0.0.1" in note]


def test_a_key_twice_deep_in_an_event_shows_to_the_product(pack: Path, office: Office) -> None:
    content = (pack / EVENTS).read_bytes()
    (pack / EVENTS).write_bytes(content.replace(b'{"owner":', b'{"owner":"li","owner":', 1))
    reseal(pack, office)
    assert by_product(pack).names(f"{EVENTS}:1", "key 'owner' twice")
    assert by_script(pack).names(f"{EVENTS}:1", "the event was changed")


# -- the reports ------------------------------------------------------------------------------------------------------


def test_a_report_of_other_evidence(pack: Path, office: Office) -> None:
    (pack / "report" / "report.zh.html").write_text(f"<p>{sha256(b'other evidence')}")
    reseal(pack, office, reports=False)
    caught(pack, "report/report.zh.html: expected the sha256 of EVIDENCE.sha256 in it", "it reports other evidence")


def test_a_pdf_that_goes_on_after_its_signature(pack: Path, office: Office) -> None:
    with (pack / PAPER).open("ab") as file:
        file.write(b"1 0 obj\n<<>>\nendobj\n%%EOF\n")
    reseal(pack, office, reports=False)
    caught(pack, f"{PAPER}: expected its signature to cover the whole file, found more")


def test_a_pdf_that_was_signed_again(pack: Path, office: Office) -> None:
    first = (pack / PAPER).read_bytes().replace(f"/T ({FIELD})".encode(), b"/T (Signatory)")
    again = sign_pdf(first, office.keys)
    (pack / PAPER).write_bytes(again)
    reseal(pack, office, reports=False)
    caught(pack, f"{PAPER}: expected one signature, found 2")


def test_a_pdf_with_another_s_signature(pack: Path, office: Office) -> None:
    paper = sign_pdf(paper_of((pack / RUN).read_bytes()), office.stranger.keys)
    (pack / PAPER).write_bytes(paper)
    reseal(pack, office, reports=False)
    assert by_product(pack).names(f"{PAPER}: expected a signature by certificates/signer.pem")


def test_a_pdf_that_was_changed_within(pack: Path, office: Office) -> None:
    content = (pack / PAPER).read_bytes()
    assert b"/MediaBox" in content
    (pack / PAPER).write_bytes(content.replace(b"/MediaBox", b"/MediaBix", 1))
    reseal(pack, office, reports=False)
    assert by_product(pack).names(f"{PAPER}: expected a signature of this file, found another")


def test_a_pdf_whose_signature_is_none(pack: Path, office: Office) -> None:
    content = (pack / PAPER).read_bytes()
    at = content.index(b"/Contents <") + len(b"/Contents <")
    (pack / PAPER).write_bytes(content[:at] + b"zz" + content[at + 2 :])
    reseal(pack, office, reports=False)
    assert by_product(pack).names(f"{PAPER}: expected a signature in its place, found something else")


def test_a_pdf_that_holds_another_record(pack: Path, office: Office) -> None:
    (pack / PAPER).write_bytes(sign_pdf(paper_of(b"{}"), office.keys))
    reseal(pack, office, reports=False)
    assert by_product(pack).names(f"{PAPER}: expected the pack's run.json embedded in it, found another or none")


def test_a_pdf_that_is_none(pack: Path, office: Office) -> None:
    (pack / PAPER).write_text("a picture")
    reseal(pack, office, reports=False)
    assert by_product(pack).names(f"{PAPER}: expected a PDF, found what cannot be read as one")


def test_every_attack_leaves_the_list_of_evidence_right(pack: Path, office: Office) -> None:
    """An insider's lists are right: that is why contents are compared."""
    cut_events(pack)
    reseal(pack, office)
    assert not by_product(pack).names("changed since it was listed")


@pytest.mark.parametrize("changes", [{"journal": []}, {"plan": None}, {"ledger": 7}, {"verdict": "passed"}])
def test_a_record_of_other_types_is_a_fault_and_no_bug(pack: Path, office: Office, changes: Line) -> None:
    set_record(pack, **changes)
    reseal(pack, office)
    assert by_product(pack).names("expected")
    assert "verdict" in changes or by_script(pack).names("expected")


def test_what_stands_in_evidence_moves_no_cursor(pack: Path, office: Office) -> None:
    set_record(pack, run="a\x1b[2J\nverified: all is well")
    reseal(pack, office)
    for told in (by_product(pack), by_script(pack)):
        assert told.faults
        assert not [char for fault in told.faults for char in fault if not char.isprintable()]
