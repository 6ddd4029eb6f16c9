"""The ledger keeps what it was told, through kills, full disks and two writers, and refuses to go on when broken."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.evidence.ledger import HEAD, LEDGER, PENDING, SIGNATURE, Ledger, faults
from orchestrator.evidence.ledger_lines import as_bytes, chained
from orchestrator.evidence.sign import sign_detached, signers
from orchestrator.journal.chain import GENESIS, link
from orchestrator.model.evidence import LedgerKind, LedgerLine
from orchestrator.model.plan import canonical_json
from tests.evidence.packs import Office
from tests.evidence.years import Hand
from tests.support.disks import fill, small_disk
from tests.support.sites import ROOT

OPENED = {"run": "r-1", "drill": "single-centre-failure", "plan_digest": "p" * 64, "site": "example"}


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def ledger(tmp_path: Path, clock: Hand) -> Ledger:
    return Ledger(tmp_path / "ledger", clock)


def _three(ledger: Ledger) -> bytes:
    ledger.append(LedgerKind.RUN_OPENED, OPENED)
    ledger.append(LedgerKind.RUN_CLOSED, {"run": "r-1", "outcome": "passed", "gateways": [{"gateway": "网关"}]})
    ledger.append(LedgerKind.HEARTBEAT, {})
    return ledger.path.read_bytes()


def _refused(code: str, act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as refused:
        act()
    assert refused.value.code == code
    return str(refused.value)


# -- what it keeps ------------------------------------------------------------------------------------------------


def test_lines_are_canonical_chained_and_read_back_as_they_were_told(ledger: Ledger) -> None:
    data = _three(ledger)
    lines = ledger.lines()
    assert [line.kind.value for line in lines] == ["run.opened", "run.closed", "heartbeat"]
    assert [line.previous for line in lines] == [GENESIS, lines[0].digest, lines[1].digest]
    assert b"".join(canonical_json(json.loads(line)) + b"\n" for line in data.splitlines()) == data
    assert lines[1].data["gateways"] == [{"gateway": "网关"}]
    assert faults(data) == []


def test_the_head_says_how_long_it_is_and_how_it_ends(ledger: Ledger) -> None:
    _three(ledger)
    last = ledger.lines()[-1]
    assert ledger.head().model_dump() == {"size": 3, "digest": last.digest}
    assert json.loads((ledger.folder / HEAD).read_bytes()) == {"size": 3, "digest": last.digest}


def test_a_ledger_that_nobody_wrote_to_is_empty_and_reading_makes_no_folder(ledger: Ledger) -> None:
    assert ledger.lines() == []
    assert ledger.head().size == 0
    assert not ledger.folder.exists()


def test_it_gives_itself_up_to_a_line_byte_for_byte(ledger: Ledger) -> None:
    data = _three(ledger)
    assert ledger.upto(2) == b"".join(data.splitlines(keepends=True)[:2])
    assert ledger.upto(3) == data


def test_a_run_is_opened_once_however_often_it_is_resumed(ledger: Ledger) -> None:
    first = ledger.append(LedgerKind.RUN_OPENED, OPENED)
    again = ledger.append(LedgerKind.RUN_OPENED, {**OPENED, "started_at": "later"})
    assert again == first == ledger.opened("r-1")
    assert len(ledger.lines()) == 1
    assert ledger.opened("r-2") is None


def test_a_run_cannot_be_opened_again_by_another_plan(ledger: Ledger) -> None:
    ledger.append(LedgerKind.RUN_OPENED, OPENED)
    said = _refused("RUN_ON_LEDGER", lambda: ledger.append(LedgerKind.RUN_OPENED, {**OPENED, "plan_digest": "q" * 64}))
    assert "line 1 of the ledger" in said
    assert len(ledger.lines()) == 1


def test_closing_and_sealing_again_with_the_same_words_adds_nothing(ledger: Ledger) -> None:
    ledger.append(LedgerKind.RUN_OPENED, OPENED)
    for _ in range(2):
        ledger.append_all([(LedgerKind.RUN_CLOSED, {"run": "r-1", "outcome": "passed"})])
        ledger.append(LedgerKind.PACK_SEALED, {"run": "r-1", "sums_sha256": "s"})
    assert len(ledger.lines()) == 3


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (LedgerKind.RUN_CLOSED, {"run": "r-1", "outcome": "passed"}, "expected run.closed of r-1 once"),
        (LedgerKind.RUN_CLOSED, {"run": "r-2"}, "expected run.opened of r-2 before run.closed"),
        (LedgerKind.PACK_SEALED, {"run": "r-3"}, "expected run.closed of r-3 before pack.sealed"),
        (LedgerKind.PACK_DELETED, {"run": "r-1"}, "expected pack.sealed of r-1 before pack.deleted"),
        (LedgerKind.FINDING_CLOSED, {"id": "F-1"}, "expected finding.opened of F-1 before finding.closed"),
    ],
)
def test_what_cannot_have_happened_is_not_written(
    ledger: Ledger, kind: LedgerKind, data: dict[str, str], expected: str
) -> None:
    ledger.append(LedgerKind.RUN_OPENED, OPENED)
    ledger.append(LedgerKind.RUN_CLOSED, {"run": "r-1", "outcome": "failed"})
    before = ledger.path.read_bytes()
    assert expected in _refused("NOT_FOR_THE_LEDGER", lambda: ledger.append(kind, data))
    assert ledger.path.read_bytes() == before


def test_not_a_number_is_no_json_and_is_not_written(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="NaN is no JSON number"):
        ledger.append(LedgerKind.RUN_CLOSED, {"run": "r-1", "switch_s": float("nan")})
    assert ledger.lines() == []


def test_a_clock_that_steps_back_a_little_keeps_the_order_and_one_that_jumps_is_refused(
    ledger: Ledger, clock: Hand
) -> None:
    first = ledger.append(LedgerKind.HEARTBEAT, {})
    clock.at -= 2
    assert ledger.append(LedgerKind.HEARTBEAT, {}).at == first.at
    clock.at -= 3600
    assert "the clock went back by 3602 s" in _refused("CLOCK", lambda: ledger.append(LedgerKind.HEARTBEAT, {}))


# -- what it notices ----------------------------------------------------------------------------------------------


def test_any_byte_that_is_changed_shows(ledger: Ledger) -> None:
    data = _three(ledger)
    head = ledger.head()
    for at in range(len(data)):
        harmed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        found = faults(harmed)
        assert found, f"byte {at}: {harmed[max(0, at - 20) : at + 20]!r}"
    assert ledger.head() == head


@pytest.mark.parametrize(
    ("harm", "line", "reason"),
    [
        (lambda lines: [lines[1], lines[2]], 1, "expected number 1, found 2: a line was removed, added or moved"),
        (lambda lines: [lines[0], lines[2]], 2, "a line was removed, added or moved"),
        (lambda lines: [lines[1], lines[0], lines[2]], 1, "a line was removed, added or moved"),
        (lambda lines: [lines[0], lines[1], lines[1], lines[2]], 3, "expected number 3, found 2"),
        (lambda lines: [*lines, b'{"seq":4}\n'], 4, "expected a line of a ledger"),
        (lambda lines: [*lines, b"\n"], 4, "expected JSON"),
        (lambda lines: [lines[0][:-1]], 1, "expected a whole line, found one without its end"),
        (lambda lines: [line.replace(b"\n", b"\r\n") for line in lines], 1, "found CR (the file was converted)"),
        (lambda lines: [lines[0].replace(b'{"at"', b'{"seq":1,"at"')], 1, "key 'seq' twice"),
        (lambda lines: [lines[0].replace(b":", b": ", 1)], 1, "expected canonical JSON"),
        (lambda lines: [lines[0].replace(b"+00:00", b"Z")], 1, "expected a time as 2026-"),
        (lambda _lines: [b"\xff\n"], 1, "expected JSON"),
        (lambda _lines: [b"[" * 100_000 + b"\n"], 1, "expected JSON"),
    ],
)
def test_each_harm_is_named_with_its_line(
    ledger: Ledger, harm: Callable[[list[bytes]], list[bytes]], line: int, reason: str
) -> None:
    data = b"".join(harm(_three(ledger).splitlines(keepends=True)))
    found = faults(data)
    assert found
    assert found[0].line == line
    assert any(reason in fault.reason for fault in found), found


def _forged(lines: list[LedgerLine], **changes: object) -> bytes:
    """What somebody writes who knows how the chain is made."""
    previous, found = GENESIS, b""
    for number, line in enumerate(lines, 1):
        body = {**line.model_dump(mode="json", exclude={"digest"}), "seq": number, "previous": previous, **changes}
        previous = link(previous, body)
        found += canonical_json({**body, "digest": previous}) + b"\n"
    return found


def test_a_chain_made_anew_without_a_runs_opening_is_impossible_by_its_order(ledger: Ledger) -> None:
    _three(ledger)
    found = faults(_forged(ledger.lines()[1:]))
    assert [str(fault) for fault in found] == ["line 1: expected run.opened of r-1 before run.closed, found none"]


def test_a_line_that_was_changed_with_a_digest_to_fit_no_longer_leads_to_the_next(ledger: Ledger) -> None:
    lines = _three(ledger).splitlines(keepends=True)
    body = json.loads(lines[1]) | {"data": {"run": "r-1", "outcome": "failed"}}
    body["digest"] = link(body["previous"], {name: item for name, item in body.items() if name != "digest"})
    lines[1] = canonical_json(body) + b"\n"
    (found,) = faults(b"".join(lines))
    assert found.line == 3
    assert "a line before it was changed, removed or moved" in found.reason


def test_it_is_not_written_to_when_it_is_shorter_than_its_head(ledger: Ledger) -> None:
    data = _three(ledger)
    ledger.path.write_bytes(b"".join(data.splitlines(keepends=True)[:2]))
    said = _refused("LEDGER_BROKEN", lambda: ledger.append(LedgerKind.HEARTBEAT, {}))
    assert "expected at least 3 lines, as head.json says, found 2: it was cut" in said
    assert "LEDGER_BROKEN" in _refused("LEDGER_BROKEN", ledger.lines)


def test_it_is_not_written_to_when_it_is_another_ledger(ledger: Ledger, tmp_path: Path, clock: Hand) -> None:
    _three(ledger)
    clock.at += 1
    other = Ledger(tmp_path / "other", clock)
    for _ in range(5):
        other.append(LedgerKind.HEARTBEAT, {})
    ledger.path.write_bytes(other.path.read_bytes())
    assert "another ledger" in _refused("LEDGER_BROKEN", lambda: ledger.append(LedgerKind.HEARTBEAT, {}))


def test_it_is_not_begun_anew_when_only_its_head_is_left(ledger: Ledger) -> None:
    _three(ledger)
    ledger.path.unlink()
    assert "expected a ledger, as its head tells" in _refused(
        "LEDGER_BROKEN", lambda: ledger.append(LedgerKind.HEARTBEAT, {})
    )
    assert not ledger.path.exists()


def test_an_object_that_has_read_it_once_notices_that_it_was_changed_since(ledger: Ledger) -> None:
    data = _three(ledger)
    ledger.path.write_bytes(data.replace(b"passed", b"failed"))
    assert "the line was changed" in _refused("LEDGER_BROKEN", lambda: ledger.append(LedgerKind.HEARTBEAT, {}))


# -- kills, disks, neighbours -------------------------------------------------------------------------------------


_LATER = "2027-01-01T00:00:00.000000+00:00"


def _torn(ledger: Ledger, cut: int) -> bytes:
    """The ledger as a kill leaves it, `cut` bytes into writing two more lines; returns what was going to be there."""
    before = ledger.path.read_bytes()
    fresh = chained(ledger.lines(), [(LedgerKind.HEARTBEAT, {"n": 1}), (LedgerKind.HEARTBEAT, {"n": 2})], _LATER)
    text = b"".join(map(as_bytes, fresh))
    (ledger.folder / PENDING).write_bytes(canonical_json({"size": len(before), "text": text.decode()}))
    with ledger.path.open("ab") as file:
        file.write(text[:cut])
    return before + text


def test_a_line_that_a_kill_has_torn_is_completed_and_said(tmp_path: Path) -> None:
    for cut in (1, 40, 200, 300):
        said: list[str] = []
        clock = Hand()
        ledger = Ledger(tmp_path / str(cut), clock, said=said.append)
        _three(ledger)
        whole = _torn(ledger, cut)
        clock.at = 1.9e9  # after what the torn line says
        ledger.append(LedgerKind.HEARTBEAT, {"n": 3})
        assert ledger.path.read_bytes().startswith(whole)
        assert [line.data for line in ledger.lines()[-3:]] == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert len(said) == 1
        assert "line 4 was torn when its writer was killed" in said[0]
        assert not (ledger.folder / PENDING).exists()


@pytest.mark.parametrize("cut", [0, 10_000])
def test_a_kill_before_or_after_the_line_leaves_nothing_to_say(tmp_path: Path, clock: Hand, cut: int) -> None:
    said: list[str] = []
    ledger = Ledger(tmp_path / "ledger", clock, said=said.append)
    before = _three(ledger)
    whole = _torn(ledger, cut)
    clock.at = 1.9e9
    ledger.append(LedgerKind.HEARTBEAT, {"n": 3})
    assert said == []
    assert ledger.path.read_bytes().startswith(whole if cut else before)
    assert len(ledger.lines()) == (6 if cut else 4)


def test_a_reader_does_not_see_a_line_that_is_torn(ledger: Ledger) -> None:
    _three(ledger)
    _torn(ledger, 50)
    assert len(ledger.lines()) == 3


def test_a_last_line_that_is_cut_and_was_not_being_written_is_refused_and_left_alone(ledger: Ledger) -> None:
    data = _three(ledger)
    (ledger.folder / HEAD).unlink()
    ledger.path.write_bytes(data[:-5])
    assert "found one without its end" in _refused("LEDGER_BROKEN", lambda: ledger.append(LedgerKind.HEARTBEAT, {}))
    assert ledger.path.read_bytes() == data[:-5]


def test_what_is_torn_otherwise_than_it_was_going_to_be_is_refused_and_left_alone(ledger: Ledger) -> None:
    _three(ledger)
    _torn(ledger, 50)
    with ledger.path.open("ab") as file:
        file.write(b"something else")
    before = ledger.path.read_bytes()
    assert "found 64 other bytes" in _refused("LEDGER_BROKEN", lambda: ledger.append(LedgerKind.HEARTBEAT, {}))
    assert ledger.path.read_bytes() == before


_WRITER = """
import sys
from pathlib import Path
from orchestrator.adapters.clock import SystemClock
from orchestrator.evidence.ledger import Ledger
from orchestrator.model.evidence import LedgerKind
ledger = Ledger(Path(sys.argv[1]), SystemClock())
for number in range(int(sys.argv[3])):
    ledger.append(LedgerKind.HEARTBEAT, {"by": sys.argv[2], "n": number})
    print(number, flush=True)
"""


def _writer(folder: Path, name: str, lines: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _WRITER, str(folder), name, str(lines)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_writer_that_is_killed_loses_no_line_that_it_was_told_is_there(tmp_path: Path) -> None:
    for patience in (1, 7, 23):
        folder = tmp_path / str(patience)
        process = _writer(folder, "killed", 100_000)
        assert process.stdout
        told = [process.stdout.readline() for _ in range(patience)]
        process.send_signal(signal.SIGKILL)
        process.wait()
        told += process.stdout.readlines()
        process.stdout.close()
        ledger = Ledger(folder, Hand(at=4e9))
        ledger.append(LedgerKind.HEARTBEAT, {"by": "next"})
        kept = [line.data["n"] for line in ledger.lines()[:-1]]
        assert kept == list(range(len(kept)))
        assert len(kept) >= len(told)


def test_two_writers_at_once_lose_nothing_and_leave_one_chain(tmp_path: Path) -> None:
    writers = [_writer(tmp_path / "ledger", name, 15) for name in ("one", "two")]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    lines = Ledger(tmp_path / "ledger", Hand()).lines()
    assert len(lines) == 30
    for name in ("one", "two"):
        assert [line.data["n"] for line in lines if line.data["by"] == name] == list(range(15))


def test_a_path_that_is_no_folder_is_refused_in_one_line(tmp_path: Path, clock: Hand) -> None:
    (tmp_path / "file").write_text("no folder")
    blocked = Ledger(tmp_path / "file" / "ledger", clock)
    assert "Not a directory" in _refused("LEDGER_UNWRITABLE", lambda: blocked.append(LedgerKind.HEARTBEAT, {}))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk: needs root")
def test_a_full_disk_refuses_the_line_and_room_on_it_goes_on(tmp_path: Path, clock: Hand) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        ledger = Ledger(disk / "ledger", clock)
        before = _three(ledger)
        ballast = fill(disk)
        assert "No space left" in _refused("LEDGER_UNWRITABLE", lambda: ledger.append(LedgerKind.HEARTBEAT, {}))
        assert ledger.path.read_bytes() == before
        assert len(ledger.lines()) == 3
        ballast.unlink()
        ledger.append(LedgerKind.HEARTBEAT, {})
        assert len(ledger.lines()) == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk: needs root")
def test_a_medium_that_is_read_only_is_read_and_takes_no_line(tmp_path: Path, clock: Hand) -> None:
    with small_disk(tmp_path / "disk", "256k") as disk:
        ledger = Ledger(disk / "ledger", clock)
        _three(ledger)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert len(ledger.lines()) == 3
        assert "Read-only" in _refused("LEDGER_UNWRITABLE", lambda: ledger.append(LedgerKind.HEARTBEAT, {}))


# -- the head's signature -----------------------------------------------------------------------------------------


def test_the_head_is_signed_with_every_line(tmp_path: Path, clock: Hand, office: Office) -> None:
    ledger = Ledger(tmp_path / "ledger", clock, lambda data: sign_detached(office.keys, data))
    for _ in range(2):
        ledger.append(LedgerKind.HEARTBEAT, {})
        found = signers((ledger.folder / SIGNATURE).read_bytes(), (ledger.folder / HEAD).read_bytes())
        assert found.fingerprints == (office.keys.fingerprint,)
    assert json.loads((ledger.folder / HEAD).read_bytes())["size"] == 2


def test_what_is_cut_off_before_the_first_signature_goes_on(tmp_path: Path, clock: Hand, office: Office) -> None:
    """Cut off at the signature, here by something else in its place: the head is there by then, and says all."""
    in_its_place = tmp_path / "ledger" / SIGNATURE

    def sign(data: bytes) -> bytes:
        in_its_place.mkdir()
        return sign_detached(office.keys, data)

    ledger = Ledger(tmp_path / "ledger", clock, sign)
    _refused("LEDGER_UNWRITABLE", lambda: ledger.append(LedgerKind.HEARTBEAT, {}))
    in_its_place.rmdir()
    again = Ledger(tmp_path / "ledger", clock, lambda data: sign_detached(office.keys, data))
    assert again.publish().size == len(again.lines()) == 1
    assert in_its_place.is_file()


def test_a_line_stands_when_the_key_cannot_sign_and_the_last_signed_head_still_binds(
    tmp_path: Path, clock: Hand, office: Office
) -> None:
    said: list[str] = []
    token: list[str] = ["plugged in"]

    def sign(data: bytes) -> bytes:
        if not token:
            raise Refused("NOT_SIGNED", "expected a token, found none")
        return sign_detached(office.keys, data)

    ledger = Ledger(tmp_path / "ledger", clock, sign, said.append)
    ledger.append(LedgerKind.HEARTBEAT, {})
    token.clear()
    ledger.append(LedgerKind.HEARTBEAT, {})
    assert len(ledger.lines()) == 2
    assert json.loads((ledger.folder / HEAD).read_bytes())["size"] == 1
    assert signers((ledger.folder / SIGNATURE).read_bytes(), (ledger.folder / HEAD).read_bytes()).certificates
    assert len(said) == 1
    assert "not signed" in said[0]
    token.append("again")
    assert ledger.publish().size == 2
    assert signers((ledger.folder / SIGNATURE).read_bytes(), (ledger.folder / HEAD).read_bytes()).certificates


def test_whoever_has_no_key_leaves_the_signed_head_and_still_sees_what_is_cut_before_it(
    tmp_path: Path, clock: Hand, office: Office
) -> None:
    folder = tmp_path / "ledger"
    signing = Ledger(folder, clock, lambda data: sign_detached(office.keys, data))
    signing.append(LedgerKind.HEARTBEAT, {})
    signing.append(LedgerKind.HEARTBEAT, {})
    plain = Ledger(folder, clock)
    plain.append(LedgerKind.HEARTBEAT, {})
    assert json.loads((folder / HEAD).read_bytes())["size"] == 2
    (folder / LEDGER).write_bytes(plain.upto(1))
    assert "it was cut" in _refused("LEDGER_BROKEN", plain.lines)
    (folder / HEAD).unlink()
    assert "the head that head.json.p7s signs" in _refused("LEDGER_BROKEN", plain.lines)
