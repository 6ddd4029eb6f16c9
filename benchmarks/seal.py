"""How long it takes from the end of a run to its sealed pack, reports included. On a twin of the example site.

`python -m benchmarks.seal [TIMES]`. What counts is on record: from the run's last event to the line of the ledger that
says that its pack is sealed.
"""

import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.rehearsal import SEAL_LIMIT_S, rehearse


def main(times: int) -> None:
    """Print one line per run and their median."""
    with tempfile.TemporaryDirectory(prefix="drillctl-seal-") as scratch:
        taken = [_seal(Path(scratch)) for _ in range(times)]
    print(f"median {statistics.median(taken):.2f} s, longest {max(taken):.2f} s, limit {SEAL_LIMIT_S:g} s")


def _seal(scratch: Path) -> float:
    found = rehearse(scratch)
    size = sum(file.stat().st_size for file in found.pack.rglob("*") if file.is_file())
    print(f"{found.run}: sealed {found.seal_s:.2f} s after its end, {size / 1e6:.1f} MB")
    return found.seal_s


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 3)
