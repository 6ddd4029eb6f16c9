"""What is done with gateways on their host, one round trip each: look, change the list, restore, restart.

Runs on gateway hosts: Python 3.6 or later, standard library only; piped to the interpreter, never
installed. `serve` takes {"requests": [...]} and returns {"results": [...]} in the same order; requests
run at the same time. The fields of a request and of a result: docs/reference/on-host.md.

One round trip holds stop, proof, write, start and log-in together, so the outage is that of one gateway
and nothing depends on the controller while a gateway is down.
"""

import os
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

import attempts
import fence
import host_files
import permit
import staged
import vendor_certificate
import vendor_file
from permit import Failure, Refusal

_APPEARS_S = 5.0  # our choice: a process that is not there this long after its start command has not started
_ROLLBACK_S = 5.0  # our choice: kept back for putting the old list in again, beside the release time
_LOGIN_S = 3.0  # our choice: least time that must be left for the log-in
_COMMAND_S = 20.0  # our choice: how long a start or stop command of a request that was cut off may still take
_FREE_BYTES = 10 << 20  # our choice: free space that must be left on a disk that is written to
_OLDEST_PYTHON = (3, 6)


class Job:
    """One request on one gateway, with what is known so far for its result."""

    def __init__(self, request: Dict[str, Any]) -> None:
        self.request = request
        self.spec: Dict[str, Any] = request["gateway"]
        self.stamps = fence.Stamps()
        self.stamps.mark("begin")
        self.permit: Optional[permit.Permit] = None
        self.result: Dict[str, Any] = {"gateway": self.spec["id"], "op": request["op"], "changed": False}
        self.listed: List[str] = []

    @property
    def config(self) -> Dict[str, Any]:
        return dict(self.spec["config"])

    def read(self) -> bytes:
        """The file's bytes; notes list and digest for the result."""
        data = host_files.read(self.config["path"])
        if self.request.get("redaction_key"):
            self.result["redacted"] = self._redacted(data)
        self.result["sha256_before"] = self.result["sha256_after"] = host_files.sha256(data)
        self.result["previous"] = self.result["new"] = vendor_file.read_endpoints(data, self.config)
        self.result["certificate"] = self._certificate(data)
        self.listed = list(self.result["previous"])
        return data

    def _redacted(self, data: bytes) -> str:
        """The file as it may leave this host; kept also where it is not as its profile says."""
        import vendor_redaction  # noqa: PLC0415 - a switch does not need it

        key = bytes.fromhex(self.request["redaction_key"])
        return vendor_redaction.redacted(data, self.config, str(self.spec["number"]), key)

    def _certificate(self, data: bytes) -> Optional[str]:
        """What names it; None: cannot be read, which keeps nothing from being done but writing it."""
        try:
            return vendor_certificate.read_certificate(data, self.config)
        except ValueError:
            return None

    def expect(self, wanted: bytes) -> None:
        """Note what the file is going to hold."""
        self.result["new"] = vendor_file.read_endpoints(wanted, self.config)
        self.result["certificate"] = self._certificate(wanted)
        self.listed += [item for item in self.result["new"] if item not in self.listed]


Operation = Callable[[Job], Tuple[str, str]]


def serve(document: Dict[str, Any]) -> Dict[str, Any]:
    """Carry out all requests of one call, each in its own thread."""
    return serve_with(document, OPERATIONS)


def serve_with(document: Dict[str, Any], operations: Dict[str, Operation]) -> Dict[str, Any]:
    """The same for a program that knows other operations too."""
    results: List[Dict[str, Any]] = [{} for _ in document["requests"]]

    def one(index: int) -> None:
        results[index] = run(document["requests"][index], operations)

    threads = [threading.Thread(target=one, args=(index,)) for index in range(len(results))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"results": results}


def run(request: Dict[str, Any], operations: Dict[str, Operation]) -> Dict[str, Any]:
    """Carry out one request. Never raises: whatever happens becomes the result."""
    job = Job({"name": request["gateway"]["id"], **request})
    try:
        outcome, message = operations[request["op"]](job)
    except Refusal as error:
        outcome, message = "refused", str(error)
    except (Failure, ValueError, OSError) as error:
        untouched = request["op"] not in _LOOKING and not _touched(job)
        outcome, message = ("refused" if untouched else "failed"), str(error)
    except Exception as error:  # noqa: BLE001 - the result must go back whatever happened
        outcome, message = "failed", f"unexpected {type(error).__name__}: {error}"
    result = _result(job, outcome, message)
    if job.permit:
        attempts.conclude(job.request, job.permit, result)
    return result


def _touched(job: Job) -> bool:
    return bool(job.permit and job.permit.touched)


def _result(job: Job, outcome: str, message: str) -> Dict[str, Any]:
    return {
        "acknowledged": None,
        "released_by": None,
        "waited_s": 0.0,
        "was_logged_in": None,
        "rolled_back": False,
        **job.result,
        "touched": _touched(job),
        "changed": bool(job.result["changed"] or _touched(job)),
        "ok": outcome in ("succeeded", "would_change", "skipped"),
        "outcome": outcome,
        "message": message,
        "stamps": {name: list(pair) for name, pair in job.stamps.marks.items()},
    }


# Operations that change nothing


def _state(job: Job) -> Tuple[str, str]:
    """Everything that a snapshot holds, and what became of an earlier attempt."""
    import ways  # noqa: PLC0415 - a switch does not need it

    job.result.update(attempts.past(job.request, [job.request["name"]], lambda: lingers(job)))
    data = job.read()
    found = os.stat(job.config["path"])
    now = fence.look(job.spec, job.listed)
    fields, _ = fence.status(job.spec)
    job.result.update(
        running=now.pids,
        endpoints=job.listed,
        config_sha256=host_files.sha256(data),
        owner=f"{found.st_uid}:{found.st_gid}",
        mode=format(found.st_mode & 0o7777, "04o"),
        session=now.session,
        connecting=now.connecting,
        logged_in=bool(now.pids) and fence.says_logged_in(job.spec, fields),
        status=fields,
        hops=ways.hops(job.request.get("addresses", ())),
        residue=permit.residue(staged.work_folder(job.request)) + host_files.left_behind(job.config["path"]),
        clock=[time.time(), time.monotonic()],
        python=list(sys.version_info[:3]),
    )
    return "succeeded", f"{'running' if now.pids else 'not running'}, session {now.session or 'none'}"


def lingers(job: Job) -> bool:
    """What a request that was cut off has set going: the end of the process that it told to stop, or a command."""
    if not permit.was_cut_off(job.request):
        return False
    told = fence.is_told_to_stop(job.spec, permit.noted_way_out(job.request))
    return told or bool(fence.commands_at_work(job.spec["service"]))


def _preflight(job: Job) -> Tuple[str, str]:
    """All that a later change needs; then the run's token is put on the host."""
    job.result.update(clock=[time.time(), time.monotonic()], python=list(sys.version_info[:3]))
    problems = [line for check in _PREFLIGHT for line in check(job)]
    if problems:
        raise Refusal("; ".join(problems))
    if job.request.get("check"):
        return "would_change", "ready; the run's token would be put on the host"
    permit.install_token(job.request)
    return "succeeded", "ready"


def _python_is_new_enough(_job: Job) -> List[str]:
    if sys.version_info[:2] >= _OLDEST_PYTHON:
        return []
    return [f"expected Python 3.6 or later, found {sys.version.split()[0]}"]


def _file_can_be_changed(job: Job) -> List[str]:
    try:
        job.read()
        reason = host_files.why_not_replaceable(job.config["path"])
    except (OSError, ValueError) as error:
        reason = f"{job.config['path']}: {error}"
    return [reason] if reason else []


def _command_exists(job: Job) -> List[str]:
    import shutil  # noqa: PLC0415 - takes longer to import than a look at a gateway

    words = {fence.command(job.spec["service"], verb)[0] for verb in ("start", "stop")}
    return [f"expected a command {word}, found none" for word in sorted(words) if shutil.which(word) is None]


def _sockets_can_be_seen(job: Job) -> List[str]:
    now = fence.look(job.spec, job.listed)
    return ["expected to see the gateway's sockets, found no permission: use its own user"] if now.held is None else []


def _disk_has_room(job: Job) -> List[str]:
    folders = [os.path.dirname(job.config["path"]), os.path.dirname(staged.work_folder(job.request))]
    low = [folder for folder in folders if os.path.isdir(folder) and _free_bytes(folder) < _FREE_BYTES]
    return [f"expected {_FREE_BYTES >> 20} MiB free in {folder}, found less" for folder in low]


def _free_bytes(folder: str) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


_PREFLIGHT = (_python_is_new_enough, _file_can_be_changed, _command_exists, _sockets_can_be_seen, _disk_has_room)


def _cleanup(job: Job) -> Tuple[str, str]:
    """Remove what this run has put on the host."""
    folder = staged.work_folder(job.request)
    if job.request.get("check"):
        return ("would_change" if os.path.isdir(folder) else "succeeded"), f"{folder} would be removed"
    removed, forgotten = permit.remove_work_folder(job.request), permit.forget_originals(job.request)
    job.result["changed"] = removed or forgotten
    job.result["residue"] = permit.residue(folder) + host_files.left_behind(job.config["path"])
    return "succeeded", "nothing of ours is left"


# Operations that change something


def _repoint(job: Job) -> Tuple[str, str]:
    """Put another list in, another certificate, or both."""
    before = admit(job)
    wanted = _asked_for(job, before)
    if wanted == before and is_connected(job):
        return "succeeded", "nothing to do: the list is in force and a session stands"
    if job.request.get("only_if_down") and is_connected(job, job.request["endpoints"]):
        return "skipped", "left alone: it is logged in where it should be"
    return move(job, before, wanted)


def _asked_for(job: Job, before: bytes) -> bytes:
    """The file with the list and, where one is named, the certificate that are asked for."""
    listed = vendor_file.write_endpoints(before, job.config, job.request["endpoints"])
    name = job.request.get("certificate")
    return vendor_certificate.write_certificate(listed, job.config, name) if name else listed


def _restore(job: Job) -> Tuple[str, str]:
    """Put the file's own previous bytes back: the copy kept on this host, or the old list if it gives them."""
    before = admit(job)
    digest = job.request["restore_sha256"]
    wanted = before if host_files.sha256(before) == digest else original(job, before, digest)
    if wanted == before and is_connected(job):
        return "succeeded", "nothing to do: the file is the original and a session stands"
    return move(job, before, wanted)


def original(job: Job, before: bytes, digest: str) -> bytes:
    kept = permit.original(job.request, digest)
    if kept is None:
        kept = _asked_for(job, before)
    if host_files.sha256(kept) != digest:
        raise Refusal(
            f"expected a file with digest {digest[:12]} to restore, found no copy, and the old list gives another"
        )
    return kept


def _restart(job: Job) -> Tuple[str, str]:
    """Stop, prove, start: the gateway begins at the top of its list again."""
    before = admit(job)
    home = job.request.get("only_if_elsewhere")
    if home and is_connected(job) and fence.look(job.spec, [home]).session:
        return "skipped", f"left alone: its session is with {home}"
    return move(job, before, before)


def _stop(job: Job) -> Tuple[str, str]:
    """Take it out and wait until its number is free."""
    admit(job)
    if job.request.get("check"):
        return "would_change", "would be stopped"
    way_out = prepare(job)
    running = bool(fence.look(job.spec, []).pids)
    take_out(job, way_out)
    job.result["changed"] = running
    return "succeeded", "stopped, proved out, and its number is free"


def _start(job: Job) -> Tuple[str, str]:
    """Start one that is stopped, once its number is free."""
    before = admit(job)
    if fence.look(job.spec, []).pids and _stays(job):
        return "succeeded", "nothing to do: it is running"
    return move(job, before, before)


def admit(job: Job) -> bytes:
    """Make the gateway this request's own, then read its file: what an earlier request is just ending is seen.

    Token and deadline hold from the first look on; a preview needs neither.
    """
    if not job.request.get("check"):
        job.permit = permit.Permit(job.request)
        attempts.begin(job.request, job.permit)
        if job.permit.after_cut_off:
            _outlast_commands(job, job.permit)
            host_files.remove_left_behind(job.config["path"])
    return job.read()


def _outlast_commands(job: Job, may: permit.Permit) -> None:
    """A start command outlives the request that called it: no second one is given while it is at work."""
    timeout_s = min(_COMMAND_S, may.left_s())
    if not may.wait(lambda: not fence.commands_at_work(job.spec["service"]), timeout_s, "waiting for a command"):
        found = fence.commands_at_work(job.spec["service"])
        raise Refusal(f"expected the start or stop command of an earlier request to end, found it running: {found}")


def is_connected(job: Job, among: Optional[List[str]] = None) -> bool:
    """Logged in at one of these endpoints (by default those of its list)."""
    wanted = job.listed if among is None else among
    now = fence.look(job.spec, wanted)
    fields, _ = fence.status(job.spec)
    stands = now.session in wanted or job.spec["receives_only"]
    return bool(now.pids) and stands and fence.says_logged_in(job.spec, fields) and _stays(job)


def _stays(job: Job) -> bool:
    """One that an earlier request has told to stop is up only for now."""
    return job.permit is None or not fence.is_told_to_stop(job.spec, permit.noted_way_out(job.request))


def move(job: Job, before: bytes, wanted: bytes) -> Tuple[str, str]:
    """Stop, prove, write, start, log in; and back again where that was asked for."""
    job.expect(wanted)
    unchanged_since_the_plan(job, before)
    job.result["diff"] = {"before": job.result["previous"], "after": job.result["new"]}
    if job.request.get("check"):
        return "would_change", _announcement(job)
    way_out = prepare(job)
    keep(job, before, wanted)
    try:
        take_out(job, way_out)
        write(job, before, wanted)
        bring_up(job, way_out, forward_left_s(job))
    except (Failure, ValueError, OSError) as error:
        if _touched(job) and job.request.get("certificate"):
            raise _stopped_again(job, way_out, str(error)) from error
        if not (job.request.get("rollback") and _touched(job)):
            raise
        raise _roll_back(job, way_out, wanted, _way_back(job, before), str(error)) from error
    job.result["changed"] = True
    return "succeeded", f"logged in, session {job.result['session'] or 'none (receives only)'}"


def _announcement(job: Job) -> str:
    if job.result["previous"] == job.result["new"]:
        return "would be restarted"
    return f"{', '.join(job.result['previous'])} would become {', '.join(job.result['new'])}"


def unchanged_since_the_plan(job: Job, before: bytes) -> None:
    """Refuse a file that somebody else has edited. What this run has written itself is no edit."""
    expected, found = job.request.get("expected_sha256"), host_files.sha256(before)
    if expected in (None, found) or found in permit.written(job.request):
        return
    raise Refusal(f"changed meanwhile: expected a file with digest {expected[:12]}, found {found[:12]}")


def _way_back(job: Job, before: bytes) -> bytes:
    """The file of the plan: an earlier attempt that was cut off may have written the new list already."""
    expected = job.request.get("expected_sha256")
    kept = permit.original(job.request, expected) if expected else None
    return before if kept is None else kept


def prepare(job: Job) -> fence.Fence:
    """Everything that can be refused is refused here, before the first change."""
    reason = host_files.why_not_replaceable(job.config["path"])
    if reason:
        raise Refusal(reason)
    may = permit_of(job)
    way_out = fence.Fence(job.spec, job.listed, may)
    if job.spec["release_s"] is None and not way_out.certainly_logged_out():
        raise Refusal("the front's release time is unknown: set session_timeout_s for the front or the site")
    needed = _release_s(job) + _reserve_s(job) + _LOGIN_S
    if may.left_s() < needed:
        raise Refusal(f"expected at least {needed:.0f} s until the deadline, found {may.left_s():.1f} s")
    fields, _ = fence.status(job.spec)
    running = fence.look(job.spec, job.listed)
    job.result["was_logged_in"] = bool(running.pids) and fence.says_logged_in(job.spec, fields)
    job.result["previous_session"] = running.session
    return way_out


def _release_s(job: Job) -> float:
    return 0.0 if job.spec["receives_only"] else float(job.spec["release_s"] or 0.0)


def _reserve_s(job: Job) -> float:
    """What is kept back of the time for putting the old list in again."""
    return _release_s(job) + _ROLLBACK_S if job.request.get("rollback") else 0.0


def forward_left_s(job: Job) -> float:
    return permit_of(job).left_s() - _reserve_s(job)


def permit_of(job: Job) -> permit.Permit:
    if job.permit is None:
        raise Failure("no permit was asked for")
    return job.permit


def take_out(job: Job, way_out: fence.Fence) -> None:
    """Out, proved, and forgotten by the front. What the first way out showed stands in the result."""
    way_out.stop(job.stamps)
    job.result.setdefault("acknowledged", way_out.acknowledged)
    way_out.release(job.stamps)
    job.result.setdefault("released_by", way_out.released_by)
    job.result.setdefault("waited_s", round(way_out.waited_s, 3))


def keep(job: Job, before: bytes, wanted: bytes) -> None:
    """What must be on disk before the file is written, while the gateway is still up. A full disk is seen here."""
    if wanted == before:
        return
    may = permit_of(job)
    may.keep_original(host_files.sha256(before), before)
    may.note_written(host_files.sha256(wanted))


def write(job: Job, before: bytes, wanted: bytes) -> None:
    if wanted == before:
        return
    keep(job, before, wanted)
    may = permit_of(job)
    may.require("writing")
    may.touched = True
    host_files.replace(job.config["path"], wanted, before)
    job.result["sha256_after"] = host_files.sha256(wanted)
    job.stamps.mark("written")


def bring_up(job: Job, way_out: fence.Fence, timeout_s: float) -> None:
    """Start it and wait for its log-in at one of the listed endpoints."""
    may = permit_of(job)
    log_end = way_out.log_end()
    _, old_status = fence.status(job.spec)
    until = time.monotonic() + timeout_s
    _launch(job, way_out)
    seen: Dict[str, Any] = {"session": None, "logged_in": False}
    wanted = job.result["new"]
    changes_certificate = bool(job.request.get("certificate"))
    reached = may.wait(
        lambda: (changes_certificate and _is_refused(way_out, log_end)) or _logged_in(job, wanted, old_status, seen),
        until - time.monotonic(),
        "waiting for log-in",
    )
    job.result.update(seen, refusals=way_out.refusals_since(log_end))
    if not reached:
        found = "a session, not logged in" if seen["session"] else "no session"
        raise Failure(f"expected log-in within {timeout_s:.0f} s of starting, found {found}")


def _launch(job: Job, way_out: fence.Fence) -> None:
    may = permit_of(job)
    may.require("starting")
    may.touched = True
    job.stamps.mark("start")
    way_out.started_again()
    fence.call(job.spec["service"], "start", min(may.left_s(), _APPEARS_S * 2))
    if not may.wait(lambda: bool(fence.look(job.spec, []).pids), _APPEARS_S, "waiting for the process"):
        raise Failure(f"expected a process within {_APPEARS_S:.0f} s of starting, found none")
    job.stamps.mark("running")


def _logged_in(job: Job, wanted: List[str], old_status: Any, seen: Dict[str, Any]) -> bool:
    """A status file that the old process left behind does not count, nor a session to somewhere else."""
    now = fence.look(job.spec, wanted)
    if not now.pids:
        raise Failure("expected the process to stay, found that it ended after its start")
    seen["session"] = now.session
    if now.session:
        job.stamps.mark("session")
    fields, mark = fence.status(job.spec)
    says = mark != old_status and fence.says_logged_in(job.spec, fields)
    seen["logged_in"] = says and bool(now.session or job.spec["receives_only"])
    if seen["logged_in"]:
        job.stamps.mark("logged_in")
    return bool(seen["logged_in"])


def _is_refused(way_out: fence.Fence, log_end: int) -> bool:
    """SSE-5.2: the first refusal is the last; a further try could spend a further PIN attempt."""
    if way_out.refusals_since(log_end):
        raise Failure("expected its log-in to be accepted, found it refused: not tried again")
    return False


def _stopped_again(job: Job, way_out: fence.Fence, reason: str) -> Failure:
    """A gateway that could not log in with its certificate is not left to try again and again by itself."""
    stamps = job.stamps
    job.stamps = fence.Stamps()
    try:
        take_out(job, way_out)
    except (Failure, ValueError, OSError) as error:
        return Failure(f"{reason}; and it is not stopped: {error}")
    finally:
        stamps.marks.update({"rollback_" + name: pair for name, pair in job.stamps.marks.items()})
        job.stamps = stamps
    return Failure(f"{reason}; it is stopped")


def _roll_back(job: Job, way_out: fence.Fence, written: bytes, before: bytes, reason: str) -> Failure:
    """Put the old bytes and the old list back. Returns what went wrong and how the way back ended."""
    stamps = job.stamps
    job.stamps = fence.Stamps()
    try:
        take_out(job, way_out)
        if host_files.read(job.config["path"]) != before:
            write(job, written, before)
        _launch(job, way_out)
    except (Failure, ValueError, OSError) as error:
        return Failure(f"{reason}; and the old list is not in force again: {error}")
    finally:
        back = {"rollback_" + name: pair for name, pair in job.stamps.marks.items()}
        job.stamps = stamps
        job.stamps.marks.update(back)
    job.result.update(rolled_back=True, new=vendor_file.read_endpoints(before, job.config))
    return Failure(f"{reason}; the old list is in force again")


_LOOKING = ("state", "preflight", "cleanup")
OPERATIONS: Dict[str, Operation] = {
    "state": _state,
    "preflight": _preflight,
    "cleanup": _cleanup,
    "repoint": _repoint,
    "restore": _restore,
    "restart": _restart,
    "stop": _stop,
    "start": _start,
}
