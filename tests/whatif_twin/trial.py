"""Makes one failure for real and says how the fronts' truth stands to the prediction."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestrator.loader.site import load_site
from orchestrator.model.topology import Topology
from orchestrator.planner.failures import FailureKind
from orchestrator.planner.situation import Fate
from orchestrator.twin import Twin
from tests.support.command import Said, drillctl
from tests.support.sites import ROOT
from tests.support.twins import LOOK_EVERY_S
from tests.whatif_twin.cases import Case, Predicted, fault_of, predictions
from tests.whatif_twin.truth import Row, Seen, during, ended_during, now, rows, rows_of_run

EXAMPLE = ROOT / "inventory" / "example"
UP_S = 90.0  # our choice: a busy machine; every gateway logs in within seconds else
SETTLED_S = 90.0  # our choice: several session timeouts and rounds through the longest list
STEADY_S = 4.0  # our choice: what holds so long is no passing state; longer than a gateway's pause between attempts
LEASE_S = 600.0
_NO_PLAN = "NOTHING_AFFECTED"
_LOST = ("NO_PATH", "NO_STANDBY")  # a plan is refused where what-if says lost


@dataclass(frozen=True)
class Trial:
    """What came of one case. `wrong`: what does not stand in a row."""

    case: str
    rows: tuple[Row, ...]
    wrong: tuple[str, ...]
    seconds: float

    @property
    def disagreements(self) -> list[str]:
        return [*self.wrong, *(f"{item.gateway}: {item.fate}: {item.wrong}" for item in self.rows if item.wrong)]


def tried(case: Case, folder: Path, said: Callable[[str], None] = lambda _: None) -> Trial:
    """In a state folder of its own. Whatever goes wrong is a disagreement of this case, and of no other."""
    folder.mkdir(parents=True, exist_ok=True)
    began, topology = time.monotonic(), load_site(EXAMPLE).topology
    try:
        found, wrong = _rehearsed(case, topology, folder) if case.how == "rehearse" else _injected(case, topology, said)
    except Exception as error:  # noqa: BLE001 - the other cases are tried all the same
        found, wrong = [], [f"{type(error).__name__}: {error}"]
    return Trial(case.name, tuple(found), tuple(wrong), round(time.monotonic() - began, 1))


def _predicted(case: Case, topology: Topology, *, switched: bool) -> list[Predicted]:
    today = datetime.now(ZoneInfo(topology.site.timezone)).date()
    return predictions(topology, case.failure, today, switched=switched)


# By a drill ------------------------------------------------------------------------------------------


def _rehearsed(case: Case, topology: Topology, folder: Path) -> tuple[list[Row], list[str]]:
    predicted = _predicted(case, topology, switched=True)
    parameter = "line" if case.failure.kind is FailureKind.SATELLITE else case.failure.kind.value
    run = drillctl("rehearse", case.drill, "--set", f"{parameter}={case.failure.name}", "--json", state=folder)
    (folder / "said.txt").write_text(run.err + run.out, encoding="utf-8")
    if run.code == 3:  # refused by name (docs/reference/exit-codes.md)
        return [], _refused(predicted, run)
    record = run.record
    assert record.ground_truth is not None
    assert record.fault_at is not None
    assert record.lifted_at is not None
    wrong = [] if run.code == 0 else [f"the rehearsal ended with exit {run.code}, {record.verdict.outcome}"]
    touched = [item.gateway for item in predicted if item.fate is not Fate.UNTOUCHED]
    if not touched:
        wrong.append("expected the drill to be refused with NOTHING_AFFECTED, found a run")
    seen = during(record.ground_truth, record.fault_at, record.lifted_at)
    ended = ended_during(record.ground_truth, record.fault_at, record.lifted_at)
    return list(rows_of_run(topology, predicted, seen, ended)), wrong


def _refused(predicted: Sequence[Predicted], run: Said) -> list[str]:
    """A refusal is a prediction, too."""
    touched = [item for item in predicted if item.fate is not Fate.UNTOUCHED]
    if _NO_PLAN in run.err:
        return [f"refused with {_NO_PLAN}, predicted {touched[0].gateway} {touched[0].fate}"] if touched else []
    if any(code in run.err for code in _LOST):
        is_lost = any(item.fate is Fate.LOST for item in predicted)
        return [] if is_lost else [f"predicted nothing lost, refused: {run.err.strip().splitlines()[-1]}"]
    return [f"refused: {run.err.strip().splitlines()[-1]}"]


# By injecting, with nothing switched -----------------------------------------------------------------


def _injected(case: Case, topology: Topology, said: Callable[[str], None]) -> tuple[list[Row], list[str]]:
    predicted = _predicted(case, topology, switched=False)
    with _twin() as twin:
        numbers = {item.number for item in predicted}
        _until(lambda: numbers <= {number for number, seen in now(twin.truth()).items() if seen.front}, UP_S)
        return injected_on(twin, case, topology, said), []


def injected_on(twin: Twin, case: Case, topology: Topology, said: Callable[[str], None] = lambda _: None) -> list[Row]:
    """On a twin where everything is logged in. The fault is lifted again; what has moved stays where it is."""
    predicted = _predicted(case, topology, switched=False)
    before = now(twin.truth())
    with _broken(twin, case, topology):
        found = _settled(twin, topology, predicted, before)
    said(f"{sum(not item.wrong for item in found)} of {len(found)} as predicted")
    return found


def _settled(twin: Twin, topology: Topology, predicted: Sequence[Predicted], before: dict[str, Seen]) -> list[Row]:
    """Once it is as predicted, and has stayed so; what it is when the time is over, else."""
    end, good_since = time.monotonic() + SETTLED_S, None
    while True:
        twin.keep()
        found = list(rows(topology, predicted, before, now(twin.truth())))
        at = time.monotonic()
        good_since = None if any(item.wrong for item in found) else good_since or at
        if at >= end or (good_since is not None and at - good_since >= _least_s(topology)):
            return found
        time.sleep(LOOK_EVERY_S * 5)


def _least_s(topology: Topology) -> float:
    """What is predicted untouched must outlive the longest silence that a front bears."""
    return STEADY_S + (topology.site.session_timeout_s or 0.0)


@contextmanager
def _broken(twin: Twin, case: Case, topology: Topology) -> Iterator[None]:
    if case.failure.kind is FailureKind.GATEWAY:
        twin.sabotage("block_gateway", gateway=case.failure.name)
        twin.sabotage("kill_gateway", gateway=case.failure.name)
        yield
        return
    fault = fault_of(topology, case.failure)
    twin.inject(fault, LEASE_S)
    try:
        yield
        if not twin.is_on(fault):
            raise AssertionError("expected the fault to be on to the end, found it lifted")
    finally:
        twin.lift(fault)


@contextmanager
def _twin() -> Iterator[Twin]:
    twin = Twin.up(load_site(EXAMPLE), f"w{os.getpid()}", LEASE_S)
    try:
        yield twin
    finally:
        twin.down()


def _until(condition: Callable[[], bool], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() >= end:
            raise AssertionError(f"expected within {within_s:g} s, never came")
        time.sleep(LOOK_EVERY_S * 5)
