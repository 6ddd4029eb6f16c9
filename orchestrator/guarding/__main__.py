"""The guard: `python -m orchestrator.guarding FOLDER` starts the command of FOLDER at most once and stays with it.

It has a session of its own and no parent that waits for it, so it outlives whoever asked for it. It ends the
command, with every descendant wherever that has moved to, at the deadline, when FOLDER gets a file `stop`, or
when it is told to end (SIGTERM); then it writes `result`. If it is killed itself, the kernel tells the command
to end (SIGTERM), and `result` stays missing: nobody can say how the command ended.

It returns as soon as the command is claimed, by this guard or by another; exit status 1 says on standard error
why nothing was begun.
"""

import ctypes
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

from orchestrator.guarding import files, processes

_POLL_S = 0.05  # our choice: how soon a stop is seen
_GRACE_S = 0.5  # our choice: what the command may take to end by itself what it started, as ansible_child does
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_CANNOT_RUN = 127  # as a shell says it
_BEGUN = b"begun"


def main(folder: Path) -> int:
    """Leave a guard behind and wait until it has claimed."""
    hears, tells = os.pipe()
    if os.fork() == 0:
        try:
            os.close(hears)
            _guard(folder, tells)
        except BaseException:  # noqa: BLE001 - said in `log`; the command is told by the kernel, and is lost
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(0)
    os.close(tells)
    with os.fdopen(hears, "rb") as answer:
        said = answer.read()
    if said == _BEGUN:
        return 0
    print(said.decode() or "the guard ended before it claimed anything", file=sys.stderr)  # noqa: T201 - a program
    return 1


def _guard(folder: Path, tells: int) -> None:
    """Everything on disk that can fail comes before the claim: then nothing has begun."""
    os.setsid()
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    try:
        command = json.loads((folder / files.COMMAND).read_bytes())
        room = files.reserve(folder)
        output, log = (_append_to(folder / name) for name in (files.OUTPUT, files.LOG))
        began = {"pid": os.getpid(), "at": time.time(), "mono": time.monotonic(), **_identity()}
        lock = files.claim(folder, began, lock=True)
    except (OSError, ValueError) as error:
        os.write(tells, str(error).encode())
        return
    os.write(tells, _BEGUN)
    os.close(tells)
    if lock is None:
        room.unlink()
        return
    os.dup2(log, sys.stderr.fileno())
    ended, returncode = _run(folder, command, told, output, log)
    files.settle(room, {"ended": ended, "returncode": returncode, "began_at": began["at"], "ended_at": time.time()})


def _append_to(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _identity() -> dict[str, Any]:
    """What tells this process from another that gets its pid, also after a reboot."""
    me = processes.find(os.getpid())
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {"started": me.started if me else 0, "boot": boot}


def _run(folder: Path, command: dict[str, Any], told: list[int], output: int, log: int) -> tuple[str, int | None]:
    """Start it and stay until it has ended, with everything below it. Returns how, and the exit status."""
    stop = folder / files.STOP
    if told or stop.exists():
        return "stopped", None
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    end = time.monotonic() + command["deadline_s"]
    child = _Child(_spawn(libc, {**command, "env": {**command["env"], files.MARK: str(folder)}}, output, log))
    ended = "exited"
    while not child.wait(_POLL_S):
        if told or stop.exists():
            ended = "stopped"
        elif time.monotonic() > end:
            ended = "deadline"
        if ended != "exited":
            os.kill(child.pid, signal.SIGTERM)  # not reaped yet, so it is still this process
            child.wait(_GRACE_S)
            break
    processes.sweep_below(os.getpid())
    child.wait(_GRACE_S)
    return ended, child.status


class _Child:
    """The command's process. Orphans of it come to the guard and are reaped along the way."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status: int | None = None
        self._handle = os.pidfd_open(pid)

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended, at the latest when the time is over."""
        if self.status is None:
            select.select([self._handle], [], [], timeout_s)
        self._reap()
        return self.status is not None

    def _reap(self) -> None:
        try:
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == self.pid:
                    self.status = os.waitstatus_to_exitcode(found[1])
        except ChildProcessError:
            return


def _spawn(libc: ctypes.CDLL, command: dict[str, Any], output: int, log: int) -> int:
    """Start the command; it is told to end when the guard is gone."""
    guard = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()  # what it signals as its group is not the guard
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() == guard:  # else the guard was gone before the kernel was asked
            os.dup2(output, sys.stdout.fileno())
            os.dup2(log, sys.stderr.fileno())
            _reset_signals()
            os.chdir(command["cwd"])
            os.execvpe(command["argv"][0], command["argv"], command["env"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(log, f"{command['argv'][0]}: {error}\n".encode())
    finally:
        os._exit(_CANNOT_RUN)


def _reset_signals() -> None:
    """As a program expects to find them, whatever Python or a `nohup` has set."""
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
