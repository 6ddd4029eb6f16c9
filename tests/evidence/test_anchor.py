"""The ledger's head reaches a folder, an SFTP server and a mailbox, each within its time, and each outcome is said."""

import email
import email.policy
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.adapters.anchors import Result, host_key, lay_out, send
from orchestrator.errors import DefinitionError
from orchestrator.evidence.anchor import Package, contradictions, is_silent, package
from orchestrator.evidence.ledger import SIGNATURE, Ledger
from orchestrator.evidence.sign import sign_detached, signers
from orchestrator.evidence.trust import anchored
from orchestrator.model.evidence import Anchor, LedgerKind
from tests.evidence.packs import Office
from tests.evidence.receivers import Mailbox, Sftp, sftp, silent, smtp
from tests.evidence.years import Hand
from tests.playbooks.sshd import SSHD

NOW = 1.8e9
needs_sshd = pytest.mark.skipif(SSHD is None, reason="needs sshd")


@pytest.fixture
def ledger(tmp_path: Path, office: Office) -> Ledger:
    made = Ledger(tmp_path / "ledger", Hand(), lambda data: sign_detached(office.keys, data))
    for number in range(3):
        made.append(LedgerKind.HEARTBEAT, {"n": number})
    return made


@pytest.fixture
def head(ledger: Ledger) -> Package:
    return package(ledger.folder, ledger.head())


@pytest.fixture
def place(tmp_path: Path) -> Anchor:
    (tmp_path / "disk").mkdir()
    return Anchor(id="disk", kind="directory", to=str(tmp_path / "disk"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sftp]:
    with sftp(tmp_path_factory.mktemp("sftp") / "server") as started:
        yield started


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with smtp() as started:
        yield started


# -- a folder -----------------------------------------------------------------------------------------------------


def test_a_folder_gets_the_head_and_its_signature(ledger: Ledger, head: Package, place: Anchor, office: Office) -> None:
    assert send(place, head, ledger.lines(), NOW).result is Result.ANCHORED
    assert sorted(item.name for item in Path(place.to).iterdir()) == [head.name, f"{head.name}.p7s"]
    content = Path(place.to, head.name).read_bytes()
    assert signers(Path(place.to, f"{head.name}.p7s").read_bytes(), content).fingerprints == (office.keys.fingerprint,)
    assert anchored(str(Path(place.to, head.name))) == ledger.head()


def test_sending_it_again_changes_nothing_and_is_no_error(ledger: Ledger, head: Package, place: Anchor) -> None:
    send(place, head, ledger.lines(), NOW)
    before = {item.name: item.stat().st_ino for item in Path(place.to).iterdir()}
    assert send(place, head, ledger.lines(), NOW).result is Result.ANCHORED
    assert {item.name: item.stat().st_ino for item in Path(place.to).iterdir()} == before


def test_a_ledger_that_was_rolled_back_is_told_by_what_lies_there(
    ledger: Ledger, head: Package, place: Anchor, tmp_path: Path
) -> None:
    send(place, head, ledger.lines(), NOW)
    older = ledger.lines()[:2]
    shorter = Ledger(tmp_path / "rolled-back", Hand())
    shorter.append_all([(line.kind, line.data) for line in older])
    sent = send(place, package(shorter.folder, shorter.head()), shorter.lines(), NOW)
    assert sent.result is Result.CONTRADICTED
    assert "expected at least 3 lines of the ledger" in sent.detail
    assert "it was cut" in sent.detail
    assert len(list(Path(place.to).iterdir())) == 2


def test_a_ledger_that_was_rewritten_is_told_by_what_lies_there(
    ledger: Ledger, head: Package, place: Anchor, tmp_path: Path
) -> None:
    send(place, head, ledger.lines(), NOW)
    other = Ledger(tmp_path / "other", Hand())
    other.append_all([(LedgerKind.HEARTBEAT, {"n": "other"})] * 7)
    sent = send(place, package(other.folder, other.head()), other.lines(), NOW)
    assert sent.result is Result.CONTRADICTED
    assert "expected line 3 of the ledger" in sent.detail


def test_a_head_there_that_was_changed_is_told(ledger: Ledger, head: Package, place: Anchor) -> None:
    send(place, head, ledger.lines(), NOW)
    Path(place.to, head.name).write_text("{}")
    assert send(place, head, ledger.lines(), NOW).result is Result.CONTRADICTED


def test_a_folder_that_is_not_there_is_said_and_not_made(ledger: Ledger, head: Package, tmp_path: Path) -> None:
    sent = send(Anchor(id="disk", kind="directory", to=str(tmp_path / "gone")), head, ledger.lines(), NOW)
    assert sent.result is Result.FAILED
    assert "is the disk mounted?" in sent.detail
    assert not (tmp_path / "gone").exists()


def test_other_files_there_are_nobodys_business(ledger: Ledger) -> None:
    names = ["notes.txt", "head-3-abc.json", f"head-00000002-{ledger.lines()[1].digest}.json", "head-00000009-x.json"]
    assert list(contradictions(ledger.lines(), names)) == []


# -- SFTP ---------------------------------------------------------------------------------------------------------


@needs_sshd
def test_an_sftp_server_gets_the_head_and_tells_of_a_ledger_that_was_cut(
    server: Sftp, ledger: Ledger, head: Package
) -> None:
    sent = send(server.anchor(), head, ledger.lines(), NOW)
    assert sent.result is Result.ANCHORED, sent.detail
    assert (server.folder / head.name).read_bytes() == head.content
    assert (server.folder / f"{head.name}.p7s").read_bytes() == head.signature
    assert not list(server.folder.glob(".*"))
    assert send(server.anchor(), head, ledger.lines(), NOW).result is Result.ANCHORED
    assert send(server.anchor(), head, ledger.lines()[:2], NOW).result is Result.CONTRADICTED


@needs_sshd
def test_an_sftp_server_with_another_host_key_gets_nothing(server: Sftp, ledger: Ledger) -> None:
    ledger.append(LedgerKind.HEARTBEAT, {})
    fresh = package(ledger.folder, ledger.head())
    other = (server.key.with_name("other_key.pub")).read_text().rsplit(" ", 1)[0]
    sent = send(server.anchor(host_key=other), fresh, ledger.lines(), NOW)
    assert sent.result is Result.FAILED
    assert "Host key for server" in sent.detail
    assert not (server.folder / fresh.name).exists()


@needs_sshd
def test_an_sftp_server_with_a_host_key_of_another_kind_than_the_pinned_gets_nothing(
    server: Sftp, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.append(LedgerKind.HEARTBEAT, {})
    fresh = package(ledger.folder, ledger.head())
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "pinned")], check=True)
    pinned = (tmp_path / "pinned.pub").read_text().rsplit(" ", 1)[0]
    assert send(server.anchor(host_key=pinned), fresh, ledger.lines(), NOW).result is Result.FAILED
    assert not (server.folder / fresh.name).exists()


@needs_sshd
def test_an_sftp_server_that_does_not_know_our_key_or_folder_is_said(
    server: Sftp, ledger: Ledger, head: Package
) -> None:
    stranger = server.anchor(key=str(server.key.with_name("other_key")))
    assert "Authentication failed" in send(stranger, head, ledger.lines(), NOW).detail
    lost = server.anchor(to=server.anchor().to + "/nowhere")
    assert send(lost, head, ledger.lines(), NOW).result is Result.FAILED
    missing = server.anchor(key="/nonexistent/key")
    assert send(missing, head, ledger.lines(), NOW).result is Result.FAILED


def test_a_host_key_may_be_given_as_known_hosts_has_it_and_nonsense_is_named() -> None:
    plain = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJkv5cJJd1MzdrYSHnYnEfHnTHHDhR3uQwvSzlSVbAcM"
    assert host_key(plain)[0] == host_key(f"[127.0.0.1]:2222 {plain}")[0] == "ssh-ed25519"
    for text in ("", "nonsense", "ssh-ed25519", "ssh-ed25519 !!!"):
        with pytest.raises(DefinitionError, match="host_key: expected a public key as in known_hosts"):
            host_key(text)


# -- mail ---------------------------------------------------------------------------------------------------------


def test_a_mailbox_gets_the_head_in_words_and_as_a_file(mailbox: Mailbox, ledger: Ledger, head: Package) -> None:
    sent = send(mailbox.anchor(), head, ledger.lines(), NOW)
    assert sent.result is Result.ANCHORED
    assert "whether it was delivered, only the receiver can say" in sent.detail
    (raw,) = mailbox.messages
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["To"] == "head@regulator.example"
    assert str(head.head.size) in message["Subject"]
    files = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
    assert files == head.files
    body = message.get_body()
    assert body is not None
    assert f"--anchor {head.head.size}:{head.head.digest}" in body.get_content()


def test_a_server_that_refuses_the_receiver_is_said(mailbox: Mailbox, ledger: Ledger, head: Package) -> None:
    sent = send(mailbox.anchor("nobody@regulator.example"), head, ledger.lines(), NOW)
    assert sent.result is Result.FAILED
    assert "no such user" in sent.detail
    assert mailbox.messages == []


# -- what does not answer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mail", "sftp"])
def test_one_that_never_answers_ends_at_its_deadline_and_may_still_arrive(
    kind: str, ledger: Ledger, head: Package
) -> None:
    with silent() as port:
        mail = {"to": "head@regulator.example", "server": f"127.0.0.1:{port}", "sender": "drills@firm.example"}
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJkv5cJJd1MzdrYSHnYnEfHnTHHDhR3uQwvSzlSVbAcM"
        fields = mail if kind == "mail" else {"to": f"me@127.0.0.1:{port}/heads", "key": "/k", "host_key": key}
        begun = time.monotonic()
        sent = send(Anchor.model_validate({"id": kind, "kind": kind, **fields}), head, ledger.lines(), NOW, 0.3)
        assert time.monotonic() - begun < 5  # half of what one answer of a server may take
    assert sent.result is Result.UNKNOWN
    assert sent.detail == "no end within 0.3 s: it may still arrive"


def test_one_that_nobody_listens_at_is_refused_at_once(ledger: Ledger, head: Package) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    fields = {"to": "a@b.example", "server": f"127.0.0.1:{port}", "sender": "c@d.example"}
    sent = send(Anchor.model_validate({"id": "mail", "kind": "mail", **fields}), head, ledger.lines(), NOW)
    assert (sent.result, sent.detail) == (Result.FAILED, "Connection refused")


# -- the outbox, the heartbeat ------------------------------------------------------------------------------------


def test_without_a_network_everything_is_laid_out_for_something_else_to_carry(
    tmp_path: Path, head: Package, mailbox: Mailbox
) -> None:
    reached = lay_out(mailbox.anchor(), head, tmp_path / "outbox", NOW)
    assert reached.result is Result.OUTBOX
    (letter,) = (tmp_path / "outbox" / "mail").iterdir()
    message = email.message_from_bytes(letter.read_bytes(), policy=email.policy.default)
    assert {part.get_filename() for part in message.iter_attachments()} == set(head.files)
    archive = Anchor(id="archive", kind="sftp", to="me@host/heads", key="k", host_key="h")
    assert lay_out(archive, head, tmp_path / "outbox", NOW).result is Result.OUTBOX
    files = {item.name: item.read_bytes() for item in (tmp_path / "outbox" / "archive").iterdir()}
    assert files == head.files
    assert mailbox.messages == []


def test_a_head_that_nobody_signed_goes_without_a_signature(tmp_path: Path) -> None:
    plain = Ledger(tmp_path / "plain", Hand())
    plain.append(LedgerKind.HEARTBEAT, {})
    assert list(package(plain.folder, plain.head()).files) == [package(plain.folder, plain.head()).name]


def test_a_signature_of_an_older_head_is_not_sent_with_a_newer_one(ledger: Ledger) -> None:
    Ledger(ledger.folder, Hand()).append(LedgerKind.HEARTBEAT, {})  # by somebody without a key
    assert (ledger.folder / SIGNATURE).exists()
    found = package(ledger.folder, ledger.head())
    assert found.signature is None
    assert json.loads(found.content)["size"] == 4


def test_nothing_but_anchors_and_heartbeats_is_silence(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger", Hand())
    assert is_silent(ledger.lines())
    ledger.append(LedgerKind.RUN_OPENED, {"run": "r", "plan_digest": "p"})
    assert not is_silent(ledger.lines())
    ledger.append(LedgerKind.ANCHORED, {"to": "disk", "seq": 1, "digest": "d"})
    assert is_silent(ledger.lines())
    ledger.append(LedgerKind.HEARTBEAT, {})
    assert is_silent(ledger.lines())
    ledger.append(LedgerKind.RUN_CLOSED, {"run": "r"})
    assert not is_silent(ledger.lines())
