"""Stop one gateway, prove that it is out, and wait until its number may log in again (SSCC-2.5).

Runs on gateway hosts: Python 3.6 or later, standard library only. The order never changes: ask it to log
out and end, prove process and sockets gone, and unless the front acknowledged the logout wait the front's
release time, counted from the last moment at which the old session could have sent a packet. That moment is kept
on the host, so that a request which finds the gateway stopped by one that was cut off counts from there too.
"""

import contextlib
import os
import subprocess
import time
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Tuple

import processes
import vendor_log
from permit import Failure, Permit

_STOP_S = 15.0  # our choice: how long a stop command may take, and then the process to end
_END_LOOK_S = 0.002  # our choice: how soon the end of a command is seen; a look costs microseconds
_BOOT_ID = "/proc/sys/kernel/random/boot_id"  # a monotonic clock means nothing after another boot


class Look(NamedTuple):
    """What one look at the gateway shows. `held`: its sockets' inodes; None: this user may not look."""

    pids: List[int]
    held: Optional[FrozenSet[int]]
    session: Optional[str]
    connecting: Optional[str]


def look(spec: Dict[str, Any], listed: List[str], known: Optional[List[int]] = None) -> Look:
    """`known` processes are looked at again without searching for others."""
    pids = processes.find(spec["service"]["process"], known)
    held = processes.inodes(pids)
    session, connecting = processes.far_ends(held, listed) if held else (None, None)
    return Look(pids, held, session, connecting)


def command(service: Dict[str, Any], verb: str) -> List[str]:
    """The site's command that starts or stops the gateway."""
    if service["manager"] == "systemd":
        return ["systemctl", verb, service["unit"]]
    return list(service[verb])


def commands_at_work(service: Dict[str, Any]) -> List[int]:
    """Processes of the site's start and stop commands for this gateway, whoever called them. A manager of services
    starts a unit once however often it is told to, so its commands do not count.
    """
    if service["manager"] == "systemd":
        return []
    found = processes.calling([command(service, verb) for verb in ("start", "stop")])
    return sorted(set(found) - set(processes.find(service["process"])))


def call(service: Dict[str, Any], verb: str, timeout_s: float) -> None:
    """Run it. Its output goes nowhere: a program that it leaves running would hold on to any pipe."""
    words = command(service, verb)
    nowhere = subprocess.DEVNULL
    try:
        process = subprocess.Popen(words, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
    except OSError as error:
        raise Failure(f"expected to run {' '.join(words)}, found: {error}") from error
    until = time.monotonic() + max(timeout_s, 0.1)
    while process.poll() is None:
        if time.monotonic() >= until:
            process.kill()
            process.wait()
            raise Failure(f"expected {' '.join(words)} to end within {timeout_s:.0f} s, found it running")
        time.sleep(_END_LOOK_S)  # subprocess's own wait with a timeout sleeps for longer and longer
    if process.returncode:
        raise Failure(f"expected {' '.join(words)} to succeed, found exit status {process.returncode}")


def is_told_to_stop(spec: Dict[str, Any], noted: Dict[str, Any]) -> bool:
    """Whether a request has told this very process to stop and did not see it end: it may end at any time."""
    told = set(noted.get("stopping", ()))
    return bool(told) and not told.isdisjoint(look(spec, []).pids)


class Stamps:
    """When things happened on this host: [wall clock, monotonic clock], in seconds."""

    def __init__(self) -> None:
        self.marks: Dict[str, Tuple[float, float]] = {}

    def mark(self, name: str) -> None:
        """The first time counts."""
        self.marks.setdefault(name, (time.time(), time.monotonic()))


class Fence:
    """One gateway's way out. `silent_since` is monotonic: from then on it cannot have sent a packet."""

    def __init__(self, spec: Dict[str, Any], listed: List[str], permit: Permit) -> None:
        self._spec = spec
        self._listed = listed
        self._permit = permit
        self._session_at_stop = False
        self._log = vendor_log.Reader(spec["log"], spec["config"]["encoding"])
        self.silent_since: Optional[float] = None
        self.acknowledged: Optional[bool] = None
        self.waited_s = 0.0
        self.released_by: Optional[str] = None

    def certainly_logged_out(self) -> bool:
        """No log-in can be held: it only receives, or it is not running and the log ends in a log-out."""
        past = self._history()
        out = past.open is False and past.lost_at is None and not look(self._spec, self._listed).pids
        return out or bool(self._spec["receives_only"])

    def stop(self, stamps: Stamps) -> None:
        """Stop it and prove process and sockets gone. Failure leaves it as it is."""
        before = look(self._spec, self._listed)
        if before.pids and before.held is None:
            raise Failure("expected to see the gateway's sockets, found no permission: use its own user")
        if not before.pids:
            self.silent_since = self.silent_since or self._noted_silence() or time.monotonic()
            stamps.mark("process_gone")
            stamps.mark("sockets_gone")
            return
        self._session_at_stop = before.session is not None
        self._events()  # what stands in the log already need not be read while the gateway is down
        log_end = vendor_log.size(self._spec["log"])
        self._permit.require("stopping")
        self._permit.note_way_out({"stopping": before.pids})
        self._permit.touched = True
        stamps.mark("stop")
        call(self._spec["service"], "stop", min(_STOP_S, self._permit.left_s()))
        self._prove(before, stamps)
        self.silent_since = time.monotonic()
        if self._session_at_stop:
            self.acknowledged = self._logged_out_since(log_end)
        self._note_silence()

    def _note_silence(self) -> None:
        """Only what shortens a wait: where it cannot be kept, the next request counts from its own first look."""
        if self.acknowledged:
            self._permit.forget_way_out()  # the gateway's log tells as much
            return
        with contextlib.suppress(OSError):
            log = vendor_log.place(self._spec["log"])
            self._permit.note_way_out({"silent": self.silent_since, "boot": _boot(), "log": list(log)})

    def _noted_silence(self) -> Optional[float]:
        """Since when an earlier request's stop has kept it silent; None where it may have been up since then."""
        noted = self._permit.noted_way_out()
        if "silent" not in noted or noted["boot"] != _boot():
            return None
        inode, size = noted["log"]
        log = vendor_log.place(self._spec["log"])
        if log[0] != inode or not 0 <= log[1] - size < vendor_log.TAIL:
            return None
        up = any(item.event in ("connected", "logged_in") and item.offset >= size for item in self._events())
        return None if up else float(noted["silent"])

    def _prove(self, before: Look, stamps: Stamps) -> None:
        """The processes seen before, then any under the same name; then every socket that they held."""
        held = before.held or frozenset()
        timeout_s = min(_STOP_S, self._permit.left_s())
        if not self._permit.wait(lambda: not look(self._spec, [], before.pids).pids, timeout_s, "stopping"):
            raise Failure(f"expected the process to end within {timeout_s:.0f} s of stopping, found it running")
        again = processes.find(self._spec["service"]["process"])
        if again:
            raise Failure(f"expected no process after stopping, found {again}: something started it again")
        stamps.mark("process_gone")
        if not self._permit.wait(lambda: not processes.still_open(held), timeout_s, "stopping"):
            raise Failure("expected the gateway's sockets to be closed, found one that another process holds")
        stamps.mark("sockets_gone")

    def _logged_out_since(self, log_end: int) -> bool:
        begin = log_end if vendor_log.size(self._spec["log"]) >= log_end else 0  # a shorter log is a new one
        return any(item.event == "logged_out" and item.offset >= begin for item in self._events())

    def release(self, stamps: Stamps) -> None:
        """Wait until the front has forgotten the session, where it did not acknowledge the logout."""
        self._permit.require("waiting for the release")
        quiet_s = self._quiet_s()
        remaining_s = 0.0 if quiet_s is None else max(0.0, self._release_s() - quiet_s)
        if remaining_s > self._permit.left_s():
            raise Failure(f"expected {remaining_s:.1f} s for the front to forget the session, found too little time")
        begin = time.monotonic()

        def over() -> bool:
            self._permit.require("waiting for the release")  # whoever has lost the host lets go of it at once
            return time.monotonic() - begin >= remaining_s

        self._permit.wait(over, remaining_s + 1, "waiting for the release")
        self.waited_s += time.monotonic() - begin
        again = processes.find(self._spec["service"]["process"])
        if again:
            raise Failure(f"expected no process when its number is free, found {again}: something started it again")
        waited = "not_logged_in" if quiet_s is None else "waited"
        self.released_by = "acknowledged" if self.acknowledged and not remaining_s else waited
        stamps.mark("released")

    def _release_s(self) -> float:
        if self._spec["release_s"] is None:
            raise Failure("the front's release time is unknown and the logout was not acknowledged")
        return float(self._spec["release_s"])

    def _quiet_s(self) -> Optional[float]:
        """For how long a session that a front may still hold has sent nothing; None: there is none."""
        if self._spec["receives_only"]:
            return None
        past = self._history()
        quiet: List[float] = []
        if past.lost_at is not None:
            quiet.append(time.time() - past.lost_at)
        held = past.open is not False or self._session_at_stop
        if held and not self.acknowledged and self.silent_since is not None:
            quiet.append(time.monotonic() - self.silent_since)
        return min(quiet) if quiet else None

    def started_again(self) -> None:
        """From here on there is a new process, which may have to be stopped too."""
        self._permit.forget_way_out()
        self.silent_since = None
        self.acknowledged = None
        self._session_at_stop = False

    def refusals_since(self, log_end: int) -> int:
        """Log-ins that the front refused since the log had this length."""
        return sum(1 for item in self._events() if item.event == "refused" and item.offset >= log_end)

    def log_end(self) -> int:
        return vendor_log.size(self._spec["log"])

    def _history(self) -> vendor_log.History:
        return vendor_log.history(self._events())

    def _events(self) -> List[vendor_log.LogEvent]:
        return self._log.events(time.time())


def _boot() -> str:
    with open(_BOOT_ID) as file:
        return file.read().strip()


def status(spec: Dict[str, Any]) -> Tuple[Dict[str, str], Optional[Tuple[int, int]]]:
    """(fields, mark) of the gateway's status file. The mark changes whenever the file is written."""
    try:
        with open(spec["status"]["path"], "rb") as file:
            found = os.fstat(file.fileno())
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return {}, None
    return processes.read_fields(text), (found.st_mtime_ns, found.st_ino)


def says_logged_in(spec: Dict[str, Any], fields: Dict[str, str]) -> bool:
    """Whether the gateway itself says so. One that was killed may have left its last words behind."""
    return fields.get(spec["status"]["logged_in_key"]) == str(spec["status"]["logged_in_value"])
