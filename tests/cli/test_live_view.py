"""The live view of a large site: one screen, worst first, and nothing that leaves it unsaid."""

import re
import time
from collections.abc import Callable, Mapping
from datetime import date

import pytest
from rich.console import Console

from orchestrator.cli.live import LiveView
from orchestrator.loader.drill import load_drill
from orchestrator.measure import allowed_fronts
from orchestrator.model.drill import Mode, Response
from orchestrator.model.event import Event, EventKind, RouteSample, Sample
from orchestrator.model.plan import GatewayChange, Plan
from orchestrator.model.topology import Topology
from orchestrator.planner import Request, make_plan
from orchestrator.ports import Observations
from tests.support.sites import ROOT, SiteSpec, topology_of

SMALL = SiteSpec(pairs=1)
LARGE = SiteSpec(pairs=168, wave=50)  # 504 of 1,008 gateways are affected
SIZES = [(80, 24), (100, 30), (120, 40), (200, 60)]
How = Callable[[int, GatewayChange], str]


class _Samples:
    """A sampler that has seen this."""

    def __init__(self, samples: Mapping[str, Sample]) -> None:
        self._samples = samples

    def latest(self) -> Mapping[str, Sample]:
        return self._samples

    def latest_routes(self) -> Mapping[str, RouteSample]:
        return {}

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        raise NotImplementedError

    def observations(self) -> Observations:
        raise NotImplementedError

    def stop(self) -> None: ...

    def detach(self) -> None: ...


def _plan(spec: SiteSpec) -> tuple[Topology, Plan]:
    topology = topology_of(spec)
    drill = load_drill(ROOT / "drills", "single-centre-failure")
    request = Request(Mode.REHEARSAL, date(2026, 11, 23), {"centre": "futian"}, Response.REPOINT)
    return topology, make_plan(topology, "0" * 64, drill, request)


def _event(kind: EventKind, **data: object) -> Event:
    return Event(run="r", seq=1, at="2026-11-23T01:00:00.000+00:00", kind=kind, data=data, previous="", digest="")


def _sample(topology: Topology, plan: Plan, change: GatewayChange, how: str) -> Sample:
    (front, *_) = allowed_fronts(plan, topology, change)
    session = topology.front[front].endpoint if how == "good" else None
    return Sample(
        gateway=change.gateway,
        host=change.host,
        at=time.time(),
        mono=time.monotonic(),
        running=how != "down",
        session=session,
        connecting=None if session else topology.front[front].endpoint,
        logged_in=session is not None,
    )


def _screen(spec: SiteSpec, how: How, size: tuple[int, int]) -> tuple[list[str], Plan]:
    topology, plan = _plan(spec)
    view = LiveView("20261123T090000-x", plan, topology, simulated=True)
    view.event(_event(EventKind.STATE, state="switching"))
    view.event(_event(EventKind.FAULT_ON))
    states = {change.gateway: how(index, change) for index, change in enumerate(plan.affected)}
    seen = {c.gateway: _sample(topology, plan, c, states[c.gateway]) for c in plan.affected}
    view.measuring(_Samples({name: item for name, item in seen.items() if states[name] != "unseen"}))
    for number in range(8):
        view.said(f"line {number}")
    console = Console(width=size[0], height=size[1], force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as shown:
        console.print(view)
    return shown.get().splitlines(), plan


def _mixed(index: int, _change: GatewayChange) -> str:
    if index % 50 == 7:
        return "down"
    return "connecting" if index % 10 == 3 else "unseen" if index % 100 == 11 else "good"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("how", [_mixed, lambda *_: "good", lambda *_: "down"])
def test_it_is_one_screen(size: tuple[int, int], how: How) -> None:
    lines, _ = _screen(LARGE, how, size)
    assert len(lines) < size[1]
    assert max(map(len, lines)) <= size[0]


@pytest.mark.parametrize("size", SIZES)
def test_every_gateway_is_counted_in_its_group_and_every_bad_one_is_named_or_counted(size: tuple[int, int]) -> None:
    lines, plan = _screen(LARGE, _mixed, size)
    states = [_mixed(index, change) for index, change in enumerate(plan.affected)]
    groups = [found for line in lines if (found := re.match(r"\S+ +\S.*? +(\d+)/(\d+) +[█░]{8} ", line))]
    assert groups
    assert sum(int(found[2]) for found in groups) == len(states)
    assert sum(int(found[1]) for found in groups) == states.count("good")
    named = [line for line in lines if re.search(r" (stopped|connecting|no sample yet) ", line)]
    more = [int(found[1]) for line in lines if (found := re.match(r"… and (\d+) more gateways: ", line))]
    assert len(named) + sum(more) == len(states) - states.count("good")


def test_the_worst_comes_first() -> None:
    lines, plan = _screen(LARGE, _mixed, (120, 40))
    named = [words for line in lines if (words := re.search(r" (stopped|connecting|no sample yet) ", line))]
    order = ["stopped", "connecting", "no sample yet"]
    found = [order.index(item[1]) for item in named]
    assert found == sorted(found)
    down = [item for index, item in enumerate(plan.affected) if _mixed(index, item) == "down"]
    assert found.count(0) == min(len(down), len(named))


def test_one_that_is_down_is_named_among_five_hundred() -> None:
    lines, plan = _screen(LARGE, lambda index, _: "down" if index == 321 else "good", (80, 24))
    assert any(line.startswith(plan.affected[321].gateway + " ") and "stopped" in line for line in lines)
    assert not any("more gateways" in line for line in lines)


def test_a_small_site_keeps_a_line_for_each_gateway_in_the_order_of_its_plan() -> None:
    lines, plan = _screen(SMALL, _mixed, (100, 30))
    names = [change.gateway for change in plan.affected]
    assert [line.split()[0] for line in lines if line.split() and line.split()[0] in names] == names


def test_the_newest_lines_stay() -> None:
    lines, _ = _screen(LARGE, _mixed, (80, 24))
    assert [line.strip() for line in lines[-2:]] == ["line 6", "line 7"]
