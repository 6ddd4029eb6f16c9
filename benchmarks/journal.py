"""What the journal costs a step: INTENT before, DONE after, each on disk before it returns.

`python -m benchmarks.journal [FOLDER] [--json FILE]` writes in FOLDER (default: a temporary folder beside the reports),
since what is measured is that disk's fsync as much as our code. Then the same once more with a copy on the same disk,
as the second room's is when its line costs nothing: every event is there too before the step goes on.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from benchmarks.table import Row, row, write
from orchestrator.adapters.clock import SystemClock
from orchestrator.journal import BEHIND, Mirror, Room, SqliteJournal
from orchestrator.loader.drill import load_drill
from orchestrator.loader.site import load_site
from orchestrator.model.drill import Mode
from orchestrator.model.event import EventKind
from orchestrator.model.plan import Plan
from orchestrator.planner import Request, make_plan

ROOT = Path(__file__).resolve().parents[1]
_DAY = date(2026, 11, 22)  # a plan takes its day from outside; any on which the certificates are valid
_SOURCE = "benchmarks.journal"
STEPS, GATEWAYS = 300, 20  # our choice: a wave as large as the example site allows
LIMIT_MS = 5.0  # our choice: far below what a step itself takes
# As large as what a real repoint returns for one gateway.
_ANSWER = {
    "changed": True,
    "diff": {"before": ["172.60.101.30:7043"] * 2, "after": ["172.50.101.30:7043"] * 2},
    "sha256_after": "0" * 64,
    "stamps": {name: [1.8e9, 1.0e5] for name in ("begin", "stop", "process_gone", "start", "session", "logged_in")},
}


def main(folder: Path, file: Path | None) -> None:
    """Milliseconds per step: median and 95th percentile, small steps and whole waves."""
    site = load_site(ROOT / "inventory" / "example")
    drill = load_drill(ROOT / "drills", "single-centre-failure")
    plan = make_plan(site.topology, site.digest, drill, Request(Mode.REHEARSAL, _DAY, {}))
    rows: list[Row] = []
    for copied in (False, True):
        home = folder / f"copied-{copied}"
        (home / "run").mkdir(parents=True)
        rows += _measure(home, plan, copied=copied)
    for item in rows:
        print(item.line())
    write(file, rows)


def _measure(home: Path, plan: Plan, *, copied: bool) -> Iterator[Row]:
    room = Room(home / "room", "example")
    room.prepare()
    path = home / "journal.db"
    journal = SqliteJournal(path, SystemClock(), mirror=Mirror(room, path) if copied else None)
    epoch = journal.open_run("benchmark", plan, home / "run", "benchmark", [])
    for targets in (1, GATEWAYS):
        times = sorted(_step(journal, epoch, f"step-{targets}-{number}", targets) for number in range(STEPS))
        median, most = statistics.median(times), times[int(len(times) * 0.95)]
        what = f"a step of {targets} target{'s' if targets > 1 else ''}{', copied' if copied else ''}: intent and done"
        yield row(f"{what}, median", median, "ms", _SOURCE, LIMIT_MS)
        yield row(f"{what}, 95 %", most, "ms", _SOURCE)
    if BEHIND in [event.data.get("what") for event in journal.events("benchmark")]:
        yield row("the copy has not kept up", None, "ms", _SOURCE)
    journal.close()


def _step(journal: SqliteJournal, epoch: int, name: str, targets: int) -> float:
    names = [f"gateway-{number}" for number in range(targets)]
    results = [{"target": item, "outcome": "succeeded", "message": "", "data": _ANSWER} for item in names]
    began = time.perf_counter()
    journal.append("benchmark", epoch, EventKind.INTENT, {"verb": "repoint", "targets": names}, name, 1)
    journal.append("benchmark", epoch, EventKind.DONE, {"results": results}, name, 1)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.journal", allow_abbrev=False)
    parser.add_argument("folder", metavar="FOLDER", type=Path, nargs="?", default=ROOT)
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the rows go")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drillctl-bench-", dir=given.folder) as scratch:
        main(Path(scratch), given.json)
