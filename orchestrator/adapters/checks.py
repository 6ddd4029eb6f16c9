"""Runs the suites of `drills/checks/` by pytest in a process of its own, under a deadline."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import orchestrator
from orchestrator.adapters.checks_context import CheckContext, Pair, pairs
from orchestrator.model.event import CheckRecord, CheckResult

_REPORTING_S = 10.0  # our choice: beside the round's deadline, for starting pytest and writing its report
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSH_AUTH_SOCK")
# The worst says what a check of several parts came to: failed, then unknown, then the two legal gaps.
_SEVERITY = (CheckResult.ABNORMAL, CheckResult.NOT_TESTED, CheckResult.NO_SUCH_BUSINESS, CheckResult.NORMAL)


def run_checks(
    context: CheckContext, suites: Path | Sequence[Path], junit: Path, deadline_s: float
) -> list[CheckRecord]:
    """One record per check and target of the context, in the context's order; a site's own checks follow.

    Never raises for a check: what pytest did not come to say is not tested, "could not look". The JUnit file
    is pytest's own; it is missing if pytest itself had to be ended.
    """
    folders = [suites] if isinstance(suites, Path) else list(suites)
    with tempfile.TemporaryDirectory(prefix="drillctl-checks-") as name:
        folder = Path(name)
        timed = context.model_copy(update={"deadline_s": deadline_s})
        (folder / "context.json").write_text(timed.model_dump_json(), encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # not the settings of a folder above
        said = _pytest(folder, folders, junit, deadline_s + _REPORTING_S)
        return _complete(context, _records(folder / "results.jsonl"), said)


def _pytest(folder: Path, suites: Sequence[Path], junit: Path, timeout_s: float) -> str:
    """Run it; why it gave no result where it gave none."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "orchestrator.adapters.checks_plugin"]
    command += ["-p", "no:cacheprovider", "-c", str(folder / "pytest.ini"), "--rootdir", str(folder)]
    command += ["--import-mode=importlib", f"--junitxml={junit.absolute()}"]
    command += [f"--drill-context={folder / 'context.json'}", f"--drill-results={folder / 'results.jsonl'}"]
    process = subprocess.Popen(
        [*command, *(str(suite.absolute()) for suite in suites)],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with the ssh sessions that it holds
        process.communicate()
        return "the checks did not end in time"
    lines = output.decode(errors="replace").strip().splitlines() or ["pytest said nothing"]
    errors = [line for line in lines if line.startswith(("E  ", "INTERNALERROR>")) and line[2:].strip()]
    return (errors or lines)[-1]


def _environment() -> dict[str, str]:
    """Nothing of the caller's environment reaches a check, and no plugin that happens to be installed."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    root = str(Path(orchestrator.__file__).parents[1])
    return {**kept, "PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _records(path: Path) -> list[CheckRecord]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [CheckRecord.model_validate(json.loads(line)) for line in lines if line.endswith("\n")]


def _complete(context: CheckContext, records: Iterable[CheckRecord], said: str) -> list[CheckRecord]:
    parts: dict[Pair, list[CheckRecord]] = {pair: [] for pair in pairs(context)}
    own: dict[Pair, list[CheckRecord]] = defaultdict(list)
    for record in records:
        pair = Pair(record.check, record.target, record.host)
        (parts if pair in parts else own)[pair].append(record)
    return [_joined(context.phase, pair, found, said) for pair, found in (*parts.items(), *sorted(own.items()))]


def _joined(phase: str, pair: Pair, found: Sequence[CheckRecord], said: str) -> CheckRecord:
    """A suite may hold several tests of one target: together they are one check."""
    result = min((record.result for record in found), key=_SEVERITY.index, default=CheckResult.NOT_TESTED)
    return CheckRecord(
        phase=phase,
        check=pair.check,
        target=pair.target,
        host=pair.host,
        result=result,
        could_not_look=not found or (result is not CheckResult.ABNORMAL and any(item.could_not_look for item in found)),
        expected="; ".join(dict.fromkeys(item.expected for item in found if item.expected)),
        found="; ".join(dict.fromkeys(item.found for item in found if item.found)) if found else said,
        duration_s=round(sum(item.duration_s for item in found), 4),
    )
