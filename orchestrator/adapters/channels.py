"""The ways to people: Apprise, a signed webhook, mail, a folder. Each attempt has a deadline of its own.

None of them raises for what the other side does, and none of them says an address or a key that stands in a file.
"""

import hashlib
import hmac
import json
import logging
import smtplib
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from orchestrator.adapters.secrets import Mask
from orchestrator.evidence.disk import replace
from orchestrator.model.notify import Channel, ChannelKind, Notice
from orchestrator.model.plan import canonical_json

SHORTEST_KEY: Final = 16  # characters; our choice: a key that can be guessed signs nothing
_SMTPS_PORT, _SMTP_PORT = 465, 25
_URL_MARKS: Final = str.maketrans(dict.fromkeys("/:@?&=#;,", " "))
_SHORTEST_PART: Final = 6  # our choice: parts of an address that may be a token


@dataclass(frozen=True)
class Attempt:
    """What came of one attempt. `problem` empty: the other side has taken it."""

    problem: str = ""


class _Unusable(Exception):
    """The channel cannot be used as it is set up."""


def attempt(channel: Channel, notice: Notice, now: float, deadline_s: float) -> Attempt:
    """Try once. Past the deadline it may still arrive: the notice's id tells a receiver that it comes again."""
    found: list[Attempt] = []
    worker = threading.Thread(target=lambda: found.append(_tried(channel, notice, now, deadline_s)), daemon=True)
    worker.start()
    worker.join(deadline_s)
    return found[0] if found else Attempt(f"no end within {deadline_s:g} s: it may still arrive")


def _tried(channel: Channel, notice: Notice, now: float, deadline_s: float) -> Attempt:
    ways: dict[ChannelKind, Callable[[], None]] = {
        ChannelKind.APPRISE: lambda: _apprise(channel, notice, deadline_s),
        ChannelKind.WEBHOOK: lambda: _webhook(channel, notice, now, deadline_s),
        ChannelKind.MAIL: lambda: _mail(channel, notice, deadline_s),
        ChannelKind.OUTBOX_FOLDER: lambda: _folder(Path(channel.to or ""), notice),
    }
    try:
        ways[channel.kind]()
    except Exception as error:  # noqa: BLE001 - urllib, smtplib, ssl and Apprise each raise their own; all of it is said
        return Attempt(_hidden(channel, _said(error)))
    return Attempt()


def _said(error: Exception) -> str:
    """One line."""
    text = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
    return " ".join(text.split())


def _hidden(channel: Channel, text: str) -> str:
    """Without any part of an address that was read from a file."""
    if channel.url_file is None:
        return text
    try:
        address = _held(channel.url_file)
    except _Unusable:
        return text
    return Mask(
        {address, *(part for part in address.translate(_URL_MARKS).split() if len(part) >= _SHORTEST_PART)}
    ).text(text)


def _held(name: str) -> str:
    """The one line that a file holds."""
    try:
        lines = [line.strip() for line in Path(name).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise _Unusable(f"expected to read {name}, found: {_said(error)}") from error
    if len(lines) != 1:
        raise _Unusable(f"expected one line in {name}, found {len(lines)}")
    return lines[0]


def body_of(notice: Notice) -> bytes:
    """The JSON that a webhook gets and a folder holds."""
    return canonical_json(notice.model_dump(mode="json"))


def _in_both(notice: Notice) -> tuple[str, str]:
    """(subject, text), Chinese first."""
    return f"{notice.title.zh} / {notice.title.en}", f"{notice.text.zh}\n{notice.text.en}\n"


# -- Apprise ------------------------------------------------------------------------------------------------------


def _apprise(channel: Channel, notice: Notice, deadline_s: float) -> None:
    """Through the proxy that the environment names: these services are on the Internet. No redirect is followed."""
    import apprise  # noqa: PLC0415 - it costs half a second, and few commands need it

    asset = apprise.AppriseAsset(http_redirects=False, async_mode=False, app_id="drillctl")
    service = apprise.Apprise.instantiate(_held(channel.url_file or ""), asset=asset)
    if service is None:
        raise _Unusable(f"expected an address that Apprise knows in {channel.url_file}, found another")
    service.socket_connect_timeout = service.socket_read_timeout = deadline_s / 2
    subject, text = _in_both(notice)
    with apprise.LogCapture(level=logging.WARNING) as log:  # type: ignore[no-untyped-call] # theirs
        taken = service.notify(body=text, title=subject, notify_type=apprise.NotifyType.INFO)
        if not taken:
            lines = [line.strip() for line in log.getvalue().splitlines() if line.strip()]
            raise _Unusable(f"{service.service_name} has not taken it: {lines[-1] if lines else 'no reason given'}")


# -- webhook ------------------------------------------------------------------------------------------------------


class _StaysThere(HTTPRedirectHandler):
    """Only the address that the site has named is contacted."""

    def redirect_request(self, *_told: Any) -> None:
        return None


def signature(key: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA-256 over `timestamp.body`: who knows the key has sent these bytes then."""
    digest = hmac.new(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


def _webhook(channel: Channel, notice: Notice, now: float, deadline_s: float) -> None:
    """Straight to the address: no proxy, no redirect. Any 2xx is taken for taken."""
    url = channel.url or _held(channel.url_file or "")
    if not url.startswith(("http://", "https://")):
        raise _Unusable(f"expected http:// or https:// in {channel.url_file}, found another")
    key = _held(channel.secret_file or "")
    if len(key) < SHORTEST_KEY:
        raise _Unusable(f"expected at least {SHORTEST_KEY} characters in {channel.secret_file}, found {len(key)}")
    body, timestamp = body_of(notice), str(int(now))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "drillctl",
        "X-Drillctl-Id": notice.id,
        "X-Drillctl-Timestamp": timestamp,
        "X-Drillctl-Signature": signature(key, timestamp, body),
    }
    request = Request(url, data=body, headers=headers, method="POST")  # noqa: S310 - checked above
    try:
        with build_opener(_StaysThere, ProxyHandler({})).open(request, timeout=deadline_s):
            return
    except HTTPError as error:
        with error:
            raise _Unusable(f"expected 2xx, found {error.code} {error.reason}") from error
    except URLError as error:
        reason = error.reason
        raise _Unusable(_said(reason) if isinstance(reason, Exception) else str(reason)) from error
    except HTTPException as error:
        raise _Unusable(f"expected an answer in HTTP, found {type(error).__name__}") from error


# -- mail ---------------------------------------------------------------------------------------------------------


def _mail(channel: Channel, notice: Notice, deadline_s: float) -> None:
    host, _, port = (channel.server or "").partition(":")
    number = int(port or _SMTP_PORT)
    kind = smtplib.SMTP_SSL if number == _SMTPS_PORT else smtplib.SMTP
    with kind(host, number, timeout=deadline_s) as server:
        server.ehlo()
        if number != _SMTPS_PORT and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        server.send_message(_message(channel, notice))


def _message(channel: Channel, notice: Notice) -> EmailMessage:
    subject, text = _in_both(notice)
    message = EmailMessage()
    message["From"] = channel.sender or ""
    message["To"] = channel.to or ""
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.fromtimestamp(notice.at, UTC))
    message["Message-ID"] = f"<{notice.id}@{(channel.sender or '').partition('@')[2] or 'localhost'}>"
    message.set_content(text)
    return message


# -- a folder -----------------------------------------------------------------------------------------------------


def _folder(folder: Path, notice: Notice) -> None:
    """A file appears whole or not at all; one that is there already says the same."""
    if not folder.is_dir():
        raise _Unusable(f"expected a folder, found none at {folder} (is the disk mounted?)")
    text = json.dumps(notice.model_dump(mode="json"), ensure_ascii=False, indent=1, sort_keys=True)
    replace(folder / f"{notice.id}.json", f"{text}\n".encode())
