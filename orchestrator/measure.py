"""What the sampler saw and what the gateways stamped → times per gateway. Pure.

Durations come from stamps made on the gateway's own host; the sampler confirms them and stands in, with its
interval as ±, where there is no stamp (design §7). Host times are put on the controller's clock by the
offsets recorded before.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile, pairwise
from statistics import fmean

from orchestrator.model.event import LogStamp, RouteSample, Sample
from orchestrator.model.plan import Action, GatewayChange, Plan
from orchestrator.model.topology import GatewayClass, LineKind, Topology
from orchestrator.model.verdict import ClassTimes, GatewayTimes

LEAST_STALL = 2.5  # our choice: a gap of so many samples is a gap in the data, not in the sampling
GREENS_IN_A_ROW = 3  # our choice: recovery is the first of so many good samples (design §7)


@dataclass(frozen=True)
class Window:
    """While the fault lasted, on the controller's clock. `lifted_at` None: never lifted, up to the end."""

    fault_at: float
    lifted_at: float | None

    def holds(self, at: float) -> bool:
        return self.fault_at <= at and (self.lifted_at is None or at < self.lifted_at)


@dataclass(frozen=True)
class Series:
    """Everything seen of one gateway, on the controller's clock, in order of time."""

    samples: Sequence[Sample]
    stamps: Sequence[LogStamp]
    stopped_at: Sequence[float]  # when a script of ours stopped it

    def within(self, window: Window) -> "Series":
        return Series(
            [item for item in self.samples if window.holds(item.at)],
            [item for item in self.stamps if window.holds(item.at)],
            [at for at in self.stopped_at if window.holds(at)],
        )


def allowed_fronts(plan: Plan, topology: Topology, change: GatewayChange) -> tuple[str, ...]:
    """Fronts that a gateway's session may be with while the fault lasts. Those that its list names before the
    plan's own choice cannot be reached: a session with them is stale.
    """
    if change.after is None:
        return ()
    line = topology.line.get(change.after.line or "")
    by_satellite = line is not None and line.kind is LineKind.SATELLITE_TWO_WAY  # its host routes lead to every front
    if change.action in (Action.NONE, Action.HOME) or (change.action is Action.REROUTED and not by_satellite):
        return (change.after.front,)
    if plan.is_promoted:  # what works is left where it is
        return tuple(dict.fromkeys((change.after.front, *change.list_after, *change.list_before)))
    chosen = change.after.front
    reachable = dropwhile(lambda name: name != chosen, change.list_after)
    return tuple(
        name
        for name in reachable
        if topology.front[name].centre not in plan.fault.centres and name not in plan.fault.fronts
    )


def front_of(topology: Topology, sample: Sample | None) -> str | None:
    """The front that a gateway is logged in to (receives from) by a sample; None: none, or unknown."""
    if sample is None or not sample.logged_in or sample.session is None:
        return None
    front = topology.front_at.get(sample.session)
    return front.id if front else None


def gateway_times(
    plan: Plan,
    topology: Topology,
    change: GatewayChange,
    series: Series,
    routes: Sequence[RouteSample],
    window: Window,
    list_changed: bool,
) -> GatewayTimes:
    """Times of one gateway: broken, connection restored, login restored, and where it was when.

    A host that fails can stamp nothing: its gateways are out from the fault's moment on, and so is the number that
    a cold standby starts with, which stands under the standby.
    """
    inside = series.within(window)
    good = allowed_fronts(plan, topology, change)
    up = [front_of(topology, sample) in good for sample in inside.samples]
    interval_s = topology.site.sample_interval_ms / 1000
    receives_only = topology.gateway[change.gateway].receives_only
    gone = change.host in plan.fault.hosts
    broken, login, stamped = (
        (window.fault_at, *_recovered(inside, up, window.fault_at))
        if gone or change.before is None
        else _outage(topology, change.before.front, receives_only, series, window, up)
    )
    last = inside.samples[-1] if inside.samples and not gone else None
    before = _last([item for item in series.samples if item.at < window.fault_at])
    after = _last(series.samples)
    return GatewayTimes(
        gateway=change.gateway,
        number=change.number,
        gateway_class=change.gateway_class,
        host=change.host,
        action=change.action,
        broken_at=broken,
        connected_at=_connected(inside, broken, login),
        login_at=login,
        switch_s=None if broken is None or login is None else max(0.0, login - broken),
        gap_s=_gap(series, window, interval_s) if change.before else _first_data(inside, window),
        resolution_s=0.0 if stamped and not gone and change.before else interval_s,
        front_before=front_of(topology, before),
        front_during=front_of(topology, last),
        front_after=front_of(topology, after),
        line_before=_line(topology, change, routes, before),
        line_during=_line(topology, change, routes, last),
        line_after=_line(topology, change, routes, after),
        list_changed=list_changed,
        came_back=_came_back(change, up) and not (receives_only and broken is not None and login is None),
    )


def declared_times(change: GatewayChange, login_at: float | None) -> GatewayTimes:
    """Of a gateway that nothing looks at: the moment that a person has named, and no more than that."""
    return GatewayTimes(
        gateway=change.gateway,
        number=change.number,
        gateway_class=change.gateway_class,
        host=change.host,
        action=change.action,
        broken_at=None,
        connected_at=None,
        login_at=login_at,
        switch_s=None,
        gap_s=None,
        resolution_s=0.0,
        front_before=None,
        front_during=None,
        front_after=None,
        line_before=None,
        line_during=None,
        line_after=None,
        list_changed=False,
        came_back=login_at is not None,
        declared_by=change.hands,
    )


def _outage(
    topology: Topology, home: str, receives_only: bool, series: Series, window: Window, up: Sequence[bool]
) -> tuple[float | None, float | None, bool]:
    """(broken, log-in restored, both stamped at the gateway) by what was seen at the gateway itself."""
    if receives_only:
        return *_stall(series, window, topology.site.sample_interval_ms / 1000), False
    inside = series.within(window)
    broken, broken_stamped = _broken(topology, inside, home)
    login, login_stamped = _recovered(inside, up, broken)
    return broken, login, broken_stamped and login_stamped


def _came_back(change: GatewayChange, up: Sequence[bool]) -> bool:
    """Whether it worked at the end, for as many samples as recovery asks for."""
    if change.action.stays_down:
        return False
    return len(up) >= GREENS_IN_A_ROW and all(up[-GREENS_IN_A_ROW:])


def _broken(topology: Topology, inside: Series, home: str) -> tuple[float | None, bool]:
    """First evidence at the gateway that its connection broke, and whether it was stamped there.

    That the fault was made is no evidence: a gateway that hangs on to a dead session has not noticed yet.
    """
    stamps = [item.at for item in inside.stamps if item.event in ("lost", "logged_out")] + list(inside.stopped_at)
    looked = [sample for sample in inside.samples if sample.logged_in is not None]
    seen = next((sample.at for sample in looked if front_of(topology, sample) != home), None)
    if stamps and (seen is None or min(stamps) <= seen):
        return min(stamps), True
    return seen, False


def _recovered(inside: Series, up: Sequence[bool], broken: float | None) -> tuple[float | None, bool]:
    """The login that lasted: the first of N good samples in a row after the break, by its stamp if there is one."""
    if broken is None:
        return None, False
    for index, sample in enumerate(inside.samples):
        run = up[index : index + GREENS_IN_A_ROW]
        if sample.at > broken and len(run) == GREENS_IN_A_ROW and all(run):
            logins = [item.at for item in inside.stamps if item.event == "logged_in" and broken <= item.at <= sample.at]
            return (logins[-1], True) if logins else (sample.at, False)
    return None, False


def _connected(inside: Series, broken: float | None, login: float | None) -> float | None:
    if broken is None or login is None:
        return None
    stamps = [item.at for item in inside.stamps if item.event == "connected" and broken <= item.at <= login]
    return stamps[-1] if stamps else login


def _gap(series: Series, window: Window, interval_s: float) -> float | None:
    """The longest time without a new sequence that touches the fault's window; None: nothing came, or not again."""
    last, first = _longest_gap(series, window, interval_s)
    return None if last is None or first is None else first - last


def _first_data(inside: Series, window: Window) -> float | None:
    """Seconds from the fault to the first new sequence at a standby that was not running; None: nothing came."""
    moves = _moves(inside.samples)
    return moves[0] - window.fault_at if moves else None


def _stall(series: Series, window: Window, interval_s: float) -> tuple[float | None, float | None]:
    """Last data before and first after the longest gap: a receiver has no log-in. A gap that the sampler itself
    could have made is none.
    """
    last, first = _longest_gap(series, window, interval_s)
    if last is None or (first is not None and first - last <= LEAST_STALL * interval_s):
        return None, None
    return last, first


def _longest_gap(series: Series, window: Window, interval_s: float) -> tuple[float | None, float | None]:
    """(last new sequence before, first after) of the longest gap that touches the fault's window. Silence up to
    the end that is longer than every gap has no first after.
    """
    moves = _moves(series.samples)
    gaps = [
        (earlier, later)
        for earlier, later in pairwise(moves)
        if later >= window.fault_at and (window.lifted_at is None or earlier < window.lifted_at)
    ]
    longest = max(gaps, key=lambda gap: gap[1] - gap[0], default=None)
    longest_s = longest[1] - longest[0] if longest else 0.0
    stopped = moves and (window.lifted_at is None or moves[-1] < window.lifted_at)
    if stopped and series.samples[-1].at - moves[-1] > longest_s + LEAST_STALL * interval_s:
        return moves[-1], None
    return longest or (None, None)


def _moves(samples: Sequence[Sample]) -> list[float]:
    """Moments at which the market-data sequence was seen to have moved on."""
    moved, newest = [], None
    for sample in samples:
        if sample.sequence is not None and newest is not None and sample.sequence > newest:
            moved.append(sample.at)
        newest = sample.sequence if sample.sequence is not None else newest
    return moved


def _line(
    topology: Topology, change: GatewayChange, routes: Sequence[RouteSample], sample: Sample | None
) -> str | None:
    """The line in use by the CE router's own table; multicast is routed apart and not measured."""
    front = front_of(topology, sample)
    if front is None or sample is None or topology.gateway[change.gateway].receives_only:
        return None
    router = topology.host[change.host].router
    # never a later table: right after the fault is lifted it may be another one already
    known = [item for item in routes if item.router == router and item.at <= sample.at]
    newest = max(known, key=lambda item: item.at, default=None)
    return newest.lines.get(topology.front[front].centre) if newest else None


def _last[T](items: Sequence[T]) -> T | None:
    return items[-1] if items else None


def class_times(times: Iterable[GatewayTimes]) -> tuple[ClassTimes, ...]:
    """Shortest, longest and average switch time per class, as the exchanges' feedback forms ask."""
    grouped: dict[GatewayClass, list[GatewayTimes]] = {}
    for item in times:
        grouped.setdefault(item.gateway_class, []).append(item)
    found = []
    for gateway_class, items in grouped.items():
        measured = [item.switch_s for item in items if item.switch_s is not None]
        found.append(
            ClassTimes(
                gateway_class=gateway_class,
                count=len(items),
                measured=len(measured),
                shortest_s=min(measured, default=None),
                longest_s=max(measured, default=None),
                average_s=fmean(measured) if measured else None,
            )
        )
    return tuple(found)


def routes_on_controller_clock(routes: Iterable[RouteSample], offset_s: Mapping[str, float]) -> list[RouteSample]:
    """Routes as seen, the routers' times shifted by the offsets measured before."""
    return [item.model_copy(update={"at": item.at - offset_s.get(item.router, 0.0)}) for item in routes]


class OnControllerClock(Mapping[str, Series]):
    """Series per gateway, host times shifted by the offsets measured before. Each is made when it is asked for: all of
    them at once take as much memory as everything that was seen.
    """

    def __init__(
        self,
        topology: Topology,
        samples: Iterable[Sample],
        stamps: Iterable[LogStamp],
        stopped: Mapping[str, Sequence[float]],
        offset_s: Mapping[str, float],
    ) -> None:
        self._topology, self._stopped, self._offset_s = topology, stopped, offset_s
        self._samples = _by_gateway(samples)
        self._stamps = _by_gateway(stamps)

    def __getitem__(self, gateway: str) -> Series:
        shift_s = self._offset_s.get(self._topology.gateway[gateway].host, 0.0)
        return Series(
            _shifted(self._samples.get(gateway, ()), lambda item: self._offset_s.get(item.host, 0.0)),
            _shifted(self._stamps.get(gateway, ()), lambda _: shift_s),
            [at - shift_s for at in self._stopped.get(gateway, ())],
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._topology.gateway)

    def __len__(self) -> int:
        return len(self._topology.gateway)


def _by_gateway[T: (Sample, LogStamp)](items: Iterable[T]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = {}
    for item in items:
        found.setdefault(item.gateway, []).append(item)
    return found


def _shifted[T: (Sample, LogStamp)](items: Iterable[T], shift_s: Callable[[T], float]) -> list[T]:
    moved = [item.model_copy(update={"at": item.at - shift_s(item)}) for item in items]
    return sorted(moved, key=lambda item: item.at)
