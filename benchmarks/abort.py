"""How long an abort takes to begin undoing while a playbook hangs on a host that is frozen. On a twin.

`python -m benchmarks.abort [TIMES] [--json FILE]`. What counts is the journal: from the message that was taken to the
first step of restoration. The playbook would hang for its whole deadline.
"""

import argparse
import signal
import statistics
import tempfile
from datetime import datetime
from pathlib import Path

from benchmarks.table import row, write
from orchestrator.model.event import Event, EventKind
from tests.support.twins import until
from tests.torture.twin import Stage

DRILL = ("single-centre-failure", "--set", "centre=futian", "--response", "repoint")
LIMIT_S = 2.0


def main(times: int, file: Path | None) -> None:
    """Their median and the longest; one line per abort on the way."""
    with tempfile.TemporaryDirectory(prefix="drillctl-abort-") as scratch:
        stage = Stage(Path(scratch))
        try:
            taken = [_abort(stage) for _ in range(times)]
        finally:
            stage.close()
    source = "benchmarks.abort"
    rows = [
        row("from an abort to the first step of the way back, median", statistics.median(taken), "s", source),
        row("from an abort to the first step of the way back, longest", max(taken), "s", source, LIMIT_S),
    ]
    for item in rows:
        print(item.line())
    write(file, rows)


def _abort(stage: Stage) -> float:
    known = set(stage.runs())
    running = stage.begin(DRILL)
    until(lambda: set(stage.runs()) - known, 60)
    run = (set(stage.runs()) - known).pop()
    host = "node0-trading-0"
    until((stage.scratch / "reports" / run / "steps" / "repoint-1-1" / "claim").exists, 90)
    stage.twin.sabotage("freeze_host", host=host)
    stage.drillctl("abort", run, "--reason", "measured", "--no-wait").wait(60)
    until(lambda: _first(stage.events(run), EventKind.UNDO_INTENT), 60)
    stage.twin.sabotage("thaw_host", host=host)
    code = running.wait(300)
    events = stage.events(run)
    seconds = _at(_first(events, EventKind.UNDO_INTENT)) - _at(_first(events, EventKind.MESSAGE))
    print(f"{run}: undoing began {seconds:.2f} s after the abort was taken; exit {code}")
    return seconds


def _first(events: list[Event], kind: EventKind) -> Event | None:
    return next((event for event in events if event.kind is kind), None)


def _at(event: Event | None) -> float:
    """NaN where there is none: then nothing was measured."""
    return float("nan") if event is None else datetime.fromisoformat(event.at).timestamp()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.abort", allow_abbrev=False)
    parser.add_argument("times", metavar="TIMES", type=int, nargs="?", default=3)
    parser.add_argument("--json", metavar="FILE", type=Path, help="where the rows go")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever is told to end takes its twin down
    main(given.times, given.json)
