"""The end of a run, as an operator sees it: sealed, or not sealed and why."""

import json
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import Refused
from orchestrator.evidence.ledger_lines import parsed
from orchestrator.model.event import EventKind
from orchestrator.model.evidence import LedgerKind
from tests.cli.journals import Left, left
from tests.support.command import Said, drillctl

SECRET = "Tr4nsfer-9931"  # noqa: S105 - planted


def sealed(run: Left, state: Path) -> Path:
    """Its twin is gone: what is left is to close it."""
    run.kill()
    said = drillctl("resume", run.id, "--json", state=state)
    assert said.document["verdict"]["integrity"] == "sealed", said.err
    return Path(said.document["evidence"])


def kinds(state: Path) -> list[LedgerKind]:
    return [line.kind for line in parsed((state / "reports/ledger/ledger.jsonl").read_bytes())]


def refused(said: Said, code: int, begins: str) -> None:
    (line,) = said.err.splitlines()
    assert (said.code, said.out) == (code, "")
    assert line.startswith(f"drillctl: {begins}"), line


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports and journal with one sealed run, to be read only."""
    folder = tmp_path_factory.mktemp("sealed")
    run = left(folder)
    run.begin()
    sealed(run, folder)
    return folder


@pytest.fixture
def pack(state: Path) -> Path:
    (found,) = (state / "reports").glob("2*/pack")
    return found


def test_what_a_run_leaves_verifies_as_a_pack_and_as_an_archive(state: Path, pack: Path) -> None:
    for path in (pack, state / "reports"):
        said = drillctl("evidence", "verify", str(path), state=state)
        assert said.code == 0, said.out + said.err
    found = kinds(state)
    assert [found[0], found[1], found[-1]] == [LedgerKind.RUN_OPENED, LedgerKind.RUN_CLOSED, LedgerKind.PACK_SEALED]
    listed = json.loads(drillctl("findings", "--json", state=state).out)
    in_pack = json.loads((pack / "findings.json").read_bytes())["of_this_run"]
    assert len(in_pack) == found.count(LedgerKind.FINDING_OPENED) > 0
    assert pack.parent.name in json.dumps(listed)


def test_one_byte_that_was_changed_since_does_not_verify(tmp_path: Path, pack: Path) -> None:
    copy = Path(shutil.copytree(pack, tmp_path / "pack"))
    journal = copy / "journal/events.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"wang", b"wong"))
    said = drillctl("evidence", "verify", str(copy), state=tmp_path)
    assert said.code == 1
    assert "journal/events.jsonl: " in said.out + said.err


def test_a_report_that_is_written_again_has_the_bytes_of_the_sealed_one(
    tmp_path: Path, state: Path, pack: Path
) -> None:
    again = tmp_path / "again"
    assert drillctl("report", pack.parent.name, "--to", str(again), "--pdf", state=state).code == 0
    assert (again / "run.json").read_bytes() == (pack / "run.json").read_bytes()
    for language in ("zh", "en"):
        html, pdf = f"report.{language}.html", f"report.{language}.pdf"
        assert (again / html).read_bytes() == (pack / "report" / html).read_bytes()
        assert (pack / "report" / pdf).read_bytes().startswith((again / pdf).read_bytes())  # a signature follows


def test_a_secret_that_came_past_every_filter_stops_the_seal(tmp_path: Path) -> None:
    run = left(tmp_path)
    run.tell(EventKind.NOTE, {"what": "error", "text": f"login with {SECRET} refused"})
    run.kill()
    said = drillctl("resume", run.id, state=tmp_path, more={"SETTLEMENT_PASSWORD": SECRET})
    assert said.code == 1
    (line,) = [line for line in said.out.splitlines() if "not sealed: " in line]
    assert "SECRET_FOUND: " in line
    assert "journal/events.jsonl" in line
    assert SECRET not in line
    assert not (tmp_path / "reports" / run.id / "pack").exists()
    assert LedgerKind.PACK_SEALED not in kinds(tmp_path)
    assert f"  drillctl evidence seal {run.id}\n" in drillctl("status", state=tmp_path).out
    refused(drillctl("resume", run.id, state=tmp_path), 3, "RUN_CLOSED: ")
    said = drillctl("evidence", "seal", run.id, "--json", state=tmp_path)  # it is a secret no longer
    assert said.code == 0, said.err
    assert drillctl("evidence", "verify", said.document["evidence"], state=tmp_path).code == 0
    assert [kinds(tmp_path).count(kind) for kind in (LedgerKind.RUN_CLOSED, LedgerKind.PACK_SEALED)] == [1, 1]
    refused(drillctl("evidence", "seal", run.id, state=tmp_path), 3, "SEALED: ")


def test_a_run_that_is_not_closed_is_not_sealed(tmp_path: Path) -> None:
    run = left(tmp_path)
    refused(drillctl("evidence", "seal", run.id, state=tmp_path), 3, "RUN_OPEN: ")


def test_no_run_begins_on_a_ledger_that_is_broken(tmp_path: Path, state: Path) -> None:
    shutil.copytree(state / "reports/ledger", tmp_path / "reports/ledger")
    ledger = tmp_path / "reports/ledger/ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:-1]))
    other = left(tmp_path)
    other.kill()
    said = drillctl("resume", other.id, state=tmp_path)
    assert said.code == Refused.exit_code
    assert "LEDGER_BROKEN: " in said.err


@pytest.mark.parametrize("verb", [("report",), ("evidence", "seal"), ("evidence", "export")])
def test_a_run_that_is_not_there_is_named(tmp_path: Path, verb: tuple[str, ...]) -> None:
    more = ("--to", str(tmp_path / "x.zip")) if verb[-1] == "export" else ()
    said = drillctl(*verb, "20260101T000000-nothing-0000", *more, state=tmp_path)
    assert said.code in (2, 3)
    assert len(said.err.splitlines()) == 1
