"""`drillctl` as an operator runs it: a process of its own, its exit code and what it says."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
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


def _environment(state: Path, more: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        **more,
        "DRILLCTL_REPORTS": str(state / "reports"),
        "DRILLCTL_STATE": str(state / "state"),
        "DRILLCTL_DEBUG": "1",
        "COLUMNS": "100",
    }


def drillctl(
    *arguments: str, state: Path, more: Mapping[str, str] = MappingProxyType({}), at: datetime | None = None
) -> Said:
    """Run it with reports and journal of its own under `state`. `more`: variables of its environment. `at`: the time
    that it begins at; default: now.
    """
    done = subprocess.run(
        [sys.executable, "-m", *(["orchestrator"] if at is None else _clocked(state, at)), *arguments],
        cwd=ROOT,
        env=_environment(state, more),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def _clocked(state: Path, at: datetime) -> list[str]:
    file = state / "clock"
    file.write_text(str(at.timestamp() - time.time()), encoding="ascii")
    return ["tests.support.clocked", str(file)]


@contextmanager
def drillctl_running(*arguments: str, state: Path) -> Iterator["Running"]:
    """Start it and go on; it is ended with the block, by its own process id."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "orchestrator", *arguments],
        cwd=ROOT,
        env=_environment(state, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    try:
        yield Running(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@dataclass(frozen=True)
class Running:
    """A command that is at work."""

    process: subprocess.Popen[str]

    def until(self, text: str) -> str:
        """Read what it tells people until a line holds `text`; returns what was read."""
        read = ""
        for line in self.process.stderr or ():
            read += line
            if text in line:
                return read
        raise AssertionError(f"expected {text!r}, found the end of:\n{read}")

    def finish(self) -> Said:
        out, err = self.process.communicate(timeout=LONGEST_S)
        return Said(self.process.returncode, out, err)
