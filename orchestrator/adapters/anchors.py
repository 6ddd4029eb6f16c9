"""Sends the ledger's head elsewhere: into a folder, over SFTP, by mail. Each way has a deadline of its own.

What already lies there is never changed. Before anything is added, the heads that lie there are compared with the
ledger: one that the ledger does not have tells that it was cut back or rewritten.
"""

import base64
import binascii
import os
import smtplib
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.errors import DefinitionError
from orchestrator.evidence.anchor import Package, contradictions
from orchestrator.evidence.disk import folder_to_disk
from orchestrator.model.evidence import Anchor, LedgerLine

if TYPE_CHECKING:
    import paramiko

DEADLINE_S = 30.0  # our choice: per anchor; a head is a few kilobytes
_CONNECT_S = 10.0  # our choice: longest wait for one answer of a server
_SSH_PORT = 22
_SMTPS_PORT = 465
_SMTP_PORT = 25


class Result(StrEnum):
    """What came of one anchor."""

    ANCHORED = "anchored"
    FAILED = "failed"  # it is not there
    UNKNOWN = "unknown"  # the deadline passed: it may still arrive
    CONTRADICTED = "contradicted"  # a head lies there that this ledger does not have
    OUTBOX = "outbox"  # laid out for something else to carry


@dataclass(frozen=True)
class Sent:
    anchor: str
    kind: str
    result: Result
    detail: str


class _Contradicted(Exception):
    """A head lies there that this ledger does not have."""


def send(
    anchor: Anchor, package: Package, lines: Sequence[LedgerLine], now: float, deadline_s: float = DEADLINE_S
) -> Sent:
    """Send it, and say what came of it; never raises for what the other side does."""
    ways: dict[str, Callable[[], str]] = {
        "directory": lambda: _directory(Path(anchor.to), package, lines),
        "sftp": lambda: _sftp(anchor, package, lines),
        "mail": lambda: _mail(anchor, package, now),
    }
    found: list[Sent] = []
    worker = threading.Thread(target=lambda: found.append(_attempt(anchor, ways[anchor.kind])), daemon=True)
    worker.start()
    worker.join(deadline_s)
    if not found:
        return Sent(anchor.id, anchor.kind, Result.UNKNOWN, f"no end within {deadline_s:g} s: it may still arrive")
    return found[0]


def lay_out(anchor: Anchor, package: Package, folder: Path, now: float) -> Sent:
    """Into the outbox, for something else to carry: files for a folder or SFTP, a message for mail."""
    place = folder / anchor.id
    try:
        place.mkdir(parents=True, exist_ok=True)
        files = (
            {f"{package.name}.eml": bytes(_message(anchor, package, now))} if anchor.kind == "mail" else package.files
        )
        for name, content in files.items():
            _put(place / name, content)
    except OSError as error:
        return Sent(anchor.id, anchor.kind, Result.FAILED, f"{place}: {_said(error)}")
    return Sent(anchor.id, anchor.kind, Result.OUTBOX, f"{place}/{list(files)[-1]}, to be carried to {anchor.to}")


def _attempt(anchor: Anchor, way: Callable[[], str]) -> Sent:
    try:
        return Sent(anchor.id, anchor.kind, Result.ANCHORED, way())
    except _Contradicted as error:
        return Sent(anchor.id, anchor.kind, Result.CONTRADICTED, str(error))
    except Exception as error:  # noqa: BLE001 - paramiko, smtplib and ssl each raise their own; all of it is said
        return Sent(anchor.id, anchor.kind, Result.FAILED, _said(error))


def _said(error: Exception) -> str:
    """One line that says what the other side or the system said."""
    text = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
    where = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
    return " ".join(text.split()) + where


def _need_no_other(lines: Sequence[LedgerLine], names: Sequence[str]) -> None:
    found = next(contradictions(lines, names), None)
    if found:
        raise _Contradicted(found)


# -- a folder -----------------------------------------------------------------------------------------------------


def _directory(folder: Path, package: Package, lines: Sequence[LedgerLine]) -> str:
    if not folder.is_dir():
        raise FileNotFoundError(None, "expected a folder, found none (is the disk mounted?)", str(folder))
    _need_no_other(lines, [item.name for item in folder.iterdir()])
    for name, content in package.files.items():
        _put(folder / name, content)
    folder_to_disk(folder)
    return f"{folder / package.name}"


def _put(path: Path, content: bytes) -> None:
    """A new file, on the disk. One that is there already stays; a head must be the same, a signature may be another."""
    draft = path.with_name(f".{path.name}.part")
    if path.exists():
        if path.suffix == ".json" and path.read_bytes() != content:
            raise _Contradicted(f"expected {path.name} there to say what its name says, found it changed")
        return
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


# -- SFTP ---------------------------------------------------------------------------------------------------------


def _sftp(anchor: Anchor, package: Package, lines: Sequence[LedgerLine]) -> str:
    user, _, rest = anchor.to.partition("@")
    place, _, folder = rest.partition("/")
    host, _, port = place.partition(":")
    target = PurePosixPath("/", folder)
    with _connected(anchor, user, host, int(port or _SSH_PORT)) as client:
        sftp = client.open_sftp()
        channel = sftp.get_channel()
        if channel:
            channel.settimeout(_CONNECT_S)
        there = sftp.listdir(str(target))
        _need_no_other(lines, there)
        for name, content in package.files.items():
            if name not in there:
                _upload(sftp, target / name, content)
    return f"{anchor.to}/{package.name}"


@contextmanager
def _connected(anchor: Anchor, user: str, host: str, port: int) -> "Iterator[paramiko.SSHClient]":
    """The pinned host key is the only one that is believed; no agent, no key of the user's own, no password."""
    import paramiko  # noqa: PLC0415 - it costs 0.2 s, and one verb of the command line needs it

    client = paramiko.SSHClient()
    kind, key = host_key(anchor.host_key or "")
    client.get_host_keys().add(host if port == _SSH_PORT else f"[{host}]:{port}", kind, key)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    waits = dict.fromkeys(("timeout", "banner_timeout", "auth_timeout", "channel_timeout"), _CONNECT_S)
    try:
        client.connect(host, port, user, key_filename=anchor.key, allow_agent=False, look_for_keys=False, **waits)
        yield client
    finally:
        client.close()


def host_key(text: str) -> "tuple[str, paramiko.PKey]":
    """A line of known_hosts, with or without the host before it."""
    import paramiko  # noqa: PLC0415

    words = text.split()
    at = next((index for index, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-", "sk-"))), None)
    if at is None or at + 1 >= len(words):
        raise DefinitionError(f"host_key: expected a public key as in known_hosts (ssh-ed25519 AAAA…), found {text!r}")
    try:
        return words[at], paramiko.PKey.from_type_string(words[at], base64.b64decode(words[at + 1], validate=True))
    except (binascii.Error, paramiko.SSHException, ValueError) as error:
        raise DefinitionError(f"host_key: expected a public key as in known_hosts, found {text!r}: {error}") from error


def _upload(sftp: "paramiko.SFTPClient", path: PurePosixPath, content: bytes) -> None:
    """Under another name first, read back, then renamed: a head that stands there is whole."""
    draft = str(path.with_name(f".{path.name}.part"))
    with sftp.open(draft, "wb") as file:
        file.write(content)
    with sftp.open(draft, "rb") as file:
        if file.read() != content:
            raise OSError(f"{path}: expected what was sent, found something else when it was read back")
    sftp.posix_rename(draft, str(path))


# -- mail ---------------------------------------------------------------------------------------------------------


def _mail(anchor: Anchor, package: Package, now: float) -> str:
    host, _, port = (anchor.server or "").partition(":")
    number = int(port or _SMTP_PORT)
    kind = smtplib.SMTP_SSL if number == _SMTPS_PORT else smtplib.SMTP
    with kind(host, number, timeout=_CONNECT_S) as server:
        server.ehlo()
        if number != _SMTPS_PORT and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        refused = server.send_message(_message(anchor, package, now))
    if refused:
        raise smtplib.SMTPException(f"{anchor.server} did not take it for {', '.join(refused)}")
    return f"{anchor.server} has taken it for {anchor.to}; whether it was delivered, only the receiver can say"


def _message(anchor: Anchor, package: Package, now: float) -> EmailMessage:
    head = package.head
    message = EmailMessage()
    message["From"] = anchor.sender or ""
    message["To"] = anchor.to
    message["Subject"] = f"drillctl ledger head / 演练台账留存值 {head.size} {head.digest[:16]}"
    message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    domain = (anchor.sender or "").partition("@")[2] or "localhost"
    message["Message-ID"] = f"<head-{head.size}-{head.digest[:32]}-{int(now)}@{domain}>"
    message.set_content(_BODY.format(size=head.size, digest=head.digest))
    for name, content in package.files.items():
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message


_BODY = """\
请保存本邮件。演练台账截至发出时共 {size} 行，末行摘要为：
{digest}
日后可据此查明台账是否被截短、改写或整体回退。

Please keep this message. When it was sent, the ledger of drills had {size} lines, and the digest of the last one was:
{digest}
It tells later whether the ledger was cut back, rewritten or rolled back:

drillctl evidence verify REPORTS --anchor {size}:{digest}
"""
