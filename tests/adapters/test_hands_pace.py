"""How fast hosts are begun: as fast as the processors here can serve them, and at once where none is needed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.sites import ROOT

MANY = 40
# Keeps a processor busy for some hundredths of a second of its own time.
_BUSY = "import time; e = time.process_time() + 0.03\nwhile time.process_time() < e: pass"
_SLEEPS = "read line; sleep 1"


def _child(folder: Path, words: list[str], deadline_s: float = 60) -> "subprocess.Popen[str]":
    for number in range(MANY):
        (folder / f"h{number:02}.in").write_text("go\n")
    hosts = [{"host": f"h{number:02}", "words": words, "deadline_s": deadline_s} for number in range(MANY)]
    (folder / "hands.json").write_text(json.dumps({"hosts": hosts}))
    command = [sys.executable, "-m", "orchestrator.adapters.hands_child", str(folder), str(deadline_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def _lines(child: "subprocess.Popen[str]") -> list[dict[str, object]]:
    said, _ = child.communicate(timeout=60)
    return [json.loads(line) for line in said.splitlines()]


def _most_at_once(lines: list[dict[str, object]]) -> int:
    spans = [(float(str(item["at"])) - float(str(item["took_s"])), float(str(item["at"]))) for item in lines]
    return max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans)


def test_hosts_that_keep_this_machine_busy_are_begun_in_turn(tmp_path: Path) -> None:
    *lines, last = _lines(_child(tmp_path, [sys.executable, "-S", "-c", _BUSY]))
    assert (len(lines), last) == (MANY, {"status": "done"})
    assert _most_at_once(lines) < MANY / 2


def test_hosts_that_are_waited_for_are_all_begun_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    *lines, last = _lines(_child(tmp_path, ["/bin/sh", "-c", _SLEEPS]))
    assert (len(lines), last) == (MANY, {"status": "done"})
    assert time.monotonic() - began < MANY / 2  # of one second each


def test_who_was_not_begun_when_it_was_told_to_stop_is_named(tmp_path: Path) -> None:
    words = [sys.executable, "-S", "-c", "while True: pass"]
    child = _child(tmp_path, words)
    tell = tmp_path / "h00.out"
    while not tell.exists():
        os.sched_yield()
    child.send_signal(signal.SIGTERM)
    *lines, last = _lines(child)
    assert last == {"status": "stopped"}
    assert lines
    assert {item["ended"] for item in lines} == {"not begun"}
    begun = {path.stem for path in tmp_path.glob("*.out")}
    assert begun | {str(item["host"]) for item in lines} == {f"h{number:02}" for number in range(MANY)}
    assert begun.isdisjoint(str(item["host"]) for item in lines)
