"""Reads what a vendor's support needs to find a fault: logs, data files, configuration, state. Changes nothing.

Runs on gateway hosts: Python 3.6 or later, standard library only. Answers on stdout: MARK, then one line of JSON per
record; that of a file is followed by exactly `bytes` bytes of content. It writes no file, opens none that is not a
plain one, and takes no more than the request allows: of a file that is too large its newest part. What may not leave
the host is replaced here: in a configuration every value that is not the list, in texts what a name beside it calls a
secret; private keys and key stores are not taken at all.
"""

import fnmatch
import glob
import itertools
import json
import os
import re
import signal
import stat
import sys
import time
from typing import Any, Dict, Iterator, NamedTuple, Set, Tuple

import support_facts
import support_texts
import vendor_redaction

MARK = b"DRILLCTL-SUPPORT\n"
_MOST_NAMES = 2000  # our choice: files of one pattern that are looked at; a folder of more is named as such
_LEAST = 4096  # bytes, our choice: with less left, nothing more is read
_NICE = 10  # our choice: a gateway on the same host goes first
_STORES = (".pfx", ".p12", ".jks", ".keystore", ".key", ".kdb")
_PACKED = (".gz", ".zip", ".xz", ".bz2", ".zst", ".rar", ".7z")
_WILD = re.compile(r"[*?\[]")


class Wanted(NamedTuple):
    """One thing to be read, as the site's profile names it; `root` is the folder that a wildcard may not leave."""

    gateway: Dict[str, Any]
    kind: str
    pattern: str
    root: str


class Taken(NamedTuple):
    """What may leave the host of one file."""

    content: bytes
    start: int
    redaction: str
    replaced: int


def main(request: Dict[str, Any]) -> None:
    """Answer, and be gone by the deadline even if the controller is not heard of any more."""
    signal.alarm(int(request["deadline_s"]) + 1)
    os.nice(_NICE)
    out = sys.stdout.buffer
    facts = support_facts.host(request)
    out.write(MARK)
    out.flush()
    sys.stdin.buffer.readline()  # the controller asks for the time, so that it can tell how long the answer took
    _tell(out, dict(facts, record="host", at=time.time(), monotonic=time.monotonic()))
    for gateway in request["gateways"]:
        _tell(out, dict(support_facts.gateway(gateway), record="gateway", id=gateway["id"]))
    for record, content in _files(request):
        _tell(out, dict(record, record="file", bytes=len(content)))
        out.write(content)
    _tell(out, {"record": "end"})


def _tell(out: Any, record: Dict[str, Any]) -> None:
    out.write(json.dumps(record).encode("ascii") + b"\n")
    out.flush()


def _files(request: Dict[str, Any]) -> Iterator[Tuple[Dict[str, Any], bytes]]:
    """(record, content). What is small and tells most comes first, then the newest."""
    left = request["most_host"]
    for _, wanted, path, why_not in sorted(_chosen(request), key=lambda item: item[0]):
        record = {"path": path, "kind": wanted.kind, "gateway": wanted.gateway["id"], "missing": why_not}
        content = b""
        if not why_not and left < _LEAST:
            record["missing"] = f"the host's {request['most_host']} bytes are used up"
        elif not why_not:
            record, content = _read(record, wanted, path, min(request["most_file"], left))
        left -= len(content)
        yield record, content


_ORDER = ("configuration", "status", "log", "data")
Choice = Tuple[Tuple[int, float, str], Wanted, str, str]


def _chosen(request: Dict[str, Any]) -> Iterator[Choice]:
    """(place in the order, what for, path, why it is not taken). Each file once, however many patterns find it."""
    seen: Set[Tuple[str, str]] = set()
    for wanted in sorted(_all_wanted(request), key=lambda item: _ORDER.index(item.kind)):
        for path, why_not in _found(wanted, request):
            name = os.path.realpath(path)
            if (name, why_not) not in seen and (name, "") not in seen:
                seen.add((name, why_not))
                yield (_ORDER.index(wanted.kind), -_changed_at(path), path), wanted, path, why_not


def _all_wanted(request: Dict[str, Any]) -> Iterator[Wanted]:
    for gateway in request["gateways"]:
        for kind, pattern in gateway["files"]:
            fixed = _WILD.split(pattern)[0]
            yield Wanted(gateway, kind, pattern, os.path.dirname(fixed))


def _changed_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _found(wanted: Wanted, request: Dict[str, Any]) -> Iterator[Tuple[str, str]]:
    """(path, why it is not taken)."""
    if not _WILD.search(wanted.pattern):
        yield wanted.pattern, _why_not(wanted.pattern, wanted.pattern, request)
        return
    names = list(itertools.islice(glob.iglob(wanted.pattern), _MOST_NAMES + 1))
    files = [name for name in names[:_MOST_NAMES] if not os.path.isdir(name)]
    if not files:
        yield wanted.pattern, _why_nothing(wanted.root)
    for name in files:
        inside = os.path.realpath(wanted.root) + "/"
        real = os.path.realpath(name)
        leads_out = "" if real.startswith(inside) else f"a link that leads out of {wanted.root}"
        yield name, leads_out or _why_not(name, wanted.pattern, request)
    if len(names) > _MOST_NAMES:
        yield wanted.pattern, f"matches more than {_MOST_NAMES} files; the others were not looked at"


def _why_nothing(root: str) -> str:
    if not os.path.isdir(root):
        return f"no folder {root}"
    if not os.access(root, os.R_OK | os.X_OK):
        return f"the folder {root} cannot be read by this user"
    return "matches nothing"


def _why_not(path: str, pattern: str, request: Dict[str, Any]) -> str:
    try:
        found = os.stat(path)
    except OSError as error:
        return str(error.strerror)
    if not stat.S_ISREG(found.st_mode):
        return "not a plain file"
    if os.path.realpath(path).lower().endswith(_STORES):
        return "a key store is never taken"
    if any(fnmatch.fnmatch(path, other) for other in request["leave_out"]):
        return "left out on request"
    if request["since"] is not None and found.st_mtime < request["since"] and _WILD.search(pattern):
        return "last changed before the time asked for"
    return ""


def _read(record: Dict[str, Any], wanted: Wanted, path: str, most: int) -> Tuple[Dict[str, Any], bytes]:
    try:
        handle = _opened(path)
    except OSError as error:
        return dict(record, missing=str(error.strerror)), b""
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        record = dict(record, size=found.st_size, mode=stat.S_IMODE(found.st_mode), mtime=found.st_mtime)
        if not stat.S_ISREG(found.st_mode):
            return dict(record, missing="not a plain file"), b""
        if wanted.kind == "configuration":
            return _configuration(record, wanted, file.read(most + 1), most)
        start = max(0, found.st_size - most)
        if start and path.lower().endswith(_PACKED):
            return dict(record, missing=f"larger than the {most} bytes that may be taken, and of no use in part"), b""
        file.seek(start)
        data = file.read(min(found.st_size, most))
    if support_texts.PRIVATE in data:
        return dict(record, missing="holds a private key, which is never taken"), b""
    taken = _part(data, start, bytes.fromhex(wanted.gateway["key"]), most)
    return dict(record, start=taken.start, redaction=taken.redaction, replaced=taken.replaced), taken.content


def _opened(path: str) -> int:
    """Nothing waits at a pipe, and where this user may, not even the time of the last look changes."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        return os.open(path, flags)


def _configuration(record: Dict[str, Any], wanted: Wanted, data: bytes, most: int) -> Tuple[Dict[str, Any], bytes]:
    """Whole or not at all: what is cut off cannot be read as its profile says."""
    if len(data) > most:
        return dict(record, missing=f"larger than the {most} bytes that may be taken, and never taken in part"), b""
    gateway = wanted.gateway
    text = vendor_redaction.redacted(data, gateway["config"], gateway["number"], bytes.fromhex(gateway["key"]))
    return dict(record, start=0, redaction="configuration", replaced=text.count("hmac:")), text.encode("utf-8")


def _part(data: bytes, start: int, key: bytes, most: int) -> Taken:
    """A text that is cut begins with a whole line. Digests may be longer than what they stand for: then more is cut."""
    if b"\0" in data:
        return Taken(data, start, "none, not a text", 0)
    cut = data.find(b"\n") + 1 if start else 0
    content, replaced = support_texts.redacted(data[cut:], key)
    while len(content) > most:
        cut += data[cut:].find(b"\n", len(content) - most) + 1 or len(data) - cut
        content, replaced = support_texts.redacted(data[cut:], key)
    return Taken(content, start + cut, "named values", replaced)
