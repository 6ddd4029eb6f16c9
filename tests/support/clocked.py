"""`drillctl` at another time: the machine's clock port, and nothing else, is put forward or back.

    python -m tests.support.clocked FILE VERB …

`FILE` holds the difference in seconds, and is read at every look: a test moves the clock of a command that is at work
by writing it again. The monotonic clock stays the machine's own, so that deadlines are real.
"""

import sys
import time
from pathlib import Path

from orchestrator.adapters.clock import SystemClock
from orchestrator.cli import main


def put_by(file: Path) -> None:
    """From here on the wall clock of this process is the machine's plus what the file says."""

    def now(_: SystemClock) -> float:
        return time.time() + float(file.read_text(encoding="ascii"))

    setattr(SystemClock, "now", now)  # noqa: B010 - said so that the type checker lets it be replaced


if __name__ == "__main__":
    put_by(Path(sys.argv.pop(1)))
    main()
