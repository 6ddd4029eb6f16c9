"""Runs the suites of `drills/checks/` by pytest in a process of its own, under a guard."""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import orchestrator
from orchestrator.adapters.checks_context import CheckContext, Pair, pairs
from orchestrator.adapters.secrets import NO_MASK, Mask
from orchestrator.engine import guard
from orchestrator.errors import StepFailed
from orchestrator.model.event import CheckRecord, CheckResult

_REPORTING_S = 10.0  # our choice: beside the round's deadline, for starting pytest and writing its report
_CONTEXT, _HOSTS, _INI, _RESULTS = "context.json", "hosts.json", "pytest.ini", "results.jsonl"
_ENDED = {
    "deadline": "the checks did not end in time",
    "stopped": "the checks were ended because an abort was asked for",
    "lost": "the guard of the checks was killed",
}
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSH_AUTH_SOCK")
# The worst says what a check of several parts came to: failed, then unknown, then the two legal gaps.
_SEVERITY = (CheckResult.ABNORMAL, CheckResult.NOT_TESTED, CheckResult.NO_SUCH_BUSINESS, CheckResult.NORMAL)


def run_checks(
    call_folder: Path,
    context: CheckContext,
    suites: Path | Sequence[Path],
    junit: Path,
    deadline_s: float,
    stop: Callable[[], bool] = lambda: False,
    *,
    mask: Mask = NO_MASK,
) -> list[CheckRecord]:
    """One record per check and target of the context, in the context's order; a site's own checks follow.

    `call_folder` is the guard's; where it was begun before, that round is joined and no other is started.
    Never raises for a check: what pytest did not come to say is not tested, "could not look". The JUnit file
    is pytest's own; it is missing if pytest itself had to be ended. What `mask` takes out is in no record, and may be
    in that file. StepFailed: not begun.
    """
    folder = call_folder.resolve()
    folders = [suites] if isinstance(suites, Path) else list(suites)
    if not guard.begun(folder):
        _prepare(folder, context.model_copy(update={"deadline_s": deadline_s}))
    guard.start(folder, _command(folder, folders, junit, deadline_s + _REPORTING_S))
    lines = list(guard.follow(folder, stop))
    found = _complete(context, _records(folder / _RESULTS), _said(folder, lines))
    told = ({"expected": mask.text(record.expected), "found": mask.text(record.found)} for record in found)
    return [record.model_copy(update=texts) for record, texts in zip(found, told, strict=True)]


def _prepare(folder: Path, context: CheckContext) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / _CONTEXT).write_text(context.model_dump_json(), encoding="utf-8")
        (folder / _HOSTS).write_text(json.dumps(_sessions(context)), encoding="utf-8")
        (folder / _INI).write_text("[pytest]\n", encoding="utf-8")  # not the settings of a folder above
    except OSError as error:
        raise StepFailed(f"expected to prepare {folder}, found: {error}; nothing was begun") from error


def _sessions(context: CheckContext) -> dict[str, Any]:
    """What `checks_program` begins with: hosts that a check of this round asks. A router of another make is asked
    nothing, and a host whose gateway is not tested only where a check finds a reason.
    """
    asked = {router.id for router in context.routers if router.driver == "linux"}
    asked |= {gateway.host for gateway in context.gateways if gateway.result is CheckResult.NORMAL}
    asked &= {pair.host for pair in pairs(context)}
    return {
        "command_timeout_s": context.command_timeout_s,
        "connect_timeout_s": context.connect_timeout_s,
        "hosts": {name: argv for name, argv in context.hosts.items() if name in asked},
    }


def _command(folder: Path, suites: Sequence[Path], junit: Path, deadline_s: float) -> guard.Command:
    argv = [sys.executable, "-P", "-m", "orchestrator.adapters.checks_program", str(folder / _HOSTS)]
    argv += ["-q", "-p", "no:cacheprovider", "-c", str(folder / _INI), "--rootdir", str(folder)]
    argv += ["--import-mode=importlib", f"--junitxml={junit.absolute()}"]
    argv += [f"--drill-context={folder / _CONTEXT}", f"--drill-results={folder / _RESULTS}"]
    argv += [str(suite.absolute()) for suite in suites]
    return guard.Command(tuple(argv), _environment(), str(folder), deadline_s)


def _said(folder: Path, output: Sequence[str]) -> str:
    """Why there is no result where there is none."""
    how = guard.result(folder).ended
    if how in _ENDED:
        return _ENDED[how]
    lines = [*(folder / "log").read_text(errors="replace").splitlines(), *output]
    lines = [line for line in lines if line.strip()] or ["pytest said nothing"]
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
