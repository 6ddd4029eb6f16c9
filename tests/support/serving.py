"""`drillctl serve` at another time, where a rehearsal is a program that only counts itself.

    python -m tests.support.serving CLOCK COUNT VERB …

A server begins rehearsals by the words that it was begun by itself: so they come here too. A rehearsal adds a line to
`COUNT` and ends with the exit code that `COUNT.code` holds, if there is one; every other verb is the real one, with the
clock of `tests.support.clocked`.
"""

import json
import os
import sys
from pathlib import Path

from orchestrator.cli import main
from tests.support.clocked import put_by


def _count(file: Path, words: list[str]) -> int:
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"words": words, "state": os.environ["DRILLCTL_STATE"]}) + "\n")
    code = file.with_name(f"{file.name}.code")
    return int(code.read_text(encoding="ascii")) if code.exists() else 0


if __name__ == "__main__":
    clock, count = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
    if sys.argv[1] == "rehearse":
        sys.exit(_count(count, sys.argv[2:]))
    put_by(clock)
    main()
