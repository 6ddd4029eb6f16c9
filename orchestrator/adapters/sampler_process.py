"""The sampler process of a run as its orchestrator handles it: asked for, joined, started, stopped; one at a time.

Each start has a folder of its own, `<run>/steps/sampler-<n>`, with the request and its guard's files.
"""

import os
import sys
import threading
from pathlib import Path

from orchestrator.adapters.sampler_request import REQUEST, SamplerRequest
from orchestrator.engine import guard
from orchestrator.errors import DrillctlError, StepFailed
from orchestrator.guarding import files
from orchestrator.ports import Fate

_DEADLINE_S = 86400.0  # our choice: a day; it ends long before, with its run


class SamplerProcess:
    """It may have been started by another orchestrator of the run. A start is known by its folder."""

    def __init__(self, request: SamplerRequest) -> None:
        self._request = request
        self._steps = request.run / "steps"

    def newest(self) -> Path | None:
        """The last start."""
        return max(self._steps.glob("sampler-*"), key=_number, default=None)

    def at_work(self, start: Path | None) -> bool:
        return start is not None and guard.fate(start) is Fate.RUNNING

    def was_stopped(self, start: Path | None) -> bool:
        """Somebody asked for its end."""
        return start is not None and (start / files.STOP).exists()

    def ended(self, start: Path) -> str:
        """How it ended, in words. It is not at work any more."""
        if guard.fate(start) is Fate.NEVER:
            return f"{start.name}: never begun"
        said = _text(start / files.LOG).strip().rpartition("\n")[2]
        return ": ".join(part for part in (start.name, guard.result(start).ended, said) if part)

    def start_after(self, last: Path | None) -> None:
        """End what the last one may have left, and start another, unless somebody else just does that.

        StepFailed: nothing was started. NeedsPerson: something of the last one would not go.
        """
        if last is not None:
            guard.sweep(last)
        folder = self._folder(1 if last is None else _number(last) + 1)
        try:
            folder.mkdir(mode=0o700, parents=True)
            self._request.write(folder / REQUEST)
        except FileExistsError:
            return
        except OSError as error:
            raise StepFailed(f"expected to start the sampler in {folder}, found: {error}; make room there") from error
        guard.start(folder, self._command(folder))

    def stop(self, timeout_s: float) -> None:
        """Ask for its end and wait for it, but not longer than this. NeedsPerson: something of it would not go."""
        newest = self.newest()
        if newest is not None and guard.fate(newest) is Fate.RUNNING:
            failed: list[DrillctlError] = []
            waiting = threading.Thread(target=_ask_to_stop, args=(newest, failed), name="sampler stop", daemon=True)
            waiting.start()
            waiting.join(timeout_s)
            if failed:
                raise failed[0]

    def _folder(self, number: int) -> Path:
        return self._steps / f"sampler-{number}"

    def _command(self, folder: Path) -> guard.Command:
        """It knows where the user's ssh settings and agent are, and nothing else of the caller's."""
        known = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "SSH_AUTH_SOCK") if name in os.environ}
        root = Path(__file__).resolve().parents[2]
        environment = {**known, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(root)}
        argv = (sys.executable, "-m", "orchestrator.adapters.sampler_child", str(folder.absolute()))
        return guard.Command(argv, environment, str(root), _DEADLINE_S)


def _ask_to_stop(folder: Path, failed: list[DrillctlError]) -> None:
    try:
        for _ in guard.follow(folder, lambda: True):
            pass
    except DrillctlError as error:
        failed.append(error)


def _number(start: Path) -> int:
    return int(start.name.rpartition("-")[2])


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
