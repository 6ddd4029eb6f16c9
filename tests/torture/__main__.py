"""`python -m tests.torture [--simulated KILLS] [--twin KILLS] [--report FILE]`: exit status 1 where a promise broke."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.torture import simulator


def main() -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(description="Fault tests that are too long for every day.")
    parser.add_argument("--simulated", type=int, default=2000, help="kills on the simulated site (default 2000)")
    parser.add_argument("--twin", type=int, default=200, help="kills and freezes on a twin (default 200)")
    parser.add_argument("--seed", type=int, help="another order of kills on the twin")
    parser.add_argument("--scratch", type=Path, help="keep journals and reports of the twin's runs in this folder")
    parser.add_argument("--report", type=Path, help="write the report to this file too")
    asked = parser.parse_args()
    lines: list[str] = []
    wrong: list[str] = []
    if asked.simulated:
        wrong += _simulated(asked.simulated, lines)
    if asked.twin:
        wrong += _on_a_twin(asked, lines)
    text = "\n".join([*lines, *(f"WRONG: {item}" for item in wrong), "", f"{len(wrong)} broken promises"])
    print(text)
    if asked.report:
        asked.report.write_text(text + "\n", encoding="utf-8")
    return 1 if wrong else 0


def _simulated(kills: int, lines: list[str]) -> list[str]:
    began = time.monotonic()
    tally = simulator.torture(kills)
    lines += [
        f"Simulated site, seed {simulator.SEED}, {time.monotonic() - began:.0f} s",
        f"  runs {tally.runs}, kills {tally.kills}, closed {tally.closed}, broken promises {len(tally.wrong)}",
    ]
    return tally.wrong


def _on_a_twin(asked: argparse.Namespace, lines: list[str]) -> list[str]:
    from tests.torture import twin  # noqa: PLC0415 - the simulator needs neither root nor namespaces

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drillctl-torture-") as scratch:
        seed = asked.seed or twin.SEED
        place = asked.scratch or Path(scratch)
        tally = twin.torture(asked.twin, place, seed, lambda line: print(line, file=sys.stderr, flush=True))
    lines += [
        f"Twin, seed {seed}, {time.monotonic() - began:.0f} s",
        f"  runs {tally.nights}, kills and freezes {sum(tally.hurts.values())}, resumes {tally.resumes}",
        *(f"    {count:4} × {what}" for what, count in sorted(tally.hurts.items())),
        f"  closed {tally.closed} (passed and restored {tally.passed}), waiting for a named decision {tally.waiting}",
        f"  duplicate log-ins {tally.duplicates}, repeated effects {tally.repeated}, leftovers {tally.leftovers}",
    ]
    return tally.wrong


if __name__ == "__main__":
    sys.exit(main())
