"""A site that is served: its folder, its state, its clock, and the rehearsals that were begun."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.evidence.keys import local_keys
from orchestrator.evidence.ledger import Ledger
from orchestrator.model.evidence import LedgerLine
from tests.evidence.verifying import by_product, by_script
from tests.evidence.years import Hand
from tests.support.command import Said
from tests.support.sites import ROOT

KEY = "a key of more than sixteen characters"
LONGEST_S = 60
SCHEDULE = """\
starts: 2026-11-01
rules:
  - id: tryout
    title: {zh: 单中心故障仿真预演, en: Rehearsal of a centre's failure}
    drill: single-centre-failure
    parameters: {centre: futian}
    every_months: 1
    mode: rehearsal
    clauses: [SSCC-2.3]
    policy: the test's
    begins: "14:00"
    expected_h: 1
    grace_h: 6
  - id: host
    title: {zh: 网关主机故障演练, en: Gateway host failure}
    drill: gateway-host-failure
    parameters: {host: gw-a1}
    every_months: 1
    clauses: [SSE-2.2a]
    policy: the test's
"""


def at(text: str) -> datetime:
    """A local time of the site."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai"))


@dataclass
class Served:
    """`folder` holds all of it. Commands begin at the time that the clock was put to last."""

    folder: Path
    more: dict[str, str] = field(default_factory=dict)

    @classmethod
    def made(cls, folder: Path, schedule: str = SCHEDULE) -> "Served":
        shutil.copytree(ROOT / "inventory", folder / "inventory")
        found = cls(folder)
        (found.site / "schedule.yml").write_text(schedule, encoding="utf-8")
        (folder / "key").write_text(KEY)
        return found

    @property
    def site(self) -> Path:
        return self.folder / "inventory" / "example"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def hook(self, port: int, attempts: int = 10) -> None:
        """Notices go to a webhook on loopback."""
        line = f"{{id: hook, kind: webhook, url: 'http://127.0.0.1:{port}/', secret_file: ../../key}}"
        text = f"attempts: {attempts}\ndeadline_s: 2\nchannels:\n  - {line}\n"
        (self.site / "notify.yml").write_text(text, encoding="utf-8")

    def put_clock(self, moment: datetime) -> None:
        draft = self.folder / "clock.new"
        draft.write_text(str(moment.timestamp() - time.time()), encoding="ascii")
        draft.replace(self.folder / "clock")

    def words(self, *more: str) -> list[str]:
        program = [sys.executable, "-u", "-m", "tests.support.serving"]
        return [*program, str(self.folder / "clock"), str(self.folder / "count"), *more, "--site", str(self.site)]

    @property
    def environment(self) -> dict[str, str]:
        places = {"DRILLCTL_REPORTS": str(self.folder / "reports"), "DRILLCTL_STATE": str(self.state)}
        return {**os.environ, **places, "DRILLCTL_DEBUG": "1", "COLUMNS": "100", **self.more}

    def once(self, moment: datetime) -> Said:
        """One round at that time."""
        return self.run(moment, "serve", "--once")

    def run(self, moment: datetime, *words: str) -> Said:
        self.put_clock(moment)
        done = subprocess.run(
            self.words(*words),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def serving(self, moment: datetime) -> Iterator[subprocess.Popen[str]]:
        """A server at work; it is ended with the block, by its own process id."""
        self.put_clock(moment)
        process = subprocess.Popen(
            self.words("serve"),
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()

    @property
    def begun(self) -> list[dict[str, Any]]:
        """Rehearsals that were begun."""
        file = self.folder / "count"
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []

    @property
    def ledger(self) -> list[LedgerLine]:
        return Ledger(self.folder / "reports" / "ledger", Hand()).lines()

    @property
    def missed(self) -> list[str]:
        return [str(line.data["id"]) for line in self.ledger if line.kind == "schedule.missed"]

    def verifies(self) -> bool:
        """Both verifiers find no fault in the archive."""
        keys = local_keys(self.state / "keys")
        assert keys is not None
        archive = self.folder / "reports"
        told = [verify(archive, "--signer", keys.fingerprint, archive=True) for verify in (by_product, by_script)]
        return all(item.faults == () for item in told)


def until(process: subprocess.Popen[str], text: str) -> str:
    """What a server says until a line holds `text`."""
    read = ""
    for line in process.stdout or ():
        read += line
        if text in line:
            return read
    raise AssertionError(f"expected {text!r}, found the end of:\n{read}")
