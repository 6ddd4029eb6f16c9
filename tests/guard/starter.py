"""An orchestrator that has a command begun and follows it: `python -m tests.guard.starter FOLDER SCRIPT`."""

import sys
from pathlib import Path

from orchestrator.engine import guard
from tests.guard.commands import shell

folder = Path(sys.argv[1])
guard.start(folder, shell(sys.argv[2]))
for line in guard.follow(folder, lambda: False):
    print(line, flush=True)  # noqa: T201 - what its test reads
