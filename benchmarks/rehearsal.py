"""How long a whole rehearsal takes and what it costs: the loss of a centre on a twin of the example site.

`python -m benchmarks.rehearsal [TIMES] [--hosts N] [--json FILE]`. Wall time from the command to its end, twin and
sealed pack included. The fault's own waiting stands apart: from the injected fault to the first step of switching, and
what hosts wait for fronts to release numbers, both by the journal of the pack. Processor time is that of everything
that the command started, whoever its parent was in the end; the twin's is apart, since a real site has none. With
`--hosts` one rehearsal of so many gateway hosts besides: the memory of the command's own process, from its beginning to
the sealed pack, and of the copies of it that write the PDFs.
"""

import argparse
import ctypes
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.ground import write_hosts
from benchmarks.memory import pss_mib
from benchmarks.table import Row, row, write
from orchestrator.guarding.processes import below

DRILL = ("rehearse", "single-centre-failure", "--set", "centre=futian", "--response", "repoint", "--json")
SEAL_LIMIT_S = 8.0
MEMORY_LIMIT_MIB = 300e6 / (1 << 20)
LONGEST_S = 900
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_S = 0.05
_SOURCE = "benchmarks.rehearsal"
_TWIN = "orchestrator.twin.daemon"
_LOOK_AT_TWIN_S = 1.0
_LOOK_AT_MEMORY_S = 0.3
_UTIME = 11  # proc(5): the first of four times in /proc/PID/stat, counted from the field after the name


@dataclass(frozen=True)
class Rehearsed:
    """One rehearsal, with what is on record of it. Seconds."""

    run: str
    pack: Path
    wall_s: float
    controller_cpu_s: float
    twin_cpu_s: float
    fault_s: float  # from the injected fault to the first step of switching
    release_s: float  # the longest wait on a host for a front to release a number, summed over the waves
    hold_s: float
    seal_s: float
    peak_mib: float  # of the command's own process
    copies_mib: float  # of its copies together

    @property
    def own_s(self) -> float:
        """Without the fault's own waiting."""
        return self.wall_s - self.fault_s - self.release_s


class _Memory:
    """Peaks of a process, and of all copies of it at once."""

    def __init__(self, pid: int) -> None:
        self._pid, self._look_at = pid, 0.0
        self.own_mib = self.copies_mib = 0.0

    def look(self) -> None:
        """Now and then."""
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_AT_MEMORY_S
        words = _command_line(self._pid)
        copies = [pid for pid in _children(self._pid) if words and _command_line(pid) == words]
        self.own_mib = max(self.own_mib, pss_mib(self._pid))
        self.copies_mib = max(self.copies_mib, sum(map(pss_mib, copies)))


def rehearse(scratch: Path, *more: str) -> Rehearsed:
    """On a twin of its own. Nothing that it started is left when this returns."""
    places = {"DRILLCTL_REPORTS": str(scratch / "reports"), "DRILLCTL_STATE": str(scratch / "state")}
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    out = scratch / "out"
    began = time.monotonic()
    with out.open("wb") as said:
        command = (sys.executable, "-m", "orchestrator", *DRILL, *more)
        process = subprocess.Popen(
            command, env={**os.environ, **places}, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.DEVNULL
        )
    memory = _Memory(process.pid)
    try:
        cpu_s, wall_s, status = _reaped(process.pid, began, memory)
    except BaseException:
        process.terminate()  # it goes back in its twin, and takes that down
        _reaped(process.pid, time.monotonic(), memory)
        raise
    process.returncode = status  # it was reaped here
    assert status == 0, f"expected exit 0, found {status}"  # noqa: S101 - or nothing was measured
    pack = Path(json.loads(out.read_bytes())["evidence"])
    events = [json.loads(line) for line in (pack / "journal/events.jsonl").read_bytes().splitlines()]
    ledger = json.loads((scratch / "reports/ledger/ledger.jsonl").read_bytes().splitlines()[-1])
    last = events[-1]
    assert (last["kind"], ledger["kind"], ledger["data"]["run"]) == ("closed", "pack.sealed", last["run"])  # noqa: S101 - or nothing was measured
    return Rehearsed(
        run=last["run"],
        pack=pack,
        wall_s=wall_s,
        controller_cpu_s=cpu_s["controller"],
        twin_cpu_s=cpu_s["twin"],
        fault_s=_of_switching(events) - _at(_step(events, "done", "inject")),
        release_s=_released(events),
        hold_s=_at(_step(events, "done", "hold")) - _at(_step(events, "intent", "hold")),
        seal_s=_at(ledger) - _at(last),
        peak_mib=memory.own_mib,
        copies_mib=memory.copies_mib,
    )


def _reaped(first: int, began: float, memory: _Memory) -> tuple[dict[str, float], float, int]:
    """Processor time of the first process and of all that it left to us, when the last of them has ended; how long the
    first took, and its exit status. What runs in a twin is killed with it and reaped by nobody: it is looked at before.
    """
    spent = {"controller": 0.0, "twin": 0.0}
    twins: set[int] = set()
    wall_s, code, look_at = 0.0, 1, 0.0
    while time.monotonic() - began < LONGEST_S:
        memory.look()
        if time.monotonic() > look_at:
            look_at = time.monotonic() + _LOOK_AT_TWIN_S
            twins |= {pid for pid in _children(os.getpid()) if _TWIN in _command_line(pid)}
            spent["twin"] = max(spent["twin"], sum(_cpu_below(pid) for pid in twins))
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return spent, wall_s, code
        if pid == 0:
            time.sleep(_LOOK_S)
        elif pid not in twins:
            spent["controller"] += usage.ru_utime + usage.ru_stime
        if pid == first:
            wall_s, code = time.monotonic() - began, os.waitstatus_to_exitcode(status)
    raise TimeoutError(f"expected the rehearsal to end within {LONGEST_S} s")


def _children(pid: int) -> list[int]:
    return [int(word) for word in _read(f"/proc/{pid}/task/{pid}/children").split()]


def _command_line(pid: int) -> str:
    return _read(f"/proc/{pid}/cmdline").replace("\0", " ")


def _cpu_below(root: int) -> float:
    """Of a process, of all that are below it, and of those that any of them has reaped."""
    fields = (
        _read(f"/proc/{pid}/stat").rpartition(")")[2].split() for pid in (root, *(item.pid for item in below(root)))
    )
    return sum(sum(map(int, found[_UTIME : _UTIME + 4])) for found in fields) / os.sysconf("SC_CLK_TCK")


def _read(path: str) -> str:
    """Empty: its process is gone."""
    try:
        return Path(path).read_bytes().decode(errors="replace")
    except OSError:
        return ""


# -- what is on record --------------------------------------------------------------------------------


def _step(events: Sequence[Mapping[str, Any]], kind: str, step: str) -> Mapping[str, Any]:
    return next(item for item in events if (item["kind"], item.get("step")) == (kind, step))


def _of_switching(events: Sequence[Mapping[str, Any]]) -> float:
    """When the first step of switching began."""
    begun = False
    for item in events:
        begun |= bool(item["kind"] == "state" and item["data"]["state"] == "switching")
        if begun and item["kind"] == "intent":
            return _at(item)
    raise LookupError("expected a step of switching, found none")


def _released(events: Sequence[Mapping[str, Any]]) -> float:
    done = [item for item in events if item["kind"] == "done" and str(item["step"]).startswith("repoint-")]
    waits = ([result["data"].get("waited_s", 0.0) for result in item["data"]["results"]] for item in done)
    return float(sum(max(found, default=0.0) for found in waits))


def _at(item: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(item["at"])).timestamp()


# -- the command --------------------------------------------------------------------------------------


def main(times: int, hosts: int, file: Path | None) -> None:
    """Medians, as a table and as rows; then those of the large site."""
    with tempfile.TemporaryDirectory(prefix="drillctl-rehearsal-") as scratch:
        found = [_rehearsed(Path(scratch) / str(number)) for number in range(times)]
        large = _large(Path(scratch) / "large", hosts) if hosts else []

    def median(name: str) -> float:
        return float(statistics.median(getattr(item, name) for item in found))

    def of(what: str, name: str, limit: float | None = None) -> Row:
        return row(f"rehearsal of a centre's loss: {what}", median(name), "s", _SOURCE, limit)

    rows = [
        of("whole command", "wall_s"),
        of("from the fault to the first step of switching", "fault_s"),
        of("waits for fronts to release numbers", "release_s"),
        of("without the fault's own waiting (these two)", "own_s"),
        of("holding the switched state", "hold_s"),
        of("processor time of the controller", "controller_cpu_s"),
        of("processor time of the twin", "twin_cpu_s"),
        of("reports and seal", "seal_s", SEAL_LIMIT_S),
        *large,
    ]
    for item in rows:
        print(item.line())
    write(file, rows)


def _large(scratch: Path, hosts: int) -> list[Row]:
    (scratch / "site").mkdir(parents=True)
    found = _rehearsed(scratch / "run", "--site", str(write_hosts(scratch / "site", hosts)))
    what = f"rehearsal of {hosts} hosts"
    memory = f"{_SOURCE}, PSS of /proc/PID/smaps_rollup"
    return [
        row(f"{what}: whole command", found.wall_s, "s", _SOURCE),
        row(f"{what}: reports and seal", found.seal_s, "s", _SOURCE),
        row(f"{what}: peak memory of drillctl", found.peak_mib, "MiB", memory, MEMORY_LIMIT_MIB),
        row(f"{what}: peak memory of its copies that write PDFs", found.copies_mib, "MiB", memory),
    ]


def _rehearsed(scratch: Path, *more: str) -> Rehearsed:
    scratch.mkdir()
    found = rehearse(scratch, *more)
    cpu = f"{found.controller_cpu_s:.1f} s of processor, the twin {found.twin_cpu_s:.1f} s"
    print(f"{found.run}: {found.wall_s:.1f} s, {cpu}, sealed in {found.seal_s:.2f} s", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rehearsal", allow_abbrev=False)
    parser.add_argument("times", metavar="TIMES", type=int, nargs="?", default=1)
    parser.add_argument("--hosts", metavar="N", type=int, default=0, help="one more, of so many gateway hosts")
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the rows go")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main(given.times, given.hosts, given.json)
