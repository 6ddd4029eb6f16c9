"""How long the command line takes to answer: `--help`, `status` and `plan`, as whole processes.

`python -m benchmarks.startup [TIMES] [--json FILE]`. The best of TIMES, since what is measured is the program and not
what else the machine does; `status` and `help` beyond a bare interpreter, which is measured in turn with them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.table import Row, row, write

TIMES = 10  # our choice
_SOURCE = "benchmarks.startup"
_BARE = (sys.executable, "-c", "pass")
_DRILLCTL = str(Path(sys.executable).with_name("drillctl"))
_ROOT = Path(__file__).resolve().parents[1]
_LIMITS = {"--help": 0.25, "status": 0.4, "plan": 0.6}  # seconds; status beyond a bare interpreter
_PLAN = ("plan", "single-centre-failure", "--set", "centre=futian")


def rows(times: int) -> list[Row]:
    """In turns, so that what the machine does beside us falls on all alike."""
    with tempfile.TemporaryDirectory(prefix="drillctl-startup-") as scratch:
        commands = {"bare": _BARE, **{words[0]: (_DRILLCTL, *words) for words in (("--help",), ("status",), _PLAN)}}
        for command in commands.values():
            _run(command, Path(scratch))  # what is compiled is compiled
        taken = [{name: _run(command, Path(scratch)) for name, command in commands.items()} for _ in range(times)]
    best = {name: min(turn[name] for turn in taken) for name in commands}
    return [
        row("a bare interpreter", best["bare"], "s", _SOURCE),
        row("drillctl --help", best["--help"], "s", _SOURCE, _LIMITS["--help"]),
        row(
            "drillctl status, beyond a bare interpreter", best["status"] - best["bare"], "s", _SOURCE, _LIMITS["status"]
        ),
        row("drillctl plan of the example", best["plan"], "s", _SOURCE, _LIMITS["plan"]),
    ]


def _run(command: Sequence[str], scratch: Path) -> float:
    """With what Python has compiled, and nobody's runs."""
    own = {"DRILLCTL_STATE": str(scratch / "state"), "DRILLCTL_REPORTS": str(scratch / "reports")}
    known = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    subprocess.run(command, cwd=_ROOT, env={**known, **own}, stdout=subprocess.DEVNULL, timeout=60, check=True)
    return time.perf_counter() - began


def main() -> None:
    """A line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", allow_abbrev=False)
    parser.add_argument("times", metavar="TIMES", type=int, nargs="?", default=TIMES)
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the rows go")
    given = parser.parse_args()
    found = rows(given.times)
    write(given.json, found)
    for item in found:
        print(item.line(), flush=True)


if __name__ == "__main__":
    main()
