"""Minutes of outage within trading hours, against the limit from which an incident is to be reported. Pure.

What nobody has published counts as a trading day, and session hours begin before and end after trading proper: the
figure is on the safe side, so that the warning comes early rather than late.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby

from orchestrator.history import snapshots
from orchestrator.judge import window_of
from orchestrator.measure import front_of
from orchestrator.model.calendar import SiteCalendar, Trading
from orchestrator.model.drill import Mode
from orchestrator.model.event import Event, Sample
from orchestrator.model.local_time import local, moment
from orchestrator.model.outage import Outage
from orchestrator.model.plan import Action, GatewayChange, Plan
from orchestrator.model.topology import GatewayClass, Site, Topology
from orchestrator.ports import Observations

Span = tuple[float, float]  # seconds since the epoch; half open
_DAY = timedelta(days=1)
_UNSEEN_S = 10.0  # our choice: well beyond what a busy host's sampler may be late (the same number as the judge's)


class Level(StrEnum):
    """How near an outage is to the limit."""

    NONE = "none"
    WARNED = "warned"
    REPORTABLE = "reportable"


RANK = {Level.NONE: 0, Level.WARNED: 1, Level.REPORTABLE: 2}


def level(outage: Outage, site: Site) -> Level:
    """At the limit itself it is to be reported: the rule says five minutes or more."""
    if outage.counted_s >= site.reportable_outage_s:
        return Level.REPORTABLE
    warned = outage.counted_s >= site.reportable_outage_s * site.outage_warning_share
    return Level.WARNED if warned else Level.NONE


@dataclass(frozen=True)
class TradingHours:
    """Session hours of a site's calendar, by class of gateway."""

    calendar: SiteCalendar
    zone: str

    def within(self, gateway_class: GatewayClass, span: Span) -> tuple[list[Span], bool]:
        """(what of a span lies in session hours, whether a day of that is not known to trade)."""
        found: list[Span] = []
        unknown = False
        for day in _days(local(span[0], self.zone).date(), local(span[1], self.zone).date()):
            state = self.calendar.trading(day)
            if state is Trading.NOT_TRADING:
                continue
            parts = [part for hours in self._hours(gateway_class, day) for part in _meet(hours, span)]
            unknown = unknown or (state is Trading.UNKNOWN and bool(parts))
            found += parts
        return united(found), unknown

    def _hours(self, gateway_class: GatewayClass, day: date) -> Iterator[Span]:
        for item in self.calendar.sessions:
            if item.concern((gateway_class,)):
                begins, ends = item.on(day)
                yield moment(begins, self.zone), moment(ends, self.zone)


def _days(first: date, last: date) -> Iterator[date]:
    return (first + number * _DAY for number in range((last - first).days + 1))


def _meet(one: Span, other: Span) -> list[Span]:
    begins, ends = max(one[0], other[0]), min(one[1], other[1])
    return [(begins, ends)] if begins < ends else []


def united(spans: Iterable[Span]) -> list[Span]:
    """The same moments as spans that do not overlap, in order."""
    found: list[Span] = []
    for begins, ends in sorted(spans):
        if found and begins <= found[-1][1]:
            found[-1] = (found[-1][0], max(ends, found[-1][1]))
        else:
            found.append((begins, ends))
    return found


def common(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """The moments that lie in both."""
    return united(part for mine in one for yours in other for part in _meet(mine, yours))


def total(spans: Iterable[Span]) -> float:
    return sum(ends - begins for begins, ends in spans)


@dataclass
class OutageWatch:
    """Folded from samples, one at a time: when each gateway was out.

    `fault_holds`: whether the plan's fault is on at a moment; a session with a front that is dead by it is stale, and
    a gateway that still shows it is out.
    """

    plan: Plan
    topology: Topology
    fault_holds: Callable[[float], bool]
    _out: dict[str, list[Span]] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)
    _first: dict[str, float] = field(default_factory=dict)
    _last: dict[str, float] = field(default_factory=dict)

    def see(self, sample: Sample, at: float) -> None:
        """One look at one gateway, `at` on the controller's clock. What could not look changes nothing."""
        if sample.logged_in is None and sample.running is not False:
            return
        name = sample.gateway
        self._first.setdefault(name, at)
        self._out.setdefault(name, []).extend(self._unseen(name, at))
        self._last[name] = at
        if self._is_up(sample, at):
            begun = self._since.pop(name, None)
            if begun is not None and begun < at:
                self._out[name].append((begun, at))
        else:
            self._since.setdefault(name, at)

    def _is_up(self, sample: Sample, at: float) -> bool:
        front = front_of(self.topology, sample)
        if front is None:
            return False
        return self.topology.front[front].centre not in self.plan.fault.centres or not self.fault_holds(at)

    def out_since(self, name: str) -> float | None:
        """When the outage began that a gateway is in, on the controller's clock; None: it is up by its last look, or
        was never looked at.
        """
        return self._since.get(name)

    def seen_at(self, name: str) -> float | None:
        """When somebody could last look at a gateway, on the controller's clock; None: never."""
        return self._last.get(name)

    def outages(self, hours: TradingHours, until: float) -> list[Outage]:
        """Of every number that was out, and of its class as a whole, up to a moment; the class stands first."""
        grouped = self._by_class()
        return [row for name, items in grouped for row in self._of_class(name, items, hours, until)]

    def _by_class(self) -> Iterator[tuple[GatewayClass, list[GatewayChange]]]:
        changes = sorted(self.plan.gateways, key=lambda item: (item.gateway_class, item.number))
        for gateway_class, items in groupby(changes, key=lambda item: item.gateway_class):
            yield gateway_class, list(items)

    def _of_class(
        self, gateway_class: GatewayClass, items: Sequence[GatewayChange], hours: TradingHours, until: float
    ) -> list[Outage]:
        numbers = {number: list(group) for number, group in groupby(items, key=lambda item: item.number)}
        spans = {number: found for number, group in numbers.items() if (found := self._of_number(group, until))}
        if not spans:
            return []
        whole = united(span for found in spans.values() for span in found)
        rows = [
            _row(gateway_class, number, found, hours, until, at_least=found[0][0] <= self._begins(numbers[number]))
            for number, found in spans.items()
        ]
        at_least = any(row.at_least for row in rows)
        return [_row(gateway_class, None, whole, hours, until, at_least=at_least), *rows]

    def _begins(self, group: Sequence[GatewayChange]) -> float:
        return min((self._first[item.gateway] for item in group if item.gateway in self._first), default=float("inf"))

    def _of_number(self, group: Sequence[GatewayChange], until: float) -> list[Span]:
        """A number is out while none of its gateways is up. Where a pair with a number of its own carries the
        business on, nothing is out for it.
        """
        if any(item.action is Action.HOT_STANDBY for item in group):
            return []
        seen = [item for item in group if item.gateway in self._first]
        if not seen or len(seen) < sum(not self._counts_as_out(item) for item in group):
            return []
        spans: list[Span] = [(0.0, until)]
        for item in seen:
            spans = common(spans, self._of_gateway(item.gateway, until))
        return spans

    def _counts_as_out(self, change: GatewayChange) -> bool:
        """Without a single look: a host that is gone, or a cold standby that nobody has started."""
        return change.host in self.plan.fault.hosts or change.before is None

    def _of_gateway(self, name: str, until: float) -> list[Span]:
        since = self._since.get(name)
        still = [(since, until)] if since is not None and since < until else []
        return united([*self._out.get(name, ()), *still, *self._unseen(name, until)])

    def _unseen(self, name: str, at: float) -> list[Span]:
        """A host that fails shows nothing any more: its gateways are out from their last sample on."""
        last = self._last.get(name, at)
        gone = self.topology.gateway[name].host in self.plan.fault.hosts
        return [(last, at)] if gone and at - last > _UNSEEN_S else []


def _row(
    gateway_class: GatewayClass,
    number: str | None,
    spans: Sequence[Span],
    hours: TradingHours,
    until: float,
    *,
    at_least: bool,
) -> Outage:
    inside = [hours.within(gateway_class, span) for span in spans]
    return Outage(
        gateway_class=gateway_class,
        number=number,
        out_s=total(spans),
        counted_s=total(part for parts, _ in inside for part in parts),
        at_least=at_least,
        unknown_day=any(unknown for _, unknown in inside),
        still_out=spans[-1][1] >= until,
    )


def outages_of(
    plan: Plan, topology: Topology, events: Sequence[Event], seen: Observations, hours: TradingHours, until: float
) -> list[Outage]:
    """Counted anew from everything that was recorded; in an incident the fault is on from before the run to its end."""
    window, incident = window_of(events), plan.mode is Mode.INCIDENT
    offset_s = snapshots(events).get("before", {}).get("clock_offset_s", {})
    watch = OutageWatch(plan, topology, lambda at: incident or (window is not None and window.holds(at)))
    for sample in seen.samples:
        watch.see(sample, sample.at - offset_s.get(sample.host, 0.0))
    return watch.outages(hours, until)
