"""Looks at all hosts at once: one thread per host, each host's checks one after the other.

What a check came to is written down the moment it is known, so that a round cut short keeps what it saw, and is given
out at once, so that it is reported while the others are still being looked at.
"""

import inspect
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest
from testinfra.host import Host

from orchestrator.adapters.checks_context import CheckContext, CheckedGateway, Pair
from orchestrator.adapters.look import Look
from orchestrator.adapters.shell import Shell
from orchestrator.adapters.shell_backend import host_over
from orchestrator.model.drill import Check
from orchestrator.model.event import CheckRecord, CheckResult

_PROVE_ABSENCE = (Check.SESSION, Check.LOGIN)  # where there is no such business, these show that nobody is logged in


@dataclass(frozen=True)
class Job:
    """One check function with its target, to be called with the arguments that it names."""

    pair: Pair
    function: Callable[..., object]
    target: Mapping[str, Any]  # "gateway" or "router" → the target's model
    fixtures: Mapping[str, Any] = field(default_factory=dict)  # what else it is to be called with


@dataclass(frozen=True)
class Seen:
    """What a check came to; `error` is what it raised."""

    record: CheckRecord
    error: BaseException | None


class Round:
    """Runs jobs against the hosts of a context and writes each record as a JSON line."""

    def __init__(self, context: CheckContext, results: Path, shells: Mapping[str, Shell]) -> None:
        """`shells`: one of each host of the context."""
        self.context = context
        self._results = results
        self._file: IO[bytes] | None = None
        self._writing = threading.Lock()
        self._shells = shells
        self.hosts: dict[str, Host] = {name: host_over(name, shells[name]) for name in context.hosts}

    @contextmanager
    def looking(self, jobs: Mapping[str, Job]) -> Iterator[dict[str, Future[Seen]]]:
        """Every job by its key, as soon as it is known; all of them at the end, at the latest when the deadline is
        over.
        """
        by_host: dict[str, list[str]] = defaultdict(list)
        for key, job in jobs.items():
            by_host[job.pair.host].append(key)
        seen: dict[str, Future[Seen]] = {key: Future() for key in jobs}

        def look_at(keys: Sequence[str]) -> None:
            for key in keys:
                _settle(seen[key], jobs[key], self.look)

        late = threading.Timer(self.context.deadline_s, self.close, ["not looked at before the deadline"])
        late.start()
        try:
            with ThreadPoolExecutor(max_workers=max(1, len(by_host))) as threads:
                for keys in by_host.values():
                    threads.submit(look_at, keys)
                yield seen
        finally:
            late.cancel()

    def look(self, job: Job) -> Seen:
        """Call one check. Whatever it raises is its result."""
        look, began, error = Look(), time.monotonic(), None
        given = {"host": self.hosts[job.pair.host], "look": look, "context": self.context}
        available = {**job.fixtures, **job.target, **given}
        try:
            _skip_what_does_not_exist(job)
            job.function(**{name: available[name] for name in arguments(job.function)})
        except (Exception, pytest.skip.Exception) as raised:  # noqa: BLE001 - a check that raises is unknown, never passed
            error = raised
        record = _record(self.context.phase, job, look, error, time.monotonic() - began)
        line = f"{record.model_dump_json()}\n".encode()
        with self._writing:
            self._file = self._file or self._results.open("ab")
            self._file.write(line)
            self._file.flush()
        return Seen(record, error)

    def close(self, reason: str = "the round is over") -> None:
        """End every session; what has not been looked at by now will not be."""
        for shell in self._shells.values():
            shell.close(reason)


def _settle(seen: Future[Seen], job: Job, look: Callable[[Job], Seen]) -> None:
    """Whoever waits for it hears of it in any case."""
    try:
        seen.set_result(look(job))
    except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
        seen.set_exception(error)


def arguments(function: Callable[..., object]) -> list[str]:
    """The names of what it is to be called with."""
    return list(inspect.signature(function).parameters)


def _skip_what_does_not_exist(job: Job) -> None:
    gateway = job.target.get("gateway")
    if not isinstance(gateway, CheckedGateway) or gateway.result is CheckResult.NORMAL:
        return
    if gateway.result is CheckResult.NOT_TESTED or job.pair.check not in _PROVE_ABSENCE:
        pytest.skip(gateway.reason or str(gateway.result))


def _record(phase: str, job: Job, look: Look, error: BaseException | None, duration_s: float) -> CheckRecord:
    result, could_not_look = _result(job, error)
    said = str(error).partition("\n")[0] if error else ""
    return CheckRecord(
        phase=phase,
        check=job.pair.check,
        target=job.pair.target,
        host=job.pair.host,
        result=result,
        could_not_look=could_not_look,
        expected=look.expected,
        found=look.found if look.found and not could_not_look else said,
        duration_s=round(duration_s, 4),
    )


def _result(job: Job, error: BaseException | None) -> tuple[CheckResult, bool]:
    """(result, could not look)."""
    gateway = job.target.get("gateway")
    wanted = gateway.result if isinstance(gateway, CheckedGateway) else CheckResult.NORMAL
    if isinstance(error, AssertionError):
        return CheckResult.ABNORMAL, False
    if isinstance(error, pytest.skip.Exception):
        return (CheckResult.NOT_TESTED if wanted is CheckResult.NORMAL else wanted), False
    if error is not None:
        return CheckResult.NOT_TESTED, True
    return wanted, False
