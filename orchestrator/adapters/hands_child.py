"""Carries one program to each of many hosts at once: `python -m orchestrator.adapters.hands_child FOLDER DEADLINE_S`.

`hands.json` in the folder says to which; each program is a file that its `ssh` reads. Connections are those that the
run has open already (ControlMaster); where there is none, it is made. One JSON line per host on standard output, as
soon as that host is done, then one with the status: `done`, `deadline`, or `stopped` (SIGTERM, which also comes when
its guard is killed). Nothing is tried twice.

A gateway that has been stopped must not wait for this machine: hosts are begun in their order, as fast as the
processors here can serve them and no faster, so that an outage does not depend on how many others switch. Where
`hands.json` says so, a host on which nothing has begun when all others are done is left behind: `silent`.
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

BEGUN, MARK = b"DRILLCTL-BEGUN\n", b"DRILLCTL-RESULT "  # of playbooks/onhost_program.py, which there is no time to load
_MOST_SAID = 4000  # bytes of what went wrong; our choice
_LOOK_S = 0.01  # our choice: how soon it is seen that it is told to stop, and that only lost hosts are left
_ROOM_S, _SMOOTH = 0.002, 0.1  # our choice: how often it is asked whether there is room, and what one look counts
_PATIENCE = 1.5  # our choice: who has begun nothing for so many times what others took waits for its host
_SILENT_S, _SILENT_TIMES = 1.0, 3  # our choice: it has not begun for so long, and for so many times what others took


class Host(NamedTuple):
    """One connection. Its output goes to files: a connection that is kept for later would hold on to a pipe."""

    name: str
    began: float
    end: float
    process: subprocess.Popen[bytes]
    said: BinaryIO
    wrong: BinaryIO


def main(folder: Path, deadline_s: float) -> int:
    """Side by side, each within its own deadline and all within this one."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    end = time.monotonic() + deadline_s
    ask = json.loads((folder / "hands.json").read_text(encoding="utf-8"))
    look = select.poll()
    hosts: dict[int, Host] = {}
    waiting = ask["hosts"][::-1]
    pace, beginnings = _Pace(), Beginnings()
    silence = _Silence() if ask["leave_silent"] else None
    status = "done"
    while (hosts or waiting) and status == "done":
        while waiting and pace.lets_begin(beginnings.at_work(hosts.values())):
            host = _begun(folder, waiting.pop())
            handle = os.pidfd_open(host.process.pid)
            hosts[handle] = host
            look.register(handle, select.POLLIN)
        for handle, _ in look.poll((_ROOM_S if waiting else _LOOK_S) * 1000):
            look.unregister(handle)
            if silence:
                silence.heard(hosts[handle])
            _tell(hosts.pop(handle), "exited")
            os.close(handle)
        now = time.monotonic()
        over = {handle: "deadline" for handle, host in hosts.items() if now > host.end}
        if silence and not waiting and silence.is_all_that_is_left(hosts.values(), now):
            over.update(dict.fromkeys(hosts, "silent"))
        for handle, ended in over.items():
            look.unregister(handle)
            _tell(hosts.pop(handle), ended)
            os.close(handle)
        status = "stopped" if told else "deadline" if now > end else "done"
    for host in hosts.values():
        _end(host)
    for item in waiting:
        _print({"host": item["host"], "ended": "not begun"})
    _print({"status": status})
    return 0


class _Pace:
    """How many are begun: as many as keep the processors busy. Who waits for a far host keeps none busy."""

    def __init__(self) -> None:
        self._least = os.cpu_count() or 1  # so many are always at work
        self._most = self._least + 1  # that want a processor: more of them make outages longer, fewer leave it idle
        self._busy = 0.0  # smoothed: who has just paused for an answer will want its processor again
        self._load = os.open("/proc/loadavg", os.O_RDONLY)

    def lets_begin(self, at_work: int) -> bool:
        """As many as that are always at work, whatever else this machine is busy with."""
        self._busy += _SMOOTH * (self._running() - self._busy)
        if at_work >= self._least and self._busy > self._most:
            return False
        self._busy += 1  # the one that is begun now
        return True

    def _running(self) -> int:
        """Processes of this machine that have or want a processor; this one is among them."""
        return int(os.pread(self._load, 100, 0).split()[3].partition(b"/")[0])


class _Silence:
    """Whether who is still waited for is not there: a host that was frozen, or is cut off, begins nothing."""

    def __init__(self) -> None:
        self._longest_s = 0.0
        self._begun: set[str] = set()

    def heard(self, host: Host) -> None:
        """It is done; what it took is more than what it took to begin."""
        self._begun.add(host.name)
        self._longest_s = max(self._longest_s, time.monotonic() - host.began)

    def is_all_that_is_left(self, hosts: Collection[Host], now: float) -> bool:
        """Without one that has answered there is nothing that these could be held against."""
        if not self._begun or not hosts:
            return False
        least_s = max(_SILENT_S, _SILENT_TIMES * self._longest_s)
        return all(now - host.began > least_s and not _has_begun(host) for host in hosts)


class Beginnings:
    """How many are at work here: who waits for a lost host takes nobody's place."""

    def __init__(self) -> None:
        self._longest_s = 0.0
        self._begun: set[str] = set()

    def at_work(self, hosts: Collection[Host]) -> int:
        """All but those on which nothing has begun for longer than others took to begin."""
        now = time.monotonic()
        for host in hosts:
            if host.name not in self._begun and _has_begun(host):
                self._begun.add(host.name)
                self._longest_s = max(self._longest_s, now - host.began)
        patience_s = _PATIENCE * self._longest_s if self._begun else float("inf")
        return sum(host.name in self._begun or now - host.began <= patience_s for host in hosts)


def _has_begun(host: Host) -> bool:
    return os.fstat(host.said.fileno()).st_size > 0


def _begun(folder: Path, item: dict[str, Any]) -> Host:
    said, wrong = ((folder / f"{item['host']}.{name}").open("w+b") for name in ("out", "err"))
    with (folder / f"{item['host']}.in").open("rb") as program:
        process = subprocess.Popen(item["words"], stdin=program, stdout=said, stderr=wrong)
    now = time.monotonic()
    return Host(item["host"], now, now + item["deadline_s"], process, said, wrong)


def _tell(host: Host, ended: str) -> None:
    if ended != "exited":
        _end(host)
    host.process.wait()
    said = _read(host.said)
    answer = _answer(said)
    wrong = _read(host.wrong) or said.removeprefix(BEGUN)
    _print(
        {
            "host": host.name,
            "ended": ended,
            "returncode": host.process.returncode,
            "answer": answer,
            "wrong": "" if answer is not None else wrong[-_MOST_SAID:].decode("utf-8", "replace"),
            "took_s": round(time.monotonic() - host.began, 4),
            "at": time.time(),
        }
    )


def _answer(said: bytes) -> Any:
    """None: there is none, or it was cut off where the connection broke."""
    line = next((line for line in reversed(said.splitlines()) if line.startswith(MARK)), None)
    try:
        return None if line is None else json.loads(line.removeprefix(MARK))
    except ValueError:
        return None


def _end(host: Host) -> None:
    """Our end of it. What was begun on the host goes on there, within its own deadline."""
    host.process.kill()
    host.process.wait()


def _read(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _print(line: dict[str, Any]) -> None:
    with suppress(OSError):  # the disk is full: the hosts' work is still brought to its end
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), float(sys.argv[2])))
