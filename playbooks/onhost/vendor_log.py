"""The session events in a gateway's own log, by the site's patterns. Changes nothing.

Runs on gateway hosts: Python 3.6 or later, standard library only. `spec` is the topology's `LogFile`.
"""

import os
import re
from datetime import datetime
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Pattern, Tuple

EVENTS = ("connected", "logged_in", "lost", "logged_out", "refused")
TAIL = 1 << 20  # our choice: how much of the end of a log is read
_DIGITS = {"Y": "[0-9]{4}", "f": "[0-9]{1,9}", "j": "[0-9]{3}", "z": r"[+-][0-9:]{4,6}"}


class LogEvent(NamedTuple):
    """`at` is seconds since the epoch by this host's clock; `offset` is where the line begins in the file."""

    at: float
    event: str
    endpoint: Optional[str]
    offset: int


class History(NamedTuple):
    """What the log says of the gateway's log-in.

    open: a log-in may be held (it connected or logged in, and nothing ended that since); None: no event seen.
    lost_at: when a session last broke off without a log-out.
    """

    open: Optional[bool]
    lost_at: Optional[float]


def events(spec: Dict[str, Any], encoding: str, now: float) -> List[LogEvent]:
    """The events in the last part of the log, in order. No log: none."""
    try:
        with open(spec["path"], "rb") as file:
            size = file.seek(0, os.SEEK_END)
            begin = max(0, size - TAIL)
            file.seek(begin)
            data = file.read()
    except FileNotFoundError:
        return []
    return list(_parse(data, begin, spec, encoding, now))


def size(spec: Dict[str, Any]) -> int:
    """Where the next line will be written."""
    return place(spec)[1]


def place(spec: Dict[str, Any]) -> Tuple[int, int]:
    """(inode, size) of the log: the same inode and no smaller size is the same log, grown. No log: zeros."""
    try:
        found = os.stat(spec["path"])
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_size


def history(found: List[LogEvent]) -> History:
    """Follow the events to what they leave behind. A refusal ends only the attempt that it answers."""
    opened: Optional[bool] = None
    before_attempt: Optional[bool] = None
    lost_at: Optional[float] = None
    for item in found:
        if item.event == "connected":
            before_attempt, opened = opened, True
        elif item.event == "refused":
            opened = before_attempt
        else:
            opened = before_attempt = item.event == "logged_in"
        if item.event == "lost":
            lost_at = item.at
    return History(opened, lost_at)


def _parse(data: bytes, begin: int, spec: Dict[str, Any], encoding: str, now: float) -> Iterator[LogEvent]:
    line_form = _pattern(spec["line"], spec["time_format"])
    forms = [(name, _pattern(spec[name], spec["time_format"])) for name in EVENTS]
    offset = begin
    for raw in data.splitlines(True):
        line = line_form.match(_text(raw, encoding))
        for name, form in forms if line else ():
            match = form.match(line.group("text")) if line else None
            at = _time(line.group("time"), spec["time_format"], now) if line and match else None
            if match and at is not None:
                yield LogEvent(at, name, match.groupdict().get("endpoint"), offset)
                break
        offset += len(raw)


def _text(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return raw.decode(encoding, "replace").rstrip("\r\n")


def _pattern(form: str, time_format: str) -> Pattern[str]:
    parts = {
        "{time}": "(?P<time>" + _time_pattern(time_format) + ")",
        "{text}": "(?P<text>.*)",
        "{endpoint}": "(?P<endpoint>[A-Za-z0-9_.-]+:[0-9]{1,5})",
        "{*}": ".*?",
    }
    pieces = re.split(r"(\{time\}|\{text\}|\{endpoint\}|\{\*\})", form)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces) + r"\Z")


def _time_pattern(time_format: str) -> str:
    pieces = re.split(r"%([A-Za-z%])", time_format)
    result = re.escape(pieces[0])
    for code, literal in zip(pieces[1::2], pieces[2::2]):
        result += "%" if code == "%" else _DIGITS.get(code, "[0-9]{1,2}" if code in "mdHMSIyU" else r"\S+?")
        result += re.escape(literal)
    return result


def _time(text: str, time_format: str, now: float) -> Optional[float]:
    """Seconds since the epoch; what the format leaves out (year, date) is today's. Never in the future."""
    try:
        stamp = datetime.strptime(text, time_format)  # noqa: DTZ007 - a log has the host's local time
    except ValueError:
        return None
    today = datetime.fromtimestamp(now)  # noqa: DTZ006 - as above
    if "%Y" not in time_format and "%y" not in time_format and "%s" not in time_format:
        stamp = stamp.replace(year=today.year)
        if "%d" not in time_format:
            stamp = stamp.replace(month=today.month, day=today.day)
    return min(stamp.timestamp(), now)
