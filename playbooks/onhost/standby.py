"""One gateway number and two hosts: block the gateway on one, let its cold standby take over on the other, and back.

Runs on gateway hosts: Python 3.6 or later, standard library only. `block` moves the gateway's configuration file
aside, so that no service, watchdog or boot can start it, and takes it out; `unblock` puts that very file back and
starts nothing. `take_over` starts the standby and waits for its log-in; `give_back` takes it out again and leaves its
file as it was. Fields of requests and results: docs/reference/on-host.md.
"""

import os
from typing import Any, Dict, Tuple

import attempts
import fence
import gateway
import host_files
import vendor_file
from gateway import Job
from permit import Failure, Refusal

# What a person finds beside the vendor's file; host_files.MARK is in it, so that a snapshot shows it as left behind.
_ASIDE = host_files.MARK + "fenced"
_COMMAND_S = 15.0  # our choice: what a site's own disable or enable command may take


def serve(document: Dict[str, Any]) -> Dict[str, Any]:
    """Carry out all requests of one call, each in its own thread."""
    return gateway.serve_with(document, _OPERATIONS)


def _paths(job: Job) -> Tuple[str, str]:
    """The configuration file's own place, behind a link if there is one, and where it is while it is aside."""
    path = os.path.realpath(job.config["path"])
    return path, path + _ASIDE


def _where(job: Job) -> Tuple[bool, bool]:
    """Whether the file is in its place, and whether it is aside."""
    path, aside = _paths(job)
    return os.path.exists(path), os.path.exists(aside)


def _standing(job: Job) -> Tuple[str, str]:
    """Look only: is it blocked, does it run, and what became of an earlier attempt."""
    job.result.update(attempts.past(job.request, [job.request["name"]], lambda: gateway.lingers(job)))
    in_place, aside = _where(job)
    endpoints = job.request.get("endpoints") or []
    now = fence.look(job.spec, endpoints)
    fields, _ = fence.status(job.spec)
    job.result.update(
        blocked=aside and not in_place,
        running=now.pids,
        session=now.session,
        logged_in=bool(now.pids) and fence.says_logged_in(job.spec, fields),
    )
    said = "blocked" if job.result["blocked"] else "not blocked"
    return "succeeded", f"{said}, {'running' if now.pids else 'not running'}"


def _block(job: Job) -> Tuple[str, str]:
    """Nothing can start it any more, then: stopped, proved out, and its number is free."""
    _one_file(job)
    _use_the_file_aside(job)
    gateway.admit(job)
    if job.request.get("check"):
        return "would_change", "its configuration would be moved aside and the gateway stopped"
    way_out = gateway.prepare(job)
    _move_aside(job)
    _own_command(job, "disable")
    gateway.take_out(job, way_out)
    job.result["blocked"] = True
    return "succeeded", "blocked: stopped, proved out, its configuration is aside and its number is free"


def _one_file(job: Job) -> None:
    path, aside = _paths(job)
    in_place, is_aside = _where(job)
    if in_place and is_aside:
        raise Refusal(f"expected {path} or {aside}, found both: somebody has made a new one; compare and remove one")
    if not in_place and not is_aside:
        raise Refusal(f"expected {path}, found none")


def _use_the_file_aside(job: Job) -> None:
    """Read the file where it is."""
    if _where(job)[1]:
        job.spec = {**job.spec, "config": {**job.config, "path": _paths(job)[1]}}


def _move_aside(job: Job) -> None:
    path, aside = _paths(job)
    if path.endswith(_ASIDE):
        return
    _rename(job, path, aside, "moving the configuration aside")


def _rename(job: Job, old: str, new: str, what: str) -> None:
    """The file itself, so that every byte and attribute stays; on disk before this returns."""
    may = gateway.permit_of(job)
    may.require(what)
    may.touched = True
    os.rename(old, new)
    host_files.sync_folder(os.path.dirname(new))


def _own_command(job: Job, verb: str) -> None:
    """The site's own command, where its profile has one."""
    words = job.spec["service"].get(verb)
    if not words:
        return
    may = gateway.permit_of(job)
    may.require(f"the site's {verb} command")
    may.touched = True
    fence.call({"manager": "command", verb: words}, verb, min(_COMMAND_S, may.left_s()))


def _unblock(job: Job) -> Tuple[str, str]:
    """Its configuration is back in its place. It is not started here."""
    _one_file(job)
    path, aside = _paths(job)
    was_aside = _where(job)[1]
    _use_the_file_aside(job)
    gateway.admit(job)
    if job.request.get("check"):
        return "would_change", "its configuration would be put back"
    if was_aside:
        _rename(job, aside, path, "putting the configuration back")
    _own_command(job, "enable")
    job.result.update(blocked=False, changed=was_aside)
    return "succeeded", "its configuration is in its place" if was_aside else "nothing to do: it is not blocked"


def _take_over(job: Job) -> Tuple[str, str]:
    """Start the standby with this list and wait for its log-in. One that does not log in is stopped again."""
    before = gateway.admit(job)
    wanted = vendor_file.write_endpoints(before, job.config, job.request["endpoints"])
    if wanted == before and gateway.is_connected(job):
        return "succeeded", "nothing to do: it is logged in"
    job.expect(wanted)
    gateway.unchanged_since_the_plan(job, before)
    if job.request.get("check"):
        return "would_change", "would be started"
    way_out = gateway.prepare(job)
    try:
        gateway.take_out(job, way_out)
        gateway.write(job, before, wanted)
        gateway.bring_up(job, way_out, gateway.forward_left_s(job))
    except (Failure, ValueError, OSError) as error:
        if not gateway.permit_of(job).touched:
            raise
        raise Failure(f"{error}; {_out_again(job, way_out, wanted, before)}") from error
    job.result["changed"] = True
    return "succeeded", f"logged in, session {job.result['session'] or 'none (receives only)'}"


def _out_again(job: Job, way_out: fence.Fence, written: bytes, before: bytes) -> str:
    """How stopping it again ended: a standby that is half up would hold its number against everybody."""
    stamps, job.stamps = job.stamps, fence.Stamps()
    try:
        gateway.take_out(job, way_out)
        if host_files.read(job.config["path"]) != before:
            gateway.write(job, written, before)
    except (Failure, ValueError, OSError) as error:
        return f"and it is not stopped again: {error}"
    finally:
        back = {"rollback_" + name: pair for name, pair in job.stamps.marks.items()}
        job.stamps = stamps
        job.stamps.marks.update(back)
    job.result.update(rolled_back=True, new=job.result["previous"])
    return "it is stopped again and proved out"


def _give_back(job: Job) -> Tuple[str, str]:
    """Stopped, proved out, its number free, and its file as it was."""
    before = gateway.admit(job)
    digest = job.request["restore_sha256"]
    wanted = before if host_files.sha256(before) == digest else gateway.original(job, before, digest)
    if job.request.get("check"):
        return "would_change", "would be stopped"
    way_out = gateway.prepare(job)
    running = bool(fence.look(job.spec, []).pids)
    gateway.take_out(job, way_out)
    job.expect(wanted)
    gateway.write(job, before, wanted)
    job.result["changed"] = running or wanted != before
    return "succeeded", "stopped, proved out, its number is free and its file is as it was"


_OPERATIONS: Dict[str, gateway.Operation] = {
    **gateway.OPERATIONS,
    "standing": _standing,
    "block": _block,
    "unblock": _unblock,
    "take_over": _take_over,
    "give_back": _give_back,
}
