"""Rehearsals that begin by themselves, each entry at most once, whatever is killed and when.

A guard begins it (`engine/guard.py`): the right to begin is on the disk before the rehearsal is, and one that was
begun goes on when the server is ended, by itself, until its own deadline.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestrator.cli.serving.desk import Desk
from orchestrator.engine import guard
from orchestrator.errors import StepFailed
from orchestrator.guarding import files
from orchestrator.ports import Fate
from orchestrator.report.site_notices import From, hindered_notice, name_of
from orchestrator.rules.schedule import Entry

_TIMES = 4  # our choice: it may take so many times as long as the policy expects
_OF_THE_SERVICE = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "INVOCATION_ID")  # what systemd tells it alone
_TOLD = {
    "SCHEDULE_PROVISIONAL": "provisional",
    "SCHEDULE_NO_DAY": "no_day",
    "OUTSIDE_WINDOW": "outside_window",
    "LEVER": "lever",
}


@dataclass(frozen=True)
class Rehearsals:
    """One folder each in the server's own, named by its entry."""

    desk: Desk

    def folder(self, entry: Entry) -> Path:
        return self.desk.folder / "rehearsals" / name_of(entry)

    def refuse(self, source: From, entry: Entry, code: str, reason: str) -> None:
        """Its time has come and it may not begin; said once for each reason."""
        name = f"{name_of(entry)}-{code.lower()}-{entry.begins.date()}"
        notice = partial(hindered_notice, source, entry, name, _TOLD[code])
        self.desk.once(name, f"schedule: not begun: {code}: {reason}", notice)

    def begin(self, source: From, entry: Entry) -> None:
        """Begin it, unless it was begun before."""
        folder = self.folder(entry)
        if guard.begun(folder):
            return
        lever = self.desk.places.lever(self.desk.name).reason()
        if lever:
            self.refuse(source, entry, "LEVER", lever)
            return
        try:
            guard.start(folder, self._command(entry))
        except StepFailed as error:
            name = f"{name_of(entry)}-cannot-begin"
            notice = partial(hindered_notice, source, entry, name, "cannot_begin")
            self.desk.once(name, f"schedule: entry {entry.id}: {error}; rehearse it by hand", notice)
            return
        self.desk.say(f"schedule: entry {entry.id}: its rehearsal has begun; it writes to {folder}")

    def look_after(self, source: From, entries: Sequence[Entry]) -> None:
        """Say once how each of them ended."""
        for entry in entries:
            folder = self.folder(entry)
            if (folder / files.CLAIM).exists() and not self.desk.marks.has(f"{name_of(entry)}-ended"):
                found = guard.fate(folder)
                if found in (Fate.FINISHED, Fate.LOST):
                    self._ended(source, entry, guard.result(folder), folder)

    def _ended(self, source: From, entry: Entry, result: guard.Result, folder: Path) -> None:
        name = f"{name_of(entry)}-ended"
        if result.ended == "lost":
            text = "nobody knows how its rehearsal ended; it is not begun again by itself: `drillctl status`"
            notice = partial(hindered_notice, source, entry, name, "lost")
        else:
            late = "" if result.ended == "exited" else f" ({result.ended})"
            text = f"its rehearsal ended with exit code {result.returncode}{late}; {folder} holds what it said"
            notice = partial(hindered_notice, source, entry, name, "ended_badly", code=result.returncode)
        self.desk.once(name, f"schedule: entry {entry.id}: {text}", notice if result.returncode != 0 else None)

    def _command(self, entry: Entry) -> guard.Command:
        """This very program, as it was called, with the words of a rehearsal."""
        settings = [word for name, value in entry.subject.parameters for word in ("--set", f"{name}={value}")]
        words = ["rehearse", entry.subject.rule.drill, *settings, "--site", str(self.desk.site_folder)]
        env = {name: value for name, value in os.environ.items() if name not in _OF_THE_SERVICE}
        env |= {"DRILLCTL_STATE": str(self.desk.state), "DRILLCTL_REPORTS": str(self.desk.places.reports)}
        deadline_s = entry.subject.rule.expected_h * 3600 * _TIMES
        return guard.Command((*_this_program(), *words), env, str(Path.cwd()), deadline_s)


def _this_program() -> list[str]:
    """The words before the verb: interpreter, its options, and the program or `-m` and its module."""
    return [sys.executable, *sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv[1:])]]
