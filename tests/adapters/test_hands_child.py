"""How hosts are begun and left: in turn where this machine is busy, at once where it is not; lost ones alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from orchestrator.adapters.hands_child import Beginnings, Host
from tests.support.sites import ROOT

MANY = 40
# Keeps a processor busy for some hundredths of a second of its own time.
_BUSY = "import time; e = time.process_time() + 0.03\nwhile time.process_time() < e: pass"
_SLEEPS = "read line; sleep 1"


def _child(
    folder: Path, words: list[str], deadline_s: float = 60, *, others: Sequence[list[str]] = (), leave: bool = False
) -> "subprocess.Popen[str]":
    """`others`: what the last hosts are given instead of `words`."""
    each = [*[words] * (MANY - len(others)), *others]
    for number in range(MANY):
        (folder / f"h{number:02}.in").write_text("go\n")
    hosts = [{"host": f"h{number:02}", "words": item, "deadline_s": deadline_s} for number, item in enumerate(each)]
    (folder / "hands.json").write_text(json.dumps({"hosts": hosts, "leave_silent": leave}))
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


_ANSWERS = 'echo DRILLCTL-BEGUN; read line; echo "DRILLCTL-RESULT {}"'
_IS_LOST = ["/bin/sh", "-c", "sleep 8"]
_IS_SLOW = ["/bin/sh", "-c", "echo DRILLCTL-BEGUN; sleep 4; echo 'DRILLCTL-RESULT {}'"]


def test_nobody_waits_for_a_host_on_which_nothing_has_begun(tmp_path: Path) -> None:
    *lines, last = _lines(_child(tmp_path, ["/bin/sh", "-c", _ANSWERS], others=[_IS_LOST, _IS_LOST], leave=True))
    ended = [str(item["ended"]) for item in sorted(lines, key=lambda item: str(item["host"]))]
    assert (ended, last) == (["exited"] * (MANY - 2) + ["silent"] * 2, {"status": "done"})
    assert max(float(str(item["took_s"])) for item in lines) < 5


def test_one_that_has_begun_is_waited_for_and_the_lost_with_it(tmp_path: Path) -> None:
    *lines, _ = _lines(_child(tmp_path, ["/bin/sh", "-c", _ANSWERS], others=[_IS_SLOW, _IS_LOST], leave=True))
    found = {str(item["host"]): item for item in lines}
    assert (found["h38"]["ended"], found["h38"]["answer"]) == ("exited", {})
    assert found["h39"]["ended"] == "exited"  # it has begun nothing, but was not all that was left


def test_where_nobody_is_to_be_left_everybody_is_waited_for(tmp_path: Path) -> None:
    *lines, _ = _lines(_child(tmp_path, ["/bin/sh", "-c", _ANSWERS], others=[_IS_LOST]))
    assert {item["ended"] for item in lines} == {"exited"}


def test_without_any_answer_nobody_is_left(tmp_path: Path) -> None:
    *lines, _ = _lines(_child(tmp_path, _IS_LOST, leave=True))
    assert {item["ended"] for item in lines} == {"exited"}


def test_who_waits_for_a_lost_host_takes_nobodys_place(tmp_path: Path) -> None:
    """A host that others have shown to be late is none that this machine is busy with."""
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    with ExitStack() as files:

        def host(name: str, age_s: float) -> Host:
            said, wrong = (
                files.enter_context((tmp_path / f"{name}.{kind}").open("w+b", buffering=0)) for kind in ("out", "err")
            )
            return Host(name, time.monotonic() - age_s, time.monotonic() + 60, process, said, wrong)

        beginnings, lost, well, young = Beginnings(), host("lost", 9), host("well", 2), host("young", 1)
        assert beginnings.at_work([lost, well, young]) == 3  # nobody has begun: nobody is late
        well.said.write(b"DRILLCTL-BEGUN\n")
        assert beginnings.at_work([lost, well, young]) == 2
        assert beginnings.at_work([lost, young]) == 1
