"""The session events in a gateway's own log, by the site's patterns. Changes nothing.

Runs on gateway hosts: Python 3.6 or later, standard library only. `spec` is the topology's `LogFile`.
"""

import os
import re
import time
from typing import Any, BinaryIO, Dict, Iterator, List, NamedTuple, Optional, Pattern, Tuple

EVENTS = ("connected", "logged_in", "lost", "logged_out", "refused")
TAIL = 1 << 20  # our choice: how much of the end of a log is read
_DIGITS = {"Y": "[0-9]{4}", "f": "[0-9]{1,9}", "j": "[0-9]{3}", "z": r"[+-][0-9:]{4,6}"}
_BELOW = {"H": 24, "M": 60, "S": 62}  # as strptime has it
_NUMBERS = "YmdHMSf"  # directives that are read here: `strptime` loads locale and calendar while a gateway is down


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


class Reader:
    """One gateway's log. What was read before is not read again, as long as it is the same log, grown."""

    def __init__(self, spec: Dict[str, Any], encoding: str) -> None:
        self._spec, self._encoding = spec, encoding
        self._log: Tuple[int, int] = (0, 0)  # inode, and up to where its whole lines have been read
        self._found: List[LogEvent] = []

    def events(self, now: float) -> List[LogEvent]:
        """The events in the last part of the log, in order. No log: none."""
        try:
            with open(self._spec["path"], "rb") as file:
                inode, size = place_of(os.fstat(file.fileno()))
                if not self._goes_on(file, inode, size):
                    self._log, self._found = (inode, max(0, size - TAIL)), []
                begin = self._log[1]
                file.seek(begin)
                data = file.read()
        except FileNotFoundError:
            self._log, self._found = (0, 0), []
            return []
        whole = data.rfind(b"\n") + 1
        self._log = (inode, begin + whole)
        self._found += _parse(data[:whole], begin, self._spec, self._encoding, now)
        return self._found + list(_parse(data[whole:], begin + whole, self._spec, self._encoding, now))

    def _goes_on(self, file: BinaryIO, inode: int, size: int) -> bool:
        """Whether what has been read still stands before what has not."""
        known, read = self._log
        if inode != known or not 0 < read <= size:
            return False
        file.seek(read - 1)
        return file.read(1) == b"\n"


def size(spec: Dict[str, Any]) -> int:
    """Where the next line will be written."""
    return place(spec)[1]


def place(spec: Dict[str, Any]) -> Tuple[int, int]:
    """(inode, size) of the log: the same inode and no smaller size is the same log, grown. No log: zeros."""
    try:
        return place_of(os.stat(spec["path"]))
    except FileNotFoundError:
        return 0, 0


def place_of(found: os.stat_result) -> Tuple[int, int]:
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


def _time_pattern(time_format: str, named: bool = False) -> str:
    """`named`: each number in a group of its directive's name."""
    pieces = re.split(r"%([A-Za-z%])", time_format)
    result = re.escape(pieces[0])
    for code, literal in zip(pieces[1::2], pieces[2::2]):
        form = "%" if code == "%" else _DIGITS.get(code, "[0-9]{1,2}" if code in "mdHMSIyU" else r"\S+?")
        result += f"(?P<{code}>{form})" if named and code != "%" else form
        result += re.escape(literal)
    return result


def _time(text: str, time_format: str, now: float) -> Optional[float]:
    """Seconds since the epoch; what the format leaves out (year, date) is today's. Never in the future."""
    codes = [code for code in re.findall(r"%([A-Za-z%])", time_format) if code != "%"]
    if set(codes) <= set(_NUMBERS) and len(codes) == len(set(codes)):
        stamp = _of_numbers(text, time_format, now)
    else:
        stamp = _of_words(text, time_format, now)
    return None if stamp is None else min(stamp, now)


def _of_numbers(text: str, time_format: str, now: float) -> Optional[float]:
    match = re.match(_time_pattern(time_format, named=True) + r"\Z", text)
    if match is None:
        return None
    said, today = match.groupdict(), time.localtime(now)
    year = int(said.get("Y", today.tm_year))
    month, day = (int(said.get("m", 1)), int(said.get("d", 1))) if "d" in said or "Y" in said else today[1:3]
    clock = {code: int(said.get(code, 0)) for code in _BELOW}
    try:
        stamp = time.mktime((year, month, day, clock["H"], clock["M"], clock["S"], 0, 0, -1))
        there_is = time.localtime(stamp)[:3] == (year, month, day) and all(clock[code] < _BELOW[code] for code in clock)
    except (OverflowError, ValueError, OSError):
        return None
    return stamp + float("0." + said.get("f", "0")) if there_is else None


def _of_words(text: str, time_format: str, now: float) -> Optional[float]:
    from datetime import datetime  # noqa: PLC0415 - names of months and the like: few logs have them

    try:
        stamp = datetime.strptime(text, time_format)  # noqa: DTZ007 - a log has the host's local time
    except ValueError:
        return None
    today = datetime.fromtimestamp(now)  # noqa: DTZ006 - as above
    if "%Y" not in time_format and "%y" not in time_format and "%s" not in time_format:
        stamp = stamp.replace(year=today.year)
        if "%d" not in time_format:
            stamp = stamp.replace(month=today.month, day=today.day)
    return stamp.timestamp()
