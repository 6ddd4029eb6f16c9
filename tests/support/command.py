"""`drillctl` as an operator runs it: a process of its own, its exit code and what it says."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.model.record import RunRecord
from tests.support.sites import ROOT

LONGEST_S = 400  # our choice: no rehearsal of the tests takes longer


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def record(self) -> RunRecord:
        """The run.json of the run that the command made."""
        text = (Path(self.document["evidence"]) / "run.json").read_text(encoding="utf-8")
        return RunRecord.model_validate_json(text)


def drillctl(*arguments: str, state: Path) -> Said:
    """Run it with reports and journal of its own under `state`."""
    environment = {
        **os.environ,
        "DRILLCTL_REPORTS": str(state / "reports"),
        "DRILLCTL_STATE": str(state / "state"),
        "DRILLCTL_DEBUG": "1",
        "COLUMNS": "160",
    }
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)
