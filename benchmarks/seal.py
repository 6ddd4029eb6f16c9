"""How long it takes from the end of a run to its sealed pack, reports included. On a twin of the example site.

`python -m benchmarks.seal [TIMES]`. What counts is on record: from the run's last event to the line of the ledger that
says that its pack is sealed.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

DRILL = ("rehearse", "single-centre-failure", "--set", "centre=futian", "--response", "repoint", "--json")
LIMIT_S = 8.0
LONGEST_S = 600


def main(times: int) -> None:
    """Print one line per run and their median."""
    with tempfile.TemporaryDirectory(prefix="drillctl-seal-") as scratch:
        taken = [_seal(Path(scratch)) for _ in range(times)]
    print(f"median {statistics.median(taken):.2f} s, longest {max(taken):.2f} s, limit {LIMIT_S:g} s")


def _seal(scratch: Path) -> float:
    places = {"DRILLCTL_REPORTS": str(scratch / "reports"), "DRILLCTL_STATE": str(scratch / "state")}
    command = (sys.executable, "-m", "orchestrator", *DRILL)
    done = subprocess.run(
        command,
        env={**os.environ, **places},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=LONGEST_S,
        check=True,
    )
    pack = Path(json.loads(done.stdout)["evidence"])
    last = json.loads((pack / "journal/events.jsonl").read_bytes().splitlines()[-1])
    line = json.loads((scratch / "reports/ledger/ledger.jsonl").read_bytes().splitlines()[-1])
    assert (last["kind"], line["kind"], line["data"]["run"]) == ("closed", "pack.sealed", last["run"])  # noqa: S101 - or nothing was measured
    size = sum(file.stat().st_size for file in pack.rglob("*") if file.is_file())
    seconds = (datetime.fromisoformat(line["at"]) - datetime.fromisoformat(last["at"])).total_seconds()
    print(f"{last['run']}: sealed {seconds:.2f} s after its end, {size / 1e6:.1f} MB")
    return seconds


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 3)
