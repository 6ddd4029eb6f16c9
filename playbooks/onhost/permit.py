"""May this request still change this host? The run's token, the deadline and the order of requests.

Runs on gateway hosts: Python 3.6 or later, standard library only. A host that was frozen or cut off can
carry out a request long after the controller gave it up, or after its undo. So every request asks here
before each change. What is kept on the host is one folder, `/var/tmp/drillctl-USER/` (mode 700):
`token.json` (run and epoch), `program-…` (see staged.py), and per target `turn-…` (the newest request), `lock-…`,
`original-…` (files as they were), `written-…` (digests of what the run wrote), `out-…` (how far its stop has come) and
`result-…` (how each attempt ended, see attempts.py). `cleanup` removes it. After an incident its `original-…` files go
on in `/var/tmp/drillctl-USER-kept/`, until the way home of that incident has put them back.
"""

import contextlib
import fcntl
import json
import os
import re
import signal
import time
from typing import IO, Any, Callable, Dict, Iterator, List, Optional, Tuple

from staged import is_own, work_folder

_POLL_S = 0.005  # our choice: how often a condition is looked at, where looking takes no longer than a quarter of it
_KEPT = "-kept"
_MODE = 0o700
_ORIGINAL = re.compile("original-(.+)-[0-9a-f]{64}$")
_TOKEN_LOCK = "lock-token"  # noqa: S105 - the name of a file
_SHARE = 4  # our choice: looking takes at most a fifth of one processor
_IDLE_S = 5.0  # our choice: how long `preflight` and `cleanup` wait for another request, where they do not say it


class Refusal(Exception):
    """The request is not carried out; this request has changed nothing."""


class Failure(Exception):
    """The request was begun and did not reach its end."""


def make_work_folder(folder: str) -> None:
    """Make it, or refuse one that somebody else could write to."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, _MODE)
    if not is_own(folder):
        raise Refusal(f"expected {folder} to be a folder of this user with mode 700, found something else")


def read_token(folder: str) -> Optional[Dict[str, Any]]:
    """The token on the host, or None."""
    return read_json(os.path.join(folder, "token.json"))


def install_token(request: Dict[str, Any]) -> None:
    """Put the run's token on the host. Run ids begin with their start time, so an older run's is refused."""
    folder = work_folder(request)
    make_work_folder(folder)
    with _held(os.path.join(folder, _TOKEN_LOCK), float(request.get("deadline_s", _IDLE_S))):
        found = read_token(folder)
        wanted = {"run": request["run"], "epoch": request["token"]}
        if found and (found["run"], found["epoch"]) > (wanted["run"], wanted["epoch"]):
            raise Refusal(f"expected no newer token than {_shown(wanted)} on the host, found {_shown(found)}")
        write_json(os.path.join(folder, "token.json"), wanted)


def remove_work_folder(request: Dict[str, Any]) -> bool:
    """Remove everything of ours. True if there was something.

    A folder of another run, of a newer epoch of this run, or of a request that is still at work is left alone.
    The token goes first: what is cut off in between can be asked for again, and no request begins meanwhile.
    """
    folder, timeout_s = work_folder(request), float(request.get("wait_idle_s", _IDLE_S))
    try:
        with contextlib.ExitStack() as held:
            held.enter_context(_held(os.path.join(folder, _TOKEN_LOCK), timeout_s))
            _require_own(request, read_token(folder))
            for name in _locks(folder):
                held.enter_context(_held(os.path.join(folder, name), timeout_s))
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, "token.json"))
            if request.get("keep_originals"):
                _keep_originals(folder)
            import shutil  # noqa: PLC0415 - takes longer to import than a look at a gateway; only a cleanup needs it

            shutil.rmtree(folder)
    except FileNotFoundError:
        return False
    return True


def _keep_originals(folder: str) -> None:
    """Where nobody cleans up who does not know of them: files that only the way home of an incident needs."""
    names = [name for name in os.listdir(folder) if _ORIGINAL.match(name)]
    if names:
        make_work_folder(folder + _KEPT)
    for name in names:
        os.replace(os.path.join(folder, name), os.path.join(folder + _KEPT, name))


def forget_originals(request: Dict[str, Any]) -> bool:
    """Remove what was kept of these gateways: they are home. True if there was something."""
    kept, gateways = work_folder(request) + _KEPT, request.get("forget_originals", [])
    found = [name for name in _names(kept) for match in [_ORIGINAL.match(name)] if match and match[1] in gateways]
    for name in found:
        os.unlink(os.path.join(kept, name))
    if os.path.isdir(kept) and not os.listdir(kept):
        os.rmdir(kept)
    return bool(found)


def _names(folder: str) -> List[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _require_own(request: Dict[str, Any], found: Optional[Dict[str, Any]]) -> None:
    if found and (found["run"] != request["run"] or found["epoch"] > request["token"]):
        wanted = {"run": request["run"], "epoch": request["token"]}
        raise Refusal(f"expected a folder of run {_shown(wanted)} or older, found one of {_shown(found)}")


def _locks(folder: str) -> List[str]:
    """Names of the targets' lock files, in one order for everybody."""
    names = os.listdir(folder)
    return sorted(name for name in names if name.startswith("lock-") and name != _TOKEN_LOCK)


@contextlib.contextmanager
def _held(path: str, timeout_s: float) -> Iterator[None]:
    """Hold a lock. Refusal if a request at work has it for so long."""
    until = time.monotonic() + timeout_s
    lock = _try_lock(path)
    while lock is None:
        if time.monotonic() >= until:
            raise Refusal(f"a request is still at work: expected {path} free within {timeout_s:.0f} s, found it held")
        time.sleep(_POLL_S)
        lock = _try_lock(path)
    try:
        yield
    finally:
        lock.close()


def _try_lock(path: str) -> Optional[IO[str]]:
    """The lock, held, or None. A lock whose file was removed meanwhile is nobody's, and not taken."""
    lock = open(path, "a+")  # noqa: SIM115 - held until it is closed
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock.fileno()), os.stat(path)):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    lock.close()
    return None


def original(request: Dict[str, Any], sha256: str) -> Optional[bytes]:
    """The file with this digest as it was kept on this host, or None."""
    path = _original(request, sha256)
    for place in (path, os.path.join(work_folder(request) + _KEPT, os.path.basename(path))):
        with contextlib.suppress(FileNotFoundError), open(place, "rb") as file:
            return file.read()
    return None


def _original(request: Dict[str, Any], sha256: str) -> str:
    return os.path.join(work_folder(request), f"original-{request['name']}-{sha256}")


def written(request: Dict[str, Any]) -> List[str]:
    """Digests of all files that this run has put in this target's place, or was about to."""
    found = read_json(_written_file(request)) or {}
    return list(found.get("digests", []))


def _written_file(request: Dict[str, Any]) -> str:
    return os.path.join(work_folder(request), f"written-{request['name']}.json")


def noted_way_out(request: Dict[str, Any]) -> Dict[str, Any]:
    """What the target's last stop noted; empty where none was, or where it was started since."""
    return read_json(_way_out_file(request)) or {}


def _way_out_file(request: Dict[str, Any]) -> str:
    return os.path.join(work_folder(request), f"out-{request['name']}.json")


def is_held(request: Dict[str, Any]) -> bool:
    """Whether a request has the target now. Makes nothing."""
    try:
        with open(_lock_file(request)) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def was_cut_off(request: Dict[str, Any]) -> bool:
    """Whether the last request that had the target never let go of it by itself."""
    try:
        with open(_lock_file(request)) as lock:
            return bool(lock.read())
    except FileNotFoundError:
        return False


def _lock_file(request: Dict[str, Any]) -> str:
    return os.path.join(work_folder(request), "lock-" + request["name"])


def write_json(path: str, value: Dict[str, Any]) -> None:
    """Replace the file as a whole, on disk before this returns."""
    temporary = f"{path}.{os.getpid()}.new"
    with open(temporary, "w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_json(path: str) -> Optional[Dict[str, Any]]:
    """What `write_json` has put there; None without the file."""
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
        self.after_cut_off = False  # the request before this one was ended in the middle

    @property
    def began(self) -> bool:
        """The target is this request's own until `end`."""
        return self._lock is not None

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
        if self._is_superseded():
            raise error(f"a later request has taken over: {what} is not done")

    def begin(self) -> None:
        """Take the turn from an older request of the same target, and wait until that one has let go."""
        self.require("the request")
        self._take_turn()
        if not self.wait(self._take_lock, self.left_s(), "waiting for an earlier request"):
            raise Refusal("an earlier request is still at work on the same target at the deadline")
        self._forget_older_turns()
        self.require("the request")

    def end(self) -> None:
        """Let go of the target. A request that does not get here was cut off, and the next one sees that."""
        if self._lock:
            with contextlib.suppress(OSError):
                self._lock.truncate(0)
            self._lock.close()

    def _take_turn(self) -> None:
        """Every request has a file of its own, and the newest one's counts: one that was frozen in between and
        writes its file late takes nothing from a newer one.
        """
        keys = {"run": self._request["run"], "epoch": self._request["token"]}
        turn = {**keys, "sequence": self._request.get("sequence", 0), "at": time.time(), "process": os.getpid()}
        newest = self._newest_turn()
        if newest and _rank(newest) > _rank(turn):
            raise Refusal(f"expected no later request than {turn['sequence']} on the host, found {newest['sequence']}")
        write_json(os.path.join(self._folder, f"turn-{self._name}.{os.urandom(8).hex()}.json"), turn)
        self._turn = turn

    def _is_superseded(self) -> bool:
        return self._turn is not None and self._newest_turn() != self._turn

    def _newest_turn(self) -> Optional[Dict[str, Any]]:
        return max(filter(None, map(read_json, self._turn_files())), key=_order, default=None)

    def _turn_files(self) -> List[str]:
        form = re.compile("turn-" + re.escape(self._name) + r"\.[0-9a-f]{16}\.json")
        return [os.path.join(self._folder, name) for name in os.listdir(self._folder) if form.fullmatch(name)]

    def _forget_older_turns(self) -> None:
        for path in self._turn_files():
            found = read_json(path)
            if found and self._turn and _order(found) < _order(self._turn):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    def _take_lock(self) -> bool:
        """Whether the target is ours now. An earlier request that is stopped would go on late: it is ended."""
        path = _lock_file(self._request)
        self._lock = _try_lock(path)
        if self._lock is None:
            if not self._is_superseded():
                _end_if_stopped(path)
            return False
        self._lock.seek(0)
        self.after_cut_off = bool(self._lock.read())
        self._lock.truncate(0)
        json.dump({"process": os.getpid(), "started": _process(os.getpid())[1]}, self._lock)
        self._lock.flush()
        return True

    def wait(self, condition: Callable[[], bool], timeout_s: float, what: str = "waiting") -> bool:
        """Poll until the condition holds; False when the time is over. Failure as soon as the turn is lost."""
        until = time.monotonic() + timeout_s
        begin = time.monotonic()
        while not condition():
            if self._is_superseded():
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
        known = written(self._request)
        if sha256 not in known:
            write_json(_written_file(self._request), {"digests": [*known, sha256]})

    def note_way_out(self, noted: Dict[str, Any]) -> None:
        """How far the target's stop has come: a request that takes over need not guess."""
        write_json(_way_out_file(self._request), noted)

    def noted_way_out(self) -> Dict[str, Any]:
        return noted_way_out(self._request)

    def forget_way_out(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_way_out_file(self._request))


def _rank(turn: Dict[str, Any]) -> Tuple[Any, ...]:
    """A run goes before those that began earlier, an orchestrator before those whose run it took over."""
    return turn["run"], turn["epoch"], turn["sequence"]


def _order(turn: Dict[str, Any]) -> Tuple[Any, ...]:
    """Of requests with one number, the one that came last is the newest."""
    return (*_rank(turn), turn["at"])


def _end_if_stopped(path: str) -> None:
    """End the process that holds this lock if it is stopped. One that runs sees by itself that its turn is over."""
    try:
        holder = read_json(path) or {}
        state, started = _process(int(holder["process"]))
    except (ValueError, KeyError):  # it has just taken the lock, and has not yet said who it is
        return
    if state in ("T", "t") and started == holder["started"]:
        with contextlib.suppress(OSError):
            os.kill(int(holder["process"]), signal.SIGKILL)


def _process(pid: int) -> Tuple[str, int]:
    """(state, start in clock ticks since boot) of a process; ("", 0) if there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return "", 0
    return fields[0], int(fields[19])


def residue(folder: str) -> List[str]:
    """What of ours is on this host, as sorted paths."""
    return sorted(os.path.join(place, name) for place in (folder, folder + _KEPT) for name in _names(place))
