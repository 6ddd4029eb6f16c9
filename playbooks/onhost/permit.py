"""May this request still change this host? The run's token, the deadline and the order of requests.

Runs on gateway hosts: Python 3.6 or later, standard library only. A host that was frozen or cut off can
carry out a request long after the controller gave it up, or after its undo. So every request asks here
before each change. What is kept on the host is one folder, `/var/tmp/drillctl-USER/` (mode 700):
`token.json` (run and epoch), and per gateway `turn-…` (the newest request), `lock-…`, `original-…` (files as
they were) and `written-…` (digests of what the run wrote). `cleanup` removes it.
"""

import contextlib
import fcntl
import json
import os
import pwd
import shutil
import stat
import time
from typing import IO, Any, Callable, Dict, List, Optional

_POLL_S = 0.02  # our choice: how often a condition is looked at
_PARENT = "/var/tmp"  # noqa: S108 - survives a reboot, and `make_work_folder` refuses a folder of somebody else
_MODE = 0o700
_SHARE = 4  # our choice: looking takes at most a fifth of one processor


class Refusal(Exception):
    """The request is not carried out; this request has changed nothing."""


class Failure(Exception):
    """The request was begun and did not reach its end."""


def work_folder(request: Dict[str, Any]) -> str:
    """The only place on a host where anything of ours is kept."""
    user = pwd.getpwuid(os.getuid()).pw_name
    return str(request.get("work_dir") or os.path.join(_PARENT, "drillctl-" + user))


def make_work_folder(folder: str) -> None:
    """Make it, or refuse one that somebody else could write to."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, _MODE)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise Refusal(f"expected {folder} to be a folder of this user with mode 700, found something else")


def read_token(folder: str) -> Optional[Dict[str, Any]]:
    """The token on the host, or None."""
    return _read_json(os.path.join(folder, "token.json"))


def install_token(request: Dict[str, Any]) -> None:
    """Put the run's token on the host. Run ids begin with their start time, so an older run's is refused."""
    folder = work_folder(request)
    make_work_folder(folder)
    with open(os.path.join(folder, "lock-token"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = read_token(folder)
        wanted = {"run": request["run"], "epoch": request["token"]}
        if found and (found["run"], found["epoch"]) > (wanted["run"], wanted["epoch"]):
            raise Refusal(f"expected no newer token than {_shown(wanted)} on the host, found {_shown(found)}")
        write_json(os.path.join(folder, "token.json"), wanted)


def remove_work_folder(request: Dict[str, Any]) -> bool:
    """Remove everything of ours. True if there was something; a folder of another run is left alone."""
    folder = work_folder(request)
    found = read_token(folder)
    if found and found["run"] != request["run"]:
        raise Refusal(f"expected a folder of run {request['run']}, found one of {_shown(found)}")
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return False
    return True


def original(request: Dict[str, Any], sha256: str) -> Optional[bytes]:
    """The file with this digest as it was kept on this host, or None."""
    try:
        with open(_original(request, sha256), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _original(request: Dict[str, Any], sha256: str) -> str:
    return os.path.join(work_folder(request), f"original-{request['name']}-{sha256}")


def written(request: Dict[str, Any]) -> List[str]:
    """Digests of all files that this run has put in this target's place, or was about to."""
    found = _read_json(_written_file(request)) or {}
    return list(found.get("digests", []))


def _written_file(request: Dict[str, Any]) -> str:
    return os.path.join(work_folder(request), f"written-{request['name']}.json")


def write_json(path: str, value: Dict[str, Any]) -> None:
    """Replace the file as a whole, on disk before this returns."""
    temporary = f"{path}.{os.getpid()}.new"
    with open(temporary, "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _read_json(path: str) -> Optional[Dict[str, Any]]:
    try:
        with open(path) as file:
            found = json.load(file)
    except FileNotFoundError:
        return None
    return found if isinstance(found, dict) else None


def _shown(token: Dict[str, Any]) -> str:
    return f"{token['run']} epoch {token['epoch']}"


class Permit:
    """One request's right to change things on this host."""

    def __init__(self, request: Dict[str, Any]) -> None:
        self._request = request
        self._folder = work_folder(request)
        self._name = request["name"]
        self._end = time.monotonic() + float(request["deadline_s"])
        self._deadline_at = float(request["deadline_at"])
        self._turn: Optional[Dict[str, Any]] = None
        self._lock: Optional[IO[str]] = None
        self.touched = False  # set before the first change: from then on an error is no refusal

    def left_s(self) -> float:
        """Seconds until the deadline, by whichever of the two clocks is nearer to it."""
        return min(self._end - time.monotonic(), self._deadline_at - time.time())

    def require(self, what: str) -> None:
        """Raise unless this request may still do `what`. Asked before each change."""
        error = Failure if self.touched else Refusal
        if self.left_s() <= 0:
            raise error(f"the deadline has passed: {what} is not done")
        found = read_token(self._folder)
        if found is None or (found["run"], found["epoch"]) != (self._request["run"], self._request["token"]):
            shown = _shown(found) if found else "none"
            raise error(
                f"expected token {self._request['run']} epoch {self._request['token']} on the host, "
                f"found {shown}: {what} is not done"
            )
        if self._turn and _read_json(self._turn_file()) != self._turn:
            raise error(f"a later request has taken over: {what} is not done")

    def begin(self) -> None:
        """Take the turn from an older request of the same target, and wait until that one has let go."""
        self.require("the request")
        before = _read_json(self._turn_file())
        sequence = self._request.get("sequence", 0)
        if before and sequence < before["sequence"]:
            raise Refusal(f"expected no later request than {sequence} on the host, found {before['sequence']}")
        turn = {"sequence": sequence, "process": os.getpid(), "at": time.time()}
        write_json(self._turn_file(), turn)
        lock = open(os.path.join(self._folder, "lock-" + self._name), "w")  # noqa: SIM115 - held until `end`
        if not self.wait(lambda: _locked(lock), self.left_s()):
            lock.close()
            raise Refusal("an earlier request is still at work on the same target at the deadline")
        self._turn, self._lock = turn, lock
        self.require("the request")

    def end(self) -> None:
        if self._lock:
            self._lock.close()

    def wait(self, condition: Callable[[], bool], timeout_s: float, what: str = "waiting") -> bool:
        """Poll until the condition holds; False when the time is over. Ends early if the turn is lost."""
        until = time.monotonic() + timeout_s
        begin = time.monotonic()
        while not condition():
            if self._turn and _read_json(self._turn_file()) != self._turn:
                raise Failure(f"a later request has taken over: stopped {what}")
            now = time.monotonic()
            if now >= until:
                return False
            time.sleep(min(max(_POLL_S, _SHARE * (now - begin)), until - now))
            begin = time.monotonic()
        return True

    def keep_original(self, sha256: str, data: bytes) -> None:
        """Keep a file as it was before its first change."""
        path = _original(self._request, sha256)
        if os.path.exists(path):
            return
        descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)

    def note_written(self, sha256: str) -> None:
        """Noted before it is written: an attempt that is cut off in between must still know its own file."""
        write_json(_written_file(self._request), {"digests": [*written(self._request), sha256]})

    def _turn_file(self) -> str:
        return os.path.join(self._folder, f"turn-{self._name}.json")


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def residue(folder: str) -> List[str]:
    """What of ours is on this host, as sorted paths."""
    return sorted(os.path.join(folder, name) for name in os.listdir(folder)) if os.path.isdir(folder) else []
