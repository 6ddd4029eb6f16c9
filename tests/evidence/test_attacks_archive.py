"""What may be done to an archive: by somebody who can only delete and move, and by an insider with the signing key."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.evidence.seal import STAMP, state
from orchestrator.evidence.sign import sign_detached
from orchestrator.evidence.stamp import stamped
from tests.evidence.packs import (
    Archive,
    Clerk,
    as_bytes,
    head_of,
    rechained,
    run_name,
    sealed,
    sealing,
    started_at,
    write,
)
from tests.evidence.test_attacks_contents import record, reseal, set_record
from tests.evidence.verifying import by_product, by_script, caught, verified

Line = dict[str, Any]
LEDGER, HEAD = "ledger/ledger.jsonl", "ledger/head.json"


def index(lines: list[Line], kind: str, number: int) -> int:
    return next(
        at for at, line in enumerate(lines) if line["kind"] == kind and line["data"].get("run") == run_name(number)
    )


def without_run(number: int) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: [line for line in lines if line["data"].get("run") != run_name(number)]


# -- without a key ----------------------------------------------------------------------------------------------------


def pack_deleted(archive: Archive) -> None:
    shutil.rmtree(archive.folder / run_name(1))


def packs_swapped(archive: Archive) -> None:
    archive.pack(0).rename(archive.folder / "aside")
    archive.pack(1).rename(archive.pack(0))
    (archive.folder / "aside").rename(archive.pack(1))


def pack_copied(archive: Archive) -> None:
    shutil.copytree(archive.pack(0), archive.folder / "20260101T000000-single-centre-failure-ffff" / "pack")


def line_removed(archive: Archive) -> None:
    lines = archive.lines()
    archive.book.write_bytes(as_bytes(lines[:3] + lines[4:]))


def line_changed(archive: Archive) -> None:
    archive.book.write_bytes(archive.book.read_bytes().replace(b'"operator":"zhang.wei"', b'"operator":"li.na"', 1))


def lines_swapped(archive: Archive) -> None:
    lines = archive.lines()
    archive.book.write_bytes(as_bytes([*lines[:1], lines[2], lines[1], *lines[3:]]))


def ledger_cut(archive: Archive) -> None:
    archive.book.write_bytes(as_bytes(archive.lines()[:-2]))


def ledger_converted(archive: Archive) -> None:
    archive.book.write_bytes(archive.book.read_bytes().replace(b"\n", b"\r\n"))


def ledger_longer_than_its_head(archive: Archive) -> None:
    archive.clerk.add(started_at(5), "heartbeat", {})
    archive.book.write_bytes(as_bytes(archive.clerk.lines))


def head_removed(archive: Archive) -> None:
    (archive.folder / HEAD).unlink()


def head_changed(archive: Archive) -> None:
    lines = archive.lines()[:-1]
    archive.book.write_bytes(as_bytes(lines))
    size = str(len(lines)).encode()
    write(archive.folder, HEAD, b'{"digest":"' + lines[-1]["digest"].encode() + b'","size":' + size + b"}\n")


def head_unsigned(archive: Archive) -> None:
    (archive.folder / f"{HEAD}.p7s").unlink()


def head_of_nothing(archive: Archive) -> None:
    write(archive.folder, HEAD, "{}\n")


def head_stamp_of_another(archive: Archive) -> None:
    shutil.copy(archive.pack(0) / STAMP, archive.folder / f"{HEAD}.p7s.tsr")


def head_signed_by_another(archive: Archive) -> None:
    archive.sign_head(archive.office.stranger.keys)


def stamp_removed(archive: Archive) -> None:
    (archive.pack(1) / STAMP).unlink()


def stamp_made_again(archive: Archive) -> None:
    path, at = archive.pack(1) / STAMP, started_at(1) + timedelta(days=30)
    signature = path.with_suffix("").read_bytes()
    path.write_bytes(stamped(archive.office.stamper(at), signature, archive.office.tsa_file))


def lines_renumbered(archive: Archive) -> None:
    lines = archive.lines()
    del lines[3]
    archive.book.write_bytes(as_bytes([{**line, "seq": seq} for seq, line in enumerate(lines, 1)]))


def another_ledger_of_the_same_length(archive: Archive) -> None:
    lines = archive.lines()
    lines[-1]["data"]["stamped_at"] = None
    archive.book.write_bytes(as_bytes(rechained(lines)))


WITHOUT_A_KEY: list[tuple[Callable[[Archive], None], tuple[str, ...]]] = [
    (pack_deleted, (f"{run_name(1)}/pack: expected the pack that line 6 of the ledger tells of, found none",)),
    (packs_swapped, (f"{run_name(0)}/pack: expected the pack of run {run_name(0)}, found that of {run_name(1)}",)),
    (pack_copied, ("-ffff/pack: expected a run that is on the ledger, found none of this name",)),
    (line_removed, (f"{LEDGER}:4: expected number 4, found 5: a line was removed, added or moved",)),
    (lines_renumbered, (f"{LEDGER}:4: expected to follow", "a line before it was changed, removed or moved")),
    (another_ledger_of_the_same_length, (f"{LEDGER}: expected it to end in", "as ledger/head.json says")),
    (line_changed, (f"{LEDGER}:1: expected the digest of its content, found another: the line was changed",)),
    (lines_swapped, (f"{LEDGER}:2: expected number 2, found 3",)),
    (ledger_cut, (f"{LEDGER}: expected 9 lines, as ledger/head.json says, found 7: it was cut",)),
    (ledger_converted, (f"{LEDGER}:1: expected lines that end with LF only, found CR",)),
    (ledger_longer_than_its_head, (f"{LEDGER}: expected 9 lines", "found 10: the head covers not all of it")),
    (head_removed, (f"{HEAD}: expected the head of the ledger, found none",)),
    (head_changed, (f"{HEAD}.p7s: expected a signature of this ledger/head.json, found another",)),
    (head_unsigned, (f"{HEAD}.p7s: expected a signature of the head, found none",)),
    (head_of_nothing, (f"{HEAD}: expected a head (size and digest)",)),
    (head_stamp_of_another, (f"{HEAD}.p7s.tsr: expected a stamp of this ledger/head.json.p7s",)),
    (head_signed_by_another, (f"{HEAD}.p7s: expected who signs the packs, found",)),
    (
        stamp_removed,
        (f"{run_name(1)}/pack/SHA256SUMS.p7s.tsr: expected the stamp of line 6 of the ledger, found none",),
    ),
    (stamp_made_again, ("SHA256SUMS.p7s.tsr: expected a stamp that the ledger tells of, found one of 2026-04-13",)),
]


@pytest.mark.parametrize(("attack", "words"), WITHOUT_A_KEY, ids=lambda item: getattr(item, "__name__", ""))
def test_nobody_changes_an_archive_unseen(
    archive: Archive, attack: Callable[[Archive], None], words: tuple[str, ...]
) -> None:
    attack(archive)
    caught(archive.folder, *words, archive=True)


# -- with the key: the ledger is chained, signed and stamped anew -----------------------------------------------------


def run_removed(archive: Archive) -> None:
    shutil.rmtree(archive.folder / run_name(1))
    archive.rewrite(without_run(1))


def runs_reordered(archive: Archive) -> None:
    archive.rewrite(lambda lines: [*lines[3:6], *lines[:3], *lines[6:]])


def run_never_closed(archive: Archive) -> None:
    archive.rewrite(lambda lines: [line for at, line in enumerate(lines) if at != index(lines, "run.closed", 2)])


def run_closed_twice(archive: Archive) -> None:
    archive.rewrite(lambda lines: [*lines, lines[index(lines, "run.closed", 2)] | {"at": lines[-1]["at"]}])


def run_opened_twice(archive: Archive) -> None:
    archive.rewrite(lambda lines: [*lines, lines[index(lines, "run.opened", 2)] | {"at": lines[-1]["at"]}])


def pack_never_sealed(archive: Archive) -> None:
    archive.rewrite(lambda lines: [line for at, line in enumerate(lines) if at != index(lines, "pack.sealed", 2)])


def clock_back(archive: Archive) -> None:
    def change(lines: list[Line]) -> list[Line]:
        lines[-1]["at"] = lines[0]["at"]
        return lines

    archive.rewrite(change)


def other_outcome(archive: Archive) -> None:
    def change(lines: list[Line]) -> list[Line]:
        lines[index(lines, "run.closed", 2)]["data"]["outcome"] = "aborted"
        return lines

    archive.rewrite(change)


def other_journal(archive: Archive) -> None:
    def change(lines: list[Line]) -> list[Line]:
        lines[index(lines, "run.closed", 2)]["data"]["journal_head"] = "0" * 64
        return lines

    archive.rewrite(change)


def deleted_and_there(archive: Archive) -> None:
    archive.clerk.add(started_at(5), "pack.deleted", {"run": run_name(0), "sums_sha256": "", "by": "li", "reason": ""})
    archive.write()


def anchor_of_another_ledger(archive: Archive) -> None:
    archive.clerk.add(started_at(5), "anchored", {"to": "usb", "seq": 2, "digest": "0" * 64})
    archive.write()


def pack_sealed_anew(archive: Archive) -> None:
    """The pack is another one, and the ledger stays as it was."""
    write(archive.pack(1), "versions.json", '{"drillctl": "9"}\n')
    reseal(archive.pack(1), archive.office)


def pack_sealed_anew_and_the_ledger_with_it(archive: Archive) -> None:
    pack_sealed_anew(archive)
    made = sealing(run_name(1), state(archive.pack(1)))

    def change(lines: list[Line]) -> list[Line]:
        lines[index(lines, "pack.sealed", 1)]["data"] = made
        return lines

    archive.rewrite(change)


def sealed_twice_on_the_ledger(archive: Archive) -> None:
    pack_sealed_anew(archive)
    archive.clerk.add(started_at(5), "pack.sealed", sealing(run_name(1), state(archive.pack(1))))
    archive.write()


def signed_anew_on_the_ledger(archive: Archive) -> None:
    told = sealing(run_name(1), state(archive.pack(1))) | {"signer": archive.office.stranger.keys.fingerprint}
    archive.clerk.add(started_at(5), "pack.stamped", told)
    archive.write()


def newest_pack_stamped_today(archive: Archive) -> None:
    """No later pack has a copy: but a foreign authority's stamp states when it was really made."""
    pack, today = archive.pack(2), started_at(2) + timedelta(days=90)
    made = sealed(pack, archive.office.keys, archive.office.stamper(today), archive.office.tsa_file)

    def change(lines: list[Line]) -> list[Line]:
        lines[index(lines, "pack.sealed", 2)]["data"] = sealing(run_name(2), made)
        return lines

    archive.rewrite(change)


def ledger_of_a_pack_longer(archive: Archive) -> None:
    """All that is left of a run that was taken off the end is what a later pack says."""
    shutil.rmtree(archive.folder / run_name(0))
    shutil.rmtree(archive.folder / run_name(1))
    archive.rewrite(lambda lines: lines[:2])


WITH_THE_KEY: list[tuple[Callable[[Archive], None], tuple[str, ...]]] = [
    (run_removed, (f"{LEDGER}:4: expected this line as {run_name(2)}/pack", "the ledger was rewritten")),
    (runs_reordered, (f"{LEDGER}:1: expected this line as", "the ledger was rewritten")),
    (run_never_closed, (f"{LEDGER}:7: expected run {run_name(2)} to be closed, found it open",)),
    (run_closed_twice, (f"{LEDGER}:10: expected run {run_name(2)} to be closed once, found it closed again",)),
    (run_opened_twice, (f"{LEDGER}:10: expected", "once, found it")),
    (pack_never_sealed, (f"{LEDGER}:7: expected a sealed pack of run {run_name(2)}, found none on the ledger",)),
    (clock_back, (f"{LEDGER}:9: expected a time after line 8",)),
    (other_outcome, (f"{run_name(2)}/pack/run.json: expected outcome aborted, as the ledger says",)),
    (other_journal, (f"{run_name(2)}/pack/run.json: expected journal_head 0000",)),
    (deleted_and_there, (f"{run_name(0)}/pack: expected no pack:",)),
    (anchor_of_another_ledger, (f"{LEDGER}:10: expected an anchor of this ledger, found one of another",)),
    (pack_sealed_anew, (f"{run_name(1)}/pack/SHA256SUMS: expected the pack that line 6 of the ledger sealed",)),
    (pack_sealed_anew_and_the_ledger_with_it, (f"{LEDGER}:6: expected this line as {run_name(2)}/pack",)),
    (sealed_twice_on_the_ledger, (f"{LEDGER}:10: expected the pack of run {run_name(1)} as it was sealed first",)),
    (signed_anew_on_the_ledger, (f"{LEDGER}:10: expected the pack of run {run_name(1)} signed as before",)),
    (newest_pack_stamped_today, (f"{run_name(2)}/pack/SHA256SUMS.p7s.tsr: expected a stamp before line 9",)),
    (ledger_of_a_pack_longer, (f"{run_name(2)}/pack: expected a run that is on the ledger",)),
]


@pytest.mark.parametrize(("attack", "words"), WITH_THE_KEY, ids=lambda item: getattr(item, "__name__", ""))
def test_whoever_holds_the_key_is_still_seen(
    archive: Archive, attack: Callable[[Archive], None], words: tuple[str, ...]
) -> None:
    attack(archive)
    caught(archive.folder, *words, archive=True)


# -- what only somebody outside can know ------------------------------------------------------------------------------


def test_the_newest_run_taken_away_whole_shows_only_against_an_anchor(honest: Archive, archive: Archive) -> None:
    anchor = head_of(honest.lines(), 7)  # sent away when the third run had been opened
    shutil.rmtree(archive.folder / run_name(2))
    archive.rewrite(without_run(2))
    for told in verified(archive.folder, archive=True):
        assert [note for note in told.notes if note.startswith("no --anchor was given")]
    caught(
        archive.folder,
        f"{LEDGER}: expected at least 7 lines, as the anchor says, found 6: it was rolled back",
        options=("--anchor", anchor),
        archive=True,
    )


def test_an_archive_made_anew_as_a_whole_shows_against_an_anchor(honest: Archive, tmp_path: Path) -> None:
    other = Archive(tmp_path / "reports", honest.office)
    for number in (0, 3):
        other.hold(number)
    verified(other.folder, archive=True)
    anchor = head_of(honest.lines(), 4)
    caught(
        other.folder,
        f"{LEDGER}:4: expected the digest",
        "as the anchor says",
        options=("--anchor", anchor),
        archive=True,
    )


def test_an_anchor_holds_one_pack_too(honest: Archive) -> None:
    pack = honest.pack(1)
    verified(pack, "--anchor", head_of(honest.lines(), 3))
    wrong = f"3:{'0' * 64}"
    caught(pack, f"{LEDGER}:3: expected the digest", "as the anchor says", options=("--anchor", wrong))
    for told in verified(pack, "--anchor", head_of(honest.lines(), 8)):
        assert [note for note in told.notes if note.startswith("the anchor (line 8) is younger")]


def test_a_head_as_it_was_sent_is_an_anchor(honest: Archive, tmp_path: Path) -> None:
    sent = tmp_path / "head.json"
    shutil.copy(honest.folder / HEAD, sent)
    verified(honest.folder, "--anchor", str(sent), archive=True)


def test_a_head_signed_by_somebody_who_is_not_expected(archive: Archive) -> None:
    given = ("--signer", archive.office.keys.fingerprint)
    verified(archive.folder, *given, archive=True)
    head = (archive.folder / HEAD).read_bytes()
    (archive.folder / f"{HEAD}.p7s").write_bytes(sign_detached(archive.office.colleague.keys, head))
    caught(archive.folder, f"{HEAD}.p7s: expected who signs the packs", options=given, archive=True)


def test_a_run_that_was_cancelled_and_a_pack_that_was_deleted_are_no_faults(archive: Archive) -> None:
    at = started_at(9)
    cancelled = {"drill": "x", "title": {"zh": "一", "en": "one"}, "reason": "storm", "by": "li", "planned_for": "2026"}
    archive.clerk.add(at, "run.cancelled", cancelled)
    gone = {"run": run_name(0), "sums_sha256": state(archive.pack(0)).sums_sha256, "by": "li", "reason": "5 years"}
    archive.clerk.add(at, "pack.deleted", gone)
    last = archive.lines()[-1]
    archive.clerk.add(at, "anchored", {"to": "usb", "seq": last["seq"], "digest": last["digest"]})
    archive.clerk.add(at, "heartbeat", {})
    shutil.rmtree(archive.pack(0))
    archive.write()
    verified(archive.folder, archive=True)


def test_a_stamp_that_came_late_is_said(archive: Archive) -> None:
    """Sealed offline, stamped after a month: no fault, and no proof of the month."""
    pack, at = archive.pack(2), started_at(2) + timedelta(days=30)
    lines = archive.lines()[:8]
    archive.clerk = Clerk(lines)
    made = sealed(pack, archive.office.keys, None, archive.office.tsa_file)
    archive.clerk.add(datetime.fromisoformat(lines[-1]["at"]), "pack.sealed", sealing(run_name(2), made))
    signature = (pack / STAMP).with_suffix("").read_bytes()
    (pack / STAMP).write_bytes(stamped(archive.office.stamper(at), signature, archive.office.tsa_file))
    archive.clerk.add(at + timedelta(seconds=1), "pack.stamped", sealing(run_name(2), state(pack)))
    archive.write()
    for told in verified(archive.folder, archive=True):
        assert [note for note in told.notes if "stamped 29 days after the run" in note]


def test_a_run_s_outcome_and_its_ledger_agree(archive: Archive) -> None:
    """The very same outcome in both is no fault: the test above is not passed by any difference."""
    pack = archive.pack(1)
    set_record(pack, operator=record(pack)["operator"])
    assert by_product(archive.folder, archive=True).faults == ()
    assert by_script(archive.folder, archive=True).faults == ()


def test_a_name_on_the_ledger_is_never_carried_out(archive: Archive, tmp_path: Path) -> None:
    """Bash carries out what stands in the index of an array within an arithmetic expression."""
    name = f"a[$(echo>{tmp_path}/owned)]"
    for kind in ("run.opened", "run.closed", "pack.sealed"):
        archive.clerk.add(started_at(5), kind, {"run": name, "plan_digest": "0", "sums_sha256": "0"})
    archive.write()
    caught(archive.folder, f"{LEDGER}:10: expected the name of a run", archive=True)
    assert not (tmp_path / "owned").exists()


def test_lines_of_other_types_are_faults_and_no_bugs(archive: Archive) -> None:
    def change(lines: list[Line]) -> list[Line]:
        lines[index(lines, "pack.sealed", 2)]["data"] |= {"stamped_at": "yesterday"}
        lines[index(lines, "run.closed", 2)]["data"]["events"] = {"many": True}
        return lines

    archive.rewrite(change)
    assert by_product(archive.folder, archive=True).names("")
    assert by_script(archive.folder, archive=True).names(f"{run_name(2)}/pack/run.json: expected events")
